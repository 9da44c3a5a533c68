/*
 * system.c - engine_system.h over REST, but for events (follow.c).
 *
 * Room:       client.   Called by: cli, through engine_system.h.
 * Spec:       Docker Engine API 1.43, "System".
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_system.h"

int engine_info(struct engine *engine, json_t **ret, struct ct_error *err)
{
    struct call call = call_new(engine, REST_INFO, NULL);
    return call_json(&call, NULL, ret, err);
}

int engine_version(struct engine *engine, json_t **ret, struct ct_error *err)
{
    struct call call = call_new(engine, REST_VERSION, NULL);
    return call_json(&call, NULL, ret, err);
}

int engine_disk_usage(struct engine *engine, json_t **ret, struct ct_error *err)
{
    struct call call = call_new(engine, REST_DISK_USAGE, NULL);
    return call_json(&call, NULL, ret, err);
}
