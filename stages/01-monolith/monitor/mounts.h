/*
 * mounts.h - the mounts of a container, and where exactly their mount points are.
 *
 * Room:       monitor.   Called by: spec.c.
 */
#ifndef MONITOR_MOUNTS_H
#define MONITOR_MOUNTS_H

#include "error.h"
#include "execdriver.h"
#include "pool.h"

struct container;

/*
 * mounts_build - the record's "Mounts", then hosts, hostname and resolv.conf (of the container, or
 * of the one whose network it joins), unless something of the user's is mounted there. Makes the
 * mount points that are missing, below rootfs_fd or in the volume that covers them. Each target
 * comes back with its symbolic links resolved as the container would resolve them, so that
 * whoever mounts meets none (CVE-2021-30465). *ret lives in the pool. 0 or -1.
 */
int mounts_build(const struct container *container, int rootfs_fd, struct pool *pool,
                 const struct exec_mount **ret, size_t *ret_n, struct ct_error *err);

#endif
