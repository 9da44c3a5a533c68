/*
 * probes.h - the two USDT probes. The only place that includes <sys/sdt.h>.
 *
 * Room:       lib. Called by: span.c only; the tracer reads the same ELF notes.
 * Man:        stap probes: a nop in the code, an ELF note that names it, and a counter (the
 *             "semaphore") that the kernel raises while somebody is attached.
 *
 *   cutaway:span_begin(u64 id, u64 parent, const char *role, const char *step, const char *message,
 *                      const char *trace_id)
 *   cutaway:span_end(u64 id, u64 kind, const char *error)      kind 0: it went well
 */
#ifndef CT_PROBES_H
#define CT_PROBES_H

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

extern unsigned short cutaway_span_begin_semaphore;
extern unsigned short cutaway_span_end_semaphore;

#define CT_PROBE_ATTACHED() (__builtin_expect(cutaway_span_begin_semaphore != 0, 0))
#define CT_PROBE_SPAN_BEGIN(id, parent, role, step, message, trace_id) \
    STAP_PROBE6(cutaway, span_begin, id, parent, role, step, message, trace_id)
#define CT_PROBE_SPAN_END(id, kind, error) STAP_PROBE3(cutaway, span_end, id, kind, error)

#endif
