/*
 * create.c - a new image from a config and at most one new layer.
 *
 * Room:       images.
 * Called by:  engine (import, commit, tag), through images.h.
 * Spec:       OCI image-spec, config.md ("rootfs", "history"), manifest.md.
 */
#include "images_internal.h"

#include "file.h"
#include "json.h"
#include "members.h"
#include "path.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What an empty tar (two blocks of zeros) hashes to: a commit without changes adds no layer. */
static const char empty_layer[] =
    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

struct creation {
    struct image_store *store;
    const struct image *parent; /* NULL: none */
    struct members members;
    struct member *layer; /* NULL: no new one */
    json_t *config;       /* a copy of the caller's */
    json_t *manifest;
};

/* A copy of an array inside the parent's document; empty without a parent. */
static json_t *inherited(const json_t *array)
{
    return json_is_array(array) ? json_deep_copy(array) : json_array();
}

static json_t *history_item(const json_t *config, bool has_layer)
{
    static const char *const kept[] = {"created", "author", "created_by", "comment"};
    json_t *item = json_object();

    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
        const char *text = ct_json_string(config, kept[i], "");
        if (*text) {
            ct_json_set_string(item, kept[i], text);
        }
    }
    if (!has_layer) {
        ct_json_set(item, "empty_layer", json_true());
    }
    return item;
}

static void complete_config(struct creation *creation, const char *diff_id)
{
    const json_t *above = creation->parent ? creation->parent->config : NULL;
    json_t *ids = inherited(ct_json_get(above, "rootfs.diff_ids"));
    json_t *history = inherited(json_object_get(above, "history"));
    json_t *rootfs = json_object();

    for (size_t i = 0; above && i < 2; i++) { /* a container cannot change what machine it is for */
        const char *key = i ? "os" : "architecture";
        if (!json_object_get(creation->config, key)) {
            ct_json_set_string(creation->config, key, ct_json_string(above, key, ""));
        }
    }
    if (diff_id) {
        ct_json_append(ids, json_string(diff_id));
    }
    ct_json_append(history, history_item(creation->config, diff_id != NULL));
    ct_json_set_string(rootfs, "type", "layers");
    ct_json_set(rootfs, "diff_ids", ids);
    ct_json_set(creation->config, "rootfs", rootfs);
    ct_json_set(creation->config, "history", history);
    /* Words about the image that only its history keeps. */
    (void)json_object_del(creation->config, "comment");
    (void)json_object_del(creation->config, "created_by");
}

static char *parent_chain(struct creation *creation, struct ct_error *err)
{
    return creation->parent ? image_chain(creation->store, creation->parent, err) : ct_strdup("");
}

/* The new layer becomes a snapshot and a blob. */
static int place_layer(struct creation *creation, json_t *layers, struct ct_error *err)
{
    CT_AUTO_FREE char *chain = parent_chain(creation, err);
    struct member *layer = creation->layer;
    json_t *descriptor = chain ? member_layer_descriptor(layer, err) : NULL;

    if (!descriptor) {
        return -1;
    }
    ct_json_append(layers, descriptor);
    struct snapshot_staged *staged = layer->staged;
    layer->staged = NULL;
    if (snapshot_commit(staged, chain, err) < 0) {
        return -1;
    }
    if (syncfs(creation->members.scratch) < 0) {
        return ct_fail(err, errno, "write the layer to disk");
    }
    return member_place(&creation->members, layer, err) < 0
               ? -1
               : ct_sync_dir(creation->store->blobs, err);
}

static int write_documents(struct creation *creation, json_t *layers, char id[static DIGEST_SIZE],
                           char digest[static DIGEST_SIZE], int64_t *ret_size, struct ct_error *err)
{
    CT_AUTO_FREE char *config = ct_json_text(creation->config);

    if (blob_write(creation->store, config, strlen(config), id, err) < 0) {
        return -1;
    }
    creation->manifest =
        json_pack("{s:i,s:s,s:o,s:O}", "schemaVersion", 2, "mediaType", MEDIA_MANIFEST, "config",
                  make_descriptor(MEDIA_CONFIG, id, (int64_t)strlen(config)), "layers", layers);
    CT_AUTO_FREE char *manifest = ct_json_text(creation->manifest);
    *ret_size = (int64_t)strlen(manifest);
    return blob_write(creation->store, manifest, strlen(manifest), digest, err);
}

static int enter(struct creation *creation, const char *digest, int64_t size, const char *full,
                 struct ct_error *err)
{
    CT_AUTO_JSON json_t *index = index_load(creation->store, err);
    CT_AUTO_JSON json_t *descriptor = make_descriptor(MEDIA_MANIFEST, digest, size);

    if (!index) {
        return -1;
    }
    index_add(index, descriptor, full);
    return index_save(creation->store, index, err);
}

/* Under the lock: nobody collects what is not in the index yet. A failure on the way leaves at
 * most blobs that the next collection takes. */
static int commit(struct creation *creation, const char *full, char **ret_id, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = index_lock(creation->store, err);
    const json_t *above = creation->parent ? creation->parent->manifest : NULL;
    CT_AUTO_JSON json_t *layers = inherited(json_object_get(above, "layers"));
    char id[DIGEST_SIZE], digest[DIGEST_SIZE];
    int64_t size = 0;

    if (lock < 0 || (creation->layer && place_layer(creation, layers, err) < 0) ||
        write_documents(creation, layers, id, digest, &size, err) < 0 ||
        enter(creation, digest, size, full, err) < 0) {
        return -1;
    }
    *ret_id = ct_strdup(id);
    return 0;
}

static int create(struct creation *creation, int layer_fd, const struct image_io *io,
                  const char *full, char **ret_id, struct ct_error *err)
{
    CT_AUTO_FREE char *diff_id = NULL;

    if (layer_fd >= 0) {
        creation->layer =
            members_read_layer(&creation->members, creation->store, layer_fd, io, err);
        if (!creation->layer) {
            return -1;
        }
        diff_id = ct_strdup(snapshot_staged_diff_id(creation->layer->staged));
        if (strcmp(diff_id, empty_layer) == 0) {
            creation->layer = NULL;
            free(ct_steal(diff_id));
        }
    }
    complete_config(creation, diff_id);
    return commit(creation, full, ret_id, err);
}

int image_create(struct image_store *store, const struct image *parent, json_t *config,
                 int layer_fd, const char *reference, const struct image_io *io, char **ret_id,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *full = reference ? image_ref_normalize(reference, err) : NULL;
    struct creation creation = {.store = store, .parent = parent};

    if (reference && !full) {
        return -1;
    }
    creation.members = (struct members){.store = store, .scratch = -1};
    creation.config = json_deep_copy(config);
    int result = create(&creation, layer_fd, io, full, ret_id, err);

    members_done(&creation.members);
    json_decref(creation.config);
    json_decref(creation.manifest);
    return result < 0 ? ct_while(err, "make an image") : 0;
}

int image_tag(struct image_store *store, const char *source, const char *target,
              struct ct_error *err)
{
    CT_AUTO_FREE char *full = image_ref_normalize(target, err);
    struct image *image = NULL;
    int result = -1;

    if (!full) {
        return -1;
    }
    if (strchr(full, '@')) {
        return ct_refuse(err, CT_INVALID, "refusing to create a tag with a digest reference");
    }
    CT_AUTO_CLOSE int lock = index_lock(store, err);
    CT_AUTO_JSON json_t *index = lock < 0 ? NULL : index_load(store, err);
    if (index) {
        image = image_find(store, source, err);
    }
    if (image) {
        CT_AUTO_JSON json_t *descriptor =
            make_descriptor(ct_json_string(image->manifest, "mediaType", MEDIA_MANIFEST),
                            image->digest, blob_size(store, image->digest));
        index_add(index, descriptor, full);
        result = index_save(store, index, err);
    }
    image_free(image);
    return result;
}
