/*
 * deadline.h - one point in time that several waits share.
 *
 * Room:       execdriver/lxc. A call's timeout_ms bounds the whole call, not each of its waits.
 */
#ifndef LXC_DEADLINE_H
#define LXC_DEADLINE_H

#include "units.h"

#include <limits.h>
#include <stdint.h>

/* timeout_ms -1: never. */
static inline int64_t deadline_in_ms(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
}

/* What is left, as poll(2) takes it: 0 when it has passed, -1 for ever. */
static inline int deadline_left_ms(int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = (deadline_ns - ct_monotonic_ns() + 999999) / 1000000;
    return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

#endif
