/*
 * cgroups.h - a container's control groups, whichever layout the machine has.
 *
 * Room:       libcontainer. Called by: create.c, exec.c, control.c, delete.c; mount_cgroups.c asks
 *             for the layout.
 * Behind it:  cgroups.c (this door) and the files that cgroups_internal.h lists.
 * Spec:       config-linux.md, "Control groups", "Cgroups path".
 * Man:        cgroups(7); kernel Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/.
 *
 * Three layouts: v1 (one hierarchy a set of controllers), hybrid (v1, and a v2 hierarchy without
 * controllers beside it), v2. On v1 and hybrid a container has a group in every v1 hierarchy, and
 * in the v2 one too, for cgroup.kill and cgroup.freeze. What is written goes through descriptors of
 * the groups; a hierarchy is what statfs(2) says (CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC).
 */
#ifndef LC_CGROUPS_H
#define LC_CGROUPS_H

#include "linux_resources.h"

#include <sys/types.h>

struct lc_cgroup; /* opaque */

enum lc_cgroup_layout { LC_CGROUP_V1, LC_CGROUP_HYBRID, LC_CGROUP_V2 };
/* Looked up once; CT_UNSUPPORTED when no cgroups are mounted. */
int lc_cgroup_layout(enum lc_cgroup_layout *ret, struct ct_error *err);

/*
 * lc_cgroup_new - decides where the groups will stand; changes nothing. path: linux.cgroupsPath: an
 * absolute one from the root of each hierarchy; a relative one below the caller's own group, on v2
 * beside it (one that has processes can give no controllers to those below); NULL: /ID at the top.
 * ".." is CT_INVALID. rootless: where the caller may not make groups, the container goes without
 * (limits are then refused by name; rules of devices, which every configuration has, are not).
 */
struct lc_cgroup *lc_cgroup_new(const char *path, const char *id, bool rootless,
                                struct ct_error *err);
/* The groups that a process stands in, whoever made them: for a caller that has another runtime.
 * CT_NOT_FOUND: it has ended. */
struct lc_cgroup *lc_cgroup_of_process(pid_t pid, struct ct_error *err);
/* As a document in state.json, and back (no group needs to be there any more). */
json_t *lc_cgroup_save(const struct lc_cgroup *cgroup);
struct lc_cgroup *lc_cgroup_load(const json_t *saved, struct ct_error *err);
void lc_cgroup_free(struct lc_cgroup *cgroup);

/* Makes the groups. A leaf that is there already and has processes: CT_EXISTS; an empty one is
 * taken. v2: controllers are switched on along the way (cgroup.subtree_control); one that cannot be
 * is an error when a limit needs it. On failure nothing is left. */
int lc_cgroup_create(struct lc_cgroup *cgroup, struct ct_error *err);
/*
 * lc_cgroup_set - writes the limits that resources sets; the device rules too. What they do not
 * name stays. What layout or kernel cannot is CT_UNSUPPORTED by name: of memory kernel,
 * useHierarchy false; on v2 kernelTCP, swappiness, disableOOMKiller, realtime, leafWeight, network;
 * on v1 holes in device rules. unified on v1: CT_INVALID. Memory below what is in use: CT_CONFLICT
 * (on v2 with checkBeforeUpdate; else the kernel makes room by killing).
 */
int lc_cgroup_set(struct lc_cgroup *cgroup, const struct lc_resources *resources,
                  struct ct_error *err);

/*
 * How a process gets in. Moving one that runs makes the kernel wait for all processors (a grace
 * period of RCU: 1 to 15 ms); being born inside and entering by oneself does not. So a new process
 * is born in lc_cgroup_fd() and calls lc_cgroup_enter_self() first.
 */
/* v2 and hybrid: a descriptor for CLONE_INTO_CGROUP, borrowed; -1: there is no such group. */
int lc_cgroup_fd(const struct lc_cgroup *cgroup);
/* Opens what the next one needs, while paths are the host's. */
int lc_cgroup_open(struct lc_cgroup *cgroup, struct ct_error *err);
/* Enters the v1 groups; by a process that has one thread and was born in lc_cgroup_fd(), if that is
 * not -1. Before it changes its user: the files are opened with its rights. */
int lc_cgroup_enter_self(struct lc_cgroup *cgroup, struct ct_error *err);
/* Puts any process into all groups. sub: a group below, for exec; NULL: the container's own.
 * CT_NOT_FOUND: no such group or process. */
int lc_cgroup_enter(struct lc_cgroup *cgroup, pid_t pid, const char *sub, struct ct_error *err);
/*
 * lc_cgroup_sub_of - where in the container's group a process of it stands: "", or a group below
 * that it made ("init.scope"). v2: when the container gave controllers to groups below its own, no
 * process can enter that any more (EBUSY); exec then goes where the container's first one is. ""
 * on the others. Owned; NULL with CT_NOT_FOUND.
 */
char *lc_cgroup_sub_of(const struct lc_cgroup *cgroup, pid_t pid, struct ct_error *err);
/* v2: gives the group to a user, so that the container can make groups in it ("Cgroup ownership":
 * with a cgroup namespace of its own and cgroups mounted rw). On the others nothing is done. */
int lc_cgroup_delegate(struct lc_cgroup *cgroup, uid_t uid, struct ct_error *err);

/* Freezes or thaws, and waits until it is so (v1: it may take several tries). CT_TIMEOUT after ten
 * seconds, thawed; CT_CONFLICT: a group above is frozen. */
int lc_cgroup_freeze(struct lc_cgroup *cgroup, bool frozen, struct ct_error *err);
bool lc_cgroup_is_frozen(const struct lc_cgroup *cgroup);

/* Kills all in it: cgroup.kill, which does not wait for their end; else each process, until there
 * is none. Frozen ones die too. */
int lc_cgroup_kill(struct lc_cgroup *cgroup, struct ct_error *err);
int lc_cgroup_signal(struct lc_cgroup *cgroup, int signal_number, struct ct_error *err);
/* Of the groups and all below. Owned array; their number or -1. A group that is gone: 0. */
ssize_t lc_cgroup_pids(const struct lc_cgroup *cgroup, pid_t **ret, struct ct_error *err);

/* runc's figures ("cpu", "cpuset", "pids", "memory", "blkio", "hugetlb", and "rdma" where there is
 * such a device). Owned. CT_NOT_FOUND: the groups are gone. */
json_t *lc_cgroup_stats(const struct lc_cgroup *cgroup, struct ct_error *err);
/* oom_kill of memory.events or memory.oom_control; 0 when unknown. */
uint64_t lc_cgroup_oom_kills(const struct lc_cgroup *cgroup);

/*
 * lc_cgroup_watch_oom - a descriptor, owned, that turns readable when memory ran out or the group
 * goes: then lc_cgroup_oom_kills() is looked at (v1 tells before it kills). ct_watch_drain()
 * empties it. CT_UNSUPPORTED: memory is not controlled here.
 */
int lc_cgroup_watch_oom(const struct lc_cgroup *cgroup, struct ct_error *err);

/* Kills what is left, waits for its end (ten seconds) and removes the groups, and those below that
 * the container made. Groups that are gone are no error. */
int lc_cgroup_remove(struct lc_cgroup *cgroup, struct ct_error *err);

/* For mounts of type cgroup: the controllers' hierarchies ("/sys/fs/cgroup/memory", the container's
 * path in it), one after the other. False: no more. */
bool lc_cgroup_hierarchy(const struct lc_cgroup *cgroup, size_t index, const char **ret_mount_point,
                         const char **ret_path);

#endif
