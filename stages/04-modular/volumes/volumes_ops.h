/*
 * volumes_ops.h - where volumes are kept, once one daemon must choose between two.
 *
 * Room:       volumes (stage 04).
 * Called by:  front.c, which has the choice; nobody else touches a table.
 * Behind it:  remote.c (containerd keeps them), local.c (stage 01's store, in the daemon).
 *
 * Up to stage 03 volumes.h had one implementation. Each entry here is the function of the same name
 * there; what it does is described there and nowhere else.
 */
#ifndef VOLUMES_OPS_H
#define VOLUMES_OPS_H

#include "volumes.h"

struct volume_backend; /* an implementation's own store */

struct volume_ops {
    struct volume_backend *(*open)(const char *dir, struct ct_error *err);
    void (*close)(struct volume_backend *store);
    json_t *(*ensure)(struct volume_backend *store, const json_t *body, bool *ret_made,
                      struct ct_error *err);
    json_t *(*find)(struct volume_backend *store, const char *name, struct ct_error *err);
    json_t *(*list)(struct volume_backend *store, struct ct_error *err);
    int (*remove)(struct volume_backend *store, const char *name, bool force, struct ct_error *err);
    long long (*size)(struct volume_backend *store, const char *name, struct ct_error *err);
    int (*populate)(struct volume_backend *store, const json_t *mount_point, int rootfs_fd,
                    volume_copy_fn copy, struct ct_error *err);
};

extern const struct volume_ops volume_remote_ops, volume_local_ops;

#endif
