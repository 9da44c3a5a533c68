/*
 * attach.c - gives a network namespace an interface on a network; detach.c takes it back.
 *
 * Room:       networks.   Called by: monitor.
 *
 * The bridge and the table appear with the first endpoint and go with the last. Everything happens
 * under the store's lock, so that a first and a last that meet do not cross. Who dies half-way
 * leaves a device or a table that the next attach or forget finds by its name.
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One write to a file of /proc/sys/net. */
static int set_sysctl(const char *path, const char *value, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, strlen(value)) < 0) {
        return ct_fail(err, errno, "write '%s' to '%s'", value, path);
    }
    return 0;
}

/* Without forwarding nothing leaves the bridge. It is never switched off again: others may need it.
 */
static int allow_forwarding(const char *bridge, struct ct_error *err)
{
    CT_AUTO_FREE char *local = ct_printf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
    CT_AUTO_FREE char *value = NULL;

    if (ct_read_file_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &value, err) < 0) {
        return -1;
    }
    if (value[0] == '0') {
        ct_info("switching on net.ipv4.ip_forward for bridge=%s", bridge);
        if (set_sysctl("/proc/sys/net/ipv4/ip_forward", "1", err) < 0) {
            return -1;
        }
    }
    /* Lets 127.0.0.1:port of the host reach a published port; firewall.c guards the other
     * direction. */
    return set_sysctl(local, "1", err);
}

#define SUBNET_TRIES 8

/* The bridge with a subnet that is free now: a record's own choice is made again when somebody took
 * it. */
static int raise_bridge(struct network_store *store, json_t *record, struct ct_error *err)
{
    char bridge[DEVICE_NAME_BYTES];
    struct subnet subnet;
    uint32_t gateway;
    bool may_choose = ct_json_bool(record, "AutoSubnet", false);

    bridge_name(record, bridge);
    for (int i = 0; i < SUBNET_TRIES; i++) {
        if (record_subnet(record, &subnet, &gateway, err) < 0) {
            return -1;
        }
        int used = host_uses_subnet(subnet, bridge, err);
        if (used < 0 || (!used && bridge_create(bridge, subnet, gateway, err) < 0)) {
            return -1;
        }
        if (!used && !lost_subnet_race(bridge, subnet)) {
            return allow_forwarding(bridge, err);
        }
        if ((!used && link_delete(bridge, err) < 0)) {
            return -1;
        }
        if (!may_choose) {
            return ct_refuse(err, CT_CONFLICT,
                             "bring up network '%s': the host now uses addresses of its subnet",
                             ct_json_string(record, "Name", ""));
        }
        if (subnet_choose(store, &subnet, err) < 0) {
            return -1;
        }
        record_set_subnet(record, subnet, subnet.address + 1);
        if (record_save(store, record, err) < 0) {
            return -1;
        }
    }
    return ct_refuse(err, CT_CONFLICT,
                     "bring up network '%s': other programs take each subnet that is chosen",
                     ct_json_string(record, "Name", ""));
}

static int ensure_bridge(struct network_store *store, json_t *record, const json_t *allocations,
                         struct ct_error *err)
{
    char bridge[DEVICE_NAME_BYTES];

    bridge_name(record, bridge);
    bool exists = link_exists(bridge);
    if (exists && ct_json_count(json_object_get(allocations, "Endpoints")) > 0) {
        return 0;
    }
    if (exists && link_delete(bridge, err) < 0) { /* left by a crash: with whatever address */
        return -1;
    }
    return raise_bridge(store, record, err);
}

/* Docker's way: 02:42 and the address, so that a MAC belongs to one address. */
static int choose_mac(const char *wanted, uint32_t address, unsigned char ret[6],
                      struct ct_error *err)
{
    ret[0] = 0x02;
    ret[1] = 0x42;
    for (int i = 0; i < 4; i++) {
        ret[2 + i] = (unsigned char)(address >> (24 - 8 * i));
    }
    if (!wanted || !*wanted) {
        return 0;
    }
    char end = 0;
    if (sscanf(wanted, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &ret[0], &ret[1], &ret[2], &ret[3],
               &ret[4], &ret[5], &end) != 6 ||
        (ret[0] & 1)) {
        return ct_refuse(err, CT_INVALID, "invalid MAC address '%.40s'", wanted);
    }
    return 0;
}

/* What was asked for, and the short id; null where names are not answered. */
static json_t *all_aliases(const struct network_request *request)
{
    if (!network_has_names(request->network)) {
        return json_null();
    }
    json_t *aliases =
        json_is_array(request->aliases) ? json_deep_copy(request->aliases) : json_array();
    ct_json_append(aliases, json_sprintf("%.12s", request->container_id));
    return aliases;
}

/* Docker's EndpointSettings, and what detach needs. */
static json_t *make_endpoint(const json_t *record, const struct network_request *request,
                             const char *id)
{
    json_t *endpoint = json_object();

    ct_json_set_string(endpoint, "NetworkID", ct_json_string(record, "Id", ""));
    ct_json_set_string(endpoint, "EndpointID", id);
    ct_json_set_string(endpoint, "Gateway", "");
    ct_json_set_string(endpoint, "IPAddress", "");
    ct_json_set(endpoint, "IPPrefixLen", json_integer(0));
    ct_json_set_string(endpoint, "IPv6Gateway", "");
    ct_json_set_string(endpoint, "GlobalIPv6Address", "");
    ct_json_set(endpoint, "GlobalIPv6PrefixLen", json_integer(0));
    ct_json_set_string(endpoint, "MacAddress", "");
    ct_json_set_string(endpoint, "Network", ct_json_string(record, "Name", ""));
    ct_json_set_string(endpoint, "Container", request->container_id);
    ct_json_set_string(endpoint, "Name", request->container_name);
    ct_json_set(endpoint, "Aliases", all_aliases(request));
    ct_json_set(endpoint, "Ports", json_object());
    return endpoint;
}

static int plan_veth(const json_t *record, const json_t *allocations,
                     const struct network_request *request, struct veth_request *veth,
                     struct ct_error *err)
{
    struct subnet subnet;
    uint32_t gateway;

    if (record_subnet(record, &subnet, &gateway, err) < 0 ||
        address_allocate(record, allocations, request->address, &veth->address, err) < 0 ||
        choose_mac(request->mac, veth->address, veth->mac, err) < 0) {
        return -1;
    }
    veth->prefix = subnet.prefix;
    veth->gateway = ct_json_bool(record, "Internal", false) ? 0 : gateway;
    return 0;
}

static void fill_endpoint(json_t *endpoint, const json_t *record, const struct veth_request *veth)
{
    CT_AUTO_FREE char *address = address_text(veth->address);

    ct_json_set_string(endpoint, "IPAddress", address);
    ct_json_set(endpoint, "IPPrefixLen", json_integer(veth->prefix));
    ct_json_set_string(
        endpoint, "Gateway",
        veth->gateway
            ? ct_json_string(json_array_get(ct_json_get(record, "IPAM.Config"), 0), "Gateway", "")
            : "");
    ct_json_set(endpoint, "MacAddress",
                json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", veth->mac[0], veth->mac[1],
                             veth->mac[2], veth->mac[3], veth->mac[4], veth->mac[5]));
}

/* The steps that change the world, undone in reverse. The bridge is up. */
static int connect_endpoint(struct network_store *store, const json_t *record, json_t *allocations,
                            const struct network_request *request, struct veth_request *veth,
                            json_t *endpoint, struct ct_error *err)
{
    const char *id = ct_json_string(endpoint, "EndpointID", "");
    const char *network_id = ct_json_string(record, "Id", "");
    json_t *endpoints = json_object_get(allocations, "Endpoints");
    struct ct_error ignored = {0};

    json_t *ports = ports_reserve(id, request, err);
    if (!ports) {
        return -1;
    }
    ct_json_set(endpoint, "Ports", ports);
    ct_json_set(endpoints, id, json_incref(endpoint));
    /* Recorded first: who is killed now leaves an endpoint that network_forget() finds. */
    if (allocations_save(store, network_id, allocations, err) < 0) {
        goto undo_ports;
    }
    if (veth_create(veth, err) < 0) {
        goto undo_record;
    }
    if (firewall_apply(record, allocations, err) < 0) {
        goto undo_veth;
    }
    return 0;

undo_veth:
    (void)link_delete(veth->host_name, &ignored); /* best effort: err keeps the first cause */
undo_record:
    (void)json_object_del(endpoints, id);
    (void)allocations_save(store, network_id, allocations, &ignored);
undo_ports:
    ports_release(id);
    return -1;
}

static int attach_bridge(struct network_store *store, json_t *record,
                         const struct network_request *request, int netns_fd, json_t *endpoint,
                         struct ct_error *err)
{
    char bridge[DEVICE_NAME_BYTES], device[DEVICE_NAME_BYTES];
    const char *id = ct_json_string(endpoint, "EndpointID", "");
    const char *network_id = ct_json_string(record, "Id", "");

    /* A container is on a network once: what an attach left whose answer was lost goes first. */
    if (endpoints_forget(store, network_id, request->container_id, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *allocations = allocations_load(store, network_id, err);
    if (!allocations || ensure_bridge(store, record, allocations, err) < 0) {
        return -1;
    }
    bridge_name(record, bridge);
    host_device(id, device);
    struct veth_request veth = {.host_name = device, .bridge = bridge, .netns_fd = netns_fd};
    int result = plan_veth(record, allocations, request, &veth, err);
    if (result == 0) {
        fill_endpoint(endpoint, record, &veth);
        result = connect_endpoint(store, record, allocations, request, &veth, endpoint, err);
    }
    if (result < 0 && ct_json_count(json_object_get(allocations, "Endpoints")) == 0) {
        bridge_lower(record);
    }
    return result;
}

int network_attach(struct network_store *store, const struct network_request *request, int netns_fd,
                   json_t **ret_endpoint, struct ct_error *err)
{
    CT_SPAN(err, NETWORKS_ROLE, CT_STEP_NETWORK, "network_attach(%s)", request->network);
    char id[2 * NETWORK_ID_BYTES + 1];
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *record = lock < 0 ? NULL : record_find(store, request->network, err);

    if (!record) {
        return ct_while(err, "attach to network '%.64s'", request->network);
    }
    ct_random_hex(id, NETWORK_ID_BYTES);
    CT_AUTO_JSON json_t *endpoint = make_endpoint(record, request, id);
    if (strcmp(ct_json_string(record, "Driver", ""), "bridge") == 0 &&
        attach_bridge(store, record, request, netns_fd, endpoint, err) < 0) {
        return ct_while(err, "attach to network '%.64s'", request->network);
    }
    *ret_endpoint = ct_steal(endpoint);
    return 0;
}
