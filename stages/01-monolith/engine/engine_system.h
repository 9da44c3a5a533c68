/*
 * engine_system.h - what can be asked of the engine itself, and its events. See engine.h.
 *
 * Room:       engine.   Called by: cli/system.c, rest/.
 * Spec:       Docker Engine API 1.43, "System".
 */
#ifndef ENGINE_SYSTEM_H
#define ENGINE_SYSTEM_H

#include "engine.h"

/* Docker's Info and Version documents. */
int engine_info(struct engine *engine, json_t **ret, struct ct_error *err);
int engine_version(struct engine *engine, json_t **ret, struct ct_error *err);
/* {"LayersSize","Images","Containers","Volumes","BuildCache"} */
int engine_disk_usage(struct engine *engine, json_t **ret, struct ct_error *err);

struct engine_events {
    int64_t since_ns, until_ns; /* UNIX time; 0: from now on / for ever */
    const json_t *filters;
};
/* report returns non-zero to stop. Returns at until, on stop, or when cancel_fd is readable. */
typedef int (*engine_event_fn)(void *context, const json_t *event);
int engine_events(struct engine *engine, const struct engine_events *query, engine_event_fn report,
                  void *context, int cancel_fd, struct ct_error *err);

#endif
