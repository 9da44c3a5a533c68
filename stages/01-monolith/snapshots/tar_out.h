/*
 * tar_out.h - a tar stream to a descriptor, entry by entry.
 *
 * Room:       snapshots.
 * Called by:  tar_write.c; images (save).
 */
#ifndef TAR_OUT_H
#define TAR_OUT_H

#include "digest.h"
#include "error.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

struct tar_out {
    struct archive *archive;
    int fd;                /* borrowed: where the bytes go */
    int sys;               /* errno of the write that failed */
    bool dropped;          /* given up: what still comes is not written */
    struct digest *digest; /* borrowed; NULL: nobody asks */
    /* Called by tar_out_data() with how far in its file it is; NULL: nobody asks. */
    void (*moved)(void *context, int64_t at);
    void *context;
    void *locale;
};

/* Fill in fd, digest and moved, then open. After a success or a failure of whatever follows: done.
 */
int tar_out_open(struct tar_out *out, struct ct_error *err);

/* Writes the end mark. Without it an archive is recognizably broken. */
int tar_out_close(struct tar_out *out, struct ct_error *err);
void tar_out_done(struct tar_out *out);

int tar_out_header(struct tar_out *out, struct archive_entry *entry, struct ct_error *err);
/* size bytes of fd's beginning; a shorter file is filled up with zeros, a longer one cut. read_by,
 * if given, hashes what was read. */
int tar_out_data(struct tar_out *out, int fd, int64_t size, const char *name,
                 struct digest *read_by, struct ct_error *err);
int tar_out_memory(struct tar_out *out, const void *data, size_t size, const char *name,
                   struct ct_error *err);
int tar_out_end_entry(struct tar_out *out, const char *name, struct ct_error *err);

#endif
