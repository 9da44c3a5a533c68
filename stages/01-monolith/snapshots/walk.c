/*
 * walk.c - a tree in sorted order.
 *
 * Room:       snapshots.
 * Called by:  copy.c, tar_write.c, diff.c.
 *
 * Only one descriptor a level would be the plain way; but a container can nest directories until
 * we have no descriptor left. So the names of a directory are read first, it is closed, and each
 * subdirectory is opened anew by its path below the root (lib/path.h): the depth is bounded by
 * PATH_MAX, which the kernel checks, and a directory swapped for a link meanwhile leads nowhere.
 */
#include "walk.h"

#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **walk_names(int dir_fd, struct ct_error *err)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    CT_AUTO_STRV char **names = calloc(1, sizeof(*names));
    size_t n = 0, size = 0;

    if (!dir || !names) {
        ct_cleanup_close(&copy);
        return ct_fail_null(err, errno, "read a directory");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (n + 1 >= size) {
            size = size ? size * 2 : 32;
            char **grown = reallocarray(names, size, sizeof(*grown));
            if (!grown) {
                return ct_fail_null(err, ENOMEM, "read a directory");
            }
            names = grown;
        }
        names[n++] = ct_strdup(entry->d_name);
        names[n] = NULL;
    }
    qsort(names, n, sizeof(*names), by_name);
    return ct_steal(names);
}

struct walk {
    int root;
    walk_fn visit;
    void *context;
};

static int walk_directory(const struct walk *walk, const char *full, const char *path,
                          struct ct_error *err);

/* Visits one entry; 1: it is a directory to go into. */
static int visit_one(const struct walk *walk, struct walk_entry *entry, struct ct_error *err)
{
    if (fstatat(entry->dir, entry->name, &entry->status, AT_SYMLINK_NOFOLLOW) < 0) {
        /* a running container may have removed it */
        return errno == ENOENT ? 0 : ct_fail(err, errno, "look at '%s'", entry->path);
    }
    int result = walk->visit(walk->context, entry, err);
    if (result != 0) {
        return result < 0 ? -1 : 0;
    }
    return S_ISDIR(entry->status.st_mode);
}

/* full: below the root; path: below the start of the walk. */
static int walk_directory(const struct walk *walk, const char *full, const char *path,
                          struct ct_error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | (*path ? O_NOFOLLOW : 0);
    CT_AUTO_CLOSE int dir = ct_root_openat(walk->root, full, flags, 0, err);
    CT_AUTO_STRV char **names = dir < 0 ? NULL : walk_names(dir, err);

    if (!names) {
        return ct_while(err, "read directory '%s'", full);
    }
    for (size_t i = 0; names[i]; i++) {
        CT_AUTO_FREE char *below = ct_join(full, names[i]);
        CT_AUTO_FREE char *own = *path ? ct_join(path, names[i]) : ct_strdup(names[i]);
        struct walk_entry entry = {.dir = dir, .name = names[i], .path = own};
        int into = visit_one(walk, &entry, err);
        if (into == 0) {
            continue;
        }
        ct_cleanup_close(&dir);
        dir = -1;
        if (into < 0 || walk_directory(walk, below, own, err) < 0) {
            return -1;
        }
        dir = ct_root_openat(walk->root, full, flags, 0, err);
        entry.dir = dir;
        entry.leaving = true;
        if (dir < 0 || walk->visit(walk->context, &entry, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int walk_tree(int root_fd, const char *path, walk_fn visit, void *context, struct ct_error *err)
{
    struct walk walk = {.root = root_fd, .visit = visit, .context = context};
    CT_AUTO_FREE char *clean = ct_path_clean(path);

    return walk_directory(&walk, clean, "", err);
}

struct inode_path {
    dev_t device;
    ino_t inode;
    char path[];
};

static int by_inode(const void *a, const void *b)
{
    const struct inode_path *left = a;
    const struct inode_path *right = b;

    if (left->inode != right->inode) {
        return left->inode < right->inode ? -1 : 1;
    }
    return (left->device > right->device) - (left->device < right->device);
}

void inode_paths_done(struct inode_paths *paths)
{
    tdestroy(paths->tree, free);
    paths->tree = NULL;
}

const char *inode_paths_first(struct inode_paths *paths, const struct stat *status,
                              const char *path)
{
    if (status->st_nlink < 2 || S_ISDIR(status->st_mode)) {
        return NULL;
    }
    struct inode_path *own = malloc(sizeof(*own) + strlen(path) + 1);
    if (!own) {
        return NULL; /* written twice then: correct, only larger */
    }
    own->device = status->st_dev;
    own->inode = status->st_ino;
    (void)strcpy(own->path, path);
    struct inode_path **found = tsearch(own, &paths->tree, by_inode);
    if (found && *found == own) {
        return NULL;
    }
    free(own);
    return found ? (*found)->path : NULL;
}
