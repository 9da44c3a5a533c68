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
#include "error.h"
#include "exec.h"
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

static int become_program(const struct plan *plan, const int stdio[static 3], struct ct_error *err)
{
    if (ct_exec_streams(stdio, 0, err) < 0) {
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
    if (ct_exec_enter_cwd(plan->cwd, err) < 0) {
        return -1;
    }
    (void)umask(022);
    ct_exec_reset_signals();
    return ct_exec(plan->argv, plan->envp, err);
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
