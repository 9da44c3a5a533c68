/*
 * recording.c - writes and reads recordings.
 *
 * Room:       trace.   Called by: record.c, model.c.
 *
 * Texts come from strangers (arguments, paths, messages): they become valid UTF-8 here, and control
 * characters are replaced where they are shown (the renderers).
 */
#define CT_LAYER "trace"
#include "recording.h"
#include "decode.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define LINE_BYTES_MAX (1 << 20)
#define EVENTS_MAX     2000000

static void write_line(FILE *out, json_t *line)
{
    CT_AUTO_FREE char *text = ct_json_text(line);
    (void)fprintf(out, "%s\n", text ? text : "{}");
    json_decref(line);
}

static json_t *text_value(const char *text, size_t max)
{
    return ct_json_string_lossy(text, strnlen(text, max));
}

void recording_header(FILE *out, char *const *command, int64_t start_ns, const char *trace_id,
                      const char *missing)
{
    json_t *header = json_object();
    struct utsname machine = {0};

    (void)uname(&machine);
    ct_json_set_string(header, "t", "header");
    ct_json_set(header, "version", json_integer(RECORDING_VERSION));
    ct_json_set(header, "command", ct_json_from_strv((const char *const *)command, SIZE_MAX));
    ct_json_set(header, "ns", json_integer(start_ns));
    ct_json_set(header, "realtime_offset_ns", json_integer(ct_now_ns() - ct_monotonic_ns()));
    ct_json_set_string(header, "trace", trace_id);
    ct_json_set_string(header, "kernel", machine.release);
    ct_json_set(header, "kernel_events", json_boolean(!*missing));
    ct_json_set_string(header, "missing", missing);
    write_line(out, header);
}

void recording_calls(FILE *out, int64_t ns, pid_t pid, unsigned long long calls)
{
    json_t *line = json_object();
    ct_json_set_string(line, "t", "calls");
    ct_json_set(line, "ns", json_integer(ns));
    ct_json_set(line, "pid", json_integer(pid));
    ct_json_set(line, "count", json_integer((json_int_t)calls));
    write_line(out, line);
}

void recording_footer(FILE *out, int64_t end_ns, int exit_code, unsigned long long lost,
                      const char *missing)
{
    json_t *footer = json_object();
    ct_json_set_string(footer, "t", "footer");
    ct_json_set(footer, "ns", json_integer(end_ns));
    ct_json_set(footer, "exit_code", json_integer(exit_code));
    ct_json_set(footer, "lost", json_integer((json_int_t)lost));
    ct_json_set_string(footer, "missing", missing);
    write_line(out, footer);
}

static json_t *new_line(const char *type, const struct trace_event *event)
{
    json_t *line = json_object();
    ct_json_set_string(line, "t", type);
    ct_json_set(line, "ns", json_integer((json_int_t)event->ns));
    ct_json_set(line, "pid", json_integer(event->pid));
    ct_json_set(line, "tid", json_integer(event->tid));
    ct_json_set(line, "comm", text_value(event->comm, sizeof(event->comm)));
    return line;
}

static json_t *arguments(const struct trace_event *event)
{
    json_t *list = json_array();
    size_t length =
        event->text1_length <= TRACE_TEXT_BYTES ? event->text1_length : TRACE_TEXT_BYTES;

    for (size_t i = 0; i < length;) {
        size_t n = strnlen(event->text[1] + i, length - i);
        ct_json_append(list, ct_json_string_lossy(event->text[1] + i, n));
        i += n + 1;
    }
    return list;
}

static json_t *hex(unsigned long long id)
{
    return json_sprintf("%016llx", id);
}

static json_t *span_begin(const struct trace_event *event)
{
    json_t *line = new_line("begin", event);
    ct_json_set(line, "id", hex(event->arg[0]));
    ct_json_set(line, "parent", hex(event->arg[1]));
    ct_json_set(line, "trace", text_value(event->text[2], 32));
    ct_json_set(line, "role", text_value(event->text[1], TRACE_TEXT_BYTES / 2));
    ct_json_set(line, "step",
                text_value(event->text[1] + TRACE_TEXT_BYTES / 2, TRACE_TEXT_BYTES / 2));
    ct_json_set(line, "msg", text_value(event->text[0], TRACE_TEXT_BYTES));
    return line;
}

static json_t *system_call(const struct trace_event *event)
{
    char name[32];
    json_t *line = new_line("call", event);
    CT_AUTO_FREE char *text = decode_call(event);

    ct_json_set_string(line, "name", decode_call_name((long long)event->arg[0], name));
    ct_json_set_string(line, "text", text);
    ct_json_set(line, "dur", json_integer((json_int_t)event->duration_ns));
    ct_json_set(line, "ret", json_integer(event->result));
    return line;
}

static json_t *kernel_line(const struct trace_event *event)
{
    char name[32];
    json_t *line = NULL;
    int status = (int)event->arg[0];

    switch ((enum trace_event_type)event->type) {
    case TRACE_FORK:
        line = new_line("fork", event);
        ct_json_set(line, "child", json_integer((json_int_t)event->arg[0]));
        return line;
    case TRACE_EXEC:
        line = new_line("exec", event);
        ct_json_set(line, "file", text_value(event->text[0], TRACE_TEXT_BYTES));
        ct_json_set(line, "argv", arguments(event));
        ct_json_set(line, "level", json_integer((json_int_t)event->arg[0]));
        ct_json_set(line, "calls", json_integer((json_int_t)event->arg[1]));
        return line;
    case TRACE_EXIT:
        line = new_line("exit", event);
        ct_json_set(line, "code", json_integer(WIFEXITED(status) ? WEXITSTATUS(status) : 0));
        ct_json_set(line, "signal", json_integer(WIFSIGNALED(status) ? WTERMSIG(status) : 0));
        return line;
    case TRACE_CALL:
        return system_call(event);
    case TRACE_CGROUP:
        line = new_line("cgroup", event);
        ct_json_set(line, "path", text_value(event->text[0], TRACE_TEXT_BYTES));
        ct_json_set(line, "moved", json_integer((json_int_t)event->arg[0]));
        return line;
    case TRACE_OFF_CPU:
        line = new_line("wait", event);
        ct_json_set(line, "dur", json_integer((json_int_t)event->duration_ns));
        ct_json_set_string(line, "reason",
                           (long long)event->arg[0] < 0
                               ? "the CPU"
                               : decode_call_name((long long)event->arg[0], name));
        return line;
    case TRACE_SPAN_BEGIN:
        return span_begin(event);
    case TRACE_SPAN_END:
        line = new_line("end", event);
        ct_json_set(line, "id", hex(event->arg[0]));
        ct_json_set_string(line, "kind", ct_kind_name((enum ct_kind)event->arg[1]));
        ct_json_set(line, "error", text_value(event->text[0], TRACE_TEXT_BYTES));
        return line;
    }
    return NULL;
}

void recording_event(FILE *out, const struct trace_event *event)
{
    json_t *line = kernel_line(event);
    if (line) {
        write_line(out, line);
    }
}

void recording_span_line(FILE *out, const json_t *line)
{
    if (json_is_integer(json_object_get(line, "ns"))) { /* as every line must have it */
        write_line(out, json_incref((json_t *)line));
    }
}

static int refuse_line(struct ct_error *err, const char *path, size_t number, const char *why)
{
    return ct_refuse(err, CT_INVALID, "read recording '%.120s', line %zu: %s", path, number, why);
}

/* What every line must have; what each type must have is checked where it is used, by defaults. */
static int check_line(const json_t *line, const char *path, size_t number, struct ct_error *err)
{
    static const char *const types[] = {"header", "fork",  "exec", "exit",  "call",   "cgroup",
                                        "wait",   "begin", "end",  "calls", "footer", NULL};
    const char *type = ct_json_string(line, "t", "");
    const char *const *known = types;

    while (*known && strcmp(*known, type) != 0) {
        known++;
    }
    if (!*known || !json_is_integer(json_object_get(line, "ns"))) {
        return refuse_line(err, path, number, "it is no event of a recording");
    }
    if (number == 1 &&
        (strcmp(type, "header") != 0 || ct_json_integer(line, "version", 0) != RECORDING_VERSION)) {
        return refuse_line(err, path, number, "it is no recording of this version (1)");
    }
    return 0;
}

static int by_time(const void *a, const void *b)
{
    json_int_t x = ct_json_integer(*(json_t *const *)a, "ns", 0),
               y = ct_json_integer(*(json_t *const *)b, "ns", 0);
    return x < y ? -1 : x > y;
}

/* Lines of several CPUs come in nearly, but not quite, the order of time. */
static json_t *sorted(json_t *lines)
{
    size_t n = json_array_size(lines);
    json_t **items = calloc(n + 1, sizeof(*items));
    json_t *result = json_array();

    for (size_t i = 0; items && i < n; i++) {
        items[i] = json_array_get(lines, i);
    }
    if (items && n > 2) {
        qsort(items + 1, n - 1, sizeof(*items), by_time); /* the header stays first */
    }
    for (size_t i = 0; items && i < n; i++) {
        ct_json_append(result, json_incref(items[i]));
    }
    free(items);
    return result;
}

json_t *recording_read(const char *path, struct ct_error *err)
{
    CT_AUTO_FILE FILE *in = fopen(path, "re");
    CT_AUTO_FREE char *text = NULL;
    CT_AUTO_JSON json_t *lines = json_array();
    size_t size = 0, number = 0;
    ssize_t length;

    if (!in) {
        return ct_fail_null(err, errno, "open recording '%.120s'", path);
    }
    while ((length = getline(&text, &size, in)) > 0) {
        struct ct_error bad = {0};
        number++;
        if (length > LINE_BYTES_MAX || number > EVENTS_MAX) {
            return refuse_line(err, path, number, "it is too long"), NULL;
        }
        json_t *line = ct_json_parse(text, (size_t)length, &bad);
        if (!line) {
            return refuse_line(err, path, number, bad.frame[0].what), NULL;
        }
        ct_json_append(lines, line);
        if (check_line(line, path, number, err) < 0) {
            return NULL;
        }
    }
    if (number == 0) {
        return refuse_line(err, path, 1, "it is empty"), NULL;
    }
    return sorted(lines);
}
