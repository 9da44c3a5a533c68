/*
 * fuzz_translation.c - any bytes as a message of our own services, made into a document and back.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * The first byte of an input says which message the rest is. What became a document must become
 * the same document again, for both sides are to see the same.
 */
#include "network_messages.h"
#include "volume_messages.h"

#include "cleanup.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef json_t *(*from_fn)(const void *message);
typedef void *(*to_fn)(const json_t *document, struct pool *pool);

static json_t *network_from(const void *message)
{
    return network_from_message(message);
}

static void *network_to(const json_t *document, struct pool *pool)
{
    return network_to_message(document, pool);
}

static json_t *network_body_from(const void *message)
{
    return network_body_from_message(message);
}

static void *network_body_to(const json_t *document, struct pool *pool)
{
    return network_body_to_message(document, pool);
}

static json_t *endpoint_from(const void *message)
{
    return endpoint_from_message(message);
}

static void *endpoint_to(const json_t *document, struct pool *pool)
{
    return endpoint_to_message(document, pool);
}

static json_t *volume_from(const void *message)
{
    return volume_from_message(message);
}

static void *volume_to(const json_t *document, struct pool *pool)
{
    return volume_to_message(document, pool);
}

static json_t *volume_body_from(const void *message)
{
    return volume_body_from_message(message);
}

static void *volume_body_to(const json_t *document, struct pool *pool)
{
    return volume_body_to_message(document, pool);
}

/* The parts of a request to join a network, and the request again. */
static json_t *attach_from(const void *message)
{
    const AttachMessage *ask = message;
    struct network_request request;
    json_t *parts = NULL;

    attach_from_message(ask, &request, &parts);
    return json_pack("{s:o,s:I}", "parts", parts, "netns", (json_int_t)ask->netns);
}

static void *attach_to(const json_t *document, struct pool *pool)
{
    const json_t *parts = json_object_get(document, "parts");
    struct network_request request = {.aliases = json_array_get(parts, 0),
                                      .port_bindings = json_array_get(parts, 1),
                                      .exposed_ports = json_array_get(parts, 2)};
    return attach_to_message(
        &request, (uint64_t)json_integer_value(json_object_get(document, "netns")), pool);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    from_fn from;
    to_fn to;
} kinds[] = {
    {&cutaway__services__networks__v1__network__descriptor, network_from, network_to},
    {&cutaway__services__networks__v1__create_network_request__descriptor, network_body_from,
     network_body_to},
    {&cutaway__services__networks__v1__endpoint__descriptor, endpoint_from, endpoint_to},
    {&cutaway__services__networks__v1__attach_request__descriptor, attach_from, attach_to},
    {&cutaway__services__volumes__v1__volume__descriptor, volume_from, volume_to},
    {&cutaway__services__volumes__v1__create_volume_request__descriptor, volume_body_from,
     volume_body_to},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool pool = {0};

    if (size < 1 || data[0] >= sizeof(kinds) / sizeof(kinds[0])) {
        return -1;
    }
    ProtobufCMessage *message =
        protobuf_c_message_unpack(kinds[data[0]].type, NULL, size - 1, data + 1);
    if (!message) {
        return -1;
    }
    CT_AUTO_JSON json_t *document = kinds[data[0]].from(message);
    CT_AUTO_JSON json_t *again = kinds[data[0]].from(kinds[data[0]].to(document, &pool));
    if (!json_equal(document, again)) {
        abort();
    }
    pool_done(&pool);
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}
