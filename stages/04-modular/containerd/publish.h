/*
 * publish.h - `cutaway-containerd publish`: an event from a program that speaks neither gRPC nor
 * ttrpc.
 *
 * Room:       containerd.   Called by: main.c.
 * Spec:       containerd, runtime/v2/README.md, "-publish-binary": shims may call it for each
 * event.
 */
#ifndef CONTAINERD_PUBLISH_H
#define CONTAINERD_PUBLISH_H

#include "error.h"

/* The event, a packed Any, is read from standard input. */
int publish_event(const char *address, const char *namespace_, const char *topic,
                  struct ct_error *err);

#endif
