/*
 * tls.h - who may talk over tcp: only clients with a certificate of our authority.
 *
 * Room:       daemon.   Called by: server.c.
 */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include "server.h"

#include <microhttpd.h>

struct tls;

/* Reads the three files. CT_NOT_FOUND, CT_DENIED, CT_INVALID. */
struct tls *tls_load(const struct server_tls *files, struct ct_error *err);
void tls_free(struct tls *tls);

/* Fills in at most three options and the end; only the end when tls is NULL. */
void tls_options(const struct tls *tls, struct MHD_OptionItem ret[static 4]);

/* CT_DENIED unless the peer of this connection has shown such a certificate. */
int tls_check_peer(struct MHD_Connection *connection, struct ct_error *err);

#endif
