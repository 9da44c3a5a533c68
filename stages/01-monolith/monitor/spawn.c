/*
 * spawn.c - the caller's side of a monitor that is a process: makes it, and sees whether it lives.
 *
 * Room:       monitor.   Called by: see carrier.h, monitor.h. The other side is process.c.
 *
 * The monitor is this very binary (/proc/self/exe, which works even when the file was replaced).
 * It inherits four kinds of descriptors: the pipe on which it reports how the start went, the
 * container's lock, the attached streams, and the trace. All else it makes itself.
 */
#define CT_LAYER "monitor"
#include "carrier.h"

#include "containers.h"
#include "monitor_main.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX (14 + 2 * MONITOR_STREAMS_MAX)
#define ENV_MAX  32

extern char **environ;

/* What a monitor takes over of our environment; the trace is this thread's, not the process's. */
static bool is_inherited(const char *variable)
{
    return strncmp(variable, "PATH=", 5) == 0 || (strncmp(variable, "CUTAWAY_", 8) == 0 &&
                                                  strncmp(variable, "CUTAWAY_TRACE_FD=", 17) != 0);
}

/* Our variables, the program search path, and where in the trace we are. Nothing else is needed. */
static char **make_environment(void)
{
    char **env = calloc(ENV_MAX + 3, sizeof(*env));
    char context[56];
    size_t n = 0;

    for (char **variable = environ; env && *variable && n < ENV_MAX; variable++) {
        if (is_inherited(*variable)) {
            env[n++] = ct_strdup(*variable);
        }
    }
    if (env && ct_span_context(context)) {
        env[n++] = ct_printf("TRACEPARENT=%s", context);
    }
    if (env && ct_span_fd() >= 0) {
        env[n] = ct_printf("CUTAWAY_TRACE_FD=%d", ct_span_fd());
    }
    return env;
}

static char *stream_argument(const struct monitor_stream *stream)
{
    return ct_printf("%d:%s%s%s:%s", stream->fd, stream->in ? "i" : "", stream->out ? "o" : "",
                     stream->err ? "e" : "", stream->detach_keys ? stream->detach_keys : "");
}

static char **make_arguments(const struct monitor_paths *paths, const struct container *container,
                             const struct monitor_stream *streams, size_t n_streams,
                             const char *report, const char *timeout, const char *lock, bool adopt)
{
    const char *const fixed[] = {MONITOR_NAME, "--root",      paths->root, "--run", paths->run,
                                 "--id",       container->id, "--report",  report,  "--timeout",
                                 timeout,      "--lock",      lock};
    char **argv = calloc(ARGS_MAX + 2, sizeof(*argv));
    size_t n = 0;

    for (size_t i = 0; argv && i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        argv[n++] = ct_strdup(fixed[i]);
    }
    if (argv && adopt) {
        argv[n++] = ct_strdup("--adopt");
    }
    for (size_t i = 0; argv && i < n_streams; i++) {
        argv[n++] = ct_strdup("--stream");
        argv[n++] = stream_argument(&streams[i]);
    }
    return argv;
}

/* The new process; it goes on in a child of its own, so that nobody has to wait for the monitor. */
static int run_binary(char **argv, const int *keep, size_t n_keep, struct ct_error *err)
{
    CT_AUTO_STRV char **env = make_environment();
    struct ct_spawn spawn = {.path = "/proc/self/exe",
                             .argv = (const char *const *)argv,
                             .envp = (const char *const *)env,
                             .cwd = "/",
                             .stdio = {-1, -1, -1},
                             .keep = keep,
                             .n_keep = n_keep,
                             .new_session = true};
    struct ct_process process = {.pidfd = -1};
    int status = 0;

    if (!env) {
        return ct_fail(err, ENOMEM, "start the monitor");
    }
    int result = ct_process_start(&spawn, &process, err);
    if (result == 0) {
        result = ct_process_wait(&process, MONITOR_GRACE_MS, &status, err);
        ct_process_done(&process);
    }
    if (result == 0 && status != 0) {
        result =
            ct_refuse(err, CT_SYSTEM, "start the monitor: it ended with %d", ct_exit_code(status));
    }
    return result;
}

static void kill_monitor(const struct container *container)
{
    struct ct_error ignored = {0};
    pid_t pid = container_monitor(container);
    CT_AUTO_CLOSE int pidfd = pid > 0 ? ct_pidfd_open(pid, &ignored) : -1;

    if (pidfd >= 0 && container_monitor(container) == pid) {
        (void)ct_pidfd_signal(pidfd, SIGKILL, &ignored);
        (void)ct_wait_readable(pidfd, -1, MONITOR_GRACE_MS, &ignored);
    }
}

int spawn_monitor(const struct monitor_paths *paths, const struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, bool adopt,
                  int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SPAWN_MONITOR, MONITOR_NAME " --id %.12s%s", container->id,
            adopt ? " --adopt" : "");
    int keep[MONITOR_STREAMS_MAX + 3];
    size_t n_keep = 0;
    int report[2];

    if (n_streams > MONITOR_STREAMS_MAX) {
        return ct_refuse(err, CT_INVALID, "start with %zu attached streams: at most %d", n_streams,
                         MONITOR_STREAMS_MAX);
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    CT_AUTO_CLOSE int reader = report[0];
    CT_AUTO_CLOSE int writer = report[1];
    CT_AUTO_FREE char *report_text = ct_printf("%d", writer);
    CT_AUTO_FREE char *timeout_text = ct_printf("%d", timeout_ms);
    CT_AUTO_FREE char *lock_text = ct_printf("%d", container->lock_fd);
    CT_AUTO_STRV char **argv = make_arguments(paths, container, streams, n_streams, report_text,
                                              timeout_text, lock_text, adopt);

    keep[n_keep++] = writer;
    keep[n_keep++] = container->lock_fd;
    for (size_t i = 0; i < n_streams; i++) {
        keep[n_keep++] = streams[i].fd;
    }
    if (ct_span_fd() >= 0) {
        keep[n_keep++] = ct_span_fd();
    }
    if (!argv || run_binary(argv, keep, n_keep, err) < 0) {
        return argv ? -1 : ct_fail(err, ENOMEM, "start the monitor");
    }
    ct_cleanup_close(&writer); /* ours: the monitor's end must be the only one */
    writer = -1;
    int word = monitor_await_report(reader, timeout_ms, err);
    if (word == 0) { /* stuck in the kernel, or in the runtime: the caller reconciles */
        kill_monitor(container);
    }
    return word > 0 ? 0 : -1;
}

bool monitor_lives(const struct container *container)
{
    return container_monitor(container) > 0;
}

int monitor_end_fd(const struct container *container, struct ct_error *err)
{
    pid_t pid = container_monitor(container);
    return pid > 0 ? ct_pidfd_open(pid, err)
                   : ct_refuse(err, CT_NOT_FOUND,
                               "watch the monitor of container %.12s: it has none", container->id);
}
