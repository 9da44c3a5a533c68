/*
 * grpc_link.c - one HTTP/2 connection: its thread, and what the session tells.
 *
 * Room:       wire.   Called by: grpc_server.c, grpc_client.c.
 * Spec:       RFC 9113; nghttp2's own manual.
 */
#include "grpc_internal.h"

#include "file.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTBOX_MAX (256 << 10) /* then the rest waits in the session */

/* ---- life ----------------------------------------------------------------------------------- */

void link_unref(struct link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    int left = --link->refs;
    (void)pthread_mutex_unlock(&link->lock);
    if (left == 0) {
        nghttp2_session_del(link->session);
        ct_cleanup_close(&link->fd);
        ct_cleanup_close(&link->wake_fd);
        bytes_done(&link->outbox);
        (void)pthread_mutex_destroy(&link->lock);
        free(link);
    }
}

void link_shut(struct link *link)
{
    (void)shutdown(link->fd, SHUT_RDWR); /* its thread reads the end, and does the rest */
}

/* ---- out ------------------------------------------------------------------------------------ */

/* Frames are gathered, so that an answer of three frames is one write. */
static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags,
                       void *user)
{
    struct link *link = user;

    (void)session;
    (void)flags;
    if (bytes_length(&link->outbox) > OUTBOX_MAX) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    bytes_add(&link->outbox, data, length);
    return (ssize_t)length;
}

static int write_outbox(struct link *link)
{
    while (bytes_length(&link->outbox) > 0) {
        ssize_t n = send(link->fd, bytes_front(&link->outbox), bytes_length(&link->outbox),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        bytes_drop(&link->outbox, (size_t)n);
    }
    return 1;
}

void link_flush(struct link *link)
{
    uint64_t one = 1;

    while (link->session) {
        int failed = nghttp2_session_send(link->session);
        bool nothing = bytes_length(&link->outbox) == 0;
        int written = write_outbox(link);
        if (failed || written < 0) {
            link_shut(link);
            return;
        }
        if (written == 0) { /* the socket is full: the thread goes on when it is not */
            (void)!write(link->wake_fd, &one, sizeof(one));
            return;
        }
        if (nothing || !nghttp2_session_want_write(link->session)) {
            return;
        }
    }
}

/* ---- in: what the session tells ------------------------------------------------------------- */

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct link *link = user;

    if (link->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct grpc_call *call = call_new(link, frame->hd.stream_id);
        (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_length, const uint8_t *value, size_t value_length, uint8_t flags,
                     void *user)
{
    struct grpc_call *call = call_of(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (call && call_add_header(call, name, name_length, value, value_length) < 0) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets this stream alone */
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct link *link = user;
    bool headers = frame->hd.type == NGHTTP2_HEADERS;

    if (!headers && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    if (!call) {
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        call->in_ended = true;
    }
    if (headers && link->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        link->arrived(link, call);
    }
    (void)pthread_cond_broadcast(&call->changed);
    return 0;
}

/*
 * The window of the stream is given back at once while little waits, so that one long message can
 * arrive; after that only when somebody takes what waits. The window of the connection always, or
 * one slow call would hold up all others; what a connection may hold has a limit of its own.
 */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
                   size_t length, void *user)
{
    struct link *link = user;
    struct grpc_call *call = call_of(session, stream);
    struct ct_error ignored = {0};
    size_t message;

    (void)flags;
    (void)nghttp2_session_consume_connection(session, length);
    if (!call || call->closed) {
        (void)nghttp2_session_consume_stream(session, stream, length);
        return 0;
    }
    if (link->held + length > HELD_MAX) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream,
                                        NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }
    link->held += length;
    bytes_add(&call->in, data, length);
    if (bytes_length(&call->in) > QUEUE_MAX &&
        frame_look(&call->in, GRPC_MESSAGE_MAX, &message, &ignored) != 0) {
        call->unconsumed += length;
    } else {
        (void)nghttp2_session_consume_stream(session, stream, length);
    }
    (void)pthread_cond_broadcast(&call->changed);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    struct link *link = user;
    struct grpc_call *call = call_of(session, stream);

    (void)code;
    if (call) {
        for (struct grpc_call **at = &link->calls; *at; at = &(*at)->next) {
            if (*at == call) {
                *at = call->next;
                break;
            }
        }
        (void)nghttp2_session_set_stream_user_data(session, stream, NULL);
        call_closed(call);
    }
    return 0;
}

/*
 * The status is out. What the client still sends interests nobody then (RFC 9113, 8.1); said
 * earlier it would end the stream before its data.
 */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct link *link = user;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);

    if (link->is_server && call && frame->hd.type == NGHTTP2_HEADERS && !call->in_ended &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
    }
    return 0;
}

static int make_session(struct link *link)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_CALL},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_HEADERS_MAX},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_CALLS_MAX},
    };

    if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option)) {
        return -1;
    }
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    int failed = link->is_server
                     ? nghttp2_session_server_new2(&link->session, callbacks, link, option)
                     : nghttp2_session_client_new2(&link->session, callbacks, link, option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return failed || nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, 3) ||
                   nghttp2_session_set_local_window_size(link->session, NGHTTP2_FLAG_NONE, 0,
                                                         WINDOW_LINK)
               ? -1
               : 0;
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Everything that has arrived; false: the connection is over. */
static bool take_bytes(struct link *link)
{
    uint8_t block[32 << 10];
    ssize_t n = recv(link->fd, block, sizeof(block), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    return nghttp2_session_mem_recv(link->session, block, (size_t)n) >= 0;
}

static bool serve_once(struct link *link)
{
    bool goes_on = true;
    uint64_t count;

    (void)pthread_mutex_lock(&link->lock);
    short wanted = (short)(POLLIN | (bytes_length(&link->outbox) > 0 ? POLLOUT : 0));
    (void)pthread_mutex_unlock(&link->lock);
    struct pollfd fds[] = {{.fd = link->fd, .events = wanted},
                           {.fd = link->wake_fd, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0) {
        return errno == EINTR;
    }
    if (fds[1].revents) {
        (void)!read(link->wake_fd, &count, sizeof(count));
    }
    (void)pthread_mutex_lock(&link->lock);
    if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
        goes_on = take_bytes(link);
    }
    if (goes_on || nghttp2_session_want_write(link->session)) {
        link_flush(link); /* also a last GOAWAY that says what was wrong */
    }
    goes_on =
        goes_on && (nghttp2_session_want_read(link->session) ||
                    nghttp2_session_want_write(link->session) || bytes_length(&link->outbox) > 0);
    (void)pthread_mutex_unlock(&link->lock);
    return goes_on;
}

static void *run(void *argument)
{
    struct link *link = argument;

    while (serve_once(link)) {
    }
    (void)pthread_mutex_lock(&link->lock);
    link->closing = true;
    nghttp2_session_del(link->session);
    link->session = NULL;
    link_shut(link);
    while (link->calls) {
        struct grpc_call *call = link->calls;
        link->calls = call->next;
        call_closed(call);
    }
    (void)pthread_mutex_unlock(&link->lock);
    if (link->ended) {
        link->ended(link, link->owner);
    }
    link_unref(link);
    return NULL;
}

static int start_thread(struct link *link)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, 256 << 10);
    int failed = pthread_create(&thread, &attributes, run, link);
    (void)pthread_attr_destroy(&attributes);
    return failed;
}

struct link *link_open(int fd, bool is_server, void (*arrived)(struct link *, struct grpc_call *),
                       void (*ended)(struct link *, void *), void *owner, struct ct_error *err)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link) {
        ct_cleanup_close(&fd);
        return ct_fail_null(err, ENOMEM, "open a connection");
    }
    *link = (struct link){.fd = fd, .is_server = is_server, .refs = 2};
    link->arrived = arrived;
    link->ended = ended;
    link->owner = owner;
    (void)pthread_mutex_init(&link->lock, NULL);
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = link->wake_fd < 0 || make_session(link) < 0 ? errno : 0;
    if (!failed) {
        link_flush(link); /* our settings */
        failed = start_thread(link);
    }
    if (failed) {
        link->refs = 1;
        link_unref(link);
        return ct_fail_null(err, failed, "open a connection");
    }
    return link;
}
