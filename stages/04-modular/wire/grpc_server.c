/*
 * grpc_server.c - the answering side: accepts, finds the method, gives each call a thread.
 *
 * Room:       wire.   Called by: containerd.
 *
 * A worker that has answered waits a while for the next call: making a thread costs more than most
 * calls. There are never fewer workers than calls, so that one that waits holds nobody up.
 */
#include "grpc_internal.h"
#include "words.h"

#include "log.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX    512
#define IDLE_MAX     8 /* workers that may wait for work */
#define WORKER_STACK (1 << 20)

struct grpc_server {
    const struct grpc_service *const *services;
    size_t n_services;
    grpc_stream_fn before;
    void *context;
    int listen_fd, stop_fd;
    pthread_t acceptor;

    pthread_mutex_t lock; /* taken after a link's lock, never before it */
    pthread_cond_t work, gone;
    struct grpc_call *first, *last; /* calls that wait for a worker */
    size_t n_waiting, n_idle, n_workers;
    bool stopping;
    struct link *links[LINKS_MAX];
    size_t n_links;
};

void *grpc_context(const struct grpc_call *call)
{
    return call->context;
}

const char *grpc_path(const struct grpc_call *call)
{
    return call->path;
}

const char *grpc_metadata(const struct grpc_call *call, const char *name)
{
    return call_header(call, name);
}

struct pool *grpc_pool(struct grpc_call *call)
{
    return &call->pool;
}

/* ---- the end of a call ---------------------------------------------------------------------- */

/* With the link's lock held. Without a message before it, the status is all there is. */
static void finish_locked(struct grpc_call *call)
{
    nghttp2_nv headers[6] = {header(":status", "200"), header("content-type", "application/grpc")};
    struct link *link = call->link;

    if (call->closed || !link->session) {
        return;
    }
    call->out_ended = true;
    if (call->begun) {
        (void)nghttp2_session_resume_data(link->session, call->stream);
    } else {
        size_t n = status_headers(call->status, &call->pool, headers + 2);
        (void)nghttp2_submit_response(link->session, call->stream, headers, 2 + n, NULL);
    }
    link_flush(link);
}

static void finish(struct grpc_call *call, const struct ct_error *err)
{
    (void)pthread_mutex_lock(&call->link->lock);
    call->status = err ? wire_status_new(err) : NULL;
    finish_locked(call);
    (void)pthread_mutex_unlock(&call->link->lock);
}

/* ---- the worker ----------------------------------------------------------------------------- */

static int check(struct grpc_server *server, struct grpc_call *call, struct ct_error *err)
{
    return server->before ? server->before(call, err) : 0;
}

static int answer_stream(struct grpc_server *server, struct grpc_call *call, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_REPLY, "%s", call->path + 1);

    return check(server, call, err) < 0 ? -1 : call->method->stream(call, err);
}

static int call_method(struct grpc_server *server, struct grpc_call *call,
                       const ProtobufCMessage *request, struct ct_error *err)
{
    const ProtobufCMessageDescriptor *type = call->types->output;
    ProtobufCMessage *response = pool_array(&call->pool, 1, type->sizeof_message);

    protobuf_c_message_init(type, response);
    if (check(server, call, err) < 0 || call->method->unary(call, request, response, err) < 0) {
        return -1;
    }
    return call_send(call, response, false, err); /* goes out with the status */
}

static int answer_unary(struct grpc_server *server, struct grpc_call *call, struct ct_error *err)
{
    ProtobufCMessage *request = NULL;
    int got = grpc_receive(call, call->types->input, &request, err);

    if (got == 0) {
        return ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    if (got < 0) {
        return -1;
    }
    int result;
    {
        const char *method = strrchr(call->path, '/') + 1;
        CT_AUTO_FREE char *service =
            ct_printf("%.*s", (int)(method - call->path - 2), call->path + 1);
        CT_AUTO_FREE char *words = ct_span_wanted() ? wire_words(service, method, request) : NULL;
        CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_REPLY, "%s", words);
        result = call_method(server, call, request, err);
    }
    protobuf_c_message_free_unpacked(request, NULL);
    return result;
}

static void work_on(struct grpc_server *server, struct grpc_call *call)
{
    struct ct_error err = {0};

    ct_span_adopt(call_header(call, "traceparent"));
    int result =
        call->method->unary ? answer_unary(server, call, &err) : answer_stream(server, call, &err);
    ct_span_adopt(NULL);
    if (result < 0) {
        char line[1024];
        ct_debug("%s: %s", call->path, ct_error_render(&err, line, sizeof(line)));
    }
    finish(call, result < 0 ? &err : NULL);
    call_unref(call);
}

/* With the lock held. NULL: this worker is not needed. */
static struct grpc_call *next_call(struct grpc_server *server)
{
    while (!server->first) {
        if (server->stopping || server->n_idle >= IDLE_MAX) {
            return NULL;
        }
        server->n_idle++;
        (void)pthread_cond_wait(&server->work, &server->lock);
        server->n_idle--;
    }
    struct grpc_call *call = server->first;
    server->first = call->waiting;
    if (!server->first) {
        server->last = NULL;
    }
    server->n_waiting--;
    return call;
}

static void *run_worker(void *argument)
{
    struct grpc_server *server = argument;
    struct grpc_call *call;

    (void)pthread_mutex_lock(&server->lock);
    while ((call = next_call(server))) {
        (void)pthread_mutex_unlock(&server->lock);
        work_on(server, call);
        (void)pthread_mutex_lock(&server->lock);
    }
    server->n_workers--;
    (void)pthread_cond_broadcast(&server->gone);
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* With the lock held. */
static int start_worker(struct grpc_server *server)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, WORKER_STACK);
    int failed = pthread_create(&thread, &attributes, run_worker, server);
    (void)pthread_attr_destroy(&attributes);
    server->n_workers += failed ? 0 : 1;
    return failed;
}

/* ---- a call arrives ------------------------------------------------------------------------- */

static const struct grpc_method *find_method(const struct grpc_service *service, const char *name,
                                             const ProtobufCMethodDescriptor **ret_types)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        if (strcmp(service->methods[i].name, name) == 0) {
            *ret_types =
                protobuf_c_service_descriptor_get_method_by_name(service->descriptor, name);
            return *ret_types ? &service->methods[i] : NULL;
        }
    }
    return NULL;
}

static int route(struct grpc_server *server, struct grpc_call *call, struct ct_error *err)
{
    const char *slash = strrchr(call->path, '/');

    for (size_t i = 0; slash && *call->path == '/' && i < server->n_services; i++) {
        const struct grpc_service *service = server->services[i];
        size_t length = strlen(service->descriptor->name);
        if ((size_t)(slash - call->path - 1) != length ||
            strncmp(call->path + 1, service->descriptor->name, length) != 0) {
            continue;
        }
        call->method = find_method(service, slash + 1, &call->types);
        return call->method
                   ? 0
                   : ct_refuse(err, CT_UNSUPPORTED, "unknown method %.60s for service %.80s",
                               slash + 1, service->descriptor->name);
    }
    return ct_refuse(err, CT_UNSUPPORTED, "unknown service %.120s",
                     call->path + (*call->path == '/'));
}

static int check_headers(struct grpc_call *call, struct ct_error *err)
{
    const char *method = call_header(call, ":method"), *path = call_header(call, ":path");
    const char *type = call_header(call, "content-type");
    const char *timeout = call_header(call, "grpc-timeout");
    const char *encoding = call_header(call, "grpc-encoding");
    int64_t ns = timeout ? timeout_parse(timeout) : 0;

    call->path = ct_strdup(path ? path : "");
    if (!method || strcmp(method, "POST") != 0 || !type ||
        strncmp(type, "application/grpc", strlen("application/grpc")) != 0) {
        return ct_refuse(err, CT_INVALID, "this is a gRPC server: POST, application/grpc");
    }
    if (ns < 0) {
        return ct_refuse(err, CT_INVALID, "read grpc-timeout '%.40s'", timeout);
    }
    if (encoding && strcmp(encoding, "identity") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "messages are compressed by '%.40s'", encoding);
    }
    call->deadline_ns = timeout ? ct_monotonic_ns() + ns : 0;
    return 0;
}

static int queue_call(struct grpc_server *server, struct grpc_call *call, struct ct_error *err)
{
    int failed = 0;

    (void)pthread_mutex_lock(&server->lock);
    if (server->stopping) {
        failed = ECANCELED;
    } else if (server->n_idle <= server->n_waiting) {
        failed = start_worker(server);
    }
    if (!failed) {
        call->waiting = NULL;
        *(server->last ? &server->last->waiting : &server->first) = call;
        server->last = call;
        server->n_waiting++;
        (void)pthread_cond_signal(&server->work);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return failed ? ct_fail(err, failed, "start a thread for '%.100s'", call->path) : 0;
}

static void on_arrived(struct link *link, struct grpc_call *call)
{
    struct grpc_server *server = link->owner;
    struct ct_error err = {0};

    call->context = server->context;
    call_ref(call); /* the worker's, taken back below when there is none */
    if (check_headers(call, &err) < 0 || route(server, call, &err) < 0 ||
        queue_call(server, call, &err) < 0) {
        call->status = wire_status_new(&err);
        finish_locked(call);
        call_unref_locked(call);
    }
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_ended(struct link *link, void *owner)
{
    struct grpc_server *server = owner;

    (void)pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->n_links; i++) {
        if (server->links[i] == link) {
            server->links[i] = server->links[--server->n_links];
            break;
        }
    }
    (void)pthread_cond_broadcast(&server->gone);
    (void)pthread_mutex_unlock(&server->lock);
    link_unref(link); /* the reference of the table */
}

static void take_connection(struct grpc_server *server)
{
    struct ct_error err = {0};
    int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    (void)pthread_mutex_lock(&server->lock);
    if (server->n_links == LINKS_MAX) {
        ct_warn("a connection was refused: there are %d already", LINKS_MAX);
        ct_cleanup_close(&fd);
    } else {
        struct link *link = link_open(fd, true, on_arrived, on_ended, server, &err);
        if (link) {
            server->links[server->n_links++] = link;
        } else {
            ct_warn("a connection was refused: %s", err.frame[0].what);
        }
    }
    (void)pthread_mutex_unlock(&server->lock);
}

static void *run_acceptor(void *argument)
{
    struct grpc_server *server = argument;
    struct pollfd fds[] = {{.fd = server->listen_fd, .events = POLLIN},
                           {.fd = server->stop_fd, .events = POLLIN}};

    while (!fds[1].revents) {
        if (poll(fds, 2, -1) > 0 && fds[0].revents) {
            take_connection(server);
        }
    }
    return NULL;
}

struct grpc_server *grpc_server_open(int listen_fd, const struct grpc_service *const *services,
                                     size_t n_services, grpc_stream_fn before, void *context,
                                     struct ct_error *err)
{
    struct grpc_server *server = calloc(1, sizeof(*server));

    if (!server) {
        ct_cleanup_close(&listen_fd);
        return ct_fail_null(err, ENOMEM, "serve");
    }
    server->services = services;
    server->n_services = n_services;
    server->before = before;
    server->context = context;
    server->listen_fd = listen_fd;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->work, NULL);
    (void)pthread_cond_init(&server->gone, NULL);
    int failed =
        server->stop_fd < 0 ? errno : pthread_create(&server->acceptor, NULL, run_acceptor, server);
    if (failed) {
        ct_cleanup_close(&server->listen_fd);
        ct_cleanup_close(&server->stop_fd);
        free(server);
        return ct_fail_null(err, failed, "serve");
    }
    return server;
}

void grpc_server_close(struct grpc_server *server)
{
    uint64_t one = 1;

    if (!server) {
        return;
    }
    (void)!write(server->stop_fd, &one, sizeof(one));
    (void)pthread_join(server->acceptor, NULL);
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    for (size_t i = 0; i < server->n_links; i++) {
        link_shut(server->links[i]);
    }
    (void)pthread_cond_broadcast(&server->work);
    while (server->n_links > 0 || server->n_workers > 0) {
        (void)pthread_cond_wait(&server->gone, &server->lock);
    }
    (void)pthread_mutex_unlock(&server->lock);
    ct_cleanup_close(&server->listen_fd);
    ct_cleanup_close(&server->stop_fd);
    free(server);
}
