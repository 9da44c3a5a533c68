/*
 * stream.h - a layer's bytes: decompressed, hashed and read as tar in one pass.
 *
 * Room:       snapshots.
 * Called by:  unpack.c, tar_read.c; images (an archive of images is a tar of tars).
 */
#ifndef STREAM_H
#define STREAM_H

#include "snapshots.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

struct layer_stream; /* opaque */

/* read and context are borrowed for the stream's life. hashed: stream_finish() will be asked. */
struct layer_stream *stream_open(snapshot_read_fn read, void *context, bool hashed,
                                 struct ct_error *err);
void stream_close(struct layer_stream *stream);

/* The next entry (borrowed until the next call): 1; end of the tar: 0; -1 with CT_INVALID or the
 * reader's error. */
int stream_next(struct layer_stream *stream, struct archive_entry **ret, struct ct_error *err);

/* The next piece of the entry's data with its offset: 1; end: 0; -1. Holes are simply left out. */
int stream_data(struct layer_stream *stream, const void **ret_data, size_t *ret_size,
                int64_t *ret_offset, struct ct_error *err);

/* Reads what follows the tar's end; text becomes the digest of all uncompressed bytes, or "" when
 * the stream is not hashed. */
int stream_finish(struct layer_stream *stream, char text[static 72], struct ct_error *err);

/* How many uncompressed bytes have been read. */
int64_t stream_size(const struct layer_stream *stream);

/* snapshot_read_fn over a descriptor: context is a struct fd_source. */
struct fd_source {
    int fd;
    char *buffer; /* owned; freed by fd_source_done() */
};
ssize_t fd_source_read(void *context, const void **ret_data, struct ct_error *err);
void fd_source_done(struct fd_source *source);

/*
 * libarchive converts names by the thread's locale and refuses what does not fit. In a program
 * that never called setlocale() that is every name outside ASCII, so the rooms that read or write
 * tar do it within UTF-8 names: enter() returns what leave() takes back.
 */
void *utf8_names_enter(void);
void utf8_names_leave(void *saved);

#endif
