/*
 * networks.c - network ls, create, inspect, connect, disconnect, rm, prune.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker network(1).
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag ls_flags[] = {
    {"filter", 'f', CLI_LIST, "filter", "Provide filter values (e.g. \"driver=bridge\")", NULL},
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template", NULL},
    {"no-trunc", 0, CLI_BOOL, NULL, "Do not truncate the output", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Only display network IDs", NULL},
    END};
static const struct cli_flag *const ls_tables[] = {ls_flags, NULL};

static const struct cli_column columns[] = {{"ID", "NETWORK ID"}, {"Name", "NAME"},
                                            {"Driver", "DRIVER"}, {"Scope", "SCOPE"},
                                            {"IPv6", "IPV6"},     {"Internal", "INTERNAL"},
                                            {"Labels", "LABELS"}, {"CreatedAt", "CREATED AT"},
                                            {NULL, NULL}};

static json_t *make_row(const json_t *network, bool no_trunc)
{
    json_t *row = json_object();
    CT_AUTO_FREE char *id = format_id(ct_json_string(network, "Id", ""), no_trunc);
    CT_AUTO_FREE char *labels = format_labels(json_object_get(network, "Labels"));

    ct_json_set_string(row, "ID", id);
    ct_json_set_string(row, "Name", ct_json_string(network, "Name", ""));
    ct_json_set_string(row, "Driver", ct_json_string(network, "Driver", ""));
    ct_json_set_string(row, "Scope", ct_json_string(network, "Scope", ""));
    ct_json_set_string(row, "IPv6", ct_json_bool(network, "EnableIPv6", false) ? "true" : "false");
    ct_json_set_string(row, "Internal",
                       ct_json_bool(network, "Internal", false) ? "true" : "false");
    ct_json_set_string(row, "Labels", labels);
    ct_json_set_string(row, "CreatedAt", ct_json_string(network, "Created", ""));
    return row;
}

static int run_ls(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    CT_AUTO_JSON json_t *list = NULL;
    CT_AUTO_JSON json_t *rows = json_array();
    const char *format = args_text(args, "format", NULL);
    size_t i;
    json_t *network;

    if (args_filters(args, &filters, err) < 0 ||
        engine_network_list(cli->engine, filters, &list, err) < 0) {
        return -1;
    }
    json_array_foreach(list, i, network)
    {
        ct_json_append(rows, make_row(network, args_bool(args, "no-trunc")));
    }
    if (args_bool(args, "quiet") && !format) {
        format = "{{.ID}}";
    }
    return format_rows(columns, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", format, rows, err);
}

static const struct cli_flag create_network_flags[] = {
    {"attachable", 0, CLI_BOOL, NULL, "Enable manual container attachment", NULL},
    {"aux-address", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    {"config-from", 0, CLI_TEXT, NULL, NULL, "no stage: it is for swarms"},
    {"config-only", 0, CLI_BOOL, NULL, NULL, "no stage: it is for swarms"},
    {"driver", 'd', CLI_TEXT, NULL, "Driver to manage the Network (default \"bridge\")", NULL},
    {"gateway", 0, CLI_TEXT, NULL, "IPv4 Gateway for the master subnet", NULL},
    {"ingress", 0, CLI_BOOL, NULL, NULL, "no stage: it is for swarms"},
    {"internal", 0, CLI_BOOL, NULL, "Restrict external access to the network", NULL},
    {"ip-range", 0, CLI_TEXT, NULL, "Allocate container ip from a sub-range", NULL},
    {"ipam-driver", 0, CLI_TEXT, NULL, NULL, "no stage yet"},
    {"ipam-opt", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    {"ipv6", 0, CLI_BOOL, NULL, NULL, "no stage yet: networks are IPv4"},
    {"label", 0, CLI_LIST, NULL, "Set metadata on a network", NULL},
    {"opt", 'o', CLI_LIST, NULL, NULL, "no stage yet"},
    {"scope", 0, CLI_TEXT, NULL, NULL, "no stage: it is for swarms"},
    {"subnet", 0, CLI_TEXT, NULL, "Subnet in CIDR format that represents a network segment", NULL},
    END};
static const struct cli_flag *const create_tables[] = {create_network_flags, NULL};

json_t *labels_of(const struct cli_args *args)
{
    json_t *labels = json_object();
    for (const char *const *label = args_list(args, "label"); *label; label++) {
        const char *equal_sign = strchr(*label, '=');
        CT_AUTO_FREE char *key = ct_printf("%.*s", (int)strcspn(*label, "="), *label);
        ct_json_set_string(labels, key, equal_sign ? equal_sign + 1 : "");
    }
    return labels;
}

static json_t *create_network_body(const struct cli_args *args)
{
    json_t *config = json_object();
    json_t *body = json_object();

    if (args_has(args, "subnet")) {
        ct_json_set_string(config, "Subnet", args_text(args, "subnet", ""));
    }
    if (args_has(args, "gateway")) {
        ct_json_set_string(config, "Gateway", args_text(args, "gateway", ""));
    }
    if (args_has(args, "ip-range")) {
        ct_json_set_string(config, "IPRange", args_text(args, "ip-range", ""));
    }
    ct_json_set_string(body, "Name", args_at(args, 0));
    ct_json_set_string(body, "Driver", args_text(args, "driver", "bridge"));
    ct_json_set(body, "Internal", json_boolean(args_bool(args, "internal")));
    ct_json_set(body, "Attachable", json_boolean(args_bool(args, "attachable")));
    ct_json_set(body, "Labels", labels_of(args));
    json_t *configs = json_array();
    if (json_object_size(config) > 0) {
        ct_json_append(configs, json_incref(config));
    }
    json_decref(config);
    ct_json_set(body, "IPAM", json_pack("{s:s,s:o}", "Driver", "default", "Config", configs));
    return body;
}

static int run_create(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = create_network_body(args);
    CT_AUTO_FREE char *id = NULL;

    if (engine_network_create(cli->engine, body, &id, err) < 0) {
        return -1;
    }
    (void)printf("%s\n", id);
    return 0;
}

static const struct cli_flag connect_flags[] = {
    {"alias", 0, CLI_LIST, NULL, "Add network-scoped alias for the container", NULL},
    {"driver-opt", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    {"gw-priority", 0, CLI_INT, NULL, NULL, "no stage yet"},
    {"ip", 0, CLI_TEXT, NULL, "IPv4 address (e.g., 172.30.100.104)", NULL},
    {"ip6", 0, CLI_TEXT, NULL, NULL, "no stage yet: networks are IPv4"},
    {"link", 0, CLI_LIST, NULL, NULL, "no stage: on a network of your own names are found"},
    {"link-local-ip", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    END};
static const struct cli_flag *const connect_tables[] = {connect_flags, NULL};

static int run_connect(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *endpoint = json_object();
    if (args_has(args, "ip")) {
        ct_json_set(endpoint, "IPAMConfig",
                    json_pack("{s:s}", "IPv4Address", args_text(args, "ip", "")));
    }
    if (args_has(args, "alias")) {
        ct_json_set(endpoint, "Aliases", ct_json_from_strv(args_list(args, "alias"), SIZE_MAX));
    }
    return engine_network_connect(cli->engine, args_at(args, 0), args_at(args, 1), endpoint, err);
}

static const struct cli_flag force_flags[] = {
    {"force", 'f', CLI_BOOL, NULL, "Do not error if it is gone already", NULL}, END};
static const struct cli_flag *const force_tables[] = {force_flags, NULL};

static int run_disconnect(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return engine_network_disconnect(cli->engine, args_at(args, 0), args_at(args, 1),
                                     args_bool(args, "force"), err);
}

static int rm_one(struct cli *cli, const char *ref, const struct cli_args *args,
                  struct ct_error *err)
{
    if (engine_network_remove(cli->engine, ref, err) < 0) {
        if (args_bool(args, "force") && err->kind == CT_NOT_FOUND) {
            ct_error_clear(err);
            return 0;
        }
        return -1;
    }
    return 0;
}

static int run_rm(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return for_each_arg(cli, args, rm_one, true, err);
}

static const struct cli_flag prune_flags[] = {
    {"filter", 0, CLI_LIST, "filter", "Provide filter values (e.g. \"until=<timestamp>\")", NULL},
    {"force", 'f', CLI_BOOL, NULL, "Do not prompt for confirmation", NULL},
    END};
static const struct cli_flag *const prune_tables[] = {prune_flags, NULL};

static int run_prune(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    CT_AUTO_JSON json_t *reply = NULL;
    size_t i;
    json_t *name;

    if (args_filters(args, &filters, err) < 0 ||
        !confirm(args, "WARNING! This will remove all custom networks not used by at least one "
                       "container.\n")) {
        return err->kind == CT_NONE ? 0 : -1;
    }
    if (engine_network_prune(cli->engine, filters, &reply, err) < 0) {
        return -1;
    }
    json_array_foreach(json_object_get(reply, "NetworksDeleted"), i, name)
    {
        (void)printf("%s%s\n", i ? "" : "Deleted Networks:\n", json_string_value(name));
    }
    return 0;
}

const struct cli_command cli_network_ls = {"ls",      "",    "List networks", 0, 0,
                                           ls_tables, false, false,           1, run_ls};
const struct cli_command cli_network_create = {
    "create", "NETWORK", "Create a network", 1, 1, create_tables, false, false, 1, run_create};
const struct cli_command cli_network_connect = {"connect",
                                                "NETWORK CONTAINER",
                                                "Connect a container to a network",
                                                2,
                                                2,
                                                connect_tables,
                                                false,
                                                false,
                                                1,
                                                run_connect};
const struct cli_command cli_network_disconnect = {"disconnect",
                                                   "NETWORK CONTAINER",
                                                   "Disconnect a container from a network",
                                                   2,
                                                   2,
                                                   force_tables,
                                                   false,
                                                   false,
                                                   1,
                                                   run_disconnect};
const struct cli_command cli_network_rm = {"rm",
                                           "NETWORK [NETWORK...]",
                                           "Remove one or more networks",
                                           1,
                                           -1,
                                           force_tables,
                                           false,
                                           false,
                                           1,
                                           run_rm};
const struct cli_command cli_network_prune = {
    "prune", "", "Remove all unused networks", 0, 0, prune_tables, false, false, 1, run_prune};
