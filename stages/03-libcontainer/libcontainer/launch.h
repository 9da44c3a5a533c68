/*
 * launch.h - a process in namespaces: new ones by clone(2), existing ones by setns(2).
 *
 * Room:       libcontainer. Called by: create.c (a container's first process), exec.c (one more).
 * Man:        clone(2) (clone3, CLONE_PARENT, CLONE_INTO_CGROUP), setns(2), time_namespaces(7).
 *
 * New namespaces alone are one clone3(2). Where some are joined, a process between joins them first
 * (the caller must not leave its own), and makes the child as a sibling of itself (CLONE_PARENT):
 * either way the new process is the caller's child.
 */
#ifndef LC_LAUNCH_H
#define LC_LAUNCH_H

#include "namespaces.h"

struct lc_launch {
    unsigned make;                /* CLONE_NEW… */
    const struct lc_joins *joins; /* or NULL */
    int cgroup_fd;                /* cgroup v2: where it is born; -1: in the caller's */
    const json_t *time_offsets;   /* of a new time namespace, or NULL */
    void (*child)(void *context); /* must not return */
    void *context;
};

/* Returns 0 with the process in *ret_pid and *ret_pidfd (owned), or -1: then there is none. */
int lc_launch(const struct lc_launch *launch, pid_t *ret_pid, int *ret_pidfd, struct ct_error *err);

#endif
