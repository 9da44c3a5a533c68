/*
 * copy_up.c - copies a tree, descriptor by descriptor.
 *
 * Room:       libcontainer.   Called by: see copy_up.h.
 *
 * The tree is the image's: no name in it is ever followed. Depth is bounded, since each level holds
 * two descriptors.
 */
#define CT_LAYER "mount"
#include "copy_up.h"

#include "cleanup.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64

static int copy_folder(int from_fd, int to_fd, int depth, struct ct_error *err);

static int copy_file(int from_dir, int to_dir, const char *name, struct ct_error *err)
{
    CT_AUTO_CLOSE int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CT_AUTO_CLOSE int to =
        openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (from < 0 || to < 0) {
        return ct_fail(err, errno, "copy the file '%.100s'", name);
    }
    return ct_copy_fd(from, to, err) < 0 ? -1 : 0;
}

static int copy_symlink(int from_dir, int to_dir, const char *name, struct ct_error *err)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

    if (n >= 0) {
        target[n] = '\0';
    }
    if (n < 0 || symlinkat(target, to_dir, name) < 0) {
        return ct_fail(err, errno, "copy the symlink '%.100s'", name);
    }
    return 0;
}

static int copy_below(int from_dir, int to_dir, const char *name, int depth, struct ct_error *err)
{
    CT_AUTO_CLOSE int from = openat(from_dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (from < 0 || mkdirat(to_dir, name, 0700) < 0) {
        return ct_fail(err, errno, "copy the folder '%.100s'", name);
    }
    CT_AUTO_CLOSE int to = openat(to_dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0) {
        return ct_fail(err, errno, "open the folder '%.100s'", name);
    }
    return copy_folder(from, to, depth + 1, err);
}

static int copy_content(int from_dir, int to_dir, const char *name, const struct stat *st,
                        int depth, struct ct_error *err)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFDIR:
        return copy_below(from_dir, to_dir, name, depth, err);
    case S_IFREG:
        return copy_file(from_dir, to_dir, name, err);
    case S_IFLNK:
        return copy_symlink(from_dir, to_dir, name, err);
    default:
        return mknodat(to_dir, name, st->st_mode & S_IFMT, st->st_rdev) < 0
                   ? ct_fail(err, errno, "copy the device '%.100s'", name)
                   : 0;
    }
}

static int copy_entry(int from_dir, int to_dir, const char *name, int depth, struct ct_error *err)
{
    struct stat st;

    if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return ct_fail(err, errno, "look at '%.100s'", name);
    }
    if (S_ISSOCK(st.st_mode)) {
        return 0; /* nobody listens behind a copy */
    }
    if (copy_content(from_dir, to_dir, name, &st, depth, err) < 0) {
        return -1;
    }
    if (fchownat(to_dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISLNK(st.st_mode) && fchmodat(to_dir, name, st.st_mode & 07777, 0) < 0)) {
        return ct_fail(err, errno, "give '%.100s' its owner and mode", name);
    }
    return 0;
}

static int copy_folder(int from_fd, int to_fd, int depth, struct ct_error *err)
{
    CT_AUTO_CLOSE int readable = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = readable < 0 ? NULL : fdopendir(readable);
    const struct dirent *entry;

    if (!dir) {
        return ct_fail(err, errno, "read a folder");
    }
    readable = -1; /* dir closes it */
    if (depth > DEPTH_MAX) {
        return ct_refuse(err, CT_INVALID, "copy folders more than %d deep", DEPTH_MAX);
    }
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            copy_entry(dirfd(dir), to_fd, entry->d_name, depth, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int lc_copy_up(int from_fd, int to_fd, struct ct_error *err)
{
    return copy_folder(from_fd, to_fd, 0, err) < 0 ? ct_while(err, "copy up into the tmpfs") : 0;
}
