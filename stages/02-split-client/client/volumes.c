/*
 * volumes.c - engine_volumes.h over REST.
 *
 * Room:       client.   Called by: cli, through engine_volumes.h.
 * Spec:       Docker Engine API 1.43, "Volume".
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_volumes.h"

int engine_volume_list(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    struct call call = call_new(engine, REST_VOLUME_LIST, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret, err);
}

int engine_volume_inspect(struct engine *engine, const char *name, json_t **ret,
                          struct ct_error *err)
{
    struct call call = call_new(engine, REST_VOLUME_INSPECT, name);
    return call_json(&call, NULL, ret, err);
}

int engine_volume_create(struct engine *engine, const json_t *body, json_t **ret,
                         struct ct_error *err)
{
    struct call call = call_new(engine, REST_VOLUME_CREATE, NULL);
    return call_json(&call, body, ret, err);
}

int engine_volume_remove(struct engine *engine, const char *name, bool force, struct ct_error *err)
{
    struct call call = call_new(engine, REST_VOLUME_REMOVE, name);
    call_bool(&call, "force", force);
    return call_json(&call, NULL, NULL, err);
}

int engine_volume_prune(struct engine *engine, const json_t *filters, json_t **ret,
                        struct ct_error *err)
{
    struct call call = call_new(engine, REST_VOLUME_PRUNE, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret, err);
}
