/*
 * load.c - makes the images of an archive: layers, blobs, and last the index.
 *
 * Room:       images.
 * Called by:  engine (through images.h).
 *
 * The order is what a crash at any point requires: what is named is there before its name is.
 */
#include "load.h"

#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What was added to the stores, so that a failure takes it away again. */
struct added {
    json_t *layers; /* chain ids, in the order they were made */
    json_t *blobs;  /* digests */
};

static void take_back(struct image_store *store, struct added *added)
{
    struct ct_error ignored = {0};

    for (size_t i = json_array_size(added->layers); i-- > 0;) { /* the topmost first */
        (void)snapshot_remove_layer(store->snapshots,
                                    json_string_value(json_array_get(added->layers, i)), &ignored);
    }
    for (size_t i = json_array_size(added->blobs); i-- > 0;) {
        const char *digest = json_string_value(json_array_get(added->blobs, i));
        (void)unlinkat(store->blobs, digest_hex(digest), 0);
    }
}

/* One layer over its parent: what was unpacked while reading, or, when an image has the same
 * layer twice, the file once more. */
static int commit_layer(struct members *members, struct member *layer, const char *parent,
                        const char *diff_id, struct ct_error *err)
{
    struct snapshot_staged *staged = layer->staged;

    if (staged) {
        layer->staged = NULL;
        return snapshot_commit(staged, parent, err);
    }
    CT_AUTO_CLOSE int fd = member_open(members, layer, err);
    return fd < 0 ? -1 : snapshot_unpack(members->store->snapshots, parent, diff_id, fd, err);
}

static int commit_layers(struct members *members, struct planned *planned, struct added *added,
                         struct ct_error *err)
{
    const json_t *ids = ct_json_get(planned->config, "rootfs.diff_ids");
    CT_AUTO_FREE char *chain = ct_strdup("");

    for (size_t i = 0; i < planned->n_layers; i++) {
        const char *diff_id = json_string_value(json_array_get(ids, i));
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, diff_id);
        if (snapshot_has(members->store->snapshots, chain)) {
            continue;
        }
        if (commit_layer(members, planned->layers[i], below, diff_id, err) < 0) {
            return -1;
        }
        ct_json_append(added->layers, json_string(chain));
    }
    return 0;
}

static int commit_blob(struct members *members, struct member *member, struct added *added,
                       struct ct_error *err)
{
    int placed = member_place(members, member, err);

    if (placed > 0) {
        ct_json_append(added->blobs, json_string(member->digest));
    }
    return placed < 0 ? -1 : 0;
}

static int commit_blobs(struct members *members, struct planned *planned, struct added *added,
                        struct ct_error *err)
{
    char digest[DIGEST_SIZE];
    bool there = blob_size(members->store, planned->digest) >= 0;

    for (size_t i = 0; i < planned->n_layers; i++) {
        if (commit_blob(members, planned->layers[i], added, err) < 0) {
            return -1;
        }
    }
    if (commit_blob(members, planned->config_member, added, err) < 0 ||
        blob_write(members->store, planned->manifest, strlen(planned->manifest), digest, err) < 0) {
        return -1;
    }
    if (!there) {
        ct_json_append(added->blobs, json_string(digest));
    }
    return 0;
}

/* Tags it, and says what was loaded: the names, or the id when there is none. */
static void enter_index(json_t *index, const struct planned *planned, json_t *loaded)
{
    CT_AUTO_JSON json_t *descriptor =
        make_descriptor(planned->media_type, planned->digest, (int64_t)strlen(planned->manifest));
    size_t i;
    json_t *tag;

    json_array_foreach(planned->tags, i, tag)
    {
        CT_AUTO_FREE char *familiar = image_ref_familiar(json_string_value(tag), false);
        index_add(index, descriptor, json_string_value(tag));
        ct_json_append(loaded, json_string(familiar));
    }
    if (json_array_size(planned->tags) == 0) {
        index_add(index, descriptor, NULL);
        ct_json_append(loaded, json_string(planned->config_member->digest));
    }
}

static int commit_images(struct members *members, struct plan *plan, struct added *added,
                         json_t *loaded, struct ct_error *err)
{
    struct image_store *store = members->store;
    CT_AUTO_JSON json_t *index = index_load(store, err);

    if (!index) {
        return -1;
    }
    for (size_t i = 0; i < plan->n; i++) {
        if (commit_layers(members, &plan->images[i], added, err) < 0) {
            return -1;
        }
    }
    if (syncfs(members->scratch) < 0) { /* the blobs' bytes, before their names */
        return ct_fail(err, errno, "write the blobs to disk");
    }
    for (size_t i = 0; i < plan->n; i++) {
        if (commit_blobs(members, &plan->images[i], added, err) < 0) {
            return -1;
        }
        enter_index(index, &plan->images[i], loaded);
    }
    return ct_sync_dir(store->blobs, err) < 0 || index_save(store, index, err) < 0 ? -1 : 0;
}

/* Under the lock, so that nobody collects as unused what is not in the index yet. */
static int commit(struct members *members, struct plan *plan, json_t *loaded, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = index_lock(members->store, err);
    struct added added = {.layers = json_array(), .blobs = json_array()};
    int result = lock < 0 ? -1 : commit_images(members, plan, &added, loaded, err);

    if (result < 0) {
        take_back(members->store, &added);
    }
    json_decref(added.layers);
    json_decref(added.blobs);
    return result;
}

int image_load(struct image_store *store, int fd, const struct image_io *io, json_t **ret_loaded,
               struct ct_error *err)
{
    CT_AUTO_JSON json_t *loaded = json_array();
    struct members members;
    struct plan plan = {0};
    int result = members_read(&members, store, fd, io, err);

    if (result == 0) {
        result = plan_make(&plan, &members, err);
    }
    if (result == 0) {
        result = commit(&members, &plan, loaded, err);
    }
    plan_done(&plan);
    members_done(&members);
    if (result == 0) {
        *ret_loaded = ct_steal(loaded);
    }
    return result;
}
