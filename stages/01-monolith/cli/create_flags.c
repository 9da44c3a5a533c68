/*
 * create_flags.c - the flags of run and create, and the API's body that they mean.
 *
 * Room:       cli.   Called by: run.c, containers.c.
 * Spec:       Docker's docker run(1); Docker Engine API 1.43, "Create a container".
 *
 * Every flag of Docker's client is in the table: honoured, or refused by name with what brings it.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"
#include "create_values.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

const struct cli_flag create_flags[] = {
    {"add-host", 0, CLI_LIST, NULL, "Add a custom host-to-IP mapping (host:ip)", NULL},
    {"annotation", 0, CLI_LIST, "map",
     "Add an annotation to the container (passed through to the OCI runtime)", NULL},
    {"attach", 'a', CLI_LIST, NULL, "Attach to STDIN, STDOUT or STDERR", NULL},
    {"blkio-weight", 0, CLI_INT, NULL, "Block IO (relative weight), between 10 and 1000", NULL},
    {"blkio-weight-device", 0, CLI_LIST, NULL, "Block IO weight (relative device weight)", NULL},
    {"cap-add", 0, CLI_LIST, NULL, "Add Linux capabilities", NULL},
    {"cap-drop", 0, CLI_LIST, NULL, "Drop Linux capabilities", NULL},
    {"cgroup-parent", 0, CLI_TEXT, NULL, "Optional parent cgroup for the container", NULL},
    {"cgroupns", 0, CLI_TEXT, NULL, "Cgroup namespace to use (host|private)", NULL},
    {"cidfile", 0, CLI_TEXT, NULL, "Write the container ID to the file", NULL},
    {"cpu-period", 0, CLI_INT, NULL,
     "Limit CPU CFS (Completely Fair Scheduler) period, in microseconds", NULL},
    {"cpu-quota", 0, CLI_INT, NULL,
     "Limit CPU CFS (Completely Fair Scheduler) quota, in microseconds", NULL},
    {"cpu-rt-period", 0, CLI_INT, NULL, "Limit CPU real-time period in microseconds", NULL},
    {"cpu-rt-runtime", 0, CLI_INT, NULL, "Limit CPU real-time runtime in microseconds", NULL},
    {"cpu-shares", 'c', CLI_INT, NULL, "CPU shares (relative weight)", NULL},
    {"cpus", 0, CLI_TEXT, "decimal", "Number of CPUs", NULL},
    {"cpuset-cpus", 0, CLI_TEXT, NULL, "CPUs in which to allow execution (0-3, 0,1)", NULL},
    {"cpuset-mems", 0, CLI_TEXT, NULL, "MEMs in which to allow execution (0-3, 0,1)", NULL},
    {"device", 0, CLI_LIST, NULL, "Add a host device to the container", NULL},
    {"device-cgroup-rule", 0, CLI_LIST, NULL, "Add a rule to the cgroup allowed devices list",
     NULL},
    {"device-read-bps", 0, CLI_LIST, NULL, "Limit read rate (bytes per second) from a device",
     NULL},
    {"device-read-iops", 0, CLI_LIST, NULL, "Limit read rate (IO per second) from a device", NULL},
    {"device-write-bps", 0, CLI_LIST, NULL, "Limit write rate (bytes per second) to a device",
     NULL},
    {"device-write-iops", 0, CLI_LIST, NULL, "Limit write rate (IO per second) to a device", NULL},
    {"disable-content-trust", 0, CLI_BOOL, NULL, NULL, "no stage: signed images are not checked"},
    {"dns", 0, CLI_LIST, NULL, "Set custom DNS servers", NULL},
    {"dns-option", 0, CLI_LIST, NULL, "Set DNS options", NULL},
    {"dns-search", 0, CLI_LIST, NULL, "Set custom DNS search domains", NULL},
    {"domainname", 0, CLI_TEXT, NULL, "Container NIS domain name", NULL},
    {"entrypoint", 0, CLI_TEXT, NULL, "Overwrite the default ENTRYPOINT of the image", NULL},
    {"env", 'e', CLI_LIST, NULL, "Set environment variables", NULL},
    {"env-file", 0, CLI_LIST, NULL, "Read in a file of environment variables", NULL},
    {"expose", 0, CLI_LIST, NULL, "Expose a port or a range of ports", NULL},
    {"gpus", 0, CLI_TEXT, NULL, NULL, "no stage: there are no device drivers here"},
    {"group-add", 0, CLI_LIST, NULL, "Add additional groups to join", NULL},
    {"health-cmd", 0, CLI_TEXT, NULL, "Command to run to check health", NULL},
    {"health-interval", 0, CLI_TEXT, "duration",
     "Time between running the check (ms|s|m|h) (default 30s)", NULL},
    {"health-retries", 0, CLI_INT, NULL, "Consecutive failures needed to report unhealthy", NULL},
    {"health-start-interval", 0, CLI_TEXT, "duration",
     "Time between running the check during the start period (ms|s|m|h)", NULL},
    {"health-start-period", 0, CLI_TEXT, "duration", "Start period before retries count (ms|s|m|h)",
     NULL},
    {"health-timeout", 0, CLI_TEXT, "duration",
     "Maximum time to allow one check to run (default 30s)", NULL},
    {"hostname", 'h', CLI_TEXT, NULL, "Container host name", NULL},
    {"init", 0, CLI_BOOL, NULL,
     "Run an init inside the container that forwards signals and reaps processes", NULL},
    {"interactive", 'i', CLI_BOOL, NULL, "Keep STDIN open even if not attached", NULL},
    {"ip", 0, CLI_TEXT, NULL, "IPv4 address (e.g., 172.30.100.104)", NULL},
    {"ip6", 0, CLI_TEXT, NULL, NULL, "no stage yet: networks are IPv4"},
    {"ipc", 0, CLI_TEXT, NULL, "IPC mode to use (private, shareable, host, container:NAME)", NULL},
    {"isolation", 0, CLI_TEXT, NULL, NULL, "no stage: it is for Windows"},
    {"kernel-memory", 0, CLI_TEXT, NULL, NULL, "no stage: the kernel has given it up"},
    {"label", 'l', CLI_LIST, NULL, "Set meta data on a container", NULL},
    {"label-file", 0, CLI_LIST, NULL, "Read in a line delimited file of labels", NULL},
    {"link", 0, CLI_LIST, NULL, NULL, "no stage: on a network of your own names are found"},
    {"link-local-ip", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    {"log-driver", 0, CLI_TEXT, NULL, "Logging driver for the container (json-file, none)", NULL},
    {"log-opt", 0, CLI_LIST, NULL, "Log driver options", NULL},
    {"mac-address", 0, CLI_TEXT, NULL, "Container MAC address (e.g., 92:d0:c6:0a:29:33)", NULL},
    {"memory", 'm', CLI_TEXT, "bytes", "Memory limit", NULL},
    {"memory-reservation", 0, CLI_TEXT, "bytes", "Memory soft limit", NULL},
    {"memory-swap", 0, CLI_TEXT, "bytes",
     "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", NULL},
    {"memory-swappiness", 0, CLI_INT, NULL, "Tune container memory swappiness (0 to 100)", NULL},
    {"mount", 0, CLI_LIST, "mount", "Attach a filesystem mount to the container", NULL},
    {"name", 0, CLI_TEXT, NULL, "Assign a name to the container", NULL},
    {"net", 0, CLI_TEXT, NULL, "Connect a container to a network", NULL},
    {"network", 0, CLI_TEXT, "network", "Connect a container to a network", NULL},
    {"network-alias", 0, CLI_LIST, NULL, "Add network-scoped alias for the container", NULL},
    {"no-healthcheck", 0, CLI_BOOL, NULL, "Disable any container-specified HEALTHCHECK", NULL},
    {"oom-kill-disable", 0, CLI_BOOL, NULL, "Disable OOM Killer", NULL},
    {"oom-score-adj", 0, CLI_INT, NULL, "Tune host's OOM preferences (-1000 to 1000)", NULL},
    {"pid", 0, CLI_TEXT, NULL, "PID namespace to use (host, container:NAME)", NULL},
    {"pids-limit", 0, CLI_INT, NULL, "Tune container pids limit (set -1 for unlimited)", NULL},
    {"platform", 0, CLI_TEXT, NULL, NULL, "no stage yet: it is for pulling"},
    {"privileged", 0, CLI_BOOL, NULL, "Give extended privileges to this container", NULL},
    {"publish", 'p', CLI_LIST, NULL, "Publish a container's port(s) to the host", NULL},
    {"publish-all", 'P', CLI_BOOL, NULL, "Publish all exposed ports to random ports", NULL},
    {"pull", 0, CLI_TEXT, NULL,
     "Pull image before running (missing, never; always comes with no stage yet)", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Suppress the pull output", NULL},
    {"read-only", 0, CLI_BOOL, NULL, "Mount the container's root filesystem as read only", NULL},
    {"restart", 0, CLI_TEXT, NULL,
     "Restart policy to apply when a container exits (default \"no\")", NULL},
    {"rm", 0, CLI_BOOL, NULL, "Automatically remove the container when it exits", NULL},
    {"runtime", 0, CLI_TEXT, NULL, "Runtime to use for this container", NULL},
    {"security-opt", 0, CLI_LIST, NULL, "Security options", NULL},
    {"shm-size", 0, CLI_TEXT, "bytes", "Size of /dev/shm", NULL},
    {"stop-signal", 0, CLI_TEXT, NULL, "Signal to stop the container", NULL},
    {"stop-timeout", 0, CLI_INT, NULL, "Timeout (in seconds) to stop a container", NULL},
    {"storage-opt", 0, CLI_LIST, NULL, NULL, "no stage yet"},
    {"sysctl", 0, CLI_LIST, "map", "Sysctl options", NULL},
    {"tmpfs", 0, CLI_LIST, NULL, "Mount a tmpfs directory", NULL},
    {"tty", 't', CLI_BOOL, NULL, "Allocate a pseudo-TTY", NULL},
    {"ulimit", 0, CLI_LIST, "ulimit", "Ulimit options", NULL},
    {"user", 'u', CLI_TEXT, NULL, "Username or UID (format: <name|uid>[:<group|gid>])", NULL},
    {"userns", 0, CLI_TEXT, NULL, "User namespace to use (host)", NULL},
    {"uts", 0, CLI_TEXT, NULL, "UTS namespace to use (host)", NULL},
    {"volume", 'v', CLI_LIST, NULL, "Bind mount a volume", NULL},
    {"volume-driver", 0, CLI_TEXT, NULL, NULL, "no stage yet: there is only local"},
    {"volumes-from", 0, CLI_LIST, NULL, "Mount volumes from the specified container(s)", NULL},
    {"workdir", 'w', CLI_TEXT, NULL, "Working directory inside the container", NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};

/* Flags whose text goes into a field as it is. */
struct same {
    const char *flag, *field;
};

static void copy_texts(const struct cli_args *args, const struct same *pairs, json_t *to)
{
    for (; pairs->flag; pairs++) {
        if (args_has(args, pairs->flag)) {
            ct_json_set_string(to, pairs->field, args_text(args, pairs->flag, ""));
        }
    }
}

static void copy_lists(const struct cli_args *args, const struct same *pairs, json_t *to)
{
    for (; pairs->flag; pairs++) {
        if (args_has(args, pairs->flag)) {
            ct_json_set(to, pairs->field,
                        ct_json_from_strv(args_list(args, pairs->flag), SIZE_MAX));
        }
    }
}

static void copy_integers(const struct cli_args *args, const struct same *pairs, json_t *to)
{
    for (; pairs->flag; pairs++) {
        if (args_has(args, pairs->flag)) {
            ct_json_set(to, pairs->field, json_integer(args_int(args, pairs->flag, 0)));
        }
    }
}

static int copy_sizes(const struct cli_args *args, const struct same *pairs, json_t *to,
                      struct ct_error *err)
{
    for (; pairs->flag; pairs++) {
        const char *text = args_text(args, pairs->flag, NULL);
        int64_t bytes = -1;
        if (text && strcmp(text, "-1") != 0 && ct_size_parse(text, &bytes, err) < 0) {
            return ct_while(err, "read flag '--%s'", pairs->flag);
        }
        if (text) {
            ct_json_set(to, pairs->field, json_integer(bytes));
        }
    }
    return 0;
}

static int add_health(const struct cli_args *args, json_t *body, struct ct_error *err)
{
    static const struct same durations[] = {{"health-interval", "Interval"},
                                            {"health-timeout", "Timeout"},
                                            {"health-start-period", "StartPeriod"},
                                            {"health-start-interval", "StartInterval"},
                                            {NULL, NULL}};
    CT_AUTO_JSON json_t *check = json_object();
    const char *command = args_text(args, "health-cmd", NULL);

    if (args_bool(args, "no-healthcheck")) {
        if (command) {
            return ct_refuse(err, CT_INVALID, "--no-healthcheck conflicts with --health-* options");
        }
        ct_json_set(check, "Test", json_pack("[s]", "NONE"));
    } else if (command) {
        ct_json_set(
            check, "Test",
            json_pack("[s,o]", "CMD-SHELL", ct_json_string_lossy(command, strlen(command))));
    }
    for (const struct same *pair = durations; pair->flag; pair++) {
        int64_t ns = 0;
        const char *text = args_text(args, pair->flag, NULL);
        if (text && ct_duration_parse(text, &ns, err) < 0) {
            return ct_while(err, "read flag '--%s'", pair->flag);
        }
        if (text) {
            ct_json_set(check, pair->field, json_integer(ns));
        }
    }
    if (args_has(args, "health-retries")) {
        ct_json_set(check, "Retries", json_integer(args_int(args, "health-retries", 0)));
    }
    if (json_object_size(check) > 0) {
        ct_json_set(body, "Healthcheck", ct_steal(check));
    }
    return 0;
}

/* Which streams the client will attach: all, those of -a, or none when detached. */
static void add_attach(const struct cli_args *args, json_t *body)
{
    bool detached = args_bool(args, "detach");
    bool in = args_bool(args, "interactive");

    ct_json_set(body, "AttachStdin", json_boolean(!detached && attach_wants(args, "stdin")));
    ct_json_set(body, "AttachStdout", json_boolean(!detached && attach_wants(args, "stdout")));
    ct_json_set(body, "AttachStderr", json_boolean(!detached && attach_wants(args, "stderr")));
    ct_json_set(body, "OpenStdin", json_boolean(in));
    ct_json_set(body, "StdinOnce", json_boolean(in && !detached));
    ct_json_set(body, "Tty", json_boolean(args_bool(args, "tty")));
}

static int add_config(const struct cli_args *args, json_t *body, struct ct_error *err)
{
    static const struct same texts[] = {{"hostname", "Hostname"},
                                        {"domainname", "Domainname"},
                                        {"user", "User"},
                                        {"workdir", "WorkingDir"},
                                        {"stop-signal", "StopSignal"},
                                        {"mac-address", "MacAddress"},
                                        {NULL, NULL}};
    static const struct same integers[] = {{"stop-timeout", "StopTimeout"}, {NULL, NULL}};
    const char *const *command = args_rest(args, 1);

    ct_json_set_string(body, "Image", args_at(args, 0));
    copy_texts(args, texts, body);
    copy_integers(args, integers, body);
    if (*command) {
        ct_json_set(body, "Cmd", ct_json_from_strv(command, SIZE_MAX));
    }
    if (args_has(args, "entrypoint")) {
        const char *entrypoint = args_text(args, "entrypoint", "");
        ct_json_set(body, "Entrypoint",
                    json_pack("[o]", ct_json_string_lossy(entrypoint, strlen(entrypoint))));
    }
    add_attach(args, body);
    if (values_env(args, body, err) < 0 || values_labels(args, body, err) < 0 ||
        values_ports(args, body, err) < 0) {
        return -1;
    }
    return add_health(args, body, err);
}

static int add_cpus(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    const char *text = args_text(args, "cpus", NULL);
    char *end = NULL;
    double cpus = text ? strtod(text, &end) : 0;

    if (text && (*end || !*text || !(cpus >= 0) || cpus > 10000)) {
        return ct_refuse(err, CT_INVALID,
                         "invalid argument \"%.40s\" for \"--cpus\" flag: not a number", text);
    }
    if (text) {
        ct_json_set(host, "NanoCpus", json_integer((json_int_t)(cpus * 1e9 + 0.5)));
    }
    return 0;
}

static int add_restart(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    const char *text = args_text(args, "restart", "no");
    const char *colon = strchr(text, ':');
    char *end = NULL;
    long retries = colon ? strtol(colon + 1, &end, 10) : 0;

    if (colon && (!colon[1] || *end)) {
        return ct_refuse(err, CT_INVALID,
                         "invalid restart policy format: maximum retry count must be an integer");
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)strcspn(text, ":"), text);
    ct_json_set(host, "RestartPolicy",
                json_pack("{s:s,s:I}", "Name", name, "MaximumRetryCount", (json_int_t)retries));
    return 0;
}

static int add_host_config(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    static const struct same texts[] = {{"cpuset-cpus", "CpusetCpus"},
                                        {"cpuset-mems", "CpusetMems"},
                                        {"pid", "PidMode"},
                                        {"ipc", "IpcMode"},
                                        {"uts", "UTSMode"},
                                        {"cgroup-parent", "CgroupParent"},
                                        {"cgroupns", "CgroupnsMode"},
                                        {"runtime", "Runtime"},
                                        {"userns", "UsernsMode"},
                                        {"cidfile", "ContainerIDFile"},
                                        {NULL, NULL}};
    static const struct same lists[] = {
        {"add-host", "ExtraHosts"},      {"cap-add", "CapAdd"},
        {"cap-drop", "CapDrop"},         {"dns", "Dns"},
        {"dns-option", "DnsOptions"},    {"dns-search", "DnsSearch"},
        {"group-add", "GroupAdd"},       {"device-cgroup-rule", "DeviceCgroupRules"},
        {"volumes-from", "VolumesFrom"}, {NULL, NULL}};
    static const struct same integers[] = {{"cpu-period", "CpuPeriod"},
                                           {"cpu-quota", "CpuQuota"},
                                           {"cpu-shares", "CpuShares"},
                                           {"oom-score-adj", "OomScoreAdj"},
                                           {"pids-limit", "PidsLimit"},
                                           {"blkio-weight", "BlkioWeight"},
                                           {"cpu-rt-period", "CpuRealtimePeriod"},
                                           {"cpu-rt-runtime", "CpuRealtimeRuntime"},
                                           {"memory-swappiness", "MemorySwappiness"},
                                           {NULL, NULL}};
    static const struct same sizes[] = {{"memory", "Memory"},
                                        {"memory-reservation", "MemoryReservation"},
                                        {"memory-swap", "MemorySwap"},
                                        {"shm-size", "ShmSize"},
                                        {NULL, NULL}};
    const char *network = args_text(args, "network", args_text(args, "net", "default"));

    copy_texts(args, texts, host);
    copy_lists(args, lists, host);
    copy_integers(args, integers, host);
    ct_json_set_string(host, "NetworkMode", network);
    ct_json_set(host, "AutoRemove", json_boolean(args_bool(args, "rm")));
    if (args_has(args, "init")) {
        ct_json_set(host, "Init", json_boolean(args_bool(args, "init")));
    }
    ct_json_set(host, "OomKillDisable", json_boolean(args_bool(args, "oom-kill-disable")));
    ct_json_set(host, "Privileged", json_boolean(args_bool(args, "privileged")));
    ct_json_set(host, "PublishAllPorts", json_boolean(args_bool(args, "publish-all")));
    ct_json_set(host, "ReadonlyRootfs", json_boolean(args_bool(args, "read-only")));
    if (copy_sizes(args, sizes, host, err) < 0 || add_cpus(args, host, err) < 0 ||
        add_restart(args, host, err) < 0) {
        return -1;
    }
    return values_host(args, host, err);
}

static json_t *networking(const struct cli_args *args)
{
    const char *network = args_text(args, "network", args_text(args, "net", "default"));
    json_t *endpoint = json_object();

    if (args_has(args, "ip")) {
        ct_json_set(endpoint, "IPAMConfig",
                    json_pack("{s:s}", "IPv4Address", args_text(args, "ip", "")));
    }
    if (args_has(args, "network-alias")) {
        ct_json_set(endpoint, "Aliases",
                    ct_json_from_strv(args_list(args, "network-alias"), SIZE_MAX));
    }
    if (args_has(args, "mac-address")) {
        ct_json_set_string(endpoint, "MacAddress", args_text(args, "mac-address", ""));
    }
    return strncmp(network, "container:", 10) == 0
               ? (json_decref(endpoint), json_object())
               : json_pack("{s:{s:o}}", "EndpointsConfig", network, endpoint);
}

static int check_flags(const struct cli_args *args, struct ct_error *err)
{
    const char *pull = args_text(args, "pull", "missing");

    if (strcmp(pull, "always") == 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "flag '--pull always' is not in stage %s: it comes with no stage yet",
                         engine_stage());
    }
    if (strcmp(pull, "missing") != 0 && strcmp(pull, "never") != 0) {
        return ct_refuse(
            err, CT_INVALID,
            "invalid pull option: '%.40s': must be one of \"always\", \"missing\" or \"never\"",
            pull);
    }
    return 0;
}

json_t *create_body(const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = json_object();
    CT_AUTO_JSON json_t *host = json_object();

    if (check_flags(args, err) < 0 || add_config(args, body, err) < 0 ||
        add_host_config(args, host, err) < 0) {
        return NULL;
    }
    ct_json_set(body, "HostConfig", ct_steal(host));
    ct_json_set(body, "NetworkingConfig", networking(args));
    return ct_steal(body);
}
