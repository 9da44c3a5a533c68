/*
 * transfer.c - a request on its way: sent, answered, given up.
 *
 * Room:       client.   Called by: call.c, follow.c (wait), hijack.c (where to connect).
 * Spec:       libcurl-multi(3): the multi interface, since only that can wait for a descriptor of
 *             ours beside the connection.
 */
#define CT_LAYER "client"
#include "client_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#define ERROR_BODY_MAX     65536
#define CONNECT_TIMEOUT_MS 10000L

int channel_open(struct channel *channel, struct ct_error *err)
{
    *channel = (struct channel){.curl = curl_easy_init(), .multi = curl_multi_init()};
    if (!channel->curl || !channel->multi) {
        channel_close(channel);
        return ct_fail(err, ENOMEM, "open a channel to the daemon");
    }
    return 0;
}

void channel_close(struct channel *channel)
{
    curl_easy_cleanup(channel->curl);
    (void)curl_multi_cleanup(channel->multi);
    *channel = (struct channel){0};
}

/* ---- what the library calls ----------------------------------------------------------------- */

static bool is_success(unsigned status)
{
    return status >= 200 && status < 300;
}

static unsigned status_of(CURL *curl)
{
    long status = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return (unsigned)status;
}

/* Called with each line of the head; the last is empty. "100 Continue" has a head of its own. */
static size_t take_header(char *line, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * n;

    if (length == 2 && line[0] == '\r') {
        transfer->status = status_of(transfer->channel->curl);
        transfer->has_head = transfer->status >= 200;
    }
    return length;
}

static size_t keep_error(struct transfer *transfer, const char *bytes, size_t n)
{
    size_t room = ERROR_BODY_MAX - transfer->error_length;
    size_t part = n < room ? n : room;
    char *body = realloc(transfer->error_body, transfer->error_length + part + 1);

    if (!body) {
        return 0;
    }
    memcpy(body + transfer->error_length, bytes, part);
    transfer->error_body = body;
    transfer->error_length += part;
    return n;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    const struct call_streams *streams = &transfer->streams;
    size_t length = size * n;

    if (!is_success(transfer->status)) {
        return keep_error(transfer, bytes, length);
    }
    if (streams->sink && streams->sink(streams->context, bytes, length, &transfer->own_err) < 0) {
        return 0;
    }
    return length;
}

/* Never blocks: while standard input is silent, the answer may come, or the user's Ctrl-C. */
static size_t give_body(char *buffer, size_t size, size_t n, void *context)
{
    struct transfer *transfer = context;
    struct pollfd in = {.fd = transfer->streams.in_fd, .events = POLLIN};

    if (poll(&in, 1, 0) == 0) {
        transfer->in_waiting = true;
        return CURL_READFUNC_PAUSE;
    }
    ssize_t got = read(in.fd, buffer, size * n);
    if (got < 0) {
        (void)ct_fail(&transfer->own_err, errno, "read what is to be sent");
        return CURL_READFUNC_ABORT;
    }
    return (size_t)got;
}

/* ---- set up --------------------------------------------------------------------------------- */

void transfer_aim(const struct engine *engine, CURL *curl)
{
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* an engine is not a web site */
    (void)curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "Cutaway/" CUTAWAY_VERSION " (linux)");
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, engine->host.path);
    (void)curl_easy_setopt(curl, CURLOPT_CAINFO, engine->tls.ca);
    (void)curl_easy_setopt(curl, CURLOPT_SSLCERT, engine->tls.cert);
    (void)curl_easy_setopt(curl, CURLOPT_SSLKEY, engine->tls.key);
}

static void set_method(const struct transfer *transfer, const struct transfer_request *request)
{
    CURL *curl = transfer->channel->curl;
    CT_AUTO_FREE char *text = request->body ? ct_json_text(request->body) : NULL;

    if (transfer->streams.in_fd >= 0) {
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    } else if (strcmp(request->method, "POST") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, text ? (long)strlen(text) : 0L);
        (void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, text ? text : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    transfer->headers = longer ? longer : transfer->headers;
}

static void set_headers(struct transfer *transfer, const struct transfer_request *request)
{
    char context[56];
    const char *traceparent = ct_span_context(context);

    add_header(transfer, request->body                  ? "Content-Type: application/json"
                         : transfer->streams.in_fd >= 0 ? "Content-Type: application/x-tar"
                                                        : "Content-Type:");
    add_header(transfer, "Expect:"); /* do not ask whether we may send: send */
    if (traceparent) {
        CT_AUTO_FREE char *line = ct_printf("traceparent: %s", traceparent);
        add_header(transfer, line);
    }
    (void)curl_easy_setopt(transfer->channel->curl, CURLOPT_HTTPHEADER, transfer->headers);
}

int transfer_begin(struct transfer *transfer, const struct engine *engine, struct channel *channel,
                   const struct transfer_request *request, const struct call_streams *streams,
                   struct ct_error *err)
{
    CURL *curl = curl_easy_init();

    *transfer = (struct transfer){.engine = engine, .channel = channel, .streams = *streams};
    if (!curl) {
        return ct_fail(err, ENOMEM, "ask the daemon");
    }
    /*
     * A new handle for each request: one that is used again reads freed memory when the next answer
     * begins with a folded line (curl issue 11101; 7.83 to 8.1.0, so Debian 12's). The connection
     * is kept all the same: it is the multi handle's.
     */
    curl_easy_cleanup(channel->curl);
    channel->curl = curl;
    transfer_aim(engine, curl);
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
    (void)curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
    set_method(transfer, request);
    set_headers(transfer, request);
    return curl_multi_add_handle(channel->multi, curl) == CURLM_OK
               ? 0
               : ct_fail(err, ENOMEM, "ask the daemon");
}

void transfer_done(struct transfer *transfer)
{
    (void)curl_multi_remove_handle(transfer->channel->multi, transfer->channel->curl);
    curl_slist_free_all(transfer->headers);
    free(transfer->error_body);
    transfer->headers = NULL;
    transfer->error_body = NULL;
}

/* ---- on its way ----------------------------------------------------------------------------- */

static int lost_connect(const struct engine *engine, int sys, struct ct_error *err)
{
    enum ct_kind kind = sys == EACCES ? CT_DENIED : CT_UNREACHABLE;

    (void)ct_error_set(err, CT_LAYER, kind, sys, "connect to the daemon at '%.100s'", engine->name);
    if (kind == CT_DENIED) {
        return ct_hint(err, "use sudo, or become a member of the socket's group");
    }
    return engine->host.is_unix
               ? ct_hint(err, "start it: sudo cutawayd, or systemctl start cutaway.socket")
               : ct_hint(err, "is cutawayd running there, with -H tcp://…?");
}

int transfer_lost(const struct engine *engine, CURL *curl, CURLcode code, struct ct_error *err)
{
    long sys = 0;

    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &sys);
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
        return lost_connect(engine, (int)sys, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return ct_refuse(err, CT_UNREACHABLE, "connect to the daemon at '%.100s': %s", engine->name,
                         curl_easy_strerror(code));
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        (void)ct_refuse(err, CT_DENIED, "trust the daemon at '%.100s': %s", engine->name,
                        curl_easy_strerror(code));
        return ct_hint(err, "look at --tlscacert, --tlscert and --tlskey, or CUTAWAY_CERT_PATH");
    default:
        (void)ct_refuse(err, CT_UNREACHABLE, "the daemon at '%.100s' went away: %s", engine->name,
                        curl_easy_strerror(code));
        return ct_hint(err, "whether it was done is unknown: look before you ask again");
    }
}

/* What came of a transfer that is over. */
static int outcome(struct transfer *transfer, struct ct_error *err)
{
    if (transfer->own_err.kind != CT_NONE) {
        *err = transfer->own_err;
        return -1;
    }
    if (transfer->code != CURLE_OK) {
        return transfer_lost(transfer->engine, transfer->channel->curl, transfer->code, err);
    }
    if (!is_success(transfer->status)) {
        rest_error_read(transfer->status, transfer->error_body, transfer->error_length, err);
        return -1;
    }
    return 1;
}

int transfer_go_on(struct transfer *transfer, struct ct_error *err)
{
    int running = 0, left = 0;
    const CURLMsg *message;

    if (curl_multi_perform(transfer->channel->multi, &running) != CURLM_OK) {
        return ct_fail(err, ENOMEM, "ask the daemon");
    }
    while ((message = curl_multi_info_read(transfer->channel->multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            transfer->is_over = true;
            transfer->code = message->data.result;
        }
    }
    return transfer->is_over ? outcome(transfer, err) : 0;
}

/* Waits for the connection, for more to send, or for somebody who gives up. */
static int wait_for_news(struct transfer *transfer, struct ct_error *err)
{
    struct curl_waitfd extra[2] = {
        {.fd = transfer->streams.cancel_fd, .events = CURL_WAIT_POLLIN},
        {.fd = transfer->in_waiting ? transfer->streams.in_fd : -1, .events = CURL_WAIT_POLLIN},
    };

    /* A descriptor of -1 is passed over, as by poll(2). */
    if (curl_multi_poll(transfer->channel->multi, extra, 2, 60000, NULL) != CURLM_OK) {
        return ct_fail(err, ENOMEM, "wait for the daemon");
    }
    if (extra[0].revents) {
        return ct_refuse(err, CT_TIMEOUT, "interrupted");
    }
    if (extra[1].revents) {
        transfer->in_waiting = false;
        (void)curl_easy_pause(transfer->channel->curl, CURLPAUSE_CONT);
    }
    return 0;
}

int transfer_until_head(struct transfer *transfer, struct ct_error *err)
{
    for (;;) {
        int over = transfer_go_on(transfer, err);
        bool refused = transfer->has_head && !is_success(transfer->status); /* read on: why */
        if (over != 0 || (transfer->has_head && !refused)) {
            return over < 0 ? -1 : 0;
        }
        if (wait_for_news(transfer, err) < 0) {
            return -1;
        }
    }
}

int transfer_until_end(struct transfer *transfer, struct ct_error *err)
{
    for (;;) {
        int over = transfer_go_on(transfer, err);
        if (over != 0) {
            return over < 0 ? -1 : 0;
        }
        if (wait_for_news(transfer, err) < 0) {
            return -1;
        }
    }
}

int transfer_fd(const struct transfer *transfer)
{
    fd_set reads, writes, exceptions;
    int max = -1;

    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&exceptions);
    (void)curl_multi_fdset(transfer->channel->multi, &reads, &writes, &exceptions, &max);
    return max;
}
