/*
 * engine_fake_stores.c - images, volumes and networks of the fake engine: lists of documents.
 *
 * Room:       tests/fakes.   Called by: as engine_fake.c.
 */
#define CT_LAYER "engine"
#include "engine_fake.h"
#include "engine_images.h"
#include "engine_internal.h"
#include "engine_networks.h"
#include "engine_system.h"
#include "engine_volumes.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <string.h>

static const char *const known_filters[] = {"label", "label!", "name", NULL};

/* Where the document with this name (or id) is in list; its size when there is none. */
static size_t index_of(const json_t *list, const char *ref)
{
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)list, i, item)
    {
        if (strcmp(ct_json_string(item, "Name", ""), ref) == 0 ||
            strcmp(ct_json_string(item, "Id", ""), ref) == 0) {
            break;
        }
    }
    return i;
}

static json_t *selected(const json_t *list, const json_t *filters, struct ct_error *err)
{
    json_t *result, *item;
    size_t i;

    if (filters_check(filters, known_filters, err) < 0) {
        return NULL;
    }
    result = json_array();
    json_array_foreach((json_t *)list, i, item)
    {
        if (filters_match_regex(filters, "name", ct_json_string(item, "Name", "")) &&
            filters_match_labels(filters, json_object_get(item, "Labels"))) {
            ct_json_append(result, json_deep_copy(item));
        }
    }
    return result;
}

static json_t *labels_of(const json_t *body)
{
    json_t *labels = json_object_get(body, "Labels");
    return json_is_object(labels) ? json_deep_copy(labels) : json_object();
}

/* ---- images: there is one ------------------------------------------------------------------- */

int fake_check_image(const char *reference, struct ct_error *err)
{
    if (strcmp(reference, FAKE_IMAGE) == 0 || strcmp(reference, "busybox") == 0 ||
        strcmp(reference, FAKE_IMAGE_ID) == 0) {
        return 0;
    }
    return ct_refuse(err, CT_NOT_FOUND, "no such image: %.200s", reference);
}

int engine_image_list(struct engine *engine, bool all, const json_t *filters, json_t **ret_list,
                      struct ct_error *err)
{
    (void)engine;
    (void)all; /* there are no intermediate ones */
    if (json_object_size(filters) > 0) {
        return fake_cannot(err, "filter images");
    }
    *ret_list = json_pack("[{s:s,s:[s],s:i,s:i,s:i,s:{}}]", "Id", FAKE_IMAGE_ID, "RepoTags",
                          FAKE_IMAGE, "Created", 0, "Size", 1000, "Containers", -1, "Labels");
    return 0;
}

int engine_image_inspect(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    (void)engine;
    if (fake_check_image(ref, err) < 0) {
        return -1;
    }
    *ret = json_pack("{s:s,s:[s],s:i,s:s,s:{s:[s]}}", "Id", FAKE_IMAGE_ID, "RepoTags", FAKE_IMAGE,
                     "Size", 1000, "Os", "linux", "Config", "Cmd", "sh");
    return 0;
}

/* ---- volumes -------------------------------------------------------------------------------- */

int engine_volume_list(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    json_t *list = selected(fake(engine)->volumes, filters, err);

    if (!list) {
        return ct_while(err, "list volumes");
    }
    *ret = json_pack("{s:o,s:n}", "Volumes", list, "Warnings");
    return 0;
}

int engine_volume_inspect(struct engine *engine, const char *name, json_t **ret,
                          struct ct_error *err)
{
    const json_t *found =
        json_array_get(fake(engine)->volumes, index_of(fake(engine)->volumes, name));

    if (!found) {
        return ct_refuse(err, CT_NOT_FOUND, "no such volume: %.64s", name);
    }
    *ret = json_deep_copy(found);
    return 0;
}

/* A second create of the same name gives the first one, as the API says. */
int engine_volume_create(struct engine *engine, const json_t *body, json_t **ret,
                         struct ct_error *err)
{
    const char *driver = ct_json_string(body, "Driver", "local");
    char anonymous[65];

    if (*driver && strcmp(driver, "local") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "volume driver '%.40s': there is only local", driver);
    }
    ct_random_hex(anonymous, 32);
    const char *name = ct_json_string(body, "Name", "");
    name = *name ? name : anonymous;
    if (index_of(fake(engine)->volumes, name) == json_array_size(fake(engine)->volumes)) {
        ct_json_append(fake(engine)->volumes,
                       json_pack("{s:s,s:s,s:s,s:s+,s:o}", "Name", name, "Driver", "local", "Scope",
                                 "local", "Mountpoint", "/fake/volumes/", name, "Labels",
                                 labels_of(body)));
    }
    return engine_volume_inspect(engine, name, ret, err);
}

int engine_volume_remove(struct engine *engine, const char *name, bool force, struct ct_error *err)
{
    size_t i = index_of(fake(engine)->volumes, name);

    if (json_array_remove(fake(engine)->volumes, i) < 0 && !force) {
        (void)ct_refuse(err, CT_NOT_FOUND, "no such volume: %.64s", name);
        return ct_while(err, "remove volume '%.64s'", name);
    }
    return 0;
}

/* ---- networks ------------------------------------------------------------------------------- */

static json_t *new_network(const char *name, const char *driver, json_t *labels)
{
    char id[65];

    ct_random_hex(id, 32);
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:{}}", "Name", name, "Id", id, "Driver", driver,
                     "Scope", "local", "Labels", labels, "Containers");
}

json_t *fake_networks(void)
{
    json_t *list = json_array();

    ct_json_append(list, new_network("bridge", "bridge", json_object()));
    ct_json_append(list, new_network("host", "host", json_object()));
    ct_json_append(list, new_network("none", "null", json_object()));
    return list;
}

int engine_network_list(struct engine *engine, const json_t *filters, json_t **ret_list,
                        struct ct_error *err)
{
    *ret_list = selected(fake(engine)->networks, filters, err);
    return *ret_list ? 0 : ct_while(err, "list networks");
}

int engine_network_inspect(struct engine *engine, const char *ref, json_t **ret,
                           struct ct_error *err)
{
    const json_t *found =
        json_array_get(fake(engine)->networks, index_of(fake(engine)->networks, ref));

    if (!found) {
        return ct_refuse(err, CT_NOT_FOUND, "network %.64s not found", ref);
    }
    *ret = json_deep_copy(found);
    return 0;
}

int engine_network_create(struct engine *engine, const json_t *body, char **ret_id,
                          struct ct_error *err)
{
    const char *name = ct_json_string(body, "Name", "");
    json_t *list = fake(engine)->networks;

    if (index_of(list, name) < json_array_size(list)) {
        (void)ct_refuse(err, CT_EXISTS, "network with name %s already exists", name);
        return ct_while(err, "create network '%.64s'", name);
    }
    json_t *made = new_network(name, "bridge", labels_of(body));
    *ret_id = ct_strdup(ct_json_string(made, "Id", ""));
    ct_json_append(list, made);
    return 0;
}

int engine_network_remove(struct engine *engine, const char *ref, struct ct_error *err)
{
    size_t i = index_of(fake(engine)->networks, ref);

    if (i < 3) {
        return ct_refuse(err, CT_DENIED, "%s is a pre-defined network and cannot be removed", ref);
    }
    return json_array_remove(fake(engine)->networks, i) == 0
               ? 0
               : ct_refuse(err, CT_NOT_FOUND, "network %.64s not found", ref);
}

/* ---- system --------------------------------------------------------------------------------- */

int engine_version(struct engine *engine, json_t **ret, struct ct_error *err)
{
    (void)engine;
    (void)err;
    *ret = json_pack("{s:s,s:s}", "Version", "fake", "ApiVersion", "1.43");
    return 0;
}
