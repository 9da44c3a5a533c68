/*
 * trace_models.h - recordings as texts, and what the renderers make of them.
 *
 * Room:       tests/unit.   Called by: test_trace.c, test_trace_files.c.
 */
#ifndef TRACE_MODELS_H
#define TRACE_MODELS_H

#include "recording.h"
#include "renderers.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The text as a file that has no name. */
static inline json_t *read_text(const char *text, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char path[32];
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return recording_read(ct_fd_path(fd, path), err);
}

static inline struct model *model_of(const char *text)
{
    struct ct_error err = {0};
    json_t *lines = read_text(text, &err);
    assert_non_null(lines);
    struct model *model = model_new(lines, &err);
    assert_non_null(model);
    return model;
}

/* The same with ' for ", which reads better in C. */
static inline struct model *model_of_quoted(const char *text)
{
    CT_AUTO_FREE char *copy = ct_strdup(text);
    for (char *c = copy; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return model_of(copy);
}

typedef int (*render_fn)(FILE *, const struct model *, const struct render_options *,
                         struct ct_error *);

/* What a renderer writes about a recording; the model is given away. Owned. */
static inline char *text_of(render_fn fn, struct model *model, const struct render_options *options)
{
    struct ct_error err = {0};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_int_equal(fn(out, model, options, &err), 0);
    (void)fclose(out);
    model_free(model);
    return text;
}

/* Takes the text apart. */
static inline void assert_width(char *text, size_t width)
{
    char *position = NULL;

    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        size_t columns = 0;
        for (const char *c = line; *c; c++) {
            columns += ((unsigned char)*c & 0xC0) != 0x80;
        }
        assert_in_range(columns, 0, width);
    }
}

#endif
