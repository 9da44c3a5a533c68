/*
 * upper.c - an overlay's upper directory by its descriptor: see upper.h.
 *
 * Room:       snapshots.
 * Called by:  containerd (04); unpack.c, for the looks of implied directories.
 */
#include "upper.h"

#include "snapshots_internal.h"

#include "path.h"
#include "stream.h"
#include "writer.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

bool upper_dress(int own_root, int lower_root, const char *path)
{
    struct ct_error ignored = {0};
    struct stat status;
    int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
    CT_AUTO_CLOSE int lower = ct_root_openat(lower_root, path, flags, 0, &ignored);
    CT_AUTO_CLOSE int own =
        lower < 0 ? -1 : ct_root_openat(own_root, path, O_RDONLY | O_DIRECTORY, 0, &ignored);

    if (lower < 0 || own < 0 || fstat(lower, &status) < 0) {
        return lower >= 0;
    }
    struct timespec times[2] = {status.st_mtim, status.st_mtim};
    (void)fchown(own, status.st_uid, status.st_gid); /* best effort: the defaults stay */
    (void)fchmod(own, status.st_mode & 07777);
    (void)futimens(own, times);
    return true;
}

static void dress_all(const struct upper *upper, const struct writer *writer)
{
    for (size_t i = 0; i < writer->n_implied; i++) {
        for (size_t k = 0; k < upper->n_lower; k++) {
            if (upper_dress(upper->root, upper->lower[k], writer->implied[i])) {
                break;
            }
        }
    }
}

static int write_entries(const struct upper *upper, struct layer_stream *stream,
                         char diff_id[static DIGEST_SIZE], struct ct_error *err)
{
    struct writer writer = writer_init(upper->root, "/", WRITER_LAYER, true);
    struct archive_entry *entry = NULL;
    int result;

    while ((result = stream_next(stream, &entry, err)) > 0) {
        if (writer_entry(&writer, stream, entry, err) < 0) {
            result = -1;
            break;
        }
    }
    if (result == 0) {
        result = writer_finish(&writer, err);
    }
    if (result == 0) {
        result = stream_finish(stream, diff_id, err);
    }
    if (result == 0) {
        dress_all(upper, &writer);
    }
    writer_done(&writer);
    return result;
}

int upper_fill(const struct upper *upper, snapshot_read_fn read, void *context,
               char diff_id[static DIGEST_SIZE], int64_t *ret_size, struct ct_error *err)
{
    struct layer_stream *stream = stream_open(read, context, true, err);

    if (!stream) {
        return -1;
    }
    /* A mask of this thread alone: others make files meanwhile, too. */
    (void)unshare(CLONE_FS);
    void *locale = utf8_names_enter();
    mode_t mask = umask(0);
    int result = write_entries(upper, stream, diff_id, err);
    (void)umask(mask);
    utf8_names_leave(locale);
    *ret_size = stream_size(stream);
    stream_close(stream);
    return result;
}
