/*
 * front.c - each function of networks.h that needs a store, handed to who keeps the networks.
 *
 * Room:       networks (stage 04).   Called by: see networks.h.
 *
 * That is containerd, if it is ours: it offers the service, its records are in ROOT/networks and
 * STATE/networks of its own, and it holds the published ports. Docker's containerd has no networks;
 * then they are in the daemon's DIR and RUN, as before. A process asks once and keeps to it, so no
 * network is ever looked for in the other place.
 */
#define CT_LAYER "networks"
#include "networks_ops.h"

#include "connection.h"

#include "cleanup.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS_THERE 3

struct network_store {
    const struct network_ops *ops;
    struct network_backend *backend;
};

/* ---- choosing ------------------------------------------------------------------------------- */

/* Of a time when another containerd was behind this daemon. */
static void warn_of_others(const char *dir)
{
    CT_AUTO_DIR DIR *open = opendir(dir);
    int n = -ALWAYS_THERE;

    for (struct dirent *entry; open && (entry = readdir(open));) {
        n += strstr(entry->d_name, ".json") != NULL;
    }
    if (n > 0) {
        ct_warn("%d networks in %s are not seen: containerd keeps networks now", n, dir);
    }
}

/* Which containers still run is found out later; the endpoints of others go then. */
static bool everybody_lives(void *context, const char *container_id)
{
    (void)context;
    (void)container_id;
    return true;
}

/* The ports that the daemon before this one held. */
static void restore(const struct network_ops *ops, const char *dir, const char *run_dir)
{
    struct ct_error err = {0};
    char line[400];
    struct network_backend *store = ops->open(dir, run_dir, &err);

    if (!store || ops->restore(store, everybody_lives, NULL, &err) < 0) {
        ct_warn("hold published ports again: %s", ct_error_render(&err, line, sizeof(line)));
    }
    if (store) {
        ops->close(store);
    }
}

/* NULL: containerd does not answer (err). */
static const struct network_ops *choose(const char *dir, const char *run_dir, struct ct_error *err)
{
    int offered = connection_offers("networks", err);

    if (offered < 0) {
        return NULL;
    }
    if (offered > 0) {
        warn_of_others(dir);
        return &network_remote_ops;
    }
    restore(&network_local_ops, dir, run_dir);
    return &network_local_ops;
}

/* The choice, made once. */
static const struct network_ops *chosen(const char *dir, const char *run_dir, struct ct_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const struct network_ops *ops;

    (void)pthread_mutex_lock(&lock);
    if (!ops) {
        ops = choose(dir, run_dir, err);
    }
    const struct network_ops *result = ops;
    (void)pthread_mutex_unlock(&lock);
    return result;
}

/* ---- the door ------------------------------------------------------------------------------- */

struct network_store *network_store_open(const char *dir, const char *run_dir, struct ct_error *err)
{
    const struct network_ops *ops = chosen(dir, run_dir, err);
    struct network_store *store = ops ? calloc(1, sizeof(*store)) : NULL;

    if (!store) {
        return ops ? ct_fail_null(err, ENOMEM, "open the networks")
                   : ct_while_null(err, "find out who keeps the networks");
    }
    *store = (struct network_store){ops, ops->open(dir, run_dir, err)};
    if (!store->backend) {
        free(store);
        return NULL;
    }
    return store;
}

void network_store_close(struct network_store *store)
{
    if (store) {
        store->ops->close(store->backend);
        free(store);
    }
}

int network_create(struct network_store *store, const json_t *body, char **ret_id,
                   struct ct_error *err)
{
    return store->ops->create(store->backend, body, ret_id, err);
}

json_t *network_find(struct network_store *store, const char *reference, struct ct_error *err)
{
    return store->ops->find(store->backend, reference, err);
}

json_t *network_list(struct network_store *store, struct ct_error *err)
{
    return store->ops->list(store->backend, err);
}

int network_remove(struct network_store *store, const char *reference, struct ct_error *err)
{
    return store->ops->remove(store->backend, reference, err);
}

int network_attach(struct network_store *store, const struct network_request *request, int netns_fd,
                   json_t **ret_endpoint, struct ct_error *err)
{
    return store->ops->attach(store->backend, request, netns_fd, ret_endpoint, err);
}

int network_detach(struct network_store *store, const json_t *endpoint, struct ct_error *err)
{
    return store->ops->detach(store->backend, endpoint, err);
}

int network_forget(struct network_store *store, const char *container_id, struct ct_error *err)
{
    return store->ops->forget(store->backend, container_id, err);
}

int network_leave(struct network_store *store, const char *reference, const char *container_id,
                  struct ct_error *err)
{
    return store->ops->leave(store->backend, reference, container_id, err);
}

int network_rename(struct network_store *store, const char *container_id, const char *name,
                   struct ct_error *err)
{
    return store->ops->rename(store->backend, container_id, name, err);
}

int network_resolver_answer(struct network_store *store, const json_t *endpoints,
                            const unsigned char *query, size_t length, unsigned char *answer,
                            size_t size)
{
    return store->ops->answer(store->backend, endpoints, query, length, answer, size);
}
