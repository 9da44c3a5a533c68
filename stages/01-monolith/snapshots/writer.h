/*
 * writer.h - makes files below a root from tar entries, and never anything outside it.
 *
 * Room:       snapshots.
 * Called by:  unpack.c (layers), tar_read.c (cp).
 */
#ifndef WRITER_H
#define WRITER_H

#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum writer_mode {
    WRITER_LAYER,   /* whiteouts are marks; what is there is this layer's own and is replaced */
    WRITER_PLAIN,   /* whiteouts are ordinary names */
    WRITER_CAREFUL, /* plain, and a directory is never replaced by something else or the reverse */
};

struct late_time { /* a directory's time is set last: filling it changes it */
    char *path;
    struct timespec mtime;
};

struct writer {
    int root;         /* borrowed; an O_PATH root */
    const char *base; /* borrowed; entries are relative to it: "/" or a directory inside the root */
    enum writer_mode mode;
    bool overlay; /* which form marks have (marks.c) */

    char *parent_path; /* the directory of the entry before, kept open */
    int parent;
    bool stale; /* something was removed since: the same path may lead elsewhere now */
    struct late_time *late;
    size_t n_late, size_late;
    char **implied; /* directories that had to be made though the archive did not name them */
    size_t n_implied, size_implied;
    bool named_root; /* the tar had an entry for the root itself */
    uint64_t entries;
    int64_t bytes; /* of regular files */
};

/* Initializes; writer_done() releases. */
struct writer writer_init(int root, const char *base, enum writer_mode mode, bool overlay);
void writer_done(struct writer *writer);

/*
 * Makes one entry and its data from the stream. -1: CT_INVALID (a name that leaves the layer),
 * CT_CONFLICT, CT_SYSTEM (disk full); what was made so far stays.
 */
int writer_entry(struct writer *writer, struct layer_stream *stream, struct archive_entry *entry,
                 struct ct_error *err);

/* After the last entry: the times of directories. */
int writer_finish(struct writer *writer, struct ct_error *err);

#endif
