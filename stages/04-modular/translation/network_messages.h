/*
 * network_messages.h - Docker's documents of networks, and requests to join one, as messages of
 * cutaway.services.networks.v1, and back.
 *
 * Room:       translation (stage 04).
 * Called by:  networks (the daemon's side), containerd (the other): each message is described once.
 * Spec:       api/own/cutaway/services/networks/v1/networks.proto; Docker Engine API 1.43,
 *             "Network"; networks.h.
 *
 * Messages live in pool; documents are owned by the caller.
 */
#ifndef NETWORK_MESSAGES_H
#define NETWORK_MESSAGES_H

#include "networks.h"
#include "pool.h"

#include "containerd_api.h"

#define NETWORKS_SERVICE (&cutaway__services__networks__v1__networks__descriptor)

typedef Cutaway__Services__Networks__V1__Network NetworkMessage;
typedef Cutaway__Services__Networks__V1__CreateNetworkRequest CreateNetworkMessage;
typedef Cutaway__Services__Networks__V1__AttachRequest AttachMessage;
typedef Cutaway__Services__Networks__V1__Endpoint EndpointMessage;
typedef Cutaway__Services__Networks__V1__ResolveRequest ResolveMessage;

NetworkMessage *network_to_message(const json_t *network, struct pool *pool);
json_t *network_from_message(const NetworkMessage *message);

/* Docker's NetworkCreate. */
CreateNetworkMessage *network_body_to_message(const json_t *body, struct pool *pool);
json_t *network_body_from_message(const CreateNetworkMessage *message);

/* What network_attach() is asked, and answers. netns: the inode of the network namespace. */
AttachMessage *attach_to_message(const struct network_request *request, uint64_t netns,
                                 struct pool *pool);
/* *ret borrows from the message and from *ret_parts, which is owned. */
void attach_from_message(const AttachMessage *message, struct network_request *ret,
                         json_t **ret_parts);
EndpointMessage *endpoint_to_message(const json_t *endpoint, struct pool *pool);
json_t *endpoint_from_message(const EndpointMessage *message);

/* The endpoints that network_resolver_answer() takes: only which networks they are on. */
void endpoints_to_message(const json_t *endpoints, ResolveMessage *ret, struct pool *pool);
json_t *endpoints_from_message(const ResolveMessage *message);

#endif
