/*
 * tls_internal.h - the front and its connections: tls.c accepts, tls_link.c is one connection.
 *
 * Room:       daemon; included by tls.c and tls_link.c only.
 */
#ifndef DAEMON_TLS_INTERNAL_H
#define DAEMON_TLS_INTERNAL_H

#include "tls.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>

struct tls_front {
    gnutls_certificate_credentials_t credentials;
    int listen_fd;
    int quiesce_fd, end_fd; /* eventfds: no new connections; none at all */
    pthread_t thread;       /* accepts */
    tls_take_fn take;
    void *context;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t gone;  /* the last link has ended */
    struct tls_link *links;
    unsigned n_links;
    bool quiet; /* nothing is handed on any more */
};

/* One connection, on a thread of its own. */
struct tls_link {
    struct tls_front *front;
    int client_fd; /* owned, does not block */
    gnutls_session_t session;
    struct tls_link *next, **slot;
};

/* From the handshake to the end. What the link holds is released by its thread (tls.c). */
void tls_link_run(struct tls_link *link);

#endif
