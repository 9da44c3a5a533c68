/*
 * span.h - spans: the begin and the end of a step, and the message passed on.
 *
 * Room:       lib. Called by: the function behind each seam, one line at its head:
 *
 *     CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_START, "engine_container_start %s", ref);
 *
 * The span ends with the scope. It failed when err->kind is set by then. Not traced, a span
 * costs a load and a branch over a nop: the message is not even formatted. Traced, it fires the
 * USDT probes cutaway:span_begin and cutaway:span_end (probes.h), which cutaway-trace collects;
 * without BPF the same goes as one JSON line to a file: the command's own programs inherit it as
 * the descriptor CUTAWAY_TRACE_FD; a daemon finds it by the trace id of a message, as
 * RUN/trace/<trace id>, and appends to it while it works on that message.
 * A forked child's spans stand below the one that was open at the fork.
 * Spec:       W3C Trace Context; the environment variable TRACEPARENT carries it across exec.
 */
#ifndef CT_SPAN_H
#define CT_SPAN_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

#define ROLE(symbol, name, title) CT_ROLE_##symbol,
enum ct_role {
#include "steps.def"
    CT_ROLE_COUNT
};

#define STEP(symbol, name, words) CT_STEP_##symbol,
enum ct_step {
#include "steps.def"
    CT_STEP_COUNT
};

const char *ct_role_name(enum ct_role role);
const char *ct_step_name(enum ct_step step);

struct ct_span {
    uint64_t id;     /* 0: not traced */
    uint64_t parent; /* the span that was innermost before, or the one of TRACEPARENT */
    enum ct_role role;
    enum ct_step step;
    const struct ct_error *err; /* borrowed until the end; may be NULL */
    uint64_t outer;             /* what was innermost in the thread before, and its role */
    enum ct_role outer_role;
    bool left; /* see ct_span_leave() */
};

#define CT_SPAN(err, role, step, ...)                                                           \
    __attribute__((cleanup(ct_span_end), unused)) struct ct_span ct_span_here_ =                \
        ct_span_wanted() ? ct_span_begin((err), (role), (step), __VA_ARGS__) : (struct ct_span) \
    {                                                                                           \
        0                                                                                       \
    }

/* A second span in one scope needs its own braces. */
bool ct_span_wanted(void);
struct ct_span ct_span_begin(const struct ct_error *err, enum ct_role role, enum ct_step step,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
void ct_span_end(struct ct_span *span);

/*
 * For a program that does everything in one loop: ct_span_leave() lets the thread turn to other
 * work while the span stays open, and ct_span_end_later() ends it, from any later turn of the same
 * thread. traceparent: of the message that the span answers; NULL or "": none. err may be NULL.
 */
void ct_span_leave(struct ct_span *span);
void ct_span_end_later(struct ct_span *span, const char *traceparent, const struct ct_error *err);

/* The role that this thread acts in now, by its innermost span: for what carries messages and has
 * no role of its own. otherwise: where no span is open. */
enum ct_role ct_span_role(enum ct_role otherwise);

/*
 * ct_span_context - "00-<32 hex trace>-<16 hex span>-01" of the innermost span, for a header or
 * for TRACEPARENT in a child's environment. buffer holds 56 bytes. NULL when nothing traces.
 */
const char *ct_span_context(char buffer[static 56]);

/*
 * ct_span_adopt - the spans that this thread begins from now on belong to the trace of a message
 * that has come in. NULL, or what is no trace context: to the process's own again, as it must be
 * when the message is done. Called where no span of this thread is open.
 */
void ct_span_adopt(const char *traceparent);

/*
 * The descriptor that this thread's spans are appended to, or -1. Who starts a program of ours
 * keeps it open across exec and puts its number into CUTAWAY_TRACE_FD. Borrowed.
 */
int ct_span_fd(void);

/* A file takes no more than this, nor anything once it is read-only: its recording has ended. */
#define CT_SPAN_FILE_MAX (16 << 20) /* bytes */

/*
 * ct_span_folder - opens RUN/trace, made if missing, where a recorder without BPF makes one file a
 * recording, named by its 32 digits. Refused unless it is ours alone (CT_DENIED): whoever can make
 * files there receives what we do, and fills the disk. Returns an owned descriptor or -1.
 */
int ct_span_folder(const char *run, struct ct_error *err);

/*
 * ct_span_collect - from now on ct_span_adopt() looks in RUN/trace for the recorder of a trace that
 * is sampled. For programs that do work for others; called before any thread is there. -1: as
 * ct_span_folder(); without BPF this program's spans are then not recorded, and all else goes on.
 */
int ct_span_collect(const char *run, struct ct_error *err);

#endif
