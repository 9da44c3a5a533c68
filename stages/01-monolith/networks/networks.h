/*
 * networks.h - networks: records, address allocation, bridges, veth pairs, NAT and published ports.
 *
 * Room:       networks. Knows network namespaces by descriptor; knows nothing of containers'
 * records. Called by:  engine (records), monitor (attach and detach around a run); in stage 04
 * containerd, for them. Man: rtnetlink(7), veth(4), bridge; libnftables(3). Nothing is shelled out.
 * All functions may be called from any thread.
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
    const char *address;   /* fixed IPv4 address, or NULL */
    const char *mac;       /* fixed, or NULL: derived from the address, as Docker does */
    const json_t *aliases; /* further names on this network: strings, or NULL */
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
 * as long as the endpoint, or its successor calls network_restore(). A container is on a network
 * once: an endpoint of it that is there already is taken back first.
 */
int network_attach(struct network_store *store, const struct network_request *request, int netns_fd,
                   json_t **ret_endpoint, struct ct_error *err);

/* Takes back what attach made, from the document it gave. Everything gone already: no error. */
int network_detach(struct network_store *store, const json_t *endpoint, struct ct_error *err);

/* Takes back every endpoint of a container (after a crash or reboot). */
int network_forget(struct network_store *store, const char *container_id, struct ct_error *err);
/* Takes back what a container has on one network, without the document that attach gave. */
int network_leave(struct network_store *store, const char *reference, const char *container_id,
                  struct ct_error *err);

/*
 * network_restore - for a process that holds the ports of all containers, when it begins: reserves
 * again what the records say, and takes back the endpoints of containers that are gone. lives:
 * whether a container is there. A port that somebody else took meanwhile is only warned of.
 */
int network_restore(struct network_store *store,
                    bool (*lives)(void *context, const char *container_id), void *context,
                    struct ct_error *err);

/* Brings "lo" up in a network namespace. */
int network_loopback_up(int netns_fd, struct ct_error *err);

/* Counters of the interfaces in a network namespace: Docker's stats "networks" object. Owned. */
json_t *network_stats(int netns_fd, struct ct_error *err);

/* The endpoints of a running container are known by another name from now on. */
int network_rename(struct network_store *store, const char *container_id, const char *name,
                   struct ct_error *err);

/* The file contents for a container: resolv.conf and hosts. Owned strings. */
enum network_resolver {
    NETWORK_RESOLVER_HOST,      /* the network is the host's: what the host has */
    NETWORK_RESOLVER_UPSTREAM,  /* what the host has, if it can be reached from elsewhere */
    NETWORK_RESOLVER_CONTAINERS /* ours, at 127.0.0.11: see network_resolver_open() */
};
char *network_resolv_conf(const json_t *host_config, enum network_resolver resolver,
                          struct ct_error *err);
char *network_hosts(const char *hostname, const char *domainname, const json_t *endpoints,
                    const json_t *extra_hosts, struct ct_error *err);

/*
 * Names. On every network but the three that always are, containers find each other by name, alias,
 * short id, or any of these and ".network": a resolver at 127.0.0.11:53 in each container's network
 * namespace answers. It is the monitor that asks and answers; here is what it says.
 */
bool network_has_names(const char *network_name);

/*
 * network_resolver_open - makes the resolver's sockets in the namespace and leads port 53 of
 * 127.0.0.11 to them (the container may have a name server of its own on port 53). ret_fds: UDP,
 * and listening TCP; owned, non-blocking.
 */
int network_resolver_open(int netns_fd, int ret_fds[static 2], struct ct_error *err);

/*
 * network_resolver_answer - the answer to a query (a DNS message, without TCP's length) of a
 * container with these endpoints. Returns its length in answer; 0: the name is not ours, somebody
 * else must be asked; -1: no query, drop it. The query is a stranger's.
 */
#define NETWORK_DNS_UDP_MAX 512
#define NETWORK_DNS_MAX     65535
int network_resolver_answer(struct network_store *store, const json_t *endpoints,
                            const unsigned char *query, size_t length, unsigned char *answer,
                            size_t size);
/* The answer that says "I cannot": as above. */
int network_resolver_refuse(const unsigned char *query, size_t length, unsigned char *answer,
                            size_t size);

#endif
