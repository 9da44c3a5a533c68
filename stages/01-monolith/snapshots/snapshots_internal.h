/*
 * snapshots_internal.h - what the files of this room share.
 *
 * Room:       snapshots; nobody else includes it.
 *
 * On disk, below the store's directory:
 *   driver                     "overlay" or "copy"
 *   lock                       flock(2): every change of layers/ and active/
 *   tmp/<random>/              work under way; its maker holds a flock on the directory itself
 *   layers/<hex>/fs/           one layer's own files, deletions marked as the driver needs them
 *   layers/<hex>/size          bytes of its regular files, in decimal
 *   layers/<hex>/parent        symlink "../<hex>" to the layer below; absent for the first
 *   active/<key>/fs/           what the container wrote (copy: everything it sees)
 *   active/<key>/work/         overlayfs's own scratch directory
 *   active/<key>/lower/<n>     symlinks to the layers' fs, 0 is the topmost
 *   active/<key>/mounted       symlink to where it was mounted last
 */
#ifndef SNAPSHOTS_INTERNAL_H
#define SNAPSHOTS_INTERNAL_H

#define CT_LAYER "snapshots"

#include "cleanup.h"
#include "digest.h"
#include "error.h"
#include "scratch.h"
#include "snapshots.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define DEPTH_MAX 500 /* layers below one snapshot: the kernel's OVL_MAX_STACK */

struct snapshot_store {
    char *dir;
    int fd;     /* dir */
    int layers; /* dir/layers */
    int active; /* dir/active */
    int tmp;    /* dir/tmp */
    bool overlay;
};

/* store.c */
int store_lock(struct snapshot_store *store, struct ct_error *err);

/*
 * The directories of a chain, topmost first, as hex names: NULL-terminated, owned. CT_NOT_FOUND
 * when a layer is missing; an empty list for "".
 */
char **store_chain(struct snapshot_store *store, const char *chain_id, struct ct_error *err);

/* The same for a writable snapshot, from its lower/ links. */
char **store_chain_of_key(struct snapshot_store *store, const char *key, struct ct_error *err);

/* Opens layers/<hex>/fs as a root for path.h. */
int store_open_layer(struct snapshot_store *store, const char *hex, struct ct_error *err);

/* Key syntax: [A-Za-z0-9_.-]+, not "." or "..". */
int store_check_key(const char *key, struct ct_error *err);

/* readlinkat(2) into fresh memory; NULL with errno set. */
char *read_link_at(int dir_fd, const char *name);

/* mount.c: an overlay of layers (hex names, topmost first) and the snapshot directory on target. */
int overlay_mount(struct snapshot_store *store, int snapshot_fd, const char *snapshot_path,
                  char *const *layers, const char *target, struct ct_error *err);
/* 1 when something is mounted exactly on path, 0 when not (or nothing is there), -1 (err). */
int is_mount_point(const char *path, struct ct_error *err);

/*
 * marks.c: how a layer on disk says "deleted" and "nothing of what was below".
 *   overlay: a character device 0:0 named x; the xattr trusted.overlay.opaque = y
 *   copy:    an empty file named .wh.x; an empty file .wh..wh..opq (as in the tar)
 */
#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

int mark_deleted(bool overlay, int dir_fd, const char *name, struct ct_error *err);
int mark_opaque(bool overlay, int dir_fd, struct ct_error *err);
bool is_deletion_node(const struct stat *status); /* the overlay form of "deleted" */
bool is_opaque_dir(bool overlay, int dir_fd);

#endif
