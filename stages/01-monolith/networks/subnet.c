/*
 * subnet.c - address arithmetic: subnets, choosing a free one, allocating addresses in it.
 *
 * Room:       networks.   Called by: store.c, attach.c.
 * Spec:       RFC 1918 (private ranges), RFC 4632 (prefixes).
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <string.h>

static uint32_t mask_of(unsigned prefix)
{
    return prefix == 0 ? 0 : ~(uint32_t)0 << (32 - prefix);
}

int address_parse(const char *text, uint32_t *ret, struct ct_error *err)
{
    struct in_addr address;
    if (inet_pton(AF_INET, text, &address) != 1) {
        return ct_refuse(err, CT_INVALID, "invalid IPv4 address '%.60s'", text);
    }
    *ret = ntohl(address.s_addr);
    return 0;
}

char *address_text(uint32_t address)
{
    struct in_addr in = {.s_addr = htonl(address)};
    char text[INET_ADDRSTRLEN];
    return ct_strdup(inet_ntop(AF_INET, &in, text, sizeof(text)) ? text : "");
}

int subnet_parse(const char *text, struct subnet *ret, struct ct_error *err)
{
    char address[INET_ADDRSTRLEN] = "";
    const char *slash = strchr(text, '/');
    char *end = NULL;
    unsigned long prefix = slash ? strtoul(slash + 1, &end, 10) : 0;

    if (strchr(text, ':')) {
        return ct_refuse(err, CT_UNSUPPORTED, "subnet '%.60s': IPv6 is not in stage 01-monolith",
                         text);
    }
    if (!slash || !slash[1] || *end || (size_t)(slash - text) >= sizeof(address) || prefix < 8 ||
        prefix > 30) {
        return ct_refuse(err, CT_INVALID,
                         "invalid subnet '%.60s': write it as 10.1.2.0/24, prefix 8 to 30", text);
    }
    memcpy(address, text, (size_t)(slash - text));
    if (address_parse(address, &ret->address, err) < 0) {
        return -1;
    }
    ret->prefix = (unsigned)prefix;
    ret->address &= mask_of(ret->prefix);
    return 0;
}

char *subnet_text(struct subnet subnet)
{
    CT_AUTO_FREE char *address = address_text(subnet.address);
    return ct_printf("%s/%u", address, subnet.prefix);
}

bool subnet_contains(struct subnet subnet, uint32_t address)
{
    return (address & mask_of(subnet.prefix)) == subnet.address;
}

bool subnets_overlap(struct subnet a, struct subnet b)
{
    return subnet_contains(a, b.address) || subnet_contains(b, a.address);
}

int record_subnet(const json_t *record, struct subnet *ret, uint32_t *ret_gateway,
                  struct ct_error *err)
{
    const json_t *config = json_array_get(ct_json_get(record, "IPAM.Config"), 0);

    if (subnet_parse(ct_json_string(config, "Subnet", ""), ret, err) < 0) {
        return -1;
    }
    return address_parse(ct_json_string(config, "Gateway", ""), ret_gateway, err);
}

void record_set_subnet(json_t *record, struct subnet subnet, uint32_t gateway)
{
    CT_AUTO_FREE char *range = subnet_text(subnet);
    CT_AUTO_FREE char *address = address_text(gateway);
    json_t *ipam = json_object_get(record, "IPAM");
    json_t *config = json_array();

    ct_json_append(config, json_pack("{s:s,s:s}", "Subnet", range, "Gateway", address));
    ct_json_set(ipam, "Config", config);
}

static bool is_recorded(const json_t *records, struct subnet subnet)
{
    size_t i;
    json_t *record;
    json_array_foreach((json_t *)records, i, record)
    {
        struct ct_error no_subnet = {0}; /* host and none have none */
        struct subnet other;
        uint32_t gateway;
        if (record_subnet(record, &other, &gateway, &no_subnet) == 0 &&
            subnets_overlap(subnet, other)) {
            return true;
        }
    }
    return false;
}

/* Docker's pools: 172.17/16 … 172.31/16, then 192.168.0/20 …. */
static struct subnet candidate(unsigned i)
{
    if (i < 15) {
        return (struct subnet){.address = 0xAC110000u + (i << 16), .prefix = 16};
    }
    return (struct subnet){.address = 0xC0A80000u + ((i - 15) << 12), .prefix = 20};
}

#define CANDIDATES (15 + 16)

int subnet_choose(struct network_store *store, struct subnet *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *records = network_list(store, err);
    if (!records) {
        return -1;
    }
    for (unsigned i = 0; i < CANDIDATES; i++) {
        struct subnet subnet = candidate(i);
        int used = is_recorded(records, subnet) ? 1 : host_uses_subnet(subnet, NULL, err);
        if (used < 0) {
            return -1;
        }
        if (!used) {
            *ret = subnet;
            return 0;
        }
    }
    (void)ct_refuse(err, CT_CONFLICT,
                    "choose a subnet: all of the usual private ranges are in use on this host");
    return ct_hint(err, "give one with --subnet");
}

static bool is_allocated(const json_t *allocations, uint32_t address)
{
    CT_AUTO_FREE char *text = address_text(address);
    const char *id;
    json_t *endpoint;
    json_object_foreach(json_object_get(allocations, "Endpoints"), id, endpoint)
    {
        if (strcmp(ct_json_string(endpoint, "IPAddress", ""), text) == 0) {
            return true;
        }
    }
    return false;
}

static int allocate_wanted(struct subnet subnet, uint32_t gateway, const json_t *allocations,
                           const char *wanted, uint32_t *ret, struct ct_error *err)
{
    uint32_t last = subnet.address | ~mask_of(subnet.prefix);

    if (address_parse(wanted, ret, err) < 0) {
        return -1;
    }
    if (!subnet_contains(subnet, *ret) || *ret == subnet.address || *ret == last) {
        CT_AUTO_FREE char *text = subnet_text(subnet);
        return ct_refuse(err, CT_INVALID, "address %s is no host address of subnet %s", wanted,
                         text);
    }
    if (*ret == gateway || is_allocated(allocations, *ret)) {
        return ct_refuse(err, CT_CONFLICT, "address %s is already in use", wanted);
    }
    return 0;
}

int address_allocate(const json_t *record, const json_t *allocations, const char *wanted,
                     uint32_t *ret, struct ct_error *err)
{
    struct subnet subnet, range;
    uint32_t gateway;
    const char *range_text =
        ct_json_string(json_array_get(ct_json_get(record, "IPAM.Config"), 0), "IPRange", NULL);

    if (record_subnet(record, &subnet, &gateway, err) < 0) {
        return -1;
    }
    if (wanted) {
        return allocate_wanted(subnet, gateway, allocations, wanted, ret, err);
    }
    range = subnet;
    if (range_text && subnet_parse(range_text, &range, err) < 0) {
        return -1;
    }
    uint32_t last = subnet.address | ~mask_of(subnet.prefix);
    uint32_t end = range.address | ~mask_of(range.prefix);
    for (uint32_t address = range.address; address <= end && address >= range.address; address++) {
        if (address != subnet.address && address != last && address != gateway &&
            !is_allocated(allocations, address)) {
            *ret = address;
            return 0;
        }
    }
    return ct_refuse(err, CT_CONFLICT, "no address is free in network '%s'",
                     ct_json_string(record, "Name", ""));
}
