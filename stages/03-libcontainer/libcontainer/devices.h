/*
 * devices.h - device files: those that every container has, and those of "linux.devices".
 *
 * Room:       libcontainer. Called by: configuration.c (parsing), rootfs.c (making).
 * Spec:       config-linux.md, "Devices", "Default Devices"; runtime-linux.md, "Dev symbolic
 * links".
 */
#ifndef LC_DEVICES_H
#define LC_DEVICES_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lc_device {
    const char *path;                    /* absolute, inside */
    mode_t type;                         /* S_IFCHR, S_IFBLK or S_IFIFO */
    unsigned major_number, minor_number; /* 0 0 for a FIFO */
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

int lc_devices_parse(const json_t *devices, struct pool *pool, const struct lc_device **ret,
                     size_t *ret_n, struct ct_error *err);

struct lc_resources;
/* What every container may use whatever its rules of devices say: the default devices and its own
 * terminals; and making nodes, which alone gives access to nothing. Comes behind the rules that the
 * configuration has, if it has any. */
void lc_devices_allow_standard(struct lc_resources *resources, struct pool *pool);

/*
 * lc_devices_make - the default ones, then these, then the links of /dev. bind: in a user namespace
 * mknod(2) is not allowed: the host's own are bound instead. Something else that is there already:
 * CT_EXISTS. root_fd: the new root; the process's own root is still the host's.
 */
int lc_devices_make(int root_fd, const struct lc_device *devices, size_t n, bool bind,
                    struct ct_error *err);

#endif
