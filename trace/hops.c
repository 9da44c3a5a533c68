/*
 * hops.c - the borders between roles, and how each is crossed.
 *
 * Room:       trace.   Called by: see hops.h.
 */
#include "hops.h"

#include "span.h"

#include <stdlib.h>

/* False: the span begins on its own side of every border. */
static bool hop_of_span(const struct model *model, const struct model_span *span, struct hop *ret)
{
    const struct model_span *parent = model_parent(model, span);

    if (!parent || parent->role < 0 || span->role < 0) {
        return false;
    }
    *ret = (struct hop){.kind = model_sender(model, span) ? HOP_MESSAGE : HOP_CALL,
                        .from = parent->role,
                        .to = span->role,
                        .ns = span->begin_ns,
                        .asker = parent,
                        .span = span};
    return ret->kind == HOP_MESSAGE ||
           (parent->role != span->role && (parent->pid == span->pid || span->in_fork));
}

/* What tells no spans is seen by the kernel: an exec after which a process has another role. */
static bool hop_of_exec(const struct model_row *row, struct hop *ret)
{
    bool silent =
        row->role == CT_ROLE_LXC || row->role == CT_ROLE_INIT || row->role == CT_ROLE_CONTAINER;

    *ret = (struct hop){
        .kind = HOP_EXEC, .from = row->role_before, .to = row->role, .ns = row->ns, .exec = row};
    return silent && row->role_before >= 0 && row->role_before != row->role;
}

struct hop *hop_list(const struct model *model, size_t *ret_n)
{
    struct hop *hops = calloc(model->n_rows + 1, sizeof(*hops));
    size_t n = 0;

    for (size_t i = 0; hops && i < model->n_rows; i++) {
        const struct model_row *row = &model->rows[i];
        n += row->span ? hop_of_span(model, row->span, &hops[n]) : hop_of_exec(row, &hops[n]);
    }
    *ret_n = n;
    return hops;
}

void hop_count(const struct model *model, struct hop_table *ret)
{
    size_t n = 0;
    struct hop *hops = hop_list(model, &n);

    *ret = (struct hop_table){0};
    for (size_t i = 0; i < n; i++) {
        ret->at[hops[i].from][hops[i].to][hops[i].kind]++;
    }
    free(hops);
}
