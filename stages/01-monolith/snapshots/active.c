/*
 * active.c - the writable snapshot of a container: made, mounted, described and removed.
 *
 * Room:       snapshots.
 * Called by:  engine, monitor.
 */
#include "snapshots_internal.h"

#include "file.h"
#include "json.h"
#include "path.h"

#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int open_key(struct snapshot_store *store, const char *key, struct ct_error *err)
{
    if (store_check_key(key, err) < 0) {
        return -1;
    }
    int fd = openat(store->active, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open snapshot '%s'", key) : fd;
}

char **store_chain_of_key(struct snapshot_store *store, const char *key, struct ct_error *err)
{
    static const char before[] = "../../../layers/";
    CT_AUTO_CLOSE int snapshot = open_key(store, key, err);

    if (snapshot < 0) {
        return NULL;
    }
    CT_AUTO_FREE char *link = read_link_at(snapshot, "lower/0");
    if (!link) {
        return errno == ENOENT ? store_chain(store, "", err)
                               : ct_fail_null(err, errno, "read the layers of '%s'", key);
    }
    if (strncmp(link, before, strlen(before)) != 0) {
        return ct_refuse_null(err, CT_INVALID, "read the layers of '%s': damaged link", key);
    }
    const char *hex = link + strlen(before);
    CT_AUTO_FREE char *chain_id = ct_printf(DIGEST_PREFIX "%.*s", (int)strcspn(hex, "/"), hex);
    return store_chain(store, chain_id, err);
}

/* --- prepare -------------------------------------------------------------------------------- */

static int link_layers(int scratch, char *const *chain, struct ct_error *err)
{
    for (size_t i = 0; chain[i]; i++) {
        CT_AUTO_FREE char *name = ct_printf("lower/%zu", i);
        CT_AUTO_FREE char *target = ct_printf("../../../layers/%s/fs", chain[i]);
        if (symlinkat(target, scratch, name) < 0) {
            return ct_fail(err, errno, "link layer '%.12s'", chain[i]);
        }
    }
    return 0;
}

/* The merged root directory looks as the upper one does: it must look as the image's. */
static int dress_root(struct snapshot_store *store, int scratch, const char *top,
                      struct ct_error *err)
{
    struct stat status;
    CT_AUTO_CLOSE int layer = store_open_layer(store, top, err);
    CT_AUTO_CLOSE int own = openat(scratch, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (layer < 0) {
        return -1;
    }
    if (own < 0 || fstat(layer, &status) < 0) {
        return ct_fail(err, errno, "look at the root directory of layer '%.12s'", top);
    }
    struct timespec times[2] = {status.st_mtim, status.st_mtim};
    if ((fchown(own, status.st_uid, status.st_gid) < 0 && geteuid() == 0) ||
        fchmod(own, status.st_mode & 07777) < 0 || futimens(own, times) < 0) {
        return ct_fail(err, errno, "set the root directory's owner and mode");
    }
    return 0;
}

static int fill_snapshot(struct snapshot_store *store, int scratch, char *const *chain,
                         struct ct_error *err)
{
    if (mkdirat(scratch, "fs", 0755) < 0 || mkdirat(scratch, "work", 0700) < 0 ||
        mkdirat(scratch, "lower", 0700) < 0) {
        return ct_fail(err, errno, "make the snapshot's directories");
    }
    if (link_layers(scratch, chain, err) < 0) {
        return -1;
    }
    if (!store->overlay && copy_layers(store, chain, scratch, err) < 0) {
        return -1;
    }
    return chain[0] ? dress_root(store, scratch, chain[0], err) : 0;
}

/*
 * Not synced to disk: the container's record, written after this, is; and a file system that
 * keeps its metadata in order (ext4, xfs, btrfs) has then kept this as well.
 */
static int place_snapshot(struct snapshot_store *store, const char *name, const char *key,
                          const char *chain_id, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = store_lock(store, err);

    if (lock < 0) {
        return -1;
    }
    if (*chain_id && !snapshot_has(store, chain_id)) {
        return ct_refuse(err, CT_NOT_FOUND, "layer '%.19s' was removed meanwhile", chain_id);
    }
    if (renameat2(store->tmp, name, store->active, key, RENAME_NOREPLACE) < 0) {
        return ct_fail(err, errno, "place snapshot '%s'", key);
    }
    return 0;
}

int snapshot_prepare(struct snapshot_store *store, const char *key, const char *chain_id,
                     struct ct_error *err)
{
    char name[SCRATCH_NAME];

    if (store_check_key(key, err) < 0) {
        return -1;
    }
    if (faccessat(store->active, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return ct_refuse(err, CT_EXISTS, "prepare snapshot '%s': it exists", key);
    }
    CT_AUTO_STRV char **chain = store_chain(store, chain_id, err);
    int scratch = chain ? scratch_make(store->fd, name, err) : -1;
    if (scratch < 0) {
        return ct_while(err, "prepare snapshot '%s'", key);
    }
    if (fill_snapshot(store, scratch, chain, err) < 0 ||
        place_snapshot(store, name, key, chain_id, err) < 0) {
        scratch_remove(store->fd, name, &scratch);
        return ct_while(err, "prepare snapshot '%s'", key);
    }
    ct_cleanup_close(&scratch); /* its directory has become the snapshot */
    return 0;
}

/* --- mount ---------------------------------------------------------------------------------- */

static int bind_copy(const char *path, const char *target, struct ct_error *err)
{
    CT_AUTO_FREE char *fs = ct_join(path, "fs");

    return mount(fs, target, NULL, MS_BIND, NULL) < 0
               ? ct_fail(err, errno, "bind '%s' to '%s'", fs, target)
               : 0;
}

/* Where the snapshot is mounted according to its own note; NULL: nowhere. Owned. */
static char *mounted_on(int snapshot, struct ct_error *err)
{
    CT_AUTO_FREE char *target = read_link_at(snapshot, "mounted");

    return target && is_mount_point(target, err) > 0 ? ct_steal(target) : NULL;
}

static int note_target(int snapshot, const char *target, struct ct_error *err)
{
    CT_AUTO_FREE char *absolute = realpath(target, NULL);

    if (!absolute) {
        return ct_fail(err, errno, "find mount target '%s'", target);
    }
    (void)unlinkat(snapshot, "mounted", 0); /* that of an earlier mount; mostly there is none */
    return symlinkat(absolute, snapshot, "mounted") < 0
               ? ct_fail(err, errno, "note mount target '%s'", absolute)
               : 0;
}

int snapshot_mount(struct snapshot_store *store, const char *key, const char *target,
                   struct ct_error *err)
{
    CT_AUTO_CLOSE int snapshot = open_key(store, key, err);
    CT_AUTO_CLOSE int lock = snapshot < 0 ? -1 : store_lock(store, err);
    int there = lock < 0 ? -1 : is_mount_point(target, err);

    if (there != 0) {
        return there > 0 ? 0 : -1;
    }
    CT_AUTO_FREE char *elsewhere = mounted_on(snapshot, err);
    if (elsewhere) { /* two overlays on one upper directory: the kernel promises nothing */
        return ct_refuse(err, CT_CONFLICT, "mount snapshot '%s': it is mounted on '%s'", key,
                         elsewhere);
    }
    CT_AUTO_FREE char *path = ct_printf("%s/active/%s", store->dir, key);
    CT_AUTO_STRV char **chain = store_chain_of_key(store, key, err);
    if (!chain || note_target(snapshot, target, err) < 0) {
        return ct_while(err, "mount snapshot '%s'", key);
    }
    int result = store->overlay ? overlay_mount(store, snapshot, path, chain, target, err)
                                : bind_copy(path, target, err);
    return result < 0 ? ct_while(err, "mount snapshot '%s'", key) : 0;
}

/* --- describe, remove ----------------------------------------------------------------------- */

json_t *snapshot_describe(struct snapshot_store *store, const char *key, const char *target,
                          struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("%s/active/%s", store->dir, key);
    CT_AUTO_FREE char *upper = ct_join(path, "fs");
    CT_AUTO_FREE char *work = ct_join(path, "work");
    CT_AUTO_STRV char **chain = store_chain_of_key(store, key, err);
    CT_AUTO_FREE char *lower = ct_strdup("");

    if (!chain) {
        return ct_while_null(err, "describe snapshot '%s'", key);
    }
    for (size_t i = 0; chain[i]; i++) {
        CT_AUTO_FREE char *before = lower;
        lower = ct_printf("%s%s%s/layers/%s/fs", before, i ? ":" : "", store->dir, chain[i]);
    }
    json_t *data = json_object();
    if (store->overlay) {
        ct_json_set_string(data, "LowerDir", lower);
        ct_json_set_string(data, "MergedDir", target);
        ct_json_set_string(data, "UpperDir", upper);
        ct_json_set_string(data, "WorkDir", work);
    } else {
        ct_json_set_string(data, "Dir", upper);
    }
    json_t *described = json_object();
    ct_json_set(described, "Data", data);
    ct_json_set_string(described, "Name", store->overlay ? "overlay2" : "vfs"); /* Docker's names */
    return described;
}

int snapshot_remove(struct snapshot_store *store, const char *key, struct ct_error *err)
{
    struct ct_error missing = {0};
    char name[SCRATCH_NAME];
    CT_AUTO_CLOSE int snapshot = open_key(store, key, &missing);

    if (snapshot < 0) {
        *err = missing.kind == CT_NOT_FOUND ? *err : missing;
        return missing.kind == CT_NOT_FOUND ? 0 : -1;
    }
    int scratch = scratch_make(store->fd, name, err);
    CT_AUTO_CLOSE int lock = scratch < 0 ? -1 : store_lock(store, err);
    if (lock < 0) {
        scratch_remove(store->fd, name, &scratch);
        return ct_while(err, "remove snapshot '%s'", key);
    }
    CT_AUTO_FREE char *target = mounted_on(snapshot, err);
    CT_AUTO_FREE char *away = ct_join(name, "snapshot");
    int result = 0;
    if (target) {
        result =
            ct_refuse(err, CT_CONFLICT, "remove snapshot '%s': it is mounted on '%s'", key, target);
    } else if (renameat(store->active, key, store->tmp, away) < 0 && errno != ENOENT) {
        result = ct_fail(err, errno, "remove snapshot '%s'", key);
    }
    ct_cleanup_close(&lock); /* the removal itself may take long: nobody waits for it */
    lock = -1;
    scratch_remove(store->fd, name, &scratch);
    return result;
}
