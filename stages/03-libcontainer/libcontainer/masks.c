/*
 * masks.c - covers paths, or takes away the right to write below them.
 *
 * Room:       libcontainer.   Called by: see masks.h.
 * Man:        open_tree(2), mount_setattr(2), move_mount(2).
 */
#define CT_LAYER "masks"
#include "masks.h"

#include "mounting.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* 1: *ret_fd is the path (owned); 0: it is not there. */
static int find(int root_fd, const char *path, int *ret_fd, struct ct_error *err)
{
    struct ct_error looked = {0};

    *ret_fd = ct_root_openat(root_fd, path, O_PATH, 0, &looked);
    if (*ret_fd >= 0) {
        return 1;
    }
    if (looked.sys == ENOENT || looked.sys == ENOTDIR || looked.sys == EACCES) {
        return 0; /* what nobody inside can reach needs no cover */
    }
    *err = looked;
    return -1;
}

/*
 * One tmpfs is enough: the first folder gets it, all others get a clone of it. (A clone needs a
 * mount that stands somewhere; *empty_fd is the first one's.)
 */
static int open_cover(int empty_fd, bool folder, int null_fd, struct ct_error *err)
{
    if (folder && empty_fd < 0) {
        return lc_filesystem_make("tmpfs", "tmpfs", NULL, 0, MOUNT_ATTR_RDONLY, err);
    }
    int cover = open_tree(folder ? empty_fd : null_fd, "",
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return cover < 0 ? ct_fail(err, errno, "make the cover") : cover;
}

static int mask(int root_fd, const char *path, int null_fd, int *empty_fd, struct ct_error *err)
{
    int found_fd = -1;
    int found = find(root_fd, path, &found_fd, err);
    CT_AUTO_CLOSE int target = found_fd;
    struct stat st;

    if (found <= 0) {
        return found;
    }
    if (fstat(target, &st) < 0) {
        return ct_fail(err, errno, "look at it");
    }
    CT_AUTO_CLOSE int cover = open_cover(*empty_fd, S_ISDIR(st.st_mode), null_fd, err);
    if (cover < 0 || lc_mount_attach(cover, target, err) < 0) {
        return -1;
    }
    if (S_ISDIR(st.st_mode) && *empty_fd < 0) {
        *empty_fd = ct_steal_fd(&cover);
    }
    return 0;
}

int lc_mask_paths(int root_fd, const char *const *paths, int null_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int empty_fd = -1;

    for (; paths && *paths; paths++) {
        if (mask(root_fd, *paths, null_fd, &empty_fd, err) < 0) {
            return ct_while(err, "mask '%.100s'", *paths);
        }
    }
    return 0;
}

/* A clone of the tree over itself, with the one attribute more. */
static int make_readonly(int root_fd, const char *path, struct ct_error *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    int found_fd = -1;
    int found = find(root_fd, path, &found_fd, err);
    CT_AUTO_CLOSE int target = found_fd;

    if (found <= 0) {
        return found;
    }
    CT_AUTO_CLOSE int tree =
        open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (tree < 0 ||
        mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
        return ct_fail(err, errno, "take away the right to write");
    }
    return lc_mount_attach(tree, target, err);
}

int lc_readonly_paths(int root_fd, const char *const *paths, struct ct_error *err)
{
    for (; paths && *paths; paths++) {
        if (make_readonly(root_fd, *paths, err) < 0) {
            return ct_while(err, "make '%.100s' read-only", *paths);
        }
    }
    return 0;
}
