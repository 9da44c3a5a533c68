/*
 * create.c - makes a container: from a request to a record, its volumes and its snapshot.
 *
 * Room:       engine.   Called by: cli, rest (engine_container_create).
 * Spec:       Docker Engine API 1.43, "Create a container".
 *
 * Order: first everything that only looks (image, checks, networks), then what leaves something
 * in the world (volumes, record, snapshot), undone in reverse when a later step fails.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "logs.h"
#include "path.h"
#include "span.h"
#include "spec.h"

#include <stdlib.h>
#include <string.h>

/* "container:NAME" becomes "container:ID": a rename must not change whose namespace it is. */
static int resolve_joined(struct engine *engine, json_t *record, struct ct_error *err)
{
    static const char *const fields[] = {"NetworkMode", "PidMode", "IpcMode"};
    json_t *host = json_object_get(record, "HostConfig");

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *mode = ct_json_string(host, fields[i], "");
        if (strncmp(mode, "container:", 10) != 0) {
            continue;
        }
        struct container *other = engine_find_container(engine, mode + 10, err);
        if (!other) {
            return ct_while(err, "use HostConfig.%s '%.80s'", fields[i], mode);
        }
        ct_json_set(host, fields[i], json_sprintf("container:%s", other->id));
        container_free(other);
    }
    return 0;
}

/* Every network asked for exists. */
static int check_networks(struct engine *engine, const json_t *record, struct ct_error *err)
{
    const char *name;
    json_t *endpoint;

    if (spec_joined(record)) {
        return 0;
    }
    struct network_store *networks = engine_networks(engine, err);
    if (!networks) {
        return -1;
    }
    json_object_foreach(json_object_get(record, "Networks"), name, endpoint)
    {
        CT_AUTO_JSON json_t *found = network_find(networks, name, err);
        if (!found) {
            return -1;
        }
    }
    return 0;
}

static int check_request(struct engine *engine, json_t *record, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_VALIDATE, "image %s",
            ct_json_string(record, "Config.Image", ""));
    if (request_check(record, err) < 0 || spec_check(record, err) < 0 ||
        log_check_config(ct_json_get(record, "HostConfig.LogConfig"),
                         json_object_get(record, "Config"), err) < 0) {
        return -1;
    }
    return resolve_joined(engine, record, err) < 0 ? -1 : check_networks(engine, record, err);
}

/* --volumes-from: the other container's mounts, those of our own request left out. */
static int add_volumes_from(struct engine *engine, const char *reference, json_t *mounts,
                            struct ct_error *err)
{
    CT_AUTO_FREE char *name = strndup(reference, strcspn(reference, ":"));
    bool read_only = strlen(reference) > 3 && strcmp(reference + strlen(reference) - 3, ":ro") == 0;
    struct container *other = name ? engine_find_container(engine, name, err) : NULL;
    size_t i;
    json_t *mount;

    if (!other) {
        return ct_while(err, "take the volumes from '%s'", reference);
    }
    json_array_foreach(json_object_get(other->config, "Mounts"), i, mount)
    {
        json_t *copy = json_deep_copy(mount);
        (void)json_object_del(copy, "Created");
        if (read_only) {
            ct_json_set(copy, "RW", json_false());
        }
        ct_json_append(mounts, copy);
    }
    container_free(other);
    return 0;
}

/* The mounts of other containers first; a mount of our own at the same place replaces theirs. */
static json_t *merge_mounts(json_t *theirs, const json_t *ours)
{
    json_t *merged = json_array();
    size_t i, j;
    json_t *a, *b;

    json_array_foreach(theirs, i, a)
    {
        bool replaced = false;
        json_array_foreach((json_t *)ours, j, b)
        {
            replaced |= strcmp(ct_json_string(a, "Destination", ""),
                               ct_json_string(b, "Destination", "")) == 0;
        }
        if (!replaced) {
            ct_json_append(merged, json_incref(a));
        }
    }
    (void)json_array_extend(merged, (json_t *)ours);
    return merged;
}

/* Takes back the volumes that this request made. */
static void forget_volumes(struct engine *engine, const json_t *mounts)
{
    struct ct_error ignored = {0};
    struct volume_store *volumes = engine_volumes(engine, &ignored);
    size_t i;
    json_t *mount;

    json_array_foreach((json_t *)mounts, i, mount)
    {
        if (volumes && ct_json_bool(mount, "Created", false)) {
            (void)volume_remove(volumes, ct_json_string(mount, "Name", ""), true, &ignored);
        }
    }
}

static int resolve_mounts(struct engine *engine, json_t *record, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_VOLUME, "resolve mounts");
    struct volume_store *volumes = engine_volumes(engine, err);
    json_t *host = json_object_get(record, "HostConfig");
    CT_AUTO_JSON json_t *mounts = NULL;
    CT_AUTO_JSON json_t *theirs = json_array();
    size_t i;
    json_t *reference;

    json_array_foreach(json_object_get(host, "VolumesFrom"), i, reference)
    {
        const char *text = json_string_value(reference);
        if (text && add_volumes_from(engine, text, theirs, err) < 0) {
            return -1;
        }
    }
    if (!volumes ||
        volume_resolve(volumes, host, ct_json_get(record, "Config.Volumes"), &mounts, err) < 0) {
        return -1;
    }
    ct_json_set(record, "Mounts", merge_mounts(theirs, mounts));
    return 0;
}

static int prepare_snapshot(struct engine *engine, struct container *container, const char *chain,
                            struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SNAPSHOT, "prepare on %.19s", *chain ? chain : "nothing");
    struct snapshot_store *snapshots = engine_snapshots(engine, err);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);

    return snapshots ? snapshot_prepare(snapshots, key, chain, err) : -1;
}

/* The part that changes the world. Returns the new container, locked. */
static struct container *make_container(struct engine *engine, const char *name, json_t *record,
                                        const char *chain, struct ct_error *err)
{
    struct container_store *store = engine_containers(engine, err);
    if (!store || resolve_mounts(engine, record, err) < 0) {
        return NULL;
    }
    struct container *container = container_create(store, name, record, err);
    if (!container) {
        goto undo_volumes;
    }
    if (prepare_snapshot(engine, container, chain, err) == 0) {
        return container;
    }
    struct ct_error ignored = {0}; /* err keeps the first cause */
    (void)engine_discard_container(engine, container, false, &ignored);
    container_free(container);
undo_volumes:
    forget_volumes(engine, json_object_get(record, "Mounts"));
    return NULL;
}

static json_t *make_record(struct engine *engine, const json_t *body, char **ret_chain,
                           struct ct_error *err)
{
    static const struct ct_shape image_name[] = {{"Image", CT_TEXT}, {NULL, CT_TEXT}};
    const char *reference = ct_json_string(body, "Image", "");

    if (ct_shape_check(body, image_name, "Config", err) < 0) {
        return NULL;
    }
    if (!*reference) {
        return ct_refuse_null(err, CT_INVALID, "read the request: it names no image");
    }
    struct image *image = engine_find_image(engine, reference, err);
    CT_AUTO_JSON json_t *record =
        image ? request_to_config(body, json_object_get(image->config, "config"), err) : NULL;
    if (record) {
        ct_json_set_string(record, "Image", image->id);
        ct_json_set_string(record, "ImageRef", reference);
        *ret_chain = image_chain(engine_images(engine, err), image, err);
    }
    image_free(image);
    return *ret_chain ? ct_steal(record) : NULL;
}

static json_t *warnings_of(const json_t *record)
{
    json_t *warnings = json_array();
    json_t *bindings = ct_json_get(record, "HostConfig.PortBindings");
    const char *mode = ct_json_string(record, "HostConfig.NetworkMode", "");

    if (ct_json_count(bindings) > 0 && strcmp(mode, "host") == 0) {
        ct_json_append(warnings,
                       json_string("Published ports are discarded when using host network mode"));
    }
    return warnings;
}

int engine_container_create(struct engine *engine, const char *name, const json_t *body,
                            char **ret_id, json_t **ret_warnings, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CREATE, "engine_container_create(%s)", name ? name : "");
    CT_AUTO_FREE char *chain = NULL;
    CT_AUTO_JSON json_t *record = make_record(engine, body, &chain, err);

    if (!record || check_request(engine, record, err) < 0) {
        return name ? ct_while(err, "create '%.64s'", name) : -1;
    }
    struct container *container = make_container(engine, name, record, chain, err);
    if (!container) {
        return name ? ct_while(err, "create '%.64s'", name) : -1;
    }
    engine_container_event(engine, container, "create", NULL, NULL);
    *ret_id = ct_strdup(container->id);
    *ret_warnings = warnings_of(record);
    container_free(container);
    return 0;
}
