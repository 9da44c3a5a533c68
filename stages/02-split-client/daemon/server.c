/*
 * server.c - HTTP requests in, handlers called, answers out.
 *
 * Room:       daemon.   Called by: main.c of cutawayd; tests.
 * Spec:       RFC 9112; libmicrohttpd reads and writes it, one thread a connection.
 *
 * A request is complete before its handler runs: documents are held in memory (REST_JSON_MAX),
 * tars in a file without a name. So a client that breaks off in the middle changes nothing.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "span.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX   1024
#define HEADER_BYTES      (32u << 10) /* the request line and all headers; see start_http() */
#define IDLE_SECONDS      120
#define DRAIN_SECONDS     30
#define THREAD_STACK_SIZE (512u << 10)

struct server {
    struct MHD_Daemon *http;
    struct engine *engine;
    struct tls_front *front; /* or NULL */
    int spool_fd;            /* the directory in which uploads are held */
    atomic_uint under_way;   /* requests that are worked on, up to the last byte of their answer */
};

/* One request on its way in. */
struct exchange {
    struct rest_request request;
    struct server *server;
    bool under_way;      /* counted there */
    struct ct_error err; /* kind CT_NONE as long as all is well */
    char *text;          /* a document so far */
    size_t length;
    bool handled;
};

/* ---- the request comes in ------------------------------------------------------------------- */

static const char *header(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value ? value : "";
}

static int open_spool(const struct server *server, struct ct_error *err)
{
    int fd = openat(server->spool_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? ct_fail(err, errno, "make a file for the upload") : fd;
}

static struct exchange *exchange_new(struct server *server, struct MHD_Connection *connection,
                                     const char *method, const char *path)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        return NULL;
    }
    struct rest_request *request = &exchange->request;
    exchange->server = server;
    *request = (struct rest_request){.engine = server->engine,
                                     .connection = connection,
                                     .endpoint = REST_ENDPOINT_COUNT,
                                     .in_fd = -1};
    request->upgrade = strcasestr(header(connection, MHD_HTTP_HEADER_CONNECTION), "upgrade") &&
                       strcasecmp(header(connection, MHD_HTTP_HEADER_UPGRADE), "tcp") == 0;
    if (query_check(request, path, &exchange->err) == 0 &&
        route_find(method, path, request, &exchange->err) == 0 && route_takes_upload(request)) {
        request->in_fd = open_spool(server, &exchange->err);
    }
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    if (exchange->under_way) {
        atomic_fetch_sub(&exchange->server->under_way, 1);
    }
    hijack_drop(exchange->request.hijack);
    json_decref(exchange->request.body);
    ct_cleanup_close(&exchange->request.in_fd);
    free(exchange->request.name);
    free(exchange->text);
    free(exchange);
}

/* Keeps what came. After an error the rest is read and dropped, so that the answer can be sent. */
static void take_bytes(struct exchange *exchange, const char *bytes, size_t n)
{
    if (exchange->err.kind != CT_NONE) {
        return;
    }
    if (exchange->request.in_fd >= 0) {
        if (ct_write_all(exchange->request.in_fd, bytes, n) < 0) {
            (void)ct_fail(&exchange->err, errno, "hold the upload on disk");
        }
        return;
    }
    if (exchange->length + n > REST_JSON_MAX) {
        (void)ct_refuse(&exchange->err, CT_INVALID, "read the request: it has more than %u bytes",
                        REST_JSON_MAX);
        return;
    }
    char *grown = realloc(exchange->text, exchange->length + n);
    if (!grown) {
        (void)ct_fail(&exchange->err, ENOMEM, "read the request");
        return;
    }
    memcpy(grown + exchange->length, bytes, n);
    exchange->text = grown;
    exchange->length += n;
}

/* The document; also "" is none. */
static int parse_body(struct exchange *exchange, struct ct_error *err)
{
    const char *type = header(exchange->request.connection, MHD_HTTP_HEADER_CONTENT_TYPE);

    if (exchange->length == 0) {
        return 0;
    }
    if (strncasecmp(type, "application/json", 16) != 0) {
        return ct_refuse(err, CT_INVALID,
                         "unsupported Content-Type header (%.60s): must be 'application/json'",
                         *type ? type : "none");
    }
    exchange->request.body = ct_json_parse(exchange->text, exchange->length, err);
    if (!exchange->request.body) {
        return ct_while(err, "read the request");
    }
    if (!json_is_object(exchange->request.body)) {
        return ct_refuse(err, CT_INVALID, "read the request: it is not an object");
    }
    return 0;
}

/* ---- the answer goes out -------------------------------------------------------------------- */

static int handle(struct exchange *exchange, struct rest_reply *reply, struct ct_error *err)
{
    struct rest_request *request = &exchange->request;

    if (request->in_fd >= 0 && lseek(request->in_fd, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "read the upload");
    }
    if (request->in_fd < 0 && parse_body(exchange, err) < 0) {
        return -1;
    }
    return route_handler(request->endpoint)(request, reply, err);
}

static enum MHD_Result answer_exchange(struct exchange *exchange, const char *method,
                                       const char *path)
{
    struct rest_reply reply = {.hijack_fd = -1};
    struct ct_error *err = &exchange->err;

    exchange->under_way = true;
    atomic_fetch_add(&exchange->server->under_way, 1);

    ct_span_adopt(header(exchange->request.connection, "traceparent"));
    {
        CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_REPLY, "%s %s", method, path);
        if (err->kind != CT_NONE || handle(exchange, &reply, err) < 0) {
            reply_error(&reply, err);
        }
    }
    ct_span_adopt(NULL);
    return reply_send(&exchange->request, &reply);
}

/* Unpacking sets the umask: this thread's, not everybody's. Once for all requests of a connection.
 */
static void have_own_umask(void)
{
    static __thread bool unshared;
    if (!unshared) {
        unshared = unshare(CLONE_FS) == 0;
    }
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes,
                              size_t *n_bytes, void **slot)
{
    struct server *server = context;
    struct exchange *exchange = *slot;

    (void)version;
    if (!exchange) { /* the headers are there; the body comes in further calls */
        have_own_umask();
        *slot = exchange_new(server, connection, method, path);
        return *slot ? MHD_YES : MHD_NO;
    }
    if (*n_bytes > 0) {
        take_bytes(exchange, bytes, *n_bytes);
        *n_bytes = 0;
        return MHD_YES;
    }
    return answer_exchange(exchange, method, path);
}

static void completed(void *context, struct MHD_Connection *connection, void **slot,
                      enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    if (*slot) {
        exchange_free(*slot);
        *slot = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void log_line(void *context, const char *format,
                                                           va_list arguments)
{
    CT_AUTO_FREE char *line = NULL;
    (void)context;
    if (vasprintf(&line, format, arguments) > 0) {
        ct_debug("http message=%.*s", (int)strcspn(line, "\n"), line);
    }
}

/* ---- open and close ------------------------------------------------------------------------- */

/* Uploads are held where there is room for what becomes of them. */
static int open_spool_directory(struct ct_error *err)
{
    const char *path = getenv("TMPDIR");
    int fd = open(path && *path ? path : "/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open '%s' for uploads", path ? path : "/var/tmp") : fd;
}

/*
 * listen_fd -1: what connects is handed over one by one (behind TLS).
 *
 * The library clears the memory of a connection after each request, so it costs time, too: of a
 * ping's 13 us a fourth with 64 KiB. In 32 KiB fit the names of 400 images to be saved.
 */
static struct MHD_Daemon *start_http(struct server *server, int listen_fd)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG | MHD_USE_ITC |
                     (listen_fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0);
    struct MHD_OptionItem where[2] = {{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
                                      {MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(flags, 0, NULL, NULL, answer, server, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_SECONDS, MHD_OPTION_THREAD_STACK_SIZE,
                            (size_t)THREAD_STACK_SIZE, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
                            MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL, MHD_OPTION_ARRAY,
                            listen_fd < 0 ? where + 1 : where, MHD_OPTION_END);
}

/* From the TLS front. The library closes fd, also when it cannot take it. */
static void take_connection(void *context, int fd)
{
    const struct server *server = context;
    const struct sockaddr_un nameless = {.sun_family = AF_UNIX};

    (void)MHD_add_connection(server->http, fd, (const struct sockaddr *)&nameless,
                             sizeof(nameless));
}

/* listen_fd is given away. */
static int start_listening(struct server *server, int listen_fd, const struct server_tls *tls,
                           struct ct_error *err)
{
    errno = 0;
    server->http = start_http(server, tls ? -1 : listen_fd);
    if (!server->http) {
        int saved = errno ? errno : EIO;
        (void)close(listen_fd);
        return ct_fail(err, saved, "start the HTTP server");
    }
    if (tls) {
        server->front = tls_front_open(tls, listen_fd, take_connection, server, err);
    }
    return tls && !server->front ? -1 : 0;
}

struct server *server_open(struct engine *engine, int listen_fd, const struct server_tls *tls,
                           struct ct_error *err)
{
    struct server *server = calloc(1, sizeof(*server));

    if (!server) {
        (void)close(listen_fd);
        return ct_fail_null(err, ENOMEM, "start the server");
    }
    server->engine = engine;
    server->spool_fd = open_spool_directory(err);
    if (server->spool_fd < 0) {
        (void)close(listen_fd);
        goto undo_server;
    }
    if (start_listening(server, listen_fd, tls, err) < 0) {
        goto undo_spool;
    }
    return server;

undo_spool:
    if (server->http) {
        MHD_stop_daemon(server->http);
    }
    (void)close(server->spool_fd);
undo_server:
    free(server);
    return NULL;
}

/* Who was promised an answer gets it, if it does not take too long. */
static void drain(const struct server *server)
{
    const struct timespec step = {.tv_nsec = 1000000};
    for (int i = 0; i < DRAIN_SECONDS * 1000 && atomic_load(&server->under_way) > 0; i++) {
        (void)nanosleep(&step, NULL);
    }
}

void server_close(struct server *server)
{
    MHD_socket listening = MHD_quiesce_daemon(server->http);
    tls_front_quiesce(server->front);
    talks_cancel_all();
    drain(server);
    MHD_stop_daemon(server->http);
    talks_cancel_all(); /* streams whose connection was just being taken over before */
    tls_front_close(server->front);
    if (listening != MHD_INVALID_SOCKET) {
        (void)close(listening);
    }
    (void)close(server->spool_fd);
    free(server);
}
