/*
 * cgroup_files.c - reading and writing the files of control groups.
 *
 * Room:       libcontainer.   Called by: all the files behind cgroups.h.
 * Man:        openat2(2), statfs(2).
 *
 * A path that is written to as root must lead into the cgroup file system and nowhere else. So the
 * mount point is opened once and asked what it is; everything else is opened below it, without
 * symbolic links and without crossing into another mount.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILE_MAX_BYTES (16u << 20)
#define RESOLVE_TRIES  64 /* a rename elsewhere disturbs a resolution (EAGAIN) */

static int fail(struct ct_error *err, int failure, const char *what, const struct lc_group *group,
                const char *path, const char *file)
{
    (void)ct_fail(err, failure, "%s '%.50s%s%.60s%s%.40s'", what, group->mount_point,
                  *path ? "/" : "", path, *file ? "/" : "", file);
    if (failure == ENODEV || failure == ESRCH) { /* the group or the process went meanwhile */
        err->kind = CT_NOT_FOUND;
    } else if (failure == EROFS) {
        (void)ct_hint(err, "control groups are mounted read-only here: mount them rw");
    }
    return -1;
}

int lc_group_mount(struct lc_group *group, struct ct_error *err)
{
    struct statfs fs;

    if (group->mount_fd >= 0) {
        return group->mount_fd;
    }
    CT_AUTO_CLOSE int fd = open(group->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0) {
        return ct_fail(err, errno, "open the control groups at '%s'", group->mount_point);
    }
    if (fs.f_type != (group->v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC)) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use the control groups at '%s': something else is mounted over them",
                         group->mount_point);
    }
    group->mount_fd = ct_steal_fd(&fd);
    return group->mount_fd;
}

static int open_below(int dir_fd, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV};
    int fd = -1;

    for (int i = 0; i < RESOLVE_TRIES; i++) {
        fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
            break;
        }
    }
    return fd;
}

int lc_group_open(struct lc_group *group, const char *path, const char *file, int flags,
                  struct ct_error *err)
{
    if (lc_group_mount(group, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *name = ct_printf("%s%s%s", path, *path && *file ? "/" : "", file);
    int fd = open_below(group->mount_fd, *name ? name : ".", flags);
    return fd < 0 ? fail(err, errno, "open", group, path, file) : fd;
}

char *lc_group_read(struct lc_group *group, const char *path, const char *file,
                    struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = lc_group_open(group, path, file, O_RDONLY, err);
    CT_AUTO_FREE char *text = NULL;
    size_t length = 0, size = 0;
    ssize_t n = fd < 0 ? -1 : 1;

    for (; n > 0; length += (size_t)n) {
        if (length + 1 >= size) {
            size = size ? size * 2 : 4096; /* the kernel's files are rarely longer than a page */
            char *grown = size > FILE_MAX_BYTES ? NULL : realloc(text, size);
            if (!grown) {
                (void)fail(err, ENOMEM, "read", group, path, file);
                return NULL;
            }
            text = grown;
        }
        n = read(fd, text + length, size - length - 1);
        if (n < 0) {
            (void)fail(err, errno, "read", group, path, file);
            return NULL;
        }
    }
    if (fd < 0) {
        return NULL;
    }
    text[length] = '\0';
    return ct_steal(text);
}

int lc_group_write(struct lc_group *group, const char *path, const char *file, const char *text,
                   struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = lc_group_open(group, path, file, O_WRONLY, err);

    if (fd < 0) {
        return -1;
    }
    /* The kernel takes the whole text of one write(2) or refuses it. */
    if (write(fd, text, strlen(text)) < 0) {
        return fail(err, errno, "write to", group, path, file);
    }
    return 0;
}

bool lc_text_number(const char *text, const char *key, uint64_t *ret)
{
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            *ret = strtoull(line + length + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

bool lc_group_number(struct lc_group *group, const char *file, uint64_t *ret)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = lc_group_read(group, group->path, file, &ignored);

    if (!text) {
        return false;
    }
    *ret = strncmp(text, "max", 3) == 0 ? UINT64_MAX : strtoull(text, NULL, 10);
    return true;
}
