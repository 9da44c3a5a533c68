/*
 * start.c - the verb `start`: leaves a serving shim behind and says where it listens.
 *
 * Room:       shim.   Called by: main.c.
 * Spec:       containerd runtime/v2/README.md, "start".
 *
 * containerd waits for us and reads our output, so the one that serves is another process: the same
 * program again, with the listening socket as descriptor 3. Its first client may connect before it
 * runs: the kernel keeps him waiting.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cgroups.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define OPTIONS_MAX (1 << 20)
#define LISTEN_FD   3

/* What the container belongs to: itself, or a group of containers that share a shim (a pod). */
static char *group_of(const struct shim_options *options, struct ct_error *err)
{
    static const char *const keys[] = {"io.containerd.runc.v2.group",
                                       "io.kubernetes.cri.sandbox-id"};
    CT_AUTO_JSON json_t *config = ct_json_load_at(AT_FDCWD, "config.json", err);

    if (!config) {
        return NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *group =
            json_string_value(json_object_get(json_object_get(config, "annotations"), keys[i]));
        if (group && *group) {
            return ct_strdup(group);
        }
    }
    return ct_strdup(options->id);
}

/* ---- the socket ----------------------------------------------------------------------------- */

static bool somebody_listens(const char *path)
{
    struct ct_error ignored = {0};
    CT_AUTO_CLOSE int fd = ttrpc_connect(path, &ignored);
    return fd >= 0;
}

static int bind_and_listen(const char *path, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        return ct_refuse(err, CT_INVALID, "listen on '%.120s': %zu bytes are the most", path,
                         sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177); /* nobody else, from the first moment on */
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof(address));
    (void)umask(mask);
    if (bound < 0 || listen(fd, 128) < 0) {
        return ct_fail(err, errno, "listen on '%.120s'", path);
    }
    return ct_steal_fd(&fd);
}

/* Listens, or finds that the group's shim does (*ret_fd is -1). What a dead shim left is replaced;
 * the lock keeps two starts of one group apart. */
static int take_address(const char *path, int *ret_fd, struct ct_error *err)
{
    CT_AUTO_FREE char *lock_name = ct_printf("%.*s/lock", (int)(strrchr(path, '/') - path), path);
    CT_AUTO_CLOSE int lock = ct_lock_at(AT_FDCWD, lock_name, CT_LOCK_EXCLUSIVE, 10000, err);

    *ret_fd = -1;
    if (lock < 0) {
        return -1;
    }
    if (!somebody_listens(path)) {
        (void)unlink(path);
        *ret_fd = bind_and_listen(path, err);
    }
    return *ret_fd < 0 && err->kind != CT_NONE ? -1 : 0;
}

/* ---- the process ---------------------------------------------------------------------------- */

/* containerd's own is often negative, to be spared when memory runs out; one more than that, so
 * that a shim goes before it, and long before anything else. Best effort: in a user namespace it is
 * refused. */
static void adjust_oom_score(pid_t pid)
{
    CT_AUTO_FREE char *theirs = ct_printf("/proc/%d/oom_score_adj", (int)getppid());
    CT_AUTO_FREE char *its = ct_printf("/proc/%d/oom_score_adj", (int)pid);
    CT_AUTO_FREE char *text = NULL;
    struct ct_error ignored = {0};

    if (ct_read_file_at(AT_FDCWD, theirs, 32, &text, &ignored) > 0) {
        long score = strtol(text, NULL, 10);
        CT_AUTO_FREE char *value = ct_printf("%ld", score < 1000 ? score + 1 : score);
        CT_AUTO_CLOSE int fd = open(its, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            (void)ct_write_all(fd, value, strlen(value));
        }
    }
}

/* Options.shim_cgroup: a group that is there. */
static int enter_cgroup(const char *path, pid_t pid, struct ct_error *err)
{
    struct lc_cgroup *cgroup = lc_cgroup_new(path, "shim", false, err);
    int result =
        cgroup && lc_cgroup_open(cgroup, err) == 0 ? lc_cgroup_enter(cgroup, pid, NULL, err) : -1;

    lc_cgroup_free(cgroup);
    return result < 0 ? ct_while(err, "put the shim into control group '%.80s'", path) : 0;
}

/* containerd may pass more in the environment than words of a command line can say: all of it goes
 * on, TTRPC_ADDRESS among it. */
static int spawn(const struct shim_options *options, const char *group, int listen_fd,
                 const char *cgroup, struct ct_error *err)
{
    CT_AUTO_FREE char *self = ct_self_path(err);
    const char *argv[] = {"cutaway-containerd-shim",
                          "-namespace",
                          options->namespace,
                          "-id",
                          group,
                          "-address",
                          options->address,
                          "-publish-binary",
                          options->publish_binary,
                          options->debug ? "-debug" : NULL,
                          NULL};
    static const int keep[] = {LISTEN_FD};
    const struct ct_spawn spawn = {.path = self,
                                   .argv = argv,
                                   .stdio = {-1, -1, -1},
                                   .keep = keep,
                                   .n_keep = 1,
                                   .new_session = true};
    struct ct_process process = {.pidfd = -1};

    if (!self) {
        return -1;
    }
    if (listen_fd != LISTEN_FD && dup3(listen_fd, LISTEN_FD, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "hand the socket over");
    }
    if (ct_process_start(&spawn, &process, err) < 0) {
        return -1;
    }
    int result = *cgroup ? enter_cgroup(cgroup, process.pid, err) : 0;
    if (result < 0) {
        struct ct_error ignored = {0};
        (void)ct_pidfd_signal(process.pidfd, SIGKILL, &ignored);
    } else {
        adjust_oom_score(process.pid);
    }
    ct_process_done(&process);
    return result;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static Google__Protobuf__Any *read_options(struct ct_error *err)
{
    CT_AUTO_FREE uint8_t *bytes = malloc(OPTIONS_MAX);
    size_t length = 0;
    ssize_t n = 1;

    if (!bytes) {
        abort();
    }
    while (n > 0 && length < OPTIONS_MAX) {
        n = read(STDIN_FILENO, bytes + length, OPTIONS_MAX - length);
        length += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        return ct_fail_null(err, errno, "read the runtime's options");
    }
    Google__Protobuf__Any *options = google__protobuf__any__unpack(NULL, length, bytes);
    return options ? options
                   : ct_refuse_null(err, CT_INVALID, "read the runtime's options: malformed");
}

/* Where the shim itself is to stand; "": where we do. Owned. */
static char *wanted_cgroup(struct ct_error *err)
{
    Google__Protobuf__Any *options = read_options(err);
    char *path = NULL;

    if (options && options->value.len > 0 &&
        strcmp(options->type_url, "containerd.runc.v1.Options") == 0) {
        Containerd__Runc__V1__Options *runc =
            containerd__runc__v1__options__unpack(NULL, options->value.len, options->value.data);
        path = runc ? ct_strdup(runc->shim_cgroup) : NULL;
        if (!runc) {
            (void)ct_refuse(err, CT_INVALID, "read the runtime's options: malformed");
        }
        containerd__runc__v1__options__free_unpacked(runc, NULL);
    } else if (options) {
        path = ct_strdup("");
    }
    google__protobuf__any__free_unpacked(options, NULL);
    return path;
}

int shim_start(const struct shim_options *options, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_SHIM, CT_STEP_COMMAND, "cutaway-containerd-shim -id %s start",
            options->id);
    CT_AUTO_FREE char *cgroup = wanted_cgroup(err);
    CT_AUTO_FREE char *group = cgroup ? group_of(options, err) : NULL;
    CT_AUTO_FREE char *path = group ? address_of(options, group, err) : NULL;
    CT_AUTO_CLOSE int fd = -1;

    if (!path || take_address(path, &fd, err) < 0) {
        return -1;
    }
    if (fd >= 0 && spawn(options, group, fd, cgroup, err) < 0) {
        (void)unlink(path); /* nobody will answer there */
        return -1;
    }
    CT_AUTO_FREE char *address = ct_printf("unix://%s", path);
    if (ct_write_run_file_at(AT_FDCWD, "address", address, strlen(address), 0600, err) < 0) {
        return -1; /* a shim without a task ends by containerd's `delete` */
    }
    return ct_write_all(STDOUT_FILENO, address, strlen(address)) < 0
               ? ct_fail(err, errno, "print the address")
               : 0;
}
