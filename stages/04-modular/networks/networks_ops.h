/*
 * networks_ops.h - who keeps the networks, once one daemon must choose between two.
 *
 * Room:       networks (stage 04).
 * Called by:  front.c, which has the choice; nobody else touches a table.
 * Behind it:  remote.c (containerd keeps them), local.c (stage 01's room, in the daemon).
 *
 * Up to stage 03 networks.h had one implementation. Each entry here is the function of the same
 * name there; what it does is described there and nowhere else. What needs no store is stage 01's
 * in any case: network_resolv_conf(), network_stats() …
 */
#ifndef NETWORKS_OPS_H
#define NETWORKS_OPS_H

#include "networks.h"

struct network_backend; /* an implementation's own store */

struct network_ops {
    struct network_backend *(*open)(const char *dir, const char *run_dir, struct ct_error *err);
    void (*close)(struct network_backend *store);
    int (*create)(struct network_backend *store, const json_t *body, char **ret_id,
                  struct ct_error *err);
    json_t *(*find)(struct network_backend *store, const char *reference, struct ct_error *err);
    json_t *(*list)(struct network_backend *store, struct ct_error *err);
    int (*remove)(struct network_backend *store, const char *reference, struct ct_error *err);
    int (*attach)(struct network_backend *store, const struct network_request *request,
                  int netns_fd, json_t **ret_endpoint, struct ct_error *err);
    int (*detach)(struct network_backend *store, const json_t *endpoint, struct ct_error *err);
    int (*forget)(struct network_backend *store, const char *container_id, struct ct_error *err);
    int (*leave)(struct network_backend *store, const char *reference, const char *container_id,
                 struct ct_error *err);
    int (*rename)(struct network_backend *store, const char *container_id, const char *name,
                  struct ct_error *err);
    int (*restore)(struct network_backend *store,
                   bool (*lives)(void *context, const char *container_id), void *context,
                   struct ct_error *err); /* NULL: who keeps them does it by itself */
    int (*answer)(struct network_backend *store, const json_t *endpoints,
                  const unsigned char *query, size_t length, unsigned char *answer, size_t size);
};

extern const struct network_ops network_remote_ops, network_local_ops;

#endif
