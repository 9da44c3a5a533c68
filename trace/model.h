/*
 * model.h - a recording as what it means: processes with roles, spans in a tree, events between.
 *
 * Room:       trace.   Called by: the renderers (show_*.c), main.c.
 *
 * The rule of roles, in one place (model.c, read_lines()): a span names its role. A process takes
 * the role of the first span it begins, from the exec of that program on; the recorded command is
 * "client" until then. A process without spans is "lxc" when its program is called lxc-*, or was
 * started by such a one. It is "container" from the exec that it does inside a span of the step
 * "exec", or its first inside a deeper pid namespace whose file is not one that our own side has
 * open (/proc/self/…, /dev/fd/N: sysinit, an init helper); and "init" where that file is what
 * --init puts there. Others begin with the role in which they were forked. An event has the role
 * of the span that its thread is in, else of its process.
 */
#ifndef TRACE_MODEL_H
#define TRACE_MODEL_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define MODEL_ROLES 9 /* as in lib/steps.def */

struct model_process {
    json_int_t pid;
    json_int_t parent;
    int role; /* enum ct_role, or -1 */
    bool has_spans;
    bool has_executed;
    bool executes; /* it is inside a span "exec": what it executes is the container's program */
    char comm[16];
    json_int_t calls; /* system calls that it made while it was followed, as far as attributed */
    int colour;       /* its number in the order of appearance */
};

struct model_span {
    char id[17];
    json_int_t pid, tid;
    int role; /* enum ct_role, or -1 */
    int depth;
    int64_t begin_ns, end_ns;                    /* end 0: it was still open */
    const char *parent, *step, *message, *error; /* borrowed; error "" when it went well */
    bool failed;
    bool in_fork; /* of the process that has the parent, which it still is a copy of */
};

/* One line of the picture: a span's begin, or an event. */
struct model_row {
    int64_t ns;
    json_int_t tid;
    const struct model_span *span; /* or NULL */
    const json_t *event;           /* or NULL; borrowed */
    int role;
    int role_before; /* of an exec: the process's until then; else as role */
    int depth;
};

struct model {
    json_t *lines;
    const json_t *header, *footer; /* borrowed; footer may be NULL */
    int64_t start_ns, end_ns;
    /* The recorded command: its span "command", else its process from the first event to the exit.
     * What others do afterwards, nobody waits for. */
    int64_t command_begin_ns, command_end_ns;
    struct model_process *processes;
    size_t n_processes;
    struct model_span *spans; /* in the order of their begin */
    size_t n_spans;
    json_t *ids; /* of a span -> its index */
    struct model_row *rows;
    size_t n_rows;
    json_int_t calls[MODEL_ROLES]; /* system calls, by the role of the process at the time */
};

/* Takes the lines over. NULL with CT_SYSTEM only when memory is out. */
struct model *model_new(json_t *lines, struct ct_error *err);
void model_free(struct model *model);

const struct model_process *model_process(const struct model *model, json_int_t pid);
/* "mount 'overlay' on …", "exec /bin/sh", "exit 0": an event in words, safe for a terminal. Owned.
 */
char *model_event_text(const json_t *event);
/* Text of strangers for people: control characters become '?', ids of 64 digits are cut to 12.
 * Owned. */
char *model_text(const char *text);
/* The span around this one, in its own process or in another; NULL: the outermost. */
const struct model_span *model_parent(const struct model *model, const struct model_span *span);
/* The container's first instruction: the first exec inside, init's or the program's. NULL: none. */
const struct model_row *model_first_instruction(const struct model *model);
/* A role that was asked and left no trace: its row is not recorded. */
bool model_is_untold(const struct model *model, int role);
/* Roles that were asked and left no trace, with who did not answer, as a sentence: Docker's own
 * part may stand there. "": all told. Owned. */
char *model_untold(const struct model *model);
/* The span in another process that this one answers: a message was passed. NULL: it is a call, also
 * where a fork of the caller makes it, which is the same program still; or it is not the first that
 * came of that message. */
const struct model_span *model_sender(const struct model *model, const struct model_span *span);
/* Time that processes of a role, or all (-1), waited for a reason ("fsync"), or any (NULL). */
int64_t model_waited_ns(const struct model *model, int role, const char *reason);

#endif
