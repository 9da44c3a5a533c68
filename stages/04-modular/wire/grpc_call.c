/*
 * grpc_call.c - one call: its messages, in and out, and its end.
 *
 * Room:       wire.   Called by: grpc_link.c, grpc_server.c, grpc_client.c, and the door.
 */
#include "grpc_internal.h"

#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- life ----------------------------------------------------------------------------------- */

struct grpc_call *call_new(struct link *link, int32_t stream)
{
    struct grpc_call *call = calloc(1, sizeof(*call));
    pthread_condattr_t clock;

    if (!call) {
        abort(); /* nghttp2 has no way to be told for one stream */
    }
    call->link = link;
    link->refs++;
    call->refs = 1;
    call->stream = stream;
    call->cancel_fd = -1;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&call->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    call->next = link->calls;
    link->calls = call;
    return call;
}

void call_ref(struct grpc_call *call)
{
    call->refs++;
}

static void call_free(struct grpc_call *call)
{
    for (size_t i = 0; i < call->n_headers; i++) {
        free(call->headers[i].name);
        free(call->headers[i].value);
    }
    free(call->headers);
    free(call->path);
    bytes_done(&call->in);
    bytes_done(&call->out);
    ct_cleanup_close(&call->cancel_fd);
    wire_status_free(call->status);
    pool_done(&call->pool);
    (void)pthread_cond_destroy(&call->changed);
    free(call);
}

void call_unref_locked(struct grpc_call *call)
{
    if (--call->refs == 0) {
        call->link->held -= bytes_length(&call->in);
        call->link->refs--; /* never the last: the link's own thread runs this, or has not ended */
        call_free(call);
    }
}

void call_unref(struct grpc_call *call)
{
    struct link *link = call->link;

    (void)pthread_mutex_lock(&link->lock);
    bool last = --call->refs == 0;
    if (last) {
        link->held -= bytes_length(&call->in);
    }
    (void)pthread_mutex_unlock(&link->lock);
    if (last) {
        call_free(call);
        link_unref(link);
    }
}

void call_closed(struct grpc_call *call)
{
    uint64_t one = 1;

    call->closed = true;
    if (call->cancel_fd >= 0) {
        (void)!write(call->cancel_fd, &one, sizeof(one));
    }
    (void)pthread_cond_broadcast(&call->changed);
    call_unref_locked(call);
}

/* ---- headers -------------------------------------------------------------------------------- */

int call_add_header(struct grpc_call *call, const uint8_t *name, size_t name_length,
                    const uint8_t *value, size_t value_length)
{
    call->headers_size += name_length + value_length + 32; /* as RFC 9113, 6.5.2 counts */
    if (call->headers_size > GRPC_HEADERS_MAX) {
        return -1;
    }
    struct metadata *grown =
        reallocarray(call->headers, call->n_headers + 1, sizeof(*call->headers));
    if (!grown) {
        return -1;
    }
    call->headers = grown;
    call->headers[call->n_headers++] = (struct metadata){
        .name = ct_printf("%.*s", (int)name_length, (const char *)name),
        .value = ct_printf("%.*s", (int)value_length, (const char *)value),
    };
    return 0;
}

const char *call_header(const struct grpc_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_headers; i++) {
        if (strcmp(call->headers[i].name, name) == 0) {
            return call->headers[i].value;
        }
    }
    return NULL;
}

nghttp2_nv header(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static char *details_text(const Google__Rpc__Status *status)
{
    size_t size = google__rpc__status__get_packed_size(status);
    CT_AUTO_FREE uint8_t *packed = malloc(size + 1);

    if (!packed) {
        abort();
    }
    (void)google__rpc__status__pack(status, packed);
    return base64_encode(packed, size);
}

size_t status_headers(const Google__Rpc__Status *status, struct pool *pool, nghttp2_nv *ret)
{
    size_t n = 0;

    ret[n++] = header("grpc-status", pool_keep(pool, ct_printf("%d", status ? status->code : 0)));
    ret[n++] =
        header("grpc-message", pool_keep(pool, percent_encode(status ? status->message : "")));
    if (status) {
        ret[n++] = header("grpc-status-details-bin", pool_keep(pool, details_text(status)));
    }
    return n;
}

/* ---- waiting -------------------------------------------------------------------------------- */

int call_wait(struct grpc_call *call, struct ct_error *err)
{
    struct timespec until = {.tv_sec = call->deadline_ns / 1000000000,
                             .tv_nsec = call->deadline_ns % 1000000000};

    if (call->deadline_ns == 0) {
        (void)pthread_cond_wait(&call->changed, &call->link->lock);
        return 0;
    }
    if (pthread_cond_timedwait(&call->changed, &call->link->lock, &until) == ETIMEDOUT) {
        return ct_refuse(err, CT_TIMEOUT, "wait for '%.100s': the deadline has passed", call->path);
    }
    return 0;
}

int grpc_time_left_ms(struct grpc_call *call)
{
    if (call->deadline_ns == 0) {
        return -1;
    }
    int64_t left = (call->deadline_ns - ct_monotonic_ns()) / 1000000;
    return left < 0 ? 0 : (left > INT32_MAX ? INT32_MAX : (int)left);
}

int grpc_cancel_fd(struct grpc_call *call, struct ct_error *err)
{
    int result;

    (void)pthread_mutex_lock(&call->link->lock);
    if (call->cancel_fd < 0) {
        call->cancel_fd = eventfd(call->closed, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    result = call->cancel_fd;
    (void)pthread_mutex_unlock(&call->link->lock);
    return result < 0 ? ct_fail(err, errno, "watch a call") : result;
}

static int refuse_lost(const struct grpc_call *call, struct ct_error *err)
{
    if (call->link->is_server) {
        return ct_refuse(err, CT_UNREACHABLE, "'%.100s' was cancelled", call->path);
    }
    return ct_refuse(err, CT_UNREACHABLE, "call '%.100s' of %s: the connection was lost",
                     call->path, call->peer);
}

/* ---- in ------------------------------------------------------------------------------------- */

/* With the lock held. The bytes of the next message, owned; *ret_length. 1, 0, -1 as
 * grpc_receive(). */
static int take_frame(struct grpc_call *call, uint8_t **ret, size_t *ret_length,
                      struct ct_error *err)
{
    struct link *link = call->link;
    int have;

    while ((have = frame_look(&call->in, GRPC_MESSAGE_MAX, ret_length, err)) == 0) {
        if (call->in_ended) {
            return bytes_length(&call->in) == 0
                       ? 0
                       : ct_refuse(err, CT_INVALID, "read a message: it is cut short");
        }
        if (call->closed) {
            return refuse_lost(call, err);
        }
        if (call_wait(call, err) < 0) {
            return -1;
        }
    }
    if (have < 0) {
        return -1;
    }
    *ret = malloc(*ret_length + 1);
    if (!*ret) {
        return ct_fail(err, ENOMEM, "read a message");
    }
    memcpy(*ret, bytes_front(&call->in) + FRAME_HEADER, *ret_length);
    bytes_drop(&call->in, FRAME_HEADER + *ret_length);
    link->held -= FRAME_HEADER + *ret_length;
    if (call->unconsumed > 0 && bytes_length(&call->in) <= QUEUE_MAX && link->session) {
        (void)nghttp2_session_consume_stream(link->session, call->stream, call->unconsumed);
        call->unconsumed = 0;
        link_flush(link);
    }
    return 1;
}

int grpc_receive(struct grpc_call *call, const ProtobufCMessageDescriptor *type,
                 ProtobufCMessage **ret, struct ct_error *err)
{
    CT_AUTO_FREE uint8_t *packed = NULL;
    size_t length = 0;

    (void)pthread_mutex_lock(&call->link->lock);
    int got = take_frame(call, &packed, &length, err);
    (void)pthread_mutex_unlock(&call->link->lock);
    if (got <= 0) {
        return got;
    }
    *ret = protobuf_c_message_unpack(type, NULL, length, packed);
    if (!*ret) {
        return ct_refuse(err, CT_INVALID, "read a message: it is no '%.100s'", type->name);
    }
    return 1;
}

/* ---- out ------------------------------------------------------------------------------------ */

static ssize_t on_read(nghttp2_session *session, int32_t stream, uint8_t *data, size_t length,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct grpc_call *call = source->ptr;
    size_t have = bytes_length(&call->out), n = have < length ? have : length;

    (void)user;
    if (n == 0 && !call->out_ended) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) {
        memcpy(data, bytes_front(&call->out), n);
        bytes_drop(&call->out, n);
    }
    if (call->out_ended && bytes_length(&call->out) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (call->link->is_server) {
            nghttp2_nv trailers[4];
            size_t count = status_headers(call->status, &call->pool, trailers);
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            (void)nghttp2_submit_trailer(session, stream, trailers, count);
        }
    }
    if (have > QUEUE_MAX) {
        (void)pthread_cond_broadcast(&call->changed); /* who sends may wait for room */
    }
    return (ssize_t)n;
}

nghttp2_data_provider call_provider(struct grpc_call *call)
{
    return (nghttp2_data_provider){.source.ptr = call, .read_callback = on_read};
}

/* With the lock held. A server's headers go out with its first message. */
static void put_frame(struct grpc_call *call, const ProtobufCMessage *message, size_t length)
{
    uint8_t prefix[FRAME_HEADER];

    frame_header(prefix, length);
    bytes_add(&call->out, prefix, FRAME_HEADER);
    (void)protobuf_c_message_pack(message, bytes_extend(&call->out, length));
    if (call->link->is_server && !call->begun) {
        const nghttp2_nv headers[] = {header(":status", "200"),
                                      header("content-type", "application/grpc")};
        nghttp2_data_provider provider = call_provider(call);
        call->begun = true;
        (void)nghttp2_submit_response(call->link->session, call->stream, headers, 2, &provider);
    } else {
        (void)nghttp2_session_resume_data(call->link->session, call->stream);
    }
}

static int send_locked(struct grpc_call *call, const ProtobufCMessage *message, bool flush,
                       struct ct_error *err)
{
    size_t length = protobuf_c_message_get_packed_size(message);

    if (length > GRPC_MESSAGE_MAX) {
        return ct_refuse(err, CT_INVALID, "send a message: it has %zu bytes, more than %d", length,
                         GRPC_MESSAGE_MAX);
    }
    while (!call->closed && bytes_length(&call->out) > QUEUE_MAX) {
        if (call_wait(call, err) < 0) {
            return -1;
        }
    }
    if (call->closed || !call->link->session) {
        return refuse_lost(call, err);
    }
    put_frame(call, message, length);
    if (flush) {
        link_flush(call->link);
    }
    return 0;
}

int call_send(struct grpc_call *call, const ProtobufCMessage *message, bool flush,
              struct ct_error *err)
{
    (void)pthread_mutex_lock(&call->link->lock);
    int result = send_locked(call, message, flush, err);
    (void)pthread_mutex_unlock(&call->link->lock);
    return result;
}

int grpc_send(struct grpc_call *call, const void *message, struct ct_error *err)
{
    return call_send(call, message, true, err);
}
