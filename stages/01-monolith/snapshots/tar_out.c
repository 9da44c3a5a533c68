/*
 * tar_out.c - libarchive's pax writer with our errors.
 *
 * Room:       snapshots.
 * Called by:  tar_write.c; images (save).
 * Spec:       POSIX pax; man archive_write(3).
 */
#define CT_LAYER "snapshots"
#include "tar_out.h"

#include "cleanup.h"
#include "file.h"
#include "stream.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static la_ssize_t put_bytes(struct archive *archive, void *context, const void *data, size_t size)
{
    struct tar_out *out = context;

    (void)archive;
    if (out->dropped) {
        return (la_ssize_t)size;
    }
    if (ct_write_all(out->fd, data, size) < 0) {
        out->sys = errno;
        return -1;
    }
    if (out->digest) {
        digest_update(out->digest, data, size);
    }
    return (la_ssize_t)size;
}

static int out_failed(struct tar_out *out, const char *name, struct ct_error *err)
{
    const char *text = archive_error_string(out->archive);

    if (out->sys != 0) {
        return ct_fail(err, out->sys, "write the archive");
    }
    return ct_refuse(err, CT_SYSTEM, "archive '%s': %s", name, text ? text : "unknown reason");
}

/* Pax only where the old header cannot say it; xattrs as star, Go and Docker write them. */
int tar_out_open(struct tar_out *out, struct ct_error *err)
{
    out->locale = utf8_names_enter();
    out->archive = archive_write_new();
    if (!out->archive) {
        return ct_fail(err, ENOMEM, "write the archive");
    }
    if (archive_write_set_format_pax_restricted(out->archive) != ARCHIVE_OK ||
        archive_write_set_format_option(out->archive, "pax", "xattrheader", "SCHILY") !=
            ARCHIVE_OK ||
        archive_write_set_bytes_per_block(out->archive, 65536) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(out->archive, 1) != ARCHIVE_OK ||
        archive_write_open(out->archive, out, NULL, put_bytes, NULL) != ARCHIVE_OK) {
        return out_failed(out, "", err);
    }
    return 0;
}

int tar_out_close(struct tar_out *out, struct ct_error *err)
{
    if (archive_write_close(out->archive) != ARCHIVE_OK) {
        return out_failed(out, "", err);
    }
    (void)archive_write_free(out->archive);
    out->archive = NULL;
    return 0;
}

void tar_out_done(struct tar_out *out)
{
    if (out->archive) {
        /* Freeing writes an end mark: a broken archive must look broken, so it goes nowhere.
         * (archive_write_fail() would do the same and leak the writer's buffer.) */
        out->dropped = true;
        (void)archive_write_free(out->archive);
        out->archive = NULL;
    }
    utf8_names_leave(out->locale);
    out->locale = NULL;
}

int tar_out_header(struct tar_out *out, struct archive_entry *entry, struct ct_error *err)
{
    /* A warning is about a name that is not UTF-8: pax says so with hdrcharset=BINARY. */
    return archive_write_header(out->archive, entry) < ARCHIVE_WARN
               ? out_failed(out, archive_entry_pathname(entry), err)
               : 0;
}

int tar_out_memory(struct tar_out *out, const void *data, size_t size, const char *name,
                   struct ct_error *err)
{
    return archive_write_data(out->archive, data, size) < 0 ? out_failed(out, name, err) : 0;
}

/*
 * libarchive wants a sparse file's holes handed over like data, though it only counts them: a
 * mapping of zeros that is never touched serves for any number of them.
 */
#define HOLE_STEP ((size_t)1 << 30)

static int put_hole(struct tar_out *out, int64_t size, const char *name, struct ct_error *err)
{
    void *zeros =
        mmap(NULL, HOLE_STEP, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int result = 0;

    if (zeros == MAP_FAILED) {
        return ct_fail(err, errno, "archive '%s'", name);
    }
    while (result == 0 && size > 0) {
        size_t step = size < (int64_t)HOLE_STEP ? (size_t)size : HOLE_STEP;
        result = tar_out_memory(out, zeros, step, name, err);
        size -= (int64_t)step;
    }
    (void)munmap(zeros, HOLE_STEP);
    return result;
}

/* Where the next data is; the file's size when there is only a hole left. */
static int64_t next_data(int fd, int64_t at, int64_t size)
{
    off_t data = lseek(fd, at, SEEK_DATA);

    if (data < 0) {
        return errno == ENXIO ? size : at; /* no such question on this file system: all is data */
    }
    return data < size ? data : size;
}

/* One piece; *at moves on. 1: more, 0: the file ended early. */
static int put_piece(struct tar_out *out, int fd, int64_t *at, int64_t size, const char *name,
                     struct digest *read_by, struct ct_error *err)
{
    char buffer[65536];
    size_t want = size - *at < (int64_t)sizeof(buffer) ? (size_t)(size - *at) : sizeof(buffer);
    ssize_t n;

    do {
        n = pread(fd, buffer, want, *at);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n < 0 ? ct_fail(err, errno, "read '%s'", name) : 0;
    }
    if (read_by) {
        digest_update(read_by, buffer, (size_t)n);
    }
    *at += n;
    if (tar_out_memory(out, buffer, (size_t)n, name, err) < 0) {
        return -1;
    }
    if (out->moved) {
        out->moved(out->context, *at);
    }
    return 1;
}

int tar_out_data(struct tar_out *out, int fd, int64_t size, const char *name,
                 struct digest *read_by, struct ct_error *err)
{
    struct stat status;
    bool sparse = !read_by && fstat(fd, &status) == 0 && status.st_blocks * 512 < status.st_size;

    for (int64_t at = 0; at < size;) {
        int64_t data = sparse ? next_data(fd, at, size) : at;
        if (data > at) {
            if (put_hole(out, data - at, name, err) < 0) {
                return -1;
            }
            at = data;
            continue;
        }
        int more = put_piece(out, fd, &at, size, name, read_by, err);
        if (more <= 0) {
            return more; /* archive_write_finish_entry() pads a file that became shorter */
        }
    }
    return 0;
}

int tar_out_end_entry(struct tar_out *out, const char *name, struct ct_error *err)
{
    return archive_write_finish_entry(out->archive) < ARCHIVE_WARN ? out_failed(out, name, err) : 0;
}
