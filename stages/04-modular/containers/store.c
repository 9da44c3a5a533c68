/*
 * store.c - all records, in memory; and what changes their number or names.
 *
 * Room:       containers (stage 04).   Called by: engine, monitor.
 *
 * Stage 01's store asks the file system at each turn, because other processes write there, too. Now
 * one daemon is the only one who writes, and its monitors are threads: so it reads all records
 * once, and what it writes it writes to containerd first and then here. Nothing else is its own: it
 * may be killed at any moment.
 *
 * DIR/<id> is a place only, for what is bound into the container, and logs. It is made when
 * somebody first needs it, and goes into DIR/trash before the record does; one that no record
 * answers to is another containerd's, and is left alone.
 */
#define CT_LAYER "containers"
#include "records_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the handle ----------------------------------------------------------------------------- */

static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER; /* guards stores and holders */
static struct container_store *stores;

static void store_free(struct container_store *store)
{
    ct_cleanup_close(&store->dir_fd);
    ct_cleanup_close(&store->run_fd);
    ct_cleanup_close(&store->trash_fd);
    copies_done(&store->known);
    (void)pthread_mutex_destroy(&store->mutex);
    (void)pthread_mutex_destroy(&store->change);
    free(store->dir);
    free(store->run_dir);
    free(store->label);
    free(store);
}

/* Records of a time when another containerd, or none, kept them. */
static void warn_of_others(const struct container_store *store)
{
    CT_AUTO_DIR DIR *open = opendir(store->dir);
    int n = 0;

    for (struct dirent *entry; open && (entry = readdir(open));) {
        n += is_container_id(entry->d_name) && !copies_find(&store->known, entry->d_name);
    }
    if (n > 0) {
        ct_warn("%s has places of %d containers that this containerd does not know", store->dir, n);
    }
}

static int store_fill(struct container_store *store, struct ct_error *err)
{
    CT_AUTO_FREE char *trash = ct_join(store->dir, "trash");

    if ((store->dir_fd = ct_mkdirs(store->dir, 0700, err)) < 0 ||
        (store->run_fd = ct_mkdirs(store->run_dir, 0700, err)) < 0 ||
        (store->trash_fd = ct_mkdirs(trash, 0700, err)) < 0 || remote_load(store, err) < 0) {
        return -1;
    }
    copies_sort(&store->known);
    warn_of_others(store);
    trash_sweep(store->trash_fd);
    return 0;
}

/* With stores_lock held. */
static struct container_store *store_new(const char *dir, const char *run_dir, struct ct_error *err)
{
    CT_AUTO_JSON json_t *label = ct_json_string_lossy(dir, strlen(dir));
    struct container_store *store = calloc(1, sizeof(*store));
    if (!store) {
        return ct_fail_null(err, ENOMEM, "open the containers of '%s'", dir);
    }
    *store = (struct container_store){.dir = ct_strdup(dir),
                                      .run_dir = ct_strdup(run_dir),
                                      .label = ct_strdup(json_string_value(label)),
                                      .dir_fd = -1,
                                      .run_fd = -1,
                                      .trash_fd = -1,
                                      .change = PTHREAD_MUTEX_INITIALIZER,
                                      .mutex = PTHREAD_MUTEX_INITIALIZER};
    if (store_fill(store, err) < 0) {
        store_free(store);
        return ct_while_null(err, "open the containers of '%s'", dir);
    }
    store->next = stores;
    stores = store;
    return store;
}

struct container_store *container_store_open(const char *dir, const char *run_dir,
                                             struct ct_error *err)
{
    (void)pthread_mutex_lock(&stores_lock);
    struct container_store *store = stores;
    while (store && strcmp(store->dir, dir) != 0) {
        store = store->next;
    }
    store = store ? store : store_new(dir, run_dir, err);
    if (store) {
        store->holders++;
    }
    (void)pthread_mutex_unlock(&stores_lock);
    return store;
}

void container_store_close(struct container_store *store)
{
    if (!store) {
        return;
    }
    (void)pthread_mutex_lock(&stores_lock);
    if (--store->holders == 0) {
        struct container_store **link = &stores;
        while (*link != store) {
            link = &(*link)->next;
        }
        *link = store->next;
        store_free(store);
    }
    (void)pthread_mutex_unlock(&stores_lock);
}

/* ---- what is known -------------------------------------------------------------------------- */

struct copy *store_hold(struct container_store *store, const char *id)
{
    (void)pthread_mutex_lock(&store->mutex);
    struct copy **found = copies_find(&store->known, id);
    struct copy *held = found ? copy_hold(*found) : NULL;
    (void)pthread_mutex_unlock(&store->mutex);
    return held;
}

static struct copy *make_copy(const struct container_store *store, const char *id, json_t *config,
                              json_t *state)
{
    struct copy *copy = copy_new(sizeof(*copy), store->dir, store->run_dir, id);

    if (!copy) {
        abort(); /* as everywhere when small memory is out */
    }
    copy->container.config = json_incref(config);
    copy->container.state = json_incref(state);
    copy->container.created_ns = record_created_ns(config);
    return copy;
}

void store_replace(struct container_store *store, const char *id, json_t *config, json_t *state)
{
    (void)pthread_mutex_lock(&store->mutex);
    struct copy **found = copies_find(&store->known, id);
    struct copy *old = found ? *found : NULL;
    if (old) {
        *found = make_copy(store, id, config ? config : old->container.config,
                           state ? state : old->container.state);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    if (old) {
        copy_release(old);
    }
}

bool store_find_name(struct container_store *store, const char *name, char ret_id[static 65])
{
    bool found = false;

    (void)pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->known.n && !found; i++) {
        const struct container *container = &store->known.copy[i]->container;
        found = strcmp(container_name(container), name) == 0;
        if (found) {
            memcpy(ret_id, container->id, 65);
        }
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return found;
}

static void add(struct container_store *store, const char *id, json_t *config, json_t *state)
{
    (void)pthread_mutex_lock(&store->mutex);
    copies_add(&store->known, make_copy(store, id, config, state));
    copies_sort(&store->known);
    (void)pthread_mutex_unlock(&store->mutex);
}

static void forget(struct container_store *store, const char *id)
{
    (void)pthread_mutex_lock(&store->mutex);
    struct copy **found = copies_find(&store->known, id);
    struct copy *old = found ? *found : NULL;
    if (old) {
        struct copy **end = store->known.copy + store->known.n--;
        memmove(found, found + 1, (size_t)(end - found - 1) * sizeof(struct copy *));
    }
    (void)pthread_mutex_unlock(&store->mutex);
    if (old) {
        copy_release(old);
    }
}

const struct container **container_list(struct container_store *store, struct ct_error *err)
{
    (void)pthread_mutex_lock(&store->mutex);
    struct copies all = copies_hold(&store->known);
    (void)pthread_mutex_unlock(&store->mutex);
    return copies_list(&all, err);
}

/* ---- create, rename, delete ----------------------------------------------------------------- */

/* Nobody else changes names meanwhile: the caller holds the lock for that. */
int name_claim(struct container_store *store, const char *name, const char *id,
               struct ct_error *err)
{
    char holder[65];
    return store_find_name(store, name, holder) && strcmp(holder, id) != 0
               ? name_refuse_taken(name, holder, err)
               : 0;
}

static struct container *publish(struct container_store *store, const char *id, json_t *config,
                                 struct ct_error *err)
{
    CT_AUTO_JSON json_t *state = record_fresh_state();
    CT_AUTO_JSON json_t *kept = json_deep_copy(config);
    struct ct_error ignored = {0};

    if (remote_create(store, id, config, state, err) < 0) {
        return NULL;
    }
    add(store, id, kept, state);
    struct container *container = record_open(store, id, err);
    if (container && container_lock(container, STORE_LOCK_TIMEOUT_MS, err) == 0) {
        return container;
    }
    container_free(container);
    (void)remote_delete(id, &ignored); /* err keeps the first cause */
    forget(store, id);
    (void)unlinkat(store->dir_fd, id, AT_REMOVEDIR);
    return NULL;
}

/* With the lock for changes held. */
static struct container *create(struct container_store *store, const char *wanted, json_t *config,
                                struct ct_error *err)
{
    char id[2 * CONTAINER_ID_BYTES + 1];

    ct_random_hex(id, CONTAINER_ID_BYTES);
    CT_AUTO_FREE char *chosen = wanted ? ct_strdup(wanted) : name_choose(store, id, err);
    if (!chosen || (wanted && name_claim(store, wanted, id, err) < 0)) {
        return NULL;
    }
    record_fill_in(config, id, chosen);
    struct container *container = publish(store, id, config, err);
    if (container) { /* the caller's own document, so that both see the same */
        json_decref(container->config);
        container->config = json_incref(config);
    }
    return container;
}

struct container *container_create(struct container_store *store, const char *name, json_t *config,
                                   struct ct_error *err)
{
    const char *wanted = name && name[0] == '/' ? name + 1 : name;

    if (record_check(config, err) < 0 || (wanted && name_check(wanted, err) < 0)) {
        return NULL;
    }
    (void)pthread_mutex_lock(&store->change);
    struct container *container = create(store, wanted, config, err);
    (void)pthread_mutex_unlock(&store->change);
    return container;
}

int container_rename(struct container_store *store, struct container *container, const char *name,
                     struct ct_error *err)
{
    const char *wanted = name[0] == '/' ? name + 1 : name;
    CT_AUTO_FREE char *old = ct_strdup(container_name(container));

    if (name_check_new(wanted, old, err) < 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&store->change);
    int result = name_claim(store, wanted, container->id, err);
    if (result == 0) {
        ct_json_set(container->config, "Name", json_sprintf("/%s", wanted));
        result = container_save_config(container, err);
        if (result < 0) {
            ct_json_set(container->config, "Name", json_sprintf("/%s", old));
        }
    }
    (void)pthread_mutex_unlock(&store->change);
    return result;
}

static int into_trash(const struct container_store *store, const char *id, struct ct_error *err)
{
    return renameat(store->dir_fd, id, store->trash_fd, id) < 0 && errno != ENOENT
               ? ct_fail(err, errno, "remove the place of container '%.12s'", id)
               : 0;
}

/* Place, record, and then everything that only a record makes findable. */
static int delete (struct container_store *store, const struct container *container,
                   struct ct_error *err)
{
    const char *id = container->id;
    struct ct_error ignored = {0};

    if (into_trash(store, id, err) < 0) {
        return -1;
    }
    if (remote_delete(id, err) < 0) {
        (void)renameat(store->trash_fd, id, store->dir_fd, id); /* err keeps the first cause */
        return -1;
    }
    forget(store, id);
    record_tell(container);
    trash_sweep(store->trash_fd);
    (void)into_trash(store, id, &ignored); /* made again by who found it a moment ago */
    trash_sweep(store->trash_fd);
    /* Last of all, because it holds the lock file that others may be waiting for. */
    return ct_remove_tree(store->run_fd, id, err) < 0 ? -1 : ct_sync_dir(store->dir_fd, err);
}

int container_delete(struct container_store *store, struct container *container,
                     struct ct_error *err)
{
    (void)pthread_mutex_lock(&store->change);
    int result = delete (store, container, err);
    (void)pthread_mutex_unlock(&store->change);
    return result;
}
