/*
 * rootfs.h - the container's root: from a folder of the host's to "/".
 *
 * Room:       libcontainer. Called by: init.c, in the new mount namespace.
 * Spec:       config.md, "Root"; config-linux.md, "Rootfs Mount Propagation".
 * Man:        pivot_root(2), mount_namespaces(7).
 */
#ifndef LC_ROOTFS_H
#define LC_ROOTFS_H

#include "error.h"

#include <stdbool.h>

/*
 * lc_rootfs_open - cuts the new mount namespace off from the host's (propagation: MS_… of
 * "linux.rootfsPropagation", 0: rslave), and mounts the root file system over itself, so that it is
 * a mount of its own. Returns its descriptor, owned.
 */
int lc_rootfs_open(const char *rootfs, long propagation, struct ct_error *err);

/* Makes root_fd "/" and forgets what was "/" before. no_pivot: moves it over "/" and chroot(2)s. */
int lc_rootfs_enter(int root_fd, bool no_pivot, struct ct_error *err);

/* Without a mount namespace of its own: chroot(2) alone. */
int lc_rootfs_chroot(const char *rootfs, struct ct_error *err);

/* After the last change: the propagation of "/" as asked for (0: private), and read-only. */
int lc_rootfs_finish(long propagation, bool readonly, struct ct_error *err);

#endif
