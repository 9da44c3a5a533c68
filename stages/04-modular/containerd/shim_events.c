/*
 * shim_events.c - what shims tell: the ttrpc service Events on ADDRESS.ttrpc.
 *
 * Room:       containerd.   Called by: main.c.
 * Spec:       services/ttrpc/events/v1/events.proto.
 */
#include "tasks.h"

#include "listen.h"
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct shim_events {
    struct containerd *containerd;
    char *path;
    struct loop *loop;
    struct loop_source *stop;
    struct ttrpc_server *server;
    int stop_fd;
    pthread_t thread;
};

static void forward(struct ttrpc_call *call, const void *request)
{
    const Containerd__Services__Events__Ttrpc__V1__ForwardRequest *ask = request;
    const struct shim_events *events = ttrpc_context(call);
    const Containerd__Services__Events__Ttrpc__V1__Envelope *from = ask->envelope;
    Containerd__Services__Events__V1__Envelope envelope =
        CONTAINERD__SERVICES__EVENTS__V1__ENVELOPE__INIT;
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    struct ct_error err = {0};

    if (from) { /* the same message, in another package */
        envelope.timestamp = from->timestamp;
        envelope.namespace_ = from->namespace_;
        envelope.topic = from->topic;
        envelope.event = from->event;
    }
    if (bus_forward(events->containerd->bus, from ? &envelope : NULL, &err) < 0) {
        ttrpc_refuse(call, &err);
    } else {
        ttrpc_reply(call, &empty);
    }
}

static const struct ttrpc_method methods[] = {{"Forward", forward}};
static const struct ttrpc_service service = {
    .descriptor = &containerd__services__events__ttrpc__v1__events__descriptor,
    .methods = methods,
    .n_methods = 1,
    .role = CT_ROLE_CONTAINERD,
};

static void on_stop(void *context, uint32_t ready)
{
    struct shim_events *events = context;

    (void)ready;
    loop_stop(events->loop);
}

static void *run(void *argument)
{
    struct shim_events *events = argument;
    struct ct_error ignored = {0};

    (void)loop_run(events->loop, &ignored);
    return NULL;
}

static void release(struct shim_events *events)
{
    ttrpc_server_close(events->server);
    loop_unwatch(events->stop);
    loop_free(events->loop);
    ct_cleanup_close(&events->stop_fd);
    free(events->path);
    free(events);
}

static int begin(struct shim_events *events, const char *group, struct ct_error *err)
{
    events->loop = loop_new(err);
    events->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (!events->loop || events->stop_fd < 0) {
        return events->loop ? ct_fail(err, errno, "listen to shims") : -1;
    }
    events->stop = loop_watch(events->loop, events->stop_fd, EPOLLIN, on_stop, events, err);
    int fd = events->stop ? listen_unix(events->path, group, err) : -1;
    if (fd < 0) {
        return -1;
    }
    events->server = ttrpc_server_open(events->loop, fd, &service, events, err);
    if (!events->server) {
        return -1;
    }
    int failed = pthread_create(&events->thread, NULL, run, events);
    return failed ? ct_fail(err, failed, "listen to shims") : 0;
}

struct shim_events *shim_events_open(struct containerd *containerd, const char *group,
                                     struct ct_error *err)
{
    struct shim_events *events = calloc(1, sizeof(*events));

    if (!events) {
        return ct_fail_null(err, ENOMEM, "listen to shims");
    }
    events->containerd = containerd;
    events->stop_fd = -1;
    events->path = ct_printf("%s.ttrpc", containerd->address);
    if (begin(events, group, err) < 0) {
        release(events);
        return NULL;
    }
    return events;
}

void shim_events_close(struct shim_events *events)
{
    uint64_t one = 1;

    if (events) {
        (void)!write(events->stop_fd, &one, sizeof(one));
        (void)pthread_join(events->thread, NULL);
        (void)unlink(events->path);
        release(events);
    }
}
