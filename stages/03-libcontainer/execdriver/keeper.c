/*
 * keeper.c - the container's parent: outlives its monitor, and knows how the program ended.
 *
 * Room:       execdriver (stage 03).   Called by: native.c.
 * Man:        fork(2), waitid(2), flock(2).
 *
 * With LXC, lxc-start was this process. libcontainer needs none to run a container, but a container
 * needs a parent: whose child it is learns its exit status, and a pipe of which nobody holds the
 * reading end kills who writes into it. So the monitor forks before it creates. The copy creates,
 * tells the monitor how it went, waits, writes the status down and leaves. (Stage 04 makes a
 * program of its own of it: the shim.)
 */
#define CT_LAYER "execdriver"
#include "native_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_FILE "keeper.lock"
#define END_FILE  "end.json"

/* ---- the keeper's side ---------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Nothing of the monitor's but what it was given: a pipe that it also held would never end. */
static void close_others(const struct keeper_request *request, int report_fd, int lock_fd)
{
    const struct lc_create *create = request->create;
    int needed[7 + NATIVE_KEPT_MAX] = {report_fd,        lock_fd,          request->state_fd,
                                       ct_span_fd(), /* the trace of a creation goes on in here */
                                       create->stdio[0], create->stdio[1], create->stdio[2]};
    size_t n = 7;
    unsigned first = 3;

    for (size_t i = 0; i < request->n_kept; i++) {
        needed[n++] = request->kept[i];
    }
    qsort(needed, n, sizeof(needed[0]), by_number);
    for (size_t i = 0; i < n; i++) { /* the gaps between them */
        if (needed[i] < 0 || (unsigned)needed[i] < first) {
            continue;
        }
        if ((unsigned)needed[i] > first) {
            (void)close_range(first, (unsigned)needed[i] - 1, 0);
        }
        first = (unsigned)needed[i] + 1;
    }
    (void)close_range(first, ~0U, 0);
}

/* The program's own ends are the program's alone from now on. */
static void close_streams(const struct lc_create *create)
{
    for (int i = 0; i < 3; i++) {
        if (create->stdio[i] > 2) {
            (void)close(create->stdio[i]);
        }
    }
}

static void write_end(int state_fd, int pidfd)
{
    siginfo_t end = {0};
    struct ct_error err = {0};
    char line[400];

    while (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED) < 0 && errno == EINTR) {
    }
    int status = end.si_code == CLD_EXITED   ? end.si_status << 8
                 : end.si_code == CLD_DUMPED ? end.si_status | 0x80
                                             : end.si_status;
    CT_AUTO_JSON json_t *document = json_pack("{s:i}", "status", status);
    if (ct_json_save_run_at(state_fd, END_FILE, document, &err) < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
    }
}

_Noreturn static void be_keeper(const struct keeper_request *request, int report_fd)
{
    struct ct_error err = {0};
    int lock_fd = ct_lock_at(request->state_fd, LOCK_FILE, CT_LOCK_EXCLUSIVE, 0, &err);

    if (lock_fd < 0 && err.kind == CT_TIMEOUT) {
        ct_error_clear(&err);
        (void)ct_refuse(&err, CT_EXISTS, "the id is in use");
    }
    (void)setsid(); /* no signal of the monitor's terminal or group */
    (void)prctl(PR_SET_NAME, "ct-keeper");
    close_others(request, report_fd, lock_fd);
    struct lc_container *container = lock_fd < 0 ? NULL : lc_create(request->create, &err);
    (void)ct_error_send(report_fd, &err); /* an empty one: it went well */
    (void)close(report_fd);
    if (!container) {
        _exit(1);
    }
    close_streams(request->create);
    write_end(request->state_fd, lc_pidfd(container));
    _exit(0);
}

/* ---- the monitor's side --------------------------------------------------------------------- */

static int await_report(int report_fd, pid_t keeper, struct ct_error *err)
{
    struct ct_error report = {0};
    ssize_t n = TEMP_FAILURE_RETRY(read(report_fd, &report, sizeof(report)));

    if (n == sizeof(report) && report.kind == CT_NONE) {
        return 0;
    }
    (void)waitpid(keeper, NULL, 0);
    if (n != sizeof(report)) {
        return ct_refuse(err, CT_UNREACHABLE, "create the container: its keeper was killed");
    }
    *err = report;
    return -1;
}

pid_t keeper_start(const struct keeper_request *request, struct ct_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    CT_AUTO_CLOSE int reader = ends[0];
    CT_AUTO_CLOSE int writer = ends[1];
    pid_t keeper = fork();
    if (keeper == 0) {
        be_keeper(request, writer);
    }
    if (keeper < 0) {
        return ct_fail(err, errno, "fork the container's keeper");
    }
    ct_cleanup_close(&writer);
    writer = -1;
    return await_report(reader, keeper, err) < 0 ? -1 : keeper;
}

bool keeper_lives(int state_fd)
{
    struct ct_error held = {0};
    CT_AUTO_CLOSE int fd = ct_lock_at(state_fd, LOCK_FILE, CT_LOCK_SHARED, 0, &held);

    return fd < 0 && held.kind == CT_TIMEOUT;
}

int keeper_wait(int state_fd, int timeout_ms, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = ct_lock_at(state_fd, LOCK_FILE, CT_LOCK_SHARED, timeout_ms, err);

    return fd < 0 ? ct_while(err, "wait for the container's keeper to leave") : 0;
}

int keeper_result(int state_fd, int *ret_status, struct ct_error *err)
{
    struct ct_error missing = {0};
    CT_AUTO_JSON json_t *document = ct_json_load_at(state_fd, END_FILE, &missing);

    if (!document) {
        return ct_refuse(err, CT_UNREACHABLE,
                         "learn how the program ended: its keeper was killed before it told");
    }
    *ret_status = (int)ct_json_integer(document, "status", 0);
    return 0;
}

void keeper_remove_files(int state_fd)
{
    (void)unlinkat(state_fd, LOCK_FILE, 0); /* not every job has all of them */
    (void)unlinkat(state_fd, END_FILE, 0);
}
