/*
 * diff.h - the changes of a snapshot against its layers, as a list.
 *
 * Room:       snapshots.
 * Called by:  diff.c, tar_write.c.
 */
#ifndef DIFF_H
#define DIFF_H

#include "snapshots_internal.h"

enum change_kind { CHANGE_MODIFIED = 0, CHANGE_ADDED = 1, CHANGE_DELETED = 2 }; /* Docker's */

struct change {
    char *path; /* "/a/b" */
    enum change_kind kind;
};

struct changes {
    struct change *items; /* sorted by path */
    size_t n, size;
    int root; /* O_PATH of what the container wrote */
};

/* Fills *ret, which changes_done() releases (also after a failure). */
int changes_find(struct snapshot_store *store, const char *key, struct changes *ret,
                 struct ct_error *err);
/* The same of an overlay's upper directory over these roots (topmost first); all borrowed. */
int changes_find_upper(int root, const int *lower, size_t n, struct changes *ret,
                       struct ct_error *err);
void changes_done(struct changes *changes);

#endif
