/*
 * networks.c - documents of networks as messages, and back: see network_messages.h.
 *
 * Room:       translation (stage 04).   Called by: see network_messages.h.
 */
#include "network_messages.h"

#include "message_parts.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>

typedef Cutaway__Services__Networks__V1__HostPort HostPort;
typedef Cutaway__Services__Networks__V1__NetworkName NetworkName;
typedef Cutaway__Services__Networks__V1__Port Port;
typedef Cutaway__Services__Networks__V1__Subnet SubnetMessage;

/* ---- networks ------------------------------------------------------------------------------- */

/* IPAM.Config of a document. */
static SubnetMessage **subnets_of(const json_t *document, struct pool *pool, size_t *ret_n)
{
    SubnetMessage **subnets = NULL;
    size_t i;
    json_t *config;

    *ret_n = 0;
    json_array_foreach(ct_json_get(document, "IPAM.Config"), i, config)
    {
        SubnetMessage *subnet =
            message_new(&cutaway__services__networks__v1__subnet__descriptor, pool);
        subnet->subnet = text_at(config, "Subnet", pool);
        subnet->range = text_at(config, "IPRange", pool);
        subnet->gateway = text_at(config, "Gateway", pool);
        list_add((void ***)&subnets, ret_n, subnet, pool);
    }
    return subnets;
}

static void set_unless_empty(json_t *document, const char *key, const char *text)
{
    if (*text) {
        ct_json_set_string(document, key, text);
    }
}

static json_t *ipam_of(SubnetMessage *const *subnets, size_t n)
{
    json_t *configs = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *config = json_object();
        set_unless_empty(config, "Subnet", subnets[i]->subnet);
        set_unless_empty(config, "IPRange", subnets[i]->range);
        set_unless_empty(config, "Gateway", subnets[i]->gateway);
        ct_json_append(configs, config);
    }
    return json_pack("{s:s,s:n,s:o}", "Driver", "default", "Options", "Config", configs);
}

NetworkMessage *network_to_message(const json_t *network, struct pool *pool)
{
    NetworkMessage *message =
        message_new(&cutaway__services__networks__v1__network__descriptor, pool);

    message->id = text_at(network, "Id", pool);
    message->name = text_at(network, "Name", pool);
    message->driver = text_at(network, "Driver", pool);
    message->created_at = time_at(network, "Created", pool);
    message->subnets = subnets_of(network, pool, &message->n_subnets);
    message->internal = ct_json_bool(network, "Internal", false);
    message->attachable = ct_json_bool(network, "Attachable", false);
    message->labels = map_of(json_object_get(network, "Labels"),
                             &cutaway__services__networks__v1__network__labels_entry__descriptor,
                             pool, &message->n_labels);
    return message;
}

json_t *network_from_message(const NetworkMessage *message)
{
    json_t *network = json_object();

    ct_json_set_string(network, "Name", message->name);
    ct_json_set_string(network, "Id", message->id);
    set_time(network, "Created", message->created_at);
    ct_json_set_string(network, "Scope", "local");
    ct_json_set_string(network, "Driver", message->driver);
    ct_json_set(network, "EnableIPv6", json_false());
    ct_json_set(network, "IPAM", ipam_of(message->subnets, message->n_subnets));
    ct_json_set(network, "Internal", json_boolean(message->internal));
    ct_json_set(network, "Attachable", json_boolean(message->attachable));
    ct_json_set(network, "Ingress", json_false());
    ct_json_set(network, "ConfigFrom", json_pack("{s:s}", "Network", ""));
    ct_json_set(network, "ConfigOnly", json_false());
    ct_json_set(network, "Containers", json_object());
    ct_json_set(network, "Options", json_object());
    ct_json_set(network, "Labels", object_of(message->labels, message->n_labels));
    return network;
}

CreateNetworkMessage *network_body_to_message(const json_t *body, struct pool *pool)
{
    CreateNetworkMessage *message =
        message_new(&cutaway__services__networks__v1__create_network_request__descriptor, pool);

    message->name = text_at(body, "Name", pool);
    message->driver = text_at(body, "Driver", pool);
    message->subnets = subnets_of(body, pool, &message->n_subnets);
    message->internal = ct_json_bool(body, "Internal", false);
    message->attachable = ct_json_bool(body, "Attachable", false);
    message->ipv6 = ct_json_bool(body, "EnableIPv6", false);
    message->options =
        map_of(json_object_get(body, "Options"),
               &cutaway__services__networks__v1__create_network_request__options_entry__descriptor,
               pool, &message->n_options);
    message->labels =
        map_of(json_object_get(body, "Labels"),
               &cutaway__services__networks__v1__create_network_request__labels_entry__descriptor,
               pool, &message->n_labels);
    return message;
}

json_t *network_body_from_message(const CreateNetworkMessage *message)
{
    json_t *body = json_object();

    ct_json_set_string(body, "Name", message->name);
    ct_json_set_string(body, "Driver", message->driver);
    ct_json_set(body, "IPAM", ipam_of(message->subnets, message->n_subnets));
    ct_json_set(body, "Internal", json_boolean(message->internal));
    ct_json_set(body, "Attachable", json_boolean(message->attachable));
    ct_json_set(body, "EnableIPv6", json_boolean(message->ipv6));
    ct_json_set(body, "Options", object_of(message->options, message->n_options));
    ct_json_set(body, "Labels", object_of(message->labels, message->n_labels));
    return body;
}

/* ---- ports ---------------------------------------------------------------------------------- */

static void add_bindings(const json_t *bindings, Port *port, struct pool *pool)
{
    size_t i;
    json_t *binding;

    json_array_foreach((json_t *)bindings, i, binding)
    {
        HostPort *host = message_new(&cutaway__services__networks__v1__host_port__descriptor, pool);
        host->ip = text_at(binding, "HostIp", pool);
        host->port = text_at(binding, "HostPort", pool);
        list_add((void ***)&port->bindings, &port->n_bindings, host, pool);
    }
}

/* {"80/tcp":[{"HostIp","HostPort"}],"81/tcp":null}. In a request null asks for the port, too. */
static Port **ports_of(const json_t *object, bool is_request, struct pool *pool, size_t *ret_n)
{
    Port **ports = NULL;
    const char *key;
    json_t *bindings;

    *ret_n = 0;
    json_object_foreach((json_t *)object, key, bindings)
    {
        Port *port = message_new(&cutaway__services__networks__v1__port__descriptor, pool);
        port->port = text_of(key, pool);
        port->published = is_request || !json_is_null(bindings);
        add_bindings(bindings, port, pool);
        list_add((void ***)&ports, ret_n, port, pool);
    }
    return ports;
}

static json_t *bindings_of(const Port *port)
{
    json_t *bindings = json_array();

    for (size_t i = 0; i < port->n_bindings; i++) {
        json_t *binding = json_object();
        ct_json_set_string(binding, "HostIp", port->bindings[i]->ip);
        ct_json_set_string(binding, "HostPort", port->bindings[i]->port);
        ct_json_append(bindings, binding);
    }
    return bindings;
}

static json_t *port_object(Port *const *ports, size_t n, bool is_request)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        set_under(object, ports[i]->port,
                  is_request || ports[i]->published ? bindings_of(ports[i]) : json_null());
    }
    return object;
}

/* ---- endpoints ------------------------------------------------------------------------------ */

/* Docker's set of exposed ports is an object of empty objects. */
static char **keys_of(const json_t *object, struct pool *pool, size_t *ret_n)
{
    char **keys = NULL;
    const char *key;
    json_t *nothing;

    *ret_n = 0;
    json_object_foreach((json_t *)object, key, nothing)
    {
        list_add((void ***)&keys, ret_n, text_of(key, pool), pool);
    }
    return keys;
}

static char *text_or_empty(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

AttachMessage *attach_to_message(const struct network_request *request, uint64_t netns,
                                 struct pool *pool)
{
    AttachMessage *message =
        message_new(&cutaway__services__networks__v1__attach_request__descriptor, pool);

    message->network = text_or_empty(request->network);
    message->container_id = text_or_empty(request->container_id);
    message->netns = netns;
    message->container_name = text_or_empty(request->container_name);
    message->address = text_or_empty(request->address);
    message->mac = text_or_empty(request->mac);
    message->aliases = strings_of(request->aliases, pool, &message->n_aliases);
    message->ports = ports_of(request->port_bindings, true, pool, &message->n_ports);
    message->exposed_ports = keys_of(request->exposed_ports, pool, &message->n_exposed_ports);
    message->publish_all = request->publish_all;
    return message;
}

static const char *text_or_none(const char *text)
{
    return *text ? text : NULL;
}

void attach_from_message(const AttachMessage *message, struct network_request *ret,
                         json_t **ret_parts)
{
    json_t *aliases = ct_json_from_strv((const char *const *)message->aliases, message->n_aliases);
    json_t *bindings = port_object(message->ports, message->n_ports, true);
    json_t *exposed = json_object();

    for (size_t i = 0; i < message->n_exposed_ports; i++) {
        set_under(exposed, message->exposed_ports[i], json_object());
    }
    *ret = (struct network_request){.network = message->network,
                                    .container_id = message->container_id,
                                    .container_name = message->container_name,
                                    .address = text_or_none(message->address),
                                    .mac = text_or_none(message->mac),
                                    .aliases = aliases,
                                    .port_bindings = bindings,
                                    .exposed_ports = exposed,
                                    .publish_all = message->publish_all};
    *ret_parts = json_pack("[o,o,o]", aliases, bindings, exposed);
}

EndpointMessage *endpoint_to_message(const json_t *endpoint, struct pool *pool)
{
    EndpointMessage *message =
        message_new(&cutaway__services__networks__v1__endpoint__descriptor, pool);

    message->id = text_at(endpoint, "EndpointID", pool);
    message->network_id = text_at(endpoint, "NetworkID", pool);
    message->network = text_at(endpoint, "Network", pool);
    message->container_id = text_at(endpoint, "Container", pool);
    message->container_name = text_at(endpoint, "Name", pool);
    message->address = text_at(endpoint, "IPAddress", pool);
    message->prefix_length = (uint32_t)ct_json_integer(endpoint, "IPPrefixLen", 0);
    message->gateway = text_at(endpoint, "Gateway", pool);
    message->mac = text_at(endpoint, "MacAddress", pool);
    message->aliases = strings_of(json_object_get(endpoint, "Aliases"), pool, &message->n_aliases);
    message->ports = ports_of(json_object_get(endpoint, "Ports"), false, pool, &message->n_ports);
    return message;
}

/* Where names are answered there is always one alias: the short id. */
static json_t *aliases_of(const EndpointMessage *message)
{
    return message->n_aliases > 0
               ? ct_json_from_strv((const char *const *)message->aliases, message->n_aliases)
               : json_null();
}

json_t *endpoint_from_message(const EndpointMessage *message)
{
    json_t *endpoint = json_object();

    ct_json_set_string(endpoint, "NetworkID", message->network_id);
    ct_json_set_string(endpoint, "EndpointID", message->id);
    ct_json_set_string(endpoint, "Gateway", message->gateway);
    ct_json_set_string(endpoint, "IPAddress", message->address);
    ct_json_set(endpoint, "IPPrefixLen", json_integer(message->prefix_length));
    ct_json_set_string(endpoint, "IPv6Gateway", "");
    ct_json_set_string(endpoint, "GlobalIPv6Address", "");
    ct_json_set(endpoint, "GlobalIPv6PrefixLen", json_integer(0));
    ct_json_set_string(endpoint, "MacAddress", message->mac);
    ct_json_set_string(endpoint, "Network", message->network);
    ct_json_set_string(endpoint, "Container", message->container_id);
    ct_json_set_string(endpoint, "Name", message->container_name);
    ct_json_set(endpoint, "Aliases", aliases_of(message));
    ct_json_set(endpoint, "Ports", port_object(message->ports, message->n_ports, false));
    return endpoint;
}

/* ---- names ---------------------------------------------------------------------------------- */

void endpoints_to_message(const json_t *endpoints, ResolveMessage *ret, struct pool *pool)
{
    const char *key;
    json_t *endpoint;

    json_object_foreach((json_t *)endpoints, key, endpoint)
    {
        NetworkName *name =
            message_new(&cutaway__services__networks__v1__network_name__descriptor, pool);
        name->id = text_at(endpoint, "NetworkID", pool);
        name->name = text_of(ct_json_string(endpoint, "Network", key), pool);
        list_add((void ***)&ret->networks, &ret->n_networks, name, pool);
    }
}

json_t *endpoints_from_message(const ResolveMessage *message)
{
    json_t *endpoints = json_object();

    for (size_t i = 0; i < message->n_networks; i++) {
        json_t *endpoint = json_object();
        ct_json_set_string(endpoint, "NetworkID", message->networks[i]->id);
        ct_json_set_string(endpoint, "Network", message->networks[i]->name);
        set_under(endpoints, message->networks[i]->name, endpoint);
    }
    return endpoints;
}
