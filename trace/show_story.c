/*
 * show_story.c - a recording in one paragraph.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 */
#define CT_LAYER "trace"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

#define STEP(symbol, name, words) [CT_STEP_##symbol] = {name, words},
static const struct {
    const char *name, *words;
} steps[] = {
#include "steps.def"
};

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static const char *words_of(const char *step)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].name && strcmp(steps[i].name, step) == 0) {
            return steps[i].words;
        }
    }
    return step;
}

static int64_t span_end(const struct model *model, const struct model_span *span)
{
    int64_t limit = model->command_end_ns;
    return span->end_ns && span->end_ns < limit ? span->end_ns : limit;
}

/* Time of a span that none of the spans inside it takes: where the time really went. */
static int64_t own_time(const struct model *model, const struct model_span *span)
{
    int64_t end = span_end(model, span);
    int64_t own = end - span->begin_ns;

    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *inner = &model->spans[i];
        if (inner->tid == span->tid && inner->depth == span->depth + 1 &&
            inner->begin_ns >= span->begin_ns && inner->begin_ns < end) {
            own -= span_end(model, inner) - inner->begin_ns;
        }
    }
    return own > 0 ? own : 0;
}

/* The three spans with the most time of their own, besides the command itself. */
static void tell_longest(FILE *out, const struct model *model, int64_t all)
{
    const struct model_span *told[3] = {NULL};

    for (int n = 0; n < 3; n++) {
        int64_t best = all / 50; /* less than two percent is not worth a word */
        for (size_t i = 0; i < model->n_spans; i++) {
            const struct model_span *span = &model->spans[i];
            int64_t own = own_time(model, span);
            /* A span that only waits for what another process does is not where the time went. */
            bool waits =
                strncmp(span->step, "spawn-", 6) == 0 || strcmp(span->step, "request") == 0;
            bool new =
                !waits &&span != told[0] && span != told[1] && strcmp(span->step, "command") != 0;
            if (new &&own > best) {
                best = own;
                told[n] = span;
            }
        }
        if (told[n]) {
            (void)fprintf(
                out, "%s %s %s for %.1f ms (%d %%)", n ? "," : " Most of it:",
                told[n]->role >= 0 ? ct_role_name((enum ct_role)told[n]->role) : "somebody",
                words_of(told[n]->step), ms(best), (int)(best * 100 / (all > 0 ? all : 1)));
        }
    }
    if (told[0]) {
        (void)fputc('.', out);
    }
}

static size_t count(const struct model *model, const char *type, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < model->n_rows; i++) {
        const json_t *event = model->rows[i].event;
        n += event && strcmp(ct_json_string(event, "t", ""), type) == 0 &&
             (!name || strcmp(ct_json_string(event, "name", ""), name) == 0);
    }
    return n;
}

static void tell_kernel(FILE *out, const struct model *model)
{
    size_t processes = count(model, "fork", NULL);
    int64_t synced = 0;
    for (size_t i = 0; i < model->n_rows; i++) {
        const char *name = ct_json_string(model->rows[i].event, "name", "");
        if (strstr(name, "sync")) {
            synced += ct_json_integer(model->rows[i].event, "dur", 0);
        }
    }
    (void)fprintf(
        out, " %zu process%s made, %zu programs executed, %zu mounts, %zu change%s of the root.",
        processes, processes == 1 ? " was" : "es were", count(model, "exec", NULL),
        count(model, "call", "mount") + count(model, "call", "move_mount"),
        count(model, "call", "pivot_root"), count(model, "call", "pivot_root") == 1 ? "" : "s");
    if (synced > 0) {
        (void)fprintf(out, " It took %.1f ms to bring records safely to the disk (fsync).",
                      ms(synced));
    }
}

/* What failed on the way and was made good does not count: the command itself must have failed. */
static void tell_failure(FILE *out, const struct model *model)
{
    for (size_t i = model->n_spans; i > 0 && model->spans[0].failed; i--) {
        if (model->spans[i - 1].failed) {
            (void)fprintf(out, " It failed where %s %s: %s.",
                          model->spans[i - 1].role >= 0
                              ? ct_role_name((enum ct_role)model->spans[i - 1].role)
                              : "somebody",
                          words_of(model->spans[i - 1].step), model->spans[i - 1].error);
            return;
        }
    }
}

int render_story(FILE *out, const struct model *model, const struct render_options *options,
                 struct ct_error *err)
{
    int64_t all = model->command_end_ns - model->start_ns;
    const struct model_row *first = model_first_instruction(model);
    (void)options;
    (void)err;

    (void)fprintf(out, "The command took %.1f ms",
                  ms(model->command_end_ns - model->command_begin_ns));
    if (first) {
        (void)fprintf(out, "; the container's first instruction came after %.1f ms",
                      ms(first->ns - model->start_ns));
    }
    (void)fputc('.', out);
    tell_longest(out, model, all);
    if (ct_json_bool(model->header, "kernel_events", true)) {
        tell_kernel(out, model);
    } else {
        (void)fprintf(out, " What the kernel did is not recorded.");
    }
    tell_failure(out, model);
    (void)fputc('\n', out);
    return 0;
}
