/*
 * mounts.c - the container's root file system, which containerd describes and the shim mounts.
 *
 * Room:       shim.   Called by: task_create.c, task_delete.c, delete.c.
 * Man:        mount(2), mount_setattr(2), umount2(2).
 *
 * Mounted here and not by containerd, so that it is gone when the shim's work is done, whoever is
 * away then.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "mounting.h"

#include "cleanup.h"
#include "path.h"
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define DATA_MAX 4095 /* bytes that mount(2) takes: a page */

/* ---- overlays of many layers ---------------------------------------------------------------- */

/* The folder that all of "lowerdir=A:B:…" are in. Owned; NULL: there is no such option. */
static char *common_folder(const char *data)
{
    const char *list = strstr(data, "lowerdir=");
    if (!list || list[9] != '/') {
        return NULL;
    }
    list += 9;
    size_t length = strcspn(list, ":,"), common = length;

    for (const char *path = list + length; *path == ':'; path += length) {
        path++;
        length = strcspn(path, ":,");
        for (size_t i = 0; i < common; i++) {
            common = i >= length || path[i] != list[i] ? i : common;
        }
    }
    while (common > 0 && list[common - 1] != '/') {
        common--;
    }
    return ct_printf("%.*s", (int)common, list);
}

/* The same with each lower folder's name relative to that one. Owned. */
static char *shorten(const char *data, const char *folder)
{
    size_t skipped = strlen(folder);
    char *shorter = ct_strdup(data), *to = strstr(shorter, "lowerdir=") + 9;
    const char *from = strstr(data, "lowerdir=") + 9;

    for (;;) {
        from += skipped;
        size_t length = strcspn(from, ":,");
        memcpy(to, from, length);
        to += length;
        from += length;
        if (*from != ':') {
            break;
        }
        *to++ = *from++;
    }
    memmove(to, from, strlen(from) + 1);
    return shorter;
}

/* An image of sixty layers has more names than mount(2) takes, so they are made relative: as
 * containerd itself does. We are one thread, so our folder is nobody else's. */
static int mount_long(const Containerd__Types__Mount *request, const char *target,
                      unsigned long flags, const char *data, struct ct_error *err)
{
    CT_AUTO_FREE char *folder = common_folder(data);
    CT_AUTO_FREE char *shorter = folder && strlen(folder) > 1 ? shorten(data, folder) : NULL;
    CT_AUTO_CLOSE int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (!shorter || strlen(shorter) > DATA_MAX) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "mount %s on '%.100s': %zu bytes of options are too many", request->type,
                         target, strlen(data));
    }
    if (back < 0 || chdir(folder) < 0) {
        return ct_fail(err, errno, "enter '%.120s'", folder);
    }
    int result = mount(request->source, target, request->type, flags, shorter);
    int failure = errno;
    (void)fchdir(back); /* "/": it is always there */
    return result < 0 ? ct_fail(err, failure, "mount %s on '%.120s'", request->type, target) : 0;
}

/* ---- one mount ------------------------------------------------------------------------------ */

static char *join_data(const struct lc_mount_attributes *attributes)
{
    char *data = ct_strdup("");

    for (size_t i = 0; i < attributes->n_data; i++) {
        char *longer = ct_printf("%s%s%s", data, *data ? "," : "", attributes->data[i]);
        free(data);
        data = longer;
    }
    return data;
}

static int set_attributes(const char *target, const struct lc_mount_attributes *attributes,
                          struct ct_error *err)
{
    struct mount_attr one = {.attr_set = attributes->set, .attr_clr = attributes->clear};
    struct mount_attr all = {.attr_set = attributes->set_all, .attr_clr = attributes->clear_all};

    if (((one.attr_set | one.attr_clr) &&
         mount_setattr(AT_FDCWD, target, AT_SYMLINK_NOFOLLOW, &one, sizeof(one)) < 0) ||
        ((all.attr_set | all.attr_clr) &&
         mount_setattr(AT_FDCWD, target, AT_SYMLINK_NOFOLLOW | AT_RECURSIVE, &all, sizeof(all)) <
             0) ||
        (attributes->propagation &&
         mount(NULL, target, NULL, (unsigned long)attributes->propagation, NULL) < 0)) {
        return ct_fail(err, errno, "set options of '%.120s'", target);
    }
    return 0;
}

static int mount_one(const Containerd__Types__Mount *request, const char *target, struct pool *pool,
                     struct ct_error *err)
{
    struct lc_mount_attributes attributes = {0};
    const char **words = pool_array(pool, request->n_options + 1, sizeof(*words));

    for (size_t i = 0; i < request->n_options; i++) {
        words[i] = request->options[i];
    }
    if (*request->target) {
        return ct_refuse(err, CT_UNSUPPORTED, "mount at '%.100s': there is only the root",
                         request->target);
    }
    if (lc_mount_options_parse(words, "rootfs", pool, &attributes, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *data = join_data(&attributes);
    bool bind = attributes.bind || strcmp(request->type, "bind") == 0;
    unsigned long flags = bind ? MS_BIND | (attributes.recursive ? MS_REC : 0UL)
                          : attributes.set & MOUNT_ATTR_RDONLY ? MS_RDONLY
                                                               : 0UL;
    if (strlen(data) > DATA_MAX && mount_long(request, target, flags, data, err) < 0) {
        return -1;
    }
    if (strlen(data) <= DATA_MAX &&
        mount(request->source, target, request->type, flags, bind ? NULL : data) < 0) {
        return ct_fail(err, errno, "mount %s '%.60s' on '%.100s'", request->type, request->source,
                       target);
    }
    return set_attributes(target, &attributes, err);
}

/* ---- the door ------------------------------------------------------------------------------- */

int rootfs_mount(const char *bundle, Containerd__Types__Mount *const *mounts, size_t n,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *target = ct_join(bundle, "rootfs");
    struct pool pool = {0};
    int result = 0;

    for (size_t i = 0; i < n && result == 0; i++) {
        result = mount_one(mounts[i], target, &pool, err);
    }
    if (result < 0) {
        struct ct_error ignored = {0};
        (void)rootfs_unmount(bundle, &ignored);
    }
    pool_done(&pool);
    return result;
}

/* All that is mounted there, one over the other. MNT_DETACH: a process of another mount namespace
 * that still uses it is no reason to fail. */
int rootfs_unmount(const char *bundle, struct ct_error *err)
{
    CT_AUTO_FREE char *target = ct_join(bundle, "rootfs");

    while (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
        /* once more, until nothing is */
    }
    return errno == EINVAL || errno == ENOENT ? 0 : ct_fail(err, errno, "unmount '%.120s'", target);
}
