/*
 * scratch.h - directories for work under way, which no crash leaves behind for long.
 *
 * Room:       snapshots (shared with images, which keeps its store in the same way).
 * Called by:  snapshots, images.
 *
 * A store's directory has a file `lock` and a directory `tmp`. Its maker holds a flock(2) on each
 * directory in tmp; the kernel ends that with the process, so whatever can be locked is litter.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "error.h"

#define SCRATCH_NAME 33 /* bytes of a name with its NUL */

/* Makes a directory in tmp/. Returns its descriptor (owned; closing it gives the directory up). */
int scratch_make(int store_fd, char name[static SCRATCH_NAME], struct ct_error *err);

/* Removes it and closes *fd; what cannot be removed now is swept later. fd -1: nothing. */
void scratch_remove(int store_fd, const char *name, int *fd);

/* Removes what crashed processes left in tmp/; says so in the log. */
int scratch_sweep(int store_fd, struct ct_error *err);

#endif
