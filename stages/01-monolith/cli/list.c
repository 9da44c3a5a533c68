/*
 * list.c - ps, stats: containers as rows.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       Docker, "Format command and log output": the formatter's field names.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag ls_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Show all containers (default shows just running)", NULL},
    {"filter", 'f', CLI_LIST, "filter", "Filter output based on conditions provided", NULL},
    {"format", 0, CLI_TEXT, NULL,
     "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE", NULL},
    {"last", 'n', CLI_INT, NULL, "Show n last created containers (includes all states)", NULL},
    {"latest", 'l', CLI_BOOL, NULL, "Show the latest created container (includes all states)",
     NULL},
    {"no-trunc", 0, CLI_BOOL, NULL, "Don't truncate output", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Only display container IDs", NULL},
    {"size", 's', CLI_BOOL, NULL, "Display total file sizes", NULL},
    END};
static const struct cli_flag *const ls_tables[] = {ls_flags, NULL};

static const struct cli_column columns[] = {{"ID", "CONTAINER ID"},
                                            {"Image", "IMAGE"},
                                            {"Command", "COMMAND"},
                                            {"CreatedAt", "CREATED AT"},
                                            {"RunningFor", "CREATED"},
                                            {"Ports", "PORTS"},
                                            {"State", "STATE"},
                                            {"Status", "STATUS"},
                                            {"Size", "SIZE"},
                                            {"Names", "NAMES"},
                                            {"Labels", "LABELS"},
                                            {"Mounts", "MOUNTS"},
                                            {"Networks", "NETWORKS"},
                                            {"LocalVolumes", "LOCAL VOLUMES"},
                                            {NULL, NULL}};

/* Docker's "0.0.0.0:8080->80/tcp, 81/tcp". Owned. */
static char *ports_text(const json_t *ports)
{
    char *text = NULL;
    size_t length = 0, i;
    json_t *port;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_strdup("");
    }
    json_array_foreach((json_t *)ports, i, port)
    {
        json_int_t public_port = ct_json_integer(port, "PublicPort", 0);
        (void)fputs(i ? ", " : "", out);
        if (public_port) {
            (void)fprintf(out, "%s:%lld->", ct_json_string(port, "IP", ""), (long long)public_port);
        }
        (void)fprintf(out, "%lld/%s", (long long)ct_json_integer(port, "PrivatePort", 0),
                      ct_json_string(port, "Type", ""));
    }
    (void)fclose(out);
    return text;
}

/* The command in quotes, cut to 20 characters, as docker ps. Owned. */
static char *command_text(const char *command, bool no_trunc)
{
    CT_AUTO_FREE char *safe = format_safe(command);
    size_t length = strlen(safe);

    if (no_trunc || length <= 20) {
        return ct_printf("\"%s\"", safe);
    }
    size_t end = 19;
    while (end > 0 && ((unsigned char)safe[end] & 0xC0) == 0x80) {
        end--;
    }
    return ct_printf("\"%.*s…\"", (int)end, safe);
}

static void set_owned(json_t *row, const char *field, char *text)
{
    CT_AUTO_FREE char *safe = format_safe(text);
    ct_json_set_string(row, field, safe);
    free(text);
}

/* The mounts' names, or sources; and how many volumes. */
static void add_mounts(json_t *row, const json_t *mounts, bool no_trunc)
{
    size_t i, volumes = 0;
    json_t *mount;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    json_array_foreach((json_t *)mounts, i, mount)
    {
        const char *name = ct_json_string(mount, "Name", ct_json_string(mount, "Source", ""));
        bool cut = !no_trunc && strlen(name) > 15;
        volumes += strcmp(ct_json_string(mount, "Type", ""), "volume") == 0;
        if (out) {
            (void)fprintf(out, "%s%.*s%s", i ? "," : "", cut ? 14 : (int)strlen(name), name,
                          cut ? "…" : "");
        }
    }
    if (out) {
        (void)fclose(out);
    }
    set_owned(row, "Mounts", text ? text : ct_strdup(""));
    set_owned(row, "LocalVolumes", ct_printf("%zu", volumes));
}

static char *size_text(const json_t *summary)
{
    char written[CT_TIME_TEXT], all[CT_TIME_TEXT];
    int64_t virtual = ct_json_integer(summary, "SizeRootFs", 0);
    ct_size_human(ct_json_integer(summary, "SizeRw", 0), 3, written);
    return virtual ? ct_printf("%s (virtual %s)", written, ct_size_human(virtual, 3, all))
                   : ct_strdup(written);
}

static char *keys_text(const json_t *object)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    const char *key, *separator = "";
    json_t *value;

    if (!out) {
        return ct_strdup("");
    }
    json_object_foreach((json_t *)object, key, value)
    {
        (void)fprintf(out, "%s%s", separator, key);
        separator = ",";
    }
    (void)fclose(out);
    return text;
}

static json_t *make_row(const json_t *summary, bool no_trunc)
{
    json_t *row = json_object();
    json_int_t created = ct_json_integer(summary, "Created", 0);
    time_t created_time = (time_t)created;
    struct tm local;
    char when[64] = "";
    const char *name = json_string_value(json_array_get(json_object_get(summary, "Names"), 0));
    const char *image = ct_json_string(summary, "Image", "");

    (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z %Z",
                   localtime_r(&created_time, &local));
    set_owned(row, "ID", format_id(ct_json_string(summary, "Id", ""), no_trunc));
    set_owned(row, "Image", format_id(image, no_trunc || strncmp(image, "sha256:", 7) != 0));
    set_owned(row, "Command", command_text(ct_json_string(summary, "Command", ""), no_trunc));
    set_owned(row, "CreatedAt", ct_strdup(when));
    set_owned(row, "RunningFor", format_age(created));
    set_owned(row, "Ports", ports_text(json_object_get(summary, "Ports")));
    set_owned(row, "State", ct_strdup(ct_json_string(summary, "State", "")));
    set_owned(row, "Status", ct_strdup(ct_json_string(summary, "Status", "")));
    set_owned(row, "Size", size_text(summary));
    set_owned(row, "Names", ct_strdup(name ? name + (*name == '/') : ""));
    set_owned(row, "Labels", format_labels(json_object_get(summary, "Labels")));
    set_owned(row, "Networks", keys_text(ct_json_get(summary, "NetworkSettings.Networks")));
    add_mounts(row, json_object_get(summary, "Mounts"), no_trunc);
    return row;
}

static json_t *make_rows(const json_t *list, bool no_trunc)
{
    json_t *rows = json_array();
    size_t i;
    json_t *summary;
    json_array_foreach((json_t *)list, i, summary)
    {
        ct_json_append(rows, make_row(summary, no_trunc));
    }
    return rows;
}

static int run_ls(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    CT_AUTO_JSON json_t *list = NULL;
    const char *format = args_text(args, "format", NULL);
    bool size = args_bool(args, "size") || (format && strstr(format, ".Size"));
    int limit = args_bool(args, "latest") ? 1 : (int)args_int(args, "last", 0);

    if (args_filters(args, &filters, err) < 0 ||
        engine_container_list(cli->engine, args_bool(args, "all"), limit > 0 ? limit : 0, size,
                              filters, &list, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *rows = make_rows(list, args_bool(args, "no-trunc"));
    if (args_bool(args, "quiet") && !format) {
        return format_rows(columns, "", "{{.ID}}", rows, err);
    }
    return format_rows(columns,
                       size ? "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{."
                              "Ports}}\t{{.Names}}\t{{.Size}}"
                            : "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{."
                              "Ports}}\t{{.Names}}",
                       format, rows, err);
}

/* Stats. */

static const struct cli_flag stats_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Show all containers (default shows just running)", NULL},
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template", NULL},
    {"no-stream", 0, CLI_BOOL, NULL, "Disable streaming stats and only pull the first result",
     NULL},
    {"no-trunc", 0, CLI_BOOL, NULL, "Do not truncate output", NULL},
    END};
static const struct cli_flag *const stats_tables[] = {stats_flags, NULL};

static const struct cli_column stats_columns[] = {{"Container", "CONTAINER"},
                                                  {"ID", "CONTAINER ID"},
                                                  {"Name", "NAME"},
                                                  {"CPUPerc", "CPU %"},
                                                  {"MemUsage", "MEM USAGE / LIMIT"},
                                                  {"MemPerc", "MEM %"},
                                                  {"NetIO", "NET I/O"},
                                                  {"BlockIO", "BLOCK I/O"},
                                                  {"PIDs", "PIDS"},
                                                  {NULL, NULL}};

static double cpu_percent(const json_t *sample)
{
    double used = (double)(ct_json_integer(sample, "cpu_stats.cpu_usage.total_usage", 0) -
                           ct_json_integer(sample, "precpu_stats.cpu_usage.total_usage", 0));
    double all = (double)(ct_json_integer(sample, "cpu_stats.system_cpu_usage", 0) -
                          ct_json_integer(sample, "precpu_stats.system_cpu_usage", 0));
    json_int_t cpus = ct_json_integer(sample, "cpu_stats.online_cpus", 1);
    return used > 0 && all > 0 ? used / all * (double)cpus * 100.0 : 0;
}

static char *pair_text(int64_t a, int64_t b)
{
    char first[CT_TIME_TEXT], second[CT_TIME_TEXT];
    return ct_printf("%s / %s", ct_size_human(a, 3, first), ct_size_human(b, 3, second));
}

static char *network_text(const json_t *networks)
{
    const char *device;
    json_t *counters;
    int64_t received = 0, sent = 0;
    json_object_foreach((json_t *)networks, device, counters)
    {
        received += ct_json_integer(counters, "rx_bytes", 0);
        sent += ct_json_integer(counters, "tx_bytes", 0);
    }
    return pair_text(received, sent);
}

static char *block_text(const json_t *entries)
{
    int64_t read = 0, written = 0;
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)entries, i, entry)
    {
        const char *op = ct_json_string(entry, "op", "");
        read += strcasecmp(op, "read") == 0 ? ct_json_integer(entry, "value", 0) : 0;
        written += strcasecmp(op, "write") == 0 ? ct_json_integer(entry, "value", 0) : 0;
    }
    return pair_text(read, written);
}

static json_t *stats_row(const char *ref, const json_t *sample, bool no_trunc)
{
    json_t *row = json_object();
    int64_t cache = ct_json_integer(sample, "memory_stats.stats.total_inactive_file",
                                    ct_json_integer(sample, "memory_stats.stats.inactive_file", 0));
    int64_t usage = ct_json_integer(sample, "memory_stats.usage", 0);
    int64_t limit = ct_json_integer(sample, "memory_stats.limit", 0);
    char used[CT_TIME_TEXT], all[CT_TIME_TEXT];

    usage = usage > cache ? usage - cache : usage;
    set_owned(row, "Container", ct_strdup(ref));
    set_owned(row, "ID", format_id(ct_json_string(sample, "id", ""), no_trunc));
    set_owned(row, "Name", ct_strdup(ct_json_string(sample, "name", "/") + 1));
    set_owned(row, "CPUPerc", ct_printf("%.2f%%", cpu_percent(sample)));
    set_owned(row, "MemUsage",
              ct_printf("%s / %s", ct_size_binary(usage, used), ct_size_binary(limit, all)));
    set_owned(row, "MemPerc",
              ct_printf("%.2f%%", limit > 0 ? (double)usage / (double)limit * 100.0 : 0.0));
    set_owned(row, "NetIO", network_text(json_object_get(sample, "networks")));
    set_owned(row, "BlockIO",
              block_text(ct_json_get(sample, "blkio_stats.io_service_bytes_recursive")));
    set_owned(row, "PIDs",
              ct_printf("%lld", (long long)ct_json_integer(sample, "pids_stats.current", 0)));
    return row;
}

/* The containers to be shown: those named, or all that run. Owned array of references. */
static json_t *stats_targets(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *list = NULL;
    json_t *targets;
    size_t i;
    json_t *summary;

    if (args_count(args) > 0) {
        return ct_json_from_strv(args_rest(args, 0), SIZE_MAX);
    }
    if (engine_container_list(cli->engine, args_bool(args, "all"), 0, false, NULL, &list, err) <
        0) {
        return NULL;
    }
    targets = json_array();
    json_array_foreach(list, i, summary)
    {
        CT_AUTO_FREE char *id = format_id(ct_json_string(summary, "Id", ""), false);
        ct_json_append(targets, json_string(id));
    }
    return targets;
}

/*
 * One round over all containers. The first round of each container has nothing to compare with;
 * a named container that is gone is an error, one of the list is left out.
 */
static int stats_round(struct cli *cli, const struct cli_args *args, json_t *previous,
                       json_t **ret_rows, struct ct_error *err)
{
    CT_AUTO_JSON json_t *targets = stats_targets(cli, args, err);
    CT_AUTO_JSON json_t *rows = json_array();
    size_t i;
    json_t *target;

    if (!targets) {
        return -1;
    }
    json_array_foreach(targets, i, target)
    {
        const char *ref = json_string_value(target);
        CT_AUTO_JSON json_t *sample = NULL;
        struct ct_error gone = {0};
        if (engine_container_stats(cli->engine, ref, true, &sample, &gone) < 0) {
            if (args_count(args) > 0) {
                *err = gone;
                return -1;
            }
            continue;
        }
        json_t *before = json_object_get(previous, ref);
        if (before) {
            ct_json_set(sample, "precpu_stats", json_incref(json_object_get(before, "cpu_stats")));
        }
        ct_json_set(previous, ref, json_incref(sample));
        ct_json_append(rows, stats_row(ref, sample, args_bool(args, "no-trunc")));
    }
    *ret_rows = ct_steal(rows);
    return 0;
}

static int run_stats(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    static const char table[] = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{."
                                "NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
    CT_AUTO_JSON json_t *previous = json_object();
    bool stream = !args_bool(args, "no-stream");
    bool redraw = stream && isatty(STDOUT_FILENO);

    for (int round = 0;; round++) {
        CT_AUTO_JSON json_t *rows = NULL;
        struct ct_error interrupted = {0};
        if (stats_round(cli, args, previous, &rows, err) < 0) {
            return -1;
        }
        if (round >
            0) { /* the first has nothing to compare with: shares of time need two samples */
            (void)fputs(redraw ? "\033[2J\033[H" : "", stdout);
            if (format_rows(stats_columns, table, args_text(args, "format", NULL), rows, err) < 0) {
                return -1;
            }
            (void)fflush(stdout);
        }
        if (round > 0 && !stream) {
            return 0;
        }
        if (ct_wait_readable(cli->cancel_fd, -1, 1000, &interrupted) != 0) {
            return 0;
        }
    }
}

const struct cli_command cli_container_ps = {
    "ps", "", "List containers", 0, 0, ls_tables, false, false, 1, run_ls};
const struct cli_command cli_container_ls = {
    "ls", "", "List containers", 0, 0, ls_tables, false, false, 1, run_ls};
const struct cli_command cli_container_stats = {
    "stats",
    "[CONTAINER...]",
    "Display a live stream of container(s) resource usage statistics",
    0,
    -1,
    stats_tables,
    false,
    false,
    1,
    run_stats};
