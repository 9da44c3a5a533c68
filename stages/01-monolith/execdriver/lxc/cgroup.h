/*
 * cgroup.h - a container's control groups: finding, reading, writing, freezing, emptying, removing.
 *
 * Room:       execdriver/lxc. Called by: config.c, job.c, control.c, adopt.c.
 * Spec:       cgroups(7); Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
 *
 * LXC makes the groups and puts its processes in; our configuration says where:
 *
 *     cutaway-ID/job         the container; limits are set here
 *     cutaway-ID/lxc         lxc-start itself
 *     cutaway-ID/lxc.pivot   where lxc-start moves to when it removes the two above
 *
 * below the group of PID 1, as LXC leaves the group of its caller. The third stays behind (LXC
 * cannot remove the group it sits in), and so does cutaway-ID: cgroup_remove() takes them away.
 *
 * A machine has one hierarchy for everything (v2), one for each controller (v1), or both (hybrid:
 * v1 for limits and a v2 without controllers). So each controller is looked for in both, and what
 * v2 can do without any controller (list, freeze, kill) is done there whenever there is a v2.
 */
#ifndef LXC_CGROUP_H
#define LXC_CGROUP_H

#include "error.h"
#include "execdriver.h"
#include "resources.h"

#include <stdbool.h>
#include <sys/types.h>

#define CGROUP_HIERARCHIES_MAX 24

struct cgroup {
    char *name; /* "cutaway-ID" */
    size_t n;
    struct cgroup_hierarchy {
        char *base;        /* "/sys/fs/cgroup/memory": where name stands; owned */
        char *controllers; /* ",cpu,cpuacct,"; owned */
        bool v2;
    } hierarchies[CGROUP_HIERARCHIES_MAX];
};

/* Looks at the machine's hierarchies. Nothing of the container needs to be there yet. */
int cgroup_init(struct cgroup *ret, const char *id, struct ct_error *err);
void cgroup_done(struct cgroup *cgroup);

/* True when controller is there; *ret_v2: in which notation. */
bool cgroup_has(const struct cgroup *cgroup, const char *controller, bool *ret_v2);

/* False: v1 without swap accounting, so that a limit of memory plus swap has no file. */
bool cgroup_counts_swap(const struct cgroup *cgroup);

int cgroup_apply(const struct cgroup *cgroup, const struct limit_setting *settings, size_t n,
                 struct ct_error *err);

int cgroup_freeze(const struct cgroup *cgroup, bool freeze, int timeout_ms, struct ct_error *err);

/* Host pids in the group and the groups below it. Owned. Returns their number or -1. */
ssize_t cgroup_pids(const struct cgroup *cgroup, pid_t **ret, struct ct_error *err);

/* SIGKILL to all of them, also to those that are made meanwhile. CT_NOT_FOUND: no such group. */
int cgroup_kill(const struct cgroup *cgroup, struct ct_error *err);

int cgroup_stats(const struct cgroup *cgroup, struct exec_stats *ret, struct ct_error *err);

/*
 * The kernel's out-of-memory killer. v2 counts for a group and all below it, also those that are
 * gone. v1 forgets its counter with the group, which LXC removes at once when the container ends:
 * there an eventfd that outlives it is registered, for a group that has a limit.
 */
struct cgroup_oom {
    int events; /* counts once for each time that memory ran out, and once for the removal; or -1 */
    int guard;  /* counts for the removal only */
};
#define CGROUP_OOM_NONE ((struct cgroup_oom){-1, -1})

/* Begins to watch if that is needed and not done yet. */
void cgroup_oom_watch(const struct cgroup *cgroup, struct cgroup_oom *oom);
bool cgroup_oom_killed(const struct cgroup *cgroup, const struct cgroup_oom *oom);
void cgroup_oom_done(struct cgroup_oom *oom);

/* Removes what is left. Waits up to a second for killed processes to leave. */
int cgroup_remove(const struct cgroup *cgroup, struct ct_error *err);

#endif
