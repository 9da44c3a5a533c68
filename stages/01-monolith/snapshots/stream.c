/*
 * stream.c - two libarchive readers in a row, with the hash between them.
 *
 * Room:       snapshots.
 * Called by:  unpack.c, tar_read.c.
 * Man:        archive_read(3), archive_read_data(3).
 *
 *   bytes -> [filters: gzip, zstd, xz, bzip2; format "raw"] -> hash -> [format tar] -> entries
 *
 * A layer's identity (its diff id) is the hash of the uncompressed tar, the bytes after its end
 * mark included. One reader with filters and tar would not show us those bytes, hence two.
 * Only tar and these filters are registered: support_format_all() would bring a dozen parsers of
 * hostile input (and libxml2) into the program.
 */
#include "stream.h"

#include "snapshots_internal.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define FD_BLOCK (1u << 18) /* large enough that the hash thread's wake-ups do not count */

/*
 * The hash runs in a thread of its own while the tar reader works on the same block, because
 * hashing costs as much as writing the files. The block stays valid until the next one is read,
 * so nothing is copied: before reading on we wait until its hash is done.
 */
struct hasher {
    struct digest *digest;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const void *block; /* NULL: nothing to do */
    size_t size;
    bool end;
};

struct layer_stream {
    snapshot_read_fn read;
    void *context;
    struct archive *bytes;
    struct archive *tar;
    struct hasher hasher;
    bool at_end;
    int64_t size;          /* uncompressed bytes so far */
    struct ct_error error; /* of a callback; libarchive only carries "-1" */
};

static void *hash_blocks(void *argument)
{
    struct hasher *hasher = argument;

    (void)pthread_mutex_lock(&hasher->mutex);
    for (;;) {
        while (!hasher->block && !hasher->end) {
            (void)pthread_cond_wait(&hasher->changed, &hasher->mutex);
        }
        if (!hasher->block) {
            break;
        }
        (void)pthread_mutex_unlock(&hasher->mutex);
        digest_update(hasher->digest, hasher->block, hasher->size);
        (void)pthread_mutex_lock(&hasher->mutex);
        hasher->block = NULL;
        (void)pthread_cond_signal(&hasher->changed);
    }
    (void)pthread_mutex_unlock(&hasher->mutex);
    return NULL;
}

static int hasher_init(struct hasher *hasher, struct ct_error *err)
{
    hasher->digest = digest_new(err);
    if (!hasher->digest) {
        return -1;
    }
    (void)pthread_mutex_init(&hasher->mutex, NULL);
    (void)pthread_cond_init(&hasher->changed, NULL);
    /* Without a thread the hash is taken in line: slower, and the same. */
    hasher->started = pthread_create(&hasher->thread, NULL, hash_blocks, hasher) == 0;
    return 0;
}

/* Returns when no block is being hashed any more. */
static void hasher_wait(struct hasher *hasher)
{
    if (!hasher->started) {
        return;
    }
    (void)pthread_mutex_lock(&hasher->mutex);
    while (hasher->block) {
        (void)pthread_cond_wait(&hasher->changed, &hasher->mutex);
    }
    (void)pthread_mutex_unlock(&hasher->mutex);
}

static void hasher_give(struct hasher *hasher, const void *block, size_t size)
{
    if (!hasher->started) {
        if (hasher->digest) {
            digest_update(hasher->digest, block, size);
        }
        return;
    }
    (void)pthread_mutex_lock(&hasher->mutex);
    hasher->block = block;
    hasher->size = size;
    (void)pthread_cond_signal(&hasher->changed);
    (void)pthread_mutex_unlock(&hasher->mutex);
}

static void hasher_stop(struct hasher *hasher)
{
    if (!hasher->started) {
        return;
    }
    hasher_wait(hasher);
    (void)pthread_mutex_lock(&hasher->mutex);
    hasher->end = true;
    (void)pthread_cond_signal(&hasher->changed);
    (void)pthread_mutex_unlock(&hasher->mutex);
    (void)pthread_join(hasher->thread, NULL);
    hasher->started = false;
}

static void hasher_done(struct hasher *hasher)
{
    if (hasher->digest) {
        hasher_stop(hasher);
        (void)pthread_cond_destroy(&hasher->changed);
        (void)pthread_mutex_destroy(&hasher->mutex);
        digest_free(hasher->digest);
    }
}

/* libarchive's message, unless one of our callbacks knows better. */
static int stream_failed(struct layer_stream *stream, struct archive *archive, const char *what,
                         struct ct_error *err)
{
    const char *text = archive_error_string(archive);

    if (stream->error.kind != CT_NONE) {
        *err = stream->error;
        return -1;
    }
    if (archive_errno(archive) == ENOMEM) {
        return ct_fail(err, ENOMEM, "%s", what);
    }
    return ct_refuse(err, CT_INVALID, "%s: %s", what, text ? text : "damaged");
}

static ssize_t read_bytes(struct archive *archive, void *context, const void **ret_data)
{
    struct layer_stream *stream = context;
    ssize_t n = stream->read(stream->context, ret_data, &stream->error);

    (void)archive;
    return n < 0 ? ARCHIVE_FATAL : n;
}

/* One block of uncompressed bytes, given to the hash on its way. 0 at the end, -1. */
static ssize_t read_plain(struct layer_stream *stream, const void **ret_data)
{
    size_t size = 0;
    la_int64_t offset = 0;

    hasher_wait(&stream->hasher);
    while (!stream->at_end) {
        int result = archive_read_data_block(stream->bytes, ret_data, &size, &offset);
        if (result == ARCHIVE_EOF) {
            stream->at_end = true;
        } else if (result < ARCHIVE_WARN) {
            (void)stream_failed(stream, stream->bytes, "read tar", &stream->error);
            return -1;
        } else if (size > 0) {
            hasher_give(&stream->hasher, *ret_data, size);
            stream->size += (int64_t)size;
            return (ssize_t)size;
        }
    }
    return 0;
}

static ssize_t read_tar(struct archive *archive, void *context, const void **ret_data)
{
    ssize_t n = read_plain(context, ret_data);

    (void)archive;
    return n < 0 ? ARCHIVE_FATAL : n;
}

static int open_bytes(struct layer_stream *stream, struct ct_error *err)
{
    struct archive_entry *entry = NULL;

    if (archive_read_support_filter_gzip(stream->bytes) < ARCHIVE_WARN ||
        archive_read_support_filter_bzip2(stream->bytes) < ARCHIVE_WARN ||
        archive_read_support_filter_xz(stream->bytes) < ARCHIVE_WARN ||
        archive_read_support_filter_zstd(stream->bytes) < ARCHIVE_WARN ||
        archive_read_support_format_raw(stream->bytes) != ARCHIVE_OK ||
        archive_read_support_format_empty(stream->bytes) != ARCHIVE_OK ||
        archive_read_open(stream->bytes, stream, NULL, read_bytes, NULL) != ARCHIVE_OK) {
        return stream_failed(stream, stream->bytes, "read tar", err);
    }
    int result = archive_read_next_header(stream->bytes, &entry);
    if (result == ARCHIVE_EOF) {
        stream->at_end = true;
        return 0;
    }
    return result < ARCHIVE_WARN ? stream_failed(stream, stream->bytes, "read tar", err) : 0;
}

static int open_tar(struct layer_stream *stream, struct ct_error *err)
{
    if (archive_read_support_format_tar(stream->tar) != ARCHIVE_OK ||
        archive_read_support_format_empty(stream->tar) != ARCHIVE_OK ||
        archive_read_open(stream->tar, stream, NULL, read_tar, NULL) != ARCHIVE_OK) {
        return stream_failed(stream, stream->tar, "read tar", err);
    }
    return 0;
}

struct layer_stream *stream_open(snapshot_read_fn read, void *context, bool hashed,
                                 struct ct_error *err)
{
    struct layer_stream *stream = calloc(1, sizeof(*stream));

    if (stream) {
        stream->read = read;
        stream->context = context;
        stream->bytes = archive_read_new();
        stream->tar = archive_read_new();
    }
    if (!stream || !stream->bytes || !stream->tar) {
        stream_close(stream);
        return ct_fail_null(err, ENOMEM, "read tar");
    }
    if ((hashed && hasher_init(&stream->hasher, err) < 0) || open_bytes(stream, err) < 0 ||
        open_tar(stream, err) < 0) {
        stream_close(stream);
        return NULL;
    }
    return stream;
}

void stream_close(struct layer_stream *stream)
{
    if (stream) {
        hasher_done(&stream->hasher); /* before the block it reads goes away */
        (void)archive_read_free(stream->tar);
        (void)archive_read_free(stream->bytes);
        free(stream);
    }
}

int stream_next(struct layer_stream *stream, struct archive_entry **ret, struct ct_error *err)
{
    int result = archive_read_next_header(stream->tar, ret);

    if (result == ARCHIVE_EOF) {
        return 0;
    }
    /* A warning is about a name that is not UTF-8: its bytes are taken as they are. */
    return result < ARCHIVE_WARN ? stream_failed(stream, stream->tar, "read tar", err) : 1;
}

int stream_data(struct layer_stream *stream, const void **ret_data, size_t *ret_size,
                int64_t *ret_offset, struct ct_error *err)
{
    la_int64_t offset = 0;
    int result = archive_read_data_block(stream->tar, ret_data, ret_size, &offset);

    if (result == ARCHIVE_EOF) {
        return 0;
    }
    *ret_offset = offset;
    return result < ARCHIVE_WARN ? stream_failed(stream, stream->tar, "read tar", err) : 1;
}

int stream_finish(struct layer_stream *stream, char text[static 72], struct ct_error *err)
{
    const void *ignored = NULL;
    ssize_t n;

    do {
        n = read_plain(stream, &ignored);
    } while (n > 0);
    if (n < 0) {
        *err = stream->error;
        return -1;
    }
    hasher_stop(&stream->hasher);
    text[0] = '\0';
    if (stream->hasher.digest) {
        (void)digest_final(stream->hasher.digest, text);
    }
    return 0;
}

int64_t stream_size(const struct layer_stream *stream)
{
    return stream->size;
}

ssize_t fd_source_read(void *context, const void **ret_data, struct ct_error *err)
{
    struct fd_source *source = context;
    ssize_t n;

    if (!source->buffer) {
        source->buffer = malloc(FD_BLOCK);
    }
    if (!source->buffer) {
        return ct_fail(err, ENOMEM, "read tar");
    }
    do {
        n = read(source->fd, source->buffer, FD_BLOCK);
    } while (n < 0 && errno == EINTR);
    *ret_data = source->buffer;
    return n < 0 ? ct_fail(err, errno, "read tar") : n;
}

void fd_source_done(struct fd_source *source)
{
    free(source->buffer);
    source->buffer = NULL;
}

void *utf8_names_enter(void)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    return utf8 ? (void *)uselocale(utf8) : NULL;
}

void utf8_names_leave(void *saved)
{
    if (saved) {
        freelocale(uselocale((locale_t)saved));
    }
}
