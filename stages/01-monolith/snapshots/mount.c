/*
 * mount.c - overlayfs on a directory, and off again.
 *
 * Room:       snapshots.
 * Called by:  active.c, store.c.
 * Man:        mount(2), umount2(2), statx(2); fsopen, fsconfig, fsmount, move_mount (in the
 * kernel's Documentation/filesystems/mount_api.rst); Documentation/filesystems/overlayfs.rst.
 */
#include "snapshots_internal.h"

#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/*
 * index, metacopy, redirect_dir and uuid make overlayfs keep notes in xattrs of the upper directory
 * that only it can read back; without them the upper directory is a layer that `commit` can write
 * out. They are kernel build options, so a kernel without one refuses its name: then there is
 * nothing to turn off.
 */
static const char *const quiet[][2] = {
    {"index", "off"},
    {"metacopy", "off"},
    {"redirect_dir", "nofollow"},
    {"uuid", "null"},
};

static int set_text(int fs, const char *key, const char *value, struct ct_error *err)
{
    if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0) {
        return ct_fail(err, errno, "set overlay option %s='%s'", key, value);
    }
    return 0;
}

/*
 * True when overlayfs reads each option as it is set. Until 6.4 it was not yet written for the new
 * API: the kernel then keeps every option unread, also one that cannot exist, and refuses it only
 * at the mount, with a line in its log.
 */
static bool reads_options(int fs)
{
    return fsconfig(fs, FSCONFIG_SET_FLAG, "cutaway-no-such-option", NULL, 0) < 0;
}

/* 1: this kernel (before 6.8) has no "lowerdir+". */
static int set_layers(struct snapshot_store *store, int fs, const char *snapshot,
                      char *const *layers, struct ct_error *err)
{
    for (char *const *hex = layers; *hex; hex++) {
        CT_AUTO_FREE char *path = ct_printf("%s/layers/%s/fs", store->dir, *hex);
        if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0) < 0) {
            return errno == EINVAL && hex == layers ? 1
                                                    : ct_fail(err, errno, "add layer '%s'", path);
        }
    }
    if (!*layers) { /* overlayfs wants at least one: an empty directory */
        CT_AUTO_FREE char *path = ct_join(snapshot, "lower");
        if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0) < 0) {
            return errno == EINVAL ? 1 : ct_fail(err, errno, "add layer '%s'", path);
        }
    }
    return 0;
}

static int configure(struct snapshot_store *store, int fs, const char *snapshot,
                     char *const *layers, struct ct_error *err)
{
    CT_AUTO_FREE char *upper = ct_join(snapshot, "fs");
    CT_AUTO_FREE char *work = ct_join(snapshot, "work");
    int old = set_layers(store, fs, snapshot, layers, err);

    if (old != 0) {
        return old;
    }
    if (set_text(fs, "source", "cutaway", err) < 0 || set_text(fs, "upperdir", upper, err) < 0 ||
        set_text(fs, "workdir", work, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(quiet) / sizeof(*quiet); i++) {
        (void)fsconfig(fs, FSCONFIG_SET_STRING, quiet[i][0], quiet[i][1], 0); /* see above */
    }
    return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0
               ? ct_fail(err, errno, "create overlay of '%s'", snapshot)
               : 0;
}

/*
 * The mount API of Linux 5.2 (for overlayfs 6.8): one call an option, so paths need no escaping and
 * any number of layers fits. Each value is limited to 255 bytes. 1: use the old way.
 */
static int mount_new(struct snapshot_store *store, const char *snapshot, char *const *layers,
                     const char *target, struct ct_error *err)
{
    if (strlen(snapshot) > 245 || strlen(store->dir) > 170) {
        return 1;
    }
    CT_AUTO_CLOSE int fs = fsopen("overlay", FSOPEN_CLOEXEC);
    if (fs < 0) {
        return errno == ENOSYS ? 1 : ct_fail(err, errno, "open file system 'overlay'");
    }
    if (!reads_options(fs)) {
        return 1;
    }
    int configured = configure(store, fs, snapshot, layers, err);
    if (configured != 0) {
        return configured;
    }
    CT_AUTO_CLOSE int mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    if (mount_fd < 0) {
        return ct_fail(err, errno, "make a mount of overlay '%s'", snapshot);
    }
    return move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0
               ? ct_fail(err, errno, "mount overlay on '%s'", target)
               : 0;
}

/* "lowerdir=lower/0:lower/1:…,upperdir=fs,workdir=work": names relative to the snapshot. */
static char *short_options(char *const *layers, bool with_quiet)
{
    char *options = ct_strdup(*layers ? "lowerdir=lower/0" : "lowerdir=lower");
    const char *end = with_quiet ? ",index=off,metacopy=off,redirect_dir=nofollow" : "";

    for (size_t i = 1; *layers && layers[i]; i++) {
        CT_AUTO_FREE char *before = options;
        options = ct_printf("%s:lower/%zu", before, i);
    }
    CT_AUTO_FREE char *before = options;
    return ct_printf("%s,upperdir=fs,workdir=work%s", before, end);
}

/*
 * The old call takes all options in one page, which absolute names of sixty layers fill. So we
 * stand in the snapshot's directory for the length of the call and use its short links.
 */
static int mount_old(int snapshot_fd, char *const *layers, const char *target, struct ct_error *err)
{
    CT_AUTO_FREE char *options = short_options(layers, true);
    CT_AUTO_FREE char *plain = short_options(layers, false);
    CT_AUTO_CLOSE int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (strlen(options) >= 4096) {
        return ct_refuse(err, CT_UNSUPPORTED, "mount overlay on '%s': too many layers", target);
    }
    if (here < 0 || fchdir(snapshot_fd) < 0) {
        return ct_fail(err, errno, "enter the snapshot directory");
    }
    int result = mount("cutaway", target, "overlay", 0, options);
    if (result < 0 && errno == EINVAL) {
        result = mount("cutaway", target, "overlay", 0, plain);
    }
    int saved = errno;
    if (fchdir(here) < 0) {
        return ct_fail(err, errno, "return to the working directory");
    }
    return result < 0 ? ct_fail(err, saved, "mount overlay on '%s'", target) : 0;
}

int overlay_mount(struct snapshot_store *store, int snapshot_fd, const char *snapshot_path,
                  char *const *layers, const char *target, struct ct_error *err)
{
    CT_AUTO_FREE char *absolute = realpath(target, NULL); /* mount_old() changes directory */

    if (!absolute) {
        return ct_fail(err, errno, "find mount target '%s'", target);
    }
    int result = mount_new(store, snapshot_path, layers, absolute, err);
    if (result <= 0) {
        return result;
    }
    return mount_old(snapshot_fd, layers, absolute, err);
}

int is_mount_point(const char *path, struct ct_error *err)
{
    struct statx status;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &status) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : ct_fail(err, errno, "look at '%s'", path);
    }
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

#define STACK_MAX 64 /* mounts on one directory that we undo before giving up */

int snapshot_unmount(const char *target, struct ct_error *err)
{
    for (int i = 0; i < STACK_MAX; i++) {
        if (umount2(target, UMOUNT_NOFOLLOW) == 0) {
            continue;
        }
        if (errno == EINVAL || errno == ENOENT || errno == ENOTDIR) {
            return 0; /* nothing is mounted there (any more) */
        }
        /* Somebody still stands in it: it leaves the tree now, and ends with its last user. */
        if (errno != EBUSY || umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) {
            return ct_fail(err, errno, "unmount '%s'", target);
        }
    }
    return ct_refuse(err, CT_SYSTEM, "unmount '%s': %d mounts and no end", target, STACK_MAX);
}
