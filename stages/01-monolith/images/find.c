/*
 * find.c - images by name, id or part of an id.
 *
 * Room:       images.
 * Called by:  engine (through images.h).
 */
#include "images_internal.h"

#include "json.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <string.h>

void image_free(struct image *image)
{
    if (image) {
        json_decref(image->config);
        json_decref(image->manifest);
        json_decref(image->tags);
        free(image);
    }
}

void image_list_free(struct image **images)
{
    for (struct image **i = images; i && *i; i++) {
        image_free(*i);
    }
    free(images);
}

int config_check(const json_t *config, size_t wanted, struct ct_error *err)
{
    const json_t *ids = ct_json_get(config, "rootfs.diff_ids");
    size_t i;
    json_t *id;

    if (!json_is_object(config)) {
        return ct_refuse(err, CT_INVALID, "read image config: not an object");
    }
    if (wanted > LAYERS_MAX) {
        return ct_refuse(err, CT_INVALID, "image has %zu layers, more than %d", wanted, LAYERS_MAX);
    }
    if (json_array_size(ids) != wanted) {
        return ct_refuse(err, CT_INVALID, "image config lists %zu layers, the manifest %zu",
                         json_array_size(ids), wanted);
    }
    json_array_foreach(ids, i, id)
    {
        if (!json_is_string(id) || !digest_is_valid(json_string_value(id))) {
            return ct_refuse(err, CT_INVALID, "read image config: a diff id is no digest");
        }
    }
    return 0;
}

const json_t *image_diff_ids(const struct image *image)
{
    return ct_json_get(image->config, "rootfs.diff_ids");
}

/* Bytes of the unpacked layers, as Docker counts SIZE; a layer that is not unpacked counts 0. */
static int64_t layers_size(struct image_store *store, const struct image *image)
{
    CT_AUTO_FREE char *chain = ct_strdup("");
    int64_t total = 0;
    size_t i;
    json_t *id;

    json_array_foreach(image_diff_ids(image), i, id)
    {
        struct ct_error missing = {0};
        CT_AUTO_FREE char *below = chain;
        chain = snapshot_chain_id(below, json_string_value(id));
        int64_t size = snapshot_layer_size(store->snapshots, chain, &missing);
        total += size > 0 ? size : 0;
    }
    return total;
}

struct image *image_of_manifest(struct image_store *store, const char *manifest_digest,
                                struct ct_error *err)
{
    struct image *image = calloc(1, sizeof(*image));

    if (!image) {
        return ct_fail_null(err, ENOMEM, "read image '%s'", manifest_digest);
    }
    (void)strcpy(image->digest, manifest_digest);
    image->tags = json_array();
    image->manifest = blob_json(store, manifest_digest, err);
    const char *id = ct_json_string(image->manifest, "config.digest", "");
    if (image->manifest) {
        image->config = blob_json(store, id, err);
    }
    if (!image->config ||
        config_check(image->config, ct_json_count(json_object_get(image->manifest, "layers")),
                     err) < 0) {
        image_free(image);
        return ct_while_null(err, "read image '%.19s'", manifest_digest);
    }
    (void)strcpy(image->id, id); /* blob_json() found it a valid digest */
    image->size_bytes = layers_size(store, image);
    return image;
}

/* The id of the image behind a descriptor; "" when its manifest cannot be read. */
static void id_of_manifest(struct image_store *store, const char *manifest_digest,
                           char id[static DIGEST_SIZE])
{
    struct ct_error broken = {0};
    CT_AUTO_JSON json_t *manifest = blob_json(store, manifest_digest, &broken);
    const char *digest = ct_json_string(manifest, "config.digest", "");

    id[0] = '\0';
    if (digest_is_valid(digest)) {
        (void)strcpy(id, digest);
    }
}

/* All tags in the index that lead to the image's id. */
static void collect_tags(struct image_store *store, const json_t *index, struct image *image)
{
    size_t i;
    json_t *descriptor;
    char id[DIGEST_SIZE];

    json_array_foreach(json_object_get(index, "manifests"), i, descriptor)
    {
        const char *tag = index_tag_of(descriptor);
        const char *digest = ct_json_string(descriptor, "digest", "");
        if (!tag) {
            continue;
        }
        if (strcmp(digest, image->digest) != 0) {
            id_of_manifest(store, digest, id);
            if (strcmp(id, image->id) != 0) {
                continue;
            }
        }
        ct_json_append(image->tags, json_string(tag));
    }
}

/* --- the ways to name one ------------------------------------------------------------------- */

/* By full reference; NULL (no error): none has it. Borrowed. */
static const char *manifest_by_tag(const json_t *index, const char *full)
{
    const char *at = strchr(full, '@');
    size_t i;
    json_t *descriptor;

    json_array_foreach(json_object_get(index, "manifests"), i, descriptor)
    {
        const char *tag = index_tag_of(descriptor);
        const char *digest = ct_json_string(descriptor, "digest", "");
        bool fits = at ? strcmp(at + 1, digest) == 0 : tag && strcmp(tag, full) == 0;
        if (fits) {
            return digest;
        }
    }
    return NULL;
}

/* By the beginning of an id. 1: found; 0: none; -1: CT_INVALID, it fits several. */
static int manifest_by_id(struct image_store *store, const json_t *index, const char *hex,
                          const char **ret, struct ct_error *err)
{
    char first[DIGEST_SIZE] = "", id[DIGEST_SIZE];
    size_t i;
    json_t *descriptor;

    json_array_foreach(json_object_get(index, "manifests"), i, descriptor)
    {
        const char *digest = ct_json_string(descriptor, "digest", "");
        id_of_manifest(store, digest, id);
        if (!*id || strncmp(digest_hex(id), hex, strlen(hex)) != 0 || strcmp(id, first) == 0) {
            continue;
        }
        if (*first) {
            return ct_refuse(err, CT_INVALID, "image id '%s' is ambiguous: %.19s… and %.19s…", hex,
                             first, id);
        }
        (void)strcpy(first, id);
        *ret = digest;
    }
    return *first != '\0';
}

static int find_manifest(struct image_store *store, const json_t *index, const char *reference,
                         const char **ret, struct ct_error *err)
{
    struct ct_error not_a_name = {0};
    CT_AUTO_FREE char *full = image_ref_normalize(reference, &not_a_name);
    bool prefixed = strncmp(reference, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0;
    const char *hex = prefixed ? digest_hex(reference) : reference;
    size_t length = strlen(hex);

    *ret = full && !prefixed ? manifest_by_tag(index, full) : NULL;
    if (*ret) {
        return 0;
    }
    if (length > 0 && length <= 64 && strspn(hex, "0123456789abcdef") == length) {
        int found = manifest_by_id(store, index, hex, ret, err);
        if (found != 0) {
            return found < 0 ? -1 : 0;
        }
    } else if (!full && !prefixed) {
        *err = not_a_name;
        return -1;
    }
    CT_AUTO_FREE char *familiar = full ? image_ref_familiar(full, false) : ct_strdup(reference);
    return ct_refuse(err, CT_NOT_FOUND, "no such image: %s", prefixed ? reference : familiar);
}

struct image *image_find(struct image_store *store, const char *reference, struct ct_error *err)
{
    CT_AUTO_JSON json_t *index = index_load(store, err);
    const char *manifest = NULL;

    if (!index || find_manifest(store, index, reference, &manifest, err) < 0) {
        return NULL;
    }
    struct image *image = image_of_manifest(store, manifest, err);
    if (image) {
        collect_tags(store, index, image);
    }
    return image;
}

/* --- all of them ---------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct image *left = *(struct image *const *)a;
    const struct image *right = *(struct image *const *)b;
    int order = strcmp(ct_json_string(right->config, "created", ""),
                       ct_json_string(left->config, "created", ""));

    return order ? order : strcmp(left->id, right->id);
}

static bool list_has(struct image *const *list, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i]->id, id) == 0) {
            return true;
        }
    }
    return false;
}

struct image **image_list(struct image_store *store, struct ct_error *err)
{
    CT_AUTO_JSON json_t *index = index_load(store, err);
    const json_t *manifests = json_object_get(index, "manifests");
    struct image **list =
        index ? calloc(json_array_size(manifests) + 1, sizeof(struct image *)) : NULL;
    size_t i, n = 0;
    json_t *descriptor;

    if (!list) {
        return index ? ct_fail_null(err, ENOMEM, "list images") : NULL;
    }
    json_array_foreach(manifests, i, descriptor)
    {
        const char *digest = ct_json_string(descriptor, "digest", "");
        char id[DIGEST_SIZE];
        id_of_manifest(store, digest, id);
        if (list_has(list, n, id)) {
            continue;
        }
        list[n] = image_of_manifest(store, digest, err);
        if (!list[n]) { /* one damaged image must not hide the others */
            char text[512];
            ct_warn("leaves out an image that cannot be read reason=%s",
                    ct_error_render(err, text, sizeof(text)));
            ct_error_clear(err);
            continue;
        }
        collect_tags(store, index, list[n++]);
    }
    qsort(list, n, sizeof(struct image *), newest_first);
    return list;
}
