/*
 * stream.c - a body that is produced while it is sent: logs, events, archives, waits.
 *
 * Room:       daemon.   Called by: reply.c.
 *
 * The engine writes to a descriptor and blocks; the HTTP library asks for bytes. Between them
 * stands a pipe: a thread of its own writes, the connection's thread reads. A client that goes away
 * is noticed at once, also when nothing is being sent, and ends the thread through its cancel fd.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK_BYTES 32768

struct stream {
    struct talk talk;
    produce_fn produce;
    void *context;
    void (*release)(void *context);
    int read_fd, write_fd;
    int client_fd;
    pthread_t thread;
    int result;
    struct ct_error err;
};

static void *produce(void *context)
{
    struct stream *stream = context;

    (void)unshare(CLONE_FS); /* unpacking sets the umask: this thread's, not everybody's */
    stream->result =
        stream->produce(stream->context, stream->write_fd, stream->talk.cancel_fd, &stream->err);
    ct_cleanup_close(&stream->write_fd);
    return NULL;
}

static void stream_free(void *context)
{
    struct stream *stream = context;

    talk_cancel(&stream->talk);
    ct_cleanup_close(&stream->read_fd); /* whoever writes still is told by EPIPE */
    (void)pthread_join(stream->thread, NULL);
    if (stream->release) {
        stream->release(stream->context);
    }
    talk_end(&stream->talk);
    free(stream);
}

static struct stream *stream_new(struct MHD_Connection *connection, struct rest_reply *reply,
                                 struct ct_error *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct stream *stream = calloc(1, sizeof(*stream));
    int ends[2];

    if (!stream || pipe2(ends, O_CLOEXEC) < 0) {
        int saved = stream ? errno : ENOMEM;
        free(stream);
        return ct_fail_null(err, saved, "make a stream");
    }
    *stream = (struct stream){.produce = reply->produce,
                              .context = reply->context,
                              .release = reply->release,
                              .read_fd = ends[0],
                              .write_fd = ends[1],
                              .client_fd = info ? info->connect_fd : -1};
    if (talk_begin(&stream->talk, err) < 0) {
        goto undo_pipe;
    }
    int result = pthread_create(&stream->thread, NULL, produce, stream);
    if (result != 0) {
        (void)ct_fail(err, result, "start a thread");
        goto undo_talk;
    }
    reply->produce = NULL; /* the context is the stream's now */
    reply->release = NULL;
    return stream;

undo_talk:
    talk_end(&stream->talk);
undo_pipe:
    (void)close(ends[0]);
    (void)close(ends[1]);
    free(stream);
    return NULL;
}

/* Waits for bytes, the end, or the client's going. Returns false when the client is gone. */
static bool wait_for_bytes(const struct stream *stream)
{
    struct pollfd fds[2] = {{.fd = stream->read_fd, .events = POLLIN},
                            {.fd = stream->client_fd, .events = POLLRDHUP}};

    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return fds[0].revents || !(fds[1].revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static ssize_t read_some(void *context, uint64_t position, char *buffer, size_t size)
{
    struct stream *stream = context;
    (void)position;

    if (!wait_for_bytes(stream)) {
        talk_cancel(&stream->talk);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    ssize_t n = read(stream->read_fd, buffer, size);
    if (n > 0) {
        return n;
    }
    /* The producer has closed its end: result was written before. */
    return n == 0 && stream->result == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                                         : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Whether it failed before it wrote anything: then an error can still be answered. */
static bool has_failed_at_once(struct stream *stream)
{
    int bytes = 0;

    (void)wait_for_bytes(stream);
    (void)ioctl(stream->read_fd, FIONREAD, &bytes);
    struct pollfd end = {.fd = stream->read_fd, .events = POLLIN};
    bool ended = poll(&end, 1, 0) > 0 && (end.revents & POLLHUP);
    return bytes == 0 && ended && stream->result < 0;
}

struct MHD_Response *stream_response(struct MHD_Connection *connection, struct rest_reply *reply,
                                     struct ct_error *err)
{
    bool prompt = reply->prompt;
    struct stream *stream = stream_new(connection, reply, err);

    if (!stream) {
        return NULL;
    }
    if (!prompt && has_failed_at_once(stream)) {
        *err = stream->err;
        stream_free(stream);
        return NULL;
    }
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_some, stream, stream_free);
    if (!response) {
        stream_free(stream);
        (void)ct_fail(err, ENOMEM, "answer");
    }
    return response;
}
