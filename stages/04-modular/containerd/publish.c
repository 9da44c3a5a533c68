/*
 * publish.c - one event to a containerd that runs: see publish.h.
 *
 * Room:       containerd.   Called by: main.c.
 */
#define CT_LAYER "containerd"
#include "publish.h"

#include "cleanup.h"
#include "grpc.h"

#include "containerd_api.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define EVENT_MAX  (1 << 20)
#define PUBLISH_MS 10000

static Google__Protobuf__Any *read_event(struct ct_error *err)
{
    CT_AUTO_FREE uint8_t *packed = malloc(EVENT_MAX);
    size_t have = 0;
    ssize_t n = 1;

    while (packed && have < EVENT_MAX && n > 0) {
        n = read(STDIN_FILENO, packed + have, EVENT_MAX - have);
        have += n > 0 ? (size_t)n : 0;
    }
    if (!packed || n < 0) {
        return ct_fail_null(err, packed ? errno : ENOMEM, "read the event");
    }
    Google__Protobuf__Any *event = google__protobuf__any__unpack(NULL, have, packed);
    return event ? event : ct_refuse_null(err, CT_INVALID, "what standard input has is no event");
}

int publish_event(const char *address, const char *namespace_, const char *topic,
                  struct ct_error *err)
{
    const struct grpc_header headers[] = {{"containerd-namespace", namespace_}};
    Containerd__Services__Events__V1__PublishRequest request =
        CONTAINERD__SERVICES__EVENTS__V1__PUBLISH_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;
    struct grpc_client *client = grpc_client_open(address, "containerd", err);

    request.topic = (char *)(uintptr_t)topic;
    request.event = client ? read_event(err) : NULL;
    int result = request.event
                     ? grpc_unary(client, &containerd__services__events__v1__events__descriptor,
                                  "Publish", headers, 1, PUBLISH_MS, &request, &answer, err)
                     : -1;
    if (answer) {
        protobuf_c_message_free_unpacked(answer, NULL);
    }
    if (request.event) {
        google__protobuf__any__free_unpacked(request.event, NULL);
    }
    grpc_client_close(client);
    return result;
}
