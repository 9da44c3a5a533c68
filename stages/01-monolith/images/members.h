/*
 * members.h - an archive of images, read once and staged: every member with its digest, layers
 * already unpacked beside the store.
 *
 * Room:       images.
 * Called by:  load.c.
 */
#ifndef MEMBERS_H
#define MEMBERS_H

#include "images_internal.h"

struct member {
    char *name;                     /* "/blobs/sha256/…": cleaned, from the archive's root */
    char *link;                     /* a symlink's target, cleaned; NULL: a file */
    char *file;                     /* in the scratch directory; NULL once it was moved away */
    char digest[DIGEST_SIZE];       /* of its bytes; "" when it is a layer that broke */
    int64_t size;                   /* bytes */
    const char *suffix;             /* of a layer's media type: "", "+gzip", "+zstd"; NULL: other */
    struct snapshot_staged *staged; /* a layer, unpacked; NULL: none, or given away */
    struct ct_error error;          /* why it cannot be used as a layer */
};

struct members {
    struct image_store *store;
    const struct image_io *io; /* NULL: no progress */
    char scratch_name[SCRATCH_NAME];
    int scratch;
    bool only_layers; /* what comes is a layer, whatever it looks like */
    struct member *items;
    size_t n, size;
};

/*
 * Reads the whole archive from fd, which need not be seekable. -1: CT_INVALID (not an archive,
 * truncated, a name twice), CT_TIMEOUT (cancelled), CT_SYSTEM. members_done() releases in any
 * case and removes what was not moved or committed.
 */
int members_read(struct members *members, struct image_store *store, int fd,
                 const struct image_io *io, struct ct_error *err);
void members_done(struct members *members);

/* The same for a single layer (import, commit) that fd holds alone. Borrowed member, or NULL. */
struct member *members_read_layer(struct members *members, struct image_store *store, int fd,
                                  const struct image_io *io, struct ct_error *err);

/* By name, relative to the archive's root; symlinks among the members are followed. NULL: no
 * such file. Borrowed. */
struct member *members_find(const struct members *members, const char *name);

/* A member's document. NULL: CT_NOT_FOUND, CT_INVALID. Owned. */
json_t *members_json(const struct members *members, const char *name, struct ct_error *err);

/* Its text (owned, NUL-terminated), at most CT_JSON_FILE_MAX. Returns the length or -1. */
ssize_t member_text(const struct members *members, const struct member *member, char **ret,
                    struct ct_error *err);

/* Its bytes again, for a second reading; owned descriptor. */
int member_open(const struct members *members, const struct member *member, struct ct_error *err);

/* {"mediaType","digest","size"} of a layer. NULL: CT_UNSUPPORTED (xz, bzip2). Owned. */
json_t *member_layer_descriptor(const struct member *layer, struct ct_error *err);

/*
 * Moves the file to its place among the blobs; over one that is there, which is equal by name and,
 * if it was damaged, now healed. 1: the blob is new, 0: it was there, -1.
 */
int member_place(struct members *members, struct member *member, struct ct_error *err);

#endif
