/*
 * ttrpc_link.c - a connection: bytes to frames, frames to bytes.
 *
 * Room:       wire.   Called by: ttrpc_server.c, ttrpc_client.c.
 * Spec:       see ttrpc.h.
 */
#define CT_LAYER "ttrpc"
#include "ttrpc_internal.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES  16384
#define BEHIND_MAX  (1 << 20) /* bytes that a peer may leave unread before we stop reading it */
#define FIRST_BYTES 4096      /* of a payload: memory grows with what has come */

/* What is to be sent: one frame. */
struct frame_out {
    size_t length, sent;
    struct frame_out *next;
    uint8_t bytes[];
};

struct ttrpc_link {
    struct loop_source *source;
    int fd;
    struct ttrpc_link_events events;
    bool in_event, closed; /* closed within an event: freed behind it */
    bool lost;

    uint8_t header[TTRPC_HEADER_BYTES];
    size_t header_have;
    struct ttrpc_header_fields current; /* once header_have is full */
    uint8_t *payload;
    size_t have, room;

    struct frame_out *out, *out_last;
    size_t out_bytes;
};

void ttrpc_header_write(const struct ttrpc_header_fields *fields,
                        uint8_t ret[static TTRPC_HEADER_BYTES])
{
    uint32_t length = htonl(fields->length), stream = htonl(fields->stream);

    memcpy(ret, &length, 4);
    memcpy(ret + 4, &stream, 4);
    ret[8] = fields->type;
    ret[9] = fields->flags;
}

struct ttrpc_header_fields ttrpc_header_read(const uint8_t bytes[static TTRPC_HEADER_BYTES])
{
    uint32_t length, stream;

    memcpy(&length, bytes, 4);
    memcpy(&stream, bytes + 4, 4);
    return (struct ttrpc_header_fields){
        .length = ntohl(length), .stream = ntohl(stream), .type = bytes[8], .flags = bytes[9]};
}

/* ---- in ------------------------------------------------------------------------------------- */

static bool is_too_long(const struct ttrpc_link *link)
{
    return link->current.length > TTRPC_MESSAGE_MAX;
}

/* Room for n bytes more: twice as much each time, never more than the frame has. */
static void make_room(struct ttrpc_link *link, size_t n)
{
    size_t room = link->room ? link->room : FIRST_BYTES;

    while (room < link->have + n) {
        room *= 2;
    }
    room = room < link->current.length ? room : link->current.length;
    if (room > link->room) {
        link->payload = realloc(link->payload, room);
        if (!link->payload) {
            abort();
        }
        link->room = room;
    }
}

static void end_frame(struct ttrpc_link *link)
{
    static const uint8_t nothing[1];
    bool skipped = is_too_long(link);
    struct ttrpc_header_fields header = link->current;
    CT_AUTO_FREE uint8_t *payload = ct_steal(link->payload);

    link->header_have = link->have = link->room = 0;
    link->events.frame(link->events.context, &header, skipped ? NULL : payload ? payload : nothing);
}

/* Takes some of the bytes; returns how many. */
static size_t take(struct ttrpc_link *link, const uint8_t *bytes, size_t n)
{
    if (link->header_have < TTRPC_HEADER_BYTES) {
        size_t missing = TTRPC_HEADER_BYTES - link->header_have;
        n = n < missing ? n : missing;
        memcpy(link->header + link->header_have, bytes, n);
        link->header_have += n;
        if (link->header_have < TTRPC_HEADER_BYTES) {
            return n;
        }
        link->current = ttrpc_header_read(link->header);
    } else {
        size_t missing = link->current.length - link->have;
        n = n < missing ? n : missing;
        if (!is_too_long(link)) {
            make_room(link, n);
            memcpy(link->payload + link->have, bytes, n);
        }
        link->have += n;
    }
    if (link->have == link->current.length) {
        end_frame(link);
    }
    return n;
}

static void drop_output(struct ttrpc_link *link)
{
    while (link->out) {
        struct frame_out *frame = link->out;
        link->out = frame->next;
        free(frame);
    }
    link->out_last = NULL;
    link->out_bytes = 0;
}

static void lose(struct ttrpc_link *link, int failure)
{
    struct ct_error err = {0};

    if (failure) {
        (void)ct_fail(&err, failure, "read");
    } else {
        (void)ct_refuse(&err, CT_UNREACHABLE, "the connection has ended");
    }
    err.kind = CT_UNREACHABLE;
    link->lost = true;
    drop_output(link);
    loop_change(link->source, 0);
    link->events.lost(link->events.context, &err);
}

static void receive(struct ttrpc_link *link)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        lose(link, n < 0 ? errno : 0);
        return;
    }
    for (size_t taken = 0; taken < (size_t)n && !link->closed;) {
        taken += take(link, bytes + taken, (size_t)n - taken);
    }
}

/* ---- out ------------------------------------------------------------------------------------ */

static void watch_again(struct ttrpc_link *link)
{
    uint32_t read = link->out_bytes > BEHIND_MAX ? 0 : EPOLLIN;
    loop_change(link->source, read | (link->out ? EPOLLOUT : 0));
}

/* Sends until all is sent or the peer takes no more. */
static void push(struct ttrpc_link *link)
{
    while (link->out) {
        struct frame_out *frame = link->out;
        ssize_t n = send(link->fd, frame->bytes + frame->sent, frame->length - frame->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN) {
            drop_output(link);
            (void)shutdown(link->fd, SHUT_RDWR); /* reading then tells that it has ended */
            return;
        }
        if (n < 0) {
            return;
        }
        frame->sent += (size_t)n;
        link->out_bytes -= (size_t)n;
        if (frame->sent == frame->length) {
            link->out = frame->next;
            link->out_last = link->out ? link->out_last : NULL;
            free(frame);
        }
    }
}

void ttrpc_link_push(struct ttrpc_link *link)
{
    if (!link->lost) {
        push(link);
        watch_again(link);
    }
}

int ttrpc_link_send(struct ttrpc_link *link, uint32_t stream, enum ttrpc_type type,
                    const ProtobufCMessage *message, struct ct_error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > TTRPC_MESSAGE_MAX) {
        return ct_refuse(err, CT_INVALID, "send a message of %zu bytes: %d are the most", size,
                         TTRPC_MESSAGE_MAX);
    }
    if (link->lost) {
        return 0;
    }
    struct frame_out *frame = malloc(sizeof(*frame) + TTRPC_HEADER_BYTES + size);
    if (!frame) {
        abort();
    }
    *frame = (struct frame_out){.length = TTRPC_HEADER_BYTES + size};
    ttrpc_header_write(&(struct ttrpc_header_fields){.length = (uint32_t)size,
                                                     .stream = stream,
                                                     .type = (uint8_t)type},
                       frame->bytes);
    (void)protobuf_c_message_pack(message, frame->bytes + TTRPC_HEADER_BYTES);
    if (link->out_last) {
        link->out_last->next = frame;
    } else {
        link->out = frame;
    }
    link->out_last = frame;
    link->out_bytes += frame->length;
    ttrpc_link_push(link);
    return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_link(struct ttrpc_link *link)
{
    loop_unwatch(link->source);
    drop_output(link);
    free(link->payload);
    ct_cleanup_close(&link->fd);
    free(link);
}

static void ready(void *context, uint32_t events)
{
    struct ttrpc_link *link = context;

    link->in_event = true;
    if (events & EPOLLOUT) {
        ttrpc_link_push(link);
    }
    if (events & ~(uint32_t)EPOLLOUT) {
        receive(link);
    }
    link->in_event = false;
    if (link->closed) {
        free_link(link);
    }
}

struct ttrpc_link *ttrpc_link_open(struct loop *loop, int fd,
                                   const struct ttrpc_link_events *events, struct ct_error *err)
{
    struct ttrpc_link *link = calloc(1, sizeof(*link));

    if (!link || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        !(link->source = loop_watch(loop, fd, EPOLLIN, ready, link, err))) {
        if (err->kind == CT_NONE) {
            (void)ct_fail(err, link ? errno : ENOMEM, "open a connection");
        }
        (void)close(fd);
        free(link);
        return NULL;
    }
    link->fd = fd;
    link->events = *events;
    return link;
}

void ttrpc_link_close(struct ttrpc_link *link)
{
    if (link && link->in_event) {
        link->closed = true;
    } else if (link) {
        free_link(link);
    }
}

bool ttrpc_link_is_idle(const struct ttrpc_link *link)
{
    return !link->out;
}

int ttrpc_link_fd(const struct ttrpc_link *link)
{
    return link->fd;
}
