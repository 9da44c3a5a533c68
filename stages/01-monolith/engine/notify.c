/*
 * notify.c - tells the journal of events what the engine did.
 *
 * Room:       engine.   Called by: the other files of this room, after the work is done.
 * Spec:       Docker Engine API 1.43, "Monitor events".
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "events.h"
#include "json.h"

void engine_container_event(struct engine *engine, const struct container *container,
                            const char *action, const char *key, const char *value)
{
    CT_AUTO_JSON json_t *attributes = json_object();
    json_t *labels = ct_json_get(container->config, "Config.Labels");

    if (labels) {
        (void)json_object_update(attributes, labels); /* out of memory: fewer attributes */
    }
    ct_json_set_string(attributes, "image", ct_json_string(container->config, "Config.Image", ""));
    ct_json_set_string(attributes, "name", container_name(container));
    if (key) {
        ct_json_set_string(attributes, key, value);
    }
    event_emit(engine->places.events, "container", action, container->id, attributes);
}

void engine_event(struct engine *engine, const char *type, const char *action, const char *id,
                  const char *key, const char *value)
{
    CT_AUTO_JSON json_t *attributes = json_object();
    if (key) {
        ct_json_set_string(attributes, key, value);
    }
    event_emit(engine->places.events, type, action, id, attributes);
}
