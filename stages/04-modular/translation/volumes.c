/*
 * volumes.c - documents of volumes as messages, and back: see volume_messages.h.
 *
 * Room:       translation (stage 04).   Called by: see volume_messages.h.
 */
#include "volume_messages.h"

#include "message_parts.h"

#include "json.h"

VolumeMessage *volume_to_message(const json_t *volume, struct pool *pool)
{
    VolumeMessage *message = message_new(&cutaway__services__volumes__v1__volume__descriptor, pool);

    message->name = text_at(volume, "Name", pool);
    message->driver = text_at(volume, "Driver", pool);
    message->mountpoint = text_at(volume, "Mountpoint", pool);
    message->labels = map_of(json_object_get(volume, "Labels"),
                             &cutaway__services__volumes__v1__volume__labels_entry__descriptor,
                             pool, &message->n_labels);
    message->created_at = time_at(volume, "CreatedAt", pool);
    return message;
}

json_t *volume_from_message(const VolumeMessage *message)
{
    json_t *volume = json_object();

    set_time(volume, "CreatedAt", message->created_at);
    ct_json_set_string(volume, "Driver", message->driver);
    ct_json_set(volume, "Labels", object_of(message->labels, message->n_labels));
    ct_json_set_string(volume, "Mountpoint", message->mountpoint);
    ct_json_set_string(volume, "Name", message->name);
    ct_json_set(volume, "Options", json_null());
    ct_json_set_string(volume, "Scope", "local");
    return volume;
}

CreateVolumeMessage *volume_body_to_message(const json_t *body, struct pool *pool)
{
    CreateVolumeMessage *message =
        message_new(&cutaway__services__volumes__v1__create_volume_request__descriptor, pool);

    message->name = text_at(body, "Name", pool);
    message->driver = text_at(body, "Driver", pool);
    message->driver_options = map_of(
        json_object_get(body, "DriverOpts"),
        &cutaway__services__volumes__v1__create_volume_request__driver_options_entry__descriptor,
        pool, &message->n_driver_options);
    message->labels =
        map_of(json_object_get(body, "Labels"),
               &cutaway__services__volumes__v1__create_volume_request__labels_entry__descriptor,
               pool, &message->n_labels);
    return message;
}

json_t *volume_body_from_message(const CreateVolumeMessage *message)
{
    json_t *body = json_object();

    ct_json_set_string(body, "Name", message->name);
    ct_json_set_string(body, "Driver", message->driver);
    ct_json_set(body, "DriverOpts", object_of(message->driver_options, message->n_driver_options));
    ct_json_set(body, "Labels", object_of(message->labels, message->n_labels));
    return body;
}
