/*
 * connection.c - the daemon's one connection to containerd: see connection.h.
 *
 * Room:       connection (stage 04).   Called by: see connection.h.
 */
#define CT_LAYER "connection"
#include "connection.h"

#include "containerd_api.h"
#include "grpc.h"

#include "cleanup.h"
#include "path.h"

#include <pthread.h>
#include <stdlib.h>

#define NAMESPACE       "cutaway"
#define DEFAULT_ADDRESS "/run/containerd/containerd.sock"
#define PLUGIN_TYPE     "io.containerd.grpc.v1"

/* One connection for the life of the process, whoever of its threads asks first. */
static struct grpc_client *client(struct ct_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct grpc_client *opened;
    const char *address = getenv(CONNECTION_VARIABLE);

    (void)pthread_mutex_lock(&lock);
    if (!opened) {
        opened = grpc_client_open(address ? address : DEFAULT_ADDRESS, "containerd", err);
    }
    struct grpc_client *result = opened;
    (void)pthread_mutex_unlock(&lock);
    return result;
}

void connection_free_message(ProtobufCMessage **message)
{
    if (*message) {
        protobuf_c_message_free_unpacked(*message, NULL);
    }
}

int connection_call(const ProtobufCServiceDescriptor *service, const char *method,
                    const void *request, int timeout_ms, ProtobufCMessage **ret,
                    struct ct_error *err)
{
    const struct grpc_header headers[] = {{"containerd-namespace", NAMESPACE}};
    struct grpc_client *opened = client(err);
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    if (!opened ||
        grpc_unary(opened, service, method, headers, 1, timeout_ms, request, &answer, err) < 0) {
        return -1;
    }
    if (ret) {
        *ret = answer;
        answer = NULL;
    }
    return 0;
}

/* ---- what it offers -------------------------------------------------------------------------- */

int connection_offers(const char *id, struct ct_error *err)
{
    Containerd__Services__Introspection__V1__PluginsRequest request =
        CONTAINERD__SERVICES__INTROSPECTION__V1__PLUGINS_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    CT_AUTO_FREE char *filter = ct_printf("type==" PLUGIN_TYPE ",id==%s", id);

    request.n_filters = 1;
    request.filters = &filter;
    if (connection_call(&containerd__services__introspection__v1__introspection__descriptor,
                        "Plugins", &request, CONNECTION_TIMEOUT_MS, &answer, err) < 0) {
        return -1;
    }
    return ((const Containerd__Services__Introspection__V1__PluginsResponse *)answer)->n_plugins >
           0;
}
