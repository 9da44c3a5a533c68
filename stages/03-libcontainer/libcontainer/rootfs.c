/*
 * rootfs.c - a mount of its own, pivot_root, read-only.
 *
 * Room:       libcontainer.   Called by: see rootfs.h.
 * Man:        pivot_root(2) ("pivot_root(".", ".")"), mount_namespaces(7), mount_setattr(2).
 */
#define CT_LAYER "rootfs"
#include "rootfs.h"

#include "mounting.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * pivot_root(2) and our own mounts need a parent that is not shared, else they would be repeated on
 * the host. Which mount the folder lies in is found by trying: only a mount point is accepted.
 */
static int make_parent_private(const char *rootfs, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_path_clean(rootfs);

    for (;;) {
        if (mount(NULL, path, NULL, MS_PRIVATE, NULL) == 0) {
            return 0;
        }
        if (errno != EINVAL || strcmp(path, "/") == 0) {
            return ct_fail(err, errno, "make the mount below '%.100s' private", rootfs);
        }
        char *slash = strrchr(path, '/');
        slash[slash == path ? 1 : 0] = '\0';
    }
}

int lc_rootfs_open(const char *rootfs, long propagation, struct ct_error *err)
{
    unsigned long first = propagation ? (unsigned long)propagation : MS_SLAVE | MS_REC;

    if (mount(NULL, "/", NULL, first, NULL) < 0) {
        return ct_fail(err, errno, "cut the mounts off from the host's");
    }
    if ((first & (MS_SHARED | MS_UNBINDABLE)) && make_parent_private(rootfs, err) < 0) {
        return -1;
    }
    /* Opened once: what is cloned is what it is put over. */
    CT_AUTO_CLOSE int folder = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return ct_fail(err, errno, "open the root file system '%.120s'", rootfs);
    }
    CT_AUTO_CLOSE int tree =
        open_tree(folder, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0) {
        return ct_fail(err, errno, "make the root file system '%.120s' a mount", rootfs);
    }
    return lc_mount_attach(tree, folder, err) < 0 ? -1 : ct_steal_fd(&tree);
}

/* Both at the same place: the old root then lies over the new one, and is taken off again. It is
 * named by its descriptor: "." is the new one for mount(2), whatever lies over it. */
static int pivot(struct ct_error *err)
{
    CT_AUTO_CLOSE int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (old_root < 0 || syscall(SYS_pivot_root, ".", ".") < 0) {
        return ct_fail(err, errno, "pivot_root");
    }
    /* Slave first: else taking it off would take it off the host, too. */
    if (fchdir(old_root) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
        umount2(".", MNT_DETACH) < 0) {
        return ct_fail(err, errno, "take the old root off");
    }
    return 0;
}

/* On a ramdisk "/" cannot be pivoted away: it is covered instead. */
static int move_over(int root_fd, struct ct_error *err)
{
    if (move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || chroot(".") < 0) {
        return ct_fail(err, errno, "move the root file system over '/'");
    }
    return 0;
}

int lc_rootfs_enter(int root_fd, bool no_pivot, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_PIVOT, no_pivot ? "move_mount, chroot" : "pivot_root");

    if (fchdir(root_fd) < 0) {
        return ct_fail(err, errno, "enter the root file system");
    }
    if ((no_pivot ? move_over(root_fd, err) : pivot(err)) < 0) {
        return -1;
    }
    return chdir("/") < 0 ? ct_fail(err, errno, "enter '/'") : 0;
}

int lc_rootfs_chroot(const char *rootfs, struct ct_error *err)
{
    if (chroot(rootfs) < 0 || chdir("/") < 0) {
        return ct_fail(err, errno, "chroot into '%.120s'", rootfs);
    }
    return 0;
}

int lc_rootfs_finish(long propagation, bool readonly, struct ct_error *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

    if (propagation && mount(NULL, "/", NULL, (unsigned long)propagation, NULL) < 0) {
        return ct_fail(err, errno, "set the propagation of '/'");
    }
    if (readonly && mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0) {
        return ct_fail(err, errno, "make '/' read-only");
    }
    return 0;
}
