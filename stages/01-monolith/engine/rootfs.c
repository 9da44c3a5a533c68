/*
 * rootfs.c - a container's root file system, seen from outside: of one that runs and one that does
 * not.
 *
 * Room:       engine.   Called by: archive.c, commit.c.
 *
 * A running container is seen through /proc/<pid>/root: its own mounts, volumes included, whatever
 * it did to them. Of a stopped one the snapshot is mounted for the time of the call; the caller
 * holds the container's lock, so that no start comes in between.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static int open_running(const struct container *container, struct rootfs_view *ret,
                        struct ct_error *err)
{
    json_int_t pid = ct_json_integer(container->state, "Pid", 0);
    CT_AUTO_FREE char *path = ct_printf("/proc/%lld/root", (long long)pid);

    /* Not ct_root_open(): the last component is the kernel's magic link, to be followed here. */
    ret->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (ret->fd < 0) {
        return ct_fail(err, errno, "open the root file system of '%s'", container_name(container));
    }
    if (!monitor_lives(container)) { /* the pid may be somebody else's by now */
        rootfs_close(ret);
        return engine_require_running(container, err) < 0
                   ? -1
                   : ct_refuse(err, CT_CONFLICT, "container %s ended meanwhile",
                               container_name(container));
    }
    return 0;
}

int rootfs_open(struct engine *engine, struct container *container, struct rootfs_view *ret,
                struct ct_error *err)
{
    *ret = (struct rootfs_view){.fd = -1};
    if (container_is_running(container)) {
        return open_running(container, ret, err);
    }
    CT_AUTO_FREE char *target = ct_join(container->dir, "rootfs");
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    CT_AUTO_CLOSE int made = ct_mkdirs(target, 0700, err);
    struct snapshot_store *snapshots = made < 0 ? NULL : engine_snapshots(engine, err);

    if (!snapshots || snapshot_mount(snapshots, key, target, err) < 0) {
        return -1;
    }
    ret->mounted = ct_steal(target);
    ret->fd = ct_root_open(ret->mounted, err);
    if (ret->fd < 0) {
        rootfs_close(ret);
        return -1;
    }
    return 0;
}

void rootfs_close(struct rootfs_view *view)
{
    struct ct_error ignored = {0}; /* what stays mounted, the next start takes over */
    ct_cleanup_close(&view->fd);
    view->fd = -1;
    if (view->mounted) {
        (void)snapshot_unmount(view->mounted, &ignored);
        free(view->mounted);
        view->mounted = NULL;
    }
}
