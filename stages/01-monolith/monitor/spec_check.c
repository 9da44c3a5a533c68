/*
 * spec_check.c - what this stage can do for a container, and what it refuses by name.
 *
 * Room:       monitor.   Called by: engine, at create and update.
 * Spec:       Docker Engine API 1.43, "Create a container".
 *
 * Much of this ends in a configuration file for a runtime that does what root may do. So every
 * string is checked for its alphabet, and first of all for line breaks.
 */
#define CT_LAYER "spec"
#include "spec.h"

#include "json.h"
#include "user.h"

#include <sys/capability.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET "it comes with no stage yet"

/* HostConfig fields that must be unset (null, 0, false, "" or empty), and who will honour them.
 * What depends on the driver, the driver says: exec_driver_check(). */
static const struct {
    const char *field, *reason;
} later[] = {
    {"Cgroup", "no stage has it: give --cgroupns or --cgroup-parent"},
    {"Links", "use a network of your own instead"},
    {"StorageOpt", NOT_YET},
    {"DeviceRequests", "no stage has device drivers"},
    {"KernelMemory", "the kernel has dropped it"},
    {"KernelMemoryTCP", "the kernel has dropped it"},
};

/* Fields of a few words: the values that are honoured; the list ends with NULL. */
static const struct {
    const char *field;
    const char *values[4];
    const char *reason;
} choices[] = {
    {"UsernsMode", {"", "host"}, "there is only the host's"},
    {"UTSMode", {"", "host"}, "there are a namespace of its own and the host's"},
    {"Isolation", {"", "default"}, "it is for another system"},
    {"VolumeDriver", {"", "local"}, "there is only local"},
};

static int refuse_later(struct ct_error *err, const char *field, const char *reason)
{
    return ct_refuse(err, CT_UNSUPPORTED, "use HostConfig.%s: %s", field, reason);
}

static int check_later(const json_t *host, struct ct_error *err)
{
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (!ct_json_is_unset(json_object_get(host, later[i].field))) {
            return refuse_later(err, later[i].field, later[i].reason);
        }
    }
    return 0;
}

static int check_choices(const json_t *host, struct ct_error *err)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const char *value = ct_json_string(host, choices[i].field, "");
        const char *const *known = choices[i].values;
        while (*known && strcmp(*known, value) != 0) {
            known++;
        }
        if (!*known) {
            return ct_refuse(err, CT_UNSUPPORTED, "use HostConfig.%s '%.64s': %s", choices[i].field,
                             value, choices[i].reason);
        }
    }
    return 0;
}

static int check_alphabet(const char *text, const char *alphabet, const char *field,
                          struct ct_error *err)
{
    if (strspn(text, alphabet) != strlen(text)) {
        return ct_refuse(err, CT_INVALID, "use %s '%.64s': it has a character that is not allowed",
                         field, text);
    }
    return 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static int check_names(const json_t *config, const json_t *host, struct ct_error *err)
{
    const char *hostname = ct_json_string(config, "Hostname", "");
    const char *uts = ct_json_string(host, "UTSMode", "");

    if (check_alphabet(hostname, LETTERS DIGITS "-._", "the host name", err) < 0 ||
        check_alphabet(ct_json_string(config, "Domainname", ""), LETTERS DIGITS "-._",
                       "the domain name", err) < 0) {
        return -1;
    }
    if (strcmp(uts, "host") == 0 && *hostname) {
        return ct_refuse(err, CT_INVALID, "conflicting options: hostname and the UTS mode");
    }
    return user_check(ct_json_string(config, "User", ""), err);
}

static int check_range(const json_t *host, const char *field, json_int_t low, json_int_t high,
                       struct ct_error *err)
{
    json_int_t value = ct_json_integer(host, field, 0);
    if (value != 0 && (value < low || value > high)) {
        return ct_refuse(err, CT_INVALID,
                         "use HostConfig.%s %lld: it must be in range %lld to %lld", field,
                         (long long)value, (long long)low, (long long)high);
    }
    return 0;
}

#define HUGE_BYTES ((json_int_t)1 << 60) /* more than any machine has; sums cannot overflow */

static int check_numbers(const json_t *host, struct ct_error *err)
{
    static const struct {
        const char *field;
        json_int_t low, high;
    } ranges[] = {
        {"Memory", 1, HUGE_BYTES},
        {"MemorySwap", -1, HUGE_BYTES},
        {"MemoryReservation", 1, HUGE_BYTES},
        {"ShmSize", 1, HUGE_BYTES},
        {"NanoCpus", 1, (json_int_t)1 << 50},
        {"CpuPeriod", 1000, 1000000},
        {"CpuQuota", 1000, (json_int_t)1 << 44},
        {"CpuShares", 2, 262144},
        {"OomScoreAdj", -1000, 1000},
        {"PidsLimit", -1, (json_int_t)1 << 22},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (check_range(host, ranges[i].field, ranges[i].low, ranges[i].high, err) < 0) {
            return -1;
        }
    }
    return check_alphabet(ct_json_string(host, "CpusetCpus", ""), DIGITS ",-",
                          "HostConfig.CpusetCpus", err) < 0
               ? -1
               : check_alphabet(ct_json_string(host, "CpusetMems", ""), DIGITS ",-",
                                "HostConfig.CpusetMems", err);
}

/* Calls check on each element, which must be a string. */
static int each_string(const json_t *array, const char *field,
                       int (*check)(const char *text, struct ct_error *err), struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)array, i, value)
    {
        const char *text = json_string_value(value);
        if (!text) {
            return ct_refuse(err, CT_INVALID, "use %s: element %zu is not a string", field, i);
        }
        if (check(text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_capability(const char *text, struct ct_error *err)
{
    char name[64];
    cap_value_t number;
    bool prefixed = strncasecmp(text, "CAP_", 4) == 0;

    if (strcasecmp(text, "ALL") == 0) {
        return 0;
    }
    (void)snprintf(name, sizeof(name), "cap_%s", prefixed ? text + 4 : text);
    for (char *c = name; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    if (strlen(text) > 40 || cap_from_name(name, &number) < 0) {
        return ct_refuse(err, CT_INVALID, "invalid capability: '%.64s'", text);
    }
    return 0;
}

static int check_group(const char *text, struct ct_error *err)
{
    if (!*text || strchr(text, ':')) {
        return ct_refuse(err, CT_INVALID, "use HostConfig.GroupAdd '%.64s': it is no group", text);
    }
    return user_check(text, err); /* a group's form is a user's */
}

static int check_environment(const char *text, struct ct_error *err)
{
    if (!*text || *text == '=') {
        return ct_refuse(err, CT_INVALID, "invalid environment variable: '%.64s'", text);
    }
    return 0;
}

/* "seccomp=unconfined" and "seccomp:unconfined" are one. Borrowed value, or NULL. */
static const char *option_value(const char *text, const char *name)
{
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && (text[length] == '=' || text[length] == ':')
               ? text + length + 1
               : NULL;
}

static int check_security_option(const char *text, struct ct_error *err)
{
    const char *value;

    if (strcmp(text, "no-new-privileges") == 0) {
        return 0;
    }
    if ((value = option_value(text, "no-new-privileges"))) {
        return strcmp(value, "true") == 0 || strcmp(value, "false") == 0
                   ? 0
                   : ct_refuse(err, CT_INVALID, "invalid --security-opt: '%.64s'", text);
    }
    if ((value = option_value(text, "seccomp"))) {
        return 0; /* the driver's */
    }
    if ((value = option_value(text, "apparmor"))) {
        return *value ? check_alphabet(value, LETTERS DIGITS "-._/:&", "the AppArmor profile", err)
                      : ct_refuse(err, CT_INVALID, "invalid --security-opt: '%.64s'", text);
    }
    if ((value = option_value(text, "label")) && strcmp(value, "disable") == 0) {
        return 0; /* without SELinux there are no labels */
    }
    return ct_refuse(err, CT_UNSUPPORTED, "use --security-opt '%.64s': no stage has it yet", text);
}

static int check_ulimits(const json_t *ulimits, struct ct_error *err)
{
    static const char *const names[] = {
        "as",     "core",  "cpu", "data",   "fsize",  "locks",      "memlock", "msgqueue", "nice",
        "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",   NULL};
    size_t i;
    json_t *ulimit;

    json_array_foreach((json_t *)ulimits, i, ulimit)
    {
        const char *name = ct_json_string(ulimit, "Name", "");
        json_int_t soft = ct_json_integer(ulimit, "Soft", 0);
        json_int_t hard = ct_json_integer(ulimit, "Hard", soft);
        const char *const *known = names;
        while (*known && strcmp(*known, name) != 0) {
            known++;
        }
        if (!*known) {
            return ct_refuse(err, CT_INVALID, "invalid ulimit type: '%.64s'", name);
        }
        if (soft < -1 || hard < -1 || (hard != -1 && (soft > hard || soft == -1))) {
            return ct_refuse(err, CT_INVALID,
                             "ulimit '%s': soft limit %lld is above hard limit %lld", name,
                             (long long)soft, (long long)hard);
        }
    }
    return 0;
}

static bool is_device_path(const char *path)
{
    return path[0] == '/' && !strpbrk(path, ": \t\n\r\"'\\");
}

static int check_devices(const json_t *devices, struct ct_error *err)
{
    size_t i;
    json_t *device;

    json_array_foreach((json_t *)devices, i, device)
    {
        const char *host = ct_json_string(device, "PathOnHost", "");
        const char *inside = ct_json_string(device, "PathInContainer", host);
        const char *rights = ct_json_string(device, "CgroupPermissions", "rwm");
        if (!is_device_path(host) || !is_device_path(inside) ||
            strspn(rights, "rwm") != strlen(rights) || strlen(rights) > 3) {
            return ct_refuse(err, CT_INVALID, "invalid device '%.48s:%.48s:%.8s'", host, inside,
                             rights);
        }
    }
    return 0;
}

/* The kernel keeps these apart for each container; any other would change the whole machine. */
static bool is_own_sysctl(const char *name, const json_t *host)
{
    static const char *const own[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    bool own_network = strcmp(ct_json_string(host, "NetworkMode", ""), "host") != 0;
    const char *ipc = ct_json_string(host, "IpcMode", "");
    bool own_ipc = strcmp(ipc, "host") != 0 && strncmp(ipc, "container:", 10) != 0;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(name, own[i]) == 0) {
            return own_ipc;
        }
    }
    return (strncmp(name, "fs.mqueue.", 10) == 0 && own_ipc) ||
           (strncmp(name, "net.", 4) == 0 && own_network);
}

static int check_sysctls(const json_t *host, struct ct_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(host, "Sysctls"), name, value)
    {
        const char *text = json_string_value(value);
        if (!is_own_sysctl(name, host) || strstr(name, "..")) {
            return ct_refuse(err, CT_INVALID, "sysctl '%.64s' is not separate for a container",
                             name);
        }
        if (!text || check_alphabet(name, LETTERS DIGITS "-._", "the sysctl", err) < 0 ||
            check_alphabet(text, LETTERS DIGITS "-._ :,", "the sysctl's value", err) < 0) {
            return text ? -1
                        : ct_refuse(err, CT_INVALID, "sysctl '%s': its value is no string", name);
        }
    }
    return 0;
}

static int check_healthcheck(const json_t *check, struct ct_error *err)
{
    static const char *const durations[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    const json_t *test = json_object_get(check, "Test");
    const char *kind = json_string_value(json_array_get(test, 0));
    size_t n = ct_json_count(test);

    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        json_int_t ns = ct_json_integer(check, durations[i], 0);
        if (ns != 0 && ns < 1000000) {
            return ct_refuse(err, CT_INVALID, "%s in Healthcheck cannot be less than 1ms",
                             durations[i]);
        }
    }
    if (ct_json_integer(check, "Retries", 0) < 0) {
        return ct_refuse(err, CT_INVALID, "Retries in Healthcheck cannot be negative");
    }
    if (n == 0 || (kind && strcmp(kind, "NONE") == 0)) {
        return 0;
    }
    if (kind && strcmp(kind, "CMD-SHELL") == 0 && n == 2) {
        return 0;
    }
    if (kind && strcmp(kind, "CMD") == 0 && n >= 2) {
        return 0;
    }
    return ct_refuse(err, CT_INVALID, "unknown type '%.32s' in Healthcheck", kind ? kind : "");
}

static int check_strings(const json_t *config, const json_t *host, struct ct_error *err)
{
    if (each_string(json_object_get(config, "Env"), "Env", check_environment, err) < 0 ||
        each_string(json_object_get(host, "CapAdd"), "CapAdd", check_capability, err) < 0 ||
        each_string(json_object_get(host, "CapDrop"), "CapDrop", check_capability, err) < 0 ||
        each_string(json_object_get(host, "GroupAdd"), "GroupAdd", check_group, err) < 0) {
        return -1;
    }
    return each_string(json_object_get(host, "SecurityOpt"), "SecurityOpt", check_security_option,
                       err);
}

int spec_check(const json_t *record, struct ct_error *err)
{
    const json_t *config = json_object_get(record, "Config");
    const json_t *host = json_object_get(record, "HostConfig");

    if (check_later(host, err) < 0 || check_choices(host, err) < 0 ||
        exec_driver_check(host, err) < 0 || check_names(config, host, err) < 0 ||
        check_numbers(host, err) < 0 || check_strings(config, host, err) < 0 ||
        check_ulimits(json_object_get(host, "Ulimits"), err) < 0 ||
        check_devices(json_object_get(host, "Devices"), err) < 0 || check_sysctls(host, err) < 0) {
        return -1;
    }
    return check_healthcheck(json_object_get(config, "Healthcheck"), err);
}
