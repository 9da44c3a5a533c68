/*
 * volume_messages.h - Docker's documents of volumes as messages of cutaway.services.volumes.v1, and
 * back.
 *
 * Room:       translation (stage 04).
 * Called by:  volumes (the daemon's side), containerd (the other): each message is described once.
 * Spec:       api/own/cutaway/services/volumes/v1/volumes.proto; Docker Engine API 1.43, "Volume".
 *
 * Messages live in pool; documents are owned by the caller.
 */
#ifndef VOLUME_MESSAGES_H
#define VOLUME_MESSAGES_H

#include "pool.h"

#include "containerd_api.h"

#include <jansson.h>

#define VOLUMES_SERVICE (&cutaway__services__volumes__v1__volumes__descriptor)

typedef Cutaway__Services__Volumes__V1__Volume VolumeMessage;
typedef Cutaway__Services__Volumes__V1__CreateVolumeRequest CreateVolumeMessage;

VolumeMessage *volume_to_message(const json_t *volume, struct pool *pool);
json_t *volume_from_message(const VolumeMessage *message);

/* Docker's VolumeCreate. */
CreateVolumeMessage *volume_body_to_message(const json_t *body, struct pool *pool);
json_t *volume_body_from_message(const CreateVolumeMessage *message);

#endif
