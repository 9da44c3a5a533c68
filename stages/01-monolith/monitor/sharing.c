/*
 * sharing.c - what a container takes from another one: namespaces, and memory to share.
 *
 * Room:       monitor.   Called by: run.c.
 * Spec:       Docker's docker run(1), --network, --pid and --ipc; namespaces(7), shm_overview(7).
 *
 * A namespace is named by a process that is in it, so the other one must run. POSIX shared memory
 * is no part of the IPC namespace but a file system, /dev/shm: who lends it ("shareable") has it
 * mounted out here, in RUN/<id>/shm, where the borrower's mount finds it.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define SHM_NAME    "shm"
#define SHM_DEFAULT ((json_int_t)64 << 20)

static const char *ipc_mode(const struct container *container)
{
    return ct_json_string(container->config, "HostConfig.IpcMode", "");
}

/* X of "container:X", or NULL. */
static const char *donor_of(const struct container *container, const char *field)
{
    CT_AUTO_FREE char *path = ct_printf("HostConfig.%s", field);
    const char *mode = ct_json_string(container->config, path, "");

    return strncmp(mode, "container:", 10) == 0 ? mode + 10 : NULL;
}

/* The other container, which runs. Owned. */
static struct container *find_donor(const struct monitor *monitor, const char *reference,
                                    const char *what, struct ct_error *err)
{
    struct container *other = container_find(monitor->containers, reference, err);

    if (other && (!monitor_lives(other) || !container_is_running(other) ||
                  ct_json_integer(other->state, "Pid", 0) <= 0)) {
        container_free(other);
        return ct_refuse_null(err, CT_CONFLICT, "cannot join %s of a non running container: %s",
                              what, reference);
    }
    return other;
}

/* Path of the namespace of the container that the field names; *ret stays NULL when it names none.
 */
static int join(const struct monitor *monitor, struct spec *spec, const char *field,
                const char *what, const char *kind, const char **ret, struct ct_error *err)
{
    const char *reference = donor_of(monitor->container, field);

    if (!reference) {
        return 0;
    }
    struct container *other = find_donor(monitor, reference, what, err);
    if (!other) {
        return -1;
    }
    *ret =
        pool_keep(&spec->pool, ct_printf("/proc/%lld/ns/%s",
                                         (long long)ct_json_integer(other->state, "Pid", 0), kind));
    container_free(other);
    return 0;
}

/* *ret: where the memory is that is to be /dev/shm; NULL: in the container's own. */
static int find_memory(const struct monitor *monitor, struct spec *spec, struct ct_error *err)
{
    const char *reference = donor_of(monitor->container, "IpcMode");
    const char **ret = &spec->exec.shared_memory;

    if (strcmp(ipc_mode(monitor->container), "shareable") == 0) {
        *ret = pool_keep(&spec->pool, ct_join(monitor->container->run_dir, SHM_NAME));
    }
    if (!reference) {
        return 0;
    }
    struct container *other = find_donor(monitor, reference, "IPC", err);
    if (!other) {
        return -1;
    }
    int result = strcmp(ipc_mode(other), "shareable") == 0 ? 0 : -1;
    if (result == 0) {
        *ret = pool_keep(&spec->pool, ct_join(other->run_dir, SHM_NAME));
    } else {
        (void)ct_refuse(err, CT_CONFLICT, "cannot join IPC of container %s: it is not shareable",
                        reference);
        (void)ct_hint(err, "run that one with --ipc shareable");
    }
    container_free(other);
    return result;
}

int sharing_build(const struct monitor *monitor, struct spec *spec, struct ct_error *err)
{
    struct exec_spec *exec = &spec->exec;

    if (join(monitor, spec, "NetworkMode", "network", "net", &exec->join_network_of, err) < 0 ||
        join(monitor, spec, "PidMode", "PID namespace", "pid", &exec->join_pid_of, err) < 0 ||
        join(monitor, spec, "IpcMode", "IPC", "ipc", &exec->join_ipc_of, err) < 0) {
        return -1;
    }
    return find_memory(monitor, spec, err);
}

int sharing_mount(const struct container *container, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(container->run_dir, SHM_NAME);
    json_int_t bytes = ct_json_integer(container->config, "HostConfig.ShmSize", 0);
    CT_AUTO_FREE char *options =
        ct_printf("mode=1777,size=%lld", (long long)(bytes > 0 ? bytes : SHM_DEFAULT));

    if (strcmp(ipc_mode(container), "shareable") != 0) {
        return 0;
    }
    CT_AUTO_CLOSE int made = ct_mkdirs(path, 0700, err);
    if (made < 0) {
        return -1;
    }
    return mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0
               ? ct_fail(err, errno, "mount the shared memory on '%s'", path)
               : 0;
}

int sharing_unmount(const struct container *container, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(container->run_dir, SHM_NAME);

    if (faccessat(container->run_fd, SHM_NAME, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    /* EINVAL: the directory stands, but nothing is mounted on it. */
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL) {
        return ct_fail(err, errno, "unmount '%s'", path);
    }
    return unlinkat(container->run_fd, SHM_NAME, AT_REMOVEDIR) < 0
               ? ct_fail(err, errno, "remove '%s'", path)
               : 0;
}
