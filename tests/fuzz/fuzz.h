/*
 * fuzz.h - what the targets share: a folder of their own, and what holds of every refusal.
 *
 * Room:       tests; included by the fuzz targets.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "cleanup.h"
#include "error.h"
#include "path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char *fuzz_home_path;

static inline void fuzz_remove_home(void)
{
    struct ct_error err = {0};
    (void)ct_remove_tree(AT_FDCWD, fuzz_home_path, &err);
}

/* A new directory in TMPDIR, removed at the end; after a crash that is left to tools/fuzz. */
static inline const char *fuzz_home(void)
{
    const char *parent = getenv("TMPDIR");

    fuzz_home_path = ct_join(parent && *parent ? parent : "/tmp", "fuzz-XXXXXX");
    if (!mkdtemp(fuzz_home_path)) {
        abort();
    }
    (void)atexit(fuzz_remove_home);
    return fuzz_home_path;
}

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
