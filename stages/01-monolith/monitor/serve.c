/*
 * serve.c - answers requests on monitor.sock, one at a time.
 *
 * Room:       monitor.   Called by: begin.c, supervise.c; asked by ask.c.
 * Man:        unix(7) (SO_PEERCRED).
 */
#define CT_LAYER "monitor"
#include "logs.h"
#include "monitor_internal.h"
#include "spec.h"
#include "wire.h"

#include "cleanup.h"
#include "detach.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 128
#define REQUEST_LIMIT   10000000000LL /* ns for a request to come in whole */
#define REPLY_LIMIT_MS  5000

struct connection {
    struct monitor *monitor;
    int fd; /* -1: handed over to the streams */
    struct loop_source *source;
    struct loop_timer limit;
    char *buffer;
    size_t length;
    struct connection *next;
};

/* One row for each verb. A handler adds to the reply, or fails; it may hand the connection over. */
typedef int (*handler_fn)(struct connection *connection, const json_t *request, json_t *reply,
                          struct ct_error *err);

static int need_run(const struct monitor *monitor, struct ct_error *err)
{
    return monitor->job ? 0
                        : ct_refuse(err, CT_CONFLICT, "container %s is not running",
                                    container_name(monitor->container));
}

/*
 * The log as it is now. Nothing is read from the program and nothing rotates between this and the
 * attach, for that is done by this very thread: what is not in these files comes in the stream.
 */
static int open_past(const struct monitor *monitor, struct log_past *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *dir = container_log_dir(monitor->container);
    return log_past_open(dir, monitor->container->id, ret, err);
}

/* Attach with the log: its files go along with the reply. */
static int reply_with_past(struct connection *connection, json_t *reply, struct ct_error *err)
{
    struct log_past past;

    if (open_past(connection->monitor, &past, err) < 0) {
        return -1;
    }
    loop_unwatch(connection->source);
    connection->source = NULL;
    ct_json_set(reply, "logBytes", json_integer(past.bytes));
    int result = wire_send_fds(connection->fd, reply, past.fds, past.n, REPLY_LIMIT_MS, err);
    log_past_close(&past);
    return result;
}

/* The reply goes out before the first byte of the stream. */
static int reply_and_keep(struct connection *connection, json_t *reply, struct ct_error *err)
{
    loop_unwatch(connection->source);
    connection->source = NULL;
    return wire_send(connection->fd, reply, REPLY_LIMIT_MS, err);
}

static int do_attach(struct connection *connection, const json_t *request, json_t *reply,
                     struct ct_error *err)
{
    struct monitor *monitor = connection->monitor;
    bool logs = ct_json_bool(request, "logs", false);
    struct streams_client client = {.fd = connection->fd,
                                    .unfinished = logs,
                                    .in = ct_json_bool(request, "in", false),
                                    .out = ct_json_bool(request, "out", false),
                                    .err = ct_json_bool(request, "err", false),
                                    .detach_keys = ct_json_string(request, "detachKeys", NULL)};
    struct detach keys;

    if (need_run(monitor, err) < 0 || detach_parse(client.detach_keys, &keys, err) < 0 ||
        (logs ? reply_with_past : reply_and_keep)(connection, reply, err) < 0 ||
        streams_attach(monitor->streams, &client, err) < 0) {
        return -1;
    }
    connection->fd = -1;
    return 0;
}

static int do_exec(struct connection *connection, const json_t *request, json_t *reply,
                   struct ct_error *err)
{
    struct monitor *monitor = connection->monitor;
    bool attach = ct_json_bool(request, "attach", false);
    struct exec_entry *entry = NULL;

    if (need_run(monitor, err) < 0 ||
        exec_begin(monitor, ct_json_string(request, "id", ""), attach, &entry, err) < 0) {
        return -1;
    }
    if (attach) {
        if (reply_and_keep(connection, reply, err) < 0 ||
            exec_attach(entry, connection->fd, err) < 0) {
            return -1; /* the program runs; only its caller is gone */
        }
        connection->fd = -1;
    }
    return 0;
}

static int do_resize(struct connection *connection, const json_t *request, json_t *reply,
                     struct ct_error *err)
{
    struct monitor *monitor = connection->monitor;
    const char *exec_id = ct_json_string(request, "id", NULL);
    unsigned height = (unsigned)ct_json_integer(request, "height", 0);
    unsigned width = (unsigned)ct_json_integer(request, "width", 0);
    (void)reply;

    if (need_run(monitor, err) < 0) {
        return -1;
    }
    if (exec_id) {
        return execs_resize(monitor, exec_id, height, width, err);
    }
    return exec_driver_has_terminals() ? exec_resize(monitor->job, NULL, height, width, err)
                                       : streams_resize(monitor->streams, height, width, err);
}

static int do_signal(struct connection *connection, const json_t *request, json_t *reply,
                     struct ct_error *err)
{
    (void)reply;
    return supervise_signal(connection->monitor, (int)ct_json_integer(request, "signal", 0),
                            ct_json_bool(request, "stopping", false), err);
}

static int do_pause(struct connection *connection, const json_t *request, json_t *reply,
                    struct ct_error *err)
{
    (void)reply;
    return supervise_pause(connection->monitor, ct_json_bool(request, "pause", true), err);
}

static int do_update(struct connection *connection, const json_t *request, json_t *reply,
                     struct ct_error *err)
{
    struct monitor *monitor = connection->monitor;
    struct exec_limits limits;
    (void)request;
    (void)reply;

    reload_config(monitor->container);
    spec_limits(monitor->container->config, &limits);
    return monitor->job ? exec_update(monitor->job, &limits, err) : 0;
}

static int do_stats(struct connection *connection, const json_t *request, json_t *reply,
                    struct ct_error *err)
{
    (void)request;
    json_t *sample =
        need_run(connection->monitor, err) < 0 ? NULL : stats_sample(connection->monitor, err);
    if (!sample) {
        return -1;
    }
    ct_json_set(reply, "result", sample);
    return 0;
}

static int do_pids(struct connection *connection, const json_t *request, json_t *reply,
                   struct ct_error *err)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = need_run(connection->monitor, err) < 0
                    ? -1
                    : exec_pids(connection->monitor->job, &pids, err);
    json_t *list = json_array();
    (void)request;

    for (ssize_t i = 0; i < n; i++) {
        ct_json_append(list, json_integer(pids[i]));
    }
    ct_json_set(reply, "result", list);
    return n < 0 ? -1 : 0;
}

static int do_network(struct connection *connection, const json_t *request, json_t *reply,
                      struct ct_error *err)
{
    (void)reply;
    return run_change_network(connection->monitor, ct_json_bool(request, "connect", true),
                              json_object_get(request, "request"), err);
}

static const struct {
    const char *verb;
    handler_fn handle;
} handlers[] = {
    {"attach", do_attach}, {"exec", do_exec},   {"resize", do_resize},
    {"signal", do_signal}, {"pause", do_pause}, {"update", do_update},
    {"stats", do_stats},   {"pids", do_pids},   {"network", do_network},
};

static int handle(struct connection *connection, const json_t *request, json_t *reply,
                  struct ct_error *err)
{
    const char *verb = ct_json_string(request, "do", "");

    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (strcmp(handlers[i].verb, verb) == 0) {
            CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_REPLY, "%s", verb);
            return handlers[i].handle(connection, request, reply, err);
        }
    }
    return ct_refuse(err, CT_UNSUPPORTED,
                     "answer the request '%.32s': this monitor does not know it", verb);
}

static void close_connection(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    struct connection **slot = &monitor->connections;

    while (*slot != connection) {
        slot = &(*slot)->next;
    }
    *slot = connection->next;
    monitor->n_connections--;
    loop_unwatch(connection->source);
    loop_disarm(&connection->limit);
    ct_cleanup_close(&connection->fd);
    free(connection->buffer);
    free(connection);
}

static void answer(struct connection *connection, const json_t *request)
{
    CT_AUTO_JSON json_t *reply = json_object();
    struct ct_error err = {0};
    struct ct_error lost = {0}; /* the asker went away: nobody is left to tell */

    loop_disarm(&connection->limit);
    ct_span_adopt(ct_json_string(request, "traceparent", NULL)); /* the asker's trace */
    if (handle(connection, request, reply, &err) < 0) {
        ct_json_set(reply, "error", ct_error_to_json(&err));
    }
    ct_span_adopt(connection->monitor->trace); /* "": the process's own */
    if (connection->fd >= 0 && connection->source) {
        (void)wire_send(connection->fd, reply, REPLY_LIMIT_MS, &lost);
    }
    close_connection(connection);
}

static void connection_ready(void *context, uint32_t events)
{
    struct connection *connection = context;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *request = NULL;
    (void)events;

    int result =
        wire_receive(connection->fd, &connection->buffer, &connection->length, &request, &err);
    if (result > 0) {
        answer(connection, request);
    } else if (result < 0) {
        ct_debug("request dropped: %s", err.frame[0].what);
        close_connection(connection);
    }
}

static void too_late(void *context)
{
    close_connection(context);
}

static bool is_root(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static void accept_one(void *context, uint32_t events)
{
    struct monitor *monitor = context;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int fd = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)events;

    if (fd < 0 || !is_root(fd) || monitor->n_connections >= CONNECTIONS_MAX) {
        return;
    }
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        return;
    }
    *connection = (struct connection){.monitor = monitor, .fd = fd};
    connection->source = loop_watch(monitor->loop, fd, EPOLLIN, connection_ready, connection, &err);
    if (!connection->source) {
        free(connection);
        return;
    }
    fd = -1; /* the connection's now */
    connection->next = monitor->connections;
    monitor->connections = connection;
    monitor->n_connections++;
    loop_arm(monitor->loop, &connection->limit, REQUEST_LIMIT, too_late, connection);
}

int serve_open(struct monitor *monitor, struct ct_error *err)
{
    struct sockaddr_un address = wire_address(monitor->container->run_fd);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return ct_fail(err, errno, "make the monitor's socket");
    }
    /* What a killed monitor left: ours is the lock, so nobody listens on it. */
    (void)unlinkat(monitor->container->run_fd, WIRE_SOCKET, 0);
    mode_t before = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    (void)umask(before);
    if (bound < 0 || listen(fd, 64) < 0) {
        return ct_fail(err, errno, "listen on '%s'", WIRE_SOCKET);
    }
    monitor->listener = loop_watch(monitor->loop, fd, EPOLLIN, accept_one, monitor, err);
    if (!monitor->listener) {
        return -1;
    }
    monitor->listen_fd = ct_steal_fd(&fd);
    return 0;
}

void serve_close(struct monitor *monitor)
{
    if (monitor->listen_fd >= 0) {
        (void)unlinkat(monitor->container->run_fd, WIRE_SOCKET, 0);
        loop_unwatch(monitor->listener);
        monitor->listener = NULL;
        ct_cleanup_close(&monitor->listen_fd);
        monitor->listen_fd = -1;
    }
}

void serve_drop(struct monitor *monitor)
{
    while (monitor->connections) {
        close_connection(monitor->connections);
    }
}
