/*
 * record.c - one container's record in DIR/<id>: its two documents, its watch.
 *
 * Room:       containers.   Called by: engine, monitor, lookup.c.
 * Man:        inotify(7) (watch).
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

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

/* An empty struct with the directories of id: DIR/<id> must be there, RUN/<id> is made. */
static struct container *record_new(struct container_store *store, const char *id,
                                    struct ct_error *err)
{
    struct container *container = container_new(store, store->dir, store->run_dir, id, err);
    if (!container) {
        return NULL;
    }
    container->dir_fd = openat(store->dir_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (container->dir_fd < 0) {
        (void)(errno == ENOENT ? ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", id)
                               : ct_fail(err, errno, "open container '%.12s'", id));
        container_free(container);
        return NULL;
    }
    container->run_fd = ct_mkdirs(container->run_dir, 0700, err);
    if (container->run_fd < 0) {
        container_free(container);
        return NULL;
    }
    return container;
}

static json_t *read_object(int dir_fd, const char *name, struct ct_error *err)
{
    json_t *document = ct_json_load_at(dir_fd, name, err);

    if (document && !json_is_object(document)) {
        json_decref(document);
        return ct_refuse_null(err, CT_INVALID, "read '%s': it is no object", name);
    }
    return document;
}

json_t *record_read_config(int dir_fd, const char *id, struct ct_error *err)
{
    json_t *config = read_object(dir_fd, "config.json", err);
    if (!config) {
        (void)ct_while(err, "read the record of container '%.12s'", id);
    }
    return config;
}

json_t *record_read_state(int dir_fd, const char *id)
{
    struct ct_error lost = {0};
    json_t *state = read_object(dir_fd, "state.json", &lost);
    return state ? state : record_lost_state(id, &lost);
}

/* Whether DIR/<id> still is the directory that we hold open. */
bool container_is_in_place(const struct container *container)
{
    struct stat held, placed;

    return fstat(container->dir_fd, &held) == 0 && stat(container->dir, &placed) == 0 &&
           held.st_ino == placed.st_ino && held.st_dev == placed.st_dev;
}

int container_reload(struct container *container, struct ct_error *err)
{
    if (container_check(container, err) < 0) {
        return -1;
    }
    json_t *config = record_read_config(container->dir_fd, container->id, err);
    if (!config) {
        /* Removed between the two looks, or truly unreadable. */
        return container_is_in_place(container)
                   ? -1
                   : (ct_error_clear(err), container_check(container, err));
    }
    json_decref(container->config);
    json_decref(container->state);
    container->config = config;
    container->state = record_read_state(container->dir_fd, container->id);
    container->created_ns = record_created_ns(config);
    return 0;
}

struct container *record_open(struct container_store *store, const char *id, struct ct_error *err)
{
    struct container *container = record_new(store, id, err);

    if (container && container_reload(container, err) < 0) {
        if (err->kind == CT_NOT_FOUND) { /* removed while we looked: leave no RUN/<id> behind */
            (void)unlinkat(store->run_fd, id, AT_REMOVEDIR);
        }
        container_free(container);
        return NULL;
    }
    return container;
}

json_t *container_read_config(const struct container *container, struct ct_error *err)
{
    return record_read_config(container->dir_fd, container->id, err);
}

int container_save_config(struct container *container, struct ct_error *err)
{
    return ct_json_save_at(container->dir_fd, "config.json", container->config, err);
}

int container_save_state(struct container *container, struct ct_error *err)
{
    return ct_json_save_at(container->dir_fd, "state.json", container->state, err);
}

int container_watch(const struct container *container, struct ct_error *err)
{
    struct ct_error why = {0};
    /* state.json changes by rename within the directory; the record goes by rename of it. */
    int fd =
        ct_watch(container->dir, IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR, &why);
    if (fd < 0 && why.kind == CT_NOT_FOUND) {
        return ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", container->id);
    }
    if (fd < 0) {
        *err = why;
    }
    return fd;
}
