/*
 * connection.h - the daemon's one connection to containerd, and calls over it.
 *
 * Room:       connection (stage 04).
 * Called by:  containers, execdriver, networks and volumes of stage 04: the doors behind which
 * containerd is. Spec:       containerd, api/services: every call names a namespace in its
 * metadata.
 *
 * All functions may be called from any thread. Errors are containerd's, as "containerd: …", with
 * their whole chain if it is ours.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "error.h"

#include <protobuf-c/protobuf-c.h>

#define CONNECTION_VARIABLE   "CUTAWAY_CONTAINERD" /* the environment: where containerd listens */
#define CONNECTION_TIMEOUT_MS 30000                /* of calls that take no limit of the caller's */

/* A call of one request and one answer in our namespace. *ret is owned; NULL: it is not wanted. */
int connection_call(const ProtobufCServiceDescriptor *service, const char *method,
                    const void *request, int timeout_ms, ProtobufCMessage **ret,
                    struct ct_error *err);

/* A call of one request and many answers, each (borrowed) passed on. -1 of the callback's ends it.
 * It is never repeated, and does not wait for a containerd. */
typedef int (*connection_item_fn)(void *context, const ProtobufCMessage *item,
                                  struct ct_error *err);
int connection_stream(const ProtobufCServiceDescriptor *service, const char *method,
                      const void *request, int timeout_ms, connection_item_fn each, void *context,
                      struct ct_error *err);

/*
 * connection_wait - how long a call waits from now on when nobody listens there: for whoever keeps
 * that containerd running, and starts it again when it dies. At first 0: it fails at once. A call
 * whose answer was lost is repeated only when that cannot do anything twice (Get, Wait, Delete …).
 */
void connection_wait(int patience_ms);

/*
 * connection_offers - whether the containerd there offers the service `id` ("volumes"), by its own
 * list of plugins. 1 or 0; -1: it does not answer.
 */
int connection_offers(const char *id, struct ct_error *err);

/* A message's release, for locals that own one: NULL is allowed. */
void connection_free_message(ProtobufCMessage **message);
#define CONNECTION_AUTO_MESSAGE __attribute__((cleanup(connection_free_message)))

#endif
