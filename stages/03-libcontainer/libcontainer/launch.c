/*
 * launch.c - makes a process in new and in existing namespaces.
 *
 * Room:       libcontainer.   Called by: see launch.h.
 * Man:        clone(2), setns(2), time_namespaces(7).
 */
#define CT_LAYER "launch"
#include "launch.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made by the child itself, once it stands in its cgroup: the namespace's root is where its maker
 * is at that moment. */
#define LATER CLONE_NEWCGROUP

/* ---- one clone ------------------------------------------------------------------------------ */

/* Returns the pid to the caller; the child never comes back. own_fd: the caller's alone, or -1. */
static pid_t clone_child(const struct lc_launch *launch, uint64_t more_flags, int own_fd)
{
    struct clone_args args = {.flags =
                                  (launch->make & ~(unsigned)(LATER | CLONE_NEWTIME)) | more_flags,
                              /* A sibling's end is announced as that of our own parent's child. */
                              .exit_signal = more_flags & CLONE_PARENT ? 0 : SIGCHLD};

    if (launch->cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)launch->cgroup_fd;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        ct_cleanup_close(&own_fd);
        launch->child(launch->context);
        _exit(125);
    }
    return pid;
}

static int explain_clone(int sys, const struct lc_launch *launch, struct ct_error *err)
{
    (void)ct_fail(err, sys, "make the container's process");
    if (sys == EPERM && (launch->make & CLONE_NEWUSER)) {
        return ct_hint(err, "see /proc/sys/kernel/unprivileged_userns_clone and AppArmor's "
                            "restriction of user namespaces");
    }
    if (sys == EAGAIN) {
        return ct_hint(err, "the limit of processes (ulimit -u, pids.max) is reached");
    }
    if (sys == ENOSPC || sys == EUSERS) {
        return ct_hint(err, "see /proc/sys/user/max_*_namespaces");
    }
    return -1;
}

/* ---- the process between -------------------------------------------------------------------- */

/* What it tells the caller: the pid, or why there is none. One write, shorter than PIPE_BUF. */
struct report {
    pid_t pid;
    struct ct_error error;
};

/* "monotonic <seconds> <nanoseconds>", as the kernel reads it. */
static int write_offsets(const json_t *offsets, struct ct_error *err)
{
    const char *clock;
    json_t *offset;

    json_object_foreach((json_t *)offsets, clock, offset)
    {
        CT_AUTO_FREE char *line = ct_printf(
            "%s %lld %lld\n", clock, (long long)json_integer_value(json_object_get(offset, "secs")),
            (long long)json_integer_value(json_object_get(offset, "nanosecs")));
        CT_AUTO_CLOSE int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, line, strlen(line)) < 0) {
            return ct_fail(err, errno, "set the offset of the clock '%s'", clock);
        }
    }
    return 0;
}

/* A new time namespace is that of our children; its offsets end with the first of them. */
static int make_time_namespace(const struct lc_launch *launch, struct ct_error *err)
{
    if (!(launch->make & CLONE_NEWTIME)) {
        return 0;
    }
    if (unshare(CLONE_NEWTIME) < 0) {
        return ct_fail(err, errno, "make a time namespace");
    }
    return write_offsets(launch->time_offsets, err);
}

_Noreturn static void be_between(const struct lc_launch *launch, int report_fd)
{
    struct report report = {.pid = -1};

    /* Who is inside already must not trace what comes, nor open its descriptors (CVE-2016-9962). In
     * a user namespace of its own it cannot; and there its id maps are still to be written, which
     * only the owner of a process may that can be traced. */
    if (!(launch->make & CLONE_NEWUSER)) {
        (void)prctl(PR_SET_DUMPABLE, 0);
    }
    if ((!launch->joins || lc_joins_enter(launch->joins, &report.error) == 0) &&
        make_time_namespace(launch, &report.error) == 0) {
        /* Were the pipe open in the child, too, nobody would read that we were killed. */
        report.pid = clone_child(launch, CLONE_PARENT, report_fd);
        if (report.pid < 0) {
            (void)explain_clone(errno, launch, &report.error);
        }
    }
    (void)ct_write_all(report_fd, &report, sizeof(report));
    _exit(0);
}

static pid_t launch_between(const struct lc_launch *launch, struct ct_error *err)
{
    struct report report = {.pid = -1};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    CT_AUTO_CLOSE int reader = ends[0];
    CT_AUTO_CLOSE int writer = ends[1];
    pid_t between = fork();
    if (between == 0) {
        be_between(launch, writer);
    }
    if (between < 0) {
        return ct_fail(err, errno, "fork");
    }
    ct_cleanup_close(&writer);
    writer = -1;
    ssize_t n = TEMP_FAILURE_RETRY(read(reader, &report, sizeof(report)));
    (void)waitpid(between, NULL, 0);
    if (n != sizeof(report)) {
        return ct_refuse(err, CT_UNREACHABLE, "join namespaces: the process for it was killed");
    }
    if (report.pid < 0) {
        *err = report.error;
    }
    return report.pid;
}

/* ---- both ----------------------------------------------------------------------------------- */

int lc_launch(const struct lc_launch *launch, pid_t *ret_pid, int *ret_pidfd, struct ct_error *err)
{
    bool between = lc_joins_any(launch->joins) || (launch->make & CLONE_NEWTIME);
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_CLONE, "clone3 flags 0x%x%s", launch->make,
            between ? ", after setns" : "");
    pid_t pid = between ? launch_between(launch, err) : clone_child(launch, 0, -1);

    if (pid < 0) {
        return between ? -1 : explain_clone(errno, launch, err);
    }
    /* Nobody else can reap our child: the pid is still its own. */
    int pidfd = ct_pidfd_open(pid, err);
    if (pidfd < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, __WALL);
        return -1;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}
