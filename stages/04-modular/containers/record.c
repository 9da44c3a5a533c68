/*
 * record.c - one container's record: found, read again, saved, watched.
 *
 * Room:       containers (stage 04).   Called by: engine, monitor; store.c.
 * Man:        inotify(7), futimens(3).
 *
 * Whoever opens a record gets documents of his own, to change and to save; what is known stays as
 * it is until containerd has the new one.
 */
#define CT_LAYER "containers"
#include "records_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening -------------------------------------------------------------------------------- */

/* Its place and RUN/<id>; both are made when they are missing. */
static int open_places(const struct container_store *store, struct container *container,
                       struct ct_error *err)
{
    if (mkdirat(store->dir_fd, container->id, 0700) < 0 && errno != EEXIST) {
        return ct_fail(err, errno, "make the place of container '%.12s'", container->id);
    }
    container->dir_fd = openat(store->dir_fd, container->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (container->dir_fd < 0) {
        return ct_fail(err, errno, "open the place of container '%.12s'", container->id);
    }
    container->run_fd = ct_mkdirs(container->run_dir, 0700, err);
    return container->run_fd < 0 ? -1 : 0;
}

struct container *record_open(struct container_store *store, const char *id, struct ct_error *err)
{
    struct container *container = container_new(store, store->dir, store->run_dir, id, err);

    if (!container || open_places(store, container, err) < 0 ||
        container_reload(container, err) < 0) {
        if (err->kind == CT_NOT_FOUND) { /* removed while we looked: leave nothing behind */
            (void)unlinkat(store->dir_fd, id, AT_REMOVEDIR);
            (void)unlinkat(store->run_fd, id, AT_REMOVEDIR);
        }
        container_free(container);
        return NULL;
    }
    return container;
}

/* 0: none, 1: one (ret_id), 2: several. */
static int match_prefix(struct container_store *store, const char *prefix, char ret_id[static 65])
{
    size_t length = strlen(prefix);
    int matches = 0;

    (void)pthread_mutex_lock(&store->mutex);
    for (size_t i = 0; i < store->known.n && matches < 2; i++) {
        const char *id = store->known.copy[i]->container.id;
        if (strncmp(id, prefix, length) == 0) {
            memcpy(ret_id, id, 65);
            matches++;
        }
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return matches;
}

static int resolve(struct container_store *store, const char *reference, char ret_id[static 65],
                   struct ct_error *err)
{
    const char *name = reference[0] == '/' ? reference + 1 : reference;
    struct copy *held = is_container_id(reference) ? store_hold(store, reference) : NULL;

    if (held) {
        copy_release(held);
        memcpy(ret_id, reference, 65);
        return 0;
    }
    if (*name && store_find_name(store, name, ret_id)) {
        return 0;
    }
    int matches = reference_may_be_prefix(reference) ? match_prefix(store, reference, ret_id) : 0;
    return matches == 1 ? 0 : reference_refuse(reference, matches, err);
}

struct container *container_find(struct container_store *store, const char *reference,
                                 struct ct_error *err)
{
    char id[65];
    return resolve(store, reference, id, err) < 0 ? NULL : record_open(store, id, err);
}

/* ---- reading -------------------------------------------------------------------------------- */

bool container_is_in_place(const struct container *container)
{
    struct copy *held = store_hold(container->store, container->id);

    if (held) {
        copy_release(held);
    }
    return held != NULL;
}

int container_reload(struct container *container, struct ct_error *err)
{
    struct copy *held = store_hold(container->store, container->id);

    if (!held) {
        return container_check(container, err);
    }
    json_decref(container->config);
    json_decref(container->state);
    container->config = json_deep_copy(held->container.config);
    container->state = json_deep_copy(held->container.state);
    container->created_ns = held->container.created_ns;
    copy_release(held);
    return container->config && container->state
               ? 0
               : ct_fail(err, ENOMEM, "read container '%.12s'", container->id);
}

json_t *container_read_config(const struct container *container, struct ct_error *err)
{
    struct copy *held = store_hold(container->store, container->id);

    if (!held) {
        (void)container_check(container, err);
        return NULL;
    }
    json_t *config = json_deep_copy(held->container.config);
    copy_release(held);
    return config ? config : ct_fail_null(err, ENOMEM, "read container '%.12s'", container->id);
}

/* ---- saving and watching -------------------------------------------------------------------- */

int container_save_config(struct container *container, struct ct_error *err)
{
    CT_AUTO_JSON json_t *kept = json_deep_copy(container->config);

    if (!kept || remote_update(container->id, kept, NULL, err) < 0) {
        return kept ? -1 : ct_fail(err, ENOMEM, "save container '%.12s'", container->id);
    }
    store_replace(container->store, container->id, kept, NULL);
    return 0;
}

int container_save_state(struct container *container, struct ct_error *err)
{
    CT_AUTO_JSON json_t *kept = json_deep_copy(container->state);

    if (!kept || remote_update(container->id, NULL, kept, err) < 0) {
        return kept ? -1 : ct_fail(err, ENOMEM, "save container '%.12s'", container->id);
    }
    store_replace(container->store, container->id, NULL, kept);
    record_tell(container);
    return 0;
}

/* RUN/<id> is touched: inotify(7) keeps the list of who wants to know, and who does no more. */
void record_tell(const struct container *container)
{
    (void)futimens(container->run_fd, NULL);
}

int container_watch(const struct container *container, struct ct_error *err)
{
    struct ct_error why = {0};
    int fd = ct_watch(container->run_dir, IN_ATTRIB | IN_DELETE_SELF | IN_ONLYDIR, &why);

    if (fd < 0 && why.kind == CT_NOT_FOUND) {
        return ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", container->id);
    }
    if (fd < 0) {
        *err = why;
    }
    return fd;
}
