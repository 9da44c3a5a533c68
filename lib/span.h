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
 * without BPF the same goes as one JSON line to the descriptor CUTAWAY_TRACE_FD.
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
 * ct_span_context - "00-<32 hex trace>-<16 hex span>-01" of the innermost span, for a header or
 * for TRACEPARENT in a child's environment. buffer holds 56 bytes. NULL when nothing traces.
 */
const char *ct_span_context(char buffer[static 56]);

/*
 * ct_span_adopt - the spans that this thread begins from now on belong to the trace of a message
 * that has come in. NULL, or what is no trace context: to the process's own again. Called where no
 * span of this thread is open.
 */
void ct_span_adopt(const char *traceparent);

/* The descriptor spans are appended to (CUTAWAY_TRACE_FD), to be kept open across exec; -1: none.
 */
int ct_span_fd(void);

#endif
