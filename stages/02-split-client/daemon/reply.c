/*
 * reply.c - from a handler's answer to a response of the HTTP library.
 *
 * Room:       daemon.   Called by: the handlers (reply_…), server.c (reply_send).
 * Spec:       Docker Engine API 1.43; what clients look at in headers is in the comments.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int reply_empty(struct rest_reply *reply, unsigned status)
{
    reply->status = status;
    return 0;
}

int reply_json(struct rest_reply *reply, unsigned status, json_t *json)
{
    reply->status = status;
    reply->json = json;
    return 0;
}

int reply_stream(struct rest_reply *reply, const char *type, produce_fn produce, void *context,
                 void (*release)(void *context))
{
    reply->status = MHD_HTTP_OK;
    reply->type = type;
    reply->produce = produce;
    reply->context = context;
    reply->release = release;
    return 0;
}

/* Until its end, for a client that did not ask to upgrade (old ones, curl). */
static int copy_stream(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const int *fd = context;
    char block[16384];

    while (ct_wait_readable(*fd, cancel_fd, -1, err) == 1) {
        ssize_t n = read(*fd, block, sizeof(block));
        if (n <= 0) {
            return n < 0 ? ct_fail(err, errno, "read the stream") : 0;
        }
        if (ct_write_all(out_fd, block, (size_t)n) < 0) {
            return ct_fail(err, errno, "send the stream");
        }
    }
    return -1;
}

static void release_fd(void *context)
{
    int *fd = context;
    ct_cleanup_close(fd);
    free(fd);
}

int reply_hijack(struct rest_request *request, struct rest_reply *reply, int fd, bool raw)
{
    reply->type = raw || request->version < 42 ? "application/vnd.docker.raw-stream"
                                               : "application/vnd.docker.multiplexed-stream";
    if (request->upgrade) {
        reply->status = MHD_HTTP_SWITCHING_PROTOCOLS;
        reply->hijack_fd = fd;
        return 0;
    }
    int *kept = malloc(sizeof(*kept));
    if (!kept) {
        (void)close(fd);
        return reply_empty(reply, MHD_HTTP_INTERNAL_SERVER_ERROR);
    }
    *kept = fd;
    reply->prompt = true;
    return reply_stream(reply, reply->type, copy_stream, kept, release_fd);
}

void reply_error(struct rest_reply *reply, const struct ct_error *err)
{
    reply_done(reply);
    if (err->kind == CT_UNCHANGED) {
        reply->status = MHD_HTTP_NOT_MODIFIED; /* clients take it as success */
        return;
    }
    reply->status = (unsigned)ct_kind_http_status(err->kind);
    reply->json = rest_error_body(err);
}

void reply_done(struct rest_reply *reply)
{
    json_decref(reply->json);
    free(reply->json_text);
    if (reply->release) {
        reply->release(reply->context);
    }
    ct_cleanup_close(&reply->hijack_fd);
    free(reply->stat);
    *reply = (struct rest_reply){.hijack_fd = -1};
}

/* ---- to the library ------------------------------------------------------------------------- */

/* text is given away. */
static struct MHD_Response *json_text_response(char *text)
{
    size_t length = text ? strlen(text) : 0;

    if (!text) {
        return NULL;
    }
    text[length] = '\n'; /* instead of the NUL: docker ends its bodies so */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length + 1, text, MHD_RESPMEM_MUST_FREE);
    /* Exactly this: with a charset behind it Docker's client shows the body instead of reading it.
     */
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return response;
}

static struct MHD_Response *json_response(const json_t *json)
{
    return json_text_response(ct_json_text(json));
}

static struct MHD_Response *empty_response(void)
{
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

/* What every answer says, so that a client can negotiate with any of them. */
static void add_common_headers(struct MHD_Response *response)
{
    CT_AUTO_FREE char *version = ct_printf("1.%d", REST_VERSION_MAX);

    (void)MHD_add_response_header(response, "Api-Version", version);
    (void)MHD_add_response_header(response, "Docker-Experimental", "false");
    (void)MHD_add_response_header(response, "Ostype", "linux");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_SERVER,
                                  "Cutaway/" CUTAWAY_VERSION " (linux)");
}

static struct MHD_Response *make_response(struct rest_request *request, struct rest_reply *reply,
                                          struct ct_error *err)
{
    struct MHD_Response *response;

    if (reply->hijack_fd >= 0) {
        return hijack_response(request, reply);
    }
    if (reply->produce) {
        const char *type = reply->type;
        response = stream_response(request->connection, reply, err);
        if (response && type) {
            (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
        }
        return response;
    }
    return reply->json        ? json_response(reply->json)
           : reply->json_text ? json_text_response(ct_steal(reply->json_text))
                              : empty_response();
}

enum MHD_Result reply_send(struct rest_request *request, struct rest_reply *reply)
{
    struct ct_error err = {0};

    if (reply->ready) {
        return MHD_queue_response(request->connection, reply->status, reply->ready);
    }
    struct MHD_Response *response = make_response(request, reply, &err);
    if (!response) {
        if (err.kind == CT_NONE) {
            (void)ct_fail(&err, ENOMEM, "answer");
        }
        reply_error(reply, &err);
        response = json_response(reply->json);
    }
    if (!response) {
        return MHD_NO; /* no memory even for that: the connection is closed */
    }
    add_common_headers(response);
    if (reply->stat) {
        (void)MHD_add_response_header(response, REST_STAT_HEADER, reply->stat);
    }
    enum MHD_Result result = MHD_queue_response(request->connection, reply->status, response);
    MHD_destroy_response(response); /* the connection has a reference of its own */
    reply_done(reply);
    return result;
}

/* ---- ping ----------------------------------------------------------------------------------- */

/*
 * The answer is always the same. Made once, it is sent on all connections: the library counts who
 * has it. To make it took longer than everything else that we do for a ping.
 */
static struct {
    pthread_once_t once;
    struct MHD_Response *with_body, *without;
} pong = {.once = PTHREAD_ONCE_INIT};

static struct MHD_Response *make_pong(const char *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_PERSISTENT);
    if (!response) {
        abort(); /* as everywhere when small memory is out */
    }
    add_common_headers(response);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  "text/plain; charset=utf-8");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
                                  "no-cache, no-store, must-revalidate");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_PRAGMA, "no-cache");
    return response;
}

static void make_pongs(void)
{
    pong.with_body = make_pong("OK");
    pong.without = make_pong("");
}

int reply_pong(struct rest_reply *reply, bool with_body)
{
    (void)pthread_once(&pong.once, make_pongs);
    reply->status = MHD_HTTP_OK;
    reply->ready = with_body ? pong.with_body : pong.without;
    return 0;
}

/* ---- lines of a stream ---------------------------------------------------------------------- */

int write_line(int out_fd, const json_t *json, const char *end, struct ct_error *err)
{
    CT_AUTO_FREE char *text = ct_json_text(json);
    CT_AUTO_FREE char *line = ct_printf("%s%s", text, end);

    return ct_write_all(out_fd, line, strlen(line)) < 0 ? ct_fail(err, errno, "send a line") : 0;
}

void write_progress(void *out_fd_pointer, const json_t *message)
{
    struct ct_error ignored = {0}; /* who does not listen any more misses nothing */
    (void)write_line(*(const int *)out_fd_pointer, message, "\r\n", &ignored);
}
