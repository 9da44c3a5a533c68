/*
 * version.c - the services Version, Introspection and Health: who answers here, and what it can do.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the tables below.
 * Spec:       version.proto, introspection.proto; grpc/doc/health-checking.md.
 */
#include "containerd_internal.h"

#include <sys/utsname.h>

static int version(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    Containerd__Services__Version__V1__VersionResponse *answer = response;

    (void)call;
    (void)request;
    (void)err;
    answer->version = (char *)CUTAWAY_VERSION "-cutaway";
    return 0;
}

static int server(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    Containerd__Services__Introspection__V1__ServerResponse *answer = response;

    (void)request;
    (void)err;
    answer->uuid = containerd_of(call)->uuid;
    return 0;
}

/* In containerd each of these is a plugin; here each is a file of this room. */
static const struct {
    const char *type, *id;
} parts[] = {
    {"io.containerd.snapshotter.v1", "overlayfs"},
    {"io.containerd.content.v1", "content"},
    {"io.containerd.snapshotter.v1", "overlayfs"},
    {"io.containerd.metadata.v1", "sqlite"},
    {"io.containerd.differ.v1", "walking"},
    {"io.containerd.gc.v1", "scheduler"},
    {"io.containerd.gc.v1", "scheduler"},
    {"io.containerd.runtime.v2", "task"},
    {"io.containerd.grpc.v1", "version"},
    {"io.containerd.grpc.v1", "introspection"},
    {"io.containerd.grpc.v1", "namespaces"},
    {"io.containerd.grpc.v1", "content"},
    {"io.containerd.grpc.v1", "snapshots"},
    {"io.containerd.grpc.v1", "leases"},
    {"io.containerd.grpc.v1", "containers"},
    {"io.containerd.grpc.v1", "content"},
    {"io.containerd.grpc.v1", "images"},
    {"io.containerd.grpc.v1", "snapshots"},
    {"io.containerd.grpc.v1", "diff"},
    {"io.containerd.grpc.v1", "leases"},
    {"io.containerd.grpc.v1", "events"},
    {"io.containerd.grpc.v1", "tasks"},
    {"io.containerd.ttrpc.v1", "events"},
    {"io.containerd.grpc.v1", "tasks"},
    {"io.containerd.grpc.v1", "networks"}, /* ours: cutaway.services.networks.v1 … */
    {"io.containerd.grpc.v1", "volumes"},  /* … and .volumes.v1 */
};

static Containerd__Types__Platform *platform(struct pool *pool)
{
    Containerd__Types__Platform *result =
        message_new(&containerd__types__platform__descriptor, pool);
    result->os = (char *)"linux";
#if defined(__x86_64__)
    result->architecture = (char *)"amd64";
#elif defined(__aarch64__)
    result->architecture = (char *)"arm64";
#else
    struct utsname name;
    result->architecture = pool_keep(pool, ct_strdup(uname(&name) == 0 ? name.machine : ""));
#endif
    return result;
}

static int plugins(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Introspection__V1__PluginsRequest *ask = request;
    Containerd__Services__Introspection__V1__PluginsResponse *answer = response;
    struct pool *pool = grpc_pool(call);
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);

    for (size_t i = 0; filter && i < sizeof(parts) / sizeof(parts[0]); i++) {
        Containerd__Services__Introspection__V1__Plugin *plugin =
            message_new(&containerd__services__introspection__v1__plugin__descriptor, pool);
        plugin->type = (char *)(uintptr_t)parts[i].type;
        plugin->id = (char *)(uintptr_t)parts[i].id;
        if (filter_matches(filter, &plugin->base)) {
            list_add((void ***)&plugin->platforms, &plugin->n_platforms, platform(pool), pool);
            list_add((void ***)&answer->plugins, &answer->n_plugins, plugin, pool);
        }
    }
    return filter ? 0 : -1;
}

static int check_health(struct grpc_call *call, const void *request, void *response,
                        struct ct_error *err)
{
    const Grpc__Health__V1__HealthCheckRequest *ask = request;
    Grpc__Health__V1__HealthCheckResponse *answer = response;

    (void)call;
    if (*ask->service) {
        return ct_refuse(err, CT_NOT_FOUND, "health of the service '%.80s'", ask->service);
    }
    answer->status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    return 0;
}

static const struct grpc_method health_methods[] = {{"Check", check_health, NULL}};
const struct grpc_service health_service = {&grpc__health__v1__health__descriptor, health_methods,
                                            1};

static const struct grpc_method version_methods[] = {{"Version", version, NULL}};
const struct grpc_service version_service = {
    &containerd__services__version__v1__version__descriptor, version_methods, 1};

static const struct grpc_method introspection_methods[] = {{"Server", server, NULL},
                                                           {"Plugins", plugins, NULL}};
const struct grpc_service introspection_service = {
    &containerd__services__introspection__v1__introspection__descriptor, introspection_methods, 2};
