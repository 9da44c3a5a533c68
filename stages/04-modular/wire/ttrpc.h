/*
 * ttrpc.h - remote calls on a unix socket without HTTP: small enough for one process a container.
 *
 * Room:       wire. Carries protobuf messages; knows no service by name.
 * Called by:  shim (server; client of containerd's events), containerd (client).
 * Spec:       containerd/ttrpc, PROTOCOL.md. A frame is
 *
 *                 length u32 be | stream u32 be | type u8 | flags u8 | length bytes
 *
 *             A client opens an odd stream for each call and sends one request in it; the server
 *             answers with one response, in any order. There is no handshake.
 *
 * All of it happens on the caller's loop (loop.h), which must outlive what is opened here. Not from
 * two threads at once. A peer is not trusted: what it claims to send costs no memory before it has
 * come, and one that does not read is not listened to until it does.
 */
#ifndef WIRE_TTRPC_H
#define WIRE_TTRPC_H

#include "error.h"
#include "loop.h"
#include "span.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#define TTRPC_MESSAGE_MAX (4 << 20) /* bytes of a frame, without its header */
#define TTRPC_CALLS_MAX   1024      /* of a connection at a time */

/* ---- server --------------------------------------------------------------------------------- */

struct ttrpc_server;
struct ttrpc_call; /* opaque: one that wants an answer */

/* Answers by ttrpc_reply() or ttrpc_refuse(), exactly once, now or later. request has the type that
 * the service's descriptor says, and lives until then. */
typedef void (*ttrpc_handle_fn)(struct ttrpc_call *call, const void *request);

struct ttrpc_method {
    const char *name; /* as in the descriptor */
    ttrpc_handle_fn handle;
};

/* Methods that are not in the table are CT_UNSUPPORTED, as are unknown services. */
struct ttrpc_service {
    const ProtobufCServiceDescriptor *descriptor;
    const struct ttrpc_method *methods;
    size_t n_methods;
    enum ct_role role; /* who answers, in a trace */
};

/*
 * ttrpc_server_open - serves on listen_fd (given away, also on failure). service and context are
 * borrowed for the server's life. Peers of another user than ours are turned away, whatever the
 * socket's mode is (CVE-2020-15257).
 */
struct ttrpc_server *ttrpc_server_open(struct loop *loop, int listen_fd,
                                       const struct ttrpc_service *service, void *context,
                                       struct ct_error *err);
/* Calls that are not answered yet must still be; nobody hears it. Accepts NULL. */
void ttrpc_server_close(struct ttrpc_server *server);
/* Serves a connection that is there already (given away, also on failure). */
int ttrpc_server_add(struct ttrpc_server *server, int fd, struct ct_error *err);
/* How many connections there are. */
size_t ttrpc_server_peers(const struct ttrpc_server *server);
/* Tries to hand over what has been answered, for at most timeout_ms: before the process ends. */
void ttrpc_server_flush(struct ttrpc_server *server, int timeout_ms);

void *ttrpc_context(const struct ttrpc_call *call);
/* The request again, for an answer that comes later. */
const void *ttrpc_request_of(const struct ttrpc_call *call);
/* Of the request; borrowed, NULL when absent. */
const char *ttrpc_metadata(const struct ttrpc_call *call, const char *key);
/* How long the caller still waits, in ms; -1: for ever. When that has passed it has had an answer
 * (CT_TIMEOUT), and ours goes nowhere. */
int ttrpc_time_left_ms(const struct ttrpc_call *call);

/* message has the type that the service's descriptor says. Frees the call. */
void ttrpc_reply(struct ttrpc_call *call, const void *message);
void ttrpc_refuse(struct ttrpc_call *call, const struct ct_error *error);

/* ---- client --------------------------------------------------------------------------------- */

struct ttrpc_client;

struct ttrpc_header {
    const char *key, *value;
};

struct ttrpc_request {
    const ProtobufCServiceDescriptor *service;
    const char *method; /* one of the service's */
    const void *message;
    const struct ttrpc_header *headers; /* metadata; the trace context goes along by itself */
    size_t n_headers;
    int timeout_ms; /* -1: no deadline */
};

/* Connects to a socket without waiting. -1: CT_UNREACHABLE (nobody listens), CT_DENIED, … */
int ttrpc_connect(const char *socket_path, struct ct_error *err);

/* The connection has ended; all calls have been answered (CT_UNREACHABLE). The client is still to
 * be closed, here or later. */
typedef void (*ttrpc_lost_fn)(void *context, const struct ct_error *error);
/* response is borrowed, and has the type that the service's descriptor says; NULL: *error. */
typedef void (*ttrpc_done_fn)(void *context, const void *response, const struct ct_error *error);

/* fd is a connection, given away, also on failure. peer: what it is called in errors ("shim");
 * copied. lost may be NULL. */
struct ttrpc_client *ttrpc_client_open(struct loop *loop, int fd, const char *peer,
                                       ttrpc_lost_fn lost, void *context, struct ct_error *err);
/* Calls under way are given up: done is not called. Accepts NULL. */
void ttrpc_client_close(struct ttrpc_client *client);

/* Begins a call; done comes later, exactly once, unless this failed (-1). */
int ttrpc_begin(struct ttrpc_client *client, const struct ttrpc_request *request,
                ttrpc_done_fn done, void *context, struct ct_error *err);

/*
 * ttrpc_ask - one call on a connection of its own, waited for: for whoever has no loop, but
 * threads. *ret is owned (protobuf_c_message_free_unpacked). -1: the peer's error; CT_UNREACHABLE,
 * CT_TIMEOUT.
 */
int ttrpc_ask(const char *socket_path, const char *peer, const struct ttrpc_request *request,
              ProtobufCMessage **ret, struct ct_error *err);

#endif
