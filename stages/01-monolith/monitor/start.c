/*
 * start.c - a start, as its caller sees it: away with the old monitor, here with a new one.
 *
 * Room:       monitor.   Called by: engine (monitor_start), the carriers.
 */
#define CT_LAYER "monitor"
#include "carrier.h"
#include "monitor_internal.h"

#include "cleanup.h"
#include "process.h"

/* What comes through the pipe is always an error; one of this kind says that it runs. */
#define GOOD_NEWS CT_UNCHANGED

int monitor_report(struct monitor *monitor, int fd, int result, const struct ct_error *err)
{
    struct ct_error good_news = {0};

    (void)ct_refuse(&good_news, GOOD_NEWS, "it runs");
    if (monitor && monitor->container) {
        container_unlock(monitor->container); /* from here on the state is whole */
    }
    return ct_error_send(fd, result == 0 ? &good_news : err);
}

int monitor_await_report(int fd, int timeout_ms, struct ct_error *err)
{
    struct ct_error report = {0};
    int ready = ct_wait_readable(fd, -1, timeout_ms + MONITOR_GRACE_MS, err);

    if (ready == 0) {
        (void)ct_refuse(err, CT_TIMEOUT, "the monitor did not start the container in %d s",
                        (timeout_ms + MONITOR_GRACE_MS) / 1000);
        return 0;
    }
    int received = ready < 0 ? -1 : ct_error_receive(fd, &report, err);
    if (received == 0) {
        return ct_refuse(err, CT_UNREACHABLE, "the monitor ended before it had an answer");
    }
    if (received > 0 && report.kind != GOOD_NEWS) {
        *err = report;
        return -1;
    }
    return received < 0 ? -1 : 1;
}

/* The monitor of the run before may still be sending its last replies. */
static int await_old_monitor(const struct container *container, struct ct_error *err)
{
    CT_AUTO_CLOSE int end = monitor_end_fd(container, err);

    if (end < 0) {
        if (err->kind == CT_NOT_FOUND) {
            ct_error_clear(err);
            return 0;
        }
        return -1;
    }
    int ready = ct_wait_readable(end, -1, MONITOR_GRACE_MS, err);
    return ready > 0   ? 0
           : ready < 0 ? -1
                       : ct_refuse(err, CT_CONFLICT, "the monitor of the run before does not end");
}

int monitor_start(const struct monitor_paths *paths, struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, int timeout_ms,
                  struct ct_error *err)
{
    struct ct_error ignored = {0};

    if (container_is_running(container)) {
        return ct_refuse(err, CT_UNCHANGED, "container %s is already running",
                         container_name(container));
    }
    if (await_old_monitor(container, err) < 0) {
        return -1;
    }
    int result = spawn_monitor(paths, container, streams, n_streams, false, timeout_ms, err);
    if (result < 0 && (err->kind == CT_UNREACHABLE || err->kind == CT_TIMEOUT)) {
        (void)monitor_reconcile(paths, container, &ignored); /* err keeps the first cause */
    }
    (void)container_reload(container, &ignored); /* gone: an AutoRemove container that failed */
    return result;
}
