/*
 * collector.h - gets events out of the kernel.
 *
 * Room:       trace.   Called by: record.c.
 */
#ifndef TRACE_COLLECTOR_H
#define TRACE_COLLECTOR_H

#include "error.h"
#include "event.h"

#include <stdbool.h>
#include <sys/types.h>

struct collector;
typedef void (*collector_fn)(void *context, const struct trace_event *event);

/*
 * collector_open - loads the programs and attaches them to the kernel and to the span probes of
 * each binary (NULL-terminated; those without probes are passed over). NULL: CT_DENIED,
 * CT_UNSUPPORTED or CT_SYSTEM with one sentence that says what is missing, and a hint.
 */
struct collector *collector_open(const char *const *binaries, collector_fn fn, void *context,
                                 struct ct_error *err);

/*
 * From now on pid and all its descendants are followed, and every thread that works on a message
 * which brought this trace id (32 hexadecimal digits) along.
 */
int collector_follow(struct collector *collector, pid_t pid, const char *trace_id,
                     struct ct_error *err);

/* Hands out what has come, waiting up to timeout_ms for something. Returns the number of events, or
 * -1. */
int collector_poll(struct collector *collector, int timeout_ms, struct ct_error *err);

/* Events for which the kernel had no room. */
unsigned long long collector_lost(const struct collector *collector);
/* Processes that are still followed. */
int collector_alive(struct collector *collector);
/* Calls fn with each process and the number of its system calls. */
typedef void (*collector_count_fn)(void *context, pid_t pid, unsigned long long calls);
void collector_counts(struct collector *collector, collector_count_fn fn, void *context);
void collector_close(struct collector *collector);

#endif
