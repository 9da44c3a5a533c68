/*
 * path.c - paths that strangers control, resolved by the kernel below a root.
 *
 * Room:       lib.   Called by: see path.h.
 */
#define CT_LAYER "path"
#include "path.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

char *ct_strdup(const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        abort(); /* a few bytes: nothing else would work either */
    }
    return copy;
}

char *ct_printf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        abort();
    }
    return text;
}

char *ct_join(const char *a, const char *b)
{
    size_t length = strlen(a);
    while (length > 0 && a[length - 1] == '/') {
        length--;
    }
    return ct_printf("%.*s/%s", (int)length, a, b + strspn(b, "/"));
}

char *ct_path_clean(const char *path)
{
    char *clean = malloc(strlen(path) + 2);
    size_t length = 0;

    if (!clean) {
        abort();
    }
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            while (length > 0 && clean[--length] != '/') {
                /* drops the last component */
            }
        } else if (n > 0 && !(n == 1 && path[0] == '.')) {
            clean[length++] = '/';
            memcpy(clean + length, path, n);
            length += n;
        }
        path += n + (path[n] == '/');
    }
    if (length == 0) {
        clean[length++] = '/';
    }
    clean[length] = '\0';
    return clean;
}

char *ct_path_absolute(const char *path, struct ct_error *err)
{
    if (path[0] == '/') {
        return ct_path_clean(path);
    }
    CT_AUTO_FREE char *here = getcwd(NULL, 0);
    if (!here) {
        return ct_fail_null(err, errno, "find the current directory");
    }
    CT_AUTO_FREE char *joined = ct_join(here, path);
    return ct_path_clean(joined);
}

const char *ct_fd_path(int fd, char buffer[static 32])
{
    (void)snprintf(buffer, 32, "/proc/self/fd/%d", fd);
    return buffer;
}

int ct_root_open(const char *path, struct ct_error *err)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open directory '%s'", path) : fd;
}

/* How often a resolution is tried again that a rename elsewhere disturbed (EAGAIN). */
#define RESOLVE_TRIES 64

static int open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
    bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                           .mode = makes ? mode : 0,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = -1;

    for (int i = 0; i < RESOLVE_TRIES; i++) {
        fd = (int)syscall(SYS_openat2, root_fd, *path ? path : "/", &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return fd;
}

int ct_root_openat(int root_fd, const char *path, int flags, mode_t mode, struct ct_error *err)
{
    int fd = open_in_root(root_fd, path, flags, mode);
    if (fd < 0 && errno == ENOSYS) {
        (void)ct_refuse(err, CT_UNSUPPORTED,
                        "open '%s' inside a root: the kernel has no openat2(2)", path);
        return ct_hint(err, "use Linux 5.6 or later");
    }
    return fd < 0 ? ct_fail(err, errno, "open '%s' in the root file system", path) : fd;
}

/* "/a/b/" -> parent "/a", name "b". Both owned. */
static int split(const char *path, char **ret_parent, char **ret_name, struct ct_error *err)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    size_t length = end - start;
    const char *name = path + start;
    if (length == 0 || (length == 1 && name[0] == '.') ||
        (length == 2 && memcmp(name, "..", 2) == 0)) {
        return ct_refuse(err, CT_INVALID, "find the name in path '%s': it has none", path);
    }
    *ret_name = ct_printf("%.*s", (int)length, name);
    *ret_parent = ct_printf("/%.*s", (int)start, path);
    return 0;
}

int ct_root_parent(int root_fd, const char *path, char **ret_name, struct ct_error *err)
{
    CT_AUTO_FREE char *parent = NULL;
    CT_AUTO_FREE char *name = NULL;

    if (split(path, &parent, &name, err) < 0) {
        return -1;
    }
    int fd = ct_root_openat(root_fd, parent, O_PATH | O_DIRECTORY, 0, err);
    if (fd >= 0) {
        *ret_name = ct_steal(name);
    }
    return fd;
}

/* Makes one directory below an open one, and opens it. It may be made by somebody else meanwhile.
 */
static int make_dir(int parent_fd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
    if (mkdirat(parent_fd, name, mode) == 0) {
        int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            int done = fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 ? -1 : 0;
            int saved = errno;
            (void)close(fd);
            errno = saved;
            return done;
        }
        return -1;
    }
    return errno == EEXIST ? 0 : -1;
}

int ct_root_mkdirs(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                   struct ct_error *err)
{
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    CT_AUTO_CLOSE int fd = -1;

    /* Each prefix is resolved again from the root: a link on the way is followed as the container
     * would. */
    for (char *slash = clean;; *slash = '/') {
        slash = slash + 1 + strcspn(slash + 1, "/");
        bool last = *slash == '\0';
        *slash = '\0';
        int next = open_in_root(root_fd, clean, O_PATH | O_DIRECTORY, 0);
        if (next < 0 && errno == ENOENT) {
            CT_AUTO_FREE char *name = NULL;
            CT_AUTO_CLOSE int parent = ct_root_parent(root_fd, clean, &name, err);
            if (parent < 0) {
                return -1;
            }
            if (make_dir(parent, name, mode, uid, gid) < 0) {
                return ct_fail(err, errno, "make directory '%s' in the root file system", clean);
            }
            next = open_in_root(root_fd, clean, O_PATH | O_DIRECTORY, 0);
        }
        if (next < 0) {
            return ct_fail(err, errno, "make directory '%s' in the root file system", clean);
        }
        ct_cleanup_close(&fd);
        fd = next;
        if (last) {
            return ct_steal_fd(&fd);
        }
    }
}

int ct_root_touch(int root_fd, const char *path, mode_t mode, struct ct_error *err)
{
    int fd = open_in_root(root_fd, path, O_PATH, 0);
    if (fd >= 0) {
        return fd;
    }
    CT_AUTO_CLOSE int made =
        ct_root_openat(root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode, err);
    return made < 0 ? -1 : ct_root_openat(root_fd, path, O_PATH, 0, err);
}

int ct_mkdirs(const char *path, mode_t mode, struct ct_error *err)
{
    int there = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* nearly always */
    if (there >= 0) {
        return there;
    }
    CT_AUTO_FREE char *copy = ct_strdup(path);

    for (char *slash = copy + 1;; *slash++ = '/') {
        slash += strcspn(slash, "/");
        bool last = *slash == '\0';
        *slash = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST) {
            return ct_fail(err, errno, "make directory '%s'", copy);
        }
        if (last) {
            break;
        }
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open directory '%s'", path) : fd;
}

/* The mount a file is on: unlike st_dev it also tells bind mounts apart. */
static int mount_id(int dir_fd, const char *name, uint64_t *ret, mode_t *ret_mode)
{
    struct statx status;
    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_MNT_ID | STATX_TYPE,
              &status) < 0) {
        return -1;
    }
    *ret = status.stx_mnt_id;
    *ret_mode = status.stx_mode;
    return 0;
}

/*
 * Empties a directory. A deep tree must not use up descriptors or the stack: a subdirectory that
 * is not empty is first renamed into `top`, so that the walk is never more than one level deep.
 */
static int empty_directory(int top_fd, int dir_fd, uint64_t mount, struct ct_error *err);

static int remove_entry(int top_fd, int dir_fd, const char *name, uint64_t mount,
                        struct ct_error *err)
{
    uint64_t entry_mount = 0;
    mode_t type = 0;
    static unsigned long long serial;

    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (mount_id(dir_fd, name, &entry_mount, &type) < 0) {
        return errno == ENOENT ? 0 : ct_fail(err, errno, "remove '%s'", name);
    }
    if (entry_mount != mount) {
        return ct_refuse(err, CT_CONFLICT, "remove '%s': something is mounted there", name);
    }
    if (!S_ISDIR(type)) {
        return unlinkat(dir_fd, name, 0) < 0 ? ct_fail(err, errno, "remove '%s'", name) : 0;
    }
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) {
        return 0;
    }
    if (dir_fd != top_fd) {
        char flat[48];
        (void)snprintf(flat, sizeof(flat), ".remove-%d-%llu", (int)getpid(), serial++);
        return renameat(dir_fd, name, top_fd, flat) < 0 ? ct_fail(err, errno, "remove '%s'", name)
                                                        : 0;
    }
    CT_AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return ct_fail(err, errno, "remove '%s'", name);
    }
    if (empty_directory(top_fd, fd, mount, err) < 0) {
        return -1;
    }
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? ct_fail(err, errno, "remove '%s'", name) : 0;
}

/* One pass over the entries. Returns 1 when it removed or moved something, 0 when there was
 * nothing. */
static int sweep(int top_fd, int dir_fd, uint64_t mount, struct ct_error *err)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    int found = 0;

    if (!dir) {
        ct_cleanup_close(&copy);
        return ct_fail(err, errno, "read a directory to remove");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        found = 1;
        if (remove_entry(top_fd, dir_fd, entry->d_name, mount, err) < 0) {
            return -1;
        }
    }
    return found;
}

static int empty_directory(int top_fd, int dir_fd, uint64_t mount, struct ct_error *err)
{
    int found;
    do { /* again, because removing while reading may skip entries, and others come from below */
        found = sweep(top_fd, dir_fd, mount, err);
    } while (found > 0);
    return found;
}

int ct_remove_tree(int dir_fd, const char *name, struct ct_error *err)
{
    uint64_t mount = 0, own_mount = 0;
    mode_t type = 0, own_type = 0;

    if (mount_id(dir_fd, name, &mount, &type) < 0) {
        return errno == ENOENT ? 0 : ct_fail(err, errno, "remove '%s'", name);
    }
    if (!S_ISDIR(type)) {
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT
                   ? ct_fail(err, errno, "remove '%s'", name)
                   : 0;
    }
    CT_AUTO_FREE char *parent_name = NULL;
    const char *slash = strrchr(name, '/');
    parent_name =
        slash ? ct_printf("%.*s", slash == name ? 1 : (int)(slash - name), name) : ct_strdup(".");
    if (mount_id(dir_fd, parent_name, &own_mount, &own_type) == 0 && own_mount != mount) {
        return ct_refuse(err, CT_CONFLICT, "remove '%s': something is mounted there", name);
    }
    CT_AUTO_CLOSE int top = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0) {
        return ct_fail(err, errno, "remove '%s'", name);
    }
    if (empty_directory(top, top, mount, err) < 0) {
        return ct_while(err, "remove '%s'", name);
    }
    return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ? ct_fail(err, errno, "remove '%s'", name) : 0;
}

/* Inodes with several links that were counted already. */
struct seen {
    ino_t *inodes;
    size_t n, size;
};

static bool seen_before(struct seen *seen, ino_t inode)
{
    for (size_t i = 0; i < seen->n; i++) {
        if (seen->inodes[i] == inode) {
            return true;
        }
    }
    if (seen->n == seen->size) {
        size_t size = seen->size ? seen->size * 2 : 64;
        ino_t *grown = reallocarray(seen->inodes, size, sizeof(*grown));
        if (!grown) {
            return false; /* counted once too often: a size for people, not for limits */
        }
        seen->inodes = grown;
        seen->size = size;
    }
    seen->inodes[seen->n++] = inode;
    return false;
}

#define SIZE_DEPTH_MAX 256 /* deeper directories count as empty: descriptors are finite */

static long long sum_tree(int dir_fd, const char *name, uint64_t mount, int depth,
                          struct seen *seen)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    long long total = 0;

    if (!dir) {
        ct_cleanup_close(&fd);
        return 0; /* it went away meanwhile, or is not ours to read */
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat status;
        uint64_t entry_mount = 0;
        mode_t type = 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            (!S_ISDIR(status.st_mode) && status.st_nlink > 1 && seen_before(seen, status.st_ino))) {
            continue;
        }
        total += (long long)status.st_blocks * 512;
        if (S_ISDIR(status.st_mode) && depth < SIZE_DEPTH_MAX &&
            mount_id(fd, entry->d_name, &entry_mount, &type) == 0 && entry_mount == mount) {
            total += sum_tree(fd, entry->d_name, mount, depth + 1, seen);
        }
    }
    return total;
}

long long ct_tree_size_bytes(int dir_fd, const char *name, struct ct_error *err)
{
    struct stat status;
    uint64_t mount = 0;
    mode_t type = 0;
    struct seen seen = {0};

    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        mount_id(dir_fd, name, &mount, &type) < 0) {
        return ct_fail(err, errno, "measure '%s'", name);
    }
    long long total = (long long)status.st_blocks * 512;
    if (S_ISDIR(type)) {
        total += sum_tree(dir_fd, name, mount, 0, &seen);
    }
    free(seen.inodes);
    return total;
}
