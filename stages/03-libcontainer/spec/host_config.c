/*
 * host_config.c - the fields of Docker's HostConfig that are a kernel facility and nothing else:
 * they go into the document as they are, under the names that OCI gives them.
 *
 * Room:       spec (stage 03).   Called by: execdriver/native.c (the check), document.c,
 *             limits_document.c, mounts_default.c.
 * Spec:       Docker Engine API 1.43, "HostConfig"; config-linux.md.
 */
#define CT_LAYER "spec"
#include "spec_internal.h"

#include "defaults.h"
#include "seccomp_profile.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Limits of one block device each: Docker's list, OCI's list, and the key of an entry in both. */
static const struct {
    const char *docker, *docker_key, *oci, *oci_key;
} block_limits[] = {
    {"BlkioWeightDevice", "Weight", "weightDevice", "weight"},
    {"BlkioDeviceReadBps", "Rate", "throttleReadBpsDevice", "rate"},
    {"BlkioDeviceWriteBps", "Rate", "throttleWriteBpsDevice", "rate"},
    {"BlkioDeviceReadIOps", "Rate", "throttleReadIOPSDevice", "rate"},
    {"BlkioDeviceWriteIOps", "Rate", "throttleWriteIOPSDevice", "rate"},
};

#define BLOCK_LIMITS (sizeof(block_limits) / sizeof(block_limits[0]))

/* ---- what makes sense ----------------------------------------------------------------------- */

static int check_number(const json_t *host, const char *field, json_int_t low, json_int_t high,
                        struct ct_error *err)
{
    json_int_t value = ct_json_integer(host, field, 0);

    return value == 0 || (value >= low && value <= high)
               ? 0
               : ct_refuse(err, CT_INVALID,
                           "use HostConfig.%s %lld: it must be in range %lld to %lld", field,
                           (long long)value, (long long)low, (long long)high);
}

static int check_numbers(const json_t *host, struct ct_error *err)
{
    json_int_t swappiness = ct_json_integer(host, "MemorySwappiness", -1);
    json_int_t period = ct_json_integer(host, "CpuRealtimePeriod", 0);

    if (check_number(host, "BlkioWeight", 10, 1000, err) < 0 ||
        check_number(host, "CpuRealtimePeriod", 1, (json_int_t)1 << 32, err) < 0 ||
        check_number(host, "CpuRealtimeRuntime", 1, period ? period : 1000000, err) < 0) {
        return -1;
    }
    return swappiness >= -1 && swappiness <= 100
               ? 0
               : ct_refuse(err, CT_INVALID,
                           "use HostConfig.MemorySwappiness %lld: it must be in range 0 to 100",
                           (long long)swappiness);
}

/* "container:ID" is looked up where it is joined. */
static int check_namespaces(const json_t *host, struct ct_error *err)
{
    static const struct {
        const char *field;
        const char *values[6];
    } choices[] = {
        {"CgroupnsMode", {"", "private", "host"}},
        {"IpcMode", {"", "none", "private", "shareable", "host"}},
        {"PidMode", {"", "private", "host"}},
    };

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const char *value = ct_json_string(host, choices[i].field, "");
        bool joined = i > 0 && strncmp(value, "container:", 10) == 0 && value[10];
        const char *const *known = choices[i].values;
        while (*known && strcmp(*known, value) != 0) {
            known++;
        }
        if (!*known && !joined) {
            return ct_refuse(err, CT_INVALID, "use HostConfig.%s '%.64s': there is no such mode",
                             choices[i].field, value);
        }
    }
    return 0;
}

static int check_paths(const json_t *host, const char *field, struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(host, field), i, value)
    {
        const char *path = json_string_value(value);
        if (!path || path[0] != '/') {
            return ct_refuse(err, CT_INVALID, "use HostConfig.%s: '%.64s' is no absolute path",
                             field, path ? path : "");
        }
    }
    return 0;
}

static int check_block_limits(const json_t *host, struct ct_error *err)
{
    size_t i;
    json_t *limit;

    for (size_t kind = 0; kind < BLOCK_LIMITS; kind++) {
        json_array_foreach(json_object_get(host, block_limits[kind].docker), i, limit)
        {
            const char *path = ct_json_string(limit, "Path", "");
            json_int_t value = ct_json_integer(limit, block_limits[kind].docker_key, -1);
            bool weight = kind == 0;
            if (path[0] != '/' || value < (weight ? 10 : 0) || (weight && value > 1000)) {
                return ct_refuse(err, CT_INVALID, "use HostConfig.%s: '%.64s' with %s %lld",
                                 block_limits[kind].docker, path, block_limits[kind].docker_key,
                                 (long long)value);
            }
        }
    }
    return 0;
}

/* "c 1:3 rwm", with '*' for any number. NULL: it is none. Owned. */
static json_t *device_rule(const char *text)
{
    char type = 0;
    char numbers[2][12] = {"", ""};
    char access[4] = "";
    int end = 0;

    if (sscanf(text, "%c %11[0-9*]:%11[0-9*] %3[rwm]%n", &type, numbers[0], numbers[1], access,
               &end) != 4 ||
        text[end] || !strchr("abc", type)) {
        return NULL;
    }
    json_t *rule =
        json_pack("{s:b, s:s#, s:s}", "allow", 1, "type", &type, (size_t)1, "access", access);
    for (size_t i = 0; i < 2; i++) {
        bool any = strcmp(numbers[i], "*") == 0;
        long long number = -1;
        if (!any && (sscanf(numbers[i], "%lld%n", &number, &end) != 1 || numbers[i][end])) {
            json_decref(rule);
            return NULL;
        }
        if (!any) {
            ct_json_set(rule, i == 0 ? "major" : "minor", json_integer(number));
        }
    }
    return rule;
}

static int check_device_rules(const json_t *host, struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(host, "DeviceCgroupRules"), i, value)
    {
        const char *text = json_string_value(value) ? json_string_value(value) : "";
        CT_AUTO_JSON json_t *rule = device_rule(text);
        if (!rule) {
            return ct_refuse(err, CT_INVALID, "invalid device cgroup rule format: '%.64s'", text);
        }
    }
    return 0;
}

/* The parent is a path in the tree of control groups, never out of it. */
static int check_cgroup_parent(const json_t *host, struct ct_error *err)
{
    const char *parent = ct_json_string(host, "CgroupParent", "");
    CT_AUTO_FREE char *framed = ct_printf("/%s/", parent);

    return strstr(framed, "/../") || strpbrk(parent, "\n\t")
               ? ct_refuse(
                     err, CT_INVALID,
                     "use HostConfig.CgroupParent '%.64s': it is no path below /sys/fs/cgroup",
                     parent)
               : 0;
}

/* A client sends the profile's text; whether this kernel can do it is known when it is loaded. */
static int check_seccomp(const json_t *host, struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(host, "SecurityOpt"), i, value)
    {
        const char *text = json_string_value(value) ? json_string_value(value) : "";
        if (strncmp(text, "seccomp", 7) != 0 || strcmp(text + 7, "=unconfined") == 0 ||
            strcmp(text + 7, ":unconfined") == 0) {
            continue;
        }
        const char *document = text[7] ? text + 8 : "";
        CT_AUTO_JSON json_t *profile = ct_json_parse(document, strlen(document), err);
        CT_AUTO_JSON json_t *filter = profile ? spec_seccomp_profile(profile, 0, err) : NULL;
        if (!filter) {
            return ct_while(err, "read the seccomp profile");
        }
    }
    return 0;
}

int spec_check_host(const json_t *host, struct ct_error *err)
{
    return check_numbers(host, err) < 0 || check_namespaces(host, err) < 0 ||
                   check_paths(host, "MaskedPaths", err) < 0 ||
                   check_paths(host, "ReadonlyPaths", err) < 0 ||
                   check_block_limits(host, err) < 0 || check_device_rules(host, err) < 0 ||
                   check_cgroup_parent(host, err) < 0 || check_seccomp(host, err) < 0
               ? -1
               : 0;
}

/* ---- into the document ---------------------------------------------------------------------- */

bool spec_host_is(const struct exec_spec *spec, const char *field, const char *value)
{
    return strcmp(ct_json_string(spec->host_config, field, ""), value) == 0;
}

json_t *spec_cgroups_path(const struct exec_spec *spec)
{
    const char *parent = ct_json_string(spec->host_config, "CgroupParent", "");
    CT_AUTO_FREE char *path = ct_printf("/%s/" SPEC_CGROUP_PREFIX "%s", parent, spec->id);
    CT_AUTO_FREE char *clean = ct_path_clean(path);

    return json_string_nocheck(clean);
}

/* An empty list is a wish: nothing is masked. */
static void set_paths(const struct exec_spec *spec, const char *field, const char *key,
                      json_t *defaults, json_t *section)
{
    json_t *wanted = json_object_get(spec->host_config, field);

    if (json_is_array(wanted)) {
        json_decref(defaults);
        defaults = json_deep_copy(wanted);
    }
    ct_json_set(section, key, defaults);
}

void spec_add_protected_paths(const struct exec_spec *spec, json_t *section)
{
    if (!spec->privileged) {
        set_paths(spec, "MaskedPaths", "maskedPaths", spec_masked_paths(), section);
        set_paths(spec, "ReadonlyPaths", "readonlyPaths",
                  ct_json_from_strv(spec_default_readonly_paths, SIZE_MAX), section);
    }
}

void spec_add_device_rules(const struct exec_spec *spec, json_t *rules)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(spec->host_config, "DeviceCgroupRules"), i, value)
    {
        json_t *rule = json_is_string(value) ? device_rule(json_string_value(value)) : NULL;
        if (rule) { /* else it was refused at create time */
            ct_json_append(rules, rule);
        }
    }
}

void spec_add_annotations(const struct exec_spec *spec, json_t *document)
{
    json_t *annotations = json_object_get(spec->host_config, "Annotations");

    if (ct_json_count(annotations) > 0) {
        ct_json_set(document, "annotations", json_deep_copy(annotations));
    }
}

static json_t *block_limit(const json_t *limit, size_t kind, struct ct_error *err)
{
    const char *path = ct_json_string(limit, "Path", "");
    struct stat status;

    if (stat(path, &status) < 0) {
        return ct_fail_null(err, errno, "limit the block device '%.64s'", path);
    }
    if (!S_ISBLK(status.st_mode)) {
        return ct_refuse_null(err, CT_INVALID,
                              "limit the block device '%.64s': it is not a block device", path);
    }
    return json_pack("{s:i, s:i, s:I}", "major", (int)major(status.st_rdev), "minor",
                     (int)minor(status.st_rdev), block_limits[kind].oci_key,
                     ct_json_integer(limit, block_limits[kind].docker_key, 0));
}

static int add_block_limits(json_t *block, const json_t *host, size_t kind, struct ct_error *err)
{
    json_t *wanted = json_object_get(host, block_limits[kind].docker);
    json_t *list = json_array();
    size_t i;
    json_t *limit;

    ct_json_set(block, block_limits[kind].oci, list);
    json_array_foreach(wanted, i, limit)
    {
        json_t *one = block_limit(limit, kind, err);
        if (!one) {
            return -1;
        }
        ct_json_append(list, one);
    }
    if (json_array_size(list) == 0) {
        (void)json_object_del(block, block_limits[kind].oci);
    }
    return 0;
}

static void copy_number(const json_t *host, const char *field, json_t *to, const char *key)
{
    json_int_t value = ct_json_integer(host, field, 0);
    if (value > 0) {
        ct_json_set(to, key, json_integer(value));
    }
}

int spec_add_host_limits(json_t *resources, const json_t *host, struct ct_error *err)
{
    json_t *block = json_object();
    json_t *memory = json_object_get(resources, "memory");
    json_t *cpu = json_object_get(resources, "cpu");
    json_int_t swappiness = ct_json_integer(host, "MemorySwappiness", -1);

    ct_json_set(resources, "blockIO", block);
    copy_number(host, "BlkioWeight", block, "weight");
    for (size_t kind = 0; kind < BLOCK_LIMITS; kind++) {
        if (add_block_limits(block, host, kind, err) < 0) {
            return -1;
        }
    }
    if (json_object_size(block) == 0) {
        (void)json_object_del(resources, "blockIO");
    }
    copy_number(host, "CpuRealtimePeriod", cpu, "realtimePeriod");
    copy_number(host, "CpuRealtimeRuntime", cpu, "realtimeRuntime");
    if (swappiness >= 0) {
        ct_json_set(memory, "swappiness", json_integer(swappiness));
    }
    if (ct_json_bool(host, "OomKillDisable", false)) {
        ct_json_set(memory, "disableOOMKiller", json_true());
    }
    return 0;
}
