/*
 * cgroup_files.h - what the two files of the cgroup room share: where a file of a group stands.
 *
 * Room:       execdriver/lxc. Called by: cgroup.c, cgroup_stats.c, and nobody else.
 */
#ifndef LXC_CGROUP_FILES_H
#define LXC_CGROUP_FILES_H

#include "cgroup.h"

/* The hierarchy that has the controller; NULL when none has. Borrowed. */
const struct cgroup_hierarchy *cgroup_find(const struct cgroup *cgroup, const char *controller);

/* The v2 hierarchy, with or without controllers; NULL when there is none. Borrowed. */
const struct cgroup_hierarchy *cgroup_unified(const struct cgroup *cgroup);

/* Path of a file in the container's group; "" is the group itself. Owned. */
char *cgroup_path(const struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy,
                  const char *file);

#endif
