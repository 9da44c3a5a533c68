/*
 * cgroup_v2.c - cgroups version 2: switching controllers on, freezing, waiting for the end.
 *
 * Room:       libcontainer.   Called by: cgroups.c, cgroup_tree.c, cgroup_processes.c.
 * Man:        cgroups(7); kernel Documentation/admin-guide/cgroup-v2.rst.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- controllers ---------------------------------------------------------------------------- */

/* "cpu memory\n", of one group; NULL on failure. */
static char *controllers_of(struct lc_group *group, const char *path, struct ct_error *err)
{
    char *list = lc_group_read(group, path, "cgroup.controllers", err);

    if (list) {
        list[strcspn(list, "\n")] = '\0';
    }
    return list;
}

/* Why a limit will not be possible; told when one is asked for. */
static void remember(struct lc_cgroup *cgroup, const char *path, int failure)
{
    if (cgroup->why_not[0]) {
        return;
    }
    if (failure == EBUSY) {
        (void)snprintf(cgroup->why_not, sizeof(cgroup->why_not),
                       "group '/%.60s' has processes itself: move them, or give a "
                       "linux.cgroupsPath elsewhere",
                       path);
    } else {
        (void)snprintf(cgroup->why_not, sizeof(cgroup->why_not),
                       "cgroup.subtree_control of group '/%.50s' could not be changed: %.40s", path,
                       strerrordesc_np(failure));
    }
}

/*
 * The rule of v2 that people meet: a group with processes gives no controllers to those below; only
 * the root may, which has no type. Controllers that know threads (cpu, pids) the kernel would give,
 * but by making all of it threaded, and no process could enter what is below.
 */
static bool has_processes_itself(struct lc_group *group, const char *path)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *procs = lc_group_read(group, path, "cgroup.procs", &ignored);
    CT_AUTO_FREE char *type = lc_group_read(group, path, "cgroup.type", &ignored);

    return procs && *procs && type;
}

/* "+cpu +memory": what a group has and does not give to the groups below it. Owned; NULL: error. */
static char *not_given(struct lc_group *group, const char *path, struct ct_error *err)
{
    CT_AUTO_FREE char *available = controllers_of(group, path, err);
    CT_AUTO_FREE char *given = lc_group_read(group, path, "cgroup.subtree_control", err);
    char *missing = ct_strdup(""), *position = NULL;

    if (!available || !given) {
        free(missing);
        return NULL;
    }
    for (char *c = strtok_r(available, " ", &position); c; c = strtok_r(NULL, " ", &position)) {
        if (!lc_has_word(given, c, " \n")) {
            char *longer = ct_printf("%s%s+%s", missing, *missing ? " " : "", c);
            free(missing);
            missing = longer;
        }
    }
    return missing;
}

/*
 * The kernel takes all names of one write(2) or none: so they go one by one where together they
 * fail. That is no error here: a controller that is missing matters when a limit needs it.
 */
static int give_down(struct lc_cgroup *cgroup, struct lc_group *group, const char *path,
                     struct ct_error *err)
{
    CT_AUTO_FREE char *missing = not_given(group, path, err);
    struct ct_error failure = {0};
    char *position = NULL;

    if (!missing || !*missing) {
        return missing ? 0 : -1;
    }
    if (has_processes_itself(group, path)) {
        remember(cgroup, path, EBUSY);
        return 0;
    }
    if (lc_group_write(group, path, "cgroup.subtree_control", missing, &failure) == 0) {
        return 0;
    }
    for (char *c = strtok_r(missing, " ", &position); c; c = strtok_r(NULL, " ", &position)) {
        if (lc_group_write(group, path, "cgroup.subtree_control", c, &failure) < 0) {
            remember(cgroup, path, failure.sys);
        }
    }
    return 0;
}

/* Mostly all has been switched on long ago: then the first and the last group of the path have the
 * same controllers, and that is all that is read. */
int lc_v2_enable(struct lc_cgroup *cgroup, struct lc_group *group, struct ct_error *err)
{
    CT_AUTO_FREE char *at_top = controllers_of(group, "", err);
    CT_AUTO_FREE char *here = controllers_of(group, group->path, err);
    CT_AUTO_FREE char *path = ct_strdup(group->path);

    if (!at_top || !here) {
        return -1;
    }
    if (strcmp(at_top, here) == 0) {
        return 0;
    }
    if (give_down(cgroup, group, "", err) < 0) {
        return -1;
    }
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (give_down(cgroup, group, path, err) < 0) {
            return -1;
        }
        *slash = '/';
    }
    return 0;
}

/* ---- events --------------------------------------------------------------------------------- */

#define FREEZE_TIMEOUT_MS 10000

/*
 * Waits until cgroup.events has the line, "frozen 1"; the kernel wakes a poll(2) when the file has
 * changed since it was read. 1: it has; 0: time ran out; -1: the group is gone.
 */
static int wait_for(int events_fd, const char *line, int timeout_ms)
{
    int64_t deadline = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;

    for (;;) {
        char text[256] = "";
        if (pread(events_fd, text, sizeof(text) - 1, 0) < 0) {
            return -1;
        }
        if (strstr(text, line)) {
            return 1;
        }
        int64_t left_ms = (deadline - ct_monotonic_ns()) / 1000000;
        struct pollfd wait = {.fd = events_fd, .events = POLLPRI};
        if (left_ms <= 0 || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR)) {
            return 0;
        }
    }
}

int lc_v2_freeze(struct lc_group *group, bool frozen, struct ct_error *err)
{
    const char *path = group->path;
    CT_AUTO_CLOSE int fd = lc_group_open(group, path, "cgroup.events", O_RDONLY, err);

    if (fd < 0 || lc_group_write(group, path, "cgroup.freeze", frozen ? "1" : "0", err) < 0) {
        return -1;
    }
    /* Thawing waits for nobody: if it does not come, then from above. */
    int result = wait_for(fd, frozen ? "frozen 1" : "frozen 0", frozen ? FREEZE_TIMEOUT_MS : 1000);
    if (result > 0 || (result < 0 && !frozen)) {
        return 0;
    }
    if (result < 0) {
        return ct_refuse(err, CT_NOT_FOUND, "freeze group '/%.80s': it is gone", path);
    }
    if (!frozen) {
        return ct_refuse(err, CT_CONFLICT, "thaw group '/%.80s': one above it is frozen", path);
    }
    (void)lc_group_write(group, path, "cgroup.freeze", "0", err); /* as it was */
    (void)ct_refuse(err, CT_TIMEOUT, "freeze group '/%.80s': a process does not stop", path);
    return ct_hint(err, "it waits in the kernel: look for state D in ps");
}

bool lc_v2_is_frozen(struct lc_group *group)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *events = lc_group_read(group, group->path, "cgroup.events", &ignored);

    return events && strstr(events, "frozen 1");
}

int lc_v2_wait_empty(struct lc_group *group, int timeout_ms, struct ct_error *err)
{
    struct ct_error failure = {0};
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "cgroup.events", O_RDONLY, &failure);

    if (fd < 0) {
        *err = failure.kind == CT_NOT_FOUND ? *err : failure;
        return failure.kind == CT_NOT_FOUND ? 0 : -1;
    }
    return wait_for(fd, "populated 0", timeout_ms) != 0
               ? 0
               : ct_refuse(err, CT_TIMEOUT, "wait for the end of all processes in group '/%.80s'",
                           group->path);
}
