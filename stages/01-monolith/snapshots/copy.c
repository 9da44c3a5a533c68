/*
 * copy.c - copies trees with all that a file has.
 *
 * Room:       snapshots.
 * Called by:  active.c; engine (through snapshots.h).
 * Spec:       OCI image-spec, layer.md, "Applying Changesets".
 */
#include "copy.h"

#include "file.h"
#include "log.h"
#include "path.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

struct copy {
    int to_root;
    const char *to; /* directory inside to_root */
    bool apply;     /* the source is a layer of the copy driver: .wh. names are orders */
    struct inode_paths links;
};

/* All xattrs but the overlay's own. fd is opened for reading; path_fd may be O_PATH. */
static int copy_xattrs(const char *from, const char *to, struct ct_error *err)
{
    char names[65536]; /* XATTR_LIST_MAX */
    char value[65536]; /* XATTR_SIZE_MAX */
    ssize_t length = listxattr(from, names, sizeof(names));

    for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
        if (strncmp(name, "trusted.overlay.", 16) == 0) {
            continue;
        }
        ssize_t size = getxattr(from, name, value, sizeof(value));
        if (size >= 0 && setxattr(to, name, value, (size_t)size, 0) < 0 && errno != ENOTSUP &&
            errno != EPERM) {
            return ct_fail(err, errno, "set xattr '%s'", name);
        }
    }
    return 0;
}

/* Owner, mode, xattrs and times, from one O_PATH (or better) descriptor to the other. */
static int copy_dress(int from, int to, const struct stat *status, struct ct_error *err)
{
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    char from_path[32], to_path[32];

    if (fchownat(to, "", status->st_uid, status->st_gid, AT_EMPTY_PATH) < 0 && geteuid() == 0) {
        return ct_fail(err, errno, "set the owner of a copy");
    }
    if (!S_ISLNK(status->st_mode) && chmod(ct_fd_path(to, to_path), status->st_mode & 07777) < 0) {
        return ct_fail(err, errno, "set the mode of a copy");
    }
    if (copy_xattrs(ct_fd_path(from, from_path), ct_fd_path(to, to_path), err) < 0) {
        return -1;
    }
    return utimensat(to, "", times, AT_EMPTY_PATH) < 0
               ? ct_fail(err, errno, "set the times of a copy")
               : 0;
}

static int copy_content(const struct walk_entry *from, int to_dir, const char *name,
                        struct ct_error *err)
{
    const int make = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    CT_AUTO_CLOSE int in =
        openat(from->dir, from->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CT_AUTO_CLOSE int out = in < 0 ? -1 : openat(to_dir, name, make, 0600);

    if (out < 0) {
        return ct_fail(err, errno, "copy '%s'", from->path);
    }
    return ct_copy_fd(in, out, err) < 0 ? ct_while(err, "copy '%s'", from->path) : 0;
}

static int make_alike(const struct walk_entry *from, int to_dir, const char *name,
                      struct ct_error *err)
{
    mode_t type = from->status.st_mode & S_IFMT;

    if (type == S_IFREG) {
        return copy_content(from, to_dir, name, err);
    }
    if (type == S_IFLNK) {
        CT_AUTO_FREE char *target = read_link_at(from->dir, from->name);
        return !target || symlinkat(target, to_dir, name) < 0
                   ? ct_fail(err, errno, "copy symlink '%s'", from->path)
                   : 0;
    }
    if (mknodat(to_dir, name, type | 0600, from->status.st_rdev) < 0) {
        return ct_fail(err, errno, "copy device '%s'", from->path);
    }
    return 0;
}

static int link_alike(struct copy *copy, const char *first, int to_dir, const char *name,
                      struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(copy->to, first);
    CT_AUTO_FREE char *first_name = NULL;
    CT_AUTO_CLOSE int first_dir = ct_root_parent(copy->to_root, path, &first_name, err);

    if (first_dir < 0) {
        return -1;
    }
    return linkat(first_dir, first_name, to_dir, name, 0) < 0
               ? ct_fail(err, errno, "link '%s' to '%s'", name, first)
               : 0;
}

/* A directory that is there stays, unless the layer says that it is another one. */
static int copy_directory(struct copy *copy, const struct walk_entry *from, int to_dir,
                          const char *name, struct ct_error *err)
{
    struct stat there;
    bool replace = false;

    if (copy->apply) {
        CT_AUTO_FREE char *mark = ct_printf(WHITEOUT_PREFIX "%s", from->name);
        CT_AUTO_CLOSE int fd =
            openat(from->dir, from->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        replace = faccessat(from->dir, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
                  (fd >= 0 && is_opaque_dir(false, fd));
    }
    if (fstatat(to_dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        (replace || !S_ISDIR(there.st_mode)) && ct_remove_tree(to_dir, name, err) < 0) {
        return -1;
    }
    return mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST
               ? ct_fail(err, errno, "copy directory '%s'", from->path)
               : 0;
}

static int dress_copy(const struct walk_entry *from, int to_dir, const char *name,
                      struct ct_error *err)
{
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    CT_AUTO_CLOSE int in = openat(from->dir, from->name, flags);
    CT_AUTO_CLOSE int out = openat(to_dir, name, flags);
    struct stat status;

    if (in < 0 || out < 0 || fstat(out, &status) < 0) {
        return ct_fail(err, errno, "copy '%s'", from->path);
    }
    if ((status.st_mode & S_IFMT) != (from->status.st_mode & S_IFMT)) {
        return ct_refuse(err, CT_CONFLICT, "copy '%s': it changes while it is copied", from->path);
    }
    return copy_dress(in, out, &from->status, err);
}

/* ".wh.x" in a layer of the copy driver. 1: it was one (or a mark without more meaning here). */
static int apply_mark(const struct walk_entry *from, int to_dir, struct ct_error *err)
{
    const char *name = from->name + strlen(WHITEOUT_PREFIX);

    if (strncmp(from->name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) != 0) {
        return 0;
    }
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strcmp(from->name, WHITEOUT_OPAQUE) == 0 ||
        faccessat(from->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return 1; /* the same name in the same layer: that replaces what is below by itself */
    }
    return ct_remove_tree(to_dir, name, err) < 0 ? -1 : 1;
}

static int copy_visit(void *context, const struct walk_entry *from, struct ct_error *err)
{
    struct copy *copy = context;
    CT_AUTO_FREE char *path = ct_join(copy->to, from->path);
    CT_AUTO_FREE char *name = NULL;
    CT_AUTO_CLOSE int to_dir = ct_root_parent(copy->to_root, path, &name, err);

    if (to_dir < 0) {
        return -1;
    }
    if (from->leaving) { /* now that it is filled, its time will stay */
        return dress_copy(from, to_dir, name, err);
    }
    int mark = copy->apply ? apply_mark(from, to_dir, err) : 0;
    if (mark != 0) {
        return mark;
    }
    if (S_ISDIR(from->status.st_mode)) {
        return copy_directory(copy, from, to_dir, name, err);
    }
    if (S_ISSOCK(from->status.st_mode)) {
        return 0; /* only its server could give it a meaning */
    }
    if (copy->apply && ct_remove_tree(to_dir, name, err) < 0) {
        return -1;
    }
    const char *first = inode_paths_first(&copy->links, &from->status, from->path);
    if (first) {
        return link_alike(copy, first, to_dir, name, err);
    }
    return make_alike(from, to_dir, name, err) < 0 ? -1 : dress_copy(from, to_dir, name, err);
}

static int copy_into(int from_root, const char *from, struct copy *copy, struct ct_error *err)
{
    mode_t mask = umask(0);
    int result = walk_tree(from_root, from, copy_visit, copy, err);

    (void)umask(mask);
    inode_paths_done(&copy->links);
    return result;
}

int copy_layers(struct snapshot_store *store, char *const *chain, int scratch, struct ct_error *err)
{
    CT_AUTO_CLOSE int to = openat(scratch, "fs", O_PATH | O_DIRECTORY | O_CLOEXEC);
    size_t n = 0;

    if (to < 0) {
        return ct_fail(err, errno, "open the snapshot's directory");
    }
    while (chain[n]) {
        n++;
    }
    if (n > 0) {
        ct_info("copies all files of %zu layers: the store's driver is 'copy'", n);
    }
    while (n-- > 0) { /* the lowest first */
        struct copy copy = {.to_root = to, .to = "/", .apply = true};
        CT_AUTO_CLOSE int layer = store_open_layer(store, chain[n], err);
        if (layer < 0 || copy_into(layer, "/", &copy, err) < 0) {
            return ct_while(err, "apply layer '%.12s'", chain[n]);
        }
    }
    return 0;
}

int snapshot_copy_tree(int from_root, const char *from, int to_root, const char *to,
                       struct ct_error *err)
{
    struct copy copy = {.to_root = to_root, .to = to};
    struct stat status;
    CT_AUTO_CLOSE int source = ct_root_openat(from_root, from, O_RDONLY | O_DIRECTORY, 0, err);
    CT_AUTO_CLOSE int target =
        source < 0 ? -1 : ct_root_openat(to_root, to, O_RDONLY | O_DIRECTORY, 0, err);

    if (target < 0) {
        return ct_while(err, "copy '%s' to '%s'", from, to);
    }
    if (copy_into(from_root, from, &copy, err) < 0) {
        return ct_while(err, "copy '%s' to '%s'", from, to);
    }
    if (fstat(source, &status) < 0) {
        return ct_fail(err, errno, "look at '%s'", from);
    }
    return copy_dress(source, target, &status, err);
}
