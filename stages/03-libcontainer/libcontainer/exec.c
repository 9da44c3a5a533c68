/*
 * exec.c - one more program in a running container.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h.
 * Man:        setns(2), pidfd_open(2).
 *
 * The same steps as for the first program, with namespaces that are joined instead of made. The new
 * process is a child of the caller, born or put into the container's cgroups before it has run
 * anything of the container's.
 */
#define CT_LAYER "runtime"
#include "container_internal.h"
#include "launch.h"
#include "procfs.h"
#include "setup.h"
#include "sync.h"
#include "terminal.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct entering {
    const struct lc_exec *request;
    struct lc_container *container;
    struct lc_configuration configuration; /* the container's */
    struct lc_program program;
    struct pool pool;
    struct lc_seccomp seccomp;
    struct lc_joins joins;
    char *below; /* the group to enter below the container's own; "": that one */
    int sync[2]; /* [0] is ours */
    int console_fd;
};

/* ---- inside --------------------------------------------------------------------------------- */

static int send_listener(void *context, int notify_fd, struct ct_error *err)
{
    const struct entering *entering = context;

    if (lc_sync_send(entering->sync[1], LC_SYNC_NOTIFY, notify_fd, err) < 0) {
        return -1;
    }
    return lc_sync_expect(entering->sync[1], LC_SYNC_GO_ON, -1, NULL, err);
}

static int settle(const struct entering *entering, struct ct_error *err)
{
    if (!*entering->below && lc_cgroup_enter_self(entering->container->cgroup, err) < 0) {
        return -1;
    }
    if (lc_sync_expect(entering->sync[1], LC_SYNC_MAPPED, -1, NULL, err) < 0 ||
        lc_joins_enter_cgroup(&entering->joins, err) < 0) {
        return -1;
    }
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || setsid() < 0) {
        return ct_fail(err, errno, "make a session of our own");
    }
    if (entering->joins.fd[LC_NS_USER] >= 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)) {
        return ct_fail(err, errno, "become root of the user namespace");
    }
    return 0;
}

static int make_terminal(const struct entering *entering, struct lc_setup *setup,
                         struct ct_error *err)
{
    const struct lc_program *program = &entering->program;

    if (!program->terminal) {
        return 0;
    }
    CT_AUTO_CLOSE int root_fd = ct_root_open("/", err);
    int slave = root_fd < 0 ? -1
                            : lc_terminal_make(root_fd, entering->console_fd, program->height,
                                               program->width, err);
    if (slave < 0) {
        return -1;
    }
    setup->stdio[0] = setup->stdio[1] = setup->stdio[2] = slave;
    setup->control_terminal = true;
    return 0;
}

static bool wants_label(const struct lc_program *program)
{
    return (program->apparmor && *program->apparmor) || (program->selinux && *program->selinux);
}

static int become_program(struct entering *entering, struct lc_setup *setup, struct ct_error *err)
{
    CT_AUTO_CLOSE int procfs_fd = -1;

    if (settle(entering, err) < 0 || make_terminal(entering, setup, err) < 0) {
        return -1;
    }
    if (wants_label(&entering->program) && (procfs_fd = lc_procfs_open(err)) < 0) {
        return -1;
    }
    if (lc_setup_drop(setup, procfs_fd, err) < 0) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_EXEC, "execve %s", setup->program->args[0]);
    return lc_setup_exec(setup, send_listener, entering, err);
}

static void child(void *context)
{
    struct entering *entering = context;
    const struct lc_exec *request = entering->request;
    CT_AUTO_FREE char *keyring = ct_printf("_ses.%.60s", entering->container->id);
    struct lc_setup setup = {.program = &entering->program,
                             .seccomp = &entering->seccomp,
                             .preserve_fds = request->preserve_fds,
                             .control_terminal = request->own_terminal,
                             .keyring = keyring,
                             .personality = entering->configuration.personality};
    struct ct_error err = {0};

    (void)close(entering->sync[0]);
    memcpy(setup.stdio, request->stdio, sizeof(setup.stdio));
    (void)become_program(entering, &setup, &err);
    lc_sync_send_error(entering->sync[1], &err);
    _exit(err.kind == CT_NO_PROGRAM ? 127 : 126);
}

/* ---- the runtime's side --------------------------------------------------------------------- */

static int check(const struct entering *entering, struct ct_error *err)
{
    const struct lc_exec *request = entering->request;
    enum lc_status status = lc_status(entering->container);

    if (status == LC_PAUSED && !request->ignore_paused) {
        (void)ct_refuse(err, CT_CONFLICT, "cannot exec in a paused container");
        return ct_hint(err, "resume it first");
    }
    if (status == LC_STOPPED || status == LC_CREATING) {
        return ct_refuse(err, CT_CONFLICT, "cannot exec in a %s container", lc_status_name(status));
    }
    if (entering->program.terminal != (request->console_socket != NULL)) {
        return ct_refuse(err, CT_INVALID, "process.terminal and a console socket go together");
    }
    return lc_check_preserved(request->preserve_fds, err);
}

static int prepare(struct entering *entering, struct ct_error *err)
{
    const struct lc_exec *request = entering->request;

    if (lc_container_configuration(entering->container, &entering->configuration, err) < 0 ||
        lc_program_parse(request->process, "process", &entering->pool, &entering->program, err) <
            0 ||
        check(entering, err) < 0 ||
        lc_seccomp_compile(entering->configuration.seccomp, &entering->seccomp, err) < 0 ||
        lc_joins_of_process(entering->container->pid, &entering->joins, err) < 0) {
        return -1;
    }
    entering->below = request->cgroup ? ct_strdup(request->cgroup)
                                      : lc_cgroup_sub_of(entering->container->cgroup,
                                                         entering->container->pid, err);
    if (!entering->below || lc_cgroup_open(entering->container->cgroup, err) < 0) {
        return -1;
    }
    if (request->console_socket) {
        entering->console_fd = lc_terminal_connect(request->console_socket, err);
        if (entering->console_fd < 0) {
            return -1;
        }
    }
    return lc_sync_open(entering->sync, err);
}

static int hand_over(const struct entering *entering, int notify_fd, pid_t pid,
                     struct ct_error *err)
{
    CT_AUTO_JSON json_t *state = lc_container_state_as(entering->container, "running");
    return lc_seccomp_notify(entering->configuration.seccomp, notify_fd, pid, state, err);
}

static int await_program(const struct entering *entering, pid_t pid, struct ct_error *err)
{
    int64_t deadline_ns = lc_deadline(entering->request->timeout_ms);

    for (;;) {
        int notify_fd = -1;
        int what = lc_sync_receive(entering->sync[0], deadline_ns, &notify_fd, err);
        CT_AUTO_CLOSE int listener = notify_fd;

        if (what <= 0) {
            return what;
        }
        if (what != LC_SYNC_NOTIFY || hand_over(entering, listener, pid, err) < 0 ||
            lc_sync_send(entering->sync[0], LC_SYNC_GO_ON, -1, err) < 0) {
            return err->kind ? -1 : ct_refuse(err, CT_UNREACHABLE, "understand '%c'", what);
        }
    }
}

static int equip(const struct entering *entering, pid_t pid, struct ct_error *err)
{
    const char *below = entering->below;

    if (*below && lc_cgroup_enter(entering->container->cgroup, pid, below, err) < 0) {
        return -1;
    }
    if (lc_equip_program(&entering->program, pid, err) < 0) {
        return -1;
    }
    return lc_sync_send(entering->sync[0], LC_SYNC_MAPPED, -1, err);
}

static int enter(struct entering *entering, struct lc_process *ret, struct ct_error *err)
{
    struct lc_cgroup *cgroup = entering->container->cgroup;
    const struct lc_launch launch = {.joins = &entering->joins,
                                     .cgroup_fd = *entering->below ? -1 : lc_cgroup_fd(cgroup),
                                     .child = child,
                                     .context = entering};

    if (lc_launch(&launch, &ret->pid, &ret->pidfd, err) < 0) {
        return -1;
    }
    ct_cleanup_close(&entering->sync[1]);
    entering->sync[1] = -1;
    if (equip(entering, ret->pid, err) == 0 && await_program(entering, ret->pid, err) == 0) {
        return 0;
    }
    (void)kill(ret->pid, SIGKILL);
    (void)waitpid(ret->pid, NULL, __WALL);
    ct_cleanup_close(&ret->pidfd);
    return -1;
}

static void release(struct entering *entering)
{
    lc_joins_close(&entering->joins);
    free(entering->below);
    ct_cleanup_close(&entering->sync[0]);
    ct_cleanup_close(&entering->sync[1]);
    ct_cleanup_close(&entering->console_fd);
    lc_seccomp_done(&entering->seccomp);
    pool_done(&entering->pool);
    lc_configuration_done(&entering->configuration);
}

int lc_exec(struct lc_container *container, const struct lc_exec *request, struct lc_process *ret,
            struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_ATTACH, "exec in %s", container->id);
    struct entering entering = {.request = request,
                                .container = container,
                                .joins = LC_JOINS_NONE,
                                .sync = {-1, -1},
                                .console_fd = -1};

    *ret = (struct lc_process){.pidfd = -1};
    int result = prepare(&entering, err) < 0 ? -1 : enter(&entering, ret, err);
    release(&entering);
    return result < 0 ? ct_while(err, "exec in '%.60s'", container->id) : 0;
}
