/*
 * span.c - spans: fires the probes, or writes lines where there is no BPF.
 *
 * Room:       lib.   Called by: the CT_SPAN macro of span.h.
 */
#define CT_LAYER "span"
#include "span.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "probes.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The kernel raises these while a tracer is attached; the section is where it looks (sys/sdt.h). */
__attribute__((section(".probes"))) unsigned short cutaway_span_begin_semaphore;
__attribute__((section(".probes"))) unsigned short cutaway_span_end_semaphore;

#define MESSAGE_MAX    512  /* bytes of a message; the rest is cut */
#define LINE_MAX_BYTES 4095 /* one write of an entry must not be interleaved with another's */

static const char *const role_names[] = {
#define ROLE(symbol, name, title) [CT_ROLE_##symbol] = (name),
#include "steps.def"
};

static const char *const step_names[] = {
#define STEP(symbol, name, words) [CT_STEP_##symbol] = (name),
#include "steps.def"
};

/* What a process knows of the trace it is part of. Made at the first span. */
static struct {
    bool ready;
    int fd; /* CUTAWAY_TRACE_FD, or -1 */
    char trace_id[33];
    uint64_t parent; /* of TRACEPARENT, or 0 */
    uint64_t next_id;
} context = {.fd = -1};

/* Of a thread: the span that is open, and the trace that a message brought along (or ""). */
static __thread uint64_t innermost;
static __thread struct {
    char trace_id[33];
    uint64_t parent;
} adopted;

const char *ct_role_name(enum ct_role role)
{
    return role < CT_ROLE_COUNT ? role_names[role] : "unknown";
}

const char *ct_step_name(enum ct_step step)
{
    return step < CT_STEP_COUNT ? step_names[step] : "unknown";
}

/* "00-<32 hex>-<16 hex>-<2 hex>"; anything else starts a trace of our own. */
static bool read_traceparent(const char *text, char ret_trace_id[static 33], uint64_t *ret_parent)
{
    unsigned long long parent = 0;
    if (!text || strlen(text) != 55 || strspn(text + 3, "0123456789abcdef") != 32 ||
        sscanf(text + 36, "%16llx", &parent) != 1) {
        return false;
    }
    memcpy(ret_trace_id, text + 3, 32);
    ret_trace_id[32] = '\0';
    *ret_parent = parent;
    return true;
}

void ct_span_adopt(const char *traceparent)
{
    if (!read_traceparent(traceparent, adopted.trace_id, &adopted.parent)) {
        adopted.trace_id[0] = '\0';
        adopted.parent = 0;
    }
}

static const char *trace_id(void)
{
    return *adopted.trace_id ? adopted.trace_id : context.trace_id;
}

/* What the outermost span of this thread stands below. */
static uint64_t outside(void)
{
    return *adopted.trace_id ? adopted.parent : context.parent;
}

static void open_context(void)
{
    const char *fd = getenv("CUTAWAY_TRACE_FD");
    char id[17];

    context.ready = true;
    if (fd && *fd) {
        context.fd = (int)strtol(fd, NULL, 10);
        if (context.fd < 3 || fcntl(context.fd, F_GETFD) < 0) {
            context.fd = -1; /* somebody closed it on the way: not traced */
        }
    }
    if (context.fd >= 0 || CT_PROBE_ATTACHED()) {
        if (!read_traceparent(getenv("TRACEPARENT"), context.trace_id, &context.parent)) {
            ct_random_hex(context.trace_id, 16);
        }
        ct_random_hex(id, 8);
        context.next_id = strtoull(id, NULL, 16) | 1;
    } else {
        context.ready = false; /* a tracer may still come: look again at the next span */
    }
}

int ct_span_fd(void)
{
    if (!context.ready) {
        open_context();
    }
    return context.fd;
}

bool ct_span_wanted(void)
{
    static bool looked;
    if (CT_PROBE_ATTACHED()) {
        return true;
    }
    if (!looked) {
        looked = true;
        (void)ct_span_fd();
    }
    return context.fd >= 0;
}

static void write_line(json_t *line)
{
    CT_AUTO_FREE char *text = json_dumps(line, JSON_COMPACT);
    size_t length = text ? strlen(text) : 0;
    if (length > 0 && length < LINE_MAX_BYTES) {
        text[length] = '\n';
        (void)!write(context.fd, text,
                     length + 1); /* a trace that cannot be written stops nothing */
    }
}

static json_t *make_line(const char *type, uint64_t id)
{
    char hex[17];
    (void)snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)id);
    return json_pack("{s:s,s:I,s:i,s:i,s:s}", "t", type, "ns", (json_int_t)ct_monotonic_ns(), "pid",
                     (int)getpid(), "tid", (int)gettid(), "id", hex);
}

static void write_begin(const struct ct_span *span, const char *message)
{
    CT_AUTO_JSON json_t *line = make_line("begin", span->id);
    char hex[17];

    (void)snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)span->parent);
    ct_json_set_string(line, "parent", hex);
    ct_json_set_string(line, "trace", trace_id());
    ct_json_set_string(line, "role", ct_role_name(span->role));
    ct_json_set_string(line, "step", ct_step_name(span->step));
    ct_json_set_string(line, "msg", message);
    write_line(line);
}

struct ct_span ct_span_begin(const struct ct_error *err, enum ct_role role, enum ct_step step,
                             const char *format, ...)
{
    char message[MESSAGE_MAX];
    char role_text[16], step_text[24];
    int saved = errno;
    va_list arguments;

    if (!context.ready) {
        open_context();
    }
    struct ct_span span = {.id = __atomic_fetch_add(&context.next_id, 1, __ATOMIC_RELAXED),
                           .parent = innermost ? innermost : outside(),
                           .role = role,
                           .step = step,
                           .err = err};
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    innermost = span.id;
    /* A tracer in the kernel cannot wait for a page of constants to be read in: the stack is there.
     */
    (void)snprintf(role_text, sizeof(role_text), "%s", ct_role_name(role));
    (void)snprintf(step_text, sizeof(step_text), "%s", ct_step_name(step));
    CT_PROBE_SPAN_BEGIN(span.id, span.parent, role_text, step_text, message, trace_id());
    if (context.fd >= 0) {
        write_begin(&span, message);
    }
    errno = saved;
    return span;
}

void ct_span_end(struct ct_span *span)
{
    int saved = errno;
    if (span->id == 0) {
        return;
    }
    bool failed = span->err && span->err->kind != CT_NONE;
    char error[sizeof(span->err->frame[0].what)] = "";
    uint64_t kind = failed ? (uint64_t)span->err->kind : 0;

    if (failed) {
        (void)snprintf(error, sizeof(error), "%s", span->err->frame[0].what);
    }
    innermost = span->parent == outside() ? 0 : span->parent;
    CT_PROBE_SPAN_END(span->id, kind, error);
    if (context.fd >= 0) {
        CT_AUTO_JSON json_t *line = make_line("end", span->id);
        ct_json_set_string(line, "kind", failed ? ct_kind_name(span->err->kind) : "none");
        ct_json_set_string(line, "error", error);
        write_line(line);
    }
    errno = saved;
}

const char *ct_span_context(char buffer[static 56])
{
    uint64_t span = innermost ? innermost : outside();
    if (!context.ready || !ct_span_wanted()) {
        return NULL;
    }
    (void)snprintf(buffer, 56, "00-%s-%016llx-01", trace_id(), (unsigned long long)span);
    return buffer;
}
