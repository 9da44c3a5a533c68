/*
 * mounts.c - makes mount points safely, and lists the mounts in the order to be made.
 *
 * Room:       monitor.   Called by: spec.c.
 * Man:        mount(8) (options), openat2(2).
 *
 * The root file system is mounted here, but nothing of the container runs yet. A target inside
 * another mount (a volume at /a, a bind at /a/b) lies in that mount's source, not in the root file
 * system; in a tmpfs it cannot be made before the tmpfs is there: the driver makes that one.
 */
#define CT_LAYER "mounts"
#include "mounts.h"

#include "containers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTS_MAX 512

struct list {
    struct exec_mount *mounts;
    size_t n;
    struct pool *pool;
    int rootfs_fd;
};

/* The path of fd below the root directory base_fd, as the kernel names it. Owned; NULL: not below.
 */
static char *path_below(int base_fd, int fd, struct ct_error *err)
{
    char link[32], base[PATH_MAX], full[PATH_MAX];
    ssize_t base_length = readlink(ct_fd_path(base_fd, link), base, sizeof(base) - 1);
    ssize_t length = readlink(ct_fd_path(fd, link), full, sizeof(full) - 1);

    if (base_length < 0 || length < 0) {
        return ct_fail_null(err, errno, "find where a mount point is");
    }
    base[base_length] = full[length] = '\0';
    if (length < base_length || strncmp(full, base, (size_t)base_length) != 0 ||
        (full[base_length] != '/' && full[base_length] != '\0')) {
        return ct_refuse_null(err, CT_INVALID, "a mount point is not where it should be: '%.100s'",
                              full);
    }
    return full[base_length] ? ct_strdup(full + base_length) : ct_strdup("/");
}

/* The innermost mount so far that covers the path, or NULL: the root file system itself does. */
static const struct exec_mount *covering(const struct list *list, const char *path)
{
    for (size_t i = list->n; i > 0; i--) {
        const struct exec_mount *mount = &list->mounts[i - 1];
        size_t length = strlen(mount->target);
        if (strncmp(path, mount->target, length) == 0 && path[length] == '/') {
            return mount;
        }
    }
    return NULL;
}

/* Makes the mount point below base_fd. Returns where it truly is (in the pool), or NULL. */
static const char *make_point(struct list *list, int base_fd, const char *path, bool directory,
                              struct ct_error *err)
{
    CT_AUTO_CLOSE int point = -1;

    if (directory) {
        point = ct_root_mkdirs(base_fd, path, 0755, 0, 0, err);
    } else {
        CT_AUTO_FREE char *parent = ct_strdup(path);
        char *slash = strrchr(parent, '/');
        *slash = '\0';
        CT_AUTO_CLOSE int made =
            *parent ? ct_root_mkdirs(base_fd, parent, 0755, 0, 0, err) : dup(base_fd);
        point = made < 0 ? -1 : ct_root_touch(base_fd, path, 0644, err);
    }
    char *resolved = point < 0 ? NULL : path_below(base_fd, point, err);
    return resolved ? pool_keep(list->pool, resolved) : NULL;
}

/* Where a mount on `target` really goes; its point is made if need be. Borrowed from the pool. */
static const char *prepare_target(struct list *list, const char *target, bool directory,
                                  struct ct_error *err)
{
    const char *clean = pool_keep(list->pool, ct_path_clean(target));
    const struct exec_mount *cover = covering(list, clean);

    if (strcmp(clean, "/") == 0) {
        return ct_refuse_null(err, CT_INVALID, "mount on '/': the root itself cannot be a target");
    }
    if (!cover) {
        return make_point(list, list->rootfs_fd, clean, directory, err);
    }
    if (strcmp(cover->type, "tmpfs") == 0) {
        return clean;
    }
    CT_AUTO_CLOSE int base = ct_root_open(cover->source, err);
    const char *inner =
        base < 0 ? NULL : make_point(list, base, clean + strlen(cover->target), directory, err);
    return inner ? pool_keep(list->pool, ct_printf("%s%s", cover->target, inner)) : NULL;
}

static int add(struct list *list, const struct exec_mount *mount, bool directory,
               struct ct_error *err)
{
    if (list->n == MOUNTS_MAX) {
        return ct_refuse(err, CT_INVALID, "mount '%.64s': more than %d mounts", mount->target,
                         MOUNTS_MAX);
    }
    const char *target = prepare_target(list, mount->target, directory, err);
    if (!target) {
        return ct_while(err, "mount on '%.100s'", mount->target);
    }
    list->mounts[list->n] = *mount;
    list->mounts[list->n++].target = target;
    return 0;
}

/* Docker's mode words ("z", "nocopy", …) are no mount options: only these are taken from them. */
static const char *bind_options(const json_t *mount, struct pool *pool)
{
    const char *propagation = ct_json_string(mount, "Propagation", "");
    const char *access = ct_json_bool(mount, "RW", true) ? "rw" : "ro";

    return *propagation ? pool_keep(pool, ct_printf("%s,%s", access, propagation)) : access;
}

static const char *tmpfs_options(const json_t *mount, struct pool *pool)
{
    const char *options = ct_json_string(mount, "Options", "");
    const char *access = ct_json_bool(mount, "RW", true) ? "" : ",ro";

    /* Docker's defaults come first, so that the user's own words win. */
    return pool_keep(pool,
                     ct_printf("nosuid,nodev,noexec%s%s%s", access, *options ? "," : "", options));
}

static int add_recorded(struct list *list, const json_t *mount, struct ct_error *err)
{
    const char *type = ct_json_string(mount, "Type", "bind");
    const char *target = ct_json_string(mount, "Destination", "");
    const char *source = ct_json_string(mount, "Source", "");
    struct stat status;

    if (target[0] != '/') {
        return ct_refuse(err, CT_INVALID, "mount on '%.64s': it is not an absolute path", target);
    }
    if (strcmp(type, "tmpfs") == 0) {
        struct exec_mount wanted = {.source = "tmpfs",
                                    .target = target,
                                    .type = "tmpfs",
                                    .options = tmpfs_options(mount, list->pool)};
        return add(list, &wanted, true, err);
    }
    if (stat(source, &status) < 0) {
        return ct_fail(err, errno, "mount '%.100s' on '%.64s'", source, target);
    }
    struct exec_mount wanted = {.source = source,
                                .target = target,
                                .type = "bind",
                                .options = bind_options(mount, list->pool),
                                .recursive = !ct_json_bool(mount, "NonRecursive", false)};
    return add(list, &wanted, S_ISDIR(status.st_mode), err);
}

static bool is_taken(const struct list *list, const char *target)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->mounts[i].target, target) == 0) {
            return true;
        }
    }
    return false;
}

/* The three files that we write for the container. */
static int add_own_files(struct list *list, const struct container *container, struct ct_error *err)
{
    static const char *const files[] = {"resolv.conf", "hostname", "hosts"};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *target = pool_keep(list->pool, ct_join("/etc", files[i]));
        const char *source = pool_keep(list->pool, ct_join(container->dir, files[i]));
        struct exec_mount wanted = {
            .source = source, .target = target, .type = "bind", .options = "rw"};
        if (faccessat(container->dir_fd, files[i], F_OK, 0) < 0 || is_taken(list, target)) {
            continue;
        }
        if (add(list, &wanted, false, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int mounts_build(const struct container *container, int rootfs_fd, struct pool *pool,
                 const struct exec_mount **ret, size_t *ret_n, struct ct_error *err)
{
    const json_t *recorded = json_object_get(container->config, "Mounts");
    size_t room = ct_json_count(recorded) + 3;
    struct list list = {.pool = pool, .rootfs_fd = rootfs_fd};
    size_t i;
    json_t *mount;

    list.mounts = pool_array(pool, room < MOUNTS_MAX ? room : MOUNTS_MAX, sizeof(*list.mounts));
    json_array_foreach((json_t *)recorded, i, mount)
    {
        if (add_recorded(&list, mount, err) < 0) {
            return -1;
        }
    }
    if (add_own_files(&list, container, err) < 0) {
        return -1;
    }
    *ret = list.mounts;
    *ret_n = list.n;
    return 0;
}
