/*
 * monitors_internal.h - what the files of this room share.
 *
 * Room:       monitors (stage 04); included by its own files only.
 *
 *   monitors.c  a monitor's thread      threads.c  threads that are counted, and waited for
 *  leftover.c    what a slow client has not taken at its container's end: a thread, too
 */
#ifndef MONITORS_INTERNAL_H
#define MONITORS_INTERNAL_H

#include "error.h"

#include <stddef.h>

/* Runs work(context) in a thread that nobody joins, with a stack of its own size. */
int threads_start(void *(*work)(void *context), void *context, struct ct_error *err);
/* The last that such a thread does. */
void threads_leave(void);
/* Until all have left, at most timeout_ms. Returns how many have not. */
size_t threads_await(int timeout_ms);
/* The pages of this thread's stack that it does not need at the moment, back to the kernel. */
void threads_give_stack_back(void);

#endif
