/*
 * idmap.h - users and groups of a user namespace.
 *
 * Room:       libcontainer. Called by: configuration.c, create.c, mounts.c (idmapped mounts).
 * Spec:       config-linux.md, "User namespace mappings".
 * Man:        user_namespaces(7), newuidmap(1).
 */
#ifndef LC_IDMAP_H
#define LC_IDMAP_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lc_id_range {
    uint32_t container, host, size;
};
struct lc_idmap {
    const struct lc_id_range *uids, *gids;
    size_t n_uids, n_gids;
};

/* object.uidMappings and object.gidMappings: both or neither. CT_INVALID: more than 340 entries,
 * ranges that are empty, overlap or wrap, numbers of 2^32 and over (CVE-2024-40635). */
int lc_idmap_parse(const json_t *object, const char *where, struct pool *pool, struct lc_idmap *ret,
                   struct ct_error *err);

/*
 * lc_idmap_write - maps the user namespace of process pid, which must be dumpable
 * (PR_SET_DUMPABLE) when we are not root: else its files in /proc are root's. Without the right to
 * map freely it is one line of our own id, or newuidmap(1) and newgidmap(1) by what /etc/subuid
 * allows; setgroups(2) is then denied where the kernel asks for that. CT_DENIED: it is not allowed
 * (with newuidmap's reason); CT_NO_PROGRAM: that is not installed; CT_SYSTEM: the kernel takes no
 * map as long as that.
 */
int lc_idmap_write(pid_t pid, const struct lc_idmap *map, struct ct_error *err);

/* A descriptor (owned) of a new user namespace with this map, for MOUNT_ATTR_IDMAP. */
int lc_idmap_userns(const struct lc_idmap *map, struct ct_error *err);

/* The host's id of a container's; -1 (as an id: none) when it is not mapped. An empty map is the
 * host's own. */
uid_t lc_idmap_host_uid(const struct lc_idmap *map, uid_t uid);
gid_t lc_idmap_host_gid(const struct lc_idmap *map, gid_t gid);

#endif
