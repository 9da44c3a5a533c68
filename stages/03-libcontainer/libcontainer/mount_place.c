/*
 * mount_place.c - where a mount goes: found or made in a root that is not to be trusted.
 *
 * Room:       libcontainer.   Called by: see mounting.h.
 * Man:        openat2(2) (RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS), statfs(2).
 *
 * No path leaves the root, whoever swaps what while we look (CVE-2021-30465). Inside of it /proc
 * and /sys are special: by them the container is shown less than there is. So they stand where
 * their names say, and nothing is put into /proc.
 */
#define CT_LAYER "mount"
#include "mounting.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- found or made -------------------------------------------------------------------------- */

static bool is_directory(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder for a folder, a file for anything else. What is missing is made. */
static int open_or_make(int root_fd, const char *destination, bool directory, bool *ret_existed,
                        struct ct_error *err)
{
    struct ct_error looked = {0};
    int fd = ct_root_openat(root_fd, destination, O_PATH, 0, &looked);

    *ret_existed = fd >= 0;
    if (fd >= 0 || looked.kind != CT_NOT_FOUND) {
        *err = fd >= 0 ? *err : looked;
        return fd;
    }
    if (directory) {
        return ct_root_mkdirs(root_fd, destination, 0755, 0, 0, err);
    }
    CT_AUTO_FREE char *parent = ct_strdup(destination);
    char *slash = strrchr(parent, '/');
    *(slash ? slash : parent) = '\0';
    CT_AUTO_CLOSE int made = ct_root_mkdirs(root_fd, *parent ? parent : "/", 0755, 0, 0, err);
    return made < 0 ? -1 : ct_root_touch(root_fd, destination, 0644, err);
}

/* ---- /proc and /sys ------------------------------------------------------------------------- */

/*
 * What masks paths below /proc looks them up again later. Were /proc a link, a container that swaps
 * what it leads to could show an empty folder to that look, and the procfs to its own
 * (CVE-2019-19921, CVE-2023-27561).
 */
static bool must_stand_where_named(const struct lc_mount *mount)
{
    return !mount->attributes.bind &&
           (strcmp(mount->type, "proc") == 0 || strcmp(mount->type, "sysfs") == 0);
}

static int open_without_links(int root_fd, const char *clean, struct ct_error *err)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, root_fd, clean, &how, sizeof(how));

    if (fd < 0 && errno == ELOOP) {
        return ct_refuse(err, CT_INVALID, "use '%.100s' of the root: it is a link", clean);
    }
    return fd < 0 ? ct_fail(err, errno, "open '%.100s' of the root", clean) : fd;
}

static bool is_procfs(int fd)
{
    struct statfs file_system;
    return fstatfs(fd, &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC;
}

/* Whether it is, by whatever name, in what stands at the root's /proc. */
static bool is_in_own_proc(int root_fd, int target_fd)
{
    struct ct_error none = {0};
    CT_AUTO_CLOSE int proc_fd = ct_root_openat(root_fd, "/proc", O_PATH, 0, &none);
    struct stat proc, target;

    return proc_fd >= 0 && is_procfs(target_fd) && fstat(proc_fd, &proc) == 0 &&
           fstat(target_fd, &target) == 0 && proc.st_dev == target.st_dev;
}

/* What may be covered there: figures of the machine, for which LXCFS has the container's own. runc
 * has the same list. */
static bool may_be_covered(const char *clean)
{
    static const char *const allowed[] = {"/proc",
                                          "/proc/cpuinfo",
                                          "/proc/diskstats",
                                          "/proc/meminfo",
                                          "/proc/stat",
                                          "/proc/swaps",
                                          "/proc/uptime",
                                          "/proc/loadavg",
                                          "/proc/slabinfo",
                                          "/proc/net/dev",
                                          "/proc/sys/kernel/ns_last_pid",
                                          NULL};

    for (size_t i = 0; allowed[i]; i++) {
        if (strcmp(clean, allowed[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* By name: what would be in /proc, also while no procfs stands there yet. */
static int check_name(const char *clean, int mount_fd, struct ct_error *err)
{
    if (strcmp(clean, "/proc") == 0 && !is_procfs(mount_fd)) {
        return ct_refuse(err, CT_INVALID, "mount on '/proc': only a procfs may be there");
    }
    if (strncmp(clean, "/proc/", 6) == 0 && !may_be_covered(clean)) {
        return ct_refuse(err, CT_INVALID, "mount on '%.100s': it is inside /proc", clean);
    }
    return 0;
}

int lc_mount_target(const struct lc_mount *mount, int root_fd, int mount_fd, bool *ret_existed,
                    struct ct_error *err)
{
    CT_AUTO_FREE char *clean = ct_path_clean(mount->destination);

    if (check_name(clean, mount_fd, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int target =
        open_or_make(root_fd, mount->destination, is_directory(mount_fd), ret_existed, err);
    if (target >= 0 && must_stand_where_named(mount)) {
        ct_cleanup_close(&target);
        target = open_without_links(root_fd, clean, err);
    }
    if (target >= 0 && !may_be_covered(clean) && is_in_own_proc(root_fd, target)) {
        return ct_refuse(err, CT_INVALID, "mount on '%.100s': it is inside /proc", clean);
    }
    return target < 0 ? -1 : ct_steal_fd(&target);
}
