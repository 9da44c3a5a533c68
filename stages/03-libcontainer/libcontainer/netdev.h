/*
 * netdev.h - network devices of the host that move into a container, and its loopback.
 *
 * Room:       libcontainer. Called by: configuration.c (parsing), create.c.
 * Spec:       config-linux.md, "Network Devices".
 * Man:        rtnetlink(7), netdevice(7).
 */
#ifndef LC_NETDEV_H
#define LC_NETDEV_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stddef.h>

struct lc_netdev {
    const char *host_name; /* in the runtime's network namespace */
    const char *name;      /* inside; the same when the configuration has none */
};

/* "linux.netDevices": {"eth0": {"name": "container_eth0"}}. CT_INVALID: names that are none
 * (length, '/', ':', blanks), or two devices with one name inside. */
int lc_netdevs_parse(const json_t *net_devices, struct pool *pool, const struct lc_netdev **ret,
                     size_t *ret_n, struct ct_error *err);

/*
 * lc_netdevs_move - moves them into the network namespace of process pid, renames them and gives
 * them their permanent global addresses back, which the kernel takes away on the way; then up. On
 * failure those that were moved come back.
 */
int lc_netdevs_move(const struct lc_netdev *devices, size_t n, pid_t pid, struct ct_error *err);

/* Switches on "lo" in our network namespace. */
int lc_loopback_up(struct ct_error *err);

#endif
