/*
 * record.h - runs a command and records its path.
 *
 * Room:       trace.   Called by: main.c.
 */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "error.h"

#include <stdbool.h>

struct record_request {
    char *const *command;      /* NULL-terminated */
    const char *output;        /* path of the recording */
    const char *const *probes; /* more binaries with span probes, NULL-terminated; may be NULL */
    const char *run;           /* of the daemon that the command asks; NULL: CUTAWAY_RUN, … */
    bool no_bpf;               /* spans only, through a file */
};

/*
 * record_run - *ret_exit_code is the command's. Without BPF (no rights, no BTF) the spans are still
 * recorded, and one sentence on stderr says what is missing; another one, if a daemon did the work
 * whose spans could not be had. -1: nothing could be recorded.
 *
 * The recording ends when the command has ended and, of what it left running (a monitor, a
 * container), nothing happens any more for a moment or everything has ended: a container that runs
 * for hours is recorded up to its start.
 */
int record_run(const struct record_request *request, int *ret_exit_code, struct ct_error *err);

#endif
