/*
 * grpc_internal.h - what the files of gRPC share: a connection (link) and a call on it.
 *
 * Room:       wire; nobody else includes it.
 *
 * A link's lock guards its HTTP/2 session and all its calls. Its thread (grpc_link.c) reads; who
 * has something to send puts it into the call, and writes by itself what the socket takes. A call
 * is kept by its stream and by who works on it; a link by its thread and by its calls.
 */
#ifndef GRPC_INTERNAL_H
#define GRPC_INTERNAL_H

#define CT_LAYER "grpc"

#include "cleanup.h"
#include "error.h"
#include "grpc.h"
#include "grpc_parts.h"
#include "path.h"
#include "status.h"

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdlib.h>

#define QUEUE_MAX   (1 << 20)  /* bytes of a call that wait to be sent, or to be taken */
#define HELD_MAX    (64 << 20) /* bytes of a connection that wait to be taken */
#define WINDOW_CALL (1 << 20)
#define WINDOW_LINK (4 << 20)

struct link {
    pthread_mutex_t lock;
    int fd, wake_fd;
    nghttp2_session *session; /* NULL once the connection is over */
    int refs;
    bool is_server;
    bool closing; /* no new calls */
    struct bytes outbox;
    size_t held; /* bytes received that nobody has taken */
    struct grpc_call *calls;
    /* Server: a request's headers are complete. Called with the lock held, in the link's thread. */
    void (*arrived)(struct link *link, struct grpc_call *call);
    void *owner;                                   /* of arrived() and ended() */
    void (*ended)(struct link *link, void *owner); /* its thread leaves; may be NULL */
};

struct metadata {
    char *name, *value;
};

struct grpc_call {
    struct link *link;
    struct grpc_call *next; /* of the link's calls */
    int refs;
    int32_t stream; /* 0: the client has not sent its headers yet */
    pthread_cond_t changed;
    int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */

    char *path;
    struct metadata *headers; /* what the peer sent: request's headers, or headers and trailers */
    size_t n_headers, headers_size;
    struct bytes in;
    size_t unconsumed; /* bytes of `in` that the window of the stream has not got back */
    bool in_ended;     /* the peer sends no more */
    struct bytes out;
    bool begun;     /* server: the response's headers are out */
    bool out_ended; /* we send no more */
    bool closed;    /* the stream is gone */
    int cancel_fd;  /* -1: nobody asked */

    Google__Rpc__Status *status; /* server: how it ends; NULL: well */
    const struct grpc_method *method;
    const ProtobufCMethodDescriptor *types;
    void *context;
    struct pool pool;
    const char *peer;          /* client: its name in errors */
    struct grpc_call *waiting; /* server: the next in the queue for a worker */
};

/* ---- grpc_link.c ---- */

/* Takes fd and starts the thread. NULL (err): fd is closed. The caller owns a reference. */
struct link *link_open(int fd, bool is_server, void (*arrived)(struct link *, struct grpc_call *),
                       void (*ended)(struct link *, void *), void *owner, struct ct_error *err);
void link_unref(struct link *link);
/* With the lock held: sends what can be sent now. The thread does the rest. */
void link_flush(struct link *link);
/* Ends the connection: all its calls are closed. */
void link_shut(struct link *link);

/* ---- grpc_call.c ---- */

/* With the lock held. The new call has one reference, which is its stream's. */
struct grpc_call *call_new(struct link *link, int32_t stream);
void call_ref(struct grpc_call *call);
/* Without the lock. */
void call_unref(struct grpc_call *call);
/* With the lock held, in the link's thread. */
void call_unref_locked(struct grpc_call *call);
/* With the lock held: the stream is gone, with all that waits. */
void call_closed(struct grpc_call *call);
const char *call_header(const struct grpc_call *call, const char *name);
/* Adds one that the peer sent; -1: there are too many. */
int call_add_header(struct grpc_call *call, const uint8_t *name, size_t name_length,
                    const uint8_t *value, size_t value_length);
/* With the lock held: waits for a change. -1: CT_TIMEOUT. */
int call_wait(struct grpc_call *call, struct ct_error *err);
/* Puts a message into the queue; flush false: more follows at once. */
int call_send(struct grpc_call *call, const ProtobufCMessage *message, bool flush,
              struct ct_error *err);
/* What nghttp2 asks when it can send. */
nghttp2_data_provider call_provider(struct grpc_call *call);
/* The trailers of a status, at most 4; names and values in pool. */
size_t status_headers(const Google__Rpc__Status *status, struct pool *pool, nghttp2_nv *ret);
nghttp2_nv header(const char *name, const char *value);

#endif
