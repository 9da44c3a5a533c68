/*
 * cgroup_tree.c - making and removing control groups, which are directories.
 *
 * Room:       libcontainer.   Called by: cgroups.c, and cgroups.h (removing).
 * Man:        cgroups(7): rmdir(2) removes a group with its files when it has neither processes nor
 *             groups below (EBUSY).
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RACE_TRIES 16 /* somebody else may remove a group above while we make one in it */

/* ---- making --------------------------------------------------------------------------------- */

/* Removes the last component of path, and so on, as many as were made. Somebody else may use them
 * by now: then they stay. path is cut up. */
static void remove_made(struct lc_group *group, char *path)
{
    for (; group->made > 0; group->made--) {
        (void)unlinkat(group->mount_fd, path, AT_REMOVEDIR);
        char *slash = strrchr(path, '/');
        path[slash ? slash - path : 0] = '\0';
    }
}

void lc_group_unmake(struct lc_group *group)
{
    CT_AUTO_FREE char *path = ct_strdup(group->path);

    remove_made(group, path);
}

/* mkdir -p; counts in group->made what was made, which is always the end of the path. All or
 * nothing. */
static int make_path(struct lc_group *group)
{
    CT_AUTO_FREE char *path = ct_strdup(group->path);
    char *end = path + strlen(path), *slash = path;
    int result = 0;

    group->made = 0;
    do {
        slash = strchr(slash + 1, '/');
        *(slash ? slash : end) = '\0';
        result = mkdirat(group->mount_fd, path, 0755);
        if (result < 0 && (errno != EEXIST || !slash)) {
            int failure = errno;
            char *above = strrchr(path, '/');
            path[above ? above - path : 0] = '\0';
            remove_made(group, path);
            errno = failure;
            return -1;
        }
        group->made = result == 0 ? group->made + 1 : 0;
        *(slash ? slash : end) = slash ? '/' : '\0';
    } while (slash);
    return 0;
}

/* Nearly always the groups above are there: one mkdir(2). */
static int make(struct lc_group *group)
{
    for (int i = 0; i < RACE_TRIES; i++) {
        if (mkdirat(group->mount_fd, group->path, 0755) == 0) {
            group->made = 1;
            return 0;
        }
        if (errno != ENOENT || make_path(group) == 0) {
            return group->made > 0 ? 0 : -1;
        }
    }
    return -1;
}

/* One that is there is taken when it is empty, as runc does: it may have been prepared for us. */
static int take_existing(struct lc_group *group, struct ct_error *err)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    CT_AUTO_FREE char *events = NULL;
    uint64_t populated = 0;
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, err);
    ssize_t n = fd < 0 ? -1 : lc_group_pids(group, &pids, err);

    if (n < 0) {
        return -1;
    }
    if (group->v2) { /* which counts those, too, that our PID namespace cannot see */
        events = lc_group_read(group, group->path, "cgroup.events", err);
        if (!events) {
            return -1;
        }
        (void)lc_text_number(events, "populated", &populated);
    }
    if (n > 0 || populated) {
        (void)ct_refuse(err, CT_EXISTS, "make group '/%.80s': it is there and has processes",
                        group->path);
        return ct_hint(err, "end them, or give another linux.cgroupsPath");
    }
    return 0;
}

int lc_group_make(struct lc_group *group, struct ct_error *err)
{
    if (lc_group_mount(group, err) < 0) {
        return -1;
    }
    if (make(group) == 0) {
        return 0;
    }
    if (errno == EEXIST) {
        return take_existing(group, err);
    }
    (void)ct_fail(err, errno, "make group '%.50s/%.80s'", group->mount_point, group->path);
    if (err->sys == EROFS) {
        (void)ct_hint(err, "control groups are mounted read-only here: mount them rw");
    } else if (err->sys == EAGAIN) {
        (void)ct_hint(err, "raise cgroup.max.descendants or cgroup.max.depth of a group above");
    }
    return -1;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* The name of a group below, whatever characters it has and however long it is: this file system
 * does not hold itself to NAME_MAX. Owned; NULL: there is none. */
static char *first_child(int dir_fd)
{
    struct stat st;

    /* A directory has one link for each directory in it, and two more. */
    if (fstat(dir_fd, &st) < 0 || st.st_nlink <= 2) {
        return NULL;
    }
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        ct_cleanup_close(&copy);
        return NULL;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            return ct_strdup(e->d_name);
        }
    }
    return NULL;
}

static int step_into(int *dir_fd, const char *name)
{
    int next = openat(*dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (next < 0) {
        return -1;
    }
    (void)close(*dir_fd);
    *dir_fd = next;
    return 0;
}

/*
 * Removes all groups below one. A container that may make groups can nest them as deep as it likes,
 * so this neither recurses nor holds a descriptor a level: it walks, down where something is left
 * and up by "..".
 */
static int remove_below(int top_fd)
{
    CT_AUTO_CLOSE int dir_fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool just_entered = false;

    for (size_t depth = 0;;) {
        CT_AUTO_FREE char *child = first_child(dir_fd);
        if (!child && just_entered) {
            errno = EBUSY; /* nothing below it: it was for its processes */
            return -1;
        }
        if (!child && depth == 0) {
            return 0;
        }
        just_entered = false;
        if (!child) {
            depth--;
            if (step_into(&dir_fd, "..") < 0) {
                return -1;
            }
        } else if (unlinkat(dir_fd, child, AT_REMOVEDIR) < 0 && errno != ENOENT) {
            if (errno != EBUSY || step_into(&dir_fd, child) < 0) {
                return -1;
            }
            depth++;
            just_entered = true;
        }
    }
}

int lc_group_remove(struct lc_group *group)
{
    struct ct_error failure = {0};

    if (lc_group_mount(group, &failure) < 0) {
        errno = failure.sys;
        return failure.kind == CT_NOT_FOUND ? 0 : -1;
    }
    if (unlinkat(group->mount_fd, group->path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EBUSY) {
        return -1;
    }
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, &failure);
    if (fd < 0) {
        errno = failure.sys;
        return errno == ENOENT ? 0 : -1;
    }
    if (remove_below(fd) < 0) {
        return -1;
    }
    return unlinkat(group->mount_fd, group->path, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

/* ---- removing all that a container has --------------------------------------------------------
 */

#define REMOVE_TIMEOUT_MS 10000

/* A process of this one group; on hybrid somebody may have moved it out of the others. 0: none. */
static pid_t kill_in(struct lc_group *group)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    struct ct_error ignored = {0};
    ssize_t n = lc_group_pids(group, &pids, &ignored);

    for (ssize_t i = 0; i < n; i++) {
        (void)kill(pids[i], SIGKILL); /* it may have ended */
    }
    return n > 0 ? pids[0] : 0;
}

/* What was killed still counts for a moment, and v1 has no event for its end. */
static int remove_group(struct lc_group *group, int64_t deadline_ns, struct ct_error *err)
{
    pid_t left = 0;

    for (unsigned round = 0;; round++) {
        if (lc_group_remove(group) == 0) {
            return 0;
        }
        if (errno != EBUSY || ct_monotonic_ns() > deadline_ns) {
            break;
        }
        left = kill_in(group);
        lc_group_pause(round);
    }
    (void)ct_fail(err, errno, "remove group '%.50s/%.80s'", group->mount_point, group->path);
    return left ? ct_hint(err, "process %d does not end: it waits in the kernel", (int)left) : -1;
}

int lc_cgroup_remove(struct lc_cgroup *cgroup, struct ct_error *err)
{
    struct lc_group *unified = lc_cgroup_unified(cgroup);
    int64_t deadline_ns = ct_monotonic_ns() + INT64_C(1000000) * REMOVE_TIMEOUT_MS;
    struct ct_error first = {0};
    bool all = true;

    for (size_t i = 0; i < cgroup->n; i++) { /* mostly they are empty: one rmdir(2) each */
        all = lc_group_remove(&cgroup->groups[i]) == 0 && all;
    }
    if (all) {
        return 0;
    }
    if (lc_cgroup_kill(cgroup, err) < 0 ||
        (unified && lc_v2_wait_empty(unified, REMOVE_TIMEOUT_MS, err) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < cgroup->n; i++) {
        struct ct_error failure = {0};
        if (remove_group(&cgroup->groups[i], deadline_ns, &failure) < 0 && first.kind == CT_NONE) {
            first = failure;
        }
    }
    if (first.kind != CT_NONE) {
        *err = first;
        return -1;
    }
    return 0;
}
