/*
 * recording.h - a recording: JSON Lines, written by record, read by show. SCHEMA.md has every
 * field.
 *
 * Room:       trace.   Called by: record.c (writer), model.c (reader), main.c.
 */
#ifndef TRACE_RECORDING_H
#define TRACE_RECORDING_H

#include "error.h"
#include "event.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#define RECORDING_VERSION 1

/* The lines; each writes one. missing: "" when kernel events are recorded, else the sentence that
 * says why not. */
void recording_header(FILE *out, char *const *command, int64_t start_ns, const char *trace_id,
                      const char *missing);
void recording_event(FILE *out, const struct trace_event *event);
/* A line that a traced program wrote itself (span_file.h), checked and passed on. */
void recording_span_line(FILE *out, const json_t *line);
/* How many system calls a process made, reported or not. */
void recording_calls(FILE *out, int64_t ns, pid_t pid, unsigned long long calls);
/* missing: "", or the sentence that says which spans are not recorded and why. */
void recording_footer(FILE *out, int64_t end_ns, int exit_code, unsigned long long lost,
                      const char *missing);

/*
 * Reads a recording: array of all lines, in order of time, header first. Owned. NULL: CT_INVALID
 * with file and line: not JSON, not a recording, another version; CT_NOT_FOUND, …
 */
json_t *recording_read(const char *path, struct ct_error *err);

#endif
