/*
 * writer.c - the unpacker: tar entries become files, by descriptors only.
 *
 * Room:       snapshots.
 * Called by:  unpack.c, tar_read.c.
 * Spec:       OCI image-spec, layer.md; POSIX pax.
 *
 * The rules that keep a hostile archive inside (CVE-2021-32760, CVE-2025-47290 and their family):
 *   - a name with a ".." component is refused; a leading "/" means the root of the tree;
 *   - the directory an entry goes into is resolved by the kernel with RESOLVE_IN_ROOT, so a
 *     symlink made by an earlier entry leads to a place inside, wherever it points;
 *   - the last component is never followed: what is there is unlinked, the new file is made with
 *     O_EXCL | O_NOFOLLOW, and its owner, mode, xattrs and times are set through its descriptor;
 *   - a hard link joins two names that are both resolved like this, without following the target.
 */
#include "writer.h"

#include "snapshots_internal.h"

#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ENTRIES_MAX 10000000u /* more is an attack on the inode table, not a file system */

struct writer writer_init(int root, const char *base, enum writer_mode mode, bool overlay)
{
    return (struct writer){
        .root = root, .base = base, .mode = mode, .overlay = overlay, .parent = -1};
}

static void forget_parent(struct writer *writer)
{
    ct_cleanup_close(&writer->parent);
    writer->parent = -1;
    free(writer->parent_path);
    writer->parent_path = NULL;
    writer->stale = false;
}

void writer_done(struct writer *writer)
{
    forget_parent(writer);
    for (size_t i = 0; i < writer->n_late; i++) {
        free(writer->late[i].path);
    }
    for (size_t i = 0; i < writer->n_implied; i++) {
        free(writer->implied[i]);
    }
    free(writer->late);
    free(writer->implied);
}

/* --- names ------------------------------------------------------------------------------- */

static bool has_dot_dot(const char *name)
{
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        if (n == 2 && at[0] == '.' && at[1] == '.') {
            return true;
        }
        at += n + (at[n] == '/');
    }
    return false;
}

/* "./a//b/" -> "/base/a/b". NULL (err) when the name leaves the tree. */
static char *inside(const struct writer *writer, const char *name, struct ct_error *err)
{
    if (!name || !*name) {
        return ct_refuse_null(err, CT_INVALID, "read a layer entry: it has no name");
    }
    if (has_dot_dot(name)) {
        return ct_refuse_null(err, CT_INVALID, "layer entry '%s' leaves the layer", name);
    }
    CT_AUTO_FREE char *clean = ct_path_clean(name);
    return strcmp(clean, "/") == 0 ? ct_strdup(writer->base) : ct_join(writer->base, clean);
}

/* Splits "/a/b" into the parent's path and the borrowed last component. */
static char *parent_of(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');

    *ret_name = slash + 1;
    return slash == path ? ct_strdup("/") : ct_printf("%.*s", (int)(slash - path), path);
}

static void remember_implied(struct writer *writer, const char *path)
{
    if (writer->n_implied == writer->size_implied) {
        size_t size = writer->size_implied ? writer->size_implied * 2 : 32;
        char **grown = reallocarray(writer->implied, size, sizeof(*grown));
        if (!grown) {
            return; /* such a directory then keeps its default owner and mode */
        }
        writer->implied = grown;
        writer->size_implied = size;
    }
    writer->implied[writer->n_implied++] = ct_strdup(path);
}

/*
 * A whiteout earlier in this layer hid a directory that the layer now fills: both are meant, so
 * it becomes a directory that hides what is below. Returns 0 also when there is no whiteout.
 */
static int whiteout_to_directory(struct writer *writer, int dir, const char *name,
                                 struct ct_error *err)
{
    struct stat status;

    if (writer->mode != WRITER_LAYER || !writer->overlay ||
        fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !is_deletion_node(&status)) {
        return 0;
    }
    writer->stale = true;
    if (unlinkat(dir, name, 0) < 0 || mkdirat(dir, name, 0755) < 0) {
        return ct_fail(err, errno, "replace whiteout '%s'", name);
    }
    CT_AUTO_CLOSE int made = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return made < 0 ? ct_fail(err, errno, "open '%s'", name) : mark_opaque(true, made, err);
}

/* Makes the directories of path that are missing, one after the other, and opens the last. */
static int make_parents(struct writer *writer, const char *path, struct ct_error *err)
{
    CT_AUTO_FREE char *prefix = ct_strdup(path);
    struct ct_error missing = {0};

    for (char *slash = prefix; slash; *slash = '/') {
        slash = strchr(slash + 1, '/');
        if (slash) {
            *slash = '\0';
        }
        CT_AUTO_FREE char *name = NULL;
        CT_AUTO_CLOSE int dir = ct_root_parent(writer->root, prefix, &name, err);
        if (dir < 0 || whiteout_to_directory(writer, dir, name, err) < 0) {
            return -1;
        }
        CT_AUTO_CLOSE int there =
            ct_root_openat(writer->root, prefix, O_PATH | O_DIRECTORY, 0, &missing);
        if (there < 0) {
            CT_AUTO_CLOSE int made = ct_root_mkdirs(writer->root, prefix, 0755, 0, 0, err);
            if (made < 0) {
                return -1;
            }
            remember_implied(writer, prefix);
        }
        if (!slash) {
            break;
        }
    }
    return ct_root_openat(writer->root, path, O_PATH | O_DIRECTORY, 0, err);
}

/* The directory that path's last component goes into; borrowed until the next call. */
static int open_parent(struct writer *writer, const char *path, const char **ret_name,
                       struct ct_error *err)
{
    CT_AUTO_FREE char *parent = parent_of(path, ret_name);
    struct ct_error missing = {0};

    if (writer->parent >= 0 && !writer->stale && strcmp(parent, writer->parent_path) == 0) {
        return writer->parent;
    }
    if (writer->mode == WRITER_LAYER && strstr(parent, "/" WHITEOUT_PREFIX)) {
        return ct_refuse(err, CT_INVALID, "layer entry '%s' lies inside a whiteout", path);
    }
    forget_parent(writer);
    writer->parent = ct_root_openat(writer->root, parent, O_PATH | O_DIRECTORY, 0, &missing);
    if (writer->parent < 0 && (missing.sys == ENOENT || missing.sys == ENOTDIR)) {
        writer->parent = make_parents(writer, parent, err);
    } else if (writer->parent < 0) {
        *err = missing;
    }
    writer->parent_path = ct_steal(parent);
    return writer->parent;
}

/* --- what every file has: owner, mode, xattrs, times ---------------------------------------- */

/*
 * Only these reach the disk. trusted.* is dropped: overlayfs takes trusted.overlay.redirect and
 * its kin for its own orders, and a layer could make it show other directories with them.
 * security.selinux and other labels are the host's to give.
 */
static bool xattr_is_wanted(const char *name)
{
    return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

static int set_xattrs(int fd, struct archive_entry *entry, struct ct_error *err)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    char path[32]; /* fsetxattr(2) refuses O_PATH descriptors; the link in /proc is as exact */

    (void)archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (!name || !xattr_is_wanted(name)) {
            ct_debug("drops an xattr of a layer name=%s", name ? name : "");
        } else if (setxattr(ct_fd_path(fd, path), name, value, size, 0) < 0) {
            if (errno != ENOTSUP && !(errno == EPERM && strncmp(name, "user.", 5) == 0)) {
                return ct_fail(err, errno, "set xattr '%s' of '%s'", name,
                               archive_entry_pathname(entry));
            }
            ct_warn("file system cannot keep xattr name=%s", name);
        }
    }
    return 0;
}

static struct timespec entry_mtime(struct archive_entry *entry)
{
    return (struct timespec){.tv_sec = archive_entry_mtime(entry),
                             .tv_nsec = archive_entry_mtime_nsec(entry)};
}

static int entry_owner(struct archive_entry *entry, uid_t *ret_uid, gid_t *ret_gid,
                       struct ct_error *err)
{
    int64_t uid = archive_entry_uid(entry);
    int64_t gid = archive_entry_gid(entry);

    /* (uid_t)-1 means "leave as it is" to chown(2): root would own the file (CVE-2024-40635). */
    if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX) {
        return ct_refuse(err, CT_INVALID, "layer entry '%s' has an impossible owner %lld:%lld",
                         archive_entry_pathname(entry), (long long)uid, (long long)gid);
    }
    *ret_uid = (uid_t)uid;
    *ret_gid = (gid_t)gid;
    return 0;
}

/* Not being root, one cannot give files away; then they stay ours, as with tar. */
static int chown_failed(void)
{
    return errno == EPERM && geteuid() != 0 ? 0 : -1;
}

/* The mode by descriptor; the way through /proc, which O_PATH ones need, costs twice as much. */
static int set_mode(int fd, bool opened, mode_t mode)
{
    char path[32];

    return opened ? fchmod(fd, mode) : chmod(ct_fd_path(fd, path), mode);
}

/*
 * fd: of the new file itself, an O_PATH one (not `opened`) where opening would have effects
 * (devices) or is impossible (symlinks). Owner before mode and xattrs: chown(2) clears setuid bits
 * and file capabilities. Nothing here takes a name: while we work, a running container may put
 * another file in its place.
 */
static int dress(int fd, bool opened, struct archive_entry *entry, struct ct_error *err)
{
    const char *name = archive_entry_pathname(entry);
    uid_t uid = 0;
    gid_t gid = 0;

    if (entry_owner(entry, &uid, &gid, err) < 0) {
        return -1;
    }
    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 && chown_failed() < 0) {
        return ct_fail(err, errno, "set owner of '%s'", name);
    }
    if (archive_entry_filetype(entry) != AE_IFLNK &&
        set_mode(fd, opened, archive_entry_perm(entry) & 07777) < 0) {
        return ct_fail(err, errno, "set mode of '%s'", name);
    }
    return archive_entry_xattr_count(entry) > 0 ? set_xattrs(fd, entry, err) : 0;
}

/* The same for a symlink or node that was just made as dir/name. */
static int dress_name(int dir, const char *name, struct archive_entry *entry, struct ct_error *err)
{
    struct timespec times[2] = {entry_mtime(entry), entry_mtime(entry)};
    CT_AUTO_CLOSE int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        return ct_fail(err, errno, "open '%s'", archive_entry_pathname(entry));
    }
    if ((status.st_mode & S_IFMT) != archive_entry_filetype(entry)) {
        return ct_refuse(err, CT_CONFLICT, "make '%s': somebody put another file in its place",
                         archive_entry_pathname(entry));
    }
    if (dress(fd, false, entry, err) < 0) {
        return -1;
    }
    return utimensat(fd, "", times, AT_EMPTY_PATH) < 0
               ? ct_fail(err, errno, "set times of '%s'", archive_entry_pathname(entry))
               : 0;
}

/* --- kinds of entries ----------------------------------------------------------------------- */

/* Makes room for a new non-directory. */
static int clear_name(struct writer *writer, int dir, const char *name, struct ct_error *err)
{
    struct stat status;

    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : ct_fail(err, errno, "look at '%s'", name);
    }
    if (S_ISDIR(status.st_mode) && writer->mode == WRITER_CAREFUL) {
        return ct_refuse(err, CT_INVALID, "cannot overwrite directory '%s' with non-directory",
                         name);
    }
    writer->stale = true;
    return ct_remove_tree(dir, name, err) < 0 ? ct_while(err, "replace '%s'", name) : 0;
}

static int write_data(struct layer_stream *stream, int fd, const char *name, int64_t size,
                      struct ct_error *err)
{
    const void *data = NULL;
    size_t length = 0;
    int64_t offset = 0, written = 0;
    int more;

    while ((more = stream_data(stream, &data, &length, &offset, err)) > 0) {
        for (size_t done = 0; done < length;) {
            ssize_t n = pwrite(fd, (const char *)data + done, length - done,
                               (off_t)(offset + (int64_t)done));
            if (n < 0 && errno != EINTR) {
                return ct_fail(err, errno, "write '%s'", name);
            }
            done += n > 0 ? (size_t)n : 0;
        }
        written = offset + (int64_t)length;
    }
    if (more < 0) {
        return ct_while(err, "read '%s'", name);
    }
    /* A sparse file that ends in a hole is shorter than it should be so far. */
    if (written < size && ftruncate(fd, (off_t)size) < 0) {
        return ct_fail(err, errno, "set size of '%s'", name);
    }
    return 0;
}

static int make_regular(struct writer *writer, struct layer_stream *stream,
                        struct archive_entry *entry, int dir, const char *name,
                        struct ct_error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    struct timespec times[2] = {entry_mtime(entry), entry_mtime(entry)};
    CT_AUTO_CLOSE int fd = openat(dir, name, flags, 0600);

    if (fd < 0 && errno == EEXIST) {
        if (clear_name(writer, dir, name, err) < 0) {
            return -1;
        }
        fd = openat(dir, name, flags, 0600);
    }
    if (fd < 0) {
        return ct_fail(err, errno, "make '%s'", archive_entry_pathname(entry));
    }
    int64_t size = archive_entry_size(entry);
    if (size > 0 && write_data(stream, fd, archive_entry_pathname(entry), size, err) < 0) {
        return -1;
    }
    writer->bytes += size;
    if (dress(fd, true, entry, err) < 0) {
        return -1;
    }
    return futimens(fd, times) < 0
               ? ct_fail(err, errno, "set times of '%s'", archive_entry_pathname(entry))
               : 0;
}

static int remember_time(struct writer *writer, const char *path, struct archive_entry *entry,
                         struct ct_error *err)
{
    if (writer->n_late == writer->size_late) {
        size_t size = writer->size_late ? writer->size_late * 2 : 256;
        struct late_time *grown = reallocarray(writer->late, size, sizeof(*grown));
        if (!grown) {
            return ct_fail(err, ENOMEM, "remember the time of '%s'", path);
        }
        writer->late = grown;
        writer->size_late = size;
    }
    writer->late[writer->n_late++] =
        (struct late_time){.path = ct_strdup(path), .mtime = entry_mtime(entry)};
    return 0;
}

/* Makes the directory unless one is there; a link to one is replaced, not followed. */
static int enter_directory(struct writer *writer, int dir, const char *name, struct ct_error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

    if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST) {
        return ct_fail(err, errno, "make directory '%s'", name);
    }
    if (whiteout_to_directory(writer, dir, name, err) < 0) {
        return -1;
    }
    int fd = openat(dir, name, flags);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        if (writer->mode == WRITER_CAREFUL) {
            return ct_refuse(err, CT_INVALID, "cannot overwrite non-directory '%s' with directory",
                             name);
        }
        writer->stale = true;
        if (unlinkat(dir, name, 0) < 0 || mkdirat(dir, name, 0700) < 0) {
            return ct_fail(err, errno, "replace '%s' by a directory", name);
        }
        fd = openat(dir, name, flags);
    }
    return fd < 0 ? ct_fail(err, errno, "open directory '%s'", name) : fd;
}

static int make_directory(struct writer *writer, struct archive_entry *entry, int dir,
                          const char *name, const char *path, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = enter_directory(writer, dir, name, err);

    if (fd < 0 || dress(fd, true, entry, err) < 0) {
        return -1;
    }
    return remember_time(writer, path, entry, err);
}

/* The tree's own root ("./"): it exists, only its owner, mode and time are taken. */
static int dress_root(struct writer *writer, struct archive_entry *entry, struct ct_error *err)
{
    if (archive_entry_filetype(entry) != AE_IFDIR) {
        return ct_refuse(err, CT_INVALID, "layer entry '%s' would replace the root directory",
                         archive_entry_pathname(entry));
    }
    CT_AUTO_CLOSE int fd =
        ct_root_openat(writer->root, writer->base, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0 || (writer->mode == WRITER_LAYER && dress(fd, true, entry, err) < 0)) {
        return -1;
    }
    return writer->mode == WRITER_LAYER ? remember_time(writer, writer->base, entry, err) : 0;
}

static int make_hard_link(struct writer *writer, struct archive_entry *entry, int dir,
                          const char *name, struct ct_error *err)
{
    const char *link = archive_entry_hardlink(entry);
    CT_AUTO_FREE char *target_path = inside(writer, link, err);
    CT_AUTO_FREE char *target_name = NULL;

    if (!target_path) {
        return ct_while(err, "hard link '%s'", archive_entry_pathname(entry));
    }
    CT_AUTO_CLOSE int target_dir = ct_root_parent(writer->root, target_path, &target_name, err);
    if (target_dir < 0) {
        return ct_while(err, "hard link '%s' to '%s'", archive_entry_pathname(entry), link);
    }
    /* A link to itself must not lose the file when its name is cleared. */
    struct stat target, old;
    if (fstatat(target_dir, target_name, &target, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? ct_refuse(err, CT_INVALID,
                                           "hard link '%s' to '%s', which the layer does not have",
                                           archive_entry_pathname(entry), link)
                               : ct_fail(err, errno, "look at '%s'", link);
    }
    if (fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == target.st_ino &&
        old.st_dev == target.st_dev) {
        return 0;
    }
    if (clear_name(writer, dir, name, err) < 0) {
        return -1;
    }
    return linkat(target_dir, target_name, dir, name, 0) < 0
               ? ct_fail(err, errno, "hard link '%s' to '%s'", archive_entry_pathname(entry), link)
               : 0;
}

static int make_symlink(struct writer *writer, struct archive_entry *entry, int dir,
                        const char *name, struct ct_error *err)
{
    const char *target = archive_entry_symlink(entry);

    if (!target || !*target) {
        return ct_refuse(err, CT_INVALID, "symlink '%s' points nowhere",
                         archive_entry_pathname(entry));
    }
    /* The target is kept as it is: it is a text, and means what it means inside the container. */
    if (clear_name(writer, dir, name, err) < 0) {
        return -1;
    }
    if (symlinkat(target, dir, name) < 0) {
        return ct_fail(err, errno, "make symlink '%s'", archive_entry_pathname(entry));
    }
    return dress_name(dir, name, entry, err);
}

static int make_node(struct writer *writer, struct archive_entry *entry, int dir, const char *name,
                     struct ct_error *err)
{
    mode_t type = archive_entry_filetype(entry);
    dev_t device =
        makedev((unsigned)archive_entry_rdevmajor(entry), (unsigned)archive_entry_rdevminor(entry));

    if (clear_name(writer, dir, name, err) < 0) {
        return -1;
    }
    if (mknodat(dir, name, type | 0600, type == S_IFIFO ? 0 : device) < 0) {
        return ct_fail(err, errno, "make device '%s'", archive_entry_pathname(entry));
    }
    return dress_name(dir, name, entry, err);
}

/* ".wh.x": x of the layers below is gone. Never x itself of this layer (layer.md). */
static int make_whiteout(struct writer *writer, int dir, const char *mark, struct ct_error *err)
{
    const char *name = mark + strlen(WHITEOUT_PREFIX);
    struct stat status;

    if (strcmp(mark, WHITEOUT_OPAQUE) == 0) {
        return mark_opaque(writer->overlay, dir, err);
    }
    if (strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0) {
        return 0; /* aufs's own notes (.wh..wh.plnk …) say nothing to us */
    }
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return ct_refuse(err, CT_INVALID, "layer entry '%s' leaves the layer", mark);
    }
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return mark_deleted(writer->overlay, dir, name, err);
    }
    if (!writer->overlay || !S_ISDIR(status.st_mode)) {
        return writer->overlay ? 0 : mark_deleted(false, dir, name, err);
    }
    CT_AUTO_CLOSE int same = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return same < 0 ? ct_fail(err, errno, "open '%s'", name) : mark_opaque(true, same, err);
}

static int make_by_type(struct writer *writer, struct layer_stream *stream,
                        struct archive_entry *entry, const char *path, struct ct_error *err)
{
    const char *name = NULL;
    int dir = open_parent(writer, path, &name, err);

    if (dir < 0) {
        return -1;
    }
    if (writer->mode == WRITER_LAYER &&
        strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0) {
        return make_whiteout(writer, dir, name, err);
    }
    if (archive_entry_hardlink(entry)) {
        return make_hard_link(writer, entry, dir, name, err);
    }
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return make_regular(writer, stream, entry, dir, name, err);
    case AE_IFDIR:
        return make_directory(writer, entry, dir, name, path, err);
    case AE_IFLNK:
        return make_symlink(writer, entry, dir, name, err);
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        return make_node(writer, entry, dir, name, err);
    default:
        return ct_refuse(err, CT_INVALID, "layer entry '%s' has an unknown type",
                         archive_entry_pathname(entry));
    }
}

int writer_entry(struct writer *writer, struct layer_stream *stream, struct archive_entry *entry,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *path = inside(writer, archive_entry_pathname(entry), err);

    if (!path) {
        return -1;
    }
    if (++writer->entries > ENTRIES_MAX) {
        return ct_refuse(err, CT_INVALID, "layer has more than %u entries", ENTRIES_MAX);
    }
    if (strcmp(path, writer->base) == 0) {
        writer->named_root = true;
        return dress_root(writer, entry, err);
    }
    return make_by_type(writer, stream, entry, path, err);
}

int writer_finish(struct writer *writer, struct ct_error *err)
{
    for (size_t i = writer->n_late; i-- > 0;) { /* children before their parents */
        struct timespec times[2] = {writer->late[i].mtime, writer->late[i].mtime};
        struct ct_error gone = {0};
        CT_AUTO_CLOSE int fd = ct_root_openat(writer->root, writer->late[i].path,
                                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &gone);
        if (fd < 0) {
            continue; /* a later entry replaced it */
        }
        if (futimens(fd, times) < 0) {
            return ct_fail(err, errno, "set times of '%s'", writer->late[i].path);
        }
    }
    return 0;
}
