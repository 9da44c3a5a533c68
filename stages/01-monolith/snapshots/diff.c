/*
 * diff.c - what a container changed.
 *
 * Room:       snapshots.
 * Called by:  engine (diff, commit, ps -s).
 * Spec:       OCI image-spec, layer.md, "Determining Changes"; Docker's ContainerChanges.
 *
 * With overlayfs only what was changed is in the upper directory, so everything found there
 * counts. With the copy driver everything is there, and what looks as it does in the layers does
 * not count. A directory whose contents changed counts as modified itself, as Docker has it.
 */
#include "diff.h"

#include "lookup.h"
#include "path.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <unistd.h>

struct finder {
    struct changes *changes;
    struct lower lower;
    bool overlay;
};

void changes_done(struct changes *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        free(changes->items[i].path);
    }
    free(changes->items);
    ct_cleanup_close(&changes->root);
    *changes = (struct changes){.root = -1};
}

static int add_change(struct changes *changes, enum change_kind kind, const char *path,
                      struct ct_error *err)
{
    if (changes->n == changes->size) {
        size_t size = changes->size ? changes->size * 2 : 64;
        struct change *grown = reallocarray(changes->items, size, sizeof(*grown));
        if (!grown) {
            return ct_fail(err, ENOMEM, "list changes");
        }
        changes->items = grown;
        changes->size = size;
    }
    changes->items[changes->n++] = (struct change){.path = ct_join("/", path), .kind = kind};
    return 0;
}

/* As Docker compares: a directory's size says nothing, and its link count neither. */
static bool looks_alike(const struct stat *a, const struct stat *b)
{
    bool sized = !S_ISDIR(a->st_mode);

    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_rdev == b->st_rdev && (!sized || a->st_size == b->st_size) &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What the layers have in this directory and the snapshot has no longer. */
static int find_missing(struct finder *finder, char *const *own, const char *path,
                        struct ct_error *err)
{
    CT_AUTO_STRV char **below = lower_names(&finder->lower, path, err);

    for (char **name = below; name && *name; name++) {
        while (*own && strcmp(*own, *name) < 0) {
            own++;
        }
        if (*own && strcmp(*own, *name) == 0) {
            continue;
        }
        CT_AUTO_FREE char *gone = *path ? ct_join(path, *name) : ct_strdup(*name);
        if (add_change(finder->changes, CHANGE_DELETED, gone, err) < 0) {
            return -1;
        }
    }
    return below ? 0 : -1;
}

static int find_in_directory(struct finder *finder, const char *path, bool complete,
                             struct ct_error *err);

/* complete: the directory holds all that is visible there, not only what changed. */
static int find_one(struct finder *finder, const char *path, const struct stat *own, bool complete,
                    struct ct_error *err)
{
    struct changes *changes = finder->changes;
    size_t before = changes->n;
    struct stat below;
    int there = lower_find(&finder->lower, path, &below, err);

    if (there < 0) {
        return -1;
    }
    if (finder->overlay && is_deletion_node(own)) {
        return there ? add_change(changes, CHANGE_DELETED, path, err) : 0;
    }
    if (!there) {
        return add_change(changes, CHANGE_ADDED, path, err) < 0 ||
                       (S_ISDIR(own->st_mode) && find_in_directory(finder, path, complete, err) < 0)
                   ? -1
                   : 0;
    }
    if (S_ISDIR(own->st_mode) && find_in_directory(finder, path, complete, err) < 0) {
        return -1;
    }
    bool is_directory = S_ISDIR(own->st_mode);
    bool counts_by_being_there = finder->overlay && !is_directory;
    if (counts_by_being_there || changes->n > before || !looks_alike(own, &below)) {
        return add_change(changes, CHANGE_MODIFIED, path, err);
    }
    return 0;
}

static int find_in_directory(struct finder *finder, const char *path, bool complete,
                             struct ct_error *err)
{
    int flags = O_RDONLY | O_DIRECTORY | (*path ? O_NOFOLLOW : 0);
    CT_AUTO_CLOSE int dir = ct_root_openat(finder->changes->root, path, flags, 0, err);
    CT_AUTO_STRV char **names = dir < 0 ? NULL : walk_names(dir, err);

    if (!names) {
        return ct_while(err, "read directory '/%s'", path);
    }
    complete = complete || (finder->overlay && is_opaque_dir(true, dir));
    if (complete && find_missing(finder, names, path, err) < 0) {
        return -1;
    }
    for (size_t i = 0; names[i]; i++) {
        CT_AUTO_FREE char *own = *path ? ct_join(path, names[i]) : ct_strdup(names[i]);
        struct stat status;
        if (dir < 0) {
            dir = ct_root_openat(finder->changes->root, path, flags, 0, err);
        }
        if (dir < 0) {
            return -1;
        }
        if (fstatat(dir, names[i], &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue; /* gone meanwhile: the container may be running */
        }
        if (S_ISDIR(status.st_mode)) { /* no descriptor is kept open a level (see walk.c) */
            ct_cleanup_close(&dir);
            dir = -1;
        }
        if (find_one(finder, own, &status, complete, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

int changes_find(struct snapshot_store *store, const char *key, struct changes *ret,
                 struct ct_error *err)
{
    struct finder finder = {.changes = ret, .overlay = store->overlay};
    CT_AUTO_FREE char *fs = ct_printf("%s/active/%s/fs", store->dir, key);
    CT_AUTO_STRV char **chain = store_chain_of_key(store, key, err);

    *ret = (struct changes){.root = -1};
    if (!chain || lower_init(&finder.lower, store, chain, err) < 0) {
        return ct_while(err, "find the changes of '%s'", key);
    }
    ret->root = ct_root_open(fs, err);
    int result = ret->root < 0 ? -1 : find_in_directory(&finder, "", !store->overlay, err);
    lower_done(&finder.lower);
    if (result < 0) {
        return ct_while(err, "find the changes of '%s'", key);
    }
    if (ret->n > 0) {
        qsort(ret->items, ret->n, sizeof(*ret->items), by_path);
    }
    return 0;
}

int changes_find_upper(int root, const int *lower, size_t n, struct changes *ret,
                       struct ct_error *err)
{
    struct finder finder = {.changes = ret, .overlay = true};

    *ret = (struct changes){.root = fcntl(root, F_DUPFD_CLOEXEC, 3)};
    if (ret->root < 0) {
        return ct_fail(err, errno, "find changes");
    }
    if (lower_init_roots(&finder.lower, lower, n, true, err) < 0) {
        return -1;
    }
    int result = find_in_directory(&finder, "", false, err);
    lower_done(&finder.lower);
    if (result == 0 && ret->n > 0) {
        qsort(ret->items, ret->n, sizeof(*ret->items), by_path);
    }
    return result;
}

int snapshot_diff(struct snapshot_store *store, const char *key, snapshot_change_fn report,
                  void *context, struct ct_error *err)
{
    struct changes changes;
    int result = changes_find(store, key, &changes, err);

    for (size_t i = 0; result == 0 && i < changes.n; i++) {
        result = report(context, (int)changes.items[i].kind, changes.items[i].path, err);
    }
    changes_done(&changes);
    return result < 0 ? -1 : 0;
}

int64_t snapshot_size(struct snapshot_store *store, const char *key, struct ct_error *err)
{
    struct changes changes;
    struct inode_paths links = {0};
    int64_t total = 0;
    int result = changes_find(store, key, &changes, err);

    for (size_t i = 0; result == 0 && i < changes.n; i++) {
        struct ct_error gone = {0};
        struct stat status;
        const char *path = changes.items[i].path;
        if (changes.items[i].kind == CHANGE_DELETED) {
            continue;
        }
        CT_AUTO_CLOSE int fd = ct_root_openat(changes.root, path, O_PATH | O_NOFOLLOW, 0, &gone);
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
            !inode_paths_first(&links, &status, path)) {
            total += status.st_size;
        }
    }
    inode_paths_done(&links);
    changes_done(&changes);
    return result < 0 ? -1 : total;
}
