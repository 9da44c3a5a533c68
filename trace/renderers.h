/*
 * renderers.h - the ways to show a recording: one file each, one row in a table (main.c).
 *
 * Room:       trace.   Called by: main.c.
 */
#ifndef TRACE_RENDERERS_H
#define TRACE_RENDERERS_H

#include "model.h"

#include <stdio.h>

struct render_options {
    int width; /* columns */
    bool colour;
    bool brief; /* a picture: borders, programs, long steps; a comparison: the table alone */
};

int render_waterfall(FILE *out, const struct model *model, const struct render_options *options,
                     struct ct_error *err);
int render_story(FILE *out, const struct model *model, const struct render_options *options,
                 struct ct_error *err);
int render_html(FILE *out, const struct model *model, const struct render_options *options,
                struct ct_error *err);
int render_chrome(FILE *out, const struct model *model, const struct render_options *options,
                  struct ct_error *err);
int render_otlp(FILE *out, const struct model *model, const struct render_options *options,
                struct ct_error *err);
int render_mermaid(FILE *out, const struct model *model, const struct render_options *options,
                   struct ct_error *err);
int render_folded(FILE *out, const struct model *model, const struct render_options *options,
                  struct ct_error *err);
int render_jsonl(FILE *out, const struct model *model, const struct render_options *options,
                 struct ct_error *err);

/* Several recordings (n >= 2) side by side, each with what it adds to the one before; names are
 * what to call them. */
void render_comparison(FILE *out, const struct model *const *models, const char *const *names,
                       size_t n, const struct render_options *options);

#endif
