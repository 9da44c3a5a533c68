/*
 * networks_internal.h - what the files of this room share.
 *
 * Room:       networks; included by the files of this room only.
 */
#ifndef NETWORKS_INTERNAL_H
#define NETWORKS_INTERNAL_H

#include "networks.h"

#include <netinet/in.h>
#include <stdint.h>

struct network_store {
    char *dir;
    char *run_dir;
    int dir_fd;
    int run_fd;
};

/* An IPv4 subnet, host byte order. */
struct subnet {
    uint32_t address; /* its lowest address */
    unsigned prefix;  /* 8 … 30 */
};

#define NETWORK_ID_BYTES  32
#define DEVICE_NAME_BYTES 16 /* IFNAMSIZ */

/* store.c: the record of a network: Docker's document plus "AutoSubnet". Owned. */
json_t *record_find(struct network_store *store, const char *reference, struct ct_error *err);
int record_save(struct network_store *store, const json_t *record, struct ct_error *err);
/* RUN/<id>.json: {"Endpoints":{<endpoint id>:{…}}}; an empty one when there is none. Owned. */
json_t *allocations_load(struct network_store *store, const char *network_id, struct ct_error *err);
int allocations_save(struct network_store *store, const char *network_id, const json_t *allocations,
                     struct ct_error *err);
/* Serializes all changes of one instance's networks. Closed to unlock. */
int network_store_lock(struct network_store *store, struct ct_error *err);

/* In whose row of a trace this room's spans stand: it works inside that one. */
#ifndef NETWORKS_ROLE
#define NETWORKS_ROLE CT_ROLE_MONITOR
#endif

/* detach.c. With the lock held: takes back a container's endpoints on one network. */
int endpoints_forget(struct network_store *store, const char *network_id, const char *container_id,
                     struct ct_error *err);
/* The bridge and the table go, as far as they are there. */
void bridge_lower(const json_t *record);
/* "ve-" + 12 digits of an endpoint's id: the host's end of its pair. */
void host_device(const char *endpoint_id, char ret[static DEVICE_NAME_BYTES]);

/* subnet.c */
int subnet_parse(const char *text, struct subnet *ret, struct ct_error *err);
char *subnet_text(struct subnet subnet); /* "172.17.0.0/16", owned */
int address_parse(const char *text, uint32_t *ret, struct ct_error *err);
char *address_text(uint32_t address); /* owned */
bool subnet_contains(struct subnet subnet, uint32_t address);
bool subnets_overlap(struct subnet a, struct subnet b);
/* A free one of the usual private ranges: not on this host (links, routes), not among the store's
 * records. */
int subnet_choose(struct network_store *store, struct subnet *ret, struct ct_error *err);
/* The subnet and gateway of a record. */
int record_subnet(const json_t *record, struct subnet *ret, uint32_t *ret_gateway,
                  struct ct_error *err);
void record_set_subnet(json_t *record, struct subnet subnet, uint32_t gateway);
/* An address that no endpoint has: the wanted one (may be NULL), or the first free one of the
 * range. */
int address_allocate(const json_t *record, const json_t *allocations, const char *wanted,
                     uint32_t *ret, struct ct_error *err);

/* link.c: rtnetlink. Device names are ours. netns_fd -1: the network namespace we are in. */
bool link_exists(const char *name);
int bridge_create(const char *name, struct subnet subnet, uint32_t gateway, struct ct_error *err);
int link_delete(const char *name, struct ct_error *err); /* missing: no error */
/* True when some link or route other than `except` (may be NULL) overlaps the subnet. -1 on
 * failure. */
int host_uses_subnet(struct subnet subnet, const char *except, struct ct_error *err);
/* True when another device of lower index than `name` has an address in the subnet: it came first.
 */
bool lost_subnet_race(const char *name, struct subnet subnet);
struct veth_request {
    const char *host_name;
    const char *bridge;
    int netns_fd;
    uint32_t address;
    unsigned prefix;
    uint32_t gateway; /* 0: no default route */
    unsigned char mac[6];
};
/* Makes the pair, the inner end as the first free ethN. */
int veth_create(const struct veth_request *request, struct ct_error *err);

/* firewall.c: the network's nftables table, made anew from all its endpoints in one transaction. */
int firewall_apply(const json_t *record, const json_t *allocations, struct ct_error *err);
int firewall_remove(const json_t *record, struct ct_error *err);
/* nftables commands, in the network namespace that the thread is in. One at a time. */
int firewall_run(const char *commands, struct ct_error *err);

/* ports.c */
/* {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}],"81/tcp":null}: reserved under the endpoint's
 * id. Owned. */
json_t *ports_reserve(const char *endpoint_id, const struct network_request *request,
                      struct ct_error *err);
void ports_release(const char *endpoint_id);
/* The Ports of an endpoint that another process reserved, which has ended. */
void ports_hold_again(const char *endpoint_id, const json_t *ports);

/* "ct-" + 12 digits and "cutaway-" + 12 digits of a network's id. */
void bridge_name(const json_t *record, char ret[static DEVICE_NAME_BYTES]);

#endif
