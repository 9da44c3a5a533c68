/*
 * volumes.c - what the API says of volumes.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Volume".
 */
#define CT_LAYER "engine"
#include "engine_internal.h"
#include "engine_volumes.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

/* The first container that mounts the volume, running or not; NULL: none. Borrowed from all. */
static const struct container *user_of(const struct container **all, const char *name)
{
    for (const struct container **c = all; c && *c; c++) {
        size_t i;
        json_t *mount;
        json_array_foreach(json_object_get((*c)->config, "Mounts"), i, mount)
        {
            if (strcmp(ct_json_string(mount, "Type", ""), "volume") == 0 &&
                strcmp(ct_json_string(mount, "Name", ""), name) == 0) {
                return *c;
            }
        }
    }
    return NULL;
}

/* Anonymous volumes have a name that nobody typed: 64 hex digits. */
static bool is_anonymous(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

int engine_volume_list(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    static const char *const known[] = {"dangling", "driver", "label", "label!", "name", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_volume_list");
    struct volume_store *volumes = engine_volumes(engine, err);
    int dangling = filters_bool(filters, "dangling", -2, err);

    if (!volumes || dangling == -1 || filters_check(filters, known, err) < 0) {
        return ct_while(err, "list volumes");
    }
    CT_AUTO_JSON json_t *list = volume_list(volumes, err);
    const struct container **all = list ? engine_all_containers(engine, err) : NULL;
    if (!all) {
        return ct_while(err, "list volumes");
    }
    json_t *selected = json_array();
    size_t i;
    json_t *volume;
    json_array_foreach(list, i, volume)
    {
        const char *name = ct_json_string(volume, "Name", "");
        if (filters_match_regex(filters, "name", name) &&
            filters_match(filters, "driver", ct_json_string(volume, "Driver", "local")) &&
            filters_match_labels(filters, json_object_get(volume, "Labels")) &&
            (dangling == -2 || (user_of(all, name) == NULL) == (dangling == 1))) {
            ct_json_append(selected, json_incref(volume));
        }
    }
    container_list_free(all);
    *ret = json_pack("{s:o,s:n}", "Volumes", selected, "Warnings");
    return 0;
}

int engine_volume_inspect(struct engine *engine, const char *name, json_t **ret,
                          struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_volume_inspect(%s)", name);
    struct volume_store *volumes = engine_volumes(engine, err);

    *ret = volumes ? volume_find(volumes, name, err) : NULL;
    return *ret ? 0 : -1;
}

int engine_volume_create(struct engine *engine, const json_t *body, json_t **ret,
                         struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_VOLUME, "engine_volume_create(%s)",
            ct_json_string(body, "Name", ""));
    struct volume_store *volumes = engine_volumes(engine, err);

    *ret = volumes && ct_shape_check(body, shape_volume, "", err) == 0
               ? volume_create(volumes, body, err)
               : NULL;
    if (!*ret) {
        return ct_while(err, "create volume '%.64s'", ct_json_string(body, "Name", ""));
    }
    engine_event(engine, "volume", "create", ct_json_string(*ret, "Name", ""), "driver", "local");
    return 0;
}

static int remove_unused(struct engine *engine, const char *name, bool force, struct ct_error *err)
{
    struct volume_store *volumes = engine_volumes(engine, err);
    const struct container **all = volumes ? engine_all_containers(engine, err) : NULL;
    const struct container *user = user_of(all, name);
    int result = all ? 0 : -1;

    if (user) {
        result = ct_refuse(err, CT_CONFLICT, "volume is in use - [%s]", user->id);
    }
    container_list_free(all);
    return result < 0 ? -1 : volume_remove(volumes, name, force, err);
}

int engine_volume_remove(struct engine *engine, const char *name, bool force, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_volume_remove(%s)", name);
    if (remove_unused(engine, name, force, err) < 0) {
        return ct_while(err, "remove volume '%.64s'", name);
    }
    engine_event(engine, "volume", "destroy", name, "driver", "local");
    return 0;
}

int engine_volume_prune(struct engine *engine, const json_t *filters, json_t **ret,
                        struct ct_error *err)
{
    static const char *const known[] = {"all", "label", "label!", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_volume_prune");
    struct volume_store *volumes = engine_volumes(engine, err);
    int all_volumes = filters_bool(filters, "all", 0, err);

    if (!volumes || all_volumes < 0 || filters_check(filters, known, err) < 0) {
        return ct_while(err, "prune volumes");
    }
    CT_AUTO_JSON json_t *list = volume_list(volumes, err);
    CT_AUTO_JSON json_t *deleted = json_array();
    json_int_t reclaimed = 0;
    size_t i;
    json_t *volume;
    if (!list) {
        return ct_while(err, "prune volumes");
    }
    json_array_foreach(list, i, volume)
    {
        const char *name = ct_json_string(volume, "Name", "");
        struct ct_error in_use = {0};
        if ((!all_volumes && !is_anonymous(name)) ||
            !filters_match_labels(filters, json_object_get(volume, "Labels"))) {
            continue;
        }
        long long size = volume_size(volumes, name, &in_use);
        if (remove_unused(engine, name, false, &in_use) == 0) {
            engine_event(engine, "volume", "destroy", name, "driver", "local");
            ct_json_append(deleted, json_string(name));
            reclaimed += size > 0 ? size : 0;
        }
    }
    *ret = json_object();
    ct_json_set(*ret, "VolumesDeleted", ct_steal(deleted));
    ct_json_set(*ret, "SpaceReclaimed", json_integer(reclaimed));
    return 0;
}
