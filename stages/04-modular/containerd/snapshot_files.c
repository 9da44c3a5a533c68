/*
 * snapshot_files.c - the directories behind snapshots, for overlayfs.
 *
 * Room:       containerd.   Called by: snapshots.c, collector.c.
 * Spec:       Documentation/filesystems/overlayfs.rst; containerd, snapshots/overlay.
 *
 *   ROOT/snapshots/overlayfs/<id>/fs     what this layer adds; deletions as overlayfs marks them
 *   ROOT/snapshots/overlayfs/<id>/work   overlayfs's own, for active ones
 */
#include "containerd_internal.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const struct containerd *containerd, int64_t id, const char *part,
                     struct pool *pool)
{
    return pool_keep(
        pool, ct_printf("%s/snapshots/" SNAPSHOTTER "/%" PRId64 "/%s", containerd->root, id, part));
}

/* ---- making and removing -------------------------------------------------------------------- */

/* The root directory looks as the one below, or a container would change it by its existence. */
static int make_root(int dir, const struct stat *below, struct ct_error *err)
{
    mode_t mode = below ? below->st_mode & 07777 : 0755;

    if (mkdirat(dir, "fs", 0700) < 0 || mkdirat(dir, "work", 0700) < 0 ||
        (below && fchownat(dir, "fs", below->st_uid, below->st_gid, 0) < 0) ||
        fchmodat(dir, "fs", mode, 0) < 0) {
        return ct_fail(err, errno, "make the directories of a snapshot");
    }
    return 0;
}

int snapshot_make(struct containerd *containerd, int64_t id, int64_t parent, struct ct_error *err)
{
    struct stat below;
    char name[32], parent_fs[40];

    (void)snprintf(name, sizeof(name), "%" PRId64, id);
    (void)snprintf(parent_fs, sizeof(parent_fs), "%" PRId64 "/fs", parent);
    if (parent && fstatat(containerd->snapshots_fd, parent_fs, &below, 0) < 0) {
        return ct_fail(err, errno, "look at the layer below");
    }
    /* An id is used again when the transaction that took it was undone: what is there is litter. */
    if (ct_remove_tree(containerd->snapshots_fd, name, err) < 0) {
        return -1;
    }
    if (mkdirat(containerd->snapshots_fd, name, 0700) < 0) {
        return ct_fail(err, errno, "make a snapshot");
    }
    CT_AUTO_CLOSE int dir =
        openat(containerd->snapshots_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return ct_fail(err, errno, "open a snapshot");
    }
    return make_root(dir, parent ? &below : NULL, err);
}

void snapshot_discard(struct containerd *containerd, const char *name)
{
    char random[17];

    ct_random_hex(random, 8);
    CT_AUTO_FREE char *gone = ct_printf(SNAPSHOT_GONE "%s-%s", name, random);
    (void)renameat(containerd->snapshots_fd, name, containerd->snapshots_fd, gone);
}

int snapshot_sync(struct containerd *containerd, int64_t id, struct ct_error *err)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%" PRId64, id);
    CT_AUTO_CLOSE int dir =
        openat(containerd->snapshots_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 || syncfs(dir) < 0 ? ct_fail(err, errno, "bring a snapshot to the disk") : 0;
}

/* ---- what to mount -------------------------------------------------------------------------- */

static void add_option(Containerd__Types__Mount *mount, char *option, struct pool *pool)
{
    list_add((void ***)&mount->options, &mount->n_options, option, pool);
}

static Containerd__Types__Mount *bind_of(char *source, bool read_only, struct pool *pool)
{
    Containerd__Types__Mount *mount = message_new(&containerd__types__mount__descriptor, pool);

    mount->type = (char *)"bind";
    mount->source = source;
    add_option(mount, (char *)(read_only ? "ro" : "rw"), pool);
    add_option(mount, (char *)"rbind", pool);
    return mount;
}

Containerd__Types__Mount *snapshot_mount_of(const struct containerd *containerd, int64_t id,
                                            const int64_t *parents, size_t n, bool view,
                                            struct pool *pool)
{
    if (n == 0) {
        return bind_of(path_of(containerd, id, "fs", pool), view, pool);
    }
    if (view && n == 1) {
        return bind_of(path_of(containerd, parents[0], "fs", pool), true, pool);
    }
    Containerd__Types__Mount *mount = message_new(&containerd__types__mount__descriptor, pool);
    char *lower = ct_printf("lowerdir=%s", path_of(containerd, parents[0], "fs", pool));
    for (size_t i = 1; i < n; i++) {
        char *longer = ct_printf("%s:%s", lower, path_of(containerd, parents[i], "fs", pool));
        free(lower);
        lower = longer;
    }
    mount->type = (char *)"overlay";
    mount->source = (char *)"overlay";
    if (access("/sys/module/overlay/parameters/index", F_OK) == 0) {
        add_option(mount, (char *)"index=off", pool); /* else two mounts of a layer disagree */
    }
    if (!view) {
        char *work = path_of(containerd, id, "work", pool);
        char *upper = path_of(containerd, id, "fs", pool);
        add_option(mount, pool_keep(pool, ct_printf("workdir=%s", work)), pool);
        add_option(mount, pool_keep(pool, ct_printf("upperdir=%s", upper)), pool);
    }
    add_option(mount, pool_keep(pool, lower), pool);
    return mount;
}

/* ---- how large ------------------------------------------------------------------------------ */

struct count {
    void *seen; /* of tsearch(3): files with several names count once */
    int64_t inodes;
    int depth;
};

static int compare_inodes(const void *a, const void *b)
{
    const ino_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static bool is_new(struct count *count, ino_t inode)
{
    ino_t *key = malloc(sizeof(*key));

    if (!key) {
        return true;
    }
    *key = inode;
    ino_t **found = tsearch(key, &count->seen, compare_inodes);
    if (found && *found != key) {
        free(key);
        return false;
    }
    return true;
}

/* Takes fd. What vanishes meanwhile is not counted. */
static void count_below(int fd, struct count *count)
{
    CT_AUTO_DIR DIR *dir = fdopendir(fd);
    const struct dirent *entry;
    struct stat st;

    if (!dir) {
        ct_cleanup_close(&fd);
        return;
    }
    if (count->depth == 1000) { /* deeper than a path can name */
        return;
    }
    count->depth++;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode) || st.st_nlink == 1 || is_new(count, st.st_ino)) {
            count->inodes++;
        }
        int inner = S_ISDIR(st.st_mode) ? openat(dirfd(dir), entry->d_name,
                                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                        : -1;
        if (inner >= 0) {
            count_below(inner, count);
        }
    }
    count->depth--;
}

int snapshot_usage(struct containerd *containerd, int64_t id, int64_t *ret_size,
                   int64_t *ret_inodes, struct ct_error *err)
{
    struct count count = {.inodes = 1};
    char name[40];

    (void)snprintf(name, sizeof(name), "%" PRId64 "/fs", id);
    *ret_size = ct_tree_size_bytes(containerd->snapshots_fd, name, err);
    int fd = openat(containerd->snapshots_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_size < 0 || fd < 0) {
        ct_cleanup_close(&fd);
        return *ret_size < 0 ? -1 : ct_fail(err, errno, "count the files of a snapshot");
    }
    count_below(fd, &count);
    tdestroy(count.seen, free);
    *ret_inodes = count.inodes;
    return 0;
}
