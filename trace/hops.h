/*
 * hops.h - the borders between roles, and how each is crossed.
 *
 * Room:       trace.   Called by: the renderers (compare.c, show_html.c, show_mermaid.c).
 *
 * The one idea of Cutaway in one table: a border that is a call in one stage is a message in the
 * next.
 */
#ifndef TRACE_HOPS_H
#define TRACE_HOPS_H

#include "model.h"

struct hop_counts {
    size_t messages; /* one process asked, another one answered or was started for it */
    size_t calls;    /* in one process */
    size_t execs;    /* a program that tells no spans took the place of one that does */
};

/* By the role that asks and the role that does. */
struct hop_table {
    struct hop_counts at[MODEL_ROLES][MODEL_ROLES];
};

void hop_count(const struct model *model, struct hop_table *ret);

#endif
