/*
 * upper.h - an overlay's upper directory, given by its descriptor: filled from a layer, written out
 * as one.
 *
 * Room:       snapshots.
 * Called by:  containerd (04), whose snapshots are in no store of ours.
 * Spec:       OCI image-spec, layer.md.
 */
#ifndef UPPER_H
#define UPPER_H

#include "digest.h"
#include "error.h"
#include "snapshots.h"

#include <stddef.h>
#include <stdint.h>

/* O_PATH roots, borrowed. lower: topmost first. */
struct upper {
    int root;
    const int *lower;
    size_t n_lower;
};

/*
 * upper_fill - unpacks a layer (tar, plain or compressed) into it. Deletions become overlayfs's
 * marks; a directory that the tar only implies looks as the one below. diff_id and *ret_size are of
 * the uncompressed bytes. -1: as snapshot_stage(); what was made stays.
 */
int upper_fill(const struct upper *upper, snapshot_read_fn read, void *context,
               char diff_id[static DIGEST_SIZE], int64_t *ret_size, struct ct_error *err);

/* The same backwards: what it changes, as an uncompressed tar to out_fd. */
int upper_tar(const struct upper *upper, int out_fd, char diff_id[static DIGEST_SIZE],
              struct ct_error *err);

/* Gives own's directory path the owner, mode and time that it has in lower. False: it is not there.
 */
bool upper_dress(int own_root, int lower_root, const char *path);

#endif
