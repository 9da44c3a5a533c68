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
#include "path.h"
#include "probes.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* What a process knows of the trace it is part of. Read once, at the first span. */
static struct {
    int fd; /* CUTAWAY_TRACE_FD, or -1 */
    char trace_id[33];
    uint64_t parent; /* of TRACEPARENT, or 0 */
} context = {.fd = -1};
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

/*
 * What a process does not share with the child it forks: on a page that the kernel wipes in the
 * child. A runtime's child goes on without exec, and its spans need ids of their own.
 */
struct own {
    uint64_t next_id; /* 0: to be drawn */
    int pid;          /* see host_pid(); 0: to be read */
};
static struct own not_wiped, *own = &not_wiped;

/* Of a thread: the span that is open, and the trace that a message brought along (or ""). */
struct adoption {
    char trace_id[33];
    uint64_t parent;
    int fd; /* the recorder's file, or -1 */
};
static __thread uint64_t innermost;
static __thread enum ct_role innermost_role; /* while there is one */
static __thread struct adoption adopted = {.fd = -1};

static int folder = -1; /* RUN/trace, see ct_span_collect() */

const char *ct_role_name(enum ct_role role)
{
    return role < CT_ROLE_COUNT ? role_names[role] : "unknown";
}

const char *ct_step_name(enum ct_step step)
{
    return step < CT_STEP_COUNT ? step_names[step] : "unknown";
}

/* "00-<32 hex>-<16 hex>-<2 hex>"; anything else starts a trace of our own. */
static bool read_traceparent(const char *text, char ret_trace_id[static 33], uint64_t *ret_parent,
                             bool *ret_sampled)
{
    unsigned long long parent = 0;
    unsigned int flags = 0;
    if (!text || strlen(text) != 55 || strspn(text + 3, "0123456789abcdef") != 32 ||
        text[35] != '-' || sscanf(text + 36, "%16llx-%2x", &parent, &flags) != 2) {
        return false;
    }
    memcpy(ret_trace_id, text + 3, 32);
    ret_trace_id[32] = '\0';
    *ret_parent = parent;
    *ret_sampled = flags & 1;
    return true;
}

int ct_span_folder(const char *run, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(run, "trace");
    struct stat status;

    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return ct_fail(err, errno, "make '%.120s'", path);
    }
    CT_AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return ct_fail(err, errno, "open '%.120s'", path);
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077)) {
        return ct_refuse(err, CT_DENIED, "use '%.120s': others may, too", path);
    }
    return ct_steal_fd(&fd);
}

int ct_span_collect(const char *run, struct ct_error *err)
{
    folder = ct_span_folder(run, err);
    return folder < 0 ? -1 : 0;
}

/*
 * The file of this trace's recorder, or -1. Whoever may send us messages chooses the name: it is 32
 * digits of a folder where only we make files, so at most it names a recording that is under way.
 */
static int open_recorder(const char trace_id[static 33])
{
    struct stat status;
    CT_AUTO_CLOSE int fd =
        folder < 0
            ? -1
            : openat(folder, trace_id, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                   status.st_uid == geteuid()
               ? ct_steal_fd(&fd)
               : -1;
}

void ct_span_adopt(const char *traceparent)
{
    bool sampled = false;

    ct_cleanup_close(&adopted.fd);
    adopted.fd = -1;
    if (!read_traceparent(traceparent, adopted.trace_id, &adopted.parent, &sampled)) {
        adopted.trace_id[0] = '\0';
        adopted.parent = 0;
    }
    if (sampled) {
        adopted.fd = open_recorder(adopted.trace_id);
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

static void make_own(void)
{
    void *page =
        mmap(NULL, sizeof(*own), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, sizeof(*own), MADV_WIPEONFORK) == 0) {
        own = page;
    }
}

static uint64_t new_id(void)
{
    uint64_t none = 0;
    char digits[17];

    if (__atomic_load_n(&own->next_id, __ATOMIC_RELAXED) == 0) {
        ct_random_hex(digits, 8);
        (void)__atomic_compare_exchange_n(&own->next_id, &none, strtoull(digits, NULL, 16) | 1,
                                          false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    return __atomic_fetch_add(&own->next_id, 1, __ATOMIC_RELAXED);
}

/*
 * This process as the host numbers it, also when it is the first of a pid namespace: /proc is the
 * host's as long as nothing else is mounted there. So it is read at the first span, and kept.
 */
static int host_pid(void)
{
    char text[16] = "";
    int pid = __atomic_load_n(&own->pid, __ATOMIC_RELAXED);

    if (pid == 0) {
        pid = readlink("/proc/self", text, sizeof(text) - 1) > 0 ? atoi(text) : 0;
        pid = pid > 0 ? pid : (int)getpid();
        __atomic_store_n(&own->pid, pid, __ATOMIC_RELAXED);
    }
    return pid;
}

static void read_context(void)
{
    const char *fd = getenv("CUTAWAY_TRACE_FD");
    bool sampled;

    make_own();
    if (fd && *fd) {
        context.fd = (int)strtol(fd, NULL, 10);
        if (context.fd < 3 || fcntl(context.fd, F_GETFD) < 0) {
            context.fd = -1; /* somebody closed it on the way: not traced */
        }
    }
    if (!read_traceparent(getenv("TRACEPARENT"), context.trace_id, &context.parent, &sampled)) {
        ct_random_hex(context.trace_id, 16);
    }
}

int ct_span_fd(void)
{
    (void)pthread_once(&context_once, read_context);
    return adopted.fd >= 0 ? adopted.fd : context.fd;
}

bool ct_span_wanted(void)
{
    return CT_PROBE_ATTACHED() || ct_span_fd() >= 0;
}

/* A trace must not fill the disk, and a recording that has ended takes nothing more. */
static bool takes_more(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && (status.st_mode & S_IWUSR) &&
           status.st_size < CT_SPAN_FILE_MAX;
}

static void write_line(json_t *line)
{
    CT_AUTO_FREE char *text = json_dumps(line, JSON_COMPACT);
    size_t length = text ? strlen(text) : 0;
    int fd = ct_span_fd();
    if (length > 0 && length < LINE_MAX_BYTES && takes_more(fd)) {
        text[length] = '\n';
        (void)!write(fd, text, length + 1); /* a trace that cannot be written stops nothing */
    }
}

static json_t *make_line(const char *type, uint64_t id)
{
    int pid = host_pid();
    int tid = gettid() == getpid() ? pid : gettid();
    char hex[17];

    (void)snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)id);
    return json_pack("{s:s,s:I,s:i,s:i,s:s}", "t", type, "ns", (json_int_t)ct_monotonic_ns(), "pid",
                     pid, "tid", tid, "id", hex);
}

static void write_begin(const struct ct_span *span, const char *message)
{
    CT_AUTO_JSON json_t *line = make_line("begin", span->id);
    char hex[17];

    (void)snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)span->parent);
    ct_json_set_string(line, "parent", hex);
    ct_json_set_string(line, "trace", trace_id());
    ct_json_set_string(line, "comm", program_invocation_short_name);
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

    (void)pthread_once(&context_once, read_context);
    struct ct_span span = {.id = new_id(),
                           .parent = innermost ? innermost : outside(),
                           .role = role,
                           .step = step,
                           .err = err,
                           .outer = innermost,
                           .outer_role = innermost_role};
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    innermost = span.id;
    innermost_role = role;
    /* A tracer in the kernel cannot wait for a page of constants to be read in: the stack is there.
     */
    (void)snprintf(role_text, sizeof(role_text), "%s", ct_role_name(role));
    (void)snprintf(step_text, sizeof(step_text), "%s", ct_step_name(step));
    CT_PROBE_SPAN_BEGIN(span.id, span.parent, role_text, step_text, message, trace_id());
    if (ct_span_fd() >= 0) {
        write_begin(&span, message);
    }
    errno = saved;
    return span;
}

/* The thread is where it was before the span began. */
static void step_out(const struct ct_span *span)
{
    innermost = span->outer;
    innermost_role = span->outer_role;
}

void ct_span_leave(struct ct_span *span)
{
    if (span->id != 0) {
        step_out(span);
        span->left = true;
    }
}

enum ct_role ct_span_role(enum ct_role otherwise)
{
    return innermost ? innermost_role : otherwise;
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
    if (!span->left) {
        step_out(span);
    }
    CT_PROBE_SPAN_END(span->id, kind, error);
    if (ct_span_fd() >= 0) {
        CT_AUTO_JSON json_t *line = make_line("end", span->id);
        ct_json_set_string(line, "kind", failed ? ct_kind_name(span->err->kind) : "none");
        ct_json_set_string(line, "error", error);
        write_line(line);
    }
    errno = saved;
}

void ct_span_end_later(struct ct_span *span, const char *traceparent, const struct ct_error *err)
{
    struct adoption now = adopted;

    if (span->id == 0) {
        return;
    }
    adopted.fd = -1;
    ct_span_adopt(traceparent); /* whose file the line belongs to */
    span->err = err;
    ct_span_end(span);
    ct_span_adopt(NULL);
    adopted = now;
}

const char *ct_span_context(char buffer[static 56])
{
    if (!ct_span_wanted()) {
        return NULL;
    }
    (void)pthread_once(&context_once, read_context);
    uint64_t span = innermost ? innermost : outside();
    (void)snprintf(buffer, 56, "00-%s-%016llx-01", trace_id(), (unsigned long long)span);
    return buffer;
}
