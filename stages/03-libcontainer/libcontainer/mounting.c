/*
 * mounting.c - makes a mount, detached, and puts it in its place.
 *
 * Room:       libcontainer.   Called by: see mounting.h.
 * Man:        fsopen(2), fsconfig(2), fsmount(2), open_tree(2), mount_setattr(2), move_mount(2).
 */
#define CT_LAYER "mount"
#include "mounting.h"

#include "cleanup.h"
#include "copy_up.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a new file system ---------------------------------------------------------------------- */

/* The kernel's own words: "e overlay: …", without the letter. */
static int explain(int context_fd, int sys, const char *type, struct ct_error *err)
{
    char text[160];
    ssize_t n = read(context_fd, text, sizeof(text) - 1);

    if (n > 2) {
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return ct_fail(err, sys, "make a file system '%s': %s", type, text + 2);
    }
    return ct_fail(err, sys, "make a file system '%s'", type);
}

/* "size=64m" or "sync". */
static int configure(int context_fd, const char *option)
{
    const char *equals = strchr(option, '=');

    if (!equals) {
        return fsconfig(context_fd, FSCONFIG_SET_FLAG, option, NULL, 0);
    }
    CT_AUTO_FREE char *key = ct_printf("%.*s", (int)(equals - option), option);
    return fsconfig(context_fd, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

int lc_filesystem_make(const char *type, const char *source, const char *const *data, size_t n_data,
                       uint64_t attributes, struct ct_error *err)
{
    CT_AUTO_CLOSE int context_fd = fsopen(type, FSOPEN_CLOEXEC);

    if (context_fd < 0) {
        (void)ct_fail(err, errno, "make a file system '%.40s'", type);
        return errno == ENODEV ? ct_hint(err, "the kernel does not know it: modprobe %.40s", type)
                               : -1;
    }
    if (source && fsconfig(context_fd, FSCONFIG_SET_STRING, "source", source, 0) < 0) {
        return explain(context_fd, errno, type, err);
    }
    for (size_t i = 0; i < n_data; i++) {
        if (configure(context_fd, data[i]) < 0) {
            (void)explain(context_fd, errno, type, err);
            return ct_while(err, "use the mount option '%.80s'", data[i]);
        }
    }
    if (fsconfig(context_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
        return explain(context_fd, errno, type, err);
    }
    int mount_fd = fsmount(context_fd, FSMOUNT_CLOEXEC, (unsigned)attributes);
    return mount_fd < 0 ? explain(context_fd, errno, type, err) : mount_fd;
}

/* ---- attributes ----------------------------------------------------------------------------- */

static int set_attributes(int mount_fd, uint64_t set, uint64_t clear, unsigned flags,
                          struct ct_error *err)
{
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

    if ((set | clear) == 0) {
        return 0;
    }
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0) {
        return ct_fail(err, errno, "set the attributes 0x%llx, clear 0x%llx",
                       (unsigned long long)set, (unsigned long long)clear);
    }
    return 0;
}

static int set_propagation(int mount_fd, long propagation, struct ct_error *err)
{
    struct mount_attr attr = {.propagation = (unsigned long long)(propagation & ~(long)MS_REC)};
    unsigned flags = propagation & MS_REC ? AT_RECURSIVE : 0;

    if (propagation == 0) {
        return 0;
    }
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0) {
        return ct_fail(err, errno, "set the propagation 0x%lx", propagation);
    }
    return 0;
}

int lc_mount_attach(int mount_fd, int target_fd, struct ct_error *err)
{
    if (move_mount(mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
        0) {
        return ct_fail(err, errno, "put the mount in its place");
    }
    return 0;
}

/* ---- binds ---------------------------------------------------------------------------------- */

static int map_ids(int mount_fd, const struct lc_mount *mount, const struct lc_idmap *container_map,
                   struct ct_error *err)
{
    const struct lc_idmap *map = mount->idmap.n_uids > 0 ? &mount->idmap : container_map;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
    unsigned flags = mount->attributes.idmap_all ? AT_RECURSIVE : 0;

    if (!mount->attributes.idmap && mount->idmap.n_uids == 0) {
        return 0;
    }
    CT_AUTO_CLOSE int userns = lc_idmap_userns(map, err);
    if (userns < 0) {
        return -1;
    }
    attr.userns_fd = (unsigned)userns;
    if (mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0) {
        int sys = errno;
        (void)ct_fail(err, sys, "map the users of '%.100s'", mount->source);
        return sys == EINVAL ? ct_hint(err, "its file system cannot be idmapped") : -1;
    }
    return 0;
}

int lc_mount_open_source(const struct lc_mount *mount, const struct lc_idmap *container_map,
                         struct ct_error *err)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;

    flags |= mount->attributes.recursive ? AT_RECURSIVE : 0;
    CT_AUTO_CLOSE int mount_fd = open_tree(AT_FDCWD, mount->source, flags);
    if (mount_fd < 0) {
        return ct_fail(err, errno, "open what is to be bound, '%.120s'", mount->source);
    }
    return map_ids(mount_fd, mount, container_map, err) < 0 ? -1 : ct_steal_fd(&mount_fd);
}

/* ---- one mount ------------------------------------------------------------------------------ */

/* The file system's data, and the label for those that take one. Owned by pool. */
static int make_filesystem(const struct lc_mount *mount, const struct lc_mount_place *place,
                           struct ct_error *err)
{
    const struct lc_mount_attributes *attributes = &mount->attributes;
    struct pool pool = {0};
    const char **data = pool_array(&pool, attributes->n_data + 1, sizeof(*data));
    size_t n = 0;

    for (; n < attributes->n_data; n++) {
        data[n] = attributes->data[n];
    }
    if (place->label && *place->label && strcmp(mount->type, "proc") != 0 &&
        strcmp(mount->type, "sysfs") != 0) {
        data[n++] = pool_keep(&pool, ct_printf("context=%s", place->label));
    }
    int mount_fd = lc_filesystem_make(mount->type, mount->source, data, n, attributes->set, err);
    pool_done(&pool);
    return mount_fd;
}

static int finish_bind(int mount_fd, const struct lc_mount *mount, struct ct_error *err)
{
    const struct lc_mount_attributes *attributes = &mount->attributes;

    if (set_attributes(mount_fd, attributes->set, attributes->clear, 0, err) < 0 ||
        set_attributes(mount_fd, attributes->set_all, attributes->clear_all, AT_RECURSIVE, err) <
            0) {
        return -1;
    }
    return 0;
}

/* Detached, with its attributes. */
static int make_detached(const struct lc_mount *mount, const struct lc_mount_place *place,
                         int source_fd, struct ct_error *err)
{
    static const struct lc_idmap own = {0};
    CT_AUTO_CLOSE int mount_fd = -1;

    if (!mount->attributes.bind) {
        mount_fd = make_filesystem(mount, place, err);
    } else {
        mount_fd = source_fd >= 0 ? fcntl(source_fd, F_DUPFD_CLOEXEC, 3)
                                  : lc_mount_open_source(mount, &own, err);
        if (mount_fd >= 0 && finish_bind(mount_fd, mount, err) < 0) {
            return -1;
        }
    }
    if (mount_fd < 0 || set_propagation(mount_fd, mount->attributes.propagation, err) < 0) {
        return -1;
    }
    return ct_steal_fd(&mount_fd);
}

/* The kernel's own is 1777. Who names no mode means the one of the folder that is covered, as runc
 * has it: a tmpfs over /run stays 755. */
static int keep_mode(const struct lc_mount *mount, int mount_fd, int target_fd,
                     struct ct_error *err)
{
    struct stat st;

    if (mount->attributes.bind || strcmp(mount->type, "tmpfs") != 0) {
        return 0;
    }
    for (size_t i = 0; i < mount->attributes.n_data; i++) {
        if (strncmp(mount->attributes.data[i], "mode=", 5) == 0) {
            return 0;
        }
    }
    if (fstat(target_fd, &st) < 0 || fchmodat(mount_fd, ".", st.st_mode & 07777, 0) < 0) {
        return ct_fail(err, errno, "give the tmpfs the mode of its place");
    }
    return 0;
}

static int make(const struct lc_mount *mount, const struct lc_mount_place *place, int source_fd,
                struct ct_error *err)
{
    CT_AUTO_CLOSE int mount_fd = make_detached(mount, place, source_fd, err);
    bool existed = false;
    CT_AUTO_CLOSE int target_fd =
        mount_fd < 0 ? -1 : lc_mount_target(mount, place->root_fd, mount_fd, &existed, err);

    if (target_fd < 0 || (existed && keep_mode(mount, mount_fd, target_fd, err) < 0)) {
        return -1;
    }
    if (mount->attributes.copy_up && lc_copy_up(target_fd, mount_fd, err) < 0) {
        return -1;
    }
    return lc_mount_attach(mount_fd, target_fd, err);
}

int lc_mount_make(const struct lc_mount *mount, const struct lc_mount_place *place, int source_fd,
                  struct ct_error *err)
{
    bool is_cgroup = !mount->attributes.bind && strcmp(mount->type, "cgroup") == 0;

    if ((is_cgroup ? lc_mount_cgroups(mount, place, err) : make(mount, place, source_fd, err)) <
        0) {
        return ct_while(err, "mount '%.60s' on '%.80s'",
                        mount->attributes.bind ? mount->source : mount->type, mount->destination);
    }
    return 0;
}
