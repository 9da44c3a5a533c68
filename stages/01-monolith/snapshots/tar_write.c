/*
 * tar_write.c - trees and changes as tar streams.
 *
 * Room:       snapshots.
 * Called by:  engine (cp, export, commit).
 * Spec:       POSIX pax; OCI image-spec, layer.md, "Representing Changes".
 */
#include "snapshots_internal.h"

#include "diff.h"
#include "log.h"
#include "path.h"
#include "tar_out.h"
#include "upper.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct writing {
    struct tar_out out;
    const char *prefix; /* before each name of the walk; "" : none */
    struct inode_paths links;
};

static void add_xattrs(struct archive_entry *entry, int fd)
{
    char names[65536]; /* XATTR_LIST_MAX */
    char value[65536]; /* XATTR_SIZE_MAX */
    char path[32];
    ssize_t length = listxattr(ct_fd_path(fd, path), names, sizeof(names));

    for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
        if (strncmp(name, "user.", 5) != 0 && strcmp(name, "security.capability") != 0) {
            continue; /* what the unpacker would drop anyway */
        }
        ssize_t size = getxattr(path, name, value, sizeof(value));
        if (size >= 0) {
            archive_entry_xattr_add_entry(entry, name, value, (size_t)size);
        }
    }
}

/* The parts of a sparse file that have data, so that a huge empty one stays small. */
static void add_holes(struct archive_entry *entry, int fd, const struct stat *status)
{
    if (status->st_blocks * 512 >= status->st_size) {
        return;
    }
    off_t end = 0;
    while (end < status->st_size) {
        off_t start = lseek(fd, end, SEEK_DATA);
        if (start < 0) {
            break; /* ENXIO: only a hole is left */
        }
        end = lseek(fd, start, SEEK_HOLE);
        if (end < 0 || end > status->st_size) {
            end = status->st_size;
        }
        archive_entry_sparse_add_entry(entry, start, end - start);
    }
    if (archive_entry_sparse_count(entry) == 0) {
        archive_entry_sparse_add_entry(entry, 0, 0);
    }
}

static void fill_entry(struct archive_entry *entry, const char *name, const struct stat *status)
{
    archive_entry_set_pathname(entry, name);
    archive_entry_set_mode(entry, status->st_mode);
    archive_entry_set_uid(entry, status->st_uid);
    archive_entry_set_gid(entry, status->st_gid);
    archive_entry_set_mtime(entry, status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
    archive_entry_set_size(entry, S_ISREG(status->st_mode) ? status->st_size : 0);
    if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)) {
        archive_entry_set_rdevmajor(entry, major(status->st_rdev));
        archive_entry_set_rdevminor(entry, minor(status->st_rdev));
    }
}

/* What the header says besides the inode; *ret_fd becomes the file's data, if it has any. */
static int describe_contents(struct archive_entry *entry, int pinned, const struct stat *status,
                             int *ret_fd, struct ct_error *err)
{
    char path[32];

    if (S_ISLNK(status->st_mode)) {
        CT_AUTO_FREE char *target = read_link_at(pinned, "");
        archive_entry_set_symlink(entry, target ? target : "");
    } else if (S_ISREG(status->st_mode)) {
        *ret_fd = open(ct_fd_path(pinned, path), O_RDONLY | O_CLOEXEC);
        if (*ret_fd < 0) {
            return ct_fail(err, errno, "open '%s'", archive_entry_pathname(entry));
        }
        add_holes(entry, *ret_fd, status);
    }
    add_xattrs(entry, pinned);
    return 0;
}

/*
 * One file, opened so that it cannot be swapped between the look at it and the reading: first by
 * O_PATH without following, then by the descriptor, and only when it is a regular file.
 */
static int put_file(struct writing *writing, int dir, const char *file, const char *name,
                    struct ct_error *err)
{
    CT_AUTO_CLOSE int pinned = openat(dir, file, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    CT_AUTO_CLOSE int fd = -1;
    struct stat status;

    if (pinned < 0 || fstat(pinned, &status) < 0) {
        return errno == ENOENT ? 0 : ct_fail(err, errno, "open '%s'", name);
    }
    if (S_ISSOCK(status.st_mode)) {
        ct_debug("leaves a socket out of an archive name=%s", name);
        return 0;
    }
    struct archive_entry *entry = archive_entry_new();
    if (!entry) {
        return ct_fail(err, ENOMEM, "archive '%s'", name);
    }
    fill_entry(entry, name, &status);
    const char *first = inode_paths_first(&writing->links, &status, name);
    int result = 0;
    if (first) {
        archive_entry_set_size(entry, 0);
        archive_entry_set_hardlink(entry, first);
    } else {
        result = describe_contents(entry, pinned, &status, &fd, err);
    }
    if (result == 0) {
        result = tar_out_header(&writing->out, entry, err);
    }
    archive_entry_free(entry);
    if (result == 0 && fd >= 0) {
        result = tar_out_data(&writing->out, fd, status.st_size, name, NULL, err);
    }
    return result < 0 ? -1 : tar_out_end_entry(&writing->out, name, err);
}

static int put_visit(void *context, const struct walk_entry *entry, struct ct_error *err)
{
    struct writing *writing = context;

    if (entry->leaving) {
        return 0;
    }
    CT_AUTO_FREE char *full =
        *writing->prefix ? ct_join(writing->prefix, entry->path) : ct_strdup(entry->path);
    return put_file(writing, entry->dir, entry->name, full, err);
}

/* Whether path names the directory's contents or a thing: "x/" and "x/." follow a last link. */
static bool asks_for_target(const char *path)
{
    size_t n = strlen(path);

    return n == 0 || path[n - 1] == '/' || (n > 1 && strcmp(path + n - 2, "/.") == 0);
}

static int put_tree(struct writing *writing, int root_fd, const char *path, struct ct_error *err)
{
    int nofollow = asks_for_target(path) ? 0 : O_NOFOLLOW;
    CT_AUTO_CLOSE int top = ct_root_openat(root_fd, path, O_PATH | nofollow, 0, err);
    struct stat status;

    if (top < 0) {
        return -1;
    }
    if (fstat(top, &status) < 0) {
        return ct_fail(err, errno, "look at '%s'", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        CT_AUTO_FREE char *clean = ct_path_clean(path);
        CT_AUTO_FREE char *file = NULL;
        CT_AUTO_CLOSE int dir = ct_root_parent(root_fd, clean, &file, err);
        return dir < 0
                   ? -1
                   : put_file(writing, dir, file, *writing->prefix ? writing->prefix : file, err);
    }
    if (*writing->prefix && put_file(writing, top, ".", writing->prefix, err) < 0) {
        return -1;
    }
    return walk_tree(root_fd, path, put_visit, writing, err);
}

static void writing_done(struct writing *writing)
{
    inode_paths_done(&writing->links);
    tar_out_done(&writing->out);
}

int snapshot_tar(int root_fd, const char *path, const char *name, int out_fd, struct ct_error *err)
{
    struct writing writing = {.out = {.fd = out_fd}, .prefix = name};
    int result = tar_out_open(&writing.out, err);

    if (result == 0) {
        result = put_tree(&writing, root_fd, path, err);
    }
    if (result == 0) {
        result = tar_out_close(&writing.out, err);
    }
    writing_done(&writing);
    return result < 0 ? ct_while(err, "archive '%s'", path) : 0;
}

/* "/a/x" is gone: an empty file a/.wh.x */
static int put_whiteout(struct tar_out *out, const char *path, struct ct_error *err)
{
    const char *slash = strrchr(path, '/');
    int parent = (int)(slash + 1 - path) - 1; /* with its slash, without the first one */
    CT_AUTO_FREE char *name = ct_printf("%.*s" WHITEOUT_PREFIX "%s", parent, path + 1, slash + 1);
    struct stat status = {.st_mode = S_IFREG | 0600};
    struct archive_entry *entry = archive_entry_new();

    if (!entry) {
        return ct_fail(err, ENOMEM, "archive '%s'", name);
    }
    fill_entry(entry, name, &status);
    int result = tar_out_header(out, entry, err);
    archive_entry_free(entry);
    return result;
}

static int put_change(struct writing *writing, int root, const struct change *change,
                      struct ct_error *err)
{
    if (change->kind == CHANGE_DELETED) {
        return put_whiteout(&writing->out, change->path, err);
    }
    CT_AUTO_FREE char *name = NULL;
    CT_AUTO_CLOSE int dir = ct_root_parent(root, change->path, &name, err);
    return dir < 0 ? -1 : put_file(writing, dir, name, change->path + 1, err);
}

static int put_changes(struct writing *writing, const struct changes *changes, struct ct_error *err)
{
    int result = tar_out_open(&writing->out, err);

    for (size_t i = 0; result == 0 && i < changes->n; i++) {
        result = put_change(writing, changes->root, &changes->items[i], err);
    }
    return result == 0 ? tar_out_close(&writing->out, err) : result;
}

int snapshot_diff_tar(struct snapshot_store *store, const char *key, int out_fd, char **ret_diff_id,
                      struct ct_error *err)
{
    AUTO_DIGEST struct digest *digest = digest_new(err);
    struct writing writing = {.out = {.fd = out_fd, .digest = digest}, .prefix = ""};
    struct changes changes = {.root = -1};
    char text[DIGEST_SIZE];
    int result = digest ? changes_find(store, key, &changes, err) : -1;

    if (result == 0) {
        result = put_changes(&writing, &changes, err);
    }
    if (result == 0) {
        *ret_diff_id = ct_strdup(digest_final(digest, text));
    }
    writing_done(&writing);
    changes_done(&changes);
    return result < 0 ? ct_while(err, "write the changes of '%s'", key) : 0;
}

int upper_tar(const struct upper *upper, int out_fd, char diff_id[static DIGEST_SIZE],
              struct ct_error *err)
{
    AUTO_DIGEST struct digest *digest = digest_new(err);
    struct writing writing = {.out = {.fd = out_fd, .digest = digest}, .prefix = ""};
    struct changes changes = {.root = -1};
    int result =
        digest ? changes_find_upper(upper->root, upper->lower, upper->n_lower, &changes, err) : -1;

    if (result == 0) {
        result = put_changes(&writing, &changes, err);
    }
    if (result == 0) {
        (void)digest_final(digest, diff_id);
    }
    writing_done(&writing);
    changes_done(&changes);
    return result < 0 ? ct_while(err, "write the changes of a snapshot") : 0;
}
