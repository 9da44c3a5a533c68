/*
 * containers.c - the store of containers, and what changes it: create, rename, delete.
 *
 * Room:       containers.   Called by: engine, monitor.
 * Man:        rename(2), symlink(2), flock(2).
 *
 * The three changes hold DIR/lock. Each is a sequence of steps that are atomic by themselves, in
 * an order such that a record always has its name's link; a crash in between leaves only what
 * trash_sweep() knows to be garbage: something in trash/, or a link that no record answers to.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int lock_store(const struct container_store *store, int timeout_ms, struct ct_error *err)
{
    return ct_lock_at(store->dir_fd, "lock", CT_LOCK_EXCLUSIVE, timeout_ms, err);
}

/* Sweeps only when nobody works, and only when there is something: opening a store must be cheap.
 */
static void sweep_if_idle(const struct container_store *store)
{
    struct ct_error busy = {0};

    if (trash_is_empty(store->trash_fd)) {
        return;
    }
    CT_AUTO_CLOSE int lock = lock_store(store, 0, &busy);
    if (lock >= 0) {
        trash_sweep(store->trash_fd);
    }
}

static int open_below(const char *dir, const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(dir, name);
    return ct_mkdirs(path, 0700, err);
}

struct container_store *container_store_open(const char *dir, const char *run_dir,
                                             struct ct_error *err)
{
    struct container_store *store = calloc(1, sizeof(*store));
    if (!store) {
        return ct_fail_null(err, ENOMEM, "open the containers of '%s'", dir);
    }
    *store = (struct container_store){.dir = ct_strdup(dir),
                                      .run_dir = ct_strdup(run_dir),
                                      .dir_fd = ct_mkdirs(dir, 0700, err),
                                      .run_fd = -1,
                                      .names_fd = -1,
                                      .trash_fd = -1,
                                      .mutex = PTHREAD_MUTEX_INITIALIZER};
    if (store->dir_fd < 0 || (store->run_fd = ct_mkdirs(run_dir, 0700, err)) < 0 ||
        (store->names_fd = open_below(dir, "names", err)) < 0 ||
        (store->trash_fd = open_below(dir, "trash", err)) < 0) {
        container_store_close(store);
        return NULL;
    }
    sweep_if_idle(store);
    return store;
}

void container_store_close(struct container_store *store)
{
    if (!store) {
        return;
    }
    ct_cleanup_close(&store->dir_fd);
    ct_cleanup_close(&store->run_fd);
    ct_cleanup_close(&store->names_fd);
    ct_cleanup_close(&store->trash_fd);
    copies_done(&store->known);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store->dir);
    free(store->run_dir);
    free(store);
}

/* A whole record in trash/, on disk to the last byte, ready to be moved to its place. */
static int build_record(const struct container_store *store, const char *id, const json_t *config,
                        struct ct_error *err)
{
    CT_AUTO_JSON json_t *state = record_fresh_state();

    if (mkdirat(store->trash_fd, id, 0700) < 0) {
        return ct_fail(err, errno, "make the record of container '%.12s'", id);
    }
    CT_AUTO_CLOSE int dir = openat(store->trash_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return ct_fail(err, errno, "open the record of container '%.12s'", id);
    }
    if (ct_json_save_at(dir, "config.json", config, err) < 0) {
        return -1;
    }
    return ct_json_save_at(dir, "state.json", state, err);
}

/* The last step: from now on everybody sees it. Its lock is ours before that. */
static struct container *publish(struct container_store *store, const char *id,
                                 struct ct_error *err)
{
    if (renameat(store->trash_fd, id, store->dir_fd, id) < 0) {
        return ct_fail_null(err, errno, "put the record of container '%.12s' in place", id);
    }
    struct container *container = NULL;
    if (ct_sync_dir(store->dir_fd, err) == 0) {
        container = record_open(store, id, err);
    }
    if (container && container_lock(container, STORE_LOCK_TIMEOUT_MS, err) == 0) {
        return container;
    }
    container_free(container);
    (void)renameat(store->dir_fd, id, store->trash_fd, id); /* err keeps the first cause */
    return NULL;
}

struct container *container_create(struct container_store *store, const char *name, json_t *config,
                                   struct ct_error *err)
{
    char id[65];
    struct container *container = NULL;
    const char *wanted = name && name[0] == '/' ? name + 1 : name;

    if (record_check(config, err) < 0 || (wanted && name_check(wanted, err) < 0)) {
        return NULL;
    }
    CT_AUTO_CLOSE int lock = lock_store(store, STORE_LOCK_TIMEOUT_MS, err);
    if (lock < 0) {
        return NULL;
    }
    ct_random_hex(id, CONTAINER_ID_BYTES);
    CT_AUTO_FREE char *chosen = wanted ? ct_strdup(wanted) : name_choose(store, id, err);
    if (!chosen || (wanted && name_claim(store, wanted, id, err) < 0)) {
        return NULL;
    }
    record_fill_in(config, id, chosen);
    if (build_record(store, id, config, err) == 0) {
        container = publish(store, id, err);
    }
    if (!container) {
        name_release(store, chosen);
        trash_sweep(store->trash_fd);
        return NULL;
    }
    json_decref(container->config); /* the caller's own document, so that both see the same */
    container->config = json_incref(config);
    return container;
}

/* Order: claim the new name, change the record, give up the old name. */
int container_rename(struct container_store *store, struct container *container, const char *name,
                     struct ct_error *err)
{
    const char *wanted = name[0] == '/' ? name + 1 : name;
    CT_AUTO_FREE char *old = ct_strdup(container_name(container));

    if (name_check_new(wanted, old, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int lock = lock_store(store, STORE_LOCK_TIMEOUT_MS, err);
    if (lock < 0 || name_claim(store, wanted, container->id, err) < 0) {
        return -1;
    }
    ct_json_set(container->config, "Name", json_sprintf("/%s", wanted));
    if (container_save_config(container, err) < 0) {
        ct_json_set(container->config, "Name", json_sprintf("/%s", old));
        name_release(store, wanted);
        return -1;
    }
    name_release(store, old);
    return 0;
}

int container_delete(struct container_store *store, struct container *container,
                     struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = lock_store(store, STORE_LOCK_TIMEOUT_MS, err);
    if (lock < 0) {
        return -1;
    }
    if (renameat(store->dir_fd, container->id, store->trash_fd, container->id) < 0 &&
        errno != ENOENT) {
        return ct_fail(err, errno, "remove the record of container '%.12s'", container->id);
    }
    name_release(store, container_name(container));
    trash_sweep(store->trash_fd);
    /* Last of all, because it holds the lock file that others may be waiting for. */
    if (ct_remove_tree(store->run_fd, container->id, err) < 0) {
        return -1;
    }
    return ct_sync_dir(store->dir_fd, err);
}
