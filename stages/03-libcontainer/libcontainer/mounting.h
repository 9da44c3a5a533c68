/*
 * mounting.h - "mounts": what is mounted in the container, one entry after the other.
 *
 * Room:       libcontainer. Called by: configuration.c (parsing), create.c (sources), rootfs.c
 *             (mounting); mount_options.c knows the words.
 * Spec:       config.md, "Mounts"; config-linux.md, "Default Filesystems".
 * Man:        fsopen(2), open_tree(2), move_mount(2), mount_setattr(2).
 *
 * A mount is made first, detached, and then moved to its place, which is a descriptor: nothing that
 * an image or another container does to a path in between leads it elsewhere (CVE-2021-30465,
 * CVE-2019-16884).
 */
#ifndef LC_MOUNTING_H
#define LC_MOUNTING_H

#include "idmap.h"

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct lc_cgroup;

/* What words like "ro" and "rshared" mean, in the terms of mount_setattr(2). */
struct lc_mount_attributes {
    uint64_t set, clear;         /* MOUNT_ATTR_… of this mount */
    uint64_t set_all, clear_all; /* the same of it and all below: "rro" and friends */
    long propagation;            /* MS_SHARED … (| MS_REC); 0: as it is */
    bool bind, recursive;        /* "bind", "rbind" */
    bool copy_up;                /* "tmpcopyup" */
    bool idmap, idmap_all;       /* "idmap", "ridmap" */
    const char *const *data;     /* what the file system itself is told, "size=64m" */
    size_t n_data;
};

/* Words of mount(8); those that are not known go to the file system. CT_INVALID: "move", "remount".
 */
int lc_mount_options_parse(const char *const *options, const char *where, struct pool *pool,
                           struct lc_mount_attributes *ret, struct ct_error *err);
/* "shared" … "runbindable" -> MS_SHARED … (| MS_REC); -1: it is none. */
long lc_propagation_of(const char *word);
/* All words, for features. Owned array. */
json_t *lc_mount_option_names(void);

struct lc_mount {
    const char *destination; /* absolute */
    const char *type;        /* "bind" for binds, "cgroup", "proc", … */
    const char *source;      /* absolute for binds */
    struct lc_mount_attributes attributes;
    struct lc_idmap idmap; /* of an idmapped mount; empty: the container's own */
};

/* "mounts" (may be NULL). Relative sources of binds start at bundle. */
int lc_mounts_parse(const json_t *mounts, const char *bundle, struct pool *pool,
                    struct lc_mount **ret, size_t *ret_n, struct ct_error *err);

/*
 * lc_mount_open_source - the tree of a bind, detached, idmapped where wanted. The runtime does this
 * for a container with users of its own: inside, the source could be out of reach. Owned.
 * container_map: for "idmap" without a map of its own.
 */
int lc_mount_open_source(const struct lc_mount *mount, const struct lc_idmap *container_map,
                         struct ct_error *err);

/* What a mount needs to know of its container. */
struct lc_mount_place {
    int root_fd; /* the new root, attached */
    const struct lc_cgroup *cgroup;
    bool cgroup_namespace;
    const char *label; /* linux.mountLabel, for SELinux; or NULL */
};

/* lc_mount_make - makes one, from source_fd where that is not -1. The target is made if it is
 * missing: a folder, or a file for the bind of one. */
int lc_mount_make(const struct lc_mount *mount, const struct lc_mount_place *place, int source_fd,
                  struct ct_error *err);

/* mount_cgroups.c: the type "cgroup", which is one mount on v2, and a folder of mounts on v1. */
int lc_mount_cgroups(const struct lc_mount *mount, const struct lc_mount_place *place,
                     struct ct_error *err);

/*
 * mount_place.c: lc_mount_target - an O_PATH descriptor of where the mount goes, owned; what is
 * missing is made, a folder for a folder and a file for anything else. CT_INVALID: it is inside
 * /proc (CVE-2019-16884), or /proc is to be no procfs, or a procfs or sysfs would stand behind a
 * link (CVE-2023-27561).
 */
int lc_mount_target(const struct lc_mount *mount, int root_fd, int mount_fd, bool *ret_existed,
                    struct ct_error *err);

/* A new file system, detached: fsopen, fsconfig, fsmount. An error has the kernel's own words. */
int lc_filesystem_make(const char *type, const char *source, const char *const *data, size_t n_data,
                       uint64_t attributes, struct ct_error *err);
/* Moves a detached mount on the target. */
int lc_mount_attach(int mount_fd, int target_fd, struct ct_error *err);

#endif
