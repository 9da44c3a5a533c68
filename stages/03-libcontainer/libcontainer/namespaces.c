/*
 * namespaces.c - the eight kinds of namespaces: new ones by flag, existing ones by descriptor.
 *
 * Room:       libcontainer.   Called by: see namespaces.h.
 * Man:        namespaces(7), setns(2), ioctl_ns(2).
 */
#define CT_LAYER "namespaces"
#include "namespaces.h"

#include "fields.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static const struct {
    unsigned flag;
    const char *name; /* in a configuration */
    const char *file; /* in /proc/PID/ns */
} kinds[LC_NS_COUNT] = {
    [LC_NS_USER] = {CLONE_NEWUSER, "user", "user"},
    [LC_NS_IPC] = {CLONE_NEWIPC, "ipc", "ipc"},
    [LC_NS_UTS] = {CLONE_NEWUTS, "uts", "uts"},
    [LC_NS_NETWORK] = {CLONE_NEWNET, "network", "net"},
    [LC_NS_PID] = {CLONE_NEWPID, "pid", "pid"},
    [LC_NS_CGROUP] = {CLONE_NEWCGROUP, "cgroup", "cgroup"},
    [LC_NS_TIME] = {CLONE_NEWTIME, "time", "time"},
    [LC_NS_MOUNT] = {CLONE_NEWNS, "mount", "mnt"},
};

unsigned lc_namespace_flag(enum lc_namespace which)
{
    return kinds[which].flag;
}

const char *lc_namespace_name(enum lc_namespace which)
{
    return kinds[which].name;
}

const char *lc_namespace_file(enum lc_namespace which)
{
    return kinds[which].file;
}

bool lc_namespaces_has(const struct lc_namespaces *namespaces, enum lc_namespace which)
{
    return (namespaces->make & kinds[which].flag) || namespaces->path[which];
}

/* ---- the configuration ---------------------------------------------------------------------- */

/* Whether what st is of is the namespace of this kind that we are in ourselves. */
static bool is_our_own(const struct stat *st, enum lc_namespace which)
{
    char path[32];
    struct stat ours;

    (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[which].file);
    return stat(path, &ours) == 0 && st->st_ino == ours.st_ino && st->st_dev == ours.st_dev;
}

static int find_kind(const char *type)
{
    for (int i = 0; i < LC_NS_COUNT; i++) {
        if (strcmp(kinds[i].name, type) == 0) {
            return i;
        }
    }
    return -1;
}

static int parse_one(const json_t *entry, const char *where, struct lc_namespaces *ret,
                     struct ct_error *err)
{
    const char *type = NULL, *path = NULL;
    struct stat st;

    if (lc_field_is_object(entry, where, err) < 0 ||
        lc_field_string(entry, where, "type", &type, err) < 0 ||
        lc_field_string(entry, where, "path", &path, err) < 0) {
        return -1;
    }
    if (!type) {
        return lc_field_missing(where, "type", err);
    }
    int kind = find_kind(type);
    if (kind < 0) {
        return ct_refuse(err, CT_INVALID, "%s.type: there is no namespace '%.40s'", where, type);
    }
    if (lc_namespaces_has(ret, (enum lc_namespace)kind)) {
        return ct_refuse(err, CT_INVALID, "%s.type: '%s' is named twice", where, type);
    }
    if (!path || !*path) {
        ret->make |= kinds[kind].flag;
    } else if (*path != '/') {
        return ct_refuse(err, CT_INVALID, "%s.path: '%.100s' is not absolute", where, path);
    } else if (stat(path, &st) < 0 || !is_our_own(&st, (enum lc_namespace)kind)) {
        ret->path[kind] = path;
    } /* else it is shared with us, as if it were not named: nothing of it is the container's own */
    return 0;
}

int lc_namespaces_parse(const json_t *linux_section, struct lc_namespaces *ret,
                        struct ct_error *err)
{
    const json_t *array = NULL;
    char where[LC_WHERE];

    *ret = (struct lc_namespaces){0};
    if (lc_field_array(linux_section, "linux", "namespaces", &array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        (void)snprintf(where, sizeof(where), "linux.namespaces[%zu]", i);
        if (parse_one(json_array_get(array, i), where, ret, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- joining -------------------------------------------------------------------------------- */

/* The path is the caller's word; the kernel knows what stands there. */
static int open_checked(const char *path, enum lc_namespace which, struct ct_error *err)
{
    /* O_NONBLOCK: a FIFO in its place must not make us wait. */
    CT_AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return ct_fail(err, errno, "open the %s namespace '%s'", kinds[which].name, path);
    }
    int type = ioctl(fd, NS_GET_NSTYPE);
    if (type != (int)kinds[which].flag) {
        return ct_refuse(err, CT_INVALID, "join '%s': it is no %s namespace", path,
                         kinds[which].name);
    }
    return ct_steal_fd(&fd);
}

int lc_joins_open(const struct lc_namespaces *namespaces, struct lc_joins *ret,
                  struct ct_error *err)
{
    *ret = LC_JOINS_NONE;
    for (int i = 0; i < LC_NS_COUNT; i++) {
        if (!namespaces->path[i]) {
            continue;
        }
        ret->fd[i] = open_checked(namespaces->path[i], (enum lc_namespace)i, err);
        if (ret->fd[i] < 0) {
            lc_joins_close(ret);
            return -1;
        }
    }
    return 0;
}

int lc_joins_of_process(pid_t pid, struct lc_joins *ret, struct ct_error *err)
{
    char path[64];
    struct stat st;

    *ret = LC_JOINS_NONE;
    for (int i = 0; i < LC_NS_COUNT; i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i].file);
        ret->fd[i] = open_checked(path, (enum lc_namespace)i, err);
        if (ret->fd[i] < 0) {
            lc_joins_close(ret);
            return -1;
        }
        /* setns(2) into the user namespace that we are in already is EINVAL. */
        if (fstat(ret->fd[i], &st) == 0 && is_our_own(&st, (enum lc_namespace)i)) {
            ct_cleanup_close(&ret->fd[i]);
            ret->fd[i] = -1;
        }
    }
    return 0;
}

bool lc_joins_any(const struct lc_joins *joins)
{
    for (int i = 0; joins && i < LC_NS_COUNT; i++) {
        if (joins->fd[i] >= 0) {
            return true;
        }
    }
    return false;
}

void lc_joins_close(struct lc_joins *joins)
{
    for (int i = 0; i < LC_NS_COUNT; i++) {
        ct_cleanup_close(&joins->fd[i]);
    }
    *joins = LC_JOINS_NONE;
}

static int enter_one(int fd, enum lc_namespace which, struct ct_error *err)
{
    if (setns(fd, (int)kinds[which].flag) < 0) {
        return ct_fail(err, errno, "join the %s namespace", kinds[which].name);
    }
    return 0;
}

int lc_joins_enter(const struct lc_joins *joins, struct ct_error *err)
{
    bool done[LC_NS_COUNT] = {false};

    for (int i = 0; i < LC_NS_COUNT; i++) {
        done[i] = joins->fd[i] < 0 || i == LC_NS_CGROUP ||
                  (i != LC_NS_USER && setns(joins->fd[i], (int)kinds[i].flag) == 0);
    }
    for (int i = 0; i < LC_NS_COUNT; i++) {
        if (!done[i] && enter_one(joins->fd[i], (enum lc_namespace)i, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int lc_joins_enter_cgroup(const struct lc_joins *joins, struct ct_error *err)
{
    return joins->fd[LC_NS_CGROUP] < 0 ? 0 : enter_one(joins->fd[LC_NS_CGROUP], LC_NS_CGROUP, err);
}
