/*
 * spaces.c - the networks and volumes of each namespace: stage 01's rooms, once for each.
 *
 * Room:       containerd.   Called by: network_service.c, volume_service.c, namespaces.c, main.c.
 *
 * What these rooms keep in files is opened when a call first asks for it, and stays open: the
 * stores hold descriptors of directories and nothing else, so all threads may use them.
 */
#include "tasks.h"

#include "networks.h"
#include "volumes.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETWORKS_ALWAYS_THERE 3

struct space {
    struct space *next;
    char *name;
    struct network_store *networks; /* NULL: not opened yet */
    struct volume_store *volumes;   /* the same */
};

struct spaces {
    struct containerd *containerd;
    pthread_mutex_t lock;
    struct space *list;
};

struct spaces *spaces_open(struct containerd *containerd)
{
    struct spaces *spaces = calloc(1, sizeof(*spaces));

    if (!spaces) {
        abort();
    }
    spaces->containerd = containerd;
    (void)pthread_mutex_init(&spaces->lock, NULL);
    return spaces;
}

void spaces_close(struct spaces *spaces)
{
    while (spaces && spaces->list) {
        struct space *space = spaces->list;
        spaces->list = space->next;
        network_store_close(space->networks);
        volume_store_close(space->volumes);
        free(space->name);
        free(space);
    }
    free(spaces);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* With the lock held. name is a namespace's, so it is no path. */
static struct space *find(struct spaces *spaces, const char *name)
{
    struct space *space = spaces->list;

    while (space && strcmp(space->name, name) != 0) {
        space = space->next;
    }
    if (!space) {
        space = calloc(1, sizeof(*space));
        if (!space) {
            abort();
        }
        *space = (struct space){.next = spaces->list, .name = ct_strdup(name)};
        spaces->list = space;
    }
    return space;
}

static struct volume_store *open_volumes(struct containerd *containerd, const char *name,
                                         struct ct_error *err)
{
    struct spaces *spaces = containerd->spaces;
    CT_AUTO_FREE char *dir = ct_printf("%s/volumes/%s", containerd->root, name);

    (void)pthread_mutex_lock(&spaces->lock);
    struct space *space = find(spaces, name);
    if (!space->volumes) {
        space->volumes = volume_store_open(dir, err);
    }
    struct volume_store *volumes = space->volumes;
    (void)pthread_mutex_unlock(&spaces->lock);
    return volumes;
}

static struct network_store *open_networks(struct containerd *containerd, const char *name,
                                           struct ct_error *err)
{
    struct spaces *spaces = containerd->spaces;
    CT_AUTO_FREE char *dir = ct_printf("%s/networks/%s", containerd->root, name);
    CT_AUTO_FREE char *run = ct_printf("%s/networks/%s", containerd->state, name);

    (void)pthread_mutex_lock(&spaces->lock);
    struct space *space = find(spaces, name);
    if (!space->networks) {
        space->networks = network_store_open(dir, run, err);
    }
    struct network_store *networks = space->networks;
    (void)pthread_mutex_unlock(&spaces->lock);
    return networks;
}

struct volume_store *volumes_of(struct grpc_call *call, struct ct_error *err)
{
    return open_volumes(containerd_of(call), namespace_of(call), err);
}

struct network_store *networks_of(struct grpc_call *call, struct ct_error *err)
{
    return open_networks(containerd_of(call), namespace_of(call), err);
}

int space_touch(struct grpc_call *call, struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    return namespace_touch(work.store, namespace_of(call), err) < 0 ? -1 : store_commit(&work, err);
}

/* ---- is there anything? --------------------------------------------------------------------- */

/* Asking makes nothing. */
static bool exists(const struct containerd *containerd, const char *room, const char *space)
{
    CT_AUTO_FREE char *path = ct_printf("%s/%s", room, space);
    return faccessat(containerd->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int has_volumes(struct containerd *containerd, const char *space, struct ct_error *err)
{
    if (!exists(containerd, "volumes", space)) {
        return 0;
    }
    struct volume_store *store = open_volumes(containerd, space, err);
    CT_AUTO_JSON json_t *volumes = store ? volume_list(store, err) : NULL;
    return volumes ? json_array_size(volumes) > 0 : -1;
}

/* The three that are always there outlast the namespace: the next one of this name has them. */
static int has_networks(struct containerd *containerd, const char *space, struct ct_error *err)
{
    if (!exists(containerd, "networks", space)) {
        return 0;
    }
    struct network_store *store = open_networks(containerd, space, err);
    CT_AUTO_JSON json_t *networks = store ? network_list(store, err) : NULL;
    return networks ? json_array_size(networks) > NETWORKS_ALWAYS_THERE : -1;
}

int spaces_used(struct containerd *containerd, const char *space, struct ct_error *err)
{
    int used = has_volumes(containerd, space, err);
    return used != 0 ? used : has_networks(containerd, space, err);
}

/* ---- those of before ------------------------------------------------------------------------ */

struct restored {
    struct containerd *containerd;
    const char *space;
};

static bool has_task(void *context, const char *container_id)
{
    const struct restored *restored = context;
    struct ct_error gone = {0};
    AUTO_TASK struct task *task =
        task_get(restored->containerd, restored->space, container_id, &gone);
    return task != NULL;
}

static void restore(struct containerd *containerd, const char *space)
{
    struct restored restored = {containerd, space};
    struct ct_error err = {0};
    char line[1024];
    struct network_store *store = open_networks(containerd, space, &err);

    if (!store || network_restore(store, has_task, &restored, &err) < 0) {
        ct_warn("networks of namespace=%s: %s", space, ct_error_render(&err, line, sizeof(line)));
    }
}

void spaces_restore(struct containerd *containerd)
{
    CT_AUTO_FREE char *path = ct_join(containerd->root, "networks");
    CT_AUTO_DIR DIR *dir = opendir(path);

    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        struct ct_error ignored = {0};
        if (entry->d_type == DT_DIR &&
            check_identifier("namespace", entry->d_name, &ignored) == 0) {
            restore(containerd, entry->d_name);
        }
    }
}
