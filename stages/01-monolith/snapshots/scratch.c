/*
 * scratch.c - directories for work under way.
 *
 * Room:       snapshots.
 * Called by:  snapshots, images.
 * Man:        flock(2).
 */
#define CT_LAYER "scratch"
#include "scratch.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

int scratch_make(int store_fd, char name[static SCRATCH_NAME], struct ct_error *err)
{
    CT_AUTO_FREE char *path = NULL;
    CT_AUTO_CLOSE int lock = ct_lock_at(store_fd, "lock", CT_LOCK_EXCLUSIVE, -1, err);

    if (lock < 0) { /* held so that nobody sweeps between mkdir and flock */
        return -1;
    }
    ct_random_hex(name, (SCRATCH_NAME - 1) / 2);
    path = ct_join("tmp", name);
    if (mkdirat(store_fd, path, 0700) < 0) {
        return ct_fail(err, errno, "make directory '%s' in the store", path);
    }
    CT_AUTO_CLOSE int fd = openat(store_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        (void)ct_fail(err, errno, "lock '%s' in the store", path);
        (void)unlinkat(store_fd, path, AT_REMOVEDIR); /* err keeps the first cause */
        return -1;
    }
    return ct_steal_fd(&fd);
}

void scratch_remove(int store_fd, const char *name, int *fd)
{
    struct ct_error ignored = {0};

    if (*fd >= 0) {
        CT_AUTO_FREE char *path = ct_join("tmp", name);
        (void)ct_remove_tree(store_fd, path, &ignored);
        (void)close(*fd);
        *fd = -1;
    }
}

static void sweep_one(int store_fd, const char *name)
{
    struct ct_error left = {0};
    CT_AUTO_FREE char *path = ct_join("tmp", name);
    CT_AUTO_CLOSE int fd = openat(store_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return; /* somebody is at work there */
    }
    if (ct_remove_tree(store_fd, path, &left) < 0) {
        ct_warn("cannot remove what a crash left path=%s", path);
    } else {
        ct_info("removed what a crash left path=%s", path);
    }
}

int scratch_sweep(int store_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = ct_lock_at(store_fd, "lock", CT_LOCK_EXCLUSIVE, -1, err);
    int tmp = lock < 0 ? -1 : openat(store_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = tmp < 0 ? NULL : fdopendir(tmp);

    if (!dir) {
        ct_cleanup_close(&tmp);
        return lock < 0 ? -1 : ct_fail(err, errno, "read directory 'tmp' of the store");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] != '.') {
            sweep_one(store_fd, entry->d_name);
        }
    }
    return 0;
}
