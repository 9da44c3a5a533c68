/*
 * server.h - the REST server over engine.h: from a listening socket to the engine's functions.
 *
 * Room:       daemon.   Called by: main.c of cutawayd (stages 02 and 03); tests.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "engine.h"

struct server;

struct server_tls {
    const char *ca_file, *certificate_file, *key_file; /* PEM; all or none */
};

/*
 * server_open - serves engine (borrowed) on a listening socket (given away). tls NULL: none; else
 * only clients with a certificate of that authority are answered.
 */
struct server *server_open(struct engine *engine, int listen_fd, const struct server_tls *tls,
                           struct ct_error *err);

/*
 * server_close - takes no new connections, ends what follows (logs -f, events, attach), lets calls
 * that are under way finish, and frees everything. Containers are not touched.
 */
void server_close(struct server *server);

#endif
