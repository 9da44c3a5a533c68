/*
 * loop.h - one thread that waits for descriptors and for points in time.
 *
 * Room:       lib.   Called by: monitor; wire (ttrpc) and shim in stage 04.
 * Man:        epoll(7).
 */
#ifndef CT_LOOP_H
#define CT_LOOP_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_source;

/* events as of epoll_ctl(2). */
typedef void (*loop_ready_fn)(void *context, uint32_t events);
typedef void (*loop_timer_fn)(void *context);

/* Wait for nothing but the peer's end. (epoll reports hang-ups unasked, but only of what it holds.)
 */
#define LOOP_HANGUP EPOLLPRI

struct loop *loop_new(struct ct_error *err);
void loop_free(struct loop *loop);

/* Runs until loop_stop(). -1: the kernel has no memory left to watch a descriptor with. */
int loop_run(struct loop *loop, struct ct_error *err);
void loop_stop(struct loop *loop);

/* fd is borrowed until loop_unwatch(), which may be called from within ready(), also for others. */
struct loop_source *loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready_fn ready,
                               void *context, struct ct_error *err);
/* events 0: not at all, not even for hang-ups (a pipe whose writer is gone would wake us for ever).
 */
void loop_change(struct loop_source *source, uint32_t events);
void loop_unwatch(struct loop_source *source); /* NULL is allowed */

/* A timer lives in the caller's storage, zeroed; it fires once. Armed again, it is moved. */
struct loop_timer {
    struct loop *loop; /* NULL: not armed */
    int64_t at_ns;     /* CLOCK_MONOTONIC */
    loop_timer_fn fire;
    void *context;
    struct loop_timer *next;
};
void loop_arm(struct loop *loop, struct loop_timer *timer, int64_t delay_ns, loop_timer_fn fire,
              void *context);
void loop_disarm(struct loop_timer *timer);

#endif
