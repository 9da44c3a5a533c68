/*
 * hops.c - the borders between roles, and how each is crossed.
 *
 * Room:       trace.   Called by: see hops.h.
 */
#include "hops.h"

#include "json.h"
#include "span.h"

#include <string.h>

static const struct model_span *parent_of(const struct model *model, const struct model_span *span)
{
    for (size_t i = 0; i < model->n_spans; i++) {
        if (strcmp(model->spans[i].id, span->parent) == 0) {
            return &model->spans[i];
        }
    }
    return NULL;
}

static void count_spans(const struct model *model, struct hop_table *table)
{
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i], *parent = parent_of(model, span);
        if (!parent || parent->role < 0 || span->role < 0) {
            continue;
        }
        struct hop_counts *counts = &table->at[parent->role][span->role];
        if (model_sender(model, span)) {
            counts->messages++;
        } else if (parent->role != span->role && (parent->pid == span->pid || span->in_fork)) {
            counts->calls++;
        }
    }
}

/* What tells no spans is seen by the kernel: an exec after which a process has another role. */
static void count_execs(const struct model *model, struct hop_table *table)
{
    for (size_t i = 0; i < model->n_rows; i++) {
        const struct model_row *row = &model->rows[i];
        bool silent =
            row->role == CT_ROLE_LXC || row->role == CT_ROLE_INIT || row->role == CT_ROLE_CONTAINER;
        if (row->event && silent && row->role_before >= 0 && row->role_before != row->role) {
            table->at[row->role_before][row->role].execs++;
        }
    }
}

void hop_count(const struct model *model, struct hop_table *ret)
{
    *ret = (struct hop_table){0};
    count_spans(model, ret);
    count_execs(model, ret);
}
