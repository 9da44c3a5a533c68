/*
 * images.h - the image store: an OCI image layout on disk, shared by all stages.
 *
 * Room:       images. Hands layers to snapshots; knows nothing of containers.
 * Called by:  engine.
 * Spec:       OCI image-spec 1.0 (image-layout.md, index, manifest, config); docker save's
 * manifest.json.
 *
 * On disk: DIR/oci-layout, DIR/index.json (one descriptor a tag, annotation
 * org.opencontainers.image.ref.name = the full reference), DIR/blobs/sha256/<hex>. A blob is
 * verified when written and again when read; a wrong digest is CT_INVALID naming both digests.
 * index.json changes under a lock and atomically. An image's id is the digest of its config.
 */
#ifndef IMAGES_H
#define IMAGES_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct image_store;
struct snapshot_store;

struct image {
    char id[72];     /* "sha256:…" of the config */
    char digest[72]; /* of the manifest */
    json_t *config;  /* the whole OCI image config document */
    json_t *manifest;
    json_t *tags;       /* array of full references, "docker.io/library/busybox:latest" */
    int64_t size_bytes; /* unpacked layers */
};

/* snapshots is borrowed for the store's life. */
struct image_store *image_store_open(const char *dir, struct snapshot_store *snapshots,
                                     struct ct_error *err);
void image_store_close(struct image_store *store);

/*
 * References. normalize: "busybox" -> "docker.io/library/busybox:latest" (CT_INVALID with Docker's
 * words for bad ones). familiar: the way back, without ":latest" only when drop_latest. Both owned.
 */
char *image_ref_normalize(const char *reference, struct ct_error *err);
char *image_ref_familiar(const char *full, bool drop_latest);
/* Splits a familiar or full reference for tables: repository "busybox", tag "latest" (both owned).
 */
int image_ref_split(const char *reference, char **ret_repository, char **ret_tag,
                    struct ct_error *err);

/* By reference, id, or unambiguous id prefix. NULL: CT_NOT_FOUND "no such image: x", CT_INVALID
 * (ambiguous). */
struct image *image_find(struct image_store *store, const char *reference, struct ct_error *err);
void image_free(struct image *image);

/* All images, newest first; untagged (dangling) ones too. Owned NULL-terminated array of owned
 * images. */
struct image **image_list(struct image_store *store, struct ct_error *err);
void image_list_free(struct image **images);

/* The chain id of the topmost layer ("" for none), all layers unpacked by now. Owned. */
char *image_chain(struct image_store *store, const struct image *image, struct ct_error *err);

/* Progress in Docker's terms: id (short layer), status (as in image_io), bytes done and total (0:
 * unknown). */
typedef void (*image_progress_fn)(void *context, const char *id, const char *status,
                                  int64_t current, int64_t total);

struct image_io {
    image_progress_fn progress; /* NULL: none */
    void *context;
    const char *status; /* what progress calls it: "Loading layer"; NULL only without progress */
    int cancel_fd;      /* readable: stop; -1: none */
};

/*
 * image_load - reads an archive (docker save, old and new format, or OCI layout; tar, also
 * compressed) from fd. ret_loaded (owned): array of "Loaded image: busybox:latest" references or
 * "sha256:…" ids. All or nothing for each image; a broken archive leaves no tag and no stray blob.
 */
int image_load(struct image_store *store, int fd, const struct image_io *io, json_t **ret_loaded,
               struct ct_error *err);

/* Writes references as one archive that both docker load and OCI tools read (manifest.json,
 * oci-layout, index.json). */
int image_save(struct image_store *store, const char *const *references, size_t n, int fd,
               const struct image_io *io, struct ct_error *err);

/*
 * image_create - a new image from a config document (rootfs and history are completed here) over
 * the layers of `parent` (may be NULL), with one more layer read as plain tar from layer_fd (-1:
 * none). For import (parent NULL) and commit. reference: NULL or a tag to give. ret_id owned.
 */
int image_create(struct image_store *store, const struct image *parent, json_t *config,
                 int layer_fd, const char *reference, const struct image_io *io, char **ret_id,
                 struct ct_error *err);

int image_tag(struct image_store *store, const char *source, const char *target,
              struct ct_error *err);

/*
 * image_remove - unties a tag; the last tag (or an id) takes the image and its unused layers with
 * it. used(context, id) says whether a container stands on it: then CT_CONFLICT unless force (only
 * untags). ret_deleted (owned): [{"Untagged":…},{"Deleted":…}].
 */
typedef bool (*image_used_fn)(void *context, const char *image_id);
int image_remove(struct image_store *store, const char *reference, bool force, bool no_prune,
                 image_used_fn used, void *context, json_t **ret_deleted, struct ct_error *err);

/* Docker's history items: [{"Id","Created","CreatedBy","Tags","Size","Comment"}], newest first.
 * Owned. */
json_t *image_history(struct image_store *store, const struct image *image, struct ct_error *err);

/* Removes blobs and layers that no image needs (after a crash, or prune). Returns bytes freed or
 * -1. */
int64_t image_collect(struct image_store *store, struct ct_error *err);

#endif
