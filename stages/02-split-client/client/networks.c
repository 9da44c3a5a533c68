/*
 * networks.c - engine_networks.h over REST.
 *
 * Room:       client.   Called by: cli, through engine_networks.h.
 * Spec:       Docker Engine API 1.43, "Network".
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_networks.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

int engine_network_list(struct engine *engine, const json_t *filters, json_t **ret_list,
                        struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_LIST, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret_list, err);
}

int engine_network_inspect(struct engine *engine, const char *ref, json_t **ret,
                           struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_INSPECT, ref);
    return call_json(&call, NULL, ret, err);
}

int engine_network_create(struct engine *engine, const json_t *body, char **ret_id,
                          struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_CREATE, NULL);
    CT_AUTO_JSON json_t *answer = NULL;

    if (call_json(&call, body, &answer, err) < 0) {
        return -1;
    }
    *ret_id = ct_strdup(ct_json_string(answer, "Id", ""));
    return 0;
}

int engine_network_connect(struct engine *engine, const char *ref, const char *container,
                           const json_t *endpoint, struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_CONNECT, ref);
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:O*}", "Container", container, "EndpointConfig", (json_t *)endpoint);
    return call_json(&call, body, NULL, err);
}

int engine_network_disconnect(struct engine *engine, const char *ref, const char *container,
                              bool force, struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_DISCONNECT, ref);
    CT_AUTO_JSON json_t *body = json_pack("{s:s,s:b}", "Container", container, "Force", force);
    return call_json(&call, body, NULL, err);
}

int engine_network_remove(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_REMOVE, ref);
    return call_json(&call, NULL, NULL, err);
}

int engine_network_prune(struct engine *engine, const json_t *filters, json_t **ret,
                         struct ct_error *err)
{
    struct call call = call_new(engine, REST_NETWORK_PRUNE, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret, err);
}
