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
#include "units.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMESPACE       "cutaway"
#define DEFAULT_ADDRESS "/run/containerd/containerd.sock"
#define PLUGIN_TYPE     "io.containerd.grpc.v1"
#define PAUSE_NS        20000000L /* between two tries */

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

/* ---- calls ----------------------------------------------------------------------------------- */

static _Atomic int patience_ms;

void connection_wait(int ms)
{
    atomic_store(&patience_ms, ms);
}

/* Asked twice, they do it once: what is gone already was to go, a container is on a network once,
 * and a volume is filled only when it is empty. */
static bool is_repeatable(const char *method)
{
    static const char *const methods[] = {
        "Get",     "List",   "ListPids",      "Metrics",   "Wait",    "Version", "Plugins",
        "CloseIO", "Delete", "DeleteProcess", "ResizePty", "Update",  "Attach",  "Detach",
        "Forget",  "Rename", "Resolve",       "Usage",     "Populate"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i], method) == 0) {
            return true;
        }
    }
    return false;
}

static bool may_be_repeated(const struct ct_error *err, const char *method)
{
    bool nobody_there = err->sys == ECONNREFUSED || err->sys == ENOENT; /* it was not sent */
    return err->kind == CT_UNREACHABLE && (nobody_there || is_repeatable(method));
}

static int call_once(const ProtobufCServiceDescriptor *service, const char *method,
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

int connection_call(const ProtobufCServiceDescriptor *service, const char *method,
                    const void *request, int timeout_ms, ProtobufCMessage **ret,
                    struct ct_error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    int64_t began_ns = ct_monotonic_ns();

    while (call_once(service, method, request, timeout_ms, ret, err) < 0) {
        int64_t left_ns = began_ns + atomic_load(&patience_ms) * 1000000LL - ct_monotonic_ns();
        if (left_ns <= 0 || !may_be_repeated(err, method)) {
            return -1;
        }
        ct_error_clear(err);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* The answers that have come, one after the other. */
static int receive_all(struct grpc_call *call, const ProtobufCMessageDescriptor *type,
                       connection_item_fn each, void *context, struct ct_error *err)
{
    int got = 0;

    do {
        CONNECTION_AUTO_MESSAGE ProtobufCMessage *item = NULL;
        got = grpc_receive(call, type, &item, err);
        if (got > 0 && each(context, item, err) < 0) {
            got = -1;
        }
    } while (got > 0);
    return got;
}

int connection_stream(const ProtobufCServiceDescriptor *service, const char *method,
                      const void *request, int timeout_ms, connection_item_fn each, void *context,
                      struct ct_error *err)
{
    const ProtobufCMethodDescriptor *types =
        protobuf_c_service_descriptor_get_method_by_name(service, method);
    const struct grpc_header headers[] = {{"containerd-namespace", NAMESPACE}};
    struct grpc_client *opened = client(err);
    struct grpc_call *call =
        opened ? grpc_begin(opened, service, method, headers, 1, timeout_ms, err) : NULL;
    struct ct_error ignored = {0};

    if (!call) {
        return -1;
    }
    (void)grpc_send(call, request, &ignored); /* its end says why */
    grpc_send_end(call);
    if (receive_all(call, types->output, each, context, err) < 0 && err->kind != CT_UNREACHABLE) {
        grpc_abort(call);
        return -1;
    }
    ct_error_clear(err); /* a lost connection is told better by the call's end */
    return grpc_end(call, err);
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
