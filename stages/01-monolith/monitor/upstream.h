/*
 * upstream.h - asks the name servers of the world what we do not know.
 *
 * Room:       monitor.   Called by: dns.c.
 * Spec:       RFC 1035, 4.2; a query goes to one server after the other until one answers.
 */
#ifndef MONITOR_UPSTREAM_H
#define MONITOR_UPSTREAM_H

#include "loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct upstream;

/* host_config: HostConfig, whose Dns takes the place of the host's own servers. */
struct upstream *upstream_new(struct loop *loop, const json_t *host_config);
/* To the queries that are under way nobody answers any more: done() is called for each. */
void upstream_free(struct upstream *upstream);

/* answer is borrowed; NULL: nobody answered. Called once, never from within upstream_ask().
 */
typedef void (*upstream_fn)(void *context, const unsigned char *answer, size_t length);
/* False: not asked (no server, or too many queries are under way). */
bool upstream_ask(struct upstream *upstream, const unsigned char *query, size_t length, bool tcp,
                  upstream_fn done, void *context);

#endif
