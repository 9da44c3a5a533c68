/*
 * told.h - what holds of every refusal, whatever was sent.
 *
 * Room:       tests; included by the fuzz targets.
 */
#ifndef FUZZ_TOLD_H
#define FUZZ_TOLD_H

#include "cleanup.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* It says why, in one line for a terminal, and crosses a wire without losing a frame. */
static inline void must_be_told(const struct ct_error *err)
{
    char line[4096];

    if (err->kind == CT_NONE || err->depth < 1 ||
        strpbrk(ct_error_render(err, line, sizeof(line)), "\n\r\033")) {
        abort();
    }
    CT_AUTO_JSON json_t *document = ct_error_to_json(err);
    struct ct_error back = {0};
    if (!document || ct_error_from_json(document, &back) < 0 || back.kind != err->kind ||
        back.depth != err->depth) {
        abort();
    }
}

#endif
