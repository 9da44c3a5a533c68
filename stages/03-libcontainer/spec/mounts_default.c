/*
 * mounts_default.c - what is mounted in every container, and what the request adds.
 *
 * Room:       spec (stage 03).   Called by: document.c.
 * Spec:       moby, oci/defaults.go.
 */
#include "spec_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SHM_BYTES (64u << 20)

static json_t *split_options(const char *options)
{
    CT_AUTO_FREE char *copy = ct_strdup(options);
    json_t *words = json_array();
    char *position = NULL;

    for (char *word = strtok_r(copy, ",", &position); word; word = strtok_r(NULL, ",", &position)) {
        ct_json_append(words, json_string(word));
    }
    return words;
}

/* Paths may hold any byte but NUL, a JSON string may not: they are taken as they are. */
static json_t *path_string(const char *path)
{
    return json_string_nocheck(path);
}

void spec_add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
                    const char *options)
{
    json_t *mount = json_object();

    ct_json_set(mount, "destination", path_string(destination));
    ct_json_set_string(mount, "type", type);
    ct_json_set(mount, "source", path_string(source));
    ct_json_set(mount, "options", split_options(options));
    ct_json_append(mounts, mount);
}

static void add_shared_memory(const struct exec_spec *spec, json_t *mounts)
{
    uint64_t bytes = spec->shm_size_bytes ? spec->shm_size_bytes : DEFAULT_SHM_BYTES;
    CT_AUTO_FREE char *options = ct_printf("nosuid,nodev,noexec,mode=1777,size=%" PRIu64, bytes);

    if (!spec->host_ipc) {
        spec_add_mount(mounts, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
        if (spec->shared_memory) {
            spec_add_mount(mounts, "/dev/shm", "bind", spec->shared_memory,
                           "rbind,rprivate,nosuid,nodev,noexec");
        } else if (!spec_host_is(spec, "IpcMode", "none")) {
            spec_add_mount(mounts, "/dev/shm", "tmpfs", "shm", options);
        }
        return;
    }
    spec_add_mount(mounts, "/dev/shm", "bind", "/dev/shm", "rbind,rprivate");
    if (access("/dev/mqueue", F_OK) == 0) {
        spec_add_mount(mounts, "/dev/mqueue", "bind", "/dev/mqueue", "rbind,rprivate");
    }
}

/* With a terminal of the host's, that is also /dev/console, so that ttyname(3) finds a name for it.
 */
static void add_console(const struct exec_spec *spec, json_t *mounts)
{
    char link[32];
    char path[PATH_MAX];

    if (!spec->program.terminal) {
        return;
    }
    ssize_t n = readlink(ct_fd_path(spec->program.stdio[0], link), path, sizeof(path) - 1);
    if (n > 0) {
        path[n] = '\0';
        if (strncmp(path, "/dev/pts/", 9) == 0) {
            spec_add_mount(mounts, "/dev/console", "bind", path, "bind");
        }
    }
}

static void add_requested(const struct exec_spec *spec, json_t *mounts)
{
    for (size_t i = 0; i < spec->n_mounts; i++) {
        const struct exec_mount *mount = &spec->mounts[i];
        bool bind = strcmp(mount->type, "bind") == 0;
        const char *propagation = bind && !spec_propagation_of(mount) ? "rprivate," : "";
        CT_AUTO_FREE char *options = ct_printf("%s%s%s",
                                               !bind              ? ""
                                               : mount->recursive ? "rbind,"
                                                                  : "bind,",
                                               propagation, mount->options);
        spec_add_mount(mounts, mount->target, mount->type, mount->source, options);
    }
}

json_t *spec_mounts(const struct exec_spec *spec)
{
    json_t *mounts = json_array();
    const char *sys = spec->privileged ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro";

    spec_add_mount(mounts, "/proc", "proc", "proc", "nosuid,noexec,nodev");
    spec_add_mount(mounts, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
    spec_add_mount(mounts, "/dev/pts", "devpts", "devpts",
                   "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
    spec_add_mount(mounts, "/sys", "sysfs", "sysfs", sys);
    spec_add_mount(mounts, "/sys/fs/cgroup", "cgroup", "cgroup", sys);
    add_shared_memory(spec, mounts);
    add_console(spec, mounts);
    add_requested(spec, mounts);
    return mounts;
}
