/*
 * show_chrome.c - a recording for the Perfetto UI and chrome://tracing.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 * Spec:       Trace Event Format: X slices, i instants, s/f flow arrows, M names; times in
 * microseconds.
 */
#define CT_LAYER "trace"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

static double us(const struct model *model, int64_t ns)
{
    return (double)(ns - model->start_ns) / 1e3;
}

static json_t *new_event(const char *phase, const char *name, const char *category, json_int_t pid,
                         json_int_t tid, double ts)
{
    json_t *event = json_object();
    ct_json_set_string(event, "ph", phase);
    ct_json_set_string(event, "name", name);
    if (category) {
        ct_json_set_string(event, "cat", category);
    }
    ct_json_set(event, "pid", json_integer(pid));
    ct_json_set(event, "tid", json_integer(tid));
    if (ts >= 0) {
        ct_json_set(event, "ts", json_real(ts));
    }
    return event;
}

static const char *role_name(int role)
{
    return role >= 0 ? ct_role_name((enum ct_role)role) : "other";
}

/* The UI sorts lanes by name: the role's number comes first. */
static void add_names(json_t *events, const struct model *model)
{
    for (size_t i = 0; i < model->n_processes; i++) {
        const struct model_process *process = &model->processes[i];
        json_t *event = new_event("M", "process_name", NULL, process->pid, process->pid, -1);
        CT_AUTO_FREE char *name =
            ct_printf("%d %s (%s)", process->role + 1, role_name(process->role), process->comm);
        json_t *arguments = json_object();
        ct_json_set_string(arguments, "name", name);
        ct_json_set(event, "args", arguments);
        ct_json_append(events, event);
    }
}

static void add_span(json_t *events, const struct model *model, const struct model_span *span)
{
    int64_t end = span->end_ns ? span->end_ns : model->end_ns;
    CT_AUTO_FREE char *name = ct_printf("%s: %s", span->step, span->message);
    json_t *event = new_event("X", name, role_name(span->role), span->pid, span->tid,
                              us(model, span->begin_ns));
    json_t *arguments = json_object();

    ct_json_set(event, "dur", json_real((double)(end - span->begin_ns) / 1e3));
    ct_json_set_string(arguments, "span", span->id);
    if (span->failed) {
        ct_json_set_string(arguments, "error", span->error);
    }
    ct_json_set(event, "args", arguments);
    ct_json_append(events, event);
}

/* An arrow from the process that forked to the one that was made. */
static void add_arrow(json_t *events, const struct model *model, const struct model_row *row,
                      int id)
{
    json_int_t child = ct_json_integer(row->event, "child", 0);
    json_int_t parent = ct_json_integer(row->event, "pid", 0);
    json_int_t thread = ct_json_integer(row->event, "tid", parent);
    json_t *from = new_event("s", "fork", "hop", parent, thread, us(model, row->ns));
    json_t *to = new_event("f", "fork", "hop", child, child, us(model, row->ns));

    ct_json_set(from, "id", json_integer(id));
    ct_json_set(to, "id", json_integer(id));
    ct_json_set_string(to, "bp", "e");
    ct_json_append(events, from);
    ct_json_append(events, to);
}

static void add_kernel_event(json_t *events, const struct model *model, const struct model_row *row)
{
    CT_AUTO_FREE char *text = model_event_text(row->event);
    json_int_t duration = ct_json_integer(row->event, "dur", 0);
    json_int_t pid = ct_json_integer(row->event, "pid", 0);
    json_int_t tid = ct_json_integer(row->event, "tid", pid);
    json_t *event = new_event(duration ? "X" : "i", text, "kernel", pid, tid, us(model, row->ns));

    if (duration) {
        ct_json_set(event, "dur", json_real((double)duration / 1e3));
    } else {
        ct_json_set_string(event, "s", "t");
    }
    ct_json_append(events, event);
    if (strcmp(ct_json_string(row->event, "t", ""), "fork") == 0) {
        add_arrow(events, model, row, (int)(row - model->rows) + 1);
    }
}

int render_chrome(FILE *out, const struct model *model, const struct render_options *options,
                  struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = json_object();
    json_t *events = json_array();
    (void)options;

    ct_json_set_string(document, "displayTimeUnit", "ns");
    ct_json_set(document, "traceEvents", events);
    add_names(events, model);
    for (size_t i = 0; i < model->n_rows; i++) {
        if (model->rows[i].span) {
            add_span(events, model, model->rows[i].span);
        } else {
            add_kernel_event(events, model, &model->rows[i]);
        }
    }
    if (json_dumpf(document, out, JSON_COMPACT | JSON_REAL_PRECISION(15)) < 0) {
        return ct_refuse(err, CT_SYSTEM, "write the trace");
    }
    (void)fputc('\n', out);
    return 0;
}

int render_jsonl(FILE *out, const struct model *model, const struct render_options *options,
                 struct ct_error *err)
{
    size_t i;
    json_t *line;
    (void)options;
    (void)err;

    json_array_foreach(model->lines, i, line)
    {
        CT_AUTO_JSON json_t *copy = json_copy(line);
        if (json_is_integer(json_object_get(copy, "role"))) { /* the model's own note */
            (void)json_object_del(copy, "role");
            (void)json_object_del(copy, "role_before");
        }
        CT_AUTO_FREE char *text = ct_json_text(copy);
        (void)fprintf(out, "%s\n", text);
    }
    return 0;
}
