/*
 * garbage.h - what nobody needs any more is removed: rows first, then files.
 *
 * Room:       containerd.   Called by: its services, when they have removed something.
 * Spec:       reachable.sql; containerd, docs/garbage-collection.md.
 */
#ifndef CONTAINERD_COLLECTOR_H
#define CONTAINERD_COLLECTOR_H

#include "error.h"

#include <stdbool.h>

struct containerd;
struct collector;

/* Runs once, for what was left by a kill, and starts its thread. containerd is borrowed. */
struct collector *collector_open(struct containerd *containerd, struct ct_error *err);
void collector_close(struct collector *collector); /* accepts NULL */

/* Something may be needed no more: a run follows soon, in the collector's thread. */
void collector_note(struct collector *collector);
/* The same; with sync the run is over when this returns. */
int collector_after(struct collector *collector, bool sync, struct ct_error *err);

#endif
