/*
 * blobs.c - content by digest: verified when it is written and again when it is read.
 *
 * Room:       images.
 * Called by:  the other files of this room.
 * Spec:       OCI image-spec, image-layout.md, "Blobs"; descriptor.md.
 */
#include "images_internal.h"

#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int blob_open(struct image_store *store, const char *digest, struct ct_error *err)
{
    if (!digest_is_valid(digest)) {
        return ct_refuse(err, CT_INVALID, "open blob '%.80s': not a sha256 digest", digest);
    }
    int fd = openat(store->blobs, digest_hex(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open blob '%s'", digest) : fd;
}

int64_t blob_size(struct image_store *store, const char *digest)
{
    struct stat status;

    if (!digest_is_valid(digest) ||
        fstatat(store->blobs, digest_hex(digest), &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return -1;
    }
    return status.st_size;
}

ssize_t blob_read(struct image_store *store, const char *digest, char **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *data = NULL;
    char actual[DIGEST_SIZE];

    if (!digest_is_valid(digest)) {
        return ct_refuse(err, CT_INVALID, "read blob '%.80s': not a sha256 digest", digest);
    }
    ssize_t length =
        ct_read_file_at(store->blobs, digest_hex(digest), CT_JSON_FILE_MAX, &data, err);
    if (length < 0) {
        return ct_while(err, "read blob '%s'", digest);
    }
    if (!digest_of(data, (size_t)length, actual, err)) {
        return -1;
    }
    if (strcmp(actual, digest) != 0) {
        (void)ct_refuse(err, CT_INVALID, "blob is %s, expected %s", actual, digest);
        return ct_hint(err, "load the image again");
    }
    *ret = ct_steal(data);
    return length;
}

json_t *blob_json(struct image_store *store, const char *digest, struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;
    ssize_t length = blob_read(store, digest, &text, err);
    json_t *json = length < 0 ? NULL : ct_json_parse(text, (size_t)length, err);

    return json ? json : ct_while_null(err, "read blob '%s'", digest);
}

int blob_write(struct image_store *store, const char *data, size_t size,
               char digest[static DIGEST_SIZE], struct ct_error *err)
{
    if (!digest_of(data, size, digest, err)) {
        return -1;
    }
    if (blob_size(store, digest) == (int64_t)size) {
        return 0;
    }
    return ct_write_file_at(store->blobs, digest_hex(digest), data, size, 0600, err);
}
