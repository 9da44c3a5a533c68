/*
 * containers.c - the commands that do one thing to each named container.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker stop(1), kill(1), rm(1), logs(1) and their kin.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"
#include "progress.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int for_each_arg(struct cli *cli, const struct cli_args *args, cli_each_fn fn, bool print,
                 struct ct_error *err)
{
    bool failed = false;

    for (const char *const *ref = args_rest(args, 0); *ref; ref++) {
        struct ct_error one = {0};
        int result = fn(cli, *ref, args, &one);
        if (result < 0 && one.kind != CT_UNCHANGED) { /* it is so already: as good as done */
            ct_error_print(stderr, "cutaway", &one);
            failed = true;
        } else if (print) {
            (void)printf("%s\n", *ref);
        }
        (void)fflush(stdout);
    }
    (void)err; /* each failure is told where it happened */
    return failed ? -1 : 0;
}

bool confirm(const struct cli_args *args, const char *warning)
{
    char answer[16] = "";

    if (args_bool(args, "force")) {
        return true;
    }
    (void)printf("%sAre you sure you want to continue? [y/N] ", warning);
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag stop_flags[] = {
    {"signal", 's', CLI_TEXT, NULL, "Signal to send to the container", NULL},
    {"time", 't', CLI_INT, NULL, "Seconds to wait before killing the container", NULL},
    {"timeout", 0, CLI_INT, NULL, "Seconds to wait before killing the container", NULL},
    END};
static const struct cli_flag *const stop_tables[] = {stop_flags, NULL};

static int seconds_of(const struct cli_args *args)
{
    json_int_t seconds = args_int(args, "timeout", args_int(args, "time", -1));
    return seconds < -1 ? -1 : seconds > 1000000 ? 1000000 : (int)seconds;
}

static int stop_one(struct cli *cli, const char *ref, const struct cli_args *args,
                    struct ct_error *err)
{
    return engine_container_stop(cli->engine, ref, args_text(args, "signal", NULL),
                                 seconds_of(args), err);
}

static int restart_one(struct cli *cli, const char *ref, const struct cli_args *args,
                       struct ct_error *err)
{
    return engine_container_restart(cli->engine, ref, args_text(args, "signal", NULL),
                                    seconds_of(args), err);
}

static const struct cli_flag kill_flags[] = {
    {"signal", 's', CLI_TEXT, NULL, "Signal to send to the container", NULL}, END};
static const struct cli_flag *const kill_tables[] = {kill_flags, NULL};

static int kill_one(struct cli *cli, const char *ref, const struct cli_args *args,
                    struct ct_error *err)
{
    return engine_container_kill(cli->engine, ref, args_text(args, "signal", NULL), err);
}

static int pause_one(struct cli *cli, const char *ref, const struct cli_args *args,
                     struct ct_error *err)
{
    (void)args;
    return engine_container_pause(cli->engine, ref, err);
}

static int unpause_one(struct cli *cli, const char *ref, const struct cli_args *args,
                       struct ct_error *err)
{
    (void)args;
    return engine_container_unpause(cli->engine, ref, err);
}

static const struct cli_flag rm_flags[] = {
    {"force", 'f', CLI_BOOL, NULL, "Force the removal of a running container (uses SIGKILL)", NULL},
    {"link", 'l', CLI_BOOL, NULL, NULL, "no stage: on a network of your own names are found"},
    {"volumes", 'v', CLI_BOOL, NULL, "Remove anonymous volumes associated with the container",
     NULL},
    END};
static const struct cli_flag *const rm_tables[] = {rm_flags, NULL};

static int rm_one(struct cli *cli, const char *ref, const struct cli_args *args,
                  struct ct_error *err)
{
    return engine_container_remove(cli->engine, ref, args_bool(args, "force"),
                                   args_bool(args, "volumes"), err);
}

static int wait_one(struct cli *cli, const char *ref, const struct cli_args *args,
                    struct ct_error *err)
{
    struct engine_wait *wait = engine_wait_open(cli->engine, ref, "not-running", err);
    int status = 0;
    int over = wait ? 0 : -1;
    (void)args;

    while (over == 0) {
        over = engine_wait_result(wait, &status, err);
        if (over == 0 && ct_wait_readable(engine_wait_fd(wait), cli->cancel_fd, 1000, err) < 0) {
            over = -1;
        }
    }
    engine_wait_close(wait);
    if (over > 0) {
        (void)printf("%d\n", status);
    }
    return over < 0 ? -1 : 0;
}

static const struct cli_flag update_flags[] = {
    {"blkio-weight", 0, CLI_INT, NULL, "Block IO (relative weight), between 10 and 1000", NULL},
    {"cpu-period", 0, CLI_INT, NULL, "Limit CPU CFS (Completely Fair Scheduler) period", NULL},
    {"cpu-quota", 0, CLI_INT, NULL, "Limit CPU CFS (Completely Fair Scheduler) quota", NULL},
    {"cpu-rt-period", 0, CLI_INT, NULL, "Limit the CPU real-time period in microseconds", NULL},
    {"cpu-rt-runtime", 0, CLI_INT, NULL, "Limit the CPU real-time runtime in microseconds", NULL},
    {"cpu-shares", 'c', CLI_INT, NULL, "CPU shares (relative weight)", NULL},
    {"cpus", 0, CLI_TEXT, "decimal", "Number of CPUs", NULL},
    {"cpuset-cpus", 0, CLI_TEXT, NULL, "CPUs in which to allow execution (0-3, 0,1)", NULL},
    {"cpuset-mems", 0, CLI_TEXT, NULL, "MEMs in which to allow execution (0-3, 0,1)", NULL},
    {"memory", 'm', CLI_TEXT, "bytes", "Memory limit", NULL},
    {"memory-reservation", 0, CLI_TEXT, "bytes", "Memory soft limit", NULL},
    {"memory-swap", 0, CLI_TEXT, "bytes",
     "Swap limit equal to memory plus swap: -1 to enable unlimited swap", NULL},
    {"pids-limit", 0, CLI_INT, NULL, "Tune container pids limit (set -1 for unlimited)", NULL},
    {"restart", 0, CLI_TEXT, NULL, "Restart policy to apply when a container exits", NULL},
    END};
static const struct cli_flag *const update_tables[] = {update_flags, NULL};

static int update_size(const struct cli_args *args, const char *flag, const char *field,
                       json_t *body, struct ct_error *err)
{
    const char *text = args_text(args, flag, NULL);
    int64_t bytes = -1;
    if (text && strcmp(text, "-1") != 0 && ct_size_parse(text, &bytes, err) < 0) {
        return ct_while(err, "read flag '--%s'", flag);
    }
    if (text) {
        ct_json_set(body, field, json_integer(bytes));
    }
    return 0;
}

static json_t *update_body(const struct cli_args *args, struct ct_error *err)
{
    static const char *const integers[][2] = {{"cpu-period", "CpuPeriod"},
                                              {"cpu-quota", "CpuQuota"},
                                              {"cpu-shares", "CpuShares"},
                                              {"pids-limit", "PidsLimit"},
                                              {"blkio-weight", "BlkioWeight"},
                                              {"cpu-rt-period", "CpuRealtimePeriod"},
                                              {"cpu-rt-runtime", "CpuRealtimeRuntime"}};
    CT_AUTO_JSON json_t *body = json_object();
    const char *cpus = args_text(args, "cpus", NULL);
    const char *policy = args_text(args, "restart", NULL);

    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        if (args_has(args, integers[i][0])) {
            ct_json_set(body, integers[i][1], json_integer(args_int(args, integers[i][0], 0)));
        }
    }
    if (cpus) {
        char *end = NULL;
        double number = strtod(cpus, &end);
        if (*end || !(number > 0) || number > 10000) {
            return ct_refuse_null(err, CT_INVALID, "invalid argument \"%.40s\" for \"--cpus\" flag",
                                  cpus);
        }
        ct_json_set(body, "NanoCpus", json_integer((json_int_t)(number * 1e9 + 0.5)));
    }
    if (args_has(args, "cpuset-cpus")) {
        ct_json_set_string(body, "CpusetCpus", args_text(args, "cpuset-cpus", ""));
    }
    if (args_has(args, "cpuset-mems")) {
        ct_json_set_string(body, "CpusetMems", args_text(args, "cpuset-mems", ""));
    }
    if (policy) {
        CT_AUTO_FREE char *name = ct_printf("%.*s", (int)strcspn(policy, ":"), policy);
        const char *colon = strchr(policy, ':');
        ct_json_set(body, "RestartPolicy",
                    json_pack("{s:s,s:I}", "Name", name, "MaximumRetryCount",
                              (json_int_t)(colon ? strtol(colon + 1, NULL, 10) : 0)));
    }
    if (update_size(args, "memory", "Memory", body, err) < 0 ||
        update_size(args, "memory-swap", "MemorySwap", body, err) < 0 ||
        update_size(args, "memory-reservation", "MemoryReservation", body, err) < 0) {
        return NULL;
    }
    return ct_steal(body);
}

static int update_one(struct cli *cli, const char *ref, const struct cli_args *args,
                      struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = update_body(args, err);
    CT_AUTO_JSON json_t *warnings = NULL;
    return body ? engine_container_update(cli->engine, ref, body, &warnings, err) : -1;
}

static int run_rename(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return engine_container_rename(cli->engine, args_at(args, 0), args_at(args, 1), err);
}

#define EACH(verb, fn, print)                                                                 \
    static int run_##verb(struct cli *cli, const struct cli_args *args, struct ct_error *err) \
    {                                                                                         \
        return for_each_arg(cli, args, fn, print, err);                                       \
    }
EACH(stop, stop_one, true)
EACH(restart, restart_one, true)
EACH(kill, kill_one, true)
EACH(pause, pause_one, true)
EACH(unpause, unpause_one, true)
EACH(rm, rm_one, true)
EACH(wait, wait_one, false)
EACH(update, update_one, true)

static const struct cli_flag logs_flags[] = {
    {"details", 0, CLI_BOOL, NULL, "Show extra details provided to logs", NULL},
    {"follow", 'f', CLI_BOOL, NULL, "Follow log output", NULL},
    {"since", 0, CLI_TEXT, NULL,
     "Show logs since timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)", NULL},
    {"tail", 'n', CLI_TEXT, NULL,
     "Number of lines to show from the end of the logs (default \"all\")", NULL},
    {"timestamps", 't', CLI_BOOL, NULL, "Show timestamps", NULL},
    {"until", 0, CLI_TEXT, NULL, "Show logs before a timestamp or relative (42m for 42 minutes)",
     NULL},
    END};
static const struct cli_flag *const logs_tables[] = {logs_flags, NULL};

static int logs_query(const struct cli_args *args, struct engine_logs *ret, struct ct_error *err)
{
    const char *since = args_text(args, "since", NULL), *until = args_text(args, "until", NULL);
    const char *tail = args_text(args, "tail", "all");
    char *end = NULL;

    *ret = (struct engine_logs){.want_stdout = true,
                                .want_stderr = true,
                                .timestamps = args_bool(args, "timestamps"),
                                .details = args_bool(args, "details"),
                                .follow = args_bool(args, "follow"),
                                .tail = -1};
    if ((since && ct_time_parse(since, &ret->since_ns, err) < 0) ||
        (until && ct_time_parse(until, &ret->until_ns, err) < 0)) {
        return -1;
    }
    if (strcmp(tail, "all") != 0) {
        ret->tail = strtoll(tail, &end, 10);
        if (*end || !*tail) {
            return ct_refuse(err, CT_INVALID,
                             "invalid argument \"%.40s\" for \"--tail\" flag: not a number", tail);
        }
        ret->tail = ret->tail < 0 ? -1 : ret->tail;
    }
    return 0;
}

/* The engine writes frames into a pipe; a child of ours sorts them onto stdout and stderr. */
static int show_logs(struct cli *cli, const char *ref, const struct engine_logs *query, bool raw,
                     struct ct_error *err)
{
    int ends[2];
    if (raw) {
        return engine_container_logs(cli->engine, ref, query, STDOUT_FILENO, cli->cancel_fd, err);
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    pid_t sorter = fork();
    if (sorter == 0) {
        struct ct_error ignored = {0};
        (void)close(ends[1]);
        _exit(stream_copy_frames(ends[0], false, &ignored) < 0 ? 1 : 0);
    }
    (void)close(ends[0]);
    int result = sorter < 0
                     ? ct_fail(err, errno, "start a reader")
                     : engine_container_logs(cli->engine, ref, query, ends[1], cli->cancel_fd, err);
    (void)close(ends[1]);
    if (sorter > 0) {
        struct ct_process process = {.pid = sorter, .pidfd = ct_pidfd_open(sorter, err)};
        int status = 0;
        (void)ct_process_wait(&process, -1, &status, err);
        ct_process_done(&process);
    }
    /* Nobody reads our output any more (logs | head): that is an end like another. */
    if (result < 0 && err->sys == EPIPE) {
        ct_error_clear(err);
        return 0;
    }
    return result;
}

static int run_logs(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    struct engine_logs query;

    if (logs_query(args, &query, err) < 0 ||
        engine_container_inspect(cli->engine, args_at(args, 0), false, &document, err) < 0) {
        return -1;
    }
    return show_logs(cli, args_at(args, 0), &query, ct_json_bool(document, "Config.Tty", false),
                     err);
}

static int run_top(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *top = NULL;
    char *ps_args = NULL;
    size_t length = 0, i, j;
    json_t *row, *cell;
    FILE *out = open_memstream(&ps_args, &length);

    for (const char *const *word = args_rest(args, 1); out && *word; word++) {
        (void)fprintf(out, "%s%s", word == args_rest(args, 1) ? "" : " ", *word);
    }
    if (out) {
        (void)fclose(out);
    }
    int result = engine_container_top(cli->engine, args_at(args, 0), ps_args, &top, err);
    free(ps_args);
    if (result < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *rows = json_array();
    (void)json_array_append(rows, json_object_get(top, "Titles"));
    (void)json_array_extend(rows, json_object_get(top, "Processes"));
    json_array_foreach(rows, i, row)
    {
        json_array_foreach(row, j, cell)
        {
            bool last = j + 1 == json_array_size(row);
            CT_AUTO_FREE char *safe = format_safe(json_string_value(cell));
            (void)printf("%-*s", last ? 0 : 20, safe);
        }
        (void)printf("\n");
    }
    return 0;
}

static int run_diff(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *changes = NULL;
    size_t i;
    json_t *change;

    if (engine_container_changes(cli->engine, args_at(args, 0), &changes, err) < 0) {
        return -1;
    }
    json_array_foreach(changes, i, change)
    {
        json_int_t kind = ct_json_integer(change, "Kind", 0);
        CT_AUTO_FREE char *path = format_safe(ct_json_string(change, "Path", ""));
        (void)printf("%c %s\n", kind == 1 ? 'A' : kind == 2 ? 'D' : 'C', path);
    }
    return 0;
}

static const struct cli_flag commit_flags[] = {
    {"author", 'a', CLI_TEXT, NULL, "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")",
     NULL},
    {"change", 'c', CLI_LIST, NULL, "Apply Dockerfile instruction to the created image", NULL},
    {"message", 'm', CLI_TEXT, NULL, "Commit message", NULL},
    {"pause", 'p', CLI_BOOL, NULL, "Pause container during commit (default true)", NULL},
    END};
static const struct cli_flag *const commit_tables[] = {commit_flags, NULL};

/* Progress goes to standard error: `id=$(cutaway commit …)` is what one writes. */
static int run_commit(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    struct progress progress;
    progress_begin(&progress, stderr);
    struct engine_io io = {.progress = progress.terminal ? progress_show : NULL,
                           .context = &progress,
                           .cancel_fd = cli->cancel_fd};
    struct engine_commit how = {.repository = args_at(args, 1),
                                .author = args_text(args, "author", NULL),
                                .comment = args_text(args, "message", NULL),
                                .changes = args_list(args, "change"),
                                .pause = !args_has(args, "pause") || args_bool(args, "pause"),
                                .io = &io};
    CT_AUTO_FREE char *id = NULL;

    int result = engine_container_commit(cli->engine, args_at(args, 0), &how, &id, err);
    progress_end(&progress);
    if (result == 0) {
        (void)printf("%s\n", id);
    }
    return result;
}

/* One binding of "port", or all of them as "80/tcp -> 0.0.0.0:8080". */
static int print_ports(const json_t *ports, const char *wanted, struct ct_error *err)
{
    const char *port;
    json_t *bindings, *binding;
    size_t i;
    bool found = false;

    json_object_foreach((json_t *)ports, port, bindings)
    {
        json_array_foreach(bindings, i, binding)
        {
            const char *ip = ct_json_string(binding, "HostIp", "");
            const char *number = ct_json_string(binding, "HostPort", "");
            if (!wanted) {
                (void)printf("%s -> %s:%s\n", port, ip, number);
            } else if (strcmp(port, wanted) == 0) {
                (void)printf("%s:%s\n", ip, number);
                found = true;
            }
        }
    }
    return wanted && !found
               ? ct_refuse(err, CT_NOT_FOUND, "no public port '%.40s' published", wanted)
               : 0;
}

static int run_port(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    const char *port = args_at(args, 1);
    CT_AUTO_FREE char *wanted =
        port ? ct_printf("%s%s", port, strchr(port, '/') ? "" : "/tcp") : NULL;

    if (engine_container_inspect(cli->engine, args_at(args, 0), false, &document, err) < 0) {
        return -1;
    }
    return print_ports(ct_json_get(document, "NetworkSettings.Ports"), wanted, err);
}

const struct cli_command cli_container_stop = {"stop",
                                               "CONTAINER [CONTAINER...]",
                                               "Stop one or more running containers",
                                               1,
                                               -1,
                                               stop_tables,
                                               false,
                                               false,
                                               1,
                                               run_stop};
const struct cli_command cli_container_restart = {"restart",
                                                  "CONTAINER [CONTAINER...]",
                                                  "Restart one or more containers",
                                                  1,
                                                  -1,
                                                  stop_tables,
                                                  false,
                                                  false,
                                                  1,
                                                  run_restart};
const struct cli_command cli_container_kill = {"kill",
                                               "CONTAINER [CONTAINER...]",
                                               "Kill one or more running containers",
                                               1,
                                               -1,
                                               kill_tables,
                                               false,
                                               false,
                                               1,
                                               run_kill};
const struct cli_command cli_container_pause = {"pause",
                                                "CONTAINER [CONTAINER...]",
                                                "Pause all processes within one or more containers",
                                                1,
                                                -1,
                                                NULL,
                                                false,
                                                false,
                                                1,
                                                run_pause};
const struct cli_command cli_container_unpause = {
    "unpause",
    "CONTAINER [CONTAINER...]",
    "Unpause all processes within one or more containers",
    1,
    -1,
    NULL,
    false,
    false,
    1,
    run_unpause};
const struct cli_command cli_container_rm = {"rm",
                                             "CONTAINER [CONTAINER...]",
                                             "Remove one or more containers",
                                             1,
                                             -1,
                                             rm_tables,
                                             false,
                                             false,
                                             1,
                                             run_rm};
const struct cli_command cli_container_wait = {
    "wait",
    "CONTAINER [CONTAINER...]",
    "Block until one or more containers stop, then print their exit codes",
    1,
    -1,
    NULL,
    false,
    false,
    1,
    run_wait};
const struct cli_command cli_container_update = {"update",
                                                 "CONTAINER [CONTAINER...]",
                                                 "Update configuration of one or more containers",
                                                 1,
                                                 -1,
                                                 update_tables,
                                                 false,
                                                 false,
                                                 1,
                                                 run_update};
const struct cli_command cli_container_rename = {
    "rename", "CONTAINER NEW_NAME", "Rename a container", 2, 2, NULL, false, false, 1, run_rename};
const struct cli_command cli_container_logs = {
    "logs", "CONTAINER", "Fetch the logs of a container", 1, 1, logs_tables, false, false,
    1,      run_logs};
const struct cli_command cli_container_top = {"top",
                                              "CONTAINER [ps OPTIONS]",
                                              "Display the running processes of a container",
                                              1,
                                              -1,
                                              NULL,
                                              true,
                                              false,
                                              1,
                                              run_top};
const struct cli_command cli_container_diff = {
    "diff",  "CONTAINER", "Inspect changes to files or directories on a container's filesystem",
    1,       1,           NULL,
    false,   false,       1,
    run_diff};
const struct cli_command cli_container_commit = {"commit",
                                                 "CONTAINER [REPOSITORY[:TAG]]",
                                                 "Create a new image from a container's changes",
                                                 1,
                                                 2,
                                                 commit_tables,
                                                 false,
                                                 false,
                                                 1,
                                                 run_commit};
const struct cli_command cli_container_port = {
    "port",
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "List port mappings or a specific mapping for the container",
    1,
    2,
    NULL,
    false,
    false,
    1,
    run_port};
