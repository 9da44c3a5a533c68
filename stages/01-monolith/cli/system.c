/*
 * system.c - info, version, events, system df, prunes, completion and man pages.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker info(1), version(1), events(1), system(1).
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

static const struct cli_flag format_flags[] = {
    {"format", 'f', CLI_TEXT, NULL, "Format output using a custom template: 'json' or TEMPLATE",
     NULL},
    END};
static const struct cli_flag *const format_tables[] = {format_flags, NULL};

static int run_version(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *format = args_text(args, "format", NULL);
    CT_AUTO_JSON json_t *server = NULL;
    struct ct_error no_engine = {0}; /* the client's own version is told all the same */
    size_t i;
    json_t *part;

    cli->engine = engine_open(&cli->options, &no_engine);
    if (cli->engine && engine_version(cli->engine, &server, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *both =
        json_pack("{s:{s:s,s:s},s:O?}", "Client", "Version", CUTAWAY_VERSION, "Stage",
                  engine_stage(), "Server", server);
    if (format) {
        return format_row(format, both, err);
    }
    (void)printf("Client:\n Version:    %s\n Stage:      %s\n", CUTAWAY_VERSION, engine_stage());
    if (!server) {
        *err = no_engine;
        return -1;
    }
    (void)printf("\nEngine:\n Version:    %s\n API:        %s (minimum version %s)\n OS/Arch:    "
                 "%s/%s\n Kernel:     %s\n",
                 ct_json_string(server, "Version", ""), ct_json_string(server, "ApiVersion", ""),
                 ct_json_string(server, "MinAPIVersion", ""), ct_json_string(server, "Os", ""),
                 ct_json_string(server, "Arch", ""), ct_json_string(server, "KernelVersion", ""));
    json_array_foreach(json_object_get(server, "Components"), i, part)
    {
        if (i > 0) { /* the first is the engine itself */
            (void)printf(" %s:%*s%s\n", ct_json_string(part, "Name", ""),
                         11 - (int)strlen(ct_json_string(part, "Name", "")), "",
                         ct_json_string(part, "Version", ""));
        }
    }
    return 0;
}

static int run_info(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    static const char *const lines[][2] = {{"Containers", "Containers"},
                                           {" Running", "ContainersRunning"},
                                           {" Paused", "ContainersPaused"},
                                           {" Stopped", "ContainersStopped"},
                                           {"Images", "Images"},
                                           {"Engine Version", "ServerVersion"},
                                           {"Stage", "Stage"},
                                           {"Storage Driver", "Driver"},
                                           {"Logging Driver", "LoggingDriver"},
                                           {"Cgroup Driver", "CgroupDriver"},
                                           {"Cgroup Version", "CgroupVersion"},
                                           {"Default Runtime", "DefaultRuntime"},
                                           {"Kernel Version", "KernelVersion"},
                                           {"Operating System", "OperatingSystem"},
                                           {"OSType", "OSType"},
                                           {"Architecture", "Architecture"},
                                           {"CPUs", "NCPU"},
                                           {"Name", "Name"},
                                           {"ID", "ID"},
                                           {"Root Dir", "DockerRootDir"}};
    CT_AUTO_JSON json_t *info = NULL;
    char memory[CT_TIME_TEXT];
    size_t i;
    json_t *warning;

    if (engine_info(cli->engine, &info, err) < 0) {
        return -1;
    }
    if (args_has(args, "format")) {
        return format_row(args_text(args, "format", ""), info, err);
    }
    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const json_t *value = json_object_get(info, lines[i][1]);
        if (json_is_integer(value)) {
            (void)printf("%s: %lld\n", lines[i][0], (long long)json_integer_value(value));
        } else {
            (void)printf("%s: %s\n", lines[i][0], json_string_value(value));
        }
    }
    (void)printf("Total Memory: %s\n",
                 ct_size_binary(ct_json_integer(info, "MemTotal", 0), memory));
    json_array_foreach(json_object_get(info, "Warnings"), i, warning)
    {
        (void)fprintf(stderr, "WARNING: %s\n", json_string_value(warning));
    }
    return 0;
}

static const struct cli_flag events_flags[] = {
    {"filter", 'f', CLI_LIST, "filter", "Filter output based on conditions provided", NULL},
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template: 'json' or TEMPLATE",
     NULL},
    {"since", 0, CLI_TEXT, NULL, "Show all events created since timestamp", NULL},
    {"until", 0, CLI_TEXT, NULL, "Stream events until this timestamp", NULL},
    END};
static const struct cli_flag *const events_tables[] = {events_flags, NULL};

struct event_printer {
    const char *format;
    struct ct_error *err;
};

/* "2026-11-24T00:45:15.726000000Z container start 0123… (image=busybox, name=web)". */
static void print_event(const json_t *event)
{
    char when[CT_TIME_TEXT];
    const char *key, *separator = "";
    json_t *value;

    (void)printf("%s %s %s %s (", ct_time_format(ct_json_integer(event, "timeNano", 0), when),
                 ct_json_string(event, "Type", ""), ct_json_string(event, "Action", ""),
                 ct_json_string(event, "Actor.ID", ""));
    json_object_foreach(ct_json_get(event, "Actor.Attributes"), key, value)
    {
        CT_AUTO_FREE char *safe =
            format_safe(json_string_value(value) ? json_string_value(value) : "");
        (void)printf("%s%s=%s", separator, key, safe);
        separator = ", ";
    }
    (void)printf(")\n");
}

static int on_event(void *context, const json_t *event)
{
    struct event_printer *printer = context;
    int failed = 0;

    if (printer->format) {
        failed = format_row(printer->format, event, printer->err) < 0;
    } else {
        print_event(event);
    }
    return fflush(stdout) != 0 || failed;
}

static int run_events(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    struct event_printer printer = {.format = args_text(args, "format", NULL), .err = err};
    struct engine_events query = {0};
    const char *since = args_text(args, "since", NULL), *until = args_text(args, "until", NULL);

    if ((since && ct_time_parse(since, &query.since_ns, err) < 0) ||
        (until && ct_time_parse(until, &query.until_ns, err) < 0) ||
        args_filters(args, &filters, err) < 0) {
        return -1;
    }
    query.filters = filters;
    int result = engine_events(cli->engine, &query, on_event, &printer, cli->cancel_fd, err);
    return result < 0 || err->kind != CT_NONE ? -1 : 0;
}

static const struct cli_flag df_flags[] = {
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template", NULL},
    {"verbose", 'v', CLI_BOOL, NULL, "Show detailed information on space usage", NULL},
    END};
static const struct cli_flag *const df_tables[] = {df_flags, NULL};

static const struct cli_column df_columns[] = {
    {"Type", "TYPE"}, {"TotalCount", "TOTAL"},        {"Active", "ACTIVE"},
    {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}, {NULL, NULL}};

/* What is counted of one kind of thing. */
struct usage {
    size_t total, active;
    int64_t size, reclaimable;
};

static json_t *df_row(const char *type, struct usage usage)
{
    char size[CT_TIME_TEXT], reclaimable[CT_TIME_TEXT];
    int percent = usage.size > 0 ? (int)(usage.reclaimable * 100 / usage.size) : 0;
    CT_AUTO_FREE char *total = ct_printf("%zu", usage.total);
    CT_AUTO_FREE char *active = ct_printf("%zu", usage.active);
    CT_AUTO_FREE char *text =
        ct_printf("%s (%d%%)", ct_size_human(usage.reclaimable, 4, reclaimable), percent);

    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "Type", type, "TotalCount", total, "Active", active,
                     "Size", ct_size_human(usage.size, 4, size), "Reclaimable", text);
}

static void count(struct usage *usage, int64_t size, bool active)
{
    size = size > 0 ? size : 0;
    usage->total++;
    usage->active += active;
    usage->size += size;
    usage->reclaimable += active ? 0 : size;
}

static int run_df(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *reply = NULL;
    struct usage images = {0}, containers = {0}, volumes = {0}, none = {0};
    size_t i;
    json_t *item;

    if (engine_disk_usage(cli->engine, &reply, err) < 0) {
        return -1;
    }
    if (args_bool(args, "verbose")) {
        print_json(stdout, reply);
        return 0;
    }
    json_array_foreach(json_object_get(reply, "Images"), i, item)
    {
        count(&images, ct_json_integer(item, "Size", 0),
              ct_json_integer(item, "Containers", 0) > 0);
    }
    json_array_foreach(json_object_get(reply, "Containers"), i, item)
    {
        count(&containers, ct_json_integer(item, "SizeRw", 0),
              strcmp(ct_json_string(item, "State", ""), "running") == 0);
    }
    json_array_foreach(json_object_get(reply, "Volumes"), i, item)
    {
        count(&volumes, ct_json_integer(item, "UsageData.Size", 0),
              ct_json_integer(item, "UsageData.RefCount", 0) > 0);
    }
    CT_AUTO_JSON json_t *rows =
        json_pack("[o,o,o,o]", df_row("Images", images), df_row("Containers", containers),
                  df_row("Local Volumes", volumes), df_row("Build Cache", none));
    return format_rows(df_columns,
                       "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                       args_text(args, "format", NULL), rows, err);
}

static const struct cli_flag prune_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Remove all unused images not just dangling ones", NULL},
    {"filter", 0, CLI_LIST, "filter", "Provide filter values (e.g. \"label=<key>=<value>\")", NULL},
    {"force", 'f', CLI_BOOL, NULL, "Do not prompt for confirmation", NULL},
    {"volumes", 0, CLI_BOOL, NULL, "Prune anonymous volumes", NULL},
    END};
static const struct cli_flag *const prune_tables[] = {prune_flags, NULL};

static void print_list(const char *title, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        const char *text = json_string_value(item);
        const char *untagged = ct_json_string(item, "Untagged", NULL);
        CT_AUTO_FREE char *line =
            text       ? ct_strdup(text)
            : untagged ? ct_printf("untagged: %s", untagged)
                       : ct_printf("deleted: %s", ct_json_string(item, "Deleted", ""));
        (void)printf("%s%s%s", i ? "" : title, i ? "" : "\n", line);
        (void)printf("\n%s", i + 1 == json_array_size(list) ? "\n" : "");
    }
}

typedef int (*prune_fn)(struct engine *engine, const json_t *filters, json_t **ret,
                        struct ct_error *err);

static int prune_kind(struct cli *cli, prune_fn prune, const json_t *filters, const char *title,
                      const char *key, int64_t *reclaimed, struct ct_error *err)
{
    CT_AUTO_JSON json_t *reply = NULL;
    if (prune(cli->engine, filters, &reply, err) < 0) {
        return -1;
    }
    print_list(title, json_object_get(reply, key));
    *reclaimed += ct_json_integer(reply, "SpaceReclaimed", 0);
    return 0;
}

static int run_system_prune(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    json_t *given = NULL;
    int64_t reclaimed = 0;
    char size[CT_TIME_TEXT];

    if (args_filters(args, &given, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *filters = given;
    CT_AUTO_JSON json_t *image_filters = filters ? json_deep_copy(filters) : json_object();
    ct_json_set(image_filters, "dangling",
                json_pack("[s]", args_bool(args, "all") ? "false" : "true"));
    if (!confirm(args, "WARNING! This will remove:\n  - all stopped containers\n  - all networks "
                       "not used by at least one "
                       "container\n  - unused images (dangling ones; with -a all)\n  - with "
                       "--volumes: anonymous volumes "
                       "not used by at least one container\n\n")) {
        return 0;
    }
    if (prune_kind(cli, engine_container_prune, filters, "Deleted Containers:", "ContainersDeleted",
                   &reclaimed, err) < 0 ||
        prune_kind(cli, engine_network_prune, filters, "Deleted Networks:", "NetworksDeleted",
                   &reclaimed, err) < 0 ||
        (args_bool(args, "volumes") &&
         prune_kind(cli, engine_volume_prune, NULL, "Deleted Volumes:", "VolumesDeleted",
                    &reclaimed, err) < 0) ||
        prune_kind(cli, engine_image_prune, image_filters, "Deleted Images:", "ImagesDeleted",
                   &reclaimed, err) < 0) {
        return -1;
    }
    (void)printf("Total reclaimed space: %s\n", ct_size_human(reclaimed, 4, size));
    return 0;
}

static const struct cli_flag container_prune_flags[] = {
    {"filter", 0, CLI_LIST, "filter", "Provide filter values (e.g. \"until=<timestamp>\")", NULL},
    {"force", 'f', CLI_BOOL, NULL, "Do not prompt for confirmation", NULL},
    END};
static const struct cli_flag *const container_prune_tables[] = {container_prune_flags, NULL};

static int run_container_prune(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    int64_t reclaimed = 0;
    char size[CT_TIME_TEXT];

    if (args_filters(args, &filters, err) < 0) {
        return -1;
    }
    if (!confirm(args, "WARNING! This will remove all stopped containers.\n")) {
        return 0;
    }
    if (prune_kind(cli, engine_container_prune, filters, "Deleted Containers:", "ContainersDeleted",
                   &reclaimed, err) < 0) {
        return -1;
    }
    (void)printf("Total reclaimed space: %s\n", ct_size_human(reclaimed, 4, size));
    return 0;
}

static int run_completion(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    (void)cli;
    if (strcmp(args_at(args, 0), "bash") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "completion for '%.40s': there is only bash",
                         args_at(args, 0));
    }
    return help_completion(stdout);
}

static int run_man(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    (void)cli;
    if (help_man(stdout, args_at(args, 0)) < 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no command '%.40s'", args_at(args, 0));
    }
    return 0;
}

const struct cli_command cli_system_version = {
    "version", "",         "Show the version information", 0, 0, format_tables, false, true,
    1,         run_version};
const struct cli_command cli_system_info = {
    "info", "", "Display system-wide information", 0, 0, format_tables, false, false, 1, run_info};
const struct cli_command cli_system_events = {
    "events", "",        "Get real time events from the engine", 0, 0, events_tables, false, false,
    1,        run_events};
const struct cli_command cli_system_df = {
    "df", "", "Show disk usage", 0, 0, df_tables, false, false, 1, run_df};
const struct cli_command cli_system_prune = {
    "prune", "", "Remove unused data", 0, 0, prune_tables, false, false, 1, run_system_prune};
const struct cli_command cli_container_prune = {"prune",
                                                "",
                                                "Remove all stopped containers",
                                                0,
                                                0,
                                                container_prune_tables,
                                                false,
                                                false,
                                                1,
                                                run_container_prune};
/* For the build, which installs what they print. */
const struct cli_command cli_system_completion = {
    "__completion", "bash", "Print bash completion", 1, 1, NULL, false, true, 1, run_completion};
const struct cli_command cli_system_man = {
    "__man", "[COMMAND]", "Print a manual page", 0, 1, NULL, false, true, 1, run_man};
