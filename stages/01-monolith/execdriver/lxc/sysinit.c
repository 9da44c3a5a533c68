/*
 * sysinit.c - the first instruction in a container: waits for the driver, then becomes the program.
 *
 * Room:       execdriver/lxc. A static program of its own, carried inside the main binary and run
 *             by LXC from a sealed memory file (sysinit_fd.h says why).
 * Called by:  lxc-start and lxc-attach, inside the container: sysinit SOCKET-FD.
 * Man:        execve(2), close_range(2), setsid(2), ioctl_tty(2) (TIOCSCTTY).
 *
 * Docker 0.1 re-executed its own binary as the container's /sbin/init and called that part
 * "sysinit": it set user, environment and network inside, then called exec. Ours has less to do
 * (LXC sets the user, the driver's host side makes the network) and one thing more: when the
 * program cannot be run, it looks why, from inside and as the container's user.
 *
 * plan.h describes the talk. Nothing of the container has run before this process has called
 * execve(2), and nothing of the host is left in it afterwards: only 0, 1 and 2 stay open.
 */
#define CT_LAYER "sysinit"
#include "diagnose.h"
#include "error.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Tells the driver what went wrong, and leaves with the exit code that it will report anyway. */
_Noreturn static void give_up(int report_fd, const struct ct_error *err)
{
    (void)ct_error_send(report_fd, err); /* no reader: then nobody waits for the answer either */
    _exit(err->kind == CT_NO_PROGRAM ? 127 : 126);
}

/* ---- the talk ------------------------------------------------------------------------------- */

/* "H" with the read end of the report pipe. Returns the write end, or -1. */
static int say_hello(int socket_fd)
{
    int report[2];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {.iov_base = (char[]){'H'}, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    if (pipe2(report, O_CLOEXEC) < 0) {
        return -1;
    }
    memcpy(CMSG_DATA(&control.header), &report[0], sizeof(int));
    ssize_t sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    (void)close(report[0]);
    if (sent != 1) {
        (void)close(report[1]);
        return -1;
    }
    return report[1];
}

/* "P" with the plan and the program's 0, 1, 2. */
static int receive_plan(int socket_fd, int fds[static PLAN_FDS], struct ct_error *err)
{
    char letter = 0;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * PLAN_FDS)];
    } control = {0};
    struct iovec data = {.iov_base = &letter, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    ssize_t n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    if (n < 0) {
        return ct_fail(err, errno, "receive the plan");
    }
    const struct cmsghdr *found = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    if (letter != 'P' || !found || found->cmsg_type != SCM_RIGHTS ||
        found->cmsg_len != CMSG_LEN(sizeof(int) * PLAN_FDS)) {
        return ct_refuse(err, CT_UNREACHABLE, "receive the plan: the driver is gone");
    }
    memcpy(fds, CMSG_DATA(found), sizeof(int) * PLAN_FDS);
    return 0;
}

/* Returns when the driver says "G". When it is gone instead, the container is not wanted. */
static void wait_for_go(int socket_fd)
{
    char letter = 0;
    ssize_t n = 0;

    do {
        n = recv(socket_fd, &letter, 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n != 1 || letter != 'G') {
        _exit(125);
    }
}

/* ---- becoming the program ------------------------------------------------------------------- */

/* dup2(2) clears close-on-exec, also when a descriptor is already in its place. */
static int place_stdio(const int fds[static 3], struct ct_error *err)
{
    int above[3];

    /* All to above 2 first, so that none is overwritten before it was used. */
    for (int i = 0; i < 3; i++) {
        above[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (above[i] < 0) {
            return ct_fail(err, errno, "place the standard streams");
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(above[i], i) < 0) {
            return ct_fail(err, errno, "place the standard streams");
        }
    }
    return 0;
}

/* Ignored signals and the mask survive execve(2): the program is to start as from a login. */
static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++) {
        (void)sigaction(i, &standard, NULL); /* SIGKILL, SIGSTOP and libc's own refuse */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int take_terminal(struct ct_error *err)
{
    if (ioctl(0, TIOCSCTTY, 0) < 0) {
        return ct_fail(err, errno, "make the terminal the controlling one");
    }
    return 0;
}

/* No library for it: libcap would be the largest part of this program. */
static int limit_caps(uint64_t caps, struct ct_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0}; /* nothing inheritable (CVE-2022-29162) */

    for (int i = 0; i < 2; i++) {
        data[i].effective = data[i].permitted = (unsigned)(caps >> (32 * i));
    }
    if (syscall(SYS_capset, &header, data) < 0) {
        return ct_fail(err, errno, "give up capabilities");
    }
    return 0;
}

/*
 * Where LXC could not: lxc-attach has no option for supplementary groups. It then lets us keep all
 * capabilities, so that this works in a container without SETGID, and we give them up ourselves.
 * Groups first and uid last: after it the right to change the others is gone.
 */
static int set_ids(const struct plan *plan, struct ct_error *err)
{
    if (setgroups(plan->n_groups, plan->groups) < 0 ||
        setresgid(plan->gid, plan->gid, plan->gid) < 0) {
        return ct_fail(err, errno, "become group %u with %zu others", plan->gid, plan->n_groups);
    }
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; i++) {
        if (!(plan->caps >> i & 1) && prctl(PR_CAPBSET_DROP, i) < 0) {
            return ct_fail(err, errno, "give up capability %d", i);
        }
    }
    if (setresuid(plan->uid, plan->uid, plan->uid) < 0) {
        return ct_fail(err, errno, "become user %u", plan->uid);
    }
    return limit_caps(plan->uid == 0 ? plan->caps : 0, err);
}

/* CVE-2024-21626: a working directory that leads to a descriptor of the host must not be taken.
 * None is open but sysinit's own; this makes sure of it where it would count. */
static int enter_cwd(const char *cwd, struct ct_error *err)
{
    char resolved[PATH_MAX];

    if (chdir(cwd) < 0) {
        return diagnose_cwd(cwd, errno, err);
    }
    if (!getcwd(resolved, sizeof(resolved)) || resolved[0] != '/') {
        (void)ct_refuse(err, CT_CANNOT_RUN,
                        "enter the working directory '%.70s': it is outside of the container", cwd);
        return -1;
    }
    return 0;
}

static const char *search_path(char *const *envp)
{
    for (; *envp; envp++) {
        if (strncmp(*envp, "PATH=", 5) == 0) {
            return *envp + 5;
        }
    }
    return DEFAULT_PATH;
}

/* Tries name in each directory of path, as execvp(3). Returns only on failure, with the errno that
 * tells most, and the candidate that had it (empty: there was none). */
static int exec_in_path(const struct plan *plan, const char *path, char found[static PATH_MAX])
{
    int failure = ENOENT;
    found[0] = 0;

    for (const char *at = path;; at++) {
        size_t length = strcspn(at, ":");
        char candidate[PATH_MAX];
        struct stat st;
        int n = snprintf(candidate, sizeof(candidate), "%.*s/%s", length ? (int)length : 1,
                         length ? at : ".", plan->argv[0]);
        if (n > 0 && (size_t)n < sizeof(candidate) && stat(candidate, &st) == 0 &&
            !S_ISDIR(st.st_mode)) {
            (void)execve(candidate, plan->argv, plan->envp);
            failure = errno;
            memcpy(found, candidate, (size_t)n + 1);
            if (failure != EACCES) {
                return failure; /* it is there: another one further down is not what was meant */
            }
        }
        at += length;
        if (!*at) {
            return failure;
        }
    }
}

static int run_program(const struct plan *plan, struct ct_error *err)
{
    const char *name = plan->argv[0];
    char found[PATH_MAX];

    if (strchr(name, '/')) {
        (void)execve(name, plan->argv, plan->envp);
        return diagnose_exec(name, errno, err);
    }
    const char *path = search_path(plan->envp);
    if (!name[0]) {
        return diagnose_not_in_path(name, path, err);
    }
    int failure = exec_in_path(plan, path, found);
    return found[0] ? diagnose_exec(found, failure, err) : diagnose_not_in_path(name, path, err);
}

static int become_program(const struct plan *plan, const int stdio[static 3], struct ct_error *err)
{
    if (place_stdio(stdio, err) < 0) {
        return -1;
    }
    /* A session of its own: no terminal of the host's is reachable, and a signal to the host's
     * process group does not reach the program. Fails only where we already lead one. */
    (void)setsid();
    if ((plan->flags & PLAN_TERMINAL) && take_terminal(err) < 0) {
        return -1;
    }
    if ((plan->flags & PLAN_SET_IDS) && set_ids(plan, err) < 0) {
        return -1;
    }
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) < 0) {
        return ct_fail(err, errno, "mark all descriptors above 2 to be closed");
    }
    if (enter_cwd(plan->cwd, err) < 0) {
        return -1;
    }
    (void)umask(022);
    reset_signals();
    return run_program(plan, err);
}

int main(int argc, char **argv)
{
    struct ct_error err = {0};
    struct plan plan = {0};
    int fds[PLAN_FDS] = {-1, -1, -1, -1};
    int socket_fd = argc == 2 ? (int)strtol(argv[1], NULL, 10) : -1;

    /* Until execve(2), nobody inside may trace us or open our descriptors (CVE-2016-9962). */
    (void)prctl(PR_SET_DUMPABLE, 0);
    int report_fd = say_hello(socket_fd);
    if (report_fd < 0) {
        return 125;
    }
    if (receive_plan(socket_fd, fds, &err) < 0 || plan_read(fds[0], &plan, &err) < 0) {
        give_up(report_fd, &err);
    }
    wait_for_go(socket_fd);
    (void)become_program(&plan, fds + 1, &err);
    give_up(report_fd, &err);
}
