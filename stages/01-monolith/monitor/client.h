/*
 * client.h - one attached client: its socket, and what it has not taken yet.
 *
 * Room:       monitor.   Called by: streams.c.
 */
#ifndef MONITOR_CLIENT_H
#define MONITOR_CLIENT_H

#include "detach.h"
#include "error.h"
#include "streams.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct client {
    int fd;
    bool in, out, err;
    bool at_end;  /* it sends nothing any more */
    bool hung_up; /* it takes nothing any more */
    struct detach detach;
    int spill;        /* unlinked file of what it has not taken, or -1 */
    off_t head, tail; /* … which is from head to tail */
    struct loop_source *source;
    struct streams *streams;
    struct client *next;
};

struct client *client_new(const struct streams_client *wanted, struct ct_error *err);
void client_free(struct client *client); /* closes its connection */

/* Bytes that it has not taken. */
long long client_behind(const struct client *client);

/* Sends now what the socket takes, keeps the leftover. -1: the client is gone, or cannot be served.
 */
int client_send(struct client *client, const unsigned char *data, size_t length, int spill_dir);
/* Sends what was kept, as much as the socket takes. -1: the client is gone. */
int client_flush(struct client *client);
/* If it is behind: leaves somebody behind who sends it the rest (leftover.h). Its descriptors are
 * then no longer the client's. */
void client_send_rest(struct client *client);

#endif
