/*
 * mount_cgroups.c - the mount type "cgroup": the container's own groups, and no others.
 *
 * Room:       libcontainer.   Called by: mounting.c.
 * Spec:       config-linux.md, "Default Filesystems".
 * Man:        cgroup_namespaces(7).
 *
 * What a container sees is its own group as the root of the tree. That is what a new mount inside a
 * cgroup namespace shows, and what a bind of the group's folder shows without one: so it is always
 * the bind. v2 is one tree; v1 is a tmpfs with a folder a hierarchy, and links for those that have
 * two controllers ("cpu" -> "cpu,cpuacct").
 */
#define CT_LAYER "mount"
#include "mounting.h"

#include "cgroups.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_group(const char *mount_point, const char *path,
                      const struct lc_mount_attributes *attributes, struct ct_error *err)
{
    CT_AUTO_FREE char *group = ct_join(mount_point, path);
    struct mount_attr attr = {.attr_set = attributes->set, .attr_clr = attributes->clear};
    CT_AUTO_CLOSE int fd = open_tree(AT_FDCWD, group, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0) {
        return ct_fail(err, errno, "open the group '%.120s'", group);
    }
    if ((attr.attr_set | attr.attr_clr) &&
        mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
        return ct_fail(err, errno, "set the attributes of '%.120s'", group);
    }
    return ct_steal_fd(&fd);
}

static int attach(int mount_fd, const struct lc_mount *mount, int root_fd, struct ct_error *err)
{
    bool existed = false;
    CT_AUTO_CLOSE int target = lc_mount_target(mount, root_fd, mount_fd, &existed, err);
    return target < 0 ? -1 : lc_mount_attach(mount_fd, target, err);
}

/* "cpu" and "cpuacct" -> "cpu,cpuacct". */
static int link_controllers(int tmpfs_fd, const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(name);
    char *position = NULL;

    if (!strchr(name, ',')) {
        return 0;
    }
    for (char *one = strtok_r(copy, ",", &position); one; one = strtok_r(NULL, ",", &position)) {
        if (symlinkat(name, tmpfs_fd, one) < 0) {
            return ct_fail(err, errno, "link the controller '%s'", one);
        }
    }
    return 0;
}

static int mount_hierarchy(int tmpfs_fd, const char *mount_point, const char *path,
                           const struct lc_mount *mount, struct ct_error *err)
{
    const char *name = strrchr(mount_point, '/') + 1;
    CT_AUTO_CLOSE int group = open_group(mount_point, path, &mount->attributes, err);

    if (group < 0) {
        return -1;
    }
    if (mkdirat(tmpfs_fd, name, 0755) < 0) {
        return ct_fail(err, errno, "make the folder '%s'", name);
    }
    CT_AUTO_CLOSE int target = openat(tmpfs_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0) {
        return ct_fail(err, errno, "open the folder '%s'", name);
    }
    return lc_mount_attach(group, target, err) < 0 ? -1 : link_controllers(tmpfs_fd, name, err);
}

/* A mount can only be put below what is attached already; so read-only comes last. */
static int mount_v1(const struct lc_mount *mount, const struct lc_mount_place *place,
                    struct ct_error *err)
{
    static const char *const data[] = {"mode=755"};
    const struct lc_mount_attributes *attributes = &mount->attributes;
    struct mount_attr last = {.attr_set = attributes->set & MOUNT_ATTR_RDONLY};
    const char *mount_point, *path;
    CT_AUTO_CLOSE int tmpfs = lc_filesystem_make(
        "tmpfs", "tmpfs", data, 1, attributes->set & ~(uint64_t)MOUNT_ATTR_RDONLY, err);

    if (tmpfs < 0 || attach(tmpfs, mount, place->root_fd, err) < 0) {
        return -1;
    }
    for (size_t i = 0; lc_cgroup_hierarchy(place->cgroup, i, &mount_point, &path); i++) {
        if (mount_hierarchy(tmpfs, mount_point, path, mount, err) < 0) {
            return -1;
        }
    }
    if (last.attr_set && mount_setattr(tmpfs, "", AT_EMPTY_PATH, &last, sizeof(last)) < 0) {
        return ct_fail(err, errno, "make it read-only");
    }
    return 0;
}

/* A user's container may have no group of its own. Then the place is covered all the same: the bind
 * of the host's /sys below it is read-only for itself alone, and shows the user's groups
 * (CVE-2023-25809). On v1 it is a folder without hierarchies. */
static int mount_nothing(const struct lc_mount *mount, const struct lc_mount_place *place,
                         struct ct_error *err)
{
    static const char *const data[] = {"mode=755"};
    CT_AUTO_CLOSE int tmpfs = lc_filesystem_make("tmpfs", "tmpfs", data, 1,
                                                 mount->attributes.set | MOUNT_ATTR_RDONLY, err);

    return tmpfs < 0 ? -1 : attach(tmpfs, mount, place->root_fd, err);
}

static int mount_v2(const struct lc_mount *mount, const struct lc_mount_place *place,
                    struct ct_error *err)
{
    const char *mount_point, *path;

    if (!lc_cgroup_hierarchy(place->cgroup, 0, &mount_point, &path)) {
        return mount_nothing(mount, place, err);
    }
    CT_AUTO_CLOSE int group = open_group(mount_point, path, &mount->attributes, err);
    return group < 0 ? -1 : attach(group, mount, place->root_fd, err);
}

int lc_mount_cgroups(const struct lc_mount *mount, const struct lc_mount_place *place,
                     struct ct_error *err)
{
    enum lc_cgroup_layout layout;

    if (lc_cgroup_layout(&layout, err) < 0) {
        return -1;
    }
    if (mount->attributes.n_data > 0) {
        return ct_refuse(err, CT_INVALID, "a mount of type cgroup has no option '%.60s'",
                         mount->attributes.data[0]);
    }
    return layout == LC_CGROUP_V2 ? mount_v2(mount, place, err) : mount_v1(mount, place, err);
}
