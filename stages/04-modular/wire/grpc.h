/*
 * grpc.h - remote calls over HTTP/2 on a unix socket, both sides.
 *
 * Room:       wire. Carries protobuf messages; knows no service by name.
 * Called by:  containerd (server), the engine of stage 04 (client).
 * Spec:       grpc/doc/PROTOCOL-HTTP2.md; RFC 9113. HTTP/2 itself is libnghttp2's.
 *
 * A call is a stream of HTTP/2: the request's headers name the method, each message is a length and
 * its bytes, and the status comes as trailers. Each connection has a thread that reads and writes;
 * each call of a server has a thread of its own while it lasts, so a handler may block, and holds
 * nobody up. All functions may be called from any thread; one call belongs to one thread at a time.
 *
 * Limits: a message has at most GRPC_MESSAGE_MAX bytes, the headers of a call GRPC_HEADERS_MAX, a
 * connection GRPC_CALLS_MAX calls at a time. Who sends waits while the peer does not read.
 */
#ifndef WIRE_GRPC_H
#define WIRE_GRPC_H

#include "error.h"
#include "pool.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_MESSAGE_MAX (16 << 20)
#define GRPC_HEADERS_MAX (32 << 10)
#define GRPC_CALLS_MAX   4096

struct grpc_call; /* opaque */

/* ---- the call, on both sides ---------------------------------------------------------------- */

/*
 * grpc_receive - waits for the next message. *ret is owned by the caller
 * (protobuf_c_message_free_unpacked). Returns 1; 0 when the peer sends no more; -1: CT_INVALID (not
 * this message, or too long), CT_TIMEOUT (deadline), CT_UNREACHABLE (cancelled, connection lost).
 * On the client 0 comes also when the call has failed: grpc_end() says so.
 */
int grpc_receive(struct grpc_call *call, const ProtobufCMessageDescriptor *type,
                 ProtobufCMessage **ret, struct ct_error *err);

/* Sends a message; waits while the peer does not take what was sent before. -1 as above. */
int grpc_send(struct grpc_call *call, const void *message, struct ct_error *err);

/* ---- server --------------------------------------------------------------------------------- */

/* Of one request and one answer: fills in response (already initialized), whose parts live in
 * grpc_pool(). */
typedef int (*grpc_unary_fn)(struct grpc_call *call, const void *request, void *response,
                             struct ct_error *err);
/* All others receive and send by themselves. */
typedef int (*grpc_stream_fn)(struct grpc_call *call, struct ct_error *err);

struct grpc_method {
    const char *name; /* as in the descriptor */
    grpc_unary_fn unary;
    grpc_stream_fn stream; /* one of the two */
};

/* Methods that are not in the table answer UNIMPLEMENTED. */
struct grpc_service {
    const ProtobufCServiceDescriptor *descriptor;
    const struct grpc_method *methods;
    size_t n_methods;
};

struct grpc_server;

/*
 * grpc_server_open - serves on listen_fd (given away, also on failure). services are borrowed for
 * the server's life. before: asked first for each call; -1 refuses it. May be NULL.
 */
struct grpc_server *grpc_server_open(int listen_fd, const struct grpc_service *const *services,
                                     size_t n_services, grpc_stream_fn before, void *context,
                                     struct ct_error *err);
/* Takes no more calls, cancels those under way, and waits for their handlers. Accepts NULL. */
void grpc_server_close(struct grpc_server *server);

void *grpc_context(const struct grpc_call *call);
const char *grpc_path(const struct grpc_call *call); /* "/package.Service/Method" */
/* A header of the request; borrowed, NULL when absent. */
const char *grpc_metadata(const struct grpc_call *call, const char *name);
/* Memory that lives until the call has been answered. */
struct pool *grpc_pool(struct grpc_call *call);
/* Turns readable when the peer has given the call up, or the connection is lost. Borrowed. */
int grpc_cancel_fd(struct grpc_call *call, struct ct_error *err);
/* How long the caller still waits, in ms; -1: for ever. */
int grpc_time_left_ms(struct grpc_call *call);

/* ---- client --------------------------------------------------------------------------------- */

struct grpc_client;

struct grpc_header {
    const char *name, *value;
};

/* peer: what it is called in errors ("containerd"). Connects at the first call, and again after the
 * connection was lost. Strings are copied. */
struct grpc_client *grpc_client_open(const char *socket_path, const char *peer,
                                     struct ct_error *err);
/* No call may be under way. Accepts NULL. */
void grpc_client_close(struct grpc_client *client);

/*
 * grpc_begin - begins a call. timeout_ms -1: no deadline. The trace context goes along by itself.
 * NULL: CT_UNREACHABLE (nobody listens), CT_DENIED.
 */
struct grpc_call *grpc_begin(struct grpc_client *client, const ProtobufCServiceDescriptor *service,
                             const char *method, const struct grpc_header *headers,
                             size_t n_headers, int timeout_ms, struct ct_error *err);
/* No more messages from here. */
void grpc_send_end(struct grpc_call *call);
/* Waits for the status and frees the call. -1 with the peer's error. */
int grpc_end(struct grpc_call *call, struct ct_error *err);
/* Gives the call up and frees it. Accepts NULL. */
void grpc_abort(struct grpc_call *call);

/* A call of one request and one answer; *ret is owned by the caller. */
int grpc_unary(struct grpc_client *client, const ProtobufCServiceDescriptor *service,
               const char *method, const struct grpc_header *headers, size_t n_headers,
               int timeout_ms, const void *request, ProtobufCMessage **ret, struct ct_error *err);

#endif
