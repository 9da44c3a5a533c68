/*
 * events.h - what happened, as Docker's events: an append-only journal that anyone can follow.
 *
 * Room:       events. Called by: engine, monitor.
 *
 * DIR/events.jsonl, one event a line in Docker's form: {"status","id","from","Type","Action",
 * "Actor":{"ID","Attributes"},"scope":"local","time","timeNano"}; appended by one write(2) of at
 * most 4095 bytes (attributes are cut, never the line). At 8 MiB it becomes events.jsonl.1.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* type "container", "image", "network", "volume"; attributes borrowed, an object of strings.
 * Failure is logged, never returned: an event must not break the work. */
void event_emit(const char *dir, const char *type, const char *action, const char *id,
                const json_t *attributes);

struct event_query {
    int64_t since_ns, until_ns; /* UNIX time; 0: from now on / for ever */
    const json_t *
        filters; /* {"type":["container"],"event":[…],"container":[…],"image","network","volume","label"},
                    or NULL */
};

/* Calls report for each event until until_ns passed or cancel_fd is readable. report returns
 * non-zero to stop. */
typedef int (*event_fn)(void *context, const json_t *event);
int event_follow(const char *dir, const struct event_query *query, event_fn report, void *context,
                 int cancel_fd, struct ct_error *err);

#endif
