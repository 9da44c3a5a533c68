/*
 * lookup.c - overlayfs's rule of lookup, without a mount.
 *
 * Room:       snapshots.
 * Called by:  diff.c.
 * Spec:       kernel Documentation/filesystems/overlayfs.rst, "Upper and Lower".
 *
 * From the top layer down: a deletion mark hides what is below; so does a file; a directory is
 * merged with the ones below, unless it is opaque. Layers never change, and nothing in them is
 * followed here: each component is opened with O_NOFOLLOW.
 */
#include "lookup.h"

#include "path.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum found { FOUND, HIDDEN, BELOW }; /* BELOW: this layer says nothing, ask the next */

int lower_init(struct lower *lower, struct snapshot_store *store, char *const *chain,
               struct ct_error *err)
{
    size_t n = 0;

    while (chain[n]) {
        n++;
    }
    *lower = (struct lower){.overlay = store->overlay, .roots = calloc(n + 1, sizeof(int))};
    if (!lower->roots) {
        return ct_fail(err, ENOMEM, "open the layers below");
    }
    while (lower->n < n) {
        lower->roots[lower->n] = store_open_layer(store, chain[lower->n], err);
        if (lower->roots[lower->n] < 0) {
            lower_done(lower);
            return -1;
        }
        lower->n++;
    }
    return 0;
}

int lower_init_roots(struct lower *lower, const int *roots, size_t n, bool overlay,
                     struct ct_error *err)
{
    *lower = (struct lower){.overlay = overlay, .roots = calloc(n + 1, sizeof(int))};
    if (!lower->roots) {
        return ct_fail(err, ENOMEM, "open the layers below");
    }
    while (lower->n < n) {
        lower->roots[lower->n] = fcntl(roots[lower->n], F_DUPFD_CLOEXEC, 3);
        if (lower->roots[lower->n] < 0) {
            int saved = errno;
            lower_done(lower);
            return ct_fail(err, saved, "open the layers below");
        }
        lower->n++;
    }
    return 0;
}

void lower_done(struct lower *lower)
{
    while (lower->n > 0) {
        (void)close(lower->roots[--lower->n]);
    }
    free(lower->roots);
    lower->roots = NULL;
}

/* One name in one directory of a layer. *opaque: it is a directory that hides the ones below. */
static enum found look(bool overlay, int dir, const char *name, struct stat *ret_status,
                       bool *ret_opaque)
{
    CT_AUTO_FREE char *mark = ct_printf(WHITEOUT_PREFIX "%s", name);
    bool marked = !overlay && faccessat(dir, mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

    *ret_opaque = marked;
    if (fstatat(dir, name, ret_status, AT_SYMLINK_NOFOLLOW) < 0) {
        return marked ? HIDDEN : BELOW;
    }
    if (overlay && is_deletion_node(ret_status)) {
        return HIDDEN;
    }
    return FOUND;
}

/*
 * Goes down path in one layer. FOUND: *ret_dir is the last component's own descriptor when it is
 * a directory (else -1). *ret_cut: whatever the answer, layers below do not count any more.
 */
static enum found descend(bool overlay, int root, const char *path, struct stat *ret_status,
                          int *ret_dir, bool *ret_cut)
{
    CT_AUTO_FREE char *copy = ct_strdup(path);
    CT_AUTO_CLOSE int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    char *rest = copy;

    *ret_dir = -1;
    *ret_cut = is_opaque_dir(overlay, root);
    for (char *name; (name = strsep(&rest, "/"));) {
        bool opaque = false;
        enum found found = *name ? look(overlay, dir, name, ret_status, &opaque) : FOUND;
        if (found != FOUND) {
            return found;
        }
        if (!*name) { /* the root itself */
            (void)fstat(dir, ret_status);
            continue;
        }
        if (!S_ISDIR(ret_status->st_mode)) {
            return rest ? HIDDEN : FOUND;
        }
        int next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        ct_cleanup_close(&dir);
        dir = next;
        if (dir < 0) {
            return HIDDEN;
        }
        *ret_cut |= opaque || is_opaque_dir(overlay, dir);
    }
    *ret_dir = ct_steal_fd(&dir);
    return FOUND;
}

int lower_find(const struct lower *lower, const char *path, struct stat *ret_status,
               struct ct_error *err)
{
    (void)err;
    for (size_t i = 0; i < lower->n; i++) {
        CT_AUTO_CLOSE int dir = -1;
        bool cut = false;
        enum found found = descend(lower->overlay, lower->roots[i], path, ret_status, &dir, &cut);
        if (found == FOUND) {
            return 1;
        }
        if (found == HIDDEN || cut) {
            return 0;
        }
    }
    return 0;
}

static int add_name(char ***names, size_t *n, const char *name, struct ct_error *err)
{
    char **grown = reallocarray(*names, *n + 2, sizeof(*grown));

    if (!grown) {
        return ct_fail(err, ENOMEM, "list a directory of the layers");
    }
    *names = grown;
    grown[(*n)++] = ct_strdup(name);
    grown[*n] = NULL;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts and drops what several layers have, and the marks. */
static char **unique(char **names, size_t n)
{
    size_t kept = 0;

    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && strcmp(names[kept - 1], names[i]) == 0) {
            free(names[i]);
        } else {
            names[kept++] = names[i];
        }
    }
    names[kept] = NULL;
    return names;
}

static int add_layer_names(const struct lower *lower, int dir, const char *path, char ***names,
                           size_t *n, struct ct_error *err)
{
    CT_AUTO_STRV char **own = walk_names(dir, err);

    for (char **name = own; name && *name; name++) {
        CT_AUTO_FREE char *full = *path ? ct_join(path, *name) : ct_strdup(*name);
        struct stat status;
        bool mark =
            !lower->overlay && strncmp(*name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0;
        int visible = mark ? 0 : lower_find(lower, full, &status, err);
        if (visible < 0 || (visible > 0 && add_name(names, n, *name, err) < 0)) {
            return -1;
        }
    }
    return own ? 0 : -1;
}

char **lower_names(const struct lower *lower, const char *path, struct ct_error *err)
{
    CT_AUTO_STRV char **names = calloc(1, sizeof(*names));
    size_t n = 0;

    if (!names) {
        return ct_fail_null(err, ENOMEM, "list a directory of the layers");
    }
    for (size_t i = 0; i < lower->n; i++) {
        CT_AUTO_CLOSE int dir = -1;
        struct stat status;
        bool cut = false;
        enum found found = descend(lower->overlay, lower->roots[i], path, &status, &dir, &cut);
        if (found == HIDDEN || (found == FOUND && dir < 0)) {
            break;
        }
        if (found == FOUND && add_layer_names(lower, dir, path, &names, &n, err) < 0) {
            return NULL;
        }
        if (cut) {
            break;
        }
    }
    return unique(ct_steal(names), n);
}
