/*
 * ttrpc_server.c - takes calls and brings each to its method.
 *
 * Room:       wire.   Called by: shim.
 * Spec:       see ttrpc.h.
 */
#define CT_LAYER "ttrpc"
#include "ttrpc_internal.h"

#include "containerd_api.h"
#include "status.h"
#include "words.h"

#include "cleanup.h"
#include "log.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LONGEST_NS                                                                 \
    INT64_C(0x3FFFFFFFFFFFFFFF) /* of a deadline: added to a clock, it is a number \
                                 */

struct peer { /* a connection */
    struct ttrpc_server *server;
    struct ttrpc_link *link;
    struct ttrpc_call *calls;
    size_t n_calls;
    struct peer *next;
};

struct ttrpc_call {
    struct peer *peer; /* NULL: it has gone, or has had its answer */
    void *context;
    uint32_t stream;
    Ttrpc__Request *envelope;
    ProtobufCMessage *request;
    int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    struct loop_timer timer;
    struct ct_span span;
    struct ttrpc_call *next; /* of the peer's */
};

struct ttrpc_server {
    struct loop *loop;
    int fd;
    struct loop_source *source;
    const struct ttrpc_service *service;
    void *context;
    struct peer *peers;
};

/* ---- answers -------------------------------------------------------------------------------- */

static void send_response(struct peer *peer, uint32_t stream, Ttrpc__Response *response,
                          struct ct_error *err)
{
    if (ttrpc_link_send(peer->link, stream, TTRPC_RESPONSE, &response->base, err) < 0) {
        ct_warn("answer lost stream=%u", stream);
    }
}

static void send_refusal(struct peer *peer, uint32_t stream, const struct ct_error *error)
{
    struct ct_error err = {0};
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;

    response.status = wire_status_new(error);
    send_response(peer, stream, &response, &err);
    wire_status_free(response.status);
}

/* The call does not belong to its peer any more; what comes later goes nowhere. */
static void detach(struct ttrpc_call *call)
{
    struct ttrpc_call **slot = call->peer ? &call->peer->calls : NULL;

    loop_disarm(&call->timer);
    while (slot && *slot != call) {
        slot = &(*slot)->next;
    }
    if (slot) {
        *slot = call->next;
        call->peer->n_calls--;
    }
    call->peer = NULL;
}

static void free_call(struct ttrpc_call *call)
{
    detach(call);
    if (call->request) {
        protobuf_c_message_free_unpacked(call->request, NULL);
    }
    ttrpc__request__free_unpacked(call->envelope, NULL);
    free(call);
}

void ttrpc_reply(struct ttrpc_call *call, const void *message)
{
    ct_span_end_later(&call->span, ttrpc_metadata(call, "traceparent"), NULL);
    if (call->peer) {
        struct ct_error err = {0};
        size_t size = protobuf_c_message_get_packed_size(message);
        CT_AUTO_FREE uint8_t *bytes = malloc(size + 1);
        Ttrpc__Response response = TTRPC__RESPONSE__INIT;

        if (!bytes) {
            abort();
        }
        response.payload.data = bytes;
        response.payload.len = protobuf_c_message_pack(message, bytes);
        if (ttrpc_link_send(call->peer->link, call->stream, TTRPC_RESPONSE, &response.base, &err) <
            0) {
            send_refusal(call->peer, call->stream, &err);
        }
    }
    free_call(call);
}

void ttrpc_refuse(struct ttrpc_call *call, const struct ct_error *error)
{
    ct_span_end_later(&call->span, ttrpc_metadata(call, "traceparent"), error);
    if (call->peer) {
        send_refusal(call->peer, call->stream, error);
    }
    free_call(call);
}

static void time_is_up(void *context)
{
    struct ttrpc_call *call = context;
    struct ct_error err = {0};

    (void)ct_refuse(&err, CT_TIMEOUT, "call '%.80s': the time ran out", call->envelope->method);
    send_refusal(call->peer, call->stream, &err);
    detach(call);
}

/* ---- calls ---------------------------------------------------------------------------------- */

void *ttrpc_context(const struct ttrpc_call *call)
{
    return call->context;
}

const void *ttrpc_request_of(const struct ttrpc_call *call)
{
    return call->request;
}

const char *ttrpc_metadata(const struct ttrpc_call *call, const char *key)
{
    for (size_t i = 0; i < call->envelope->n_metadata; i++) {
        if (strcmp(call->envelope->metadata[i]->key, key) == 0) {
            return call->envelope->metadata[i]->value;
        }
    }
    return NULL;
}

int ttrpc_time_left_ms(const struct ttrpc_call *call)
{
    if (!call->deadline_ns) {
        return -1;
    }
    int64_t left_ms = (call->deadline_ns - ct_monotonic_ns()) / 1000000;
    return left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

/* The method's handler and the type of its request; NULL: we have none. */
static ttrpc_handle_fn find_method(const struct ttrpc_service *service,
                                   const Ttrpc__Request *request,
                                   const ProtobufCMessageDescriptor **ret_type,
                                   struct ct_error *err)
{
    const ProtobufCMethodDescriptor *known = NULL;

    if (strcmp(request->service, service->descriptor->name) != 0) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "call service '%.80s': there is only %s",
                        request->service, service->descriptor->name);
        return NULL;
    }
    known = protobuf_c_service_descriptor_get_method_by_name(service->descriptor, request->method);
    for (size_t i = 0; known && i < service->n_methods; i++) {
        if (strcmp(service->methods[i].name, request->method) == 0) {
            *ret_type = known->input;
            return service->methods[i].handle;
        }
    }
    (void)ct_refuse(err, CT_UNSUPPORTED, "call method '%.80s' of %s: there is none",
                    request->method, service->descriptor->name);
    return NULL;
}

static struct ttrpc_call *new_call(struct peer *peer, uint32_t stream, Ttrpc__Request *envelope,
                                   ProtobufCMessage *request)
{
    struct ttrpc_call *call = calloc(1, sizeof(*call));

    if (!call) {
        abort();
    }
    *call = (struct ttrpc_call){.peer = peer,
                                .context = peer->server->context,
                                .stream = stream,
                                .envelope = envelope,
                                .request = request,
                                .next = peer->calls};
    peer->calls = call;
    peer->n_calls++;
    if (envelope->timeout_nano > 0) {
        int64_t left_ns = envelope->timeout_nano < LONGEST_NS ? envelope->timeout_nano : LONGEST_NS;
        call->deadline_ns = ct_monotonic_ns() + left_ns;
        loop_arm(peer->server->loop, &call->timer, left_ns, time_is_up, call);
    }
    return call;
}

/* The answer may come in a later turn of the loop, and the span ends there. */
static void handle_traced(struct ttrpc_call *call, ttrpc_handle_fn handle, enum ct_role role)
{
    struct ct_span span = {0};

    ct_span_adopt(ttrpc_metadata(call, "traceparent"));
    if (ct_span_wanted()) {
        CT_AUTO_FREE char *words =
            wire_words(call->envelope->service, call->envelope->method, call->request);
        span = ct_span_begin(NULL, role, CT_STEP_REPLY, "%s", words);
        call->span = span;
        call->span.left = true; /* whoever answers, even at once: the thread is ours to lead out */
    }
    handle(call, call->request); /* it may be freed by now */
    ct_span_leave(&span);
    ct_span_adopt(NULL);
}

/* Takes envelope over. */
static int dispatch(struct peer *peer, uint32_t stream, Ttrpc__Request *envelope,
                    struct ct_error *err)
{
    const ProtobufCMessageDescriptor *type = NULL;
    ttrpc_handle_fn handle = find_method(peer->server->service, envelope, &type, err);
    ProtobufCMessage *request = NULL;

    if (handle) {
        request =
            protobuf_c_message_unpack(type, NULL, envelope->payload.len, envelope->payload.data);
    }
    if (!request) {
        if (handle) {
            (void)ct_refuse(err, CT_INVALID, "read the request of '%.80s': it is no %s",
                            envelope->method, type->name);
        }
        ttrpc__request__free_unpacked(envelope, NULL);
        return -1;
    }
    struct ttrpc_call *call = new_call(peer, stream, envelope, request);
    handle_traced(call, handle, peer->server->service->role);
    return 0;
}

static int take_request(struct peer *peer, const struct ttrpc_header_fields *header,
                        const uint8_t *payload, struct ct_error *err)
{
    if (!payload) {
        return ct_refuse(err, CT_INVALID, "read a request of %u bytes: %d are the most",
                         header->length, TTRPC_MESSAGE_MAX);
    }
    if (header->stream % 2 == 0) {
        return ct_refuse(err, CT_INVALID, "open stream %u: a client's are odd", header->stream);
    }
    if (header->flags & TTRPC_FLAG_REMOTE_OPEN) {
        return ct_refuse(err, CT_UNSUPPORTED, "call with a stream of messages: all are of one");
    }
    if (peer->n_calls >= TTRPC_CALLS_MAX) {
        return ct_refuse(err, CT_CONFLICT, "call: %zu are under way already", peer->n_calls);
    }
    Ttrpc__Request *envelope = ttrpc__request__unpack(NULL, header->length, payload);
    if (!envelope) {
        return ct_refuse(err, CT_INVALID, "read a request: it is none");
    }
    return dispatch(peer, header->stream, envelope, err);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void free_peer(struct peer *peer)
{
    struct peer **slot = &peer->server->peers;

    while (*slot != peer) {
        slot = &(*slot)->next;
    }
    *slot = peer->next;
    while (peer->calls) {
        detach(peer->calls); /* still to be answered by whoever has it */
    }
    ttrpc_link_close(peer->link);
    free(peer);
}

static void peer_frame(void *context, const struct ttrpc_header_fields *header,
                       const uint8_t *payload)
{
    struct peer *peer = context;
    struct ct_error err = {0};

    if (header->type != TTRPC_REQUEST) {
        return; /* ignored, as the protocol has it */
    }
    if (take_request(peer, header, payload, &err) < 0) {
        send_refusal(peer, header->stream, &err);
    }
}

static void peer_lost(void *context, const struct ct_error *error)
{
    (void)error;
    free_peer(context);
}

int ttrpc_server_add(struct ttrpc_server *server, int fd, struct ct_error *err)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (!peer) {
        abort();
    }
    peer->server = server;
    peer->link = ttrpc_link_open(
        server->loop, fd,
        &(struct ttrpc_link_events){.frame = peer_frame, .lost = peer_lost, .context = peer}, err);
    if (!peer->link) {
        free(peer);
        return -1;
    }
    peer->next = server->peers;
    server->peers = peer;
    return 0;
}

/* The file's mode keeps others out already; this holds, too, where somebody changed it. */
static bool is_of_our_user(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static void peer_comes(void *context, uint32_t events)
{
    struct ttrpc_server *server = context;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)events;

    if (fd < 0) {
        return; /* it has gone again, or there are no descriptors: the next round tries again */
    }
    if (!is_of_our_user(fd)) {
        ct_warn("connection refused: it is another user's");
        return;
    }
    if (ttrpc_server_add(server, ct_steal_fd(&fd), &err) < 0) {
        ct_warn("connection refused: %s", err.frame[0].what);
    }
}

struct ttrpc_server *ttrpc_server_open(struct loop *loop, int listen_fd,
                                       const struct ttrpc_service *service, void *context,
                                       struct ct_error *err)
{
    struct ttrpc_server *server = calloc(1, sizeof(*server));

    if (!server) {
        abort();
    }
    *server = (struct ttrpc_server){
        .loop = loop, .fd = listen_fd, .service = service, .context = context};
    server->source = loop_watch(loop, listen_fd, EPOLLIN, peer_comes, server, err);
    if (!server->source) {
        (void)close(listen_fd);
        free(server);
        return NULL;
    }
    return server;
}

void ttrpc_server_close(struct ttrpc_server *server)
{
    if (!server) {
        return;
    }
    loop_unwatch(server->source);
    (void)close(server->fd);
    while (server->peers) {
        free_peer(server->peers);
    }
    free(server);
}

size_t ttrpc_server_peers(const struct ttrpc_server *server)
{
    size_t n = 0;
    for (const struct peer *peer = server->peers; peer; peer = peer->next) {
        n++;
    }
    return n;
}

void ttrpc_server_flush(struct ttrpc_server *server, int timeout_ms)
{
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;

    for (struct peer *peer = server->peers; peer; peer = peer->next) {
        while (!ttrpc_link_is_idle(peer->link)) {
            struct pollfd fd = {.fd = ttrpc_link_fd(peer->link), .events = POLLOUT};
            int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
            if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0) {
                break;
            }
            ttrpc_link_push(peer->link);
        }
    }
}
