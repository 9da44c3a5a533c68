/*
 * namespace.c - what is asked of a network namespace as a whole: loopback, and counters.
 *
 * Room:       networks.   Called by: monitor.
 */
#define CT_LAYER "networks"
#include "links.h"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

int netns_enter(int netns_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (home < 0 || setns(netns_fd, CLONE_NEWNET) < 0) {
        return ct_fail(err, errno, "enter a network namespace");
    }
    return ct_steal_fd(&home);
}

void netns_leave(int home_fd)
{
    if (setns(home_fd, CLONE_NEWNET) < 0) {
        abort(); /* going on in a stranger's network namespace would be worse */
    }
    (void)close(home_fd);
}

int network_loopback_up(int netns_fd, struct ct_error *err)
{
    struct nl_sock *sock = netlink_open(netns_fd, err);
    int result = sock ? link_set_up(sock, "lo", err) : -1;

    nl_socket_free(sock);
    return result;
}

static void add_counters(struct nl_object *object, void *context)
{
    static const struct {
        const char *name;
        rtnl_link_stat_id_t id;
    } counters[] = {{"rx_bytes", RTNL_LINK_RX_BYTES},   {"rx_packets", RTNL_LINK_RX_PACKETS},
                    {"rx_errors", RTNL_LINK_RX_ERRORS}, {"rx_dropped", RTNL_LINK_RX_DROPPED},
                    {"tx_bytes", RTNL_LINK_TX_BYTES},   {"tx_packets", RTNL_LINK_TX_PACKETS},
                    {"tx_errors", RTNL_LINK_TX_ERRORS}, {"tx_dropped", RTNL_LINK_TX_DROPPED}};
    struct rtnl_link *link = (struct rtnl_link *)object;
    json_t *device = json_object();

    if (rtnl_link_get_flags(link) & IFF_LOOPBACK) {
        json_decref(device);
        return;
    }
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        ct_json_set(device, counters[i].name,
                    json_integer((json_int_t)rtnl_link_get_stat(link, counters[i].id)));
    }
    ct_json_set(context, rtnl_link_get_name(link), device);
}

json_t *network_stats(int netns_fd, struct ct_error *err)
{
    struct nl_sock *sock = netlink_open(netns_fd, err);
    struct nl_cache *cache = NULL;

    if (!sock) {
        return NULL;
    }
    json_t *stats = json_object();
    if (rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache) == 0) {
        nl_cache_foreach(cache, add_counters, stats);
        nl_cache_free(cache);
    }
    nl_socket_free(sock);
    return stats;
}
