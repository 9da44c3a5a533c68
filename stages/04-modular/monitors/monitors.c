/*
 * monitors.c - a monitor in a thread of the daemon: its birth, and who asks whether it lives.
 *
 * Room:       monitors (stage 04).   Called by: see carrier.h, monitor.h and monitors.h.
 * Man:        pthreads(7), unshare(2) (CLONE_FS), tsearch(3).
 *
 * What a process would have of its own, a thread has to get: its working directory and umask,
 * copies of descriptors, the trace of the message that started it. Signals are the daemon's.
 * Whether a monitor lives is no matter of a lock file any more: there is one daemon a root, and it
 * knows its threads.
 */
#define CT_LAYER "monitors"
#include "monitors.h"

#include "carrier.h"
#include "containers.h"
#include "monitors_internal.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define END_LIMIT_MS  60000
#define TRIM_EVERY_NS 1000000000LL

struct carried {
    char id[65];
    char about[32];             /* behind each line of the log */
    char trace[56];             /* "": none */
    struct monitor_order order; /* its strings and descriptors are its own */
    struct monitor_stream *streams;
    int report_fd;
    int end_fd; /* made when somebody asks; -1 */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all_carried and each end_fd */
static void *all_carried;                                /* a tree, by id */
static int stop_fd = -1;                                 /* readable: all are to let go */

/* ---- who lives ------------------------------------------------------------------------------ */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct carried *)a)->id, ((const struct carried *)b)->id);
}

/* With the lock held. */
static struct carried *find(const struct container *container)
{
    struct carried wanted;

    memcpy(wanted.id, container->id, sizeof(wanted.id));
    struct carried **found = tfind(&wanted, &all_carried, compare_ids);
    return found ? *found : NULL;
}

bool monitor_lives(const struct container *container)
{
    (void)pthread_mutex_lock(&lock);
    bool lives = find(container) != NULL;
    (void)pthread_mutex_unlock(&lock);
    return lives;
}

int monitor_end_fd(const struct container *container, struct ct_error *err)
{
    int result = -1;

    (void)pthread_mutex_lock(&lock);
    struct carried *carried = find(container);
    if (!carried) {
        (void)ct_refuse(err, CT_NOT_FOUND, "watch the monitor of container %.12s: it has none",
                        container->id);
    } else {
        carried->end_fd = carried->end_fd < 0 ? eventfd(0, EFD_CLOEXEC) : carried->end_fd;
        result = fcntl(carried->end_fd, F_DUPFD_CLOEXEC, 3);
        if (result < 0) {
            (void)ct_fail(err, errno, "watch the monitor of container %.12s", container->id);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

static int enter(struct carried *carried, struct ct_error *err)
{
    (void)pthread_mutex_lock(&lock);
    struct carried **slot = tsearch(carried, &all_carried, compare_ids);
    bool entered = slot && *slot == carried;
    (void)pthread_mutex_unlock(&lock);
    if (!slot) {
        return ct_fail(err, ENOMEM, "start the monitor");
    }
    return entered
               ? 0
               : ct_refuse(err, CT_CONFLICT, "container %.12s has a monitor already", carried->id);
}

static void leave(struct carried *carried)
{
    (void)pthread_mutex_lock(&lock);
    (void)tdelete(carried, &all_carried, compare_ids);
    if (carried->end_fd >= 0) {
        (void)eventfd_write(carried->end_fd, 1);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* ---- its life ------------------------------------------------------------------------------- */

static void carried_free(struct carried *carried)
{
    if (!carried) {
        return;
    }
    for (size_t i = 0; i < carried->order.n_streams; i++) {
        ct_cleanup_close(&carried->streams[i].fd);
        free((char *)carried->streams[i].detach_keys);
    }
    free(carried->streams);
    free((char *)carried->order.paths.root);
    free((char *)carried->order.paths.run);
    ct_cleanup_close(&carried->order.lock_fd);
    ct_cleanup_close(&carried->report_fd);
    ct_cleanup_close(&carried->end_fd);
    free(carried);
}

/* What monitor_new() and monitor_begin() were given is the monitor's. */
static struct monitor *begin(struct carried *self, int *ret_result, struct ct_error *err)
{
    const struct monitor_order *order = &self->order;
    CT_SPAN(err, CT_ROLE_MONITOR, order->adopt ? CT_STEP_LOAD : CT_STEP_START, "monitor %.12s",
            self->id);
    struct monitor *monitor = monitor_new(order, err);

    *ret_result = -1;
    if (monitor) {
        self->order.lock_fd = -1;
        *ret_result = monitor_begin(monitor, order, err);
        for (size_t i = 0; i < order->n_streams; i++) {
            self->streams[i].fd = -1;
        }
    }
    return monitor;
}

static void live(struct carried *self)
{
    struct ct_error err = {0};
    int result = -1;
    struct monitor *monitor = begin(self, &result, &err);
    bool heard = monitor_report(monitor, self->report_fd, result, &err) == 0;

    ct_cleanup_close(&self->report_fd);
    self->report_fd = -1;
    if (result == 0) {
        if (!heard) { /* its starter has lost patience, and told the user that it does not run */
            monitor_kill(monitor);
        }
        result = monitor_run(monitor, stop_fd, &err);
        if (result < 0) {
            ct_warn("%s: the next command that looks takes it over", err.frame[0].what);
        }
        if (result != 0) {
            monitor_abandon(monitor);
        }
    }
    monitor_free(monitor);
}

static void *carry(void *context)
{
    struct carried *self = context;

    (void)unshare(CLONE_FS); /* the umask and the working directory: ours, not everybody's */
    (void)pthread_setname_np(pthread_self(), "monitor");
    ct_log_about(self->about);
    ct_span_adopt(self->trace);
    live(self);
    ct_span_adopt(NULL);
    ct_log_about(NULL);
    leave(self);
    carried_free(self);
    threads_leave();
    return NULL;
}

/* ---- its birth ------------------------------------------------------------------------------ */

static int copy_fd(int fd, int *ret, struct ct_error *err)
{
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *ret < 0 ? ct_fail(err, errno, "copy a descriptor for the monitor") : 0;
}

static int copy_streams(struct carried *carried, const struct monitor_stream *streams, size_t n,
                        struct ct_error *err)
{
    carried->streams = calloc(n + 1, sizeof(*carried->streams));
    if (!carried->streams) {
        return ct_fail(err, ENOMEM, "start the monitor");
    }
    carried->order.streams = carried->streams;
    for (size_t i = 0; i < n; i++) {
        struct monitor_stream *copy = &carried->streams[i];
        *copy = streams[i];
        copy->detach_keys = streams[i].detach_keys ? ct_strdup(streams[i].detach_keys) : NULL;
        carried->order.n_streams++;
        if (copy_fd(streams[i].fd, &copy->fd, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A flock(2) is held until its last descriptor is closed: the starter's, or this copy. */
static struct carried *carried_new(const struct monitor_paths *paths,
                                   const struct container *container, bool adopt, int timeout_ms,
                                   struct ct_error *err)
{
    struct carried *carried = calloc(1, sizeof(*carried));

    if (!carried) {
        return ct_fail_null(err, ENOMEM, "start the monitor");
    }
    *carried = (struct carried){.report_fd = -1, .end_fd = -1};
    memcpy(carried->id, container->id, sizeof(carried->id));
    (void)snprintf(carried->about, sizeof(carried->about), "container=%.12s", container->id);
    (void)ct_span_context(carried->trace);
    carried->order =
        (struct monitor_order){.paths = {ct_strdup(paths->root), ct_strdup(paths->run)},
                               .id = carried->id,
                               .trace = carried->trace,
                               .lock_fd = -1,
                               .adopt = adopt,
                               .timeout_ms = timeout_ms};
    if (copy_fd(container->lock_fd, &carried->order.lock_fd, err) < 0) {
        carried_free(carried);
        return NULL;
    }
    return carried;
}

static int start_thread(struct carried *carried, struct ct_error *err)
{
    if (enter(carried, err) < 0) {
        return -1;
    }
    if (threads_start(carry, carried, err) < 0) {
        leave(carried);
        return -1;
    }
    return 0;
}

int spawn_monitor(const struct monitor_paths *paths, const struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, bool adopt,
                  int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SPAWN_MONITOR, "monitor %.12s%s", container->id,
            adopt ? ", adopts" : "");
    int report[2];

    if (n_streams > MONITOR_STREAMS_MAX) {
        return ct_refuse(err, CT_INVALID, "start with %zu attached streams: at most %d", n_streams,
                         MONITOR_STREAMS_MAX);
    }
    struct carried *carried = carried_new(paths, container, adopt, timeout_ms, err);
    if (!carried || copy_streams(carried, streams, n_streams, err) < 0) {
        carried_free(carried);
        return -1;
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        carried_free(carried);
        return ct_fail(err, errno, "make a pipe");
    }
    CT_AUTO_CLOSE int reader = report[0];
    carried->report_fd = report[1];
    if (start_thread(carried, err) < 0) {
        carried_free(carried);
        return -1;
    }
    /* No word in time: it is stuck in a call of its own, and sees that nobody listens any more. */
    return monitor_await_report(reader, timeout_ms, err) > 0 ? 0 : -1;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* The heap is everybody's, so once a second is enough. */
void carrier_give_memory_back(void)
{
    static _Atomic int64_t last_ns;
    int64_t before = atomic_load(&last_ns), now = ct_monotonic_ns();

    threads_give_stack_back();
    if (now - before >= TRIM_EVERY_NS && atomic_compare_exchange_strong(&last_ns, &before, now)) {
        (void)malloc_trim(0);
    }
}

int monitors_begin(struct ct_error *err)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* fewer containers, then */
    }
    stop_fd = eventfd(0, EFD_CLOEXEC);
    return stop_fd < 0 ? ct_fail(err, errno, "make an eventfd for the monitors") : 0;
}

void monitors_end(void)
{
    if (stop_fd < 0) {
        return;
    }
    (void)eventfd_write(stop_fd, 1);
    size_t left = threads_await(END_LIMIT_MS);
    if (left > 0) {
        ct_warn("%zu monitors are not done: the next daemon takes over", left);
        return;
    }
    ct_cleanup_close(&stop_fd);
    stop_fd = -1;
}
