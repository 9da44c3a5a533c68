/*
 * grpc_client.c - the asking side.
 *
 * Room:       wire.   Called by: the engine of stage 04.
 */
#include "grpc_internal.h"
#include "words.h"

#include "span.h"
#include "units.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADERS_OWN 8 /* that each call has */

struct grpc_client {
    char *path, *peer;
    pthread_mutex_t lock;
    struct link *link; /* NULL: not connected */
};

struct grpc_client *grpc_client_open(const char *socket_path, const char *peer,
                                     struct ct_error *err)
{
    struct grpc_client *client;

    if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        return ct_refuse_null(err, CT_INVALID, "connect to '%.100s…': the path has %zu bytes",
                              socket_path, strlen(socket_path));
    }
    client = calloc(1, sizeof(*client));
    if (!client) {
        return ct_fail_null(err, ENOMEM, "connect to '%.100s'", socket_path);
    }
    client->path = ct_strdup(socket_path);
    client->peer = ct_strdup(peer);
    (void)pthread_mutex_init(&client->lock, NULL);
    return client;
}

void grpc_client_close(struct grpc_client *client)
{
    if (client) {
        if (client->link) {
            link_shut(client->link);
            link_unref(client->link);
        }
        (void)pthread_mutex_destroy(&client->lock);
        free(client->path);
        free(client->peer);
        free(client);
    }
}

/* ---- the connection ------------------------------------------------------------------------- */

static struct link *connect_to(struct grpc_client *client, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)strcpy(address.sun_path, client->path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        (void)ct_fail(err, errno, "connect to %s at '%.100s'", client->peer, client->path);
        err->kind = err->sys == EACCES ? CT_DENIED : CT_UNREACHABLE;
        ct_cleanup_close(&fd);
        return NULL;
    }
    return link_open(fd, false, NULL, NULL, NULL, err);
}

static bool is_over(struct link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    bool over = link->closing || !nghttp2_session_check_request_allowed(link->session);
    (void)pthread_mutex_unlock(&link->lock);
    return over;
}

/* A connected link with a reference for the caller; NULL (err). */
static struct link *take_link(struct grpc_client *client, struct ct_error *err)
{
    struct link *result;

    (void)pthread_mutex_lock(&client->lock);
    if (client->link && is_over(client->link)) {
        link_unref(client->link);
        client->link = NULL;
    }
    if (!client->link) {
        client->link = connect_to(client, err);
    }
    result = client->link;
    if (result) {
        (void)pthread_mutex_lock(&result->lock);
        result->refs++;
        (void)pthread_mutex_unlock(&result->lock);
    }
    (void)pthread_mutex_unlock(&client->lock);
    return result;
}

/* ---- a call --------------------------------------------------------------------------------- */

/* With the link's lock held. The stream's and the caller's reference are both held. */
static struct grpc_call *submit(struct link *link, const nghttp2_nv *headers, size_t n,
                                struct ct_error *err)
{
    struct grpc_call *call = call_new(link, 0);
    nghttp2_data_provider provider = call_provider(call);

    call_ref(call);
    call->stream = nghttp2_submit_request(link->session, NULL, headers, n, &provider, call);
    if (call->stream < 0) {
        link->calls = call->next;
        call->refs = 1;
        (void)ct_refuse(err, CT_UNREACHABLE, "begin a call: %s", nghttp2_strerror(call->stream));
        return call;
    }
    link_flush(link);
    return call;
}

static struct grpc_call *begin_on(struct link *link, const struct grpc_client *client,
                                  const char *path, const nghttp2_nv *headers, size_t n,
                                  int timeout_ms, struct ct_error *err)
{
    struct grpc_call *call = NULL;

    (void)pthread_mutex_lock(&link->lock);
    if (link->closing) {
        (void)ct_refuse(err, CT_UNREACHABLE, "call '%.100s' of %s: the connection was lost", path,
                        client->peer);
    } else {
        call = submit(link, headers, n, err);
        call->path = ct_strdup(path);
        call->peer = client->peer;
        call->deadline_ns = timeout_ms < 0 ? 0 : ct_monotonic_ns() + timeout_ms * INT64_C(1000000);
    }
    (void)pthread_mutex_unlock(&link->lock);
    if (call && call->stream < 0) {
        call_unref(call);
        return NULL;
    }
    return call;
}

struct grpc_call *grpc_begin(struct grpc_client *client, const ProtobufCServiceDescriptor *service,
                             const char *method, const struct grpc_header *headers,
                             size_t n_headers, int timeout_ms, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("/%s/%s", service->name, method);
    CT_AUTO_FREE nghttp2_nv *all = calloc(HEADERS_OWN + n_headers, sizeof(*all));
    char timeout[16], context[56];
    struct link *link = all ? take_link(client, err) : NULL;
    size_t n = 0;

    if (!link) {
        return all ? NULL : ct_fail_null(err, ENOMEM, "call '%.100s'", path);
    }
    all[n++] = header(":method", "POST");
    all[n++] = header(":scheme", "http");
    all[n++] = header(":path", path);
    all[n++] = header(":authority", "localhost");
    all[n++] = header("content-type", "application/grpc");
    all[n++] = header("te", "trailers");
    if (timeout_ms >= 0) {
        all[n++] = header("grpc-timeout", timeout_text(timeout_ms, timeout));
    }
    if (ct_span_context(context)) {
        all[n++] = header("traceparent", context);
    }
    for (size_t i = 0; i < n_headers; i++) {
        all[n++] = header(headers[i].name, headers[i].value);
    }
    struct grpc_call *call = begin_on(link, client, path, all, n, timeout_ms, err);
    link_unref(link);
    return call;
}

void grpc_send_end(struct grpc_call *call)
{
    struct link *link = call->link;

    (void)pthread_mutex_lock(&link->lock);
    call->out_ended = true;
    if (!call->closed && link->session) {
        (void)nghttp2_session_resume_data(link->session, call->stream);
        link_flush(link);
    }
    (void)pthread_mutex_unlock(&link->lock);
}

void grpc_abort(struct grpc_call *call)
{
    if (!call) {
        return;
    }
    struct link *link = call->link;
    (void)pthread_mutex_lock(&link->lock);
    if (!call->closed && link->session) {
        (void)nghttp2_submit_rst_stream(link->session, NGHTTP2_FLAG_NONE, call->stream,
                                        NGHTTP2_CANCEL);
        link_flush(link);
    }
    (void)pthread_mutex_unlock(&link->lock);
    call_unref(call);
}

/* ---- its end -------------------------------------------------------------------------------- */

/* The status as the trailers say it; owned. */
static Google__Rpc__Status *read_status(const struct grpc_call *call)
{
    const char *code = call_header(call, "grpc-status");
    const char *message = call_header(call, "grpc-message");
    const char *details = call_header(call, "grpc-status-details-bin");
    size_t length = 0;
    CT_AUTO_FREE uint8_t *packed = details ? base64_decode(details, &length) : NULL;
    Google__Rpc__Status *status = packed ? google__rpc__status__unpack(NULL, length, packed) : NULL;

    if (!status) {
        status = calloc(1, sizeof(*status));
        if (!status) {
            abort();
        }
        google__rpc__status__init(status);
        status->message = percent_decode(message ? message : "");
    }
    status->code = (int32_t)strtol(code, NULL, 10);
    return status;
}

static int end_of(struct grpc_call *call, struct ct_error *err)
{
    const char *http = call_header(call, ":status");

    if (call_header(call, "grpc-status")) {
        Google__Rpc__Status *status = read_status(call);
        int result = wire_status_to_error(status, call->peer, err);
        wire_status_free(status);
        return result;
    }
    if (http && strcmp(http, "200") != 0) {
        return ct_refuse(err, CT_SYSTEM, "call '%.100s' of %s: it answers HTTP status %.3s",
                         call->path, call->peer, http);
    }
    return ct_refuse(err, CT_UNREACHABLE, "call '%.100s' of %s: the connection was lost",
                     call->path, call->peer);
}

int grpc_end(struct grpc_call *call, struct ct_error *err)
{
    int result = 0;

    (void)pthread_mutex_lock(&call->link->lock);
    while (result == 0 && !call->closed && !(call->in_ended && call_header(call, "grpc-status"))) {
        result = call_wait(call, err);
    }
    if (result == 0) {
        result = end_of(call, err);
    }
    (void)pthread_mutex_unlock(&call->link->lock);
    grpc_abort(call); /* nothing, when it has ended */
    return result;
}

int grpc_unary(struct grpc_client *client, const ProtobufCServiceDescriptor *service,
               const char *method, const struct grpc_header *headers, size_t n_headers,
               int timeout_ms, const void *request, ProtobufCMessage **ret, struct ct_error *err)
{
    const ProtobufCMethodDescriptor *types =
        protobuf_c_service_descriptor_get_method_by_name(service, method);
    CT_AUTO_FREE char *words = ct_span_wanted() ? wire_words(service->name, method, request) : NULL;
    CT_SPAN(err, ct_span_role(CT_ROLE_CLIENT), CT_STEP_REQUEST, "%s", words);
    struct grpc_call *call =
        grpc_begin(client, service, method, headers, n_headers, timeout_ms, err);
    ProtobufCMessage *answer = NULL;
    struct ct_error ignored = {0};

    if (!call) {
        return -1;
    }
    (void)call_send(call, request, false, &ignored); /* its end says why */
    grpc_send_end(call);
    int got = grpc_receive(call, types->output, &answer, err);
    if (got < 0 && err->kind != CT_UNREACHABLE) {
        grpc_abort(call);
        return -1;
    }
    int result = grpc_end(call, err);
    if (result == 0 && !answer) {
        return ct_refuse(err, CT_SYSTEM, "call '%.60s/%.60s': there is no answer", service->name,
                         method);
    }
    if (result < 0 && answer) {
        protobuf_c_message_free_unpacked(answer, NULL);
        return -1;
    }
    *ret = answer;
    return result;
}
