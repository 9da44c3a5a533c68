/*
 * procfs.c - /proc files that are what they seem.
 *
 * Room:       libcontainer.   Called by: see procfs.h.
 * Man:        fsopen(2), openat2(2), proc(5).
 */
#define CT_LAYER "procfs"
#include "procfs.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_ROOT_INODE 1 /* of every procfs; a directory inside it has another */

/* A mount that no path leads to. -1 with errno: the rights to mount are missing. */
static int open_detached(void)
{
    CT_AUTO_CLOSE int context = fsopen("proc", FSOPEN_CLOEXEC);

    if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return -1;
    }
    return fsmount(context, FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* What stands at /proc, if it is a whole procfs: not a directory of one, not something else. */
static int open_visible(struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct statfs file_system;
    struct stat root;

    if (fd < 0 || fstatfs(fd, &file_system) < 0 || fstat(fd, &root) < 0) {
        return ct_fail(err, errno, "open '/proc'");
    }
    if (file_system.f_type != PROC_SUPER_MAGIC || root.st_ino != PROC_ROOT_INODE) {
        return ct_refuse(err, CT_DENIED, "use '/proc': something else is mounted there");
    }
    return ct_steal_fd(&fd);
}

int lc_procfs_open(struct ct_error *err)
{
    int fd = open_detached();

    return fd >= 0 ? fd : open_visible(err);
}

/*
 * The root is a procfs, and RESOLVE_NO_XDEV refuses every mount on the way and at its end, a bind
 * of another procfs file included: so what is opened is a file of that procfs. The links that
 * procfs itself has ("self", "thread-self", "mounts") stay in it.
 */
int lc_procfs_openat(int procfs_fd, const char *path, int flags, struct ct_error *err)
{
    const struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                                 .resolve =
                                     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, procfs_fd, path, &how, sizeof(how));

    if (fd < 0 && (errno == EXDEV || errno == ELOOP)) {
        return ct_refuse(err, CT_DENIED, "open '/proc/%s': it leads out of the procfs", path);
    }
    return fd < 0 ? ct_fail(err, errno, "open '/proc/%s'", path) : fd;
}

int lc_procfs_write(int procfs_fd, const char *path, const char *text, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = lc_procfs_openat(procfs_fd, path, O_WRONLY, err);

    if (fd < 0) {
        return -1;
    }
    ssize_t written = write(fd, text, strlen(text));
    if (written < 0) {
        return ct_fail(err, errno, "write '%.60s' to '/proc/%s'", text, path);
    }
    if ((size_t)written != strlen(text)) {
        return ct_refuse(err, CT_SYSTEM, "write '%.60s' to '/proc/%s': only %zd bytes were taken",
                         text, path, written);
    }
    return 0;
}
