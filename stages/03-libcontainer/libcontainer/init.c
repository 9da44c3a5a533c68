/*
 * init.c - what the container's first process does before it is the container's program.
 *
 * Room:       libcontainer.   Called by: create.c, as the child of lc_launch().
 * Spec:       runtime.md, "Lifecycle"; runtime-linux.md.
 *
 * Read lc_init_main() from top to bottom: it is the list of what makes a container. Until the root
 * is changed, paths are the host's, and everything inside is reached through root_fd.
 */
#define CT_LAYER "init"
#include "init.h"

#include "container_internal.h"
#include "devices.h"
#include "masks.h"
#include "procfs.h"
#include "rootfs.h"
#include "setup.h"
#include "sync.h"
#include "sysctl.h"
#include "terminal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool lc_init_pauses(const struct lc_configuration *configuration)
{
    return configuration->hooks.at[LC_HOOK_PRESTART].n > 0 ||
           configuration->hooks.at[LC_HOOK_CREATE_RUNTIME].n > 0;
}

static bool has(const struct lc_init *init, enum lc_namespace which)
{
    return lc_namespaces_has(&init->configuration->namespaces, which);
}

/* ---- who we are ----------------------------------------------------------------------------- */

/* Root of the user namespace, where it has one: what we make now is to be its. */
static int become_root(const struct lc_init *init, struct ct_error *err)
{
    if (!has(init, LC_NS_USER)) {
        return 0;
    }
    if (setgroups(0, NULL) < 0 && errno != EPERM) { /* denied where /proc/PID/setgroups says so */
        return ct_fail(err, errno, "leave all groups");
    }
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
        return ct_fail(err, errno, "become root of the user namespace");
    }
    return 0;
}

static int settle(const struct lc_init *init, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_SYNC, "ids mapped");

    if (lc_cgroup_enter_self(init->cgroup, err) < 0 ||
        lc_sync_expect(init->sync_fd, LC_SYNC_MAPPED, -1, NULL, err) < 0 ||
        lc_joins_enter_cgroup(init->joins, err) < 0) {
        return -1;
    }
    /* From here on nobody inside may trace us or open our descriptors (CVE-2016-9962). */
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setsid() < 0) {
        return ct_fail(err, errno, "make a session of our own");
    }
    if ((init->configuration->namespaces.make & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0) {
        return ct_fail(err, errno, "make a cgroup namespace");
    }
    return become_root(init, err);
}

/* ---- the root file system ------------------------------------------------------------------- */

static int mount_all(const struct lc_init *init, int root_fd, struct ct_error *err)
{
    const struct lc_configuration *configuration = init->configuration;
    const struct lc_mount_place place = {
        .root_fd = root_fd, .cgroup = init->cgroup, .label = configuration->mount_label};

    for (size_t i = 0; i < configuration->n_mounts; i++) {
        if (lc_mount_make(&configuration->mounts[i], &place, init->sources[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A /dev that is the host's own, bound, has all that it is to have. */
static bool dev_is_the_hosts(const struct lc_configuration *configuration)
{
    for (size_t i = 0; i < configuration->n_mounts; i++) {
        const struct lc_mount *mount = &configuration->mounts[i];
        if (strcmp(mount->destination, "/dev") == 0 && mount->attributes.bind) {
            return true;
        }
    }
    return false;
}

/* The host's, looked at: 1:3. */
static int open_null(struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return ct_fail(err, errno, "open the host's /dev/null");
    }
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
        return ct_refuse(err, CT_SYSTEM, "the host's /dev/null is not the null device");
    }
    return ct_steal_fd(&fd);
}

static int cover(const struct lc_init *init, int root_fd, struct ct_error *err)
{
    const struct lc_configuration *configuration = init->configuration;

    if (lc_readonly_paths(root_fd, configuration->readonly_paths, err) < 0) {
        return -1;
    }
    if (!configuration->masked_paths) {
        return 0;
    }
    CT_AUTO_CLOSE int null_fd = open_null(err);
    return null_fd < 0 ? -1 : lc_mask_paths(root_fd, configuration->masked_paths, null_fd, err);
}

/* The container's own terminal becomes its three streams. */
static int make_terminal(struct lc_init *init, int root_fd, struct ct_error *err)
{
    const struct lc_program *program = &init->configuration->program;

    if (!program->terminal) {
        return 0;
    }
    int slave = lc_terminal_make(root_fd, init->console_fd, program->height, program->width, err);
    if (slave < 0 || lc_terminal_bind_console(root_fd, slave, err) < 0) {
        return -1;
    }
    init->stdio[0] = init->stdio[1] = init->stdio[2] = slave;
    init->own_terminal = true;
    return 0;
}

static int build_root(struct lc_init *init, int root_fd, struct ct_error *err)
{
    const struct lc_configuration *configuration = init->configuration;
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_MOUNT, "%zu mounts", configuration->n_mounts);

    if (mount_all(init, root_fd, err) < 0) {
        return -1;
    }
    if (!dev_is_the_hosts(configuration) &&
        lc_devices_make(root_fd, configuration->devices, configuration->n_devices,
                        has(init, LC_NS_USER), err) < 0) {
        return -1;
    }
    return make_terminal(init, root_fd, err) < 0 ? -1 : cover(init, root_fd, err);
}

static int run_hooks(const struct lc_init *init, enum lc_hook_point point, const char *status,
                     struct ct_error *err)
{
    if (init->configuration->hooks.at[point].n == 0) {
        return 0;
    }
    CT_AUTO_JSON json_t *state = json_deep_copy(init->state);
    ct_json_set_string(state, "status", status);
    ct_json_set(state, "pid", json_integer(getpid())); /* as the container sees it */
    return lc_hooks_run(&init->configuration->hooks, point, state, err);
}

/* The runtime's hooks and devices come in between, while paths are still the host's. */
static int pause_for_runtime(const struct lc_init *init, struct ct_error *err)
{
    if (lc_init_pauses(init->configuration)) {
        CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_SYNC, "hooks of the runtime");
        if (lc_sync_send(init->sync_fd, LC_SYNC_MOUNTED, -1, err) < 0 ||
            lc_sync_expect(init->sync_fd, LC_SYNC_GO_ON, -1, NULL, err) < 0) {
            return -1;
        }
    }
    return run_hooks(init, LC_HOOK_CREATE_CONTAINER, "creating", err);
}

static int change_root(struct lc_init *init, struct ct_error *err)
{
    const struct lc_configuration *configuration = init->configuration;

    if (!has(init, LC_NS_MOUNT)) {
        return pause_for_runtime(init, err) < 0 ? -1 : lc_rootfs_chroot(configuration->rootfs, err);
    }
    CT_AUTO_CLOSE int root_fd =
        lc_rootfs_open(configuration->rootfs, configuration->rootfs_propagation, err);
    if (root_fd < 0 || build_root(init, root_fd, err) < 0 || pause_for_runtime(init, err) < 0 ||
        lc_rootfs_enter(root_fd, init->no_pivot, err) < 0) {
        return -1;
    }
    return lc_rootfs_finish(configuration->rootfs_propagation, configuration->rootfs_readonly, err);
}

/* ---- names and parameters ------------------------------------------------------------------- */

static int set_names(const struct lc_configuration *configuration, struct ct_error *err)
{
    const char *host = configuration->hostname, *domain = configuration->domainname;

    if (host && *host && sethostname(host, strlen(host)) < 0) {
        return ct_fail(err, errno, "set the host name '%.64s'", host);
    }
    if (domain && *domain && setdomainname(domain, strlen(domain)) < 0) {
        return ct_fail(err, errno, "set the domain name '%.64s'", domain);
    }
    return 0;
}

static bool is_set(const char *text)
{
    return text && *text;
}

/* A procfs of our own, where something is to be written into one; opened before the root changes,
 * because the kernel gives a new one only to who sees one in full. */
static int open_procfs(const struct lc_configuration *configuration, int *ret_fd,
                       struct ct_error *err)
{
    *ret_fd = -1;
    if (json_object_size(configuration->sysctl) == 0 && !is_set(configuration->program.apparmor) &&
        !is_set(configuration->program.selinux)) {
        return 0;
    }
    *ret_fd = lc_procfs_open(err);
    return *ret_fd < 0 ? -1 : 0;
}

static int set_parameters(const struct lc_configuration *configuration, int procfs_fd,
                          struct ct_error *err)
{
    bool new_network = configuration->namespaces.make & CLONE_NEWNET;

    if (set_names(configuration, err) < 0 || (new_network && lc_loopback_up(err) < 0)) {
        return -1;
    }
    return json_object_size(configuration->sysctl) > 0
               ? lc_sysctl_apply(configuration->sysctl, procfs_fd, err)
               : 0;
}

/* ---- from "created" to the program ---------------------------------------------------------- */

/* To who has started us: that process knows the agent. */
static int send_listener(void *context, int notify_fd, struct ct_error *err)
{
    const int *starter = context;

    if (lc_sync_send(*starter, LC_SYNC_NOTIFY, notify_fd, err) < 0) {
        return -1;
    }
    return lc_sync_expect(*starter, LC_SYNC_GO_ON, -1, NULL, err);
}

static int create(struct lc_init *init, struct lc_setup *setup, struct ct_error *err)
{
    const struct lc_configuration *configuration = init->configuration;
    CT_AUTO_CLOSE int procfs_fd = -1;

    if (settle(init, err) < 0 || open_procfs(configuration, &procfs_fd, err) < 0 ||
        change_root(init, err) < 0 || set_parameters(configuration, procfs_fd, err) < 0) {
        return -1;
    }
    memcpy(setup->stdio, init->stdio, sizeof(setup->stdio));
    setup->control_terminal = init->own_terminal;
    return lc_setup_drop(setup, procfs_fd, err);
}

static int run(const struct lc_init *init, const struct lc_setup *setup, int starter,
               struct ct_error *err)
{
    if (run_hooks(init, LC_HOOK_START_CONTAINER, "created", err) < 0) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_EXEC, "execve %s", setup->program->args[0]);
    return lc_setup_exec(setup, send_listener, &starter, err);
}

static int exit_code_of(const struct ct_error *err)
{
    return err->kind == CT_NO_PROGRAM ? 127 : err->kind == CT_CANNOT_RUN ? 126 : 125;
}

void lc_init_main(void *context)
{
    struct lc_init *init = context;
    const struct lc_configuration *configuration = init->configuration;
    CT_AUTO_FREE char *keyring = init->no_new_keyring ? NULL : ct_printf("_ses.%.60s", init->id);
    struct lc_setup setup = {.program = &configuration->program,
                             .seccomp = init->seccomp,
                             .preserve_fds = init->preserve_fds,
                             .keyring = keyring,
                             .personality = configuration->personality};
    struct ct_error err = {0};

    if (create(init, &setup, &err) < 0 ||
        lc_sync_send(init->sync_fd, LC_SYNC_READY, -1, &err) < 0) {
        lc_sync_send_error(init->sync_fd, &err);
        _exit(exit_code_of(&err));
    }
    int starter = lc_start_wait(init->listen_fd, &err);
    if (starter < 0) {
        _exit(125);
    }
    (void)run(init, &setup, starter, &err);
    lc_sync_send_error(starter, &err);
    _exit(exit_code_of(&err));
}
