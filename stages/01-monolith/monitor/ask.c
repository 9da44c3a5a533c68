/*
 * ask.c - the caller's side of requests to a living monitor.
 *
 * Room:       monitor.   Called by: engine.
 *
 * A call has become a message here: it can get no answer. A monitor that is not there is
 * CT_CONFLICT (the container does not run); one that goes away in between is CT_UNREACHABLE.
 */
#define CT_LAYER "monitor"
#include "containers.h"
#include "logs.h"
#include "monitor.h"
#include "wire.h"

#include "cleanup.h"
#include "json.h"
#include "process.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_LIMIT_MS  5000
#define REPLY_LIMIT_MS 90000 /* longer than an exec may take to start */

static int dial(const struct container *container, struct ct_error *err)
{
    struct sockaddr_un address = wire_address(container->run_fd);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return ct_fail(err, errno, "make a socket");
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) {
            return ct_refuse(err, CT_CONFLICT, "container %s is not running",
                             container_name(container));
        }
        return ct_fail(err, errno, "connect to the monitor of container '%s'",
                       container_name(container));
    }
    return ct_steal_fd(&fd);
}

/* Waits for the reply line. *ret is owned. ret_fds: what came along; NULL: nothing is expected. */
static int await_reply(int fd, json_t **ret, struct wire_fds *ret_fds, struct ct_error *err)
{
    int64_t deadline_ns = ct_monotonic_ns() + REPLY_LIMIT_MS * 1000000LL;
    CT_AUTO_FREE char *buffer = NULL;
    size_t length = 0;

    for (;;) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
        int ready = left_ms > 0 ? ct_wait_readable(fd, -1, (int)left_ms, err) : 0;
        if (ready <= 0) {
            return ready < 0 ? -1
                             : ct_refuse(err, CT_UNREACHABLE, "the monitor did not answer in time");
        }
        int result = wire_receive_fds(fd, &buffer, &length, ret, ret_fds, err);
        if (result != 0) {
            return result < 0 ? -1 : 0;
        }
    }
}

static const char *verb_of(const json_t *request)
{
    return ct_json_string(request, "do", "");
}

/*
 * Asks and waits. request is given away. ret_fd NULL: the connection ends; else it is the stream.
 * ret_fds: see await_reply(). Returns the reply (owned), or NULL.
 */
static json_t *ask_with_fds(const struct container *container, json_t *given, int *ret_fd,
                            struct wire_fds *ret_fds, struct ct_error *err)
{
    CT_AUTO_JSON json_t *request = given;
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_REQUEST, "monitor.sock %s", verb_of(request));
    char context[56];
    CT_AUTO_JSON json_t *reply = NULL;
    CT_AUTO_CLOSE int fd = dial(container, err);

    ct_json_set_string(request, "traceparent", ct_span_context(context));

    if (fd < 0 || wire_send(fd, request, SEND_LIMIT_MS, err) < 0 ||
        await_reply(fd, &reply, ret_fds, err) < 0) {
        return NULL;
    }
    const json_t *failure = json_object_get(reply, "error");
    if (failure) {
        (void)ct_error_from_json(failure, err); /* on failure *err says so */
        return NULL;
    }
    if (ret_fd) {
        *ret_fd = ct_steal_fd(&fd);
    }
    return ct_steal(reply);
}

static json_t *ask(const struct container *container, json_t *request, int *ret_fd,
                   struct ct_error *err)
{
    return ask_with_fds(container, request, ret_fd, NULL, err);
}

/* The same, where only the outcome counts. */
static int tell(const struct container *container, json_t *request, struct ct_error *err)
{
    CT_AUTO_JSON json_t *reply = ask(container, request, NULL, err);
    return reply ? 0 : -1;
}

static json_t *result_of(json_t *reply, struct ct_error *err)
{
    json_t *result = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    if (!result && !err->kind) {
        return ct_refuse_null(err, CT_INVALID, "read the monitor's answer: it has no result");
    }
    return result;
}

/* The files of the log, as they came with the reply. Those that are too many are closed. */
static void take_past(const struct wire_fds *came, const json_t *reply, struct log_past *ret)
{
    *ret = (struct log_past){.bytes = ct_json_integer(reply, "logBytes", 0)};
    for (size_t i = 0; i < came->n; i++) {
        if (reply && ret->n < LOG_PAST_MAX) {
            ret->fds[ret->n++] = came->fds[i];
        } else {
            (void)close(came->fds[i]);
        }
    }
}

int monitor_attach(struct container *container, const struct monitor_stream *how,
                   struct log_past *ret_past, int *ret_fd, struct ct_error *err)
{
    json_t *request =
        json_pack("{s:s,s:b,s:b,s:b,s:b,s:s*}", "do", "attach", "in", how->in, "out", how->out,
                  "err", how->err, "logs", ret_past != NULL, "detachKeys", how->detach_keys);
    struct wire_fds came = {.n = 0};
    CT_AUTO_JSON json_t *reply =
        ask_with_fds(container, request, ret_fd, ret_past ? &came : NULL, err);

    if (ret_past) {
        take_past(&came, reply, ret_past);
    }
    return reply ? 0 : -1;
}

int monitor_resize(struct container *container, const char *exec_id, unsigned height,
                   unsigned width, struct ct_error *err)
{
    return tell(container,
                json_pack("{s:s,s:I,s:I,s:s*}", "do", "resize", "height", (json_int_t)height,
                          "width", (json_int_t)width, "id", exec_id),
                err);
}

int monitor_signal(struct container *container, int signal_number, bool stopping,
                   struct ct_error *err)
{
    return tell(
        container,
        json_pack("{s:s,s:i,s:b}", "do", "signal", "signal", signal_number, "stopping", stopping),
        err);
}

int monitor_pause(struct container *container, bool pause, struct ct_error *err)
{
    return tell(container, json_pack("{s:s,s:b}", "do", "pause", "pause", pause), err);
}

int monitor_exec(struct container *container, const char *exec_id, int *ret_fd,
                 struct ct_error *err)
{
    json_t *request =
        json_pack("{s:s,s:s,s:b}", "do", "exec", "id", exec_id, "attach", ret_fd != NULL);
    CT_AUTO_JSON json_t *reply = ask(container, request, ret_fd, err);
    return reply ? 0 : -1;
}

int monitor_update(struct container *container, struct ct_error *err)
{
    return tell(container, json_pack("{s:s}", "do", "update"), err);
}

json_t *monitor_stats(struct container *container, struct ct_error *err)
{
    return result_of(ask(container, json_pack("{s:s}", "do", "stats"), NULL, err), err);
}

json_t *monitor_pids(struct container *container, struct ct_error *err)
{
    return result_of(ask(container, json_pack("{s:s}", "do", "pids"), NULL, err), err);
}

int monitor_network(struct container *container, bool connect_it, const json_t *wanted,
                    struct ct_error *err)
{
    return tell(container,
                json_pack("{s:s,s:b,s:O}", "do", "network", "connect", connect_it, "request",
                          (json_t *)wanted),
                err);
}
