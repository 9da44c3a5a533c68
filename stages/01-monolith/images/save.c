/*
 * save.c - images as one archive, for us, Docker and OCI tools alike.
 *
 * Room:       images.
 * Called by:  engine (through images.h).
 * Spec:       OCI image-spec, image-layout.md; Docker's image/spec/v1.2.md (manifest.json).
 *
 * The two forms share their blobs: index.json leads to the manifests, and manifest.json names the
 * same config and layer files for readers that look for docker save's form.
 */
#include "images_internal.h"

#include "json.h"
#include "path.h"
#include "process.h"
#include "tar_out.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct saving {
    struct image_store *store;
    const struct image_io *io;
    struct tar_out out;
    struct layer_progress progress;
    json_t *done;   /* object: the digests of blobs written so far */
    json_t *index;  /* descriptors of index.json */
    json_t *listed; /* items of manifest.json */
};

static int put_entry(struct saving *saving, const char *name, mode_t mode, int64_t size,
                     struct ct_error *err)
{
    struct archive_entry *entry = archive_entry_new();

    if (!entry) {
        return ct_refuse(err, CT_SYSTEM, "archive '%s': no memory", name);
    }
    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, mode);
    archive_entry_set_size(entry, size);
    archive_entry_set_mtime(entry, 0, 0); /* the same images give the same archive */
    int result = tar_out_header(&saving->out, entry, err);
    archive_entry_free(entry);
    return result;
}

static int put_document(struct saving *saving, const char *name, const json_t *document,
                        struct ct_error *err)
{
    CT_AUTO_FREE char *text = ct_json_text(document);
    size_t length = strlen(text);

    if (put_entry(saving, name, S_IFREG | 0644, (int64_t)length, err) < 0 ||
        tar_out_memory(&saving->out, text, length, name, err) < 0) {
        return -1;
    }
    return tar_out_end_entry(&saving->out, name, err);
}

static int check_cancelled(const struct saving *saving, struct ct_error *err)
{
    if (!saving->io || saving->io->cancel_fd < 0) {
        return 0;
    }
    struct ct_error quiet = {0};
    return ct_wait_readable(saving->io->cancel_fd, -1, 0, &quiet) > 0
               ? ct_refuse(err, CT_TIMEOUT, "save images: cancelled")
               : 0;
}

/* Copies a blob and hashes what is copied: a damaged store must not make damaged archives. */
static int put_blob(struct saving *saving, const char *digest, struct ct_error *err)
{
    AUTO_DIGEST struct digest *hash = digest_new(err);
    char actual[DIGEST_SIZE];

    if (json_object_get(saving->done, digest)) {
        return 0;
    }
    CT_AUTO_CLOSE int fd = hash ? blob_open(saving->store, digest, err) : -1;
    int64_t size = fd < 0 ? -1 : blob_size(saving->store, digest);
    if (size < 0 || check_cancelled(saving, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *name = ct_printf("blobs/sha256/%s", digest_hex(digest));
    if (put_entry(saving, name, S_IFREG | 0644, size, err) < 0 ||
        tar_out_data(&saving->out, fd, size, name, hash, err) < 0 ||
        tar_out_end_entry(&saving->out, name, err) < 0) {
        return -1;
    }
    if (strcmp(digest_final(hash, actual), digest) != 0) {
        return ct_refuse(err, CT_INVALID, "blob is %s, expected %s", actual, digest);
    }
    ct_json_set(saving->done, digest, json_true());
    return 0;
}

/* Of a layer on its way out; documents are too small to be told. */
static void show_layer(void *context, int64_t at)
{
    struct saving *saving = context;
    layer_progress_at(&saving->progress, at);
}

static int put_layer(struct saving *saving, const char *digest, struct ct_error *err)
{
    int64_t size = blob_size(saving->store, digest);

    if (json_object_get(saving->done, digest)) {
        return 0;
    }
    layer_progress_begin(&saving->progress, saving->io, digest_hex(digest), size);
    saving->out.moved = show_layer;
    int result = put_blob(saving, digest, err);
    saving->out.moved = NULL;
    if (result == 0) {
        layer_progress_end(&saving->progress, size);
    }
    return result;
}

/* The item of manifest.json for an image; made when it comes for the first time. Borrowed. */
static json_t *list_image(struct saving *saving, const struct image *image)
{
    CT_AUTO_FREE char *config = ct_printf("blobs/sha256/%s", digest_hex(image->id));
    size_t i;
    json_t *item;

    json_array_foreach(saving->listed, i, item)
    {
        if (strcmp(ct_json_string(item, "Config", ""), config) == 0) {
            return item;
        }
    }
    json_t *layers = json_array();
    json_t *made = json_object();
    json_array_foreach(json_object_get(image->manifest, "layers"), i, item)
    {
        CT_AUTO_FREE char *name =
            ct_printf("blobs/sha256/%s", digest_hex(ct_json_string(item, "digest", "")));
        ct_json_append(layers, json_string(name));
    }
    ct_json_set_string(made, "Config", config);
    ct_json_set(made, "RepoTags", json_array());
    ct_json_set(made, "Layers", layers);
    ct_json_append(saving->listed, made);
    return made;
}

/* full: NULL when the image was asked for by its id; then it is saved without a name. */
static void name_image(struct saving *saving, const struct image *image, const char *full)
{
    json_t *item = list_image(saving, image);
    json_t *descriptor =
        make_descriptor(ct_json_string(image->manifest, "mediaType", MEDIA_MANIFEST), image->digest,
                        blob_size(saving->store, image->digest));

    if (full) {
        const char *tag = strrchr(full, ':');
        CT_AUTO_FREE char *familiar = image_ref_familiar(full, false);
        json_t *annotations = json_object();
        ct_json_set_string(annotations, "io.containerd.image.name", full);
        ct_json_set_string(annotations, REF_NAME, tag ? tag + 1 : full);
        ct_json_set(descriptor, "annotations", annotations);
        ct_json_append(json_object_get(item, "RepoTags"), json_string(familiar));
    }
    ct_json_append(saving->index, descriptor);
}

static int save_image(struct saving *saving, const char *reference, struct ct_error *err)
{
    struct ct_error by_id = {0};
    struct image *image = image_find(saving->store, reference, err);
    CT_AUTO_FREE char *full = image_ref_normalize(reference, &by_id);
    const json_t *layers = image ? json_object_get(image->manifest, "layers") : NULL;
    bool named = false;
    size_t i;
    json_t *item;
    int result = image ? 0 : -1;

    json_array_foreach(layers, i, item)
    {
        if (result == 0) {
            result = put_layer(saving, ct_json_string(item, "digest", ""), err);
        }
    }
    if (result == 0) {
        result = put_blob(saving, image->id, err);
    }
    if (result == 0) {
        result = put_blob(saving, image->digest, err);
    }
    if (result == 0) {
        json_array_foreach(image->tags, i, item)
        {
            named |= full && strcmp(json_string_value(item), full) == 0;
        }
        name_image(saving, image, named ? full : NULL);
    }
    image_free(image);
    return result < 0 ? ct_while(err, "save image '%.100s'", reference) : 0;
}

static int save_all(struct saving *saving, const char *const *references, size_t n,
                    struct ct_error *err)
{
    CT_AUTO_JSON json_t *layout = json_pack("{s:s}", "imageLayoutVersion", "1.0.0");
    CT_AUTO_JSON json_t *index = json_pack("{s:i,s:s,s:O}", "schemaVersion", 2, "mediaType",
                                           MEDIA_INDEX, "manifests", saving->index);

    if (put_entry(saving, "blobs/", S_IFDIR | 0755, 0, err) < 0 ||
        put_entry(saving, "blobs/sha256/", S_IFDIR | 0755, 0, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (save_image(saving, references[i], err) < 0) {
            return -1;
        }
    }
    return put_document(saving, "index.json", index, err) < 0 ||
                   put_document(saving, "manifest.json", saving->listed, err) < 0
               ? -1
               : put_document(saving, "oci-layout", layout, err);
}

int image_save(struct image_store *store, const char *const *references, size_t n, int fd,
               const struct image_io *io, struct ct_error *err)
{
    struct saving saving = {.store = store,
                            .io = io,
                            .out = {.fd = fd, .context = &saving},
                            .done = json_object(),
                            .index = json_array(),
                            .listed = json_array()};
    int result = 0;

    /* A name that does not exist is told before the first byte is written. */
    for (size_t i = 0; result == 0 && i < n; i++) {
        struct image *image = image_find(store, references[i], err);
        result = image ? 0 : -1;
        image_free(image);
    }
    if (result == 0) {
        result = tar_out_open(&saving.out, err);
    }
    if (result == 0) {
        result = save_all(&saving, references, n, err);
    }
    if (result == 0) {
        result = tar_out_close(&saving.out, err);
    }
    tar_out_done(&saving.out);
    json_decref(saving.done);
    json_decref(saving.index);
    json_decref(saving.listed);
    return result;
}
