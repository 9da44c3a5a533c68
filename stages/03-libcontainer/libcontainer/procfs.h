/*
 * procfs.h - /proc files that are what they seem.
 *
 * Room:       libcontainer. Called by: labels.c, sysctl.c, scheduling.c, program.c, idmap.c.
 *
 * A container can mount, or have a friend mount, something else over /proc or over a file in it,
 * and what we write would go there (CVE-2019-19921, CVE-2023-27561, CVE-2025-52881). So the root
 * of a procfs comes from fsopen(2): nobody else can reach that instance, nothing can be mounted
 * over it. Where that is not allowed, /proc itself must be one, and no mount inside it is crossed.
 */
#ifndef LC_PROCFS_H
#define LC_PROCFS_H

#include "error.h"

#include <sys/types.h>

/* The root of a procfs of our PID namespace, owned. Keep it for all that is to be written: closing
 * it is dearer than opening. CT_DENIED: what stands at /proc is none, and we may not mount one. */
int lc_procfs_open(struct ct_error *err);

/*
 * Opens "self/attr/exec" or "sys/net/ipv4/ip_forward" below it. CT_NOT_FOUND: this kernel has no
 * such file. CT_DENIED: a mount or a link that procfs does not have itself is on the way. So what
 * is a magic link ("self/ns/user") cannot be opened by this; its directory can.
 */
int lc_procfs_openat(int procfs_fd, const char *path, int flags, struct ct_error *err);

/* Writes text in one write(2), as these files want it. */
int lc_procfs_write(int procfs_fd, const char *path, const char *text, struct ct_error *err);

#endif
