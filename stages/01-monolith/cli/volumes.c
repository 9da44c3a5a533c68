/*
 * volumes.c - volume ls, create, inspect, rm, prune.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker volume(1).
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag ls_flags[] = {
    {"cluster", 0, CLI_BOOL, NULL, NULL, "no stage: it is for swarms"},
    {"filter", 'f', CLI_LIST, "filter", "Provide filter values (e.g. \"dangling=true\")", NULL},
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Only display volume names", NULL},
    END};
static const struct cli_flag *const ls_tables[] = {ls_flags, NULL};

static const struct cli_column columns[] = {
    {"Driver", "DRIVER"}, {"Name", "VOLUME NAME"}, {"Scope", "SCOPE"}, {"Mountpoint", "MOUNTPOINT"},
    {"Labels", "LABELS"}, {"Size", "SIZE"},        {NULL, NULL}};

static json_t *make_row(const json_t *volume)
{
    json_t *row = json_object();
    CT_AUTO_FREE char *labels = format_labels(json_object_get(volume, "Labels"));

    ct_json_set_string(row, "Driver", ct_json_string(volume, "Driver", ""));
    ct_json_set_string(row, "Name", ct_json_string(volume, "Name", ""));
    ct_json_set_string(row, "Scope", ct_json_string(volume, "Scope", ""));
    ct_json_set_string(row, "Mountpoint", ct_json_string(volume, "Mountpoint", ""));
    ct_json_set_string(row, "Labels", labels);
    ct_json_set_string(row, "Size", "N/A");
    return row;
}

static int run_ls(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    CT_AUTO_JSON json_t *reply = NULL;
    CT_AUTO_JSON json_t *rows = json_array();
    const char *format = args_text(args, "format", args_bool(args, "quiet") ? "{{.Name}}" : NULL);
    size_t i;
    json_t *volume;

    if (args_filters(args, &filters, err) < 0 ||
        engine_volume_list(cli->engine, filters, &reply, err) < 0) {
        return -1;
    }
    json_array_foreach(json_object_get(reply, "Volumes"), i, volume)
    {
        ct_json_append(rows, make_row(volume));
    }
    return format_rows(columns, "{{.Driver}}\t{{.Name}}", format, rows, err);
}

static const struct cli_flag create_volume_flags[] = {
    {"availability", 0, CLI_TEXT, NULL, NULL, "no stage: it is for swarms"},
    {"driver", 'd', CLI_TEXT, NULL, "Specify volume driver name (default \"local\")", NULL},
    {"group", 0, CLI_TEXT, NULL, NULL, "no stage: it is for swarms"},
    {"label", 0, CLI_LIST, NULL, "Set metadata for a volume", NULL},
    {"name", 0, CLI_TEXT, NULL, "Specify volume name", NULL},
    {"opt", 'o', CLI_LIST, NULL, NULL, "plugins: drivers that take options"},
    END};
static const struct cli_flag *const create_tables[] = {create_volume_flags, NULL};

static int run_create(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = json_object();
    CT_AUTO_JSON json_t *volume = NULL;

    ct_json_set_string(body, "Name",
                       args_at(args, 0) ? args_at(args, 0) : args_text(args, "name", ""));
    ct_json_set_string(body, "Driver", args_text(args, "driver", "local"));
    ct_json_set(body, "Labels", labels_of(args));
    if (engine_volume_create(cli->engine, body, &volume, err) < 0) {
        return -1;
    }
    (void)printf("%s\n", ct_json_string(volume, "Name", ""));
    return 0;
}

static const struct cli_flag rm_flags[] = {
    {"force", 'f', CLI_BOOL, NULL, "Force the removal of one or more volumes", NULL}, END};
static const struct cli_flag *const rm_tables[] = {rm_flags, NULL};

static int rm_one(struct cli *cli, const char *name, const struct cli_args *args,
                  struct ct_error *err)
{
    return engine_volume_remove(cli->engine, name, args_bool(args, "force"), err);
}

static int run_rm(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return for_each_arg(cli, args, rm_one, true, err);
}

static const struct cli_flag prune_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Remove all unused volumes, not just anonymous ones", NULL},
    {"filter", 0, CLI_LIST, "filter", "Provide filter values (e.g. \"label=<label>\")", NULL},
    {"force", 'f', CLI_BOOL, NULL, "Do not prompt for confirmation", NULL},
    END};
static const struct cli_flag *const prune_tables[] = {prune_flags, NULL};

static int run_prune(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    json_t *given = NULL;
    CT_AUTO_JSON json_t *reply = NULL;
    char size[CT_TIME_TEXT];
    size_t i;
    json_t *name;

    if (args_filters(args, &given, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *filters = given ? given : json_object();
    if (args_bool(args, "all")) {
        ct_json_set(filters, "all", json_pack("[s]", "true"));
    }
    if (!confirm(args, "WARNING! This will remove anonymous local volumes not used by at least one "
                       "container.\n")) {
        return 0;
    }
    if (engine_volume_prune(cli->engine, filters, &reply, err) < 0) {
        return -1;
    }
    json_array_foreach(json_object_get(reply, "VolumesDeleted"), i, name)
    {
        (void)printf("%s%s\n", i ? "" : "Deleted Volumes:\n", json_string_value(name));
    }
    (void)printf("%sTotal reclaimed space: %s\n",
                 ct_json_count(json_object_get(reply, "VolumesDeleted")) ? "\n" : "",
                 ct_size_human(ct_json_integer(reply, "SpaceReclaimed", 0), 4, size));
    return 0;
}

const struct cli_command cli_volume_ls = {"ls",      "",    "List volumes", 0, 0,
                                          ls_tables, false, false,          1, run_ls};
const struct cli_command cli_volume_create = {
    "create", "[VOLUME]", "Create a volume", 0, 1, create_tables, false, false, 1, run_create};
const struct cli_command cli_volume_rm = {
    "rm",  "VOLUME [VOLUME...]", "Remove one or more volumes", 1, -1, rm_tables, false, false, 1,
    run_rm};
const struct cli_command cli_volume_prune = {
    "prune", "", "Remove unused local volumes", 0, 0, prune_tables, false, false, 1, run_prune};
