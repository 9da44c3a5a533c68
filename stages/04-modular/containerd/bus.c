/*
 * bus.c - events, from who tells them to who listens: see bus.h.
 *
 * Room:       containerd.   Called by: its services.
 */
#include "containerd_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITING_MAX 16384 /* events that may wait for one listener */

/* One event, shared by all listeners that have it in their queue. */
struct note {
    int refs; /* under the bus's lock */
    Containerd__Services__Events__V1__Envelope *envelope;
};

struct listener {
    struct bus *bus;
    struct listener *next;
    const struct filter *filter;
    int fd;
    struct note *current, **queue; /* a ring */
    size_t first, n, room;
    bool overrun;
};

struct bus {
    pthread_mutex_t lock;
    struct listener *listeners;
};

struct bus *bus_new(void)
{
    struct bus *bus = calloc(1, sizeof(*bus));

    if (bus) {
        (void)pthread_mutex_init(&bus->lock, NULL);
    }
    return bus;
}

void bus_free(struct bus *bus)
{
    if (bus) {
        (void)pthread_mutex_destroy(&bus->lock);
        free(bus);
    }
}

/* With the lock held. */
static void note_unref(struct note *note)
{
    if (note && --note->refs == 0) {
        containerd__services__events__v1__envelope__free_unpacked(note->envelope, NULL);
        free(note);
    }
}

/* ---- telling -------------------------------------------------------------------------------- */

/* With the lock held. */
static void enqueue(struct listener *listener, struct note *note)
{
    uint64_t one = 1;

    if (listener->n == WAITING_MAX) {
        listener->overrun = true;
        return;
    }
    if (listener->n == listener->room) {
        size_t room = listener->room ? listener->room * 2 : 16;
        struct note **grown = calloc(room, sizeof(struct note *));
        if (!grown) {
            listener->overrun = true;
            return;
        }
        for (size_t i = 0; i < listener->n; i++) {
            grown[i] = listener->queue[(listener->first + i) % listener->room];
        }
        free(listener->queue);
        listener->queue = grown;
        listener->first = 0;
        listener->room = room;
    }
    note->refs++;
    listener->queue[(listener->first + listener->n++) % listener->room] = note;
    (void)!write(listener->fd, &one, sizeof(one));
}

/* envelope is given away. */
static void distribute(struct bus *bus, Containerd__Services__Events__V1__Envelope *envelope)
{
    struct note *note = calloc(1, sizeof(*note));

    if (!note) {
        abort();
    }
    note->envelope = envelope;
    (void)pthread_mutex_lock(&bus->lock);
    note->refs = 1;
    for (struct listener *l = bus->listeners; l; l = l->next) {
        if (filter_matches(l->filter, &envelope->base)) {
            enqueue(l, note);
        }
    }
    note_unref(note);
    (void)pthread_mutex_unlock(&bus->lock);
}

/* A deep copy, by way of its bytes. */
static Containerd__Services__Events__V1__Envelope *
copy_of(const Containerd__Services__Events__V1__Envelope *envelope)
{
    size_t size = containerd__services__events__v1__envelope__get_packed_size(envelope);
    CT_AUTO_FREE uint8_t *packed = malloc(size + 1);

    if (!packed) {
        abort();
    }
    (void)containerd__services__events__v1__envelope__pack(envelope, packed);
    return containerd__services__events__v1__envelope__unpack(NULL, size, packed);
}

int bus_forward(struct bus *bus, const Containerd__Services__Events__V1__Envelope *envelope,
                struct ct_error *err)
{
    if (!envelope || !envelope->event || !*envelope->event->type_url || *envelope->topic != '/' ||
        !envelope->timestamp) {
        return ct_refuse(err, CT_INVALID, "publish an event: time, topic or event is missing");
    }
    if (check_identifier("namespace", envelope->namespace_, err) < 0) {
        return -1;
    }
    distribute(bus, copy_of(envelope));
    return 0;
}

void bus_publish(struct bus *bus, const char *namespace_, const char *topic,
                 const ProtobufCMessage *message)
{
    struct pool pool = {0};
    struct ct_error err = {0};
    Containerd__Services__Events__V1__Envelope envelope =
        CONTAINERD__SERVICES__EVENTS__V1__ENVELOPE__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

    any.value.len = protobuf_c_message_get_packed_size(message);
    any.value.data = pool_array(&pool, any.value.len + 1, 1);
    (void)protobuf_c_message_pack(message, any.value.data);
    any.type_url = (char *)(uintptr_t)message->descriptor->name;
    envelope.timestamp = timestamp_of(ct_now_ns(), &pool);
    envelope.namespace_ = (char *)(uintptr_t)namespace_;
    envelope.topic = (char *)(uintptr_t)topic;
    envelope.event = &any;
    (void)bus_forward(bus, &envelope, &err); /* nobody hears of a nameless namespace */
    pool_done(&pool);
}

/* ---- listening ------------------------------------------------------------------------------ */

struct listener *listener_new(struct bus *bus, const struct filter *filter, struct ct_error *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (!listener || fd < 0) {
        free(listener);
        ct_cleanup_close(&fd);
        return ct_fail_null(err, errno, "listen to events");
    }
    listener->bus = bus;
    listener->filter = filter;
    listener->fd = fd;
    (void)pthread_mutex_lock(&bus->lock);
    listener->next = bus->listeners;
    bus->listeners = listener;
    (void)pthread_mutex_unlock(&bus->lock);
    return listener;
}

int listener_fd(const struct listener *listener)
{
    return listener->fd;
}

int listener_next(struct listener *listener, const Containerd__Services__Events__V1__Envelope **ret,
                  struct ct_error *err)
{
    int result = 0;
    uint64_t count;

    (void)pthread_mutex_lock(&listener->bus->lock);
    note_unref(listener->current);
    listener->current = NULL;
    if (listener->overrun) {
        result =
            ct_refuse(err, CT_CONFLICT, "events were dropped: %d waited to be read", WAITING_MAX);
    } else if (listener->n > 0) {
        listener->current = listener->queue[listener->first];
        listener->first = (listener->first + 1) % listener->room;
        listener->n--;
        *ret = listener->current->envelope;
        result = 1;
    } else {
        (void)!read(listener->fd, &count, sizeof(count));
    }
    (void)pthread_mutex_unlock(&listener->bus->lock);
    return result;
}

void listener_free(struct listener *listener)
{
    struct bus *bus = listener->bus;

    (void)pthread_mutex_lock(&bus->lock);
    for (struct listener **at = &bus->listeners; *at; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    note_unref(listener->current);
    for (size_t i = 0; i < listener->n; i++) {
        note_unref(listener->queue[(listener->first + i) % listener->room]);
    }
    (void)pthread_mutex_unlock(&bus->lock);
    ct_cleanup_close(&listener->fd);
    free(listener->queue);
    free(listener);
}

/* ---- what is in an event -------------------------------------------------------------------- */

static const ProtobufCMessageDescriptor *const event_types[] = {
    &containerd__events__task_create__descriptor,
    &containerd__events__task_start__descriptor,
    &containerd__events__task_delete__descriptor,
    &containerd__events__task_exit__descriptor,
    &containerd__events__task_oom__descriptor,
    &containerd__events__task_exec_added__descriptor,
    &containerd__events__task_exec_started__descriptor,
    &containerd__events__task_paused__descriptor,
    &containerd__events__task_resumed__descriptor,
    &containerd__events__container_create__descriptor,
    &containerd__events__container_update__descriptor,
    &containerd__events__container_delete__descriptor,
    &containerd__events__content_delete__descriptor,
    &containerd__events__snapshot_prepare__descriptor,
    &containerd__events__snapshot_commit__descriptor,
    &containerd__events__snapshot_remove__descriptor,
    &containerd__events__namespace_create__descriptor,
    &containerd__events__namespace_update__descriptor,
    &containerd__events__namespace_delete__descriptor,
    &containerd__services__images__v1__image_create__descriptor,
    &containerd__services__images__v1__image_update__descriptor,
    &containerd__services__images__v1__image_delete__descriptor,
};

ProtobufCMessage *event_unpack(const Google__Protobuf__Any *any)
{
    for (size_t i = 0; i < sizeof(event_types) / sizeof(event_types[0]); i++) {
        if (strcmp(event_types[i]->name, any->type_url) == 0) {
            return protobuf_c_message_unpack(event_types[i], NULL, any->value.len, any->value.data);
        }
    }
    return NULL;
}
