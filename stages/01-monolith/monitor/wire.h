/*
 * wire.h - the monitor's socket, for both sides: its address, and one JSON document a line.
 *
 * Room:       monitor.   Called by: serve.c (server), ask.c (client).
 *
 * A request is {"do":VERB, …}, a reply {"error":ct_error} or {…}. After the reply of "attach" and
 * "exec" the connection is the stream, so not one byte behind the line may be read with it.
 */
#ifndef MONITOR_WIRE_H
#define MONITOR_WIRE_H

#include "error.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/un.h>

#define WIRE_SOCKET   "monitor.sock"
#define WIRE_LINE_MAX (1 << 20) /* bytes; a longer request or reply is refused */

/* The address of RUN/<id>/monitor.sock, through the directory's descriptor: the path itself may be
 * longer than the 108 bytes that an address holds. */
struct sockaddr_un wire_address(int run_fd);

/* Sends one document as a line, all of it, within timeout_ms. 0, or -1: CT_UNREACHABLE. */
int wire_send(int fd, const json_t *document, int timeout_ms, struct ct_error *err);
/* The same with descriptors, at most WIRE_FDS_MAX, which stay the caller's. */
#define WIRE_FDS_MAX 253 /* the kernel's SCM_MAX_FD */
int wire_send_fds(int fd, const json_t *document, const int *fds, size_t n_fds, int timeout_ms,
                  struct ct_error *err);

/*
 * Takes what has come of a line. *buffer (NULL at first) and *length grow; owned by the caller.
 * 1: *ret is the document; 0: not all of it is there yet (or nothing to read now); -1:
 * CT_UNREACHABLE (the peer closed), CT_INVALID.
 */
int wire_receive(int fd, char **buffer, size_t *length, json_t **ret, struct ct_error *err);

/* Descriptors that came with a line. Owned. */
struct wire_fds {
    int fds[WIRE_FDS_MAX];
    size_t n;
};
/* As wire_receive(); descriptors are added to *ret_fds, in any case the caller's to close. */
int wire_receive_fds(int fd, char **buffer, size_t *length, json_t **ret, struct wire_fds *ret_fds,
                     struct ct_error *err);

#endif
