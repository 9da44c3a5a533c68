/*
 * request.c - from the API's create body and the image's config to a container's record.
 *
 * Room:       engine.   Called by: create.c.
 * Spec:       Docker Engine API 1.43, "Create a container"; OCI image-spec, config.md.
 *
 * Unknown fields are accepted and dropped, as Docker does; known ones must have their type (what
 * stands deeper in them: shapes.c). What
 * this stage cannot honour is refused by spec_check(), which knows the exec driver.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <string.h>

/* A field, its type, and what it is when the request does not say (JSON text). */
struct field {
    const char *name;
    enum ct_type type;
    const char *fallback;
};

static const struct field config_fields[] = {
    {"Hostname", CT_TEXT, "\"\""},
    {"Domainname", CT_TEXT, "\"\""},
    {"User", CT_TEXT, "\"\""},
    {"AttachStdin", CT_BOOLEAN, "false"},
    {"AttachStdout", CT_BOOLEAN, "false"},
    {"AttachStderr", CT_BOOLEAN, "false"},
    {"ExposedPorts", CT_OBJECT, "{}"},
    {"Tty", CT_BOOLEAN, "false"},
    {"OpenStdin", CT_BOOLEAN, "false"},
    {"StdinOnce", CT_BOOLEAN, "false"},
    {"Env", CT_LIST, "[]"},
    {"Cmd", CT_LIST, "null"},
    {"Healthcheck", CT_OBJECT, NULL},
    {"Image", CT_TEXT, "\"\""},
    {"Volumes", CT_OBJECT, "null"},
    {"WorkingDir", CT_TEXT, "\"\""},
    {"Entrypoint", CT_LIST, "null"},
    {"OnBuild", CT_LIST, "null"},
    {"Labels", CT_OBJECT, "{}"},
    {"StopSignal", CT_TEXT, NULL},
    {"StopTimeout", CT_INTEGER, NULL},
    {"MacAddress", CT_TEXT, NULL},
    {NULL, CT_TEXT, NULL},
};

static const struct field host_fields[] = {
    {"Binds", CT_LIST, "null"},
    {"ContainerIDFile", CT_TEXT, "\"\""},
    {"LogConfig", CT_OBJECT, "{\"Type\":\"json-file\",\"Config\":{}}"},
    {"NetworkMode", CT_TEXT, "\"default\""},
    {"PortBindings", CT_OBJECT, "{}"},
    {"RestartPolicy", CT_OBJECT, "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
    {"AutoRemove", CT_BOOLEAN, "false"},
    {"VolumeDriver", CT_TEXT, "\"\""},
    {"VolumesFrom", CT_LIST, "null"},
    {"Mounts", CT_LIST, NULL},
    {"Annotations", CT_OBJECT, NULL},
    {"CapAdd", CT_LIST, "null"},
    {"CapDrop", CT_LIST, "null"},
    {"CgroupnsMode", CT_TEXT, "\"\""},
    {"Dns", CT_LIST, "[]"},
    {"DnsOptions", CT_LIST, "[]"},
    {"DnsSearch", CT_LIST, "[]"},
    {"ExtraHosts", CT_LIST, "null"},
    {"GroupAdd", CT_LIST, "null"},
    {"IpcMode", CT_TEXT, "\"private\""},
    {"Cgroup", CT_TEXT, "\"\""},
    {"Links", CT_LIST, "null"},
    {"OomScoreAdj", CT_INTEGER, "0"},
    {"PidMode", CT_TEXT, "\"\""},
    {"Privileged", CT_BOOLEAN, "false"},
    {"PublishAllPorts", CT_BOOLEAN, "false"},
    {"ReadonlyRootfs", CT_BOOLEAN, "false"},
    {"SecurityOpt", CT_LIST, "null"},
    {"StorageOpt", CT_OBJECT, NULL},
    {"Tmpfs", CT_OBJECT, NULL},
    {"UTSMode", CT_TEXT, "\"\""},
    {"UsernsMode", CT_TEXT, "\"\""},
    {"ShmSize", CT_INTEGER, "67108864"},
    {"Sysctls", CT_OBJECT, NULL},
    {"Runtime", CT_TEXT, "\"\""},
    {"Isolation", CT_TEXT, "\"\""},
    {"CpuShares", CT_INTEGER, "0"},
    {"Memory", CT_INTEGER, "0"},
    {"NanoCpus", CT_INTEGER, "0"},
    {"CgroupParent", CT_TEXT, "\"\""},
    {"BlkioWeight", CT_INTEGER, "0"},
    {"BlkioWeightDevice", CT_LIST, NULL},
    {"BlkioDeviceReadBps", CT_LIST, NULL},
    {"BlkioDeviceWriteBps", CT_LIST, NULL},
    {"BlkioDeviceReadIOps", CT_LIST, NULL},
    {"BlkioDeviceWriteIOps", CT_LIST, NULL},
    {"CpuPeriod", CT_INTEGER, "0"},
    {"CpuQuota", CT_INTEGER, "0"},
    {"CpuRealtimePeriod", CT_INTEGER, "0"},
    {"CpuRealtimeRuntime", CT_INTEGER, "0"},
    {"CpusetCpus", CT_TEXT, "\"\""},
    {"CpusetMems", CT_TEXT, "\"\""},
    {"Devices", CT_LIST, "[]"},
    {"DeviceCgroupRules", CT_LIST, "null"},
    {"DeviceRequests", CT_LIST, "null"},
    {"KernelMemory", CT_INTEGER, NULL},
    {"KernelMemoryTCP", CT_INTEGER, NULL},
    {"MemoryReservation", CT_INTEGER, "0"},
    {"MemorySwap", CT_INTEGER, "0"},
    {"MemorySwappiness", CT_INTEGER, "null"},
    {"OomKillDisable", CT_BOOLEAN, "false"},
    {"PidsLimit", CT_INTEGER, "null"},
    {"Ulimits", CT_LIST, "null"},
    {"Init", CT_BOOLEAN, NULL},
    {"MaskedPaths", CT_LIST, NULL},
    {"ReadonlyPaths", CT_LIST, NULL},
    {NULL, CT_TEXT, NULL},
};

/* What a request may write as a string alone, where the API wants a list: "Cmd": "top". */
static json_t *as_list(const json_t *value)
{
    json_t *list = json_array();
    ct_json_append(list, json_deep_copy(value));
    return list;
}

/* The known fields of `from`, typed, with fallbacks. NULL with CT_INVALID. */
static json_t *take_fields(const json_t *from, const struct field *fields, const char *where,
                           struct ct_error *err)
{
    CT_AUTO_JSON json_t *taken = json_object();

    for (const struct field *f = fields; f->name; f++) {
        const json_t *value = json_object_get(from, f->name);
        if (value && !json_is_null(value)) {
            bool lone = f->type == CT_LIST && json_is_string(value);
            if (!lone && !ct_has_type(value, f->type)) {
                return ct_refuse_null(err, CT_INVALID, "read field '%s.%s': it is not %s", where,
                                      f->name, ct_type_name(f->type));
            }
            ct_json_set(taken, f->name, lone ? as_list(value) : json_deep_copy(value));
        } else if (f->fallback) {
            ct_json_set(taken, f->name, json_loads(f->fallback, JSON_DECODE_ANY, NULL));
        }
    }
    return ct_steal(taken);
}

static size_t name_length(const char *assignment)
{
    return strcspn(assignment, "=");
}

static bool defines(const json_t *env, const char *assignment)
{
    size_t length = name_length(assignment);
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)env, i, value)
    {
        const char *text = json_string_value(value);
        if (text && name_length(text) == length && strncmp(text, assignment, length) == 0) {
            return true;
        }
    }
    return false;
}

/* The image's variables first, without those that the request sets itself. */
static void merge_env(json_t *config, const json_t *image)
{
    json_t *wanted = json_object_get(config, "Env");
    json_t *merged = json_array();
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(image, "Env"), i, value)
    {
        if (json_is_string(value) && !defines(wanted, json_string_value(value))) {
            ct_json_append(merged, json_incref(value));
        }
    }
    (void)json_array_extend(merged,
                            wanted); /* fails only without memory, as ct_json_append ends on */
    ct_json_set(config, "Env", merged);
}

/* Objects (labels, ports, volumes): the request's keys win. */
static void merge_object(json_t *config, const json_t *image, const char *key)
{
    const json_t *from_image = json_object_get(image, key);
    if (!json_is_object(from_image)) {
        return;
    }
    json_t *merged = json_deep_copy(from_image);
    json_t *wanted = json_object_get(config, key);
    if (json_is_object(wanted)) {
        (void)json_object_update(merged, wanted);
    }
    ct_json_set(config, key, merged);
}

static void inherit_text(json_t *config, const json_t *image, const char *key)
{
    const char *wanted = ct_json_string(config, key, "");
    const char *from_image = ct_json_string(image, key, "");
    if (!*wanted && *from_image) {
        ct_json_set_string(config, key, from_image);
    }
}

/* An entrypoint of the request's own makes the image's command meaningless (Docker's rule). */
static void inherit_command(json_t *config, const json_t *image)
{
    bool own_entrypoint = json_is_array(json_object_get(config, "Entrypoint"));
    bool own_command = ct_json_count(json_object_get(config, "Cmd")) > 0;
    json_t *entrypoint = json_object_get(image, "Entrypoint");
    json_t *command = json_object_get(image, "Cmd");

    if (!own_entrypoint && json_is_array(entrypoint)) {
        ct_json_set(config, "Entrypoint", json_deep_copy(entrypoint));
    }
    if (!own_entrypoint && !own_command && json_is_array(command)) {
        ct_json_set(config, "Cmd", json_deep_copy(command));
    }
    /* [""] is how a client says "no entrypoint, not even the image's". */
    json_t *effective = json_object_get(config, "Entrypoint");
    const char *only = json_string_value(json_array_get(effective, 0));
    if (json_array_size(effective) == 1 && only && !*only) {
        ct_json_set(config, "Entrypoint", json_null());
    }
}

static void inherit_healthcheck(json_t *config, const json_t *image)
{
    json_t *from_image = json_object_get(image, "Healthcheck");
    json_t *own = json_object_get(config, "Healthcheck");
    if (!json_is_object(from_image)) {
        return;
    }
    if (!own) {
        ct_json_set(config, "Healthcheck", json_deep_copy(from_image));
        return;
    }
    json_t *merged =
        json_deep_copy(from_image); /* flags change single fields of the image's check */
    (void)json_object_update(merged, own);
    ct_json_set(config, "Healthcheck", merged);
}

static void inherit(json_t *config, const json_t *image)
{
    merge_env(config, image);
    merge_object(config, image, "Labels");
    merge_object(config, image, "ExposedPorts");
    merge_object(config, image, "Volumes");
    inherit_text(config, image, "User");
    inherit_text(config, image, "WorkingDir");
    inherit_text(config, image, "StopSignal");
    inherit_command(config, image);
    inherit_healthcheck(config, image);
}

bool request_is_own_network(const char *name)
{
    static const char *const predefined[] = {"default", "bridge", "host", "none"};
    for (size_t i = 0; i < sizeof(predefined) / sizeof(predefined[0]); i++) {
        if (strcmp(predefined[i], name) == 0) {
            return false;
        }
    }
    return true;
}

int request_check_endpoint(const char *network, const json_t *endpoint, struct ct_error *err)
{
    CT_AUTO_FREE char *where = ct_printf("EndpointsConfig.%s", network);

    if (ct_shape_check(endpoint, shape_endpoint, where, err) < 0) {
        return -1;
    }
    if (ct_json_count(json_object_get(endpoint, "Aliases")) > 0 &&
        !request_is_own_network(network)) {
        (void)ct_refuse(err, CT_INVALID,
                        "network-scoped alias is supported only for containers in user defined "
                        "networks");
        return ct_hint(err, "cutaway network create NAME, and --network NAME");
    }
    if (ct_json_count(json_object_get(endpoint, "Links")) > 0) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "links on network '%.64s'", network);
        return ct_hint(err, "on a network of your own containers find each other by name");
    }
    return 0;
}

static int check_endpoints(const json_t *endpoints, struct ct_error *err)
{
    const char *network;
    json_t *endpoint;

    json_object_foreach((json_t *)endpoints, network, endpoint)
    {
        if (request_check_endpoint(network, endpoint, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The networks to join: those named in NetworkingConfig, and at least the one of NetworkMode. */
static json_t *wanted_networks(const json_t *body, json_t *host_config)
{
    json_t *networks = json_object();
    json_t *named = ct_json_get(body, "NetworkingConfig.EndpointsConfig");
    const char *mode = ct_json_string(host_config, "NetworkMode", "default");

    if (!*mode || strcmp(mode, "default") == 0) {
        mode = "bridge";
        ct_json_set_string(host_config, "NetworkMode", mode);
    }
    if (json_is_object(named)) {
        (void)json_object_update(networks, named);
    }
    json_t *unnamed = json_object_get(networks, "default");
    if (unnamed) {
        ct_json_set(networks, "bridge", json_incref(unnamed));
        (void)json_object_del(networks, "default");
    }
    if (strncmp(mode, "container:", 10) != 0 && !json_object_get(networks, mode)) {
        ct_json_set(networks, mode, json_object());
    }
    return networks;
}

/* A client that names no log driver leaves it to us; inspect then says which one it is. */
static void choose_log_driver(json_t *host_config)
{
    json_t *log_config = json_object_get(host_config, "LogConfig");

    if (!*ct_json_string(log_config, "Type", "")) {
        ct_json_set_string(log_config, "Type", "json-file");
    }
}

json_t *request_to_config(const json_t *body, const json_t *image_config, struct ct_error *err)
{
    if (!json_is_object(body)) {
        return ct_refuse_null(err, CT_INVALID, "read the request: it is not a JSON object");
    }
    CT_AUTO_JSON json_t *config = take_fields(body, config_fields, "Config", err);
    CT_AUTO_JSON json_t *host =
        config ? take_fields(json_object_get(body, "HostConfig"), host_fields, "HostConfig", err)
               : NULL;
    if (!host || ct_shape_check(body, shape_config, "Config", err) < 0 ||
        ct_shape_check(body, shape_create, "", err) < 0 ||
        ct_shape_check(image_config, shape_config, "image.Config", err) < 0 ||
        check_endpoints(ct_json_get(body, "NetworkingConfig.EndpointsConfig"), err) < 0) {
        return NULL;
    }
    inherit(config, image_config);
    choose_log_driver(host);
    json_t *record = json_object();
    ct_json_set(record, "Networks", wanted_networks(body, host));
    ct_json_set(record, "Config", ct_steal(config));
    ct_json_set(record, "HostConfig", ct_steal(host));
    return record;
}

static int check_command(const json_t *config, struct ct_error *err)
{
    if (ct_json_count(json_object_get(config, "Entrypoint")) +
            ct_json_count(json_object_get(config, "Cmd")) ==
        0) {
        (void)ct_refuse(err, CT_INVALID, "no command specified");
        return ct_hint(err, "name a command after the image");
    }
    return 0;
}

/* Docker's lower bound: below it no process can even start. */
#define MEMORY_MIN_BYTES (6 << 20)

static int check_resources(const json_t *host, struct ct_error *err)
{
    json_int_t memory = ct_json_integer(host, "Memory", 0);
    json_int_t swap = ct_json_integer(host, "MemorySwap", 0);
    json_int_t nano_cpus = ct_json_integer(host, "NanoCpus", 0);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (memory < 0 || (memory > 0 && memory < MEMORY_MIN_BYTES)) {
        return ct_refuse(err, CT_INVALID, "minimum memory limit allowed is 6MB");
    }
    if (swap > 0 && memory == 0) {
        return ct_refuse(err, CT_INVALID,
                         "you should always set the memory limit when using memory-swap limit");
    }
    if (swap > 0 && swap < memory) {
        return ct_refuse(err, CT_INVALID,
                         "minimum memory-swap limit should be larger than memory limit");
    }
    if (nano_cpus < 0 || nano_cpus > (json_int_t)cpus * 1000000000) {
        return ct_refuse(
            err, CT_INVALID,
            "range of CPUs is from 0.01 to %ld.00, as there are only %ld CPUs available", cpus,
            cpus);
    }
    if (nano_cpus > 0 &&
        (ct_json_integer(host, "CpuQuota", 0) || ct_json_integer(host, "CpuPeriod", 0))) {
        return ct_refuse(err, CT_INVALID,
                         "conflicting options: nano CPUs and CPU quota cannot both be set");
    }
    return 0;
}

static int check_restart_policy(const json_t *host, struct ct_error *err)
{
    static const char *const names[] = {"", "no", "always", "unless-stopped", "on-failure", NULL};
    const char *name = ct_json_string(host, "RestartPolicy.Name", "");
    json_int_t retries = ct_json_integer(host, "RestartPolicy.MaximumRetryCount", 0);
    const char *const *known = names;

    while (*known && strcmp(*known, name) != 0) {
        known++;
    }
    if (!*known) {
        return ct_refuse(err, CT_INVALID, "invalid restart policy '%s'", name);
    }
    if (retries < 0 || (retries > 0 && strcmp(name, "on-failure") != 0)) {
        return ct_refuse(
            err, CT_INVALID,
            "maximum retry count can only be used with 'on-failure', and not be negative");
    }
    if (ct_json_bool(host, "AutoRemove", false) && *name && strcmp(name, "no") != 0) {
        return ct_refuse(err, CT_INVALID,
                         "can't create 'AutoRemove' container with restart policy");
    }
    return 0;
}

static int check_config(const json_t *config, struct ct_error *err)
{
    const char *signal = ct_json_string(config, "StopSignal", NULL);
    const char *cwd = ct_json_string(config, "WorkingDir", "");

    if (signal && *signal && ct_signal_number(signal, err) < 0) {
        return ct_while(err, "check the stop signal");
    }
    if (*cwd && *cwd != '/') {
        return ct_refuse(err, CT_INVALID,
                         "the working directory '%s' is invalid, it needs to be an absolute path",
                         cwd);
    }
    if (strlen(ct_json_string(config, "Hostname", "")) > 64) { /* sethostname(2) */
        return ct_refuse(err, CT_INVALID, "check the hostname: it is longer than 64 bytes");
    }
    return check_command(config, err);
}

int request_check(json_t *record, struct ct_error *err)
{
    const json_t *host = json_object_get(record, "HostConfig");

    if (check_config(json_object_get(record, "Config"), err) < 0 ||
        check_resources(host, err) < 0) {
        return -1;
    }
    return check_restart_policy(host, err);
}
