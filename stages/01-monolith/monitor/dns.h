/*
 * dns.h - the resolver that stands at 127.0.0.11 in a container on a network of the user's.
 *
 * Room:       monitor.   Called by: run.c.
 */
#ifndef MONITOR_DNS_H
#define MONITOR_DNS_H

#include "error.h"
#include "loop.h"

#include <jansson.h>

struct dns;
struct network_store;

/* Opens it in the network namespace. loop and store are borrowed; host_config is
 * HostConfig (Dns: who else is asked). */
struct dns *dns_open(struct loop *loop, int netns_fd, struct network_store *store,
                     const json_t *host_config, struct ct_error *err);
/* The networks that the container is on now: its endpoints by name. */
void dns_set_endpoints(struct dns *dns, json_t *endpoints);
void dns_close(struct dns *dns); /* NULL is allowed */

#endif
