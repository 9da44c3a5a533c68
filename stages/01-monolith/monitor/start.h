/*
 * start.h - the monitor's command line, for both sides.
 *
 * Room:       monitor.   Called by: start.c (writes it), monitor.c (reads it).
 *
 *   cutaway-monitor --root DIR --run DIR --id ID --report FD --timeout MS
 *                   --lock FD [--adopt] [--stream FD:[i][o][e]:KEYS]…
 *
 * The container's lock is held by both, until the monitor has reported: a starter that is killed
 * meanwhile leaves nobody a container that is only half started.
 */
#ifndef MONITOR_START_H
#define MONITOR_START_H

#include "error.h"

#include <stdbool.h>

#define MONITOR_NAME        "cutaway-monitor"
#define MONITOR_STREAMS_MAX 64

/* What comes through the report pipe is always an error; one of this kind says that it runs. */
#define MONITOR_GOOD_NEWS CT_UNCHANGED

struct container;
struct monitor_paths;
struct monitor_stream;

/* Starts a monitor and waits for its word: 0, or -1 with the monitor's own error. The caller holds
 * the container's lock. */
int spawn_monitor(const struct monitor_paths *paths, const struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, bool adopt,
                  int timeout_ms, struct ct_error *err);

#endif
