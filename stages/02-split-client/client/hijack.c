/*
 * hijack.c - a request after which the connection is a program's stream: attach and exec.
 *
 * Room:       client.   Called by: containers.c.
 * Spec:       Docker Engine API 1.43, "Attach to a container": the answer is "101 UPGRADED", and
 *             then bytes go both ways. libcurl connects (unix, tcp, TLS) and leaves the rest to us
 *             (CURLOPT_CONNECT_ONLY(3)); http_parser reads the answer.
 */
#define CT_LAYER "client"
#include "client_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <http_parser.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES 16384

/* ---- bytes through libcurl: with TLS, or without ----------------------------------------------
 */

static int socket_of(CURL *curl)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    (void)curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
    return (int)fd;
}

static void wait_for(CURL *curl, short events)
{
    struct pollfd fd = {.fd = socket_of(curl), .events = events};
    (void)poll(&fd, 1, -1); /* what woke us is seen at the next read or write */
}

static CURLcode send_all(CURL *curl, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(curl, bytes, length, &sent);
        if (code == CURLE_AGAIN) {
            wait_for(curl, POLLOUT);
        } else if (code != CURLE_OK) {
            return code;
        }
        bytes += sent;
        length -= sent;
    }
    return CURLE_OK;
}

static CURLcode receive(CURL *curl, char *buffer, size_t size, size_t *ret)
{
    CURLcode code;
    while ((code = curl_easy_recv(curl, buffer, size, ret)) == CURLE_AGAIN) {
        wait_for(curl, POLLIN);
    }
    return code;
}

/* ---- the answer ----------------------------------------------------------------------------- */

struct answer {
    bool complete;
    char *text; /* of a refusal */
    size_t length;
    FILE *body;
};

static int on_body(http_parser *parser, const char *bytes, size_t n)
{
    struct answer *answer = parser->data;
    return fwrite(bytes, 1, n, answer->body) == n ? 0 : -1;
}

static int on_complete(http_parser *parser)
{
    ((struct answer *)parser->data)->complete = true;
    return 0;
}

/*
 * A byte at a time: what stands behind the head is the program's already, and must not be taken.
 * Returns the status; 0 with *err: there was no answer.
 */
static unsigned read_answer(const struct engine *engine, CURL *curl, struct answer *answer,
                            struct ct_error *err)
{
    http_parser parser;
    http_parser_settings settings;
    char byte;
    size_t n = 1;

    http_parser_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = answer;
    while (!answer->complete && n == 1) {
        CURLcode code = receive(curl, &byte, 1, &n); /* n is 0 at the end: the parser is told */
        if (code != CURLE_OK) {
            (void)transfer_lost(engine, curl, code, err);
            return 0;
        }
        if (http_parser_execute(&parser, &settings, &byte, n) != n && !parser.upgrade) {
            (void)ct_refuse(err, CT_SYSTEM, "read the daemon's answer: %s",
                            http_errno_description(HTTP_PARSER_ERRNO(&parser)));
            return 0;
        }
    }
    if (!answer->complete) {
        (void)transfer_lost(engine, curl, CURLE_GOT_NOTHING, err);
        return 0;
    }
    return parser.status_code;
}

/* ---- the stream ----------------------------------------------------------------------------- */

/* "I send no more" within TLS (gnutls_bye(3)); libcurl has no call for it, but lends the session.
 */
static void end_input(CURL *curl)
{
    struct curl_tlssessioninfo *info = NULL;
    if (curl_easy_getinfo(curl, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info->internals &&
        info->backend == CURLSSLBACKEND_GNUTLS) {
        (void)gnutls_bye(info->internals, GNUTLS_SHUT_WR);
    }
}

/* A TLS connection is no descriptor that others can read: a thread stands between. */
struct relay {
    CURL *curl;
    int fd;
};

/* Bytes from the user. False: there will be no more (or nobody takes them). */
static bool relay_input(const struct relay *relay)
{
    char block[BLOCK_BYTES];
    ssize_t n = read(relay->fd, block, sizeof(block));
    return n > 0 && send_all(relay->curl, block, (size_t)n) == CURLE_OK;
}

/* Bytes from the program, as many as TLS has decrypted. False: it has ended. */
static bool relay_output(const struct relay *relay)
{
    char block[BLOCK_BYTES];
    size_t n = 0;
    CURLcode code = curl_easy_recv(relay->curl, block, sizeof(block), &n);
    while (code == CURLE_OK && n > 0) {
        if (ct_write_all(relay->fd, block, n) < 0) {
            return false;
        }
        code = curl_easy_recv(relay->curl, block, sizeof(block), &n);
    }
    return code == CURLE_AGAIN;
}

static void *relay_run(void *context)
{
    struct relay *relay = context;
    bool input = true;

    while (relay_output(relay)) {
        struct pollfd fds[2] = {{.fd = socket_of(relay->curl), .events = POLLIN},
                                {.fd = input ? relay->fd : -1, .events = POLLIN}};
        (void)poll(fds, 2, -1);
        if (input && fds[1].revents && !relay_input(relay)) {
            input = false;
            end_input(relay->curl);
        }
    }
    (void)close(relay->fd);
    curl_easy_cleanup(relay->curl);
    free(relay);
    return NULL;
}

static int start_relay(CURL *curl, int *ret_fd, struct ct_error *err)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    pthread_t thread;
    int ends[2];

    if (!relay || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        free(relay);
        return ct_fail(err, ENOMEM, "make a stream");
    }
    *relay = (struct relay){.curl = curl, .fd = ends[0]};
    int result = pthread_create(&thread, NULL, relay_run, relay);
    if (result != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(relay);
        return ct_fail(err, result, "start a thread");
    }
    (void)pthread_detach(thread);
    *ret_fd = ends[1];
    return 0;
}

/* The connection itself, blocking as callers expect. Closing the handle leaves our copy open. */
static int take_socket(CURL *curl, int *ret_fd, struct ct_error *err)
{
    int fd = fcntl(socket_of(curl), F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return ct_fail(err, errno, "take over the connection");
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    *ret_fd = fd;
    return 0;
}

/* ---- the request ---------------------------------------------------------------------------- */

/* The head has one form; only target and length differ. What could end a line is escaped. */
static char *request_text(const struct call *call, const char *target, const char *body)
{
    char context[56];
    const char *traceparent = ct_span_context(context);

    return ct_printf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Cutaway/%s (linux)\r\n"
                     "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n%s%s%s\r\n%s",
                     rest_method(call->endpoint), target,
                     call->engine->host.is_unix ? "cutaway" : call->engine->host.name,
                     CUTAWAY_VERSION, strlen(body), traceparent ? "traceparent: " : "",
                     traceparent ? traceparent : "", traceparent ? "\r\n" : "", body);
}

static int ask(const struct call *call, CURL *curl, const char *url, const json_t *body,
               struct ct_error *err)
{
    CT_AUTO_FREE char *document = body ? ct_json_text(body) : ct_strdup("");
    const char *target = strchr(strstr(url, "//") + 2, '/'); /* call_new() made it: there is one */
    CT_AUTO_FREE char *request = request_text(call, target, document);
    struct answer answer = {0};

    CURLcode code = send_all(curl, request, strlen(request));
    if (code != CURLE_OK) {
        return transfer_lost(call->engine, curl, code, err);
    }
    answer.body = open_memstream(&answer.text, &answer.length);
    if (!answer.body) {
        return ct_fail(err, ENOMEM, "ask the daemon");
    }
    unsigned status = read_answer(call->engine, curl, &answer, err);
    (void)fclose(answer.body);
    if (status != 0 && status != 101) {
        rest_error_read(status, answer.text, answer.length, err);
    }
    free(answer.text);
    return status == 101 ? 0 : -1;
}

/* curl is given away. */
static int hijack(const struct call *call, CURL *curl, const char *url, const json_t *body,
                  int *ret_fd, struct ct_error *err)
{
    transfer_aim(call->engine, curl);
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    CURLcode code = curl_easy_perform(curl);
    int result = code == CURLE_OK ? ask(call, curl, url, body, err)
                                  : transfer_lost(call->engine, curl, code, err);
    if (result == 0 && call->engine->has_tls) {
        result = start_relay(curl, ret_fd, err);
        if (result == 0) {
            return 0; /* the handle is the relay's */
        }
    } else if (result == 0) {
        result = take_socket(curl, ret_fd, err);
    }
    curl_easy_cleanup(curl);
    return result;
}

int call_hijack(struct call *call, const json_t *body, int *ret_fd, struct ct_error *err)
{
    CT_AUTO_FREE char *url = call_url(call, err);
    if (!url) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_CLIENT, CT_STEP_REQUEST, "%s %s", rest_method(call->endpoint), call->path);
    CURL *curl = curl_easy_init();
    int result =
        curl ? hijack(call, curl, url, body, ret_fd, err) : ct_fail(err, ENOMEM, "ask the daemon");
    call_done(call);
    return result;
}
