/*
 * listen.h - sockets that clients can connect to.
 *
 * Room:       daemon.   Called by: main.c of cutawayd; of containerd (04).
 * Man:        unix(7), ip(7).
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "rest.h"

/*
 * listen_unix - makes the socket 0660 root:GROUP (group NULL: "cutaway" where it exists). One that
 * nobody serves any more is replaced; one that somebody serves is CT_EXISTS.
 */
int listen_unix(const char *path, const char *group, struct ct_error *err);

/*
 * listen_let_pass - members of the group (as above) may pass through dir on their way to the socket
 * in it: 0710 root:GROUP, 0700 where there is no such group. They cannot list it, and what lies
 * beside the socket is 0700 or 0600. A directory that has neither mode stays as it is.
 */
int listen_let_pass(const char *dir, const char *group, struct ct_error *err);

/* listen_tcp - the first address of the name that can be bound. CT_EXISTS: the port is in use. */
int listen_tcp(const struct rest_host *host, struct ct_error *err);

/*
 * listen_look - what a socket that was handed over is: unix (its path is not told), or the address
 * and port that it listens on. CT_INVALID: it does not listen. Owned (rest_host_done).
 */
int listen_look(int fd, struct rest_host *ret, struct ct_error *err);

#endif
