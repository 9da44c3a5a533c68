/*
 * tar_read.c - a tar stream into a directory of a root file system.
 *
 * Room:       snapshots.
 * Called by:  engine (cp, volumes).
 *
 * The container may be running and may rename directories to links while we write into them
 * (CVE-2018-15664). It gains nothing: every name is resolved inside its own root by the kernel.
 */
#include "snapshots_internal.h"

#include "path.h"
#include "stream.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int unpack_entries(struct writer *writer, struct layer_stream *stream, struct ct_error *err)
{
    struct archive_entry *entry = NULL;
    char digest[DIGEST_SIZE];
    int more;

    while ((more = stream_next(stream, &entry, err)) > 0) {
        if (writer_entry(writer, stream, entry, err) < 0) {
            return -1;
        }
    }
    /* Reading to the end keeps whoever writes into a pipe from dying of SIGPIPE. */
    if (more < 0 || writer_finish(writer, err) < 0) {
        return -1;
    }
    return stream_finish(stream, digest, err);
}

int snapshot_untar(int root_fd, const char *path, int in_fd, bool no_overwrite_dir,
                   struct ct_error *err)
{
    CT_AUTO_FREE char *base = ct_path_clean(path);
    CT_AUTO_CLOSE int dir = ct_root_openat(root_fd, base, O_PATH, 0, err);
    struct fd_source source = {.fd = in_fd};
    struct stat status;

    if (dir < 0) {
        return ct_while(err, "unpack into '%s'", path);
    }
    if (fstat(dir, &status) < 0) {
        return ct_fail(err, errno, "look at '%s'", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return ct_refuse(err, CT_INVALID, "unpack into '%s': not a directory", path);
    }
    void *locale = utf8_names_enter();
    mode_t mask = umask(0);
    struct writer writer =
        writer_init(root_fd, base, no_overwrite_dir ? WRITER_CAREFUL : WRITER_PLAIN, false);
    struct layer_stream *stream = stream_open(fd_source_read, &source, false, err);
    int result = stream ? unpack_entries(&writer, stream, err) : -1;

    stream_close(stream);
    writer_done(&writer);
    fd_source_done(&source);
    (void)umask(mask);
    utf8_names_leave(locale);
    return result < 0 ? ct_while(err, "unpack into '%s'", path) : 0;
}
