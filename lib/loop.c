/*
 * loop.c - one epoll set and a list of timers.
 *
 * Room:       lib.   Called by: see loop.h.
 * Man:        epoll(7).
 */
#define CT_LAYER "loop"
#include "loop.h"

#include "cleanup.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct loop_source {
    struct loop *loop;
    int fd;
    uint32_t events; /* 0: not in the set */
    loop_ready_fn ready;
    void *context;
    bool dead;
    struct loop_source *next_dead;
};

struct loop {
    int epoll_fd;
    bool stopped;
    int failure;                /* errno: a descriptor cannot be watched as it should be */
    struct loop_timer *timers;  /* soonest first */
    struct loop_source *graves; /* unwatched, but an event of this round may still name them */
};

struct loop *loop_new(struct ct_error *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop || (loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) {
        (void)ct_fail(err, loop ? errno : ENOMEM, "make an event loop");
        free(loop);
        return NULL;
    }
    return loop;
}

static void bury(struct loop *loop)
{
    while (loop->graves) {
        struct loop_source *source = loop->graves;
        loop->graves = source->next_dead;
        free(source);
    }
}

void loop_free(struct loop *loop)
{
    if (loop) {
        bury(loop);
        (void)close(loop->epoll_fd);
        free(loop);
    }
}

struct loop_source *loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready_fn ready,
                               void *context, struct ct_error *err)
{
    struct loop_source *source = calloc(1, sizeof(*source));
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (!source || (events && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)) {
        (void)ct_fail(err, source ? errno : ENOMEM, "watch descriptor %d", fd);
        free(source);
        return NULL;
    }
    *source = (struct loop_source){
        .loop = loop, .fd = fd, .events = events, .ready = ready, .context = context};
    return source;
}

void loop_change(struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    int operation = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (events != source->events) {
        /* Fails only when memory is out; then we would wait for ever: better to end and be adopted.
         */
        if (epoll_ctl(source->loop->epoll_fd, operation, source->fd, &event) < 0) {
            source->loop->failure = errno;
        }
        source->events = events;
    }
}

void loop_unwatch(struct loop_source *source)
{
    if (source && !source->dead) {
        loop_change(source, 0);
        source->dead = true;
        source->next_dead = source->loop->graves;
        source->loop->graves = source;
    }
}

void loop_arm(struct loop *loop, struct loop_timer *timer, int64_t delay_ns, loop_timer_fn fire,
              void *context)
{
    struct loop_timer **slot = &loop->timers;

    loop_disarm(timer);
    *timer = (struct loop_timer){
        .loop = loop, .at_ns = ct_monotonic_ns() + delay_ns, .fire = fire, .context = context};
    while (*slot && (*slot)->at_ns <= timer->at_ns) {
        slot = &(*slot)->next;
    }
    timer->next = *slot;
    *slot = timer;
}

void loop_disarm(struct loop_timer *timer)
{
    struct loop_timer **slot = timer->loop ? &timer->loop->timers : NULL;

    while (slot && *slot != timer) {
        slot = &(*slot)->next;
    }
    if (slot) {
        *slot = timer->next;
    }
    timer->loop = NULL;
}

/* Milliseconds to the next timer, rounded up so that it is due when we wake; -1: none. */
static int time_left_ms(const struct loop *loop)
{
    if (!loop->timers) {
        return -1;
    }
    int64_t left_ns = loop->timers->at_ns - ct_monotonic_ns();
    int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + 999999) / 1000000;
    return left_ms > 3600000 ? 3600000 : (int)left_ms;
}

static void fire_due(struct loop *loop)
{
    int64_t now_ns = ct_monotonic_ns();

    while (loop->timers && loop->timers->at_ns <= now_ns) {
        struct loop_timer *timer = loop->timers;
        loop_disarm(timer);
        timer->fire(timer->context);
    }
}

int loop_run(struct loop *loop, struct ct_error *err)
{
    struct epoll_event events[16];

    loop->stopped = false;
    while (!loop->stopped && !loop->failure) {
        int n = epoll_wait(loop->epoll_fd, events, 16, time_left_ms(loop));
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "wait for events");
        }
        for (int i = 0; i < n && !loop->stopped; i++) {
            struct loop_source *source = events[i].data.ptr;
            if (!source->dead && source->events) { /* an event before may have changed that */
                source->ready(source->context, events[i].events);
            }
        }
        bury(loop);
        fire_due(loop);
        bury(loop);
    }
    return loop->failure ? ct_fail(err, loop->failure, "change what is waited for") : 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
