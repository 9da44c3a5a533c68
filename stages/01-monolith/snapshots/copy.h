/*
 * copy.h - copies of trees: the copy driver, and a volume's first contents.
 *
 * Room:       snapshots.
 * Called by:  active.c.
 */
#ifndef COPY_H
#define COPY_H

#include "snapshots_internal.h"

/* Applies the layers of chain (topmost first) one over the other to the empty scratch/fs. */
int copy_layers(struct snapshot_store *store, char *const *chain, int scratch,
                struct ct_error *err);

#endif
