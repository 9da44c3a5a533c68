/*
 * store.c - the store itself: its directory, lock, driver, layers and their chains.
 *
 * Room:       snapshots.
 * Called by:  see snapshots.h.
 * Spec:       OCI image-spec, config.md, "Layer ChainID".
 */
#include "snapshots_internal.h"

#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int store_lock(struct snapshot_store *store, struct ct_error *err)
{
    int lock = ct_lock_at(store->fd, "lock", CT_LOCK_EXCLUSIVE, -1, err);

    return lock < 0 ? ct_while(err, "lock snapshot store '%s'", store->dir) : lock;
}

char *read_link_at(int dir_fd, const char *name)
{
    char target[4096];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

    if (n < 0) {
        return NULL;
    }
    target[n] = '\0';
    return ct_strdup(target);
}

/* --- the driver ----------------------------------------------------------------------------- */

static int try_overlay(struct snapshot_store *store, int scratch, const char *name,
                       struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("%s/tmp/%s", store->dir, name);
    CT_AUTO_FREE char *target = ct_join(path, "merged");
    char *const none[] = {NULL};

    if (mkdirat(scratch, "fs", 0755) < 0 || mkdirat(scratch, "work", 0700) < 0 ||
        mkdirat(scratch, "lower", 0700) < 0 || mkdirat(scratch, "merged", 0700) < 0) {
        return ct_fail(err, errno, "make directories in '%s'", path);
    }
    CT_AUTO_CLOSE int marks = openat(scratch, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (marks < 0) {
        return ct_fail(err, errno, "open '%s/lower'", path);
    }
    if (mark_deleted(true, marks, "gone", err) < 0 || mark_opaque(true, marks, err) < 0 ||
        overlay_mount(store, scratch, path, none, target, err) < 0) {
        return -1;
    }
    return snapshot_unmount(target, err);
}

/* Tries what the overlay driver does: marks in a layer, and a mount. */
static bool overlay_works(struct snapshot_store *store, struct ct_error *why)
{
    char name[SCRATCH_NAME];
    int scratch = scratch_make(store->fd, name, why);
    bool works = scratch >= 0 && try_overlay(store, scratch, name, why) == 0;

    scratch_remove(store->fd, name, &scratch);
    return works;
}

static int choose_driver(struct snapshot_store *store, const char *wanted, struct ct_error *err)
{
    struct ct_error why = {0};
    char reason[512];

    store->overlay = strcmp(wanted, "copy") != 0 && overlay_works(store, &why);
    if (!store->overlay && strcmp(wanted, "overlay") == 0) {
        *err = why;
        return ct_while(err, "use snapshot driver 'overlay'");
    }
    if (!store->overlay) {
        ct_warn("snapshots are full copies, overlayfs is not used here dir=%s reason=%s",
                store->dir,
                why.kind == CT_NONE ? "asked for by CUTAWAY_SNAPSHOTTER"
                                    : ct_error_render(&why, reason, sizeof(reason)));
    }
    const char *name = snapshot_driver(store);
    struct ct_error made = {0};
    if (ct_create_file_at(store->fd, "driver", name, strlen(name), 0600, &made) < 0 &&
        made.kind != CT_EXISTS) {
        *err = made;
        return -1;
    }
    return 0;
}

/* The recorded driver decides how layers and snapshots look on disk, so it never changes. */
static int find_driver(struct snapshot_store *store, struct ct_error *err)
{
    const char *wanted = getenv("CUTAWAY_SNAPSHOTTER");
    CT_AUTO_FREE char *recorded = NULL;
    struct ct_error missing = {0};

    wanted = wanted ? wanted : "";
    if (*wanted && strcmp(wanted, "copy") != 0 && strcmp(wanted, "overlay") != 0) {
        return ct_refuse(err, CT_INVALID,
                         "use snapshot driver '%s': there are 'overlay' and 'copy'", wanted);
    }
    for (int i = 0; i < 2; i++) { /* the second time reads what we, or another, recorded */
        ct_error_clear(&missing);
        if (ct_read_file_at(store->fd, "driver", 64, &recorded, &missing) >= 0) {
            break;
        }
        if (missing.kind != CT_NOT_FOUND || choose_driver(store, wanted, err) < 0) {
            *err = missing.kind != CT_NOT_FOUND ? missing : *err;
            return -1;
        }
    }
    if (!recorded || (strcmp(recorded, "overlay") != 0 && strcmp(recorded, "copy") != 0)) {
        return ct_refuse(err, CT_INVALID, "read '%s/driver': it names no driver", store->dir);
    }
    if (*wanted && strcmp(wanted, recorded) != 0) {
        (void)ct_refuse(err, CT_CONFLICT, "use snapshot driver '%s': store '%s' was made with '%s'",
                        wanted, store->dir, recorded);
        return ct_hint(err, "unset CUTAWAY_SNAPSHOTTER, or use another --root");
    }
    store->overlay = strcmp(recorded, "overlay") == 0;
    return 0;
}

/* --- the handle ----------------------------------------------------------------------------- */

static int open_dirs(struct snapshot_store *store, struct ct_error *err)
{
    CT_AUTO_FREE char *layers = ct_join(store->dir, "layers");
    CT_AUTO_FREE char *active = ct_join(store->dir, "active");
    CT_AUTO_FREE char *tmp = ct_join(store->dir, "tmp");

    /* 0700: a setuid program in an image must not be reachable by the host's users. */
    store->fd = ct_mkdirs(store->dir, 0700, err);
    if (store->fd >= 0) {
        store->layers = ct_mkdirs(layers, 0700, err);
    }
    if (store->layers >= 0) {
        store->active = ct_mkdirs(active, 0700, err);
    }
    if (store->active >= 0) {
        store->tmp = ct_mkdirs(tmp, 0700, err);
    }
    return store->tmp < 0 ? -1 : 0;
}

struct snapshot_store *snapshot_store_open(const char *dir, struct ct_error *err)
{
    struct snapshot_store *store = calloc(1, sizeof(*store));

    if (!store) {
        return ct_fail_null(err, ENOMEM, "open snapshot store '%s'", dir);
    }
    store->dir = realpath(dir, NULL); /* mounts must not depend on where we stand later */
    if (!store->dir) {
        CT_AUTO_CLOSE int made = ct_mkdirs(dir, 0700, err);
        store->dir = made < 0 ? NULL : realpath(dir, NULL);
    }
    store->fd = store->layers = store->active = store->tmp = -1;
    if (!store->dir || open_dirs(store, err) < 0 || scratch_sweep(store->fd, err) < 0 ||
        find_driver(store, err) < 0) {
        snapshot_store_close(store);
        return ct_while_null(err, "open snapshot store '%s'", dir);
    }
    return store;
}

void snapshot_store_close(struct snapshot_store *store)
{
    if (store) {
        ct_cleanup_close(&store->tmp);
        ct_cleanup_close(&store->active);
        ct_cleanup_close(&store->layers);
        ct_cleanup_close(&store->fd);
        free(store->dir);
        free(store);
    }
}

const char *snapshot_driver(const struct snapshot_store *store)
{
    return store->overlay ? "overlay" : "copy";
}

int store_check_key(const char *key, struct ct_error *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t length = strlen(key);

    if (length == 0 || length > 200 || strspn(key, allowed) != length || key[0] == '.') {
        return ct_refuse(err, CT_INVALID, "use snapshot key '%.64s': only [A-Za-z0-9_.-]", key);
    }
    return 0;
}

/* --- layers and chains ---------------------------------------------------------------------- */

char *snapshot_chain_id(const char *parent, const char *diff_id)
{
    struct ct_error ignored = {0};
    char text[DIGEST_SIZE];

    if (!*parent) {
        return ct_strdup(diff_id);
    }
    CT_AUTO_FREE char *both = ct_printf("%s %s", parent, diff_id);
    return ct_strdup(digest_of(both, strlen(both), text, &ignored) ? text : DIGEST_PREFIX "failed");
}

bool snapshot_has(struct snapshot_store *store, const char *chain_id)
{
    return digest_is_valid(chain_id) &&
           faccessat(store->layers, digest_hex(chain_id), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int store_open_layer(struct snapshot_store *store, const char *hex, struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_join(hex, "fs");
    int fd = openat(store->layers, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? ct_fail(err, errno, "open layer '%.12s'", hex) : fd;
}

/* The layer below one, as a hex name; NULL without an error for the first. */
static char *layer_parent(struct snapshot_store *store, const char *hex)
{
    CT_AUTO_FREE char *link = ct_join(hex, "parent");
    CT_AUTO_FREE char *target = read_link_at(store->layers, link);

    return target && strncmp(target, "../", 3) == 0 ? ct_strdup(target + 3) : NULL;
}

char **store_chain(struct snapshot_store *store, const char *chain_id, struct ct_error *err)
{
    CT_AUTO_STRV char **chain = calloc(DEPTH_MAX + 1, sizeof(*chain));
    CT_AUTO_FREE char *hex = NULL;
    size_t n = 0;

    if (!chain) {
        return ct_fail_null(err, ENOMEM, "list the layers of '%s'", chain_id);
    }
    if (*chain_id && !digest_is_valid(chain_id)) {
        return ct_refuse_null(err, CT_INVALID, "read chain id '%.80s': not a digest", chain_id);
    }
    hex = *chain_id ? ct_strdup(digest_hex(chain_id)) : NULL;
    while (hex) {
        struct stat status;
        if (n == DEPTH_MAX) {
            return ct_refuse_null(err, CT_INVALID, "stack layers of '%.19s': more than %d",
                                  chain_id, DEPTH_MAX);
        }
        if (fstatat(store->layers, hex, &status, AT_SYMLINK_NOFOLLOW) < 0) {
            return ct_fail_null(err, errno, "find layer '%.64s'", hex);
        }
        chain[n++] = hex;
        hex = layer_parent(store, chain[n - 1]);
    }
    return ct_steal(chain);
}

int64_t snapshot_layer_size(struct snapshot_store *store, const char *chain_id,
                            struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;

    if (!digest_is_valid(chain_id)) {
        return ct_refuse(err, CT_INVALID, "read chain id '%.80s': not a digest", chain_id);
    }
    CT_AUTO_FREE char *name = ct_join(digest_hex(chain_id), "size");
    if (ct_read_file_at(store->layers, name, 64, &text, err) < 0) {
        return ct_while(err, "read the size of layer '%.19s'", chain_id);
    }
    return strtoll(text, NULL, 10);
}

json_t *snapshot_layers(struct snapshot_store *store, struct ct_error *err)
{
    int copy = openat(store->layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (!dir) {
        ct_cleanup_close(&copy);
        return ct_fail_null(err, errno, "read '%s/layers'", store->dir);
    }
    json_t *layers = json_array();
    for (struct dirent *entry; (entry = readdir(dir));) {
        CT_AUTO_FREE char *chain_id = ct_printf(DIGEST_PREFIX "%s", entry->d_name);
        if (digest_is_valid(chain_id)) {
            ct_json_append(layers, json_string(chain_id));
        }
    }
    return layers;
}

/* Whether some layer or active snapshot has `hex` directly below it. dir: layers or active. */
static int stands_on(struct snapshot_store *store, int dir_fd, const char *hex, char **ret_name,
                     struct ct_error *err)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    CT_AUTO_FREE char *as_parent = ct_printf("../%s", hex);
    CT_AUTO_FREE char *as_lower = ct_printf("../../../layers/%s/fs", hex);

    if (!dir) {
        ct_cleanup_close(&copy);
        return ct_fail(err, errno, "read '%s'", store->dir);
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        CT_AUTO_FREE char *link =
            ct_join(entry->d_name, dir_fd == store->layers ? "parent" : "lower/0");
        CT_AUTO_FREE char *target = read_link_at(dir_fd, link);
        if (target && strcmp(target, dir_fd == store->layers ? as_parent : as_lower) == 0) {
            *ret_name = ct_strdup(entry->d_name);
            return 1;
        }
    }
    return 0;
}

int snapshot_remove_layer(struct snapshot_store *store, const char *chain_id, struct ct_error *err)
{
    CT_AUTO_FREE char *user = NULL;
    char name[SCRATCH_NAME];

    if (!digest_is_valid(chain_id)) {
        return ct_refuse(err, CT_INVALID, "remove layer '%.80s': not a digest", chain_id);
    }
    const char *hex = digest_hex(chain_id);
    int scratch = scratch_make(store->fd, name, err);
    CT_AUTO_CLOSE int lock = scratch < 0 ? -1 : store_lock(store, err);
    if (lock < 0) {
        scratch_remove(store->fd, name, &scratch);
        return -1;
    }
    int used = stands_on(store, store->layers, hex, &user, err);
    used = used == 0 ? stands_on(store, store->active, hex, &user, err) : used;
    if (used > 0) {
        (void)ct_refuse(err, CT_CONFLICT, "remove layer '%.12s': '%.40s' stands on it", hex, user);
    }
    /* Moved away first, so that a crash on the way leaves no half of a layer behind. */
    CT_AUTO_FREE char *away = ct_join(name, "layer");
    int result = used == 0 ? 0 : -1;
    if (result == 0 && renameat(store->layers, hex, store->tmp, away) < 0 && errno != ENOENT) {
        result = ct_fail(err, errno, "remove layer '%.12s'", hex);
    }
    scratch_remove(store->fd, name, &scratch);
    return result;
}
