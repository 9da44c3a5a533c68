/*
 * configuration.h - config.json, read and checked as a whole before anything is done.
 *
 * Room:       libcontainer. Called by: create.c, start.c, exec.c, delete.c.
 * Spec:       config.md, config-linux.md.
 */
#ifndef LC_CONFIGURATION_H
#define LC_CONFIGURATION_H

#include "devices.h"
#include "hooks.h"
#include "idmap.h"
#include "linux_resources.h"
#include "mounting.h"
#include "namespaces.h"
#include "netdev.h"
#include "program.h"

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct lc_configuration {
    json_t *document; /* owned; all strings are its own */
    struct pool pool;

    const char *rootfs; /* absolute */
    bool rootfs_readonly;
    long rootfs_propagation; /* MS_…, 0: none given */
    const char *hostname, *domainname;
    struct lc_program program;
    struct lc_mount *mounts;
    size_t n_mounts;
    struct lc_hooks hooks;

    struct lc_namespaces namespaces;
    struct lc_idmap idmap; /* of a new user namespace */
    const struct lc_device *devices;
    size_t n_devices;
    struct lc_resources resources;
    const char *cgroups_path; /* or NULL */
    const json_t *sysctl, *seccomp, *time_offsets;
    const char *const *masked_paths, *const *readonly_paths; /* or NULL */
    const char *mount_label;
    uint32_t personality;
    const struct lc_netdev *netdevs;
    size_t n_netdevs;
};

/* The document of BUNDLE/config.json. Owned. CT_NOT_FOUND, CT_INVALID. */
json_t *lc_configuration_read(const char *bundle, struct ct_error *err);

/*
 * lc_configuration_parse - takes document apart (a reference is taken). CT_INVALID names the field
 * that is wrong; CT_UNSUPPORTED the one that is not honoured. On failure *ret holds nothing.
 */
int lc_configuration_parse(const json_t *document, const char *bundle, struct lc_configuration *ret,
                           struct ct_error *err);
void lc_configuration_done(struct lc_configuration *configuration);

#endif
