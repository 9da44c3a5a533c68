/*
 * tls.h - who may talk over tcp: only clients with a certificate of our authority.
 *
 * Room:       daemon.   Called by: server.c.
 * Spec:       RFC 8446; what Docker calls --tlsverify. GnuTLS does the work.
 *
 * TLS ends here, and what is handed on is a plain socket like any other. The HTTP library could do
 * TLS itself, but it does not pass on that a client sends no more (close_notify), and then
 * `echo x | docker run -i busybox cat` would never end.
 */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include "server.h"

struct tls_front;

/* Takes a connection (a socket, given away), in the clear. Called in a thread of its own. */
typedef void (*tls_take_fn)(void *context, int fd);

/*
 * tls_front_open - accepts connections on listen_fd (given away), and hands on those whose client
 * has shown a certificate of the authority; others are told with status 403. CT_NOT_FOUND,
 * CT_DENIED, CT_INVALID: a file that cannot be used.
 */
struct tls_front *tls_front_open(const struct server_tls *files, int listen_fd, tls_take_fn take,
                                 void *context, struct ct_error *err);

/* Takes no new connections, and hands on none any more; the others go on. */
void tls_front_quiesce(struct tls_front *front);

/* Sends what is left to be sent, for some seconds at most; ends every connection. NULL: nothing. */
void tls_front_close(struct tls_front *front);

#endif
