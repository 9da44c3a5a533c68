/*
 * networks.c - what the API says of networks, and containers joining and leaving them.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Network".
 */
#define CT_LAYER "engine"
#include "engine_internal.h"
#include "engine_networks.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <string.h>

/* Docker's "Containers": the running containers on it. */
static void add_containers(const struct container **all, json_t *network)
{
    const char *name = ct_json_string(network, "Name", "");
    json_t *containers = json_object();

    for (const struct container **c = all; c && *c; c++) {
        const json_t *endpoint = json_object_get(json_object_get((*c)->state, "Endpoints"), name);
        if (!endpoint || !container_is_running(*c)) {
            continue;
        }
        const char *address = ct_json_string(endpoint, "IPAddress", "");
        CT_AUTO_FREE char *with_prefix =
            *address ? ct_printf("%s/%d", address, (int)ct_json_integer(endpoint, "IPPrefixLen", 0))
                     : ct_strdup("");
        ct_json_set(containers, (*c)->id,
                    json_pack("{s:s,s:s,s:s,s:s,s:s}", "Name", container_name(*c), "EndpointID",
                              ct_json_string(endpoint, "EndpointID", ""), "MacAddress",
                              ct_json_string(endpoint, "MacAddress", ""), "IPv4Address",
                              with_prefix, "IPv6Address", ""));
    }
    ct_json_set(network, "Containers", containers);
}

static bool is_used(const struct container **all, const char *name)
{
    for (const struct container **c = all; c && *c; c++) {
        if (json_object_get(json_object_get((*c)->config, "Networks"), name)) {
            return true;
        }
    }
    return false;
}

static int is_selected(const json_t *filters, const json_t *network, const struct container **all,
                       bool *ret, struct ct_error *err)
{
    const char *name = ct_json_string(network, "Name", "");
    int dangling = filters_bool(filters, "dangling", -2, err);

    if (dangling == -1) {
        return -1;
    }
    bool unused = request_is_own_network(name) && !is_used(all, name);
    *ret = filters_match_regex(filters, "name", name) &&
           filters_match_prefix(filters, "id", ct_json_string(network, "Id", "")) &&
           filters_match(filters, "driver", ct_json_string(network, "Driver", "")) &&
           filters_match(filters, "scope", ct_json_string(network, "Scope", "local")) &&
           filters_match(filters, "type", request_is_own_network(name) ? "custom" : "builtin") &&
           filters_match_labels(filters, json_object_get(network, "Labels")) &&
           (dangling == -2 || unused == (dangling == 1));
    return 0;
}

int engine_network_list(struct engine *engine, const json_t *filters, json_t **ret_list,
                        struct ct_error *err)
{
    static const char *const known[] = {"dangling", "driver", "id",   "label", "label!",
                                        "name",     "scope",  "type", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_network_list");
    struct network_store *networks = engine_networks(engine, err);

    if (!networks || filters_check(filters, known, err) < 0) {
        return ct_while(err, "list networks");
    }
    CT_AUTO_JSON json_t *list = network_list(networks, err);
    const struct container **all = list ? engine_all_containers(engine, err) : NULL;
    CT_AUTO_JSON json_t *selected = json_array();
    int result = all ? 0 : -1;
    size_t i;
    json_t *network;

    json_array_foreach(list, i, network)
    {
        bool wanted = false;
        if (result == 0) {
            result = is_selected(filters, network, all, &wanted, err);
        }
        if (wanted) {
            add_containers(all, network);
            ct_json_append(selected, json_incref(network));
        }
    }
    container_list_free(all);
    *ret_list = result == 0 ? ct_steal(selected) : NULL;
    return result < 0 ? ct_while(err, "list networks") : 0;
}

int engine_network_inspect(struct engine *engine, const char *ref, json_t **ret,
                           struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_network_inspect(%s)", ref);
    struct network_store *networks = engine_networks(engine, err);
    json_t *network = networks ? network_find(networks, ref, err) : NULL;
    const struct container **all = network ? engine_all_containers(engine, err) : NULL;

    if (!all) {
        json_decref(network);
        return -1;
    }
    add_containers(all, network);
    container_list_free(all);
    *ret = network;
    return 0;
}

int engine_network_create(struct engine *engine, const json_t *body, char **ret_id,
                          struct ct_error *err)
{
    const char *name = ct_json_string(body, "Name", "");
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_NETWORK, "engine_network_create(%s)", name);
    struct network_store *networks = engine_networks(engine, err);

    if (!networks || ct_shape_check(body, shape_network, "", err) < 0 ||
        network_create(networks, body, ret_id, err) < 0) {
        return ct_while(err, "create network '%.64s'", name);
    }
    engine_event(engine, "network", "create", *ret_id, "name", name);
    return 0;
}

/* host, none and another container's network cannot be combined with others. */
static int check_joinable(const struct container *container, const char *network,
                          struct ct_error *err)
{
    const char *mode = ct_json_string(container->config, "HostConfig.NetworkMode", "");

    if (strcmp(network, "host") == 0 || strcmp(mode, "host") == 0) {
        return ct_refuse(err, CT_DENIED,
                         "container cannot be connected to or disconnected from host network");
    }
    if (strncmp(mode, "container:", 10) == 0 || strcmp(mode, "none") == 0 ||
        strcmp(network, "none") == 0) {
        return ct_refuse(
            err, CT_DENIED,
            "container cannot be connected to multiple networks with one of the networks "
            "in private (none) mode");
    }
    return 0;
}

static int connect_locked(struct container *container, const char *name, const json_t *endpoint,
                          struct ct_error *err)
{
    json_t *networks = json_object_get(container->config, "Networks");
    CT_AUTO_JSON json_t *request =
        json_is_object(endpoint) ? json_deep_copy(endpoint) : json_object();

    if (check_joinable(container, name, err) < 0 ||
        request_check_endpoint(name, endpoint, err) < 0) {
        return -1;
    }
    if (json_object_get(networks, name)) {
        return ct_refuse(err, CT_CONFLICT, "endpoint with name %s already exists in network %s",
                         container_name(container), name);
    }
    ct_json_set_string(request, "Network", name);
    if (container_is_running(container) && monitor_network(container, true, request, err) < 0) {
        return -1;
    }
    (void)json_object_del(request, "Network");
    ct_json_set(networks, name, json_incref(request));
    return container_save_config(container, err);
}

static int disconnect_locked(struct container *container, const char *name, struct ct_error *err)
{
    json_t *networks = json_object_get(container->config, "Networks");
    CT_AUTO_JSON json_t *request = json_pack("{s:s}", "Network", name);

    if (check_joinable(container, name, err) < 0) {
        return -1;
    }
    if (!json_object_get(networks, name)) {
        return ct_refuse(err, CT_NOT_FOUND, "container %s is not connected to network %s",
                         container_name(container), name);
    }
    if (container_is_running(container) && monitor_network(container, false, request, err) < 0) {
        return -1;
    }
    (void)json_object_del(networks, name);
    return container_save_config(container, err);
}

static int change_membership(struct engine *engine, const char *ref, const char *container_ref,
                             bool join, const json_t *endpoint, struct ct_error *err)
{
    struct network_store *networks = engine_networks(engine, err);
    CT_AUTO_JSON json_t *network = networks ? network_find(networks, ref, err) : NULL;
    struct container *container =
        network ? engine_lock_container(engine, container_ref, err) : NULL;
    const char *name = ct_json_string(network, "Name", "");

    if (!container) {
        return -1;
    }
    int result = join ? connect_locked(container, name, endpoint, err)
                      : disconnect_locked(container, name, err);
    if (result == 0) {
        engine_event(engine, "network", join ? "connect" : "disconnect",
                     ct_json_string(network, "Id", ""), "container", container->id);
    }
    container_free(container);
    return result;
}

int engine_network_connect(struct engine *engine, const char *ref, const char *container,
                           const json_t *endpoint, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_NETWORK, "engine_network_connect(%s, %s)", ref, container);
    if (change_membership(engine, ref, container, true, endpoint, err) < 0) {
        return ct_while(err, "connect '%.64s' to network '%.64s'", container, ref);
    }
    return 0;
}

int engine_network_disconnect(struct engine *engine, const char *ref, const char *container,
                              bool force, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_NETWORK, "engine_network_disconnect(%s, %s)", ref,
            container);
    if (change_membership(engine, ref, container, false, NULL, err) < 0) {
        if (force && err->kind == CT_NOT_FOUND) { /* not there is what was asked for */
            ct_error_clear(err);
            return 0;
        }
        return ct_while(err, "disconnect '%.64s' from network '%.64s'", container, ref);
    }
    return 0;
}

static int remove_network(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct network_store *networks = engine_networks(engine, err);
    CT_AUTO_JSON json_t *network = networks ? network_find(networks, ref, err) : NULL;
    const struct container **all = network ? engine_all_containers(engine, err) : NULL;
    const char *name = ct_json_string(network, "Name", "");
    int result = all ? 0 : -1;

    for (const struct container **c = all; result == 0 && *c; c++) {
        if (container_is_running(*c) &&
            json_object_get(json_object_get((*c)->config, "Networks"), name)) {
            result = ct_refuse(err, CT_CONFLICT, "network %s has active endpoints: container %s",
                               name, container_name(*c));
        }
    }
    container_list_free(all);
    if (result == 0) {
        result = network_remove(networks, ct_json_string(network, "Id", ""), err);
    }
    if (result == 0) {
        engine_event(engine, "network", "destroy", ct_json_string(network, "Id", ""), "name", name);
    }
    return result;
}

int engine_network_remove(struct engine *engine, const char *ref, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_network_remove(%s)", ref);
    return remove_network(engine, ref, err) < 0 ? ct_while(err, "remove network '%.64s'", ref) : 0;
}

static int prune_one(struct engine *engine, const json_t *network, const json_t *filters,
                     const struct container **all, json_t *deleted, struct ct_error *err)
{
    const char *name = ct_json_string(network, "Name", "");
    int64_t created_ns = 0;
    bool old_enough = true;
    struct ct_error in_use = {0};

    if (ct_time_parse(ct_json_string(network, "Created", CT_TIME_ZERO), &created_ns, err) < 0 ||
        filters_match_until(filters, created_ns, &old_enough, err) < 0) {
        return -1;
    }
    if (old_enough && request_is_own_network(name) && !is_used(all, name) &&
        filters_match_labels(filters, json_object_get(network, "Labels")) &&
        remove_network(engine, ct_json_string(network, "Id", ""), &in_use) == 0) {
        ct_json_append(deleted, json_string(name));
    }
    return 0;
}

int engine_network_prune(struct engine *engine, const json_t *filters, json_t **ret,
                         struct ct_error *err)
{
    static const char *const known[] = {"label", "label!", "until", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_network_prune");
    struct network_store *networks = engine_networks(engine, err);

    if (!networks || filters_check(filters, known, err) < 0) {
        return ct_while(err, "prune networks");
    }
    CT_AUTO_JSON json_t *list = network_list(networks, err);
    const struct container **all = list ? engine_all_containers(engine, err) : NULL;
    CT_AUTO_JSON json_t *deleted = json_array();
    int result = all ? 0 : -1;
    size_t i;
    json_t *network;

    json_array_foreach(list, i, network)
    {
        result = result < 0 ? -1 : prune_one(engine, network, filters, all, deleted, err);
    }
    container_list_free(all);
    *ret = result == 0 ? json_pack("{s:O}", "NetworksDeleted", deleted) : NULL;
    return result < 0 ? ct_while(err, "prune networks") : 0;
}
