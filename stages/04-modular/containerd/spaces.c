/*
 * spaces.c - the volumes of each namespace: stage 01's room, once for each.
 *
 * Room:       containerd.   Called by: volume_service.c, namespaces.c, main.c.
 *
 * What this room keeps in files is opened when a call first asks for it, and stays open: the stores
 * hold descriptors of directories and nothing else, so they may be used by all threads.
 */
#include "containerd_internal.h"

#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct space {
    struct space *next;
    char *name;
    struct volume_store *volumes; /* NULL: not opened yet */
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
        volume_store_close(space->volumes);
        free(space->name);
        free(space);
    }
    free(spaces);
}

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

struct volume_store *volumes_of(struct grpc_call *call, struct ct_error *err)
{
    return open_volumes(containerd_of(call), namespace_of(call), err);
}

/* Whether there is something to be opened: asking makes nothing. */
static bool exists(const struct containerd *containerd, const char *room, const char *space)
{
    CT_AUTO_FREE char *path = ct_printf("%s/%s", room, space);
    return faccessat(containerd->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int spaces_used(struct containerd *containerd, const char *space, struct ct_error *err)
{
    if (!exists(containerd, "volumes", space)) {
        return 0;
    }
    struct volume_store *store = open_volumes(containerd, space, err);
    CT_AUTO_JSON json_t *volumes = store ? volume_list(store, err) : NULL;
    return volumes ? json_array_size(volumes) > 0 : -1;
}
