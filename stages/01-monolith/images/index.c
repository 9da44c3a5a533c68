/*
 * index.c - the store's handle, and index.json: which images there are and what they are called.
 *
 * Room:       images.
 * Called by:  see images.h.
 * Spec:       OCI image-spec, image-layout.md, image-index.md.
 */
#include "images_internal.h"

#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int write_layout(struct image_store *store, struct ct_error *err)
{
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
    struct ct_error made = {0};
    CT_AUTO_JSON json_t *index =
        json_pack("{s:i,s:s,s:[]}", "schemaVersion", 2, "mediaType", MEDIA_INDEX, "manifests");

    if (faccessat(store->fd, "oci-layout", F_OK, 0) == 0) {
        return 0;
    }
    CT_AUTO_CLOSE int lock = index_lock(store, err);
    if (lock < 0) {
        return -1;
    }
    if (faccessat(store->fd, "index.json", F_OK, 0) < 0 && index_save(store, index, err) < 0) {
        return -1;
    }
    if (ct_create_file_at(store->fd, "oci-layout", layout, strlen(layout), 0644, &made) < 0 &&
        made.kind != CT_EXISTS) {
        *err = made;
        return -1;
    }
    return 0;
}

static int open_dirs(struct image_store *store, struct ct_error *err)
{
    CT_AUTO_FREE char *blobs = ct_join(store->dir, "blobs/sha256");
    CT_AUTO_FREE char *tmp_path = ct_join(store->dir, "tmp");

    store->fd = ct_mkdirs(store->dir, 0700, err);
    store->blobs = store->fd < 0 ? -1 : ct_mkdirs(blobs, 0700, err);
    CT_AUTO_CLOSE int tmp = store->blobs < 0 ? -1 : ct_mkdirs(tmp_path, 0700, err);
    return tmp < 0 ? -1 : 0;
}

struct image_store *image_store_open(const char *dir, struct snapshot_store *snapshots,
                                     struct ct_error *err)
{
    struct image_store *store = calloc(1, sizeof(*store));

    if (!store) {
        return ct_fail_null(err, ENOMEM, "open image store '%s'", dir);
    }
    *store =
        (struct image_store){.dir = ct_strdup(dir), .fd = -1, .blobs = -1, .snapshots = snapshots};
    if (open_dirs(store, err) < 0 || scratch_sweep(store->fd, err) < 0 ||
        write_layout(store, err) < 0) {
        image_store_close(store);
        return ct_while_null(err, "open image store '%s'", dir);
    }
    return store;
}

void image_store_close(struct image_store *store)
{
    if (store) {
        ct_cleanup_close(&store->blobs);
        ct_cleanup_close(&store->fd);
        free(store->dir);
        free(store);
    }
}

int index_lock(struct image_store *store, struct ct_error *err)
{
    int lock = ct_lock_at(store->fd, "lock", CT_LOCK_EXCLUSIVE, -1, err);

    return lock < 0 ? ct_while(err, "lock image store '%s'", store->dir) : lock;
}

json_t *index_load(struct image_store *store, struct ct_error *err)
{
    CT_AUTO_JSON json_t *index = ct_json_load_at(store->fd, "index.json", err);
    const json_t *manifests = json_object_get(index, "manifests");
    size_t i;
    json_t *descriptor;

    if (!index) {
        return ct_while_null(err, "read the index of image store '%s'", store->dir);
    }
    json_array_foreach(manifests, i, descriptor)
    {
        if (!digest_is_valid(ct_json_string(descriptor, "digest", ""))) {
            manifests = NULL;
            break;
        }
    }
    if (!json_is_array(manifests)) {
        return ct_refuse_null(err, CT_INVALID, "read '%s/index.json': not an image index",
                              store->dir);
    }
    return ct_steal(index);
}

int index_save(struct image_store *store, const json_t *index, struct ct_error *err)
{
    if (ct_json_save_at(store->fd, "index.json", index, err) < 0) {
        return ct_while(err, "write the index of image store '%s'", store->dir);
    }
    return 0;
}

const char *index_tag_of(const json_t *descriptor)
{
    return json_string_value(json_object_get(json_object_get(descriptor, "annotations"), REF_NAME));
}

json_t *make_descriptor(const char *media_type, const char *digest, int64_t size)
{
    json_t *descriptor = json_object();

    ct_json_set_string(descriptor, "mediaType", media_type);
    ct_json_set_string(descriptor, "digest", digest);
    ct_json_set(descriptor, "size", json_integer(size));
    return descriptor;
}

/* How many descriptors name this manifest. */
static size_t count_manifest(const json_t *manifests, const char *digest)
{
    size_t i, n = 0;
    json_t *descriptor;

    json_array_foreach(manifests, i, descriptor)
    {
        n += strcmp(ct_json_string(descriptor, "digest", ""), digest) == 0;
    }
    return n;
}

/* Takes the tag from whoever has it. */
static void free_tag(json_t *manifests, const char *full_reference)
{
    for (size_t i = 0; i < json_array_size(manifests); i++) {
        json_t *descriptor = json_array_get(manifests, i);
        const char *tag = index_tag_of(descriptor);
        if (!tag || strcmp(tag, full_reference) != 0) {
            continue;
        }
        if (count_manifest(manifests, ct_json_string(descriptor, "digest", "")) > 1) {
            (void)json_array_remove(manifests, i--);
        } else {
            (void)json_object_del(descriptor, "annotations");
        }
    }
}

void index_add(json_t *index, const json_t *descriptor, const char *full_reference)
{
    json_t *manifests = json_object_get(index, "manifests");
    const char *digest = ct_json_string(descriptor, "digest", "");
    json_t *own = make_descriptor(ct_json_string(descriptor, "mediaType", MEDIA_MANIFEST), digest,
                                  ct_json_integer(descriptor, "size", 0));

    if (full_reference) {
        free_tag(manifests, full_reference);
        json_t *annotations = json_object();
        ct_json_set_string(annotations, REF_NAME, full_reference);
        ct_json_set(own, "annotations", annotations);
        for (size_t i = 0; i < json_array_size(manifests); i++) { /* it has a name now */
            json_t *other = json_array_get(manifests, i);
            if (!index_tag_of(other) && strcmp(ct_json_string(other, "digest", ""), digest) == 0) {
                (void)json_array_remove(manifests, i--);
            }
        }
    } else if (count_manifest(manifests, digest) > 0) {
        json_decref(own);
        return;
    }
    ct_json_append(manifests, own);
}
