/*
 * remove.c - untying names, and removing what nothing needs any more.
 *
 * Room:       images.
 * Called by:  engine (rmi, prune), through images.h.
 *
 * The reverse of loading: first the name leaves the index, then the files go. A crash between
 * leaves files that image_collect() finds.
 */
#include "images_internal.h"

#include "json.h"
#include "log.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* --- what is needed ------------------------------------------------------------------------- */

/* Adds everything that one image stands on: blobs by digest, layers by chain id. */
static void need_image(json_t *needed, const struct image *image)
{
    CT_AUTO_FREE char *chain = ct_strdup("");
    size_t i;
    json_t *item;

    ct_json_set(needed, image->digest, json_true());
    ct_json_set(needed, image->id, json_true());
    json_array_foreach(json_object_get(image->manifest, "layers"), i, item)
    {
        ct_json_set(needed, ct_json_string(item, "digest", ""), json_true());
    }
    json_array_foreach(image_diff_ids(image), i, item)
    {
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, json_string_value(item));
        CT_AUTO_FREE char *key = ct_printf("chain %s", chain);
        ct_json_set(needed, key, json_true());
    }
}

/*
 * The set of what the images of the index need. An image that cannot be read might need anything:
 * then nothing is known to be unneeded, and this fails.
 */
static json_t *needed_by(struct image_store *store, const json_t *index, struct ct_error *err)
{
    CT_AUTO_JSON json_t *needed = json_object();
    size_t i;
    json_t *descriptor;

    json_array_foreach(json_object_get(index, "manifests"), i, descriptor)
    {
        struct image *image =
            image_of_manifest(store, ct_json_string(descriptor, "digest", ""), err);
        if (!image) {
            return NULL;
        }
        need_image(needed, image);
        image_free(image);
    }
    return ct_steal(needed);
}

static bool chain_is_needed(const json_t *needed, const char *chain_id)
{
    CT_AUTO_FREE char *key = ct_printf("chain %s", chain_id);

    return json_object_get(needed, key) != NULL;
}

/* Bytes freed; 0 when it is needed or was not there. */
static int64_t drop_blob(struct image_store *store, const json_t *needed, const char *digest)
{
    int64_t size = blob_size(store, digest);

    if (size < 0 || json_object_get(needed, digest) ||
        unlinkat(store->blobs, digest_hex(digest), 0) < 0) {
        return 0;
    }
    return size;
}

/* -1: it stays (needed, or a snapshot stands on it). */
static int64_t drop_layer(struct image_store *store, const json_t *needed, const char *chain_id)
{
    struct ct_error in_use = {0};
    int64_t size;

    if (chain_is_needed(needed, chain_id) || !snapshot_has(store->snapshots, chain_id)) {
        return -1;
    }
    size = snapshot_layer_size(store->snapshots, chain_id, &in_use);
    ct_error_clear(&in_use);
    return snapshot_remove_layer(store->snapshots, chain_id, &in_use) < 0 ? -1
                                                                          : (size > 0 ? size : 0);
}

/* --- removing one --------------------------------------------------------------------------- */

static void say_deleted(json_t *deleted, const char *what, const char *id)
{
    json_t *item = json_object();

    ct_json_set_string(item, what, id);
    ct_json_append(deleted, item);
}

/* Takes the files of an image that has left the index; the topmost layer first. */
static void drop_files(struct image_store *store, const json_t *index, const struct image *image,
                       json_t *deleted)
{
    struct ct_error unknown = {0};
    CT_AUTO_JSON json_t *needed = needed_by(store, index, &unknown);
    CT_AUTO_JSON json_t *chains = json_array();
    CT_AUTO_FREE char *chain = ct_strdup("");
    size_t i;
    json_t *item;

    if (!needed) {
        ct_warn("keeps the files of removed image id=%s: another image cannot be read", image->id);
        return;
    }
    json_array_foreach(image_diff_ids(image), i, item)
    {
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, json_string_value(item));
        (void)json_array_insert_new(chains, 0, json_string(chain));
    }
    json_array_foreach(chains, i, item)
    {
        if (drop_layer(store, needed, json_string_value(item)) >= 0) {
            say_deleted(deleted, "Deleted", json_string_value(item));
        }
    }
    json_array_foreach(json_object_get(image->manifest, "layers"), i, item)
    {
        (void)drop_blob(store, needed, ct_json_string(item, "digest", ""));
    }
    (void)drop_blob(store, needed, image->id);
    (void)drop_blob(store, needed, image->digest);
}

/* Takes a tag (NULL: all) of the image out of the index; returns how many names are left. */
static size_t untag(json_t *index, const struct image *image, const char *full, json_t *deleted)
{
    json_t *manifests = json_object_get(index, "manifests");
    size_t i, left = json_array_size(image->tags);
    json_t *tag;

    json_array_foreach(image->tags, i, tag)
    {
        const char *name = json_string_value(tag);
        if (full && strcmp(name, full) != 0) {
            continue;
        }
        for (size_t k = json_array_size(manifests); k-- > 0;) {
            const char *other = index_tag_of(json_array_get(manifests, k));
            if (other && strcmp(other, name) == 0) {
                (void)json_array_remove(manifests, k);
            }
        }
        CT_AUTO_FREE char *familiar = image_ref_familiar(name, false);
        say_deleted(deleted, "Untagged", familiar);
        left--;
    }
    return left;
}

/* Untagged descriptors of the image's manifest. */
static void forget_manifest(json_t *index, const char *digest)
{
    json_t *manifests = json_object_get(index, "manifests");

    for (size_t k = json_array_size(manifests); k-- > 0;) {
        if (strcmp(ct_json_string(json_array_get(manifests, k), "digest", ""), digest) == 0) {
            (void)json_array_remove(manifests, k);
        }
    }
}

struct removal {
    struct image_store *store;
    const char *reference;
    bool force;
    bool in_use;
    const char *full; /* the tag that was named; NULL: the image was named by its id */
};

/* All tags in one repository: removing by id means them all, as in Docker. */
static bool in_one_repository(const json_t *tags)
{
    CT_AUTO_FREE char *first = NULL;
    size_t i;
    json_t *tag;

    json_array_foreach(tags, i, tag)
    {
        const char *name = json_string_value(tag);
        const char *colon = strrchr(name, ':');
        CT_AUTO_FREE char *own =
            ct_printf("%.*s", colon ? (int)(colon - name) : (int)strlen(name), name);
        if (first && strcmp(first, own) != 0) {
            return false;
        }
        free(first);
        first = ct_steal(own);
    }
    return true;
}

static int check_allowed(const struct removal *removal, const struct image *image,
                         struct ct_error *err)
{
    size_t tags = json_array_size(image->tags);

    if (removal->force || (removal->full && tags > 1)) {
        return 0; /* force only untags what is in use; one name of several harms nobody */
    }
    if (!removal->full && tags > 1 && !in_one_repository(image->tags)) {
        (void)ct_refuse(err, CT_CONFLICT,
                        "unable to delete %.12s (must be forced) - image is referenced in multiple "
                        "repositories",
                        digest_hex(image->id));
        return ct_hint(err, "name one of its tags, or use --force");
    }
    if (removal->in_use) {
        (void)ct_refuse(err, CT_CONFLICT, "unable to remove '%s': a container uses image %.12s",
                        removal->reference, digest_hex(image->id));
        return ct_hint(err, "remove the container first, or use --force to only untag");
    }
    return 0;
}

static int remove_found(const struct removal *removal, json_t *index, struct image *image,
                        json_t *deleted, struct ct_error *err)
{
    if (check_allowed(removal, image, err) < 0) {
        return -1;
    }
    size_t left = untag(index, image, removal->full, deleted);
    bool gone = left == 0 && !removal->in_use;
    if (gone) {
        forget_manifest(index, image->digest);
    } else if (left == 0) { /* a container stands on it: it stays, without a name */
        CT_AUTO_JSON json_t *descriptor =
            make_descriptor(ct_json_string(image->manifest, "mediaType", MEDIA_MANIFEST),
                            image->digest, blob_size(removal->store, image->digest));
        index_add(index, descriptor, NULL);
    }
    if (index_save(removal->store, index, err) < 0) {
        return -1;
    }
    if (gone) {
        say_deleted(deleted, "Deleted", image->id);
        drop_files(removal->store, index, image, deleted);
    }
    return 0;
}

int image_remove(struct image_store *store, const char *reference, bool force, bool no_prune,
                 image_used_fn used, void *context, json_t **ret_deleted, struct ct_error *err)
{
    struct ct_error by_id = {0};
    struct removal removal = {.store = store, .reference = reference, .force = force};
    CT_AUTO_FREE char *full = image_ref_normalize(reference, &by_id);
    CT_AUTO_JSON json_t *deleted = json_array();
    CT_AUTO_CLOSE int lock = index_lock(store, err);
    CT_AUTO_JSON json_t *index = lock < 0 ? NULL : index_load(store, err);
    struct image *image = index ? image_find(store, reference, err) : NULL;
    size_t i;
    json_t *tag;

    (void)no_prune; /* would keep untagged parents; we make no intermediate images */
    if (!image) {
        return -1;
    }
    json_array_foreach(image->tags, i, tag)
    {
        if (full && strcmp(json_string_value(tag), full) == 0) {
            removal.full = full;
        }
    }
    removal.in_use = used && used(context, image->id);
    int result = remove_found(&removal, index, image, deleted, err);
    image_free(image);
    if (result == 0) {
        *ret_deleted = ct_steal(deleted);
    }
    return result;
}

/* --- removing what nobody needs ------------------------------------------------------------- */

static int64_t collect_blobs(struct image_store *store, const json_t *needed, struct ct_error *err)
{
    int copy = openat(store->blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    int64_t freed = 0;

    if (!dir) {
        ct_cleanup_close(&copy);
        return ct_fail(err, errno, "read '%s/blobs'", store->dir);
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        CT_AUTO_FREE char *digest = ct_printf(DIGEST_PREFIX "%s", entry->d_name);
        freed += drop_blob(store, needed, digest);
    }
    return freed;
}

/* Layers can only go from the top: so often as one went, the one below may follow. */
static int64_t collect_layers(struct image_store *store, const json_t *needed, struct ct_error *err)
{
    CT_AUTO_JSON json_t *layers = snapshot_layers(store->snapshots, err);
    int64_t freed = 0;
    bool went = layers != NULL;

    while (went) {
        went = false;
        for (size_t i = json_array_size(layers); i-- > 0;) {
            int64_t size = drop_layer(store, needed, json_string_value(json_array_get(layers, i)));
            if (size >= 0) {
                freed += size;
                went = true;
                (void)json_array_remove(layers, i);
            }
        }
    }
    return layers ? freed : -1;
}

int64_t image_collect(struct image_store *store, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = index_lock(store, err);
    CT_AUTO_JSON json_t *index = lock < 0 ? NULL : index_load(store, err);
    CT_AUTO_JSON json_t *needed = index ? needed_by(store, index, err) : NULL;

    if (!needed) {
        return ct_while(err, "collect unused images");
    }
    int64_t layers = collect_layers(store, needed, err);
    int64_t blobs = layers < 0 ? -1 : collect_blobs(store, needed, err);
    return blobs < 0 ? -1 : layers + blobs;
}
