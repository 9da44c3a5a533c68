/*
 * carrier.h - the seam between a monitor and what carries it: a process of its own, or a thread.
 *
 * Room:       monitor.
 * Called by:  start.c, reconcile.c and memory.c call what a carrier does; the carriers call the
 * rest. Behind it:  spawn.c and process.c (stages 01 to 03); monitors/ of stage 04. The linker
 * chooses.
 *
 * A monitor is the same on either: a loop, one container, RUN/<id>/monitor.sock. What differs is
 * how it comes to life, how one sees that it lives, and what becomes of the container when it goes.
 */
#ifndef MONITOR_CARRIER_H
#define MONITOR_CARRIER_H

#include "error.h"
#include "monitor.h"

#include <stdbool.h>
#include <stddef.h>

#define MONITOR_STREAMS_MAX 64

/* A starter waits so much longer than its own limit: to take back what a failed start left. */
#define MONITOR_GRACE_MS 15000

struct container;
struct monitor; /* opaque: one monitor, from monitor_new() on */

/* ---- what a carrier does -------------------------------------------------------------------- */

/* Brings a monitor to life and waits for its word: 0, or -1 with the monitor's own error. The
 * caller holds the container's lock, and the monitor, too, until it has reported: a starter that
 * goes away meanwhile leaves nobody a container that is only half started. monitor_lives() and
 * monitor_end_fd() of monitor.h are the carrier's, too. */
int spawn_monitor(const struct monitor_paths *paths, const struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, bool adopt,
                  int timeout_ms, struct ct_error *err);

/* Much memory was in use, and nothing that needs it follows. */
void carrier_give_memory_back(void);

/* ---- what it waits for (start.c) ------------------------------------------------------------ */

/* The monitor's word, from the other end of what monitor_report() writes to. 1: it runs; -1: its
 * error; 0: there was none in time. */
int monitor_await_report(int fd, int timeout_ms, struct ct_error *err);

/* ---- what it carries (begin.c) -------------------------------------------------------------- */

struct monitor_order {
    struct monitor_paths paths;
    const char *id;
    const char *trace; /* its traceparent, when the process has none of its own; or NULL */
    int lock_fd; /* the container's lock, a descriptor of the monitor's own: monitor_new() takes it
                  */
    bool adopt;  /* the job runs already */
    int timeout_ms;
    const struct monitor_stream *streams; /* their descriptors are given to monitor_begin() */
    size_t n_streams;
};

/* Finds the container; nothing has happened yet. NULL: lock_fd is still the caller's. */
struct monitor *monitor_new(const struct monitor_order *order, struct ct_error *err);
/* Starts the container, or adopts it. -1: nothing of it is left; one that was to be adopted runs
 * on. */
int monitor_begin(struct monitor *monitor, const struct monitor_order *order, struct ct_error *err);
/* Lets go of the container's lock and tells the starter how monitor_begin() (result, err) went.
 * monitor NULL: there is none. -1: nobody waits for the word any more. */
int monitor_report(struct monitor *monitor, int fd, int result, const struct ct_error *err);
/* Until the container has ended for good: 0. 1: stop_fd (-1: none) is readable. -1: it cannot go
 * on. */
int monitor_run(struct monitor *monitor, int stop_fd, struct ct_error *err);

/* ---- for a carrier that outlives it (abandon.c) --------------------------------------------- */

/* Kills what monitor_begin() has started: nobody waits for it any more. monitor_run() sees its end.
 */
void monitor_kill(struct monitor *monitor);
/* Lets go of the container: it runs on, its output waits, and another monitor may adopt it. */
void monitor_abandon(struct monitor *monitor);
void monitor_free(struct monitor *monitor);

#endif
