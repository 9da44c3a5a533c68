/*
 * span_file.h - the file that programs append their spans to where there is no BPF.
 *
 * Room:       trace.   Called by: record.c.
 *
 * It stands as RUN/trace/<trace id>, where a daemon finds it by the traceparent of a message (see
 * lib/span.h), and goes away with the recording. Where it cannot stand there it has no name: then
 * only the command's own processes, which inherit it, can be recorded.
 */
#ifndef TRACE_SPAN_FILE_H
#define TRACE_SPAN_FILE_H

#include "error.h"

#include <stdbool.h>
#include <stdio.h>

struct span_file;

/* trace_id: 32 hexadecimal digits. NULL: CT_SYSTEM, there is no place for any file. */
struct span_file *span_file_open(const char *run, const char *trace_id, struct ct_error *err);

/* The descriptor that the command is to inherit: for appending only. Borrowed. */
int span_file_fd(const struct span_file *file);

/* Passes on to the recording what was appended since the last time. Returns the number of lines. */
size_t span_file_take(struct span_file *file, FILE *out);

/* Whether a span that has begun has not ended yet. */
bool span_file_is_busy(const struct span_file *file);

/* One sentence, owned: what is not recorded and why. "" when nothing is missing. */
char *span_file_missing(const struct span_file *file);

/* Removes the file. Those who still hold it can add nothing more. NULL is allowed. */
void span_file_close(struct span_file *file);

#endif
