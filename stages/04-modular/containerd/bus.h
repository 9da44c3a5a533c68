/*
 * bus.h - what happened, told to all who asked: events.
 *
 * Room:       containerd.   Called by: its services; events.c lets others publish and listen.
 *
 * An event is in no file: who was not there has missed it, and asks for the state instead.
 */
#ifndef CONTAINERD_BUS_H
#define CONTAINERD_BUS_H

#include "error.h"
#include "filter.h"

#include "containerd_api.h"

struct bus;

struct bus *bus_new(void);
void bus_free(struct bus *bus);

/* Tells it, with the time of now. message becomes an Any of its own type. */
void bus_publish(struct bus *bus, const char *namespace_, const char *topic,
                 const ProtobufCMessage *message);
/* The same for an event that is wrapped already. CT_INVALID: a part is missing. */
int bus_forward(struct bus *bus, const Containerd__Services__Events__V1__Envelope *envelope,
                struct ct_error *err);

/*
 * A listener hears what comes after it was made, in order. filter is borrowed for its life.
 * listener_next: 1 and an event, borrowed until the next call; 0: nothing waits (listener_fd()
 * turns readable when something does); -1: CT_CONFLICT, it was so slow that events were dropped.
 */
struct listener;
struct listener *listener_new(struct bus *bus, const struct filter *filter, struct ct_error *err);
int listener_fd(const struct listener *listener);
int listener_next(struct listener *listener, const Containerd__Services__Events__V1__Envelope **ret,
                  struct ct_error *err);
void listener_free(struct listener *listener);

/* The event in an Any; owned (protobuf_c_message_free_unpacked). NULL: unknown, or malformed. */
ProtobufCMessage *event_unpack(const Google__Protobuf__Any *any);

#endif
