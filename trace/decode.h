/*
 * decode.h - numbers of the kernel to the words of its manual pages.
 *
 * Room:       trace.   Called by: recording.c.
 * Man:        syscalls(2), signal(7), and each call's own page.
 */
#ifndef TRACE_DECODE_H
#define TRACE_DECODE_H

#include "event.h"

/* "mount", or "syscall 999" when it is newer than libseccomp. buffer holds 32 bytes. */
const char *decode_call_name(long long number, char buffer[static 32]);

/*
 * A call's arguments as one reads them: "'overlay' on '/x' type overlay, MS_NOSUID". What
 * bpf/calls.h has read behind pointers is taken from where it put it. Owned.
 */
char *decode_call(const struct trace_event *event);

#endif
