/*
 * networks.h - networks: records, address allocation, bridges, veth pairs, NAT and published ports.
 *
 * Room:       networks. Knows network namespaces by descriptor; knows nothing of containers'
 * records. Called by:  engine (records), monitor (attach and detach around a run). Man:
 * rtnetlink(7), veth(4), bridge; libnftables(3). Nothing is shelled out.
 *
 * A store always knows three networks: "bridge" (driver bridge, made with the store), "host",
 * "none". Records: DIR/<id>.json; allocations: RUN/<id>.json under a lock. In the kernel a network
 * is the bridge "ct-" + 12 hex digits of its id and the nftables table "cutaway-" + the same (inet
 * family), so two instances never meet. Both appear with the first endpoint and go with the last.
 * Subnets of new networks avoid every address and route that the host has.
 */
#ifndef NETWORKS_H
#define NETWORKS_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>

struct network_store;

struct network_store *network_store_open(const char *dir, const char *run_dir,
                                         struct ct_error *err);
void network_store_close(struct network_store *store);

/*
 * network_create - body is Docker's NetworkCreate document: Name, Driver ("bridge"; others are
 * refused by name), Internal, IPAM.Config[{Subnet,IPRange,Gateway}], Options, Labels. ret_id owned.
 * CT_EXISTS, CT_INVALID (bad or overlapping subnet), CT_UNSUPPORTED.
 */
int network_create(struct network_store *store, const json_t *body, char **ret_id,
                   struct ct_error *err);

/* By name, id or unambiguous id prefix: Docker's Network document (Id, Name, Created, Scope,
 * Driver, IPAM, Internal, Containers, Options, Labels). Owned. */
json_t *network_find(struct network_store *store, const char *reference, struct ct_error *err);
json_t *network_list(struct network_store *store, struct ct_error *err); /* array of them, owned */

/* CT_CONFLICT: endpoints exist, or it is one of the three that always are. */
int network_remove(struct network_store *store, const char *reference, struct ct_error *err);

struct network_request {
    const char *network;      /* name or id */
    const char *container_id; /* 64 hex digits: owner of the endpoint */
    const char *container_name;
    const char *address; /* fixed IPv4 address, or NULL */
    const char *mac;     /* fixed, or NULL: derived from the address, as Docker does */
    const json_t
        *port_bindings; /* HostConfig.PortBindings: {"80/tcp":[{"HostIp","HostPort"}]}, or NULL */
    const json_t *exposed_ports; /* for publish_all: Config.ExposedPorts, or NULL */
    bool publish_all;
};

/*
 * network_attach - gives the network namespace netns_fd an interface (eth0, eth1, … the first
 * free) on the network: address, default route (unless internal, or one exists), ports published.
 * ret_endpoint (owned): Docker's EndpointSettings plus "Ports" (Docker's NetworkSettings.Ports) and
 * what network_detach() needs. Failure leaves nothing behind; a host port that is taken is
 * CT_CONFLICT "port is already allocated".  Driver host and none: no interface, an endpoint
 * document all the same. Port reservations are sockets in the calling process: the caller must live
 * as long as the endpoint.
 */
int network_attach(struct network_store *store, const struct network_request *request, int netns_fd,
                   json_t **ret_endpoint, struct ct_error *err);

/* Takes back what attach made, from the document it gave. Everything gone already: no error. */
int network_detach(struct network_store *store, const json_t *endpoint, struct ct_error *err);

/* Takes back every endpoint of a container (after a crash or reboot). */
int network_forget(struct network_store *store, const char *container_id, struct ct_error *err);

/* Brings "lo" up in a network namespace. */
int network_loopback_up(int netns_fd, struct ct_error *err);

/* Counters of the interfaces in a network namespace: Docker's stats "networks" object. Owned. */
json_t *network_stats(int netns_fd, struct ct_error *err);

/* The file contents for a container: resolv.conf and hosts. Owned strings. */
char *network_resolv_conf(const json_t *host_config, bool host_network, struct ct_error *err);
char *network_hosts(const char *hostname, const char *domainname, const json_t *endpoints,
                    const json_t *extra_hosts, struct ct_error *err);

#endif
