/*
 * images_internal.h - what the files of this room share.
 *
 * Room:       images; nobody else includes it.
 *
 * On disk, below the store's directory (an OCI image layout that other tools read as it is):
 *   oci-layout, index.json   one descriptor for each tag; untagged images have one without a name
 *   blobs/sha256/<hex>       manifests, configs and layers
 *   lock                     flock(2): every change of the index, and every removal
 *   tmp/<random>/            archives being loaded (scratch.h)
 */
#ifndef IMAGES_INTERNAL_H
#define IMAGES_INTERNAL_H

#define CT_LAYER "images"

#include "cleanup.h"
#include "digest.h"
#include "error.h"
#include "images.h"
#include "scratch.h"
#include "snapshots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEDIA_INDEX    "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG   "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER    "application/vnd.oci.image.layer.v1.tar"
#define REF_NAME       "org.opencontainers.image.ref.name"
#define LAYERS_MAX     500 /* of one image; the kernel stacks no more */

struct image_store {
    char *dir;
    int fd;    /* dir */
    int blobs; /* dir/blobs/sha256 */
    struct snapshot_store *snapshots;
};

/* index.c */
int index_lock(struct image_store *store, struct ct_error *err); /* closing it unlocks */
json_t *index_load(struct image_store *store, struct ct_error *err);
int index_save(struct image_store *store, const json_t *index, struct ct_error *err);
/* The full reference of a descriptor, borrowed; NULL: untagged. */
const char *index_tag_of(const json_t *descriptor);
/*
 * Adds a manifest under a tag (NULL: none). A descriptor that had the tag loses it; it stays as an
 * untagged image, unless another one names the same manifest.
 */
void index_add(json_t *index, const json_t *descriptor, const char *full_reference);
/* {"mediaType","digest","size"}; owned. */
json_t *make_descriptor(const char *media_type, const char *digest, int64_t size);

/* blobs.c */
int blob_open(struct image_store *store, const char *digest, struct ct_error *err);
/* A whole document, verified. NULL: CT_NOT_FOUND, CT_INVALID (wrong digest, not JSON). */
json_t *blob_json(struct image_store *store, const char *digest, struct ct_error *err);
/* Its verified bytes (owned, NUL-terminated); at most CT_JSON_FILE_MAX. Returns the length, -1. */
ssize_t blob_read(struct image_store *store, const char *digest, char **ret, struct ct_error *err);
/* Writes a small blob durably. digest is filled. */
int blob_write(struct image_store *store, const char *data, size_t size,
               char digest[static DIGEST_SIZE], struct ct_error *err);
int64_t blob_size(struct image_store *store, const char *digest); /* -1: not there */

/* progress.c: how far one layer is. Told through io, if it asks for that. */
struct layer_progress {
    const struct image_io *io; /* NULL: nobody asks */
    char id[13];               /* the first twelve characters of the layer's name, as Docker's */
    int64_t total, told;       /* bytes; total 0: unknown */
};
void layer_progress_begin(struct layer_progress *progress, const struct image_io *io,
                          const char *name, int64_t total);
void layer_progress_at(struct layer_progress *progress, int64_t current);
void layer_progress_end(struct layer_progress *progress, int64_t current);

/* find.c */
/* The image behind one manifest; tags are left empty. */
struct image *image_of_manifest(struct image_store *store, const char *manifest_digest,
                                struct ct_error *err);
/* Its diff ids; borrowed from image->config. */
const json_t *image_diff_ids(const struct image *image);

/* layers.c */
/* Unpacks the layers of an image that are missing from the snapshots, from its blobs. */
int layers_unpack(struct image_store *store, const struct image *image, struct ct_error *err);

/* CT_INVALID unless the config is an object whose rootfs.diff_ids are `wanted` valid digests. */
int config_check(const json_t *config, size_t wanted, struct ct_error *err);

#endif
