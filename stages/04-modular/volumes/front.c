/*
 * front.c - each function of volumes.h that needs a store, handed to who keeps the volumes.
 *
 * Room:       volumes (stage 04).   Called by: see volumes.h.
 *
 * That is containerd, if it is ours: it offers the service, and its volumes are in ROOT/volumes
 * of its own. Docker's containerd has no volumes; then they are in the daemon's DIR, as before. A
 * process asks once and keeps to it, so no volume is ever looked for in the other place. What a
 * request's mounts mean (parse.c, resolve.c of stage 01) is the daemon's to find out in any case.
 */
#define CT_LAYER "volumes"
#include "volumes_ops.h"

#include "connection.h"

#include "cleanup.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct volume_store {
    const struct volume_ops *ops;
    struct volume_backend *backend;
};

/* ---- choosing ------------------------------------------------------------------------------- */

/* Of a time when another containerd was behind this daemon. */
static void warn_of_others(const char *dir)
{
    CT_AUTO_DIR DIR *open = opendir(dir);
    int n = 0;

    for (struct dirent *entry; open && (entry = readdir(open));) {
        n += entry->d_name[0] != '.';
    }
    if (n > 0) {
        ct_warn("%d volumes in %s are not seen: containerd keeps volumes now", n, dir);
    }
}

/* NULL: containerd does not answer (err). */
static const struct volume_ops *choose(const char *dir, struct ct_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct volume_ops *chosen;

    (void)pthread_mutex_lock(&lock);
    if (!chosen) {
        int offered = connection_offers("volumes", err);
        if (offered > 0) {
            warn_of_others(dir);
        }
        chosen = offered < 0 ? NULL : offered ? &volume_remote_ops : &volume_local_ops;
    }
    const struct volume_ops *result = chosen;
    (void)pthread_mutex_unlock(&lock);
    return result;
}

/* ---- the door ------------------------------------------------------------------------------- */

struct volume_store *volume_store_open(const char *dir, struct ct_error *err)
{
    const struct volume_ops *ops = choose(dir, err);
    struct volume_store *store = ops ? calloc(1, sizeof(*store)) : NULL;

    if (!store) {
        return ops ? ct_fail_null(err, ENOMEM, "open the volumes")
                   : ct_while_null(err, "find out who keeps the volumes");
    }
    *store = (struct volume_store){ops, ops->open(dir, err)};
    if (!store->backend) {
        free(store);
        return NULL;
    }
    return store;
}

void volume_store_close(struct volume_store *store)
{
    if (store) {
        store->ops->close(store->backend);
        free(store);
    }
}

json_t *volume_create(struct volume_store *store, const json_t *body, struct ct_error *err)
{
    bool made;
    /* cppcheck-suppress returnDanglingLifetime ; a document of its own comes back */
    return store->ops->ensure(store->backend, body, &made, err);
}

json_t *volume_ensure(struct volume_store *store, const json_t *body, bool *ret_made,
                      struct ct_error *err)
{
    return store->ops->ensure(store->backend, body, ret_made, err);
}

json_t *volume_find(struct volume_store *store, const char *name, struct ct_error *err)
{
    return store->ops->find(store->backend, name, err);
}

json_t *volume_list(struct volume_store *store, struct ct_error *err)
{
    return store->ops->list(store->backend, err);
}

int volume_remove(struct volume_store *store, const char *name, bool force, struct ct_error *err)
{
    return store->ops->remove(store->backend, name, force, err);
}

long long volume_size(struct volume_store *store, const char *name, struct ct_error *err)
{
    return store->ops->size(store->backend, name, err);
}

int volume_populate(struct volume_store *store, const json_t *mount_point, int rootfs_fd,
                    volume_copy_fn copy, struct ct_error *err)
{
    return store->ops->populate(store->backend, mount_point, rootfs_fd, copy, err);
}
