/*
 * figures.h - libcontainer's figures as a message: one for each version of control groups.
 *
 * Room:       shim.   Called by: figures.c; the tests.
 */
#ifndef SHIM_FIGURES_H
#define SHIM_FIGURES_H

#include "shim_internal.h"

#include "pool.h"

#include <jansson.h>
#include <stddef.h>

/* Where a figure stands in the document, and where in the message (a uint64_t). */
struct figure {
    const char *path; /* NULL: the end of the rows */
    size_t offset;
};

void figure_fill(void *message, const json_t *figures, const struct figure *rows);
uint64_t figure_number(const json_t *figures, const char *path);
char *figure_text(struct pool *pool, const char *text);

/* Their parts live in the pool. */
const ProtobufCMessage *figures_v1(const json_t *figures, uint64_t oom_kills, struct pool *pool);
const ProtobufCMessage *figures_v2(const json_t *figures, uint64_t oom_kills, struct pool *pool);

#endif
