/*
 * engine_networks.h - what can be asked of networks. See engine.h for the conventions.
 *
 * Room:       engine.   Called by: cli/networks.c, rest/.
 * Spec:       Docker Engine API 1.43, "Network".
 */
#ifndef ENGINE_NETWORKS_H
#define ENGINE_NETWORKS_H

#include "engine.h"

int engine_network_list(struct engine *engine, const json_t *filters, json_t **ret_list,
                        struct ct_error *err);
int engine_network_inspect(struct engine *engine, const char *ref, json_t **ret,
                           struct ct_error *err);
/* body: Docker's NetworkCreate document. */
int engine_network_create(struct engine *engine, const json_t *body, char **ret_id,
                          struct ct_error *err);
/* endpoint: Docker's EndpointConfig (IPAMConfig, Aliases, …), or NULL. Works on stopped and running
 * containers. */
int engine_network_connect(struct engine *engine, const char *ref, const char *container,
                           const json_t *endpoint, struct ct_error *err);
int engine_network_disconnect(struct engine *engine, const char *ref, const char *container,
                              bool force, struct ct_error *err);
int engine_network_remove(struct engine *engine, const char *ref, struct ct_error *err);
/* {"NetworksDeleted":[…]} */
int engine_network_prune(struct engine *engine, const json_t *filters, json_t **ret,
                         struct ct_error *err);

#endif
