/*
 * ttrpc_internal.h - a connection as frames, for both sides.
 *
 * Room:       wire, inside ttrpc.h.
 * Called by:  ttrpc_server.c, ttrpc_client.c; the tests, for the bytes.
 */
#ifndef WIRE_TTRPC_INTERNAL_H
#define WIRE_TTRPC_INTERNAL_H

#include "ttrpc.h"

#include <stdbool.h>

#define TTRPC_HEADER_BYTES     10
#define TTRPC_FLAG_REMOTE_OPEN 2 /* of a request: a stream of messages follows */

enum ttrpc_type { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2, TTRPC_DATA = 3 };

struct ttrpc_header_fields {
    uint32_t length, stream;
    uint8_t type, flags;
};

void ttrpc_header_write(const struct ttrpc_header_fields *fields,
                        uint8_t ret[static TTRPC_HEADER_BYTES]);
struct ttrpc_header_fields ttrpc_header_read(const uint8_t bytes[static TTRPC_HEADER_BYTES]);

struct ttrpc_link; /* opaque */

struct ttrpc_link_events {
    /* A whole frame. payload is NULL when it is longer than TTRPC_MESSAGE_MAX: it was skipped. */
    void (*frame)(void *context, const struct ttrpc_header_fields *header, const uint8_t *payload);
    /* The connection has ended; the link is still to be closed. */
    void (*lost)(void *context, const struct ct_error *error);
    void *context;
};

/* fd is given away, also on failure. */
struct ttrpc_link *ttrpc_link_open(struct loop *loop, int fd,
                                   const struct ttrpc_link_events *events, struct ct_error *err);
/* May be called from within the events. Accepts NULL. */
void ttrpc_link_close(struct ttrpc_link *link);

/* Sends a message in a frame, now or when the peer takes it. -1, CT_INVALID: too long. A lost
 * connection is no error here: the event tells. */
int ttrpc_link_send(struct ttrpc_link *link, uint32_t stream, enum ttrpc_type type,
                    const ProtobufCMessage *message, struct ct_error *err);
/* Nothing waits to be sent. */
bool ttrpc_link_is_idle(const struct ttrpc_link *link);
int ttrpc_link_fd(const struct ttrpc_link *link);
/* Sends what the peer takes now. */
void ttrpc_link_push(struct ttrpc_link *link);

#endif
