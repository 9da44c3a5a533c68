/*
 * decode.h - numbers of the kernel to the words of its manual pages.
 *
 * Room:       trace.   Called by: recording.c.
 * Man:        clone(2), mount(2), prctl(2), signal(7), syscalls(2).
 */
#ifndef TRACE_DECODE_H
#define TRACE_DECODE_H

#include "event.h"

/* "mount", or "syscall 999". buffer holds 32 bytes. */
const char *decode_call_name(long long number, char buffer[static 32]);

/* A call's arguments as one reads them: "overlay -> '/x' type overlay, MS_NOSUID". Owned. */
char *decode_call(const struct trace_event *event);

/* CLONE_NEWPID|CLONE_NEWNS…; only namespaces and what else matters for containers. Owned; "" for
 * none. */
char *decode_clone_flags(unsigned long long flags);

#endif
