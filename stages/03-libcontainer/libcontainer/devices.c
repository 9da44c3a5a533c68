/*
 * devices.c - mknod and links below the container's /dev.
 *
 * Room:       libcontainer.   Called by: see devices.h.
 * Man:        mknod(2), null(4), full(4), random(4), tty(4), pts(4).
 *
 * An image may have made /dev, or what is in it, a symlink: the folder is opened inside the root,
 * and a name in it is never followed (CVE-2026-41579).
 */
#define CT_LAYER "devices"
#include "devices.h"

#include "fields.h"
#include "linux_resources.h"
#include "mounting.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct lc_device standard[] = {
    {"/dev/null", S_IFCHR, 1, 3, 0666, 0, 0},    {"/dev/zero", S_IFCHR, 1, 5, 0666, 0, 0},
    {"/dev/full", S_IFCHR, 1, 7, 0666, 0, 0},    {"/dev/random", S_IFCHR, 1, 8, 0666, 0, 0},
    {"/dev/urandom", S_IFCHR, 1, 9, 0666, 0, 0}, {"/dev/tty", S_IFCHR, 5, 0, 0666, 0, 0},
};

static const struct {
    const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"}, /* the container's own pts instance, not
                                                            the host's */
};

/* ---- the configuration ---------------------------------------------------------------------- */

static int parse_type(const json_t *entry, const char *where, struct lc_device *ret,
                      struct ct_error *err)
{
    static const struct lc_word types[] = {
        {"c", S_IFCHR}, {"b", S_IFBLK}, {"u", S_IFCHR}, {"p", S_IFIFO}};
    int64_t type = 0;

    if (lc_field_word(entry, where, "type", types, sizeof(types) / sizeof(types[0]), &type, err) <
        0) {
        return -1;
    }
    ret->type = (mode_t)type;
    return type ? 0 : lc_field_missing(where, "type", err);
}

static int parse_number(const json_t *entry, const char *where, struct lc_device *ret,
                        struct ct_error *err)
{
    int64_t major_number = -1, minor_number = -1;

    if (lc_field_integer(entry, where, "major", 0, (1 << 12) - 1, &major_number, err) < 0 ||
        lc_field_integer(entry, where, "minor", 0, (1 << 20) - 1, &minor_number, err) < 0) {
        return -1;
    }
    if (ret->type != S_IFIFO && (major_number < 0 || minor_number < 0)) {
        return lc_field_missing(where, major_number < 0 ? "major" : "minor", err);
    }
    if (ret->type != S_IFIFO) {
        ret->major_number = (unsigned)major_number;
        ret->minor_number = (unsigned)minor_number;
    }
    return 0;
}

static int parse_one(const json_t *entry, const char *where, struct pool *pool,
                     struct lc_device *ret, struct ct_error *err)
{
    int64_t mode = 0666, uid = 0, gid = 0;
    const char *path = NULL;

    if (lc_field_is_object(entry, where, err) < 0 ||
        lc_field_string(entry, where, "path", &path, err) < 0 ||
        lc_field_integer(entry, where, "fileMode", 0, 07777, &mode, err) < 0 ||
        lc_field_integer(entry, where, "uid", 0, UINT32_MAX - 1, &uid, err) < 0 ||
        lc_field_integer(entry, where, "gid", 0, UINT32_MAX - 1, &gid, err) < 0 ||
        parse_type(entry, where, ret, err) < 0 || parse_number(entry, where, ret, err) < 0) {
        return -1;
    }
    if (!path) {
        return lc_field_missing(where, "path", err);
    }
    if (*path != '/') {
        return ct_refuse(err, CT_INVALID, "%s.path: '%.100s' is not absolute", where, path);
    }
    ret->path = pool_keep(pool, ct_path_clean(path));
    ret->mode = (mode_t)mode;
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    return 0;
}

int lc_devices_parse(const json_t *devices, struct pool *pool, const struct lc_device **ret,
                     size_t *ret_n, struct ct_error *err)
{
    size_t n = json_array_size(devices);
    struct lc_device *list = pool_array(pool, n, sizeof(*list));
    char where[LC_WHERE];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(where, sizeof(where), "linux.devices[%zu]", i);
        if (parse_one(json_array_get(devices, i), where, pool, &list[i], err) < 0) {
            return -1;
        }
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

/* As runc has them. -1: all numbers. */
static const struct lc_device_rule always[] = {
    {.allow = true, .type = 'c', .major = -1, .minor = -1, .mknod = true},
    {.allow = true, .type = 'b', .major = -1, .minor = -1, .mknod = true},
    {true, 'c', 1, 3, true, true, true},    /* null */
    {true, 'c', 1, 5, true, true, true},    /* zero */
    {true, 'c', 1, 7, true, true, true},    /* full */
    {true, 'c', 1, 8, true, true, true},    /* random */
    {true, 'c', 1, 9, true, true, true},    /* urandom */
    {true, 'c', 5, 0, true, true, true},    /* tty */
    {true, 'c', 5, 2, true, true, true},    /* ptmx */
    {true, 'c', 136, -1, true, true, true}, /* pts */
};

void lc_devices_allow_standard(struct lc_resources *resources, struct pool *pool)
{
    size_t n = resources->n_devices, more = sizeof(always) / sizeof(always[0]);

    if (n == 0) {
        return;
    }
    struct lc_device_rule *rules = pool_array(pool, n + more, sizeof(*rules));
    memcpy(rules, resources->devices, n * sizeof(*rules));
    memcpy(rules + n, always, sizeof(always));
    resources->devices = rules;
    resources->n_devices = n + more;
}

/* ---- making --------------------------------------------------------------------------------- */

static dev_t number_of(const struct lc_device *device)
{
    return makedev(device->major_number, device->minor_number);
}

/* The spec: what is there already is fine when it is what was asked for, and else an error. */
static int check_existing(int dir_fd, const char *name, const struct lc_device *device,
                          struct ct_error *err)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return ct_fail(err, errno, "look at what is there");
    }
    if ((st.st_mode & S_IFMT) != device->type ||
        (device->type != S_IFIFO && st.st_rdev != number_of(device))) {
        return ct_refuse(err, CT_EXISTS, "something else is there already");
    }
    return 0;
}

static int make_node(int dir_fd, const char *name, const struct lc_device *device,
                     struct ct_error *err)
{
    if (mknodat(dir_fd, name, device->type | device->mode, number_of(device)) < 0) {
        return errno == EEXIST ? check_existing(dir_fd, name, device, err)
                               : ct_fail(err, errno, "mknod");
    }
    if ((device->uid || device->gid) &&
        fchownat(dir_fd, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0) {
        return ct_fail(err, errno, "give it its owner");
    }
    return 0;
}

/* The host's device of the same path, if it is the one that is meant. */
static int bind_node(int dir_fd, const char *name, const struct lc_device *device,
                     struct ct_error *err)
{
    CT_AUTO_CLOSE int source =
        open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct stat st;

    if (source < 0 || fstat(source, &st) < 0) {
        return ct_fail(err, errno, "bind the host's");
    }
    if ((st.st_mode & S_IFMT) != device->type || st.st_rdev != number_of(device)) {
        return ct_refuse(err, CT_INVALID, "bind the host's: it is another device");
    }
    CT_AUTO_CLOSE int made =
        openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    CT_AUTO_CLOSE int target = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0) {
        return ct_fail(err, errno, "make a place for it");
    }
    return lc_mount_attach(source, target, err);
}

static int make_one(int root_fd, const struct lc_device *device, bool bind, struct ct_error *err)
{
    CT_AUTO_FREE char *parent = ct_strdup(device->path);
    char *name = strrchr(parent, '/');
    *name++ = '\0';
    CT_AUTO_CLOSE int dir = ct_root_mkdirs(root_fd, *parent ? parent : "/", 0755, 0, 0, err);

    if (dir < 0 || (bind && device->type != S_IFIFO ? bind_node(dir, name, device, err)
                                                    : make_node(dir, name, device, err)) < 0) {
        return ct_while(err, "make the device '%.100s'", device->path);
    }
    return 0;
}

static bool is_named(const char *path, const struct lc_device *devices, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(devices[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static int make_links(int root_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int dev = ct_root_mkdirs(root_fd, "/dev", 0755, 0, 0, err);

    if (dev < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST) {
            return ct_fail(err, errno, "make the link '/dev/%s'", links[i].name);
        }
    }
    return 0;
}

int lc_devices_make(int root_fd, const struct lc_device *devices, size_t n, bool bind,
                    struct ct_error *err)
{
    mode_t mask = umask(0); /* modes are meant as they stand */
    int result = 0;

    for (size_t i = 0; result == 0 && i < sizeof(standard) / sizeof(standard[0]); i++) {
        if (!is_named(standard[i].path, devices, n)) {
            result = make_one(root_fd, &standard[i], bind, err);
        }
    }
    for (size_t i = 0; result == 0 && i < n; i++) {
        result = make_one(root_fd, &devices[i], bind, err);
    }
    (void)umask(mask);
    return result < 0 ? -1 : make_links(root_fd, err);
}
