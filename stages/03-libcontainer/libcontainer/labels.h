/*
 * labels.h - AppArmor profiles and SELinux labels of what is executed next, and of keys.
 *
 * Room:       libcontainer. Called by: program.c (checks), setup.c (applying).
 * Man:        apparmor(7), selinux(8), proc(5) (attr/exec).
 */
#ifndef LC_LABELS_H
#define LC_LABELS_H

#include "error.h"

#include <stdbool.h>

bool lc_apparmor_is_on(void);
bool lc_selinux_is_on(void);

/* Refuses (CT_UNSUPPORTED) what this kernel cannot: a profile without AppArmor, a label without
 * SELinux. "" and NULL are nothing; "unconfined" is always fine. */
int lc_labels_check(const char *apparmor, const char *selinux, struct ct_error *err);
/*
 * From the next execve(2) on; keys that are made before it get the SELinux label, too, so call this
 * before the session keyring is made. procfs_fd: procfs.h. CT_NOT_FOUND: the profile is not in the
 * kernel. It does not look at /sys, which may be the container's by now.
 */
int lc_labels_apply(int procfs_fd, const char *apparmor, const char *selinux, struct ct_error *err);

#endif
