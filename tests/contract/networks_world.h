/*
 * networks_world.h - what the contract of networks.h is tested in: a network namespace that stands
 * for the host, and containers in it.
 *
 * Called by:  networks.c, networks_restart.c.
 * Behind it:  networks_world_bare.c (a container is a network namespace and nothing else),
 *             networks_world_task.c (a container is a task of containerd's: it takes no other).
 */
#ifndef NETWORKS_WORLD_H
#define NETWORKS_WORLD_H

#include "error.h"
#include "networks.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern struct network_store *world_store;

/* cmocka's setup and teardown: the store, and a host of the test's own. */
int network_world_init(void **state);
int network_world_done(void **state);
/* Of the one or the other kind. */
int world_enter_host(void);
int world_leave_host(void);
void need_root(void);

struct sandbox {
    char id[65];
    int netns; /* owned */
    void *rest;
};

struct sandbox sandbox_new(void);
void sandbox_delete(struct sandbox *sandbox);
#define AUTO_SANDBOX __attribute__((cleanup(sandbox_delete)))

/* network_attach() with these port bindings as JSON; NULL (err). */
json_t *attach(const struct sandbox *sandbox, const char *network, const char *bindings,
               struct ct_error *err);
void forget(const struct sandbox *sandbox);

/* netns -1: the host's. */
struct sockaddr_in address_of(const char *ip, unsigned port);
int stream_socket(int netns);
/* A listener there, and whether a client elsewhere reaches it. */
int listen_in(int netns, unsigned port);
bool reaches(int netns, const char *ip, unsigned port);
/* Whether a program of the host could have the port. */
bool port_is_free(unsigned port);
/* Whether the bridge of a network is up. */
bool device_exists(const char *network);

#endif
