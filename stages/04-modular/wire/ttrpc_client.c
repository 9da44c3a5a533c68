/*
 * ttrpc_client.c - makes calls and finds the one that an answer belongs to.
 *
 * Room:       wire.   Called by: shim (events), containerd.
 * Spec:       see ttrpc.h.
 */
#define CT_LAYER "ttrpc"
#include "ttrpc_internal.h"

#include "containerd_api.h"
#include "status.h"

#include "cleanup.h"
#include "span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct pending { /* a call under way */
    struct ttrpc_client *client;
    uint32_t stream;
    const ProtobufCMessageDescriptor *type; /* of the answer */
    const char *method;                     /* the descriptor's */
    ttrpc_done_fn done;
    void *context;
    struct loop_timer timer;
    struct pending *next;
};

struct ttrpc_client {
    struct loop *loop;
    struct ttrpc_link *link;
    char peer[16]; /* a layer of errors */
    ttrpc_lost_fn lost;
    void *context;
    uint32_t next_stream;
    struct pending *pending;
};

int ttrpc_connect(const char *socket_path, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        return ct_refuse(err, CT_INVALID, "connect to '%.120s': %zu bytes are the most",
                         socket_path, sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int failure = errno;
        (void)ct_fail(err, failure, "connect to '%.120s'", socket_path);
        if (failure == ENOENT || failure == ECONNREFUSED || failure == EAGAIN) {
            err->kind = CT_UNREACHABLE;
        }
        return -1;
    }
    return ct_steal_fd(&fd);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Takes the call out and tells how it ended. done may close the client. */
static void end_call(struct pending **slot, const void *response, const struct ct_error *error)
{
    struct pending *call = *slot;
    ttrpc_done_fn done = call->done;
    void *context = call->context;

    *slot = call->next;
    loop_disarm(&call->timer);
    free(call);
    done(context, response, error);
}

static void time_is_up(void *context)
{
    struct pending *call = context, **slot = &call->client->pending;
    struct ct_error err = {0};

    while (*slot != call) {
        slot = &(*slot)->next;
    }
    (void)ct_error_set(&err, call->client->peer, CT_TIMEOUT, 0, "answer to %s: the time ran out",
                       call->method);
    end_call(slot, NULL, &err);
}

static ProtobufCMessage *read_answer(const struct ttrpc_client *client, const struct pending *call,
                                     const Ttrpc__Response *response, struct ct_error *err)
{
    if (!response) {
        (void)ct_error_set(err, client->peer, CT_INVALID, 0, "answer to %s: it is malformed",
                           call->method);
        return NULL;
    }
    if (wire_status_to_error(response->status, client->peer, err) < 0) {
        return NULL;
    }
    ProtobufCMessage *message =
        protobuf_c_message_unpack(call->type, NULL, response->payload.len, response->payload.data);
    if (!message) {
        (void)ct_error_set(err, client->peer, CT_INVALID, 0, "answer to %s: it is no %s",
                           call->method, call->type->name);
    }
    return message;
}

static void answer_comes(void *context, const struct ttrpc_header_fields *header,
                         const uint8_t *payload)
{
    struct ttrpc_client *client = context;
    struct pending **slot = &client->pending;
    struct ct_error err = {0};

    while (*slot && (*slot)->stream != header->stream) {
        slot = &(*slot)->next;
    }
    if (header->type != TTRPC_RESPONSE || !*slot) {
        return; /* nobody waits for it any more */
    }
    Ttrpc__Response *response =
        payload ? ttrpc__response__unpack(NULL, header->length, payload) : NULL;
    ProtobufCMessage *message = read_answer(client, *slot, response, &err);
    end_call(slot, message, message ? NULL : &err);
    if (message) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    ttrpc__response__free_unpacked(response, NULL);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void peer_lost(void *context, const struct ct_error *error)
{
    struct ttrpc_client *client = context;
    struct ct_error err = {0};
    struct pending *calls = ct_steal(client->pending);

    (void)ct_error_set(&err, client->peer, CT_UNREACHABLE, error->sys, "%s", error->frame[0].what);
    /* The last to be told may close the client; nothing of it is touched after that. */
    ttrpc_lost_fn lost = client->lost;
    void *lost_context = client->context;
    while (calls) {
        end_call(&calls, NULL, &err);
    }
    if (lost) {
        lost(lost_context, &err);
    }
}

struct ttrpc_client *ttrpc_client_open(struct loop *loop, int fd, const char *peer,
                                       ttrpc_lost_fn lost, void *context, struct ct_error *err)
{
    struct ttrpc_client *client = calloc(1, sizeof(*client));

    if (!client) {
        abort();
    }
    *client =
        (struct ttrpc_client){.loop = loop, .lost = lost, .context = context, .next_stream = 1};
    (void)snprintf(client->peer, sizeof(client->peer), "%s", peer);
    client->link = ttrpc_link_open(
        loop, fd,
        &(struct ttrpc_link_events){.frame = answer_comes, .lost = peer_lost, .context = client},
        err);
    if (!client->link) {
        free(client);
        return NULL;
    }
    return client;
}

void ttrpc_client_close(struct ttrpc_client *client)
{
    if (!client) {
        return;
    }
    while (client->pending) {
        struct pending *call = client->pending;
        client->pending = call->next;
        loop_disarm(&call->timer);
        free(call);
    }
    ttrpc_link_close(client->link);
    free(client);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static int send_request(struct ttrpc_client *client, uint32_t stream,
                        const struct ttrpc_request *request, struct ct_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(request->message);
    size_t n = 0, room = request->n_headers + 1;
    CT_AUTO_FREE uint8_t *bytes = malloc(size + 1);
    CT_AUTO_FREE Ttrpc__KeyValue *pairs = calloc(room, sizeof(*pairs));
    CT_AUTO_FREE Ttrpc__KeyValue **list = calloc(room, sizeof(*list));
    Ttrpc__Request envelope = TTRPC__REQUEST__INIT;
    char trace[56];

    if (!bytes || !pairs || !list) {
        abort();
    }
    for (; n < request->n_headers; n++) {
        ttrpc__key_value__init(&pairs[n]);
        pairs[n].key = (char *)request->headers[n].key;
        pairs[n].value = (char *)request->headers[n].value;
        list[n] = &pairs[n];
    }
    if (ct_span_context(trace)) {
        ttrpc__key_value__init(&pairs[n]);
        pairs[n].key = (char *)"traceparent";
        pairs[n].value = trace;
        list[n] = &pairs[n];
        n++;
    }
    envelope.service = (char *)request->service->name;
    envelope.method = (char *)request->method;
    envelope.payload.data = bytes;
    envelope.payload.len = protobuf_c_message_pack(request->message, bytes);
    envelope.timeout_nano = request->timeout_ms > 0 ? request->timeout_ms * INT64_C(1000000) : 0;
    envelope.metadata = list;
    envelope.n_metadata = n;
    return ttrpc_link_send(client->link, stream, TTRPC_REQUEST, &envelope.base, err);
}

int ttrpc_begin(struct ttrpc_client *client, const struct ttrpc_request *request,
                ttrpc_done_fn done, void *context, struct ct_error *err)
{
    const ProtobufCMethodDescriptor *method =
        protobuf_c_service_descriptor_get_method_by_name(request->service, request->method);
    struct pending *call = calloc(1, sizeof(*call));

    if (!call || !method) {
        abort(); /* a method that the service does not have is our own mistake */
    }
    *call = (struct pending){.client = client,
                             .stream = client->next_stream,
                             .type = method->output,
                             .method = method->name,
                             .done = done,
                             .context = context,
                             .next = client->pending};
    if (send_request(client, call->stream, request, err) < 0) {
        free(call);
        return -1;
    }
    client->next_stream += 2;
    client->pending = call;
    if (request->timeout_ms >= 0) {
        loop_arm(client->loop, &call->timer, request->timeout_ms * INT64_C(1000000), time_is_up,
                 call);
    }
    return 0;
}

/* ---- one call, waited for ------------------------------------------------------------------- */

struct ask {
    struct loop *loop;
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *answer;
    struct ct_error *err;
};

/* The answer is lent: a copy of it is made the way that it came. */
static void asked(void *context, const void *response, const struct ct_error *error)
{
    struct ask *ask = context;

    if (response) {
        size_t size = protobuf_c_message_get_packed_size(response);
        CT_AUTO_FREE uint8_t *bytes = malloc(size + 1);
        if (!bytes) {
            abort();
        }
        (void)protobuf_c_message_pack(response, bytes);
        ask->answer = protobuf_c_message_unpack(ask->type, NULL, size, bytes);
    } else {
        *ask->err = *error;
    }
    loop_stop(ask->loop);
}

int ttrpc_ask(const char *socket_path, const char *peer, const struct ttrpc_request *request,
              ProtobufCMessage **ret, struct ct_error *err)
{
    struct ask ask = {
        .loop = loop_new(err),
        .err = err,
        .type = protobuf_c_service_descriptor_get_method_by_name(request->service, request->method)
                    ->output};
    struct ttrpc_client *client = NULL;
    int fd = ask.loop ? ttrpc_connect(socket_path, err) : -1;

    if (fd >= 0) {
        client = ttrpc_client_open(ask.loop, fd, peer, NULL, NULL, err);
    }
    if (client && ttrpc_begin(client, request, asked, &ask, err) == 0) {
        (void)loop_run(ask.loop, err);
    }
    ttrpc_client_close(client);
    loop_free(ask.loop);
    *ret = ask.answer;
    return ask.answer ? 0 : -1;
}
