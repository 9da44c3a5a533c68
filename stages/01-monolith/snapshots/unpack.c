/*
 * unpack.c - a layer's way into the store: unpacked beside it, then renamed into place.
 *
 * Room:       snapshots.
 * Called by:  images.
 * Spec:       OCI image-spec, layer.md, "Applying Changesets".
 */
#include "snapshots_internal.h"

#include "file.h"
#include "log.h"
#include "path.h"
#include "stream.h"
#include "upper.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct snapshot_staged {
    struct snapshot_store *store;
    char name[SCRATCH_NAME]; /* in tmp/ */
    int dir;                 /* tmp/<name>, locked */
    char diff_id[DIGEST_SIZE];
    char **implied; /* directories that the tar did not name: they look as in the layers below */
    size_t n_implied;
    int64_t bytes;
};

static void staged_free(struct snapshot_staged *staged)
{
    for (size_t i = 0; i < staged->n_implied; i++) {
        free(staged->implied[i]);
    }
    free(staged->implied);
    ct_cleanup_close(&staged->dir);
    free(staged);
}

void snapshot_abandon(struct snapshot_staged *staged)
{
    if (staged) {
        scratch_remove(staged->store->fd, staged->name, &staged->dir);
        staged_free(staged);
    }
}

const char *snapshot_staged_diff_id(const struct snapshot_staged *staged)
{
    return staged->diff_id;
}

/* Takes over what the writer learned. */
static void note_results(struct snapshot_staged *staged, struct writer *writer)
{
    staged->bytes = writer->bytes;
    staged->implied = ct_steal(writer->implied);
    staged->n_implied = writer->n_implied;
    writer->n_implied = 0;
    if (!writer->named_root) {
        char **grown = reallocarray(staged->implied, staged->n_implied + 1, sizeof(*grown));
        if (grown) {
            staged->implied = grown;
            staged->implied[staged->n_implied++] = ct_strdup("/");
        }
    }
}

static int write_entries(struct snapshot_staged *staged, struct layer_stream *stream, int root,
                         struct ct_error *err)
{
    struct writer writer = writer_init(root, "/", WRITER_LAYER, staged->store->overlay);
    struct archive_entry *entry = NULL;
    int more;

    while ((more = stream_next(stream, &entry, err)) > 0) {
        if (writer_entry(&writer, stream, entry, err) < 0) {
            more = -1;
            break;
        }
    }
    if (more == 0 && writer_finish(&writer, err) == 0 &&
        stream_finish(stream, staged->diff_id, err) == 0) {
        note_results(staged, &writer);
        writer_done(&writer);
        return 0;
    }
    writer_done(&writer);
    return -1;
}

static int fill(struct snapshot_staged *staged, snapshot_read_fn read, void *context,
                struct ct_error *err)
{
    if (mkdirat(staged->dir, "fs", 0755) < 0) {
        return ct_fail(err, errno, "make a layer directory");
    }
    CT_AUTO_CLOSE int root = openat(staged->dir, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        return ct_fail(err, errno, "open a layer directory");
    }
    struct layer_stream *stream = stream_open(read, context, true, err);
    int result = stream ? write_entries(staged, stream, root, err) : -1;
    stream_close(stream);
    return result;
}

struct snapshot_staged *snapshot_stage(struct snapshot_store *store, snapshot_read_fn read,
                                       void *context, struct ct_error *err)
{
    struct snapshot_staged *staged = calloc(1, sizeof(*staged));

    if (!staged) {
        return ct_fail_null(err, ENOMEM, "unpack a layer");
    }
    staged->store = store;
    staged->dir = scratch_make(store->fd, staged->name, err);
    if (staged->dir < 0) {
        staged_free(staged);
        return NULL;
    }
    void *locale = utf8_names_enter();
    mode_t mask = umask(0); /* fchmod sets every mode, mknod and mkdir should not be in its way */
    int result = fill(staged, read, context, err);
    (void)umask(mask);
    utf8_names_leave(locale);
    if (result < 0) {
        snapshot_abandon(staged);
        return NULL;
    }
    return staged;
}

/*
 * A directory that the tar only implies ("usr/bin/x" without "usr/") must not change the one
 * below: it takes owner, mode and time of the topmost layer that has it.
 */
static void dress_implied(struct snapshot_staged *staged, char *const *chain)
{
    struct ct_error ignored = {0};
    CT_AUTO_CLOSE int own = openat(staged->dir, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; own >= 0 && i < staged->n_implied; i++) {
        for (char *const *hex = chain; *hex; hex++) {
            CT_AUTO_CLOSE int layer = store_open_layer(staged->store, *hex, &ignored);
            if (layer >= 0 && upper_dress(own, layer, staged->implied[i])) {
                break;
            }
        }
    }
}

static int write_notes(struct snapshot_staged *staged, const char *parent, struct ct_error *err)
{
    char size[32];
    int length = snprintf(size, sizeof(size), "%" PRId64 "\n", staged->bytes);

    if (*parent) {
        CT_AUTO_FREE char *link = ct_printf("../%s", digest_hex(parent));
        if (symlinkat(link, staged->dir, "parent") < 0) {
            return ct_fail(err, errno, "record the parent of a layer");
        }
    }
    CT_AUTO_CLOSE int fd = openat(staged->dir, "size", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ct_write_all(fd, size, (size_t)length) < 0) {
        return ct_fail(err, errno, "record the size of a layer");
    }
    return 0;
}

/* The layer's files reach the disk before its name does: after a power cut it is whole or absent.
 * One syncfs(2) costs less than an fsync for each of ten thousand files. */
static int place(struct snapshot_staged *staged, const char *chain_id, struct ct_error *err)
{
    struct snapshot_store *store = staged->store;
    CT_AUTO_CLOSE int lock = -1;

    if (syncfs(staged->dir) < 0) {
        return ct_fail(err, errno, "write layer '%.19s' to disk", chain_id);
    }
    lock = store_lock(store, err);
    if (lock < 0) {
        return -1;
    }
    if (renameat2(store->tmp, staged->name, store->layers, digest_hex(chain_id), RENAME_NOREPLACE) <
        0) {
        return errno == EEXIST ? 1 : ct_fail(err, errno, "place layer '%.19s'", chain_id);
    }
    return ct_sync_dir(store->layers, err);
}

int snapshot_commit(struct snapshot_staged *staged, const char *parent, struct ct_error *err)
{
    CT_AUTO_STRV char **chain = store_chain(staged->store, parent, err);
    CT_AUTO_FREE char *chain_id = snapshot_chain_id(parent, staged->diff_id);

    if (!chain) {
        snapshot_abandon(staged);
        return ct_while(err, "place layer '%.19s'", chain_id);
    }
    if (snapshot_has(staged->store, chain_id)) {
        snapshot_abandon(staged);
        return 0;
    }
    dress_implied(staged, chain);
    int placed = write_notes(staged, parent, err) < 0 ? -1 : place(staged, chain_id, err);
    if (placed == 0) {
        staged_free(staged);
        return 0;
    }
    snapshot_abandon(staged);
    return placed > 0 ? 0 : -1; /* > 0: another process was faster, with the same bytes */
}

int snapshot_unpack(struct snapshot_store *store, const char *parent, const char *diff_id, int fd,
                    struct ct_error *err)
{
    CT_AUTO_FREE char *chain_id = snapshot_chain_id(parent, diff_id);
    struct fd_source source = {.fd = fd};

    if (snapshot_has(store, chain_id)) {
        return 0;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint: failing is harmless */
    struct snapshot_staged *staged = snapshot_stage(store, fd_source_read, &source, err);
    fd_source_done(&source);
    if (!staged) {
        return ct_while(err, "unpack layer '%.19s'", diff_id);
    }
    if (strcmp(staged->diff_id, diff_id) != 0) {
        (void)ct_refuse(err, CT_INVALID, "layer is %s, expected %s", staged->diff_id, diff_id);
        snapshot_abandon(staged);
        return ct_while(err, "unpack layer '%.19s'", diff_id);
    }
    return snapshot_commit(staged, parent, err);
}
