/*
 * lookup.h - what the layers below a snapshot hold at a path.
 *
 * Room:       snapshots.
 * Called by:  diff.c.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "snapshots_internal.h"

/* The layers of one chain, opened. */
struct lower {
    bool overlay;
    int *roots; /* topmost first */
    size_t n;
};

int lower_init(struct lower *lower, struct snapshot_store *store, char *const *chain,
               struct ct_error *err);
/* The same of roots that are open: duplicates of them. */
int lower_init_roots(struct lower *lower, const int *roots, size_t n, bool overlay,
                     struct ct_error *err);
void lower_done(struct lower *lower);

/* 1: path ("a/b") is visible, *ret_status filled; 0: not (deleted, hidden or never there); -1. */
int lower_find(const struct lower *lower, const char *path, struct stat *ret_status,
               struct ct_error *err);

/* The sorted names visible in the directory path ("" : the root); empty when it is none. Owned. */
char **lower_names(const struct lower *lower, const char *path, struct ct_error *err);

#endif
