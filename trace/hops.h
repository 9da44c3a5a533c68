/*
 * hops.h - the borders between roles, and how each is crossed.
 *
 * Room:       trace.   Called by: the renderers (compare.c, show_html.c, show_mermaid.c).
 *
 * The one idea of Cutaway: a border that is a call in one stage is a message in the next.
 */
#ifndef TRACE_HOPS_H
#define TRACE_HOPS_H

#include "model.h"

enum hop_kind {
    HOP_CALL,    /* in one process */
    HOP_MESSAGE, /* one process asked, another one answered or was started for it */
    HOP_EXEC,    /* a program that tells no spans took the place of one that does */
};

struct hop {
    enum hop_kind kind;
    int from, to;                   /* roles: who asks, who does */
    int64_t ns;                     /* when it was crossed */
    const struct model_span *asker; /* the span that stands before the border; NULL: an exec */
    const struct model_span *span;  /* the one behind it; NULL: an exec */
    const struct model_row *exec;   /* NULL: a message or a call */
};

/* All of them, in the order of time. Owned (free). NULL only when memory is out. */
struct hop *hop_list(const struct model *model, size_t *ret_n);

/* How often each kind of hop crosses a border. By the role that asks and the role that does. */
struct hop_table {
    size_t at[MODEL_ROLES][MODEL_ROLES][HOP_EXEC + 1];
};

void hop_count(const struct model *model, struct hop_table *ret);

#endif
