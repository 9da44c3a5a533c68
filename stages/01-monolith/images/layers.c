/*
 * layers.c - an image's layers as snapshots, and what is told about them.
 *
 * Room:       images.
 * Called by:  engine (through images.h), load.c, create.c.
 * Spec:       OCI image-spec, config.md ("history", "rootfs"); Docker Engine API 1.43, "History".
 */
#include "images_internal.h"

#include "json.h"
#include "path.h"
#include "units.h"

#include <fcntl.h>
#include <string.h>

static int unpack_blob(struct image_store *store, const char *parent, const char *diff_id,
                       const char *blob, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = blob_open(store, blob, err);

    return fd < 0 ? -1 : snapshot_unpack(store->snapshots, parent, diff_id, fd, err);
}

int layers_unpack(struct image_store *store, const struct image *image, struct ct_error *err)
{
    const json_t *layers = json_object_get(image->manifest, "layers");
    CT_AUTO_FREE char *chain = ct_strdup("");
    size_t i;
    json_t *id;

    json_array_foreach(image_diff_ids(image), i, id)
    {
        const char *diff_id = json_string_value(id);
        const char *blob = ct_json_string(json_array_get(layers, i), "digest", "");
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, diff_id);
        if (!snapshot_has(store->snapshots, chain) &&
            unpack_blob(store, below, diff_id, blob, err) < 0) {
            return ct_while(err, "unpack image '%.19s'", image->id);
        }
    }
    return 0;
}

char *image_chain(struct image_store *store, const struct image *image, struct ct_error *err)
{
    CT_AUTO_FREE char *chain = ct_strdup("");
    size_t i;
    json_t *id;

    /* Loading unpacks; this only finds work when a crash or a strange hand removed a layer. */
    if (layers_unpack(store, image, err) < 0) {
        return NULL;
    }
    json_array_foreach(image_diff_ids(image), i, id)
    {
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, json_string_value(id));
    }
    return ct_steal(chain);
}

/* Size of the layer that a history item made, and the chain with it on top. */
static int64_t next_size(struct image_store *store, const json_t *diff_ids, size_t at, char **chain)
{
    struct ct_error missing = {0};
    const char *diff_id = json_string_value(json_array_get(diff_ids, at));

    if (!diff_id) {
        return 0;
    }
    CT_AUTO_FREE char *below = *chain;
    *chain = snapshot_chain_id(below, diff_id);
    int64_t size = snapshot_layer_size(store->snapshots, *chain, &missing);
    return size > 0 ? size : 0;
}

static json_t *history_item(const json_t *step, int64_t size)
{
    struct ct_error bad_time = {0};
    int64_t created_ns = 0;
    json_t *item = json_object();

    (void)ct_time_parse(ct_json_string(step, "created", CT_TIME_ZERO), &created_ns, &bad_time);
    ct_json_set_string(item, "Comment", ct_json_string(step, "comment", ""));
    ct_json_set(item, "Created", json_integer(created_ns / 1000000000));
    ct_json_set_string(item, "CreatedBy", ct_json_string(step, "created_by", ""));
    ct_json_set_string(item, "Id", "<missing>"); /* only the image itself has an id */
    ct_json_set(item, "Size", json_integer(size));
    ct_json_set(item, "Tags", json_null());
    return item;
}

/* Docker shows one line for a layer that no history explains. */
static json_t *history_of(const struct image *image)
{
    const json_t *history = json_object_get(image->config, "history");
    size_t layers = json_array_size(image_diff_ids(image));
    json_t *steps = json_is_array(history) ? json_deep_copy(history) : json_array();
    size_t i, explained = 0;
    json_t *step;

    json_array_foreach(steps, i, step)
    {
        explained += !ct_json_bool(step, "empty_layer", false);
    }
    for (; explained < layers; explained++) {
        json_t *unknown = json_object();
        ct_json_set_string(unknown, "created", ct_json_string(image->config, "created", ""));
        ct_json_append(steps, unknown);
    }
    return steps;
}

json_t *image_history(struct image_store *store, const struct image *image, struct ct_error *err)
{
    CT_AUTO_JSON json_t *steps = history_of(image);
    CT_AUTO_FREE char *chain = ct_strdup("");
    json_t *items = json_array();
    size_t i, layer = 0;
    json_t *step;

    (void)err;
    json_array_foreach(steps, i, step)
    {
        bool empty = ct_json_bool(step, "empty_layer", false);
        int64_t size = empty ? 0 : next_size(store, image_diff_ids(image), layer++, &chain);
        (void)json_array_insert_new(items, 0, history_item(step, size));
    }
    json_t *newest = json_array_get(items, 0);
    if (newest) {
        json_t *tags = json_array();
        json_array_foreach(image->tags, i, step)
        {
            CT_AUTO_FREE char *familiar = image_ref_familiar(json_string_value(step), false);
            ct_json_append(tags, json_string(familiar));
        }
        ct_json_set_string(newest, "Id", image->id);
        ct_json_set(newest, "Tags", json_array_size(tags) > 0 ? tags : json_null());
        if (json_array_size(image->tags) == 0) {
            json_decref(tags);
        }
    }
    return items;
}
