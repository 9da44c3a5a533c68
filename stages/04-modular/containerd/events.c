/*
 * events.c - the service Events: publish, forward, subscribe.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       events.proto.
 */
#include "containerd_internal.h"

#include <errno.h>
#include <poll.h>

static int publish(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Events__V1__PublishRequest *ask = request;
    Containerd__Services__Events__V1__Envelope envelope =
        CONTAINERD__SERVICES__EVENTS__V1__ENVELOPE__INIT;

    (void)response;
    envelope.timestamp = timestamp_of(ct_now_ns(), grpc_pool(call));
    envelope.namespace_ = (char *)(uintptr_t)namespace_of(call);
    envelope.topic = ask->topic;
    envelope.event = ask->event;
    return bus_forward(containerd_of(call)->bus, &envelope, err);
}

static int forward(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Events__V1__ForwardRequest *ask = request;

    (void)response;
    return bus_forward(containerd_of(call)->bus, ask->envelope, err);
}

/* Sends what is heard until the caller leaves. */
static int relay(struct grpc_call *call, struct listener *listener, struct ct_error *err)
{
    const Containerd__Services__Events__V1__Envelope *event;
    struct pollfd fds[] = {{.fd = listener_fd(listener), .events = POLLIN},
                           {.fd = grpc_cancel_fd(call, err), .events = POLLIN}};

    if (fds[1].fd < 0) {
        return -1;
    }
    for (;;) {
        int more = listener_next(listener, &event, err);
        if (more < 0 || (more > 0 && grpc_send(call, event, err) < 0)) {
            return -1;
        }
        if (more > 0) {
            continue;
        }
        int ready = poll(fds, 2, grpc_time_left_ms(call));
        if (ready == 0) {
            return ct_refuse(err, CT_TIMEOUT, "listen to events: the deadline has passed");
        }
        if (fds[1].revents) {
            return ct_refuse(err, CT_UNREACHABLE, "listen to events: the caller left");
        }
    }
}

static int subscribe(struct grpc_call *call, struct ct_error *err)
{
    Containerd__Services__Events__V1__SubscribeRequest *ask = NULL;
    int got = grpc_receive(call, &containerd__services__events__v1__subscribe_request__descriptor,
                           (ProtobufCMessage **)&ask, err);

    if (got <= 0) {
        return got < 0 ? -1 : ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);
    containerd__services__events__v1__subscribe_request__free_unpacked(ask, NULL);
    struct listener *listener = filter ? listener_new(containerd_of(call)->bus, filter, err) : NULL;
    if (!listener) {
        return -1;
    }
    int result = relay(call, listener, err);
    listener_free(listener);
    return result;
}

static const struct grpc_method methods[] = {
    {"Publish", publish, NULL},
    {"Forward", forward, NULL},
    {"Subscribe", NULL, subscribe},
};

const struct grpc_service events_service = {&containerd__services__events__v1__events__descriptor,
                                            methods, sizeof(methods) / sizeof(methods[0])};
