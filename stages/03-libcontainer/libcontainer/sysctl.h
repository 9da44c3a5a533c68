/*
 * sysctl.h - kernel parameters of the container's own namespaces.
 *
 * Room:       libcontainer. Called by: configuration.c (checks), init.c (writing).
 * Spec:       config-linux.md, "Sysctl".
 * Man:        sysctl(8), proc(5).
 */
#ifndef LC_SYSCTL_H
#define LC_SYSCTL_H

#include "error.h"
#include "namespaces.h"

#include <jansson.h>

/* "linux.sysctl": only what belongs to a namespace that the container has, not shared with the
 * host: net.* (network), kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.* (ipc),
 * kernel.domainname (uts). Others are CT_INVALID: they would change the host. Both "a.b" and "a/b"
 * are taken. */
int lc_sysctl_check(const json_t *sysctl, const struct lc_namespaces *namespaces,
                    struct ct_error *err);
int lc_sysctl_apply(const json_t *sysctl, int procfs_fd, struct ct_error *err);

#endif
