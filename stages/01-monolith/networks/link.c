/*
 * link.c - bridges, veth pairs, addresses and routes, by rtnetlink.
 *
 * Room:       networks.   Called by: attach.c, subnet.c, namespace.c.
 * Man:        rtnetlink(7), veth(4), setns(2). Library: libnl-route-3.
 */
#define CT_LAYER "networks"
#include "links.h"
#include "networks_internal.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What libnl says of a failure, as our error. */
static int refuse_nl(struct ct_error *err, int code, const char *what, const char *name)
{
    enum ct_kind kind = code == -NLE_EXIST ? CT_EXISTS : code == -NLE_PERM ? CT_DENIED : CT_SYSTEM;
    return ct_refuse(err, kind, "%s '%s': %s", what, name, nl_geterror(code));
}

/* A socket lives in the namespace it was made in: the process goes there for a moment. */
struct nl_sock *netlink_open(int netns_fd, struct ct_error *err)
{
    int home = netns_fd >= 0 ? netns_enter(netns_fd, err) : -1;
    if (netns_fd >= 0 && home < 0) {
        return NULL;
    }
    struct nl_sock *sock = nl_socket_alloc();
    int code = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;
    if (home >= 0) {
        netns_leave(home);
    }
    if (code < 0) {
        nl_socket_free(sock);
        (void)refuse_nl(err, code, "talk to", "rtnetlink");
        return NULL;
    }
    return sock;
}

static struct rtnl_link *get_link(struct nl_sock *sock, const char *name)
{
    struct rtnl_link *link = NULL;
    return rtnl_link_get_kernel(sock, 0, name, &link) < 0 ? NULL : link;
}

bool link_exists(const char *name)
{
    struct ct_error ignored = {0};
    struct nl_sock *sock = netlink_open(-1, &ignored);
    struct rtnl_link *link = sock ? get_link(sock, name) : NULL;
    bool exists = link != NULL;

    rtnl_link_put(link);
    nl_socket_free(sock);
    return exists;
}

int link_delete(const char *name, struct ct_error *err)
{
    struct nl_sock *sock = netlink_open(-1, err);
    struct rtnl_link *link = sock ? get_link(sock, name) : NULL;
    int code = link ? rtnl_link_delete(sock, link) : 0;

    rtnl_link_put(link);
    nl_socket_free(sock);
    if (!sock) {
        return -1;
    }
    return code < 0 && code != -NLE_NODEV && code != -NLE_OBJ_NOTFOUND
               ? refuse_nl(err, code, "delete device", name)
               : 0;
}

static struct nl_addr *make_address(uint32_t address, unsigned prefix)
{
    struct in_addr in = {.s_addr = htonl(address)};
    struct nl_addr *addr = nl_addr_build(AF_INET, &in, sizeof(in));
    if (addr) {
        nl_addr_set_prefixlen(addr, (int)prefix);
    }
    return addr;
}

/* Changes one property of a device: `wanted` holds only what is to change. */
static int change(struct nl_sock *sock, struct rtnl_link *link, struct rtnl_link *wanted)
{
    int code = wanted ? rtnl_link_change(sock, link, wanted, 0) : -NLE_NOMEM;
    rtnl_link_put(wanted);
    return code;
}

int link_set_up(struct nl_sock *sock, const char *name, struct ct_error *err)
{
    struct rtnl_link *link = get_link(sock, name);
    struct rtnl_link *wanted = rtnl_link_alloc();

    if (wanted) {
        rtnl_link_set_flags(wanted, IFF_UP);
    }
    int code = link ? change(sock, link, wanted) : -NLE_NODEV;
    rtnl_link_put(link);
    return code < 0 ? refuse_nl(err, code, "set up device", name) : 0;
}

static int add_address(struct nl_sock *sock, const char *name, uint32_t address, unsigned prefix,
                       struct ct_error *err)
{
    struct rtnl_link *link = get_link(sock, name);
    struct rtnl_addr *entry = rtnl_addr_alloc();
    struct nl_addr *local = make_address(address, prefix);
    int code = link && entry && local ? 0 : -NLE_NODEV;

    if (code == 0) {
        rtnl_addr_set_ifindex(entry, rtnl_link_get_ifindex(link));
        code = rtnl_addr_set_local(entry, local);
    }
    if (code == 0) {
        struct nl_addr *broadcast =
            make_address(address | (prefix < 32 ? ~(uint32_t)0 >> prefix : 0), 32);
        (void)rtnl_addr_set_broadcast(entry, broadcast);
        nl_addr_put(broadcast);
        code = rtnl_addr_add(sock, entry, 0);
    }
    nl_addr_put(local);
    rtnl_addr_put(entry);
    rtnl_link_put(link);
    return code < 0 ? refuse_nl(err, code, "give an address to device", name) : 0;
}

int bridge_create(const char *name, struct subnet subnet, uint32_t gateway, struct ct_error *err)
{
    struct nl_sock *sock = netlink_open(-1, err);
    struct rtnl_link *bridge = sock ? rtnl_link_bridge_alloc() : NULL;
    struct ct_error ignored = {0};

    if (!sock) {
        return -1;
    }
    if (bridge) {
        rtnl_link_set_name(bridge, name);
    }
    int code = bridge ? rtnl_link_add(sock, bridge, NLM_F_CREATE | NLM_F_EXCL) : -NLE_NOMEM;
    int result = code < 0 ? refuse_nl(err, code, "make bridge", name) : 0;
    if (result == 0 && (add_address(sock, name, gateway, subnet.prefix, err) < 0 ||
                        link_set_up(sock, name, err) < 0)) {
        (void)link_delete(name, &ignored); /* err keeps the first cause */
        result = -1;
    }
    rtnl_link_put(bridge);
    nl_socket_free(sock);
    return result;
}

static bool to_subnet(const struct nl_addr *addr, struct subnet *ret)
{
    if (!addr || nl_addr_get_family(addr) != AF_INET || nl_addr_get_len(addr) != 4 ||
        nl_addr_get_prefixlen(addr) == 0) {
        return false; /* the default route overlaps everything, and nothing */
    }
    uint32_t address;
    memcpy(&address, nl_addr_get_binary_addr(addr), sizeof(address));
    ret->prefix = nl_addr_get_prefixlen(addr);
    ret->address = ntohl(address) & (~(uint32_t)0 << (32 - ret->prefix));
    return true;
}

struct search {
    struct subnet subnet;
    int except; /* index of a device that does not count, or 0 */
    int limit;  /* only devices of a lower index count, or 0 */
    bool found;
};

static void match_address(struct nl_object *object, void *context)
{
    struct search *search = context;
    struct rtnl_addr *entry = (struct rtnl_addr *)object;
    struct subnet other;
    int index = rtnl_addr_get_ifindex(entry);

    if (index != search->except && (!search->limit || index < search->limit) &&
        to_subnet(rtnl_addr_get_local(entry), &other) && subnets_overlap(search->subnet, other)) {
        search->found = true;
    }
}

static void match_route(struct nl_object *object, void *context)
{
    struct search *search = context;
    struct rtnl_route *route = (struct rtnl_route *)object;
    struct subnet other;
    struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
    int index = hop ? rtnl_route_nh_get_ifindex(hop) : 0;

    if ((!search->except || index != search->except) &&
        to_subnet(rtnl_route_get_dst(route), &other) && subnets_overlap(search->subnet, other)) {
        search->found = true;
    }
}

static int index_of(struct nl_sock *sock, const char *name)
{
    struct rtnl_link *link = name ? get_link(sock, name) : NULL;
    int index = link ? rtnl_link_get_ifindex(link) : 0;
    rtnl_link_put(link);
    return index;
}

static int search_host(struct nl_sock *sock, struct search *search, bool routes,
                       struct ct_error *err)
{
    struct nl_cache *cache = NULL;
    int code = rtnl_addr_alloc_cache(sock, &cache);

    if (code == 0) {
        nl_cache_foreach(cache, match_address, search);
        nl_cache_free(cache);
        cache = NULL;
        code = routes ? rtnl_route_alloc_cache(sock, AF_INET, 0, &cache) : 0;
    }
    if (code == 0 && cache) {
        nl_cache_foreach(cache, match_route, search);
        nl_cache_free(cache);
    }
    return code < 0 ? refuse_nl(err, code, "read the host's", "addresses and routes") : 0;
}

int host_uses_subnet(struct subnet subnet, const char *except, struct ct_error *err)
{
    struct nl_sock *sock = netlink_open(-1, err);
    if (!sock) {
        return -1;
    }
    struct search search = {.subnet = subnet, .except = index_of(sock, except)};
    int result = search_host(sock, &search, true, err);
    nl_socket_free(sock);
    return result < 0 ? -1 : search.found;
}

bool lost_subnet_race(const char *name, struct subnet subnet)
{
    struct ct_error ignored = {0}; /* not knowing: the next start would find out */
    struct nl_sock *sock = netlink_open(-1, &ignored);
    if (!sock) {
        return false;
    }
    int own = index_of(sock, name);
    struct search search = {.subnet = subnet, .except = own, .limit = own};
    (void)search_host(sock, &search, false, &ignored);
    nl_socket_free(sock);
    return search.found;
}

/* "eth0", "eth1", …: the first that the namespace does not have. */
static int free_name(struct nl_sock *inside, char ret[static DEVICE_NAME_BYTES],
                     struct ct_error *err)
{
    for (int i = 0; i < 256; i++) {
        (void)snprintf(ret, DEVICE_NAME_BYTES, "eth%d", i);
        struct rtnl_link *link = get_link(inside, ret);
        if (!link) {
            return 0;
        }
        rtnl_link_put(link);
    }
    return ct_refuse(err, CT_CONFLICT, "name a device: the container has 256 already");
}

static int add_pair(struct nl_sock *sock, const struct veth_request *request,
                    const char *inner_name, struct ct_error *err)
{
    struct rtnl_link *pair = rtnl_link_veth_alloc();
    struct rtnl_link *inner = pair ? rtnl_link_veth_get_peer(pair) : NULL;
    struct nl_addr *mac = nl_addr_build(AF_LLC, request->mac, sizeof(request->mac));
    int code = -NLE_NOMEM;

    if (inner && mac) {
        rtnl_link_set_name(pair, request->host_name);
        rtnl_link_set_name(inner, inner_name);
        rtnl_link_set_addr(inner, mac);
        rtnl_link_set_ns_fd(inner,
                            request->netns_fd); /* born inside: it is never seen on the host */
        code = rtnl_link_add(sock, pair, NLM_F_CREATE | NLM_F_EXCL);
    }
    nl_addr_put(mac);
    rtnl_link_put(inner);
    rtnl_link_put(pair);
    return code < 0 ? refuse_nl(err, code, "make veth pair", request->host_name) : 0;
}

static int join_bridge(struct nl_sock *sock, const char *name, const char *bridge,
                       struct ct_error *err)
{
    struct rtnl_link *link = get_link(sock, name);
    struct rtnl_link *wanted = rtnl_link_alloc();

    if (wanted) {
        rtnl_link_set_master(wanted, index_of(sock, bridge));
    }
    int code = link ? change(sock, link, wanted) : -NLE_NODEV;
    rtnl_link_put(link);
    return code < 0 ? refuse_nl(err, code, "join the bridge with", name)
                    : link_set_up(sock, name, err);
}

/* A second network does not take the default route away from the first (EEXIST). */
static int add_default_route(struct nl_sock *inside, const char *name, uint32_t gateway,
                             struct ct_error *err)
{
    struct rtnl_route *route = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *everywhere = make_address(0, 0);
    struct nl_addr *via = make_address(gateway, 32);
    int code = -NLE_NOMEM;

    if (route && hop && everywhere && via) {
        (void)rtnl_route_set_family(route, AF_INET);
        (void)rtnl_route_set_dst(route, everywhere);
        rtnl_route_nh_set_ifindex(hop, index_of(inside, name));
        rtnl_route_nh_set_gateway(hop, via);
        rtnl_route_add_nexthop(route, hop); /* the route owns it now */
        hop = NULL;
        code = rtnl_route_add(inside, route, NLM_F_EXCL);
    }
    nl_addr_put(via);
    nl_addr_put(everywhere);
    if (hop) {
        rtnl_route_nh_free(hop);
    }
    rtnl_route_put(route);
    return code < 0 && code != -NLE_EXIST ? refuse_nl(err, code, "route by", name) : 0;
}

static int set_up_inside(struct nl_sock *inside, const struct veth_request *request,
                         const char *name, struct ct_error *err)
{
    if (add_address(inside, name, request->address, request->prefix, err) < 0 ||
        link_set_up(inside, name, err) < 0) {
        return -1;
    }
    return request->gateway ? add_default_route(inside, name, request->gateway, err) : 0;
}

int veth_create(const struct veth_request *request, struct ct_error *err)
{
    char inner_name[DEVICE_NAME_BYTES];
    struct ct_error ignored = {0};
    struct nl_sock *sock = netlink_open(-1, err);
    struct nl_sock *inside = sock ? netlink_open(request->netns_fd, err) : NULL;
    int result = -1;

    if (inside && free_name(inside, inner_name, err) == 0 &&
        add_pair(sock, request, inner_name, err) == 0) {
        result = join_bridge(sock, request->host_name, request->bridge, err) < 0 ||
                         set_up_inside(inside, request, inner_name, err) < 0
                     ? -1
                     : 0;
        if (result < 0) {
            (void)link_delete(request->host_name, &ignored); /* the inner end goes with it */
        }
    }
    nl_socket_free(inside);
    nl_socket_free(sock);
    return result;
}
