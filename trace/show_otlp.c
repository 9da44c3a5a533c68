/*
 * show_otlp.c - a recording for OpenTelemetry: Jaeger and others read it.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 * Spec:       opentelemetry-proto, docs/specification.md, "OTLP/HTTP", JSON: ids are hexadecimal,
 * enums are numbers, 64-bit numbers are strings of digits; times are nanoseconds of the real clock.
 *
 * One resource a role, so that a viewer colours them as we do. What the kernel did is an event of
 * the span in which it did it.
 */
#define CT_LAYER "trace"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <stdlib.h>
#include <string.h>

enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };
enum { STATUS_OK = 1, STATUS_ERROR = 2 };

static json_t *real_time(const struct model *model, int64_t ns)
{
    json_int_t offset = ct_json_integer(model->header, "realtime_offset_ns", 0);
    return json_sprintf("%lld", (long long)(ns + offset));
}

static json_t *attribute(const char *key, const char *type, json_t *value)
{
    return json_pack("{s:s, s:{s:o}}", "key", key, "value", type, value);
}

/* Ids of other tools' recordings may be shorter. */
static json_t *span_id(const char *hex)
{
    return json_sprintf("%016llx", strtoull(hex, NULL, 16));
}

static int kind_of(const struct model_span *span)
{
    if (strcmp(span->step, ct_step_name(CT_STEP_REQUEST)) == 0) {
        return KIND_CLIENT;
    }
    return strcmp(span->step, ct_step_name(CT_STEP_REPLY)) == 0 ? KIND_SERVER : KIND_INTERNAL;
}

static bool is_around(const struct model_span *span, const struct model_row *row)
{
    return span->tid == row->tid && span->begin_ns <= row->ns &&
           (span->end_ns == 0 || span->end_ns >= row->ns);
}

/* Spans come in the order of their begin: one that comes later and is around it, too, is nearer. */
static bool is_innermost(const struct model *model, const struct model_span *span,
                         const struct model_row *row)
{
    const struct model_span *end = model->spans + model->n_spans;

    if (!is_around(span, row)) {
        return false;
    }
    for (const struct model_span *later = span + 1; later < end && later->begin_ns <= row->ns;
         later++) {
        if (is_around(later, row)) {
            return false;
        }
    }
    return true;
}

/* The first row that is not before this moment. */
static size_t first_row(const struct model *model, int64_t ns)
{
    size_t from = 0, to = model->n_rows;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (model->rows[middle].ns < ns) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static json_t *events_of(const struct model *model, const struct model_span *span)
{
    json_t *list = json_array();
    int64_t end = span->end_ns ? span->end_ns : model->end_ns;

    for (size_t i = first_row(model, span->begin_ns); i < model->n_rows && model->rows[i].ns <= end;
         i++) {
        const struct model_row *row = &model->rows[i];
        if (row->event && is_innermost(model, span, row)) {
            CT_AUTO_FREE char *text = model_event_text(row->event);
            json_t *event = json_object();
            ct_json_set(event, "timeUnixNano", real_time(model, row->ns));
            ct_json_set_string(event, "name", text);
            ct_json_append(list, event);
        }
    }
    return list;
}

static json_t *make_span(const struct model *model, const struct model_span *span)
{
    const struct model_span *parent = model_parent(model, span);
    const char *trace = ct_json_string(model->header, "trace", "");
    CT_AUTO_FREE char *message = model_text(span->message);
    CT_AUTO_FREE char *error = model_text(span->error);
    json_t *item = json_object(), *attributes = json_array();

    ct_json_set_string(item, "traceId",
                       strlen(trace) == 32 ? trace : "00000000000000000000000000000001");
    ct_json_set(item, "spanId", span_id(span->id));
    if (parent) {
        ct_json_set(item, "parentSpanId", span_id(parent->id));
    }
    ct_json_set_string(item, "name", span->step);
    ct_json_set(item, "kind", json_integer(kind_of(span)));
    ct_json_set(item, "startTimeUnixNano", real_time(model, span->begin_ns));
    ct_json_set(item, "endTimeUnixNano",
                real_time(model, span->end_ns ? span->end_ns : model->end_ns));
    ct_json_append(attributes, attribute("cutaway.message", "stringValue", json_string(message)));
    ct_json_append(attributes, attribute("process.pid", "intValue",
                                         json_sprintf("%lld", (long long)span->pid)));
    ct_json_set(item, "attributes", attributes);
    ct_json_set(item, "events", events_of(model, span));
    ct_json_set(item, "status",
                span->failed ? json_pack("{s:i, s:s}", "code", STATUS_ERROR, "message", error)
                             : json_pack("{s:i}", "code", STATUS_OK));
    return item;
}

/* NULL: the role has no spans, and an empty envelope is not to be sent. */
static json_t *make_resource(const struct model *model, int role)
{
    json_t *spans = json_array();

    for (size_t i = 0; i < model->n_spans; i++) {
        if (model->spans[i].role == role) {
            ct_json_append(spans, make_span(model, &model->spans[i]));
        }
    }
    if (json_array_size(spans) == 0) {
        json_decref(spans);
        return NULL;
    }
    CT_AUTO_FREE char *name = ct_printf("cutaway-%s", ct_role_name((enum ct_role)role));
    return json_pack("{s:{s:[o]}, s:[{s:{s:s}, s:o}]}", "resource", "attributes",
                     attribute("service.name", "stringValue", json_string(name)), "scopeSpans",
                     "scope", "name", "cutaway", "spans", spans);
}

int render_otlp(FILE *out, const struct model *model, const struct render_options *options,
                struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = json_object();
    json_t *resources = json_array();
    (void)options;

    ct_json_set(document, "resourceSpans", resources);
    for (int role = 0; role < CT_ROLE_COUNT; role++) {
        json_t *resource = make_resource(model, role);
        if (resource) {
            ct_json_append(resources, resource);
        }
    }
    if (json_dumpf(document, out, JSON_COMPACT) < 0) {
        return ct_refuse(err, CT_SYSTEM, "write the trace");
    }
    (void)fputc('\n', out);
    return 0;
}
