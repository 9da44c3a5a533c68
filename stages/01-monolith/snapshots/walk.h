/*
 * walk.h - visits a tree below a root in sorted order, by descriptors.
 *
 * Room:       snapshots.
 * Called by:  copy.c, tar_write.c, diff.c.
 */
#ifndef WALK_H
#define WALK_H

#include "snapshots_internal.h"

struct walk_entry {
    int dir;          /* O_RDONLY descriptor of the directory it is in */
    const char *name; /* in dir */
    const char *path; /* below the start: "a/b", without a leading slash */
    struct stat status;
    bool leaving; /* a directory, after everything in it */
};

/* 0: go on; 1: go on, but not into this directory (then it is not left either); -1: stop. */
typedef int (*walk_fn)(void *context, const struct walk_entry *entry, struct ct_error *err);

/* Everything below the directory `path` of root, not the directory itself. */
int walk_tree(int root_fd, const char *path, walk_fn visit, void *context, struct ct_error *err);

/* The sorted names in a directory, without "." and "..": NULL-terminated, owned. */
char **walk_names(int dir_fd, struct ct_error *err);

/* Hard links: the path under which an inode was met first. */
struct inode_paths {
    void *tree; /* of tsearch(3) */
};
void inode_paths_done(struct inode_paths *paths);
/* The first path, borrowed; NULL when this is the first: it is noted. Only for n_links > 1. */
const char *inode_paths_first(struct inode_paths *paths, const struct stat *status,
                              const char *path);

#endif
