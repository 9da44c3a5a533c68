/*
 * documents.c - Docker's documents of one container, made from its record.
 *
 * Room:       engine.   Called by: list.c, inspect.c, networks.c.
 * Spec:       Docker Engine API 1.43, "ContainerSummary", "ContainerInspect".
 */
#define CT_LAYER "engine"
#include "documents.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

/* "2 hours": how long ago that was. Owned. */
static char *age(const json_t *state, const char *key)
{
    struct ct_error ignored = {0};
    char text[CT_TIME_TEXT];
    int64_t then = 0, ns = 0;

    if (ct_time_parse(ct_json_string(state, key, CT_TIME_ZERO), &then, &ignored) == 0) {
        ns = ct_now_ns() - then;
    }
    return ct_strdup(ct_duration_human(ns > 0 ? ns : 0, text));
}

static const char *health_suffix(const json_t *state)
{
    const char *health = ct_json_string(state, "Health.Status", "");
    if (strcmp(health, "starting") == 0) {
        return " (health: starting)";
    }
    if (strcmp(health, "healthy") == 0) {
        return " (healthy)";
    }
    return strcmp(health, "unhealthy") == 0 ? " (unhealthy)" : "";
}

char *document_status_text(const struct container *container)
{
    const json_t *state = container->state;
    const char *status = container_status(container);
    int code = (int)ct_json_integer(state, "ExitCode", 0);

    if (strcmp(status, "running") == 0 || strcmp(status, "paused") == 0) {
        CT_AUTO_FREE char *up = age(state, "StartedAt");
        return ct_printf("Up %s%s", up, *status == 'p' ? " (Paused)" : health_suffix(state));
    }
    if (strcmp(status, "restarting") == 0 || strcmp(status, "exited") == 0) {
        CT_AUTO_FREE char *down = age(state, "FinishedAt");
        return ct_printf("%s (%d) %s ago", *status == 'r' ? "Restarting" : "Exited", code, down);
    }
    if (strcmp(status, "removing") == 0) {
        return ct_strdup("Removal In Progress");
    }
    return ct_strdup(strcmp(status, "dead") == 0 ? "Dead" : "Created");
}

static const json_t *endpoints_of(const struct container *container)
{
    return container_is_running(container) ? json_object_get(container->state, "Endpoints") : NULL;
}

/* Docker's NetworkSettings.Ports: {"80/tcp":[{"HostIp","HostPort"}],"81/tcp":null}. */
static json_t *port_map(const struct container *container)
{
    json_t *map = json_object();
    const char *port, *network;
    json_t *value, *endpoint;

    if (!container_is_running(container)) {
        return map;
    }
    json_object_foreach(ct_json_get(container->config, "Config.ExposedPorts"), port, value)
    {
        ct_json_set(map, port, json_null());
    }
    json_object_foreach((json_t *)endpoints_of(container), network, endpoint)
    {
        json_object_foreach(json_object_get(endpoint, "Ports"), port, value)
        {
            if (!json_is_null(value) || !json_object_get(map, port)) {
                ct_json_set(map, port, json_incref(value));
            }
        }
    }
    return map;
}

static json_t *port_item(const char *port, const char *host_ip, const char *host_port)
{
    const char *slash = strchr(port, '/');
    json_t *item = json_object();

    if (host_ip && *host_ip) {
        ct_json_set_string(item, "IP", host_ip);
    }
    ct_json_set(item, "PrivatePort", json_integer(strtol(port, NULL, 10)));
    if (host_port) {
        ct_json_set(item, "PublicPort", json_integer(strtol(host_port, NULL, 10)));
    }
    ct_json_set_string(item, "Type", slash ? slash + 1 : "tcp");
    return item;
}

json_t *document_ports(const struct container *container)
{
    CT_AUTO_JSON json_t *map = port_map(container);
    json_t *ports = json_array();
    const char *port;
    json_t *bindings, *binding;
    size_t i;

    json_object_foreach(map, port, bindings)
    {
        if (ct_json_count(bindings) == 0) {
            ct_json_append(ports, port_item(port, NULL, NULL));
        }
        json_array_foreach(bindings, i, binding)
        {
            ct_json_append(ports, port_item(port, ct_json_string(binding, "HostIp", ""),
                                            ct_json_string(binding, "HostPort", "0")));
        }
    }
    return ports;
}

/* Docker's EndpointSettings; the defaults stand for a container that does not run. */
static json_t *endpoint_document(const json_t *configured, const json_t *running)
{
    static const char *const keys[] = {"IPAMConfig",
                                       "Links",
                                       "Aliases",
                                       "NetworkID",
                                       "EndpointID",
                                       "Gateway",
                                       "IPAddress",
                                       "IPPrefixLen",
                                       "IPv6Gateway",
                                       "GlobalIPv6Address",
                                       "GlobalIPv6PrefixLen",
                                       "MacAddress",
                                       "DriverOpts",
                                       NULL};
    json_t *document = json_object();

    for (const char *const *key = keys; *key; key++) {
        json_t *value = json_object_get(running, *key);
        value = value ? value : json_object_get(configured, *key);
        if (value) {
            ct_json_set(document, *key, json_incref(value));
        } else if (strstr(*key, "PrefixLen")) {
            ct_json_set(document, *key, json_integer(0));
        } else {
            bool optional = key - keys < 3 || strcmp(*key, "DriverOpts") == 0;
            ct_json_set(document, *key, optional ? json_null() : json_string(""));
        }
    }
    return document;
}

json_t *document_networks(const struct container *container)
{
    const json_t *running = endpoints_of(container);
    json_t *networks = json_object();
    const char *name;
    json_t *configured;

    json_object_foreach(json_object_get(container->config, "Networks"), name, configured)
    {
        ct_json_set(networks, name, endpoint_document(configured, json_object_get(running, name)));
    }
    return networks;
}

json_t *document_network_settings(const struct container *container)
{
    static const char *const first[] = {"EndpointID",          "Gateway",    "GlobalIPv6Address",
                                        "GlobalIPv6PrefixLen", "IPAddress",  "IPPrefixLen",
                                        "IPv6Gateway",         "MacAddress", NULL};
    json_t *settings = json_object();
    json_t *networks = document_networks(container);
    const json_t *bridge = json_object_get(networks, "bridge");
    CT_AUTO_JSON json_t *empty = endpoint_document(NULL, NULL);

    ct_json_set_string(settings, "Bridge", "");
    ct_json_set_string(settings, "SandboxID", container_is_running(container) ? container->id : "");
    ct_json_set(settings, "HairpinMode", json_false());
    ct_json_set(settings, "Ports", port_map(container));
    ct_json_set_string(settings, "SandboxKey", "");
    for (const char *const *key = first; *key; key++) { /* the default network's, for old clients */
        ct_json_set(settings, *key, json_incref(json_object_get(bridge ? bridge : empty, *key)));
    }
    ct_json_set(settings, "Networks", networks);
    return settings;
}

json_t *document_mounts(const struct container *container)
{
    json_t *mounts = json_deep_copy(json_object_get(container->config, "Mounts"));
    size_t i;
    json_t *mount;

    json_array_foreach(mounts, i, mount)
    {
        (void)json_object_del(mount, "Created");
        (void)json_object_del(mount, "Options");
    }
    return mounts ? mounts : json_array();
}

char *document_command(const struct container *container)
{
    static const char *const parts[] = {"Config.Entrypoint", "Config.Cmd", NULL};
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    const char *separator = "";

    for (const char *const *part = parts; stream && *part; part++) {
        size_t i;
        json_t *word;
        json_array_foreach(ct_json_get(container->config, *part), i, word)
        {
            (void)fprintf(stream, "%s%s", separator, json_string_value(word));
            separator = " ";
        }
    }
    if (!stream || fclose(stream) != 0) {
        return ct_strdup("");
    }
    return text;
}
