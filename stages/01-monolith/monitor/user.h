/*
 * user.h - who a container's program runs as: from "name:group" to numbers, by the container's own
 * files.
 *
 * Room:       monitor.   Called by: spec.c.
 * Spec:       OCI image-spec, config.md "User"; passwd(5), group(5).
 */
#ifndef MONITOR_USER_H
#define MONITOR_USER_H

#include "error.h"

#include <jansson.h>
#include <sys/types.h>

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* owned; the primary group is the first */
    size_t n_groups;
    char *home; /* owned; "/" when nobody says */
};

/*
 * user_check - the form only: "", "user", "uid", "user:group", … CT_INVALID for numbers above
 * 2^31-1 (CVE-2024-40635: 2^32 wrapped round to root), control characters, more than one ':'.
 */
int user_check(const char *text, struct ct_error *err);

/*
 * user_resolve - looks text (as Config.User) and the names or numbers of group_add (an array, or
 * NULL) up in /etc/passwd and /etc/group below rootfs_fd. These files are the container's, so
 * they are hostile: opened through lib/path.h, regular files only, 16 MiB at most, bad lines
 * skipped. A number needs no entry. A name without one is CT_CANNOT_RUN (exit code 126): "unable
 * to find user x: no matching entries in passwd file".
 */
int user_resolve(int rootfs_fd, const char *text, const json_t *group_add, struct user *ret,
                 struct ct_error *err);
void user_done(struct user *user);

#endif
