/*
 * show_folded.c - a recording as folded stacks: flamegraph.pl, inferno and speedscope draw them.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 *
 * A line a span: the spans around it from the outermost on, through all processes, with ';' between
 * them, then the microseconds in which nothing inside it was under way. Their sum is what the
 * outermost spans took.
 */
#define CT_LAYER "trace"
#include "renderers.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#define DEPTH_MAX 64

static int64_t end_of(const struct model *model, const struct model_span *span)
{
    return span->end_ns ? span->end_ns : model->end_ns;
}

/* Spans come in the order of their begin, so what is covered grows from left to right. */
static int64_t own_ns(const struct model *model, const struct model_span *span)
{
    int64_t covered = span->begin_ns, end = end_of(model, span), own = 0;

    const struct model_span *last = model->spans + model->n_spans;

    for (const struct model_span *inner = span + 1; inner < last && inner->begin_ns < end;
         inner++) {
        if (model_parent(model, inner) != span) {
            continue;
        }
        int64_t from = inner->begin_ns;
        int64_t to = end_of(model, inner) < end ? end_of(model, inner) : end;
        own += from > covered ? from - covered : 0;
        covered = to > covered ? to : covered;
    }
    return own + (end > covered ? end - covered : 0);
}

/* ';' and the last blank of a line have a meaning there. */
static void print_frame(FILE *out, const struct model_span *span)
{
    CT_AUTO_FREE char *message = model_text(span->message);
    CT_AUTO_FREE char *frame =
        ct_printf("%s %s: %s", span->role >= 0 ? ct_role_name((enum ct_role)span->role) : "other",
                  span->step, message);

    for (const char *c = frame; *c; c++) {
        (void)fputc(*c == ';' ? ',' : *c, out);
    }
}

/* At most so deep: a recording may say that two spans are each other's parents. */
static void print_stack(FILE *out, const struct model *model, const struct model_span *span,
                        size_t depth)
{
    const struct model_span *parent = depth > 0 ? model_parent(model, span) : NULL;

    if (parent) {
        print_stack(out, model, parent, depth - 1);
        (void)fputc(';', out);
    }
    print_frame(out, span);
}

int render_folded(FILE *out, const struct model *model, const struct render_options *options,
                  struct ct_error *err)
{
    (void)options;
    (void)err;
    for (size_t i = 0; i < model->n_spans; i++) {
        int64_t us = own_ns(model, &model->spans[i]) / 1000;
        if (us > 0) {
            print_stack(out, model, &model->spans[i], DEPTH_MAX);
            (void)fprintf(out, " %lld\n", (long long)us);
        }
    }
    return 0;
}
