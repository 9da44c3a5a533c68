/*
 * begin.c - a monitor from its first moment to its loop, whatever carries it.
 *
 * Room:       monitor.   Called by: the carriers.
 */
#define CT_LAYER "monitor"
#include "carrier.h"
#include "monitor_internal.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int set_up(struct monitor *monitor, const struct monitor_order *order, struct ct_error *err)
{
    monitor->loop = loop_new(err);
    if (!monitor->loop ||
        places_open(&monitor->places, order->paths.root, order->paths.run, err) < 0) {
        return -1;
    }
    monitor->containers =
        container_store_open(monitor->places.containers, monitor->places.run_containers, err);
    monitor->container =
        monitor->containers ? container_find(monitor->containers, order->id, err) : NULL;
    if (!monitor->container) {
        return -1;
    }
    container_share_lock(monitor->container, order->lock_fd);
    return 0;
}

struct monitor *monitor_new(const struct monitor_order *order, struct ct_error *err)
{
    struct monitor *monitor = calloc(1, sizeof(*monitor));

    if (!monitor) {
        return ct_fail_null(err, ENOMEM, "make a monitor");
    }
    monitor->listen_fd = -1;
    (void)snprintf(monitor->trace, sizeof(monitor->trace), "%s", order->trace ? order->trace : "");
    if (set_up(monitor, order, err) < 0) {
        monitor_free(monitor);
        return NULL;
    }
    return monitor;
}

/* A container that was to be removed at its end, and had none because it never began. */
static void remove_failed(struct monitor *monitor)
{
    struct ct_error ignored = {0};
    if (ct_json_bool(monitor->container->config, "HostConfig.AutoRemove", false) &&
        discard(&monitor->places, monitor->containers, monitor->container, true, &ignored) == 0) {
        tell_event(monitor, "destroy", NULL);
    }
}

static void close_streams(const struct monitor_order *order)
{
    for (size_t i = 0; i < order->n_streams; i++) {
        (void)close(order->streams[i].fd);
    }
}

static size_t to_clients(const struct monitor_order *order,
                         struct streams_client ret[static MONITOR_STREAMS_MAX])
{
    for (size_t i = 0; i < order->n_streams; i++) {
        const struct monitor_stream *stream = &order->streams[i];
        ret[i] = (struct streams_client){.fd = stream->fd,
                                         .in = stream->in,
                                         .out = stream->out,
                                         .err = stream->err,
                                         .detach_keys = stream->detach_keys};
    }
    return order->n_streams;
}

static int first_run(struct monitor *monitor, const struct monitor_order *order,
                     struct ct_error *err)
{
    struct streams_client clients[MONITOR_STREAMS_MAX];
    size_t n_clients = to_clients(order, clients);
    struct container *container = monitor->container;
    struct ct_error unsaved = {0};

    ct_json_set(container->state, "RestartCount", json_integer(0));
    ct_json_set(container->state, "ManuallyStopped", json_false());
    (void)json_object_del(container->state, "Health");
    (void)ct_remove_tree(container->run_fd, "exec", &unsaved); /* of the run before */
    if (serve_open(monitor, err) < 0) {
        close_streams(order);
    } else if (run_start(monitor, clients, n_clients, order->timeout_ms, err) == 0 &&
               supervise_begin(monitor, err) == 0) {
        tell_event(monitor, "start", NULL);
        return 0;
    }
    serve_close(monitor);
    if (monitor->job) { /* it runs, but nobody would see its end */
        struct run_end end;
        run_finish(monitor, &end);
    }
    ct_error_clear(&unsaved);
    if (state_start_failed(container, err, &unsaved) < 0) {
        ct_warn("%s", unsaved.frame[0].what);
    }
    remove_failed(monitor);
    return -1;
}

static int adopt_run(struct monitor *monitor, struct ct_error *err)
{
    if (run_adopt(monitor, err) < 0) {
        return -1;
    }
    if (serve_open(monitor, err) < 0 || supervise_begin(monitor, err) < 0) {
        serve_close(monitor);
        run_release(monitor); /* it runs on; the next command tries again */
        return -1;
    }
    execs_adopt(monitor);
    return 0;
}

/* Between two runs there is no job, only a next run to come. */
static int adopt(struct monitor *monitor, struct ct_error *err)
{
    if (json_object_get(monitor->container->state, "Job")) {
        return adopt_run(monitor, err);
    }
    if (serve_open(monitor, err) < 0) {
        return -1;
    }
    supervise_wait(monitor);
    return 0;
}

int monitor_begin(struct monitor *monitor, const struct monitor_order *order, struct ct_error *err)
{
    return order->adopt ? adopt(monitor, err) : first_run(monitor, order, err);
}

static void told_to_stop(void *context, uint32_t events)
{
    struct monitor *monitor = context;
    (void)events;
    monitor->told_to_stop = true;
    loop_stop(monitor->loop);
}

int monitor_run(struct monitor *monitor, int stop_fd, struct ct_error *err)
{
    struct loop_source *stop =
        stop_fd >= 0 ? loop_watch(monitor->loop, stop_fd, EPOLLIN, told_to_stop, monitor, err)
                     : NULL;
    if (stop_fd >= 0 && !stop) {
        return -1;
    }
    int result = loop_run(monitor->loop, err);
    loop_unwatch(stop);
    return result < 0 ? -1 : monitor->told_to_stop ? 1 : 0;
}
