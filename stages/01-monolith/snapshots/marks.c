/*
 * marks.c - how a layer on disk says that something below it is gone.
 *
 * Room:       snapshots.
 * Called by:  writer.c, diff.c, copy.c, lookup.c.
 * Spec:       OCI image-spec, layer.md, "Whiteouts"; kernel overlayfs.rst, "whiteouts and opaque
 *             directories".
 *
 * The copy driver is for places where overlayfs refuses to work, mostly because we are on an
 * overlay already; there neither a 0:0 device nor trusted.overlay.* can be made. So its layers
 * keep the names of the tar, which no file of an image can have.
 */
#include "snapshots_internal.h"

#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int make_mark(int dir_fd, const char *name, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0000);

    return fd < 0 ? ct_fail(err, errno, "mark '%s'", name) : 0;
}

int mark_deleted(bool overlay, int dir_fd, const char *name, struct ct_error *err)
{
    if (!overlay) {
        CT_AUTO_FREE char *mark = ct_printf(WHITEOUT_PREFIX "%s", name);
        return make_mark(dir_fd, mark, err);
    }
    if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) < 0) {
        return ct_fail(err, errno, "make whiteout '%s'", name);
    }
    return 0;
}

int mark_opaque(bool overlay, int dir_fd, struct ct_error *err)
{
    if (!overlay) {
        return make_mark(dir_fd, WHITEOUT_OPAQUE, err);
    }
    CT_AUTO_CLOSE int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0) {
        return ct_fail(err, errno, "make a directory opaque");
    }
    return 0;
}

bool is_deletion_node(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(0, 0);
}

bool is_opaque_dir(bool overlay, int dir_fd)
{
    struct stat status;
    char value = '\0';

    if (!overlay) {
        return fstatat(dir_fd, WHITEOUT_OPAQUE, &status, AT_SYMLINK_NOFOLLOW) == 0;
    }
    CT_AUTO_CLOSE int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}
