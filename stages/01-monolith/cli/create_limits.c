/*
 * create_limits.c - the notations of flags for limits, devices and security.
 *
 * Room:       cli.   Called by: create_values.c.
 * Spec:       Docker's docker run(1); Docker Engine API 1.43, "HostConfig".
 */
#define CT_LAYER "cli"
#include "create_values.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_MAX_BYTES (4u << 20)

/* "nofile=1024:2048", "nofile=1024". */
static json_t *parse_ulimit(const char *text, struct ct_error *err)
{
    const char *equal_sign = strchr(text, '=');
    char *end = NULL;
    long long soft = equal_sign ? strtoll(equal_sign + 1, &end, 10) : 0;
    bool valid = equal_sign && equal_sign != text && end != equal_sign + 1;
    long long hard = soft;

    if (valid && *end == ':') {
        const char *number = end + 1;
        hard = strtoll(number, &end, 10);
        valid = end != number;
    }
    if (!valid || *end || soft < -1 || hard < -1) {
        return ct_refuse_null(err, CT_INVALID, "invalid ulimit argument: %.60s", text);
    }
    if (hard != -1 && (soft > hard || soft == -1)) {
        return ct_refuse_null(err, CT_INVALID,
                              "ulimit soft limit must be less than or equal to hard limit: %.60s",
                              text);
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)(equal_sign - text), text);
    return json_pack("{s:s,s:I,s:I}", "Name", name, "Hard", (json_int_t)hard, "Soft",
                     (json_int_t)soft);
}

/* "/dev/a", "/dev/a:/dev/b", "/dev/a:/dev/b:rwm", "/dev/a:rwm". */
static json_t *parse_device(const char *text, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(text);
    char *rest = copy;
    const char *host = strsep(&rest, ":");
    const char *second = rest ? strsep(&rest, ":") : NULL;
    bool second_is_mode = second && !rest && *second && strspn(second, "rwm") == strlen(second);
    const char *inside = second && !second_is_mode ? second : host;
    const char *mode = second_is_mode ? second : rest ? rest : "rwm";

    if (*host != '/' || *inside != '/' || !*mode || strspn(mode, "rwm") != strlen(mode)) {
        return ct_refuse_null(err, CT_INVALID, "invalid device specification: %.60s", text);
    }
    return json_pack("{s:s,s:s,s:s}", "PathOnHost", host, "PathInContainer", inside,
                     "CgroupPermissions", mode);
}

/* "/dev/sda:200" into a path and what stands behind the last colon; borrowed from copy. */
static const char *split_device_limit(char *copy)
{
    char *colon = strrchr(copy, ':');

    if (!colon || copy[0] != '/' || !colon[1]) {
        return NULL;
    }
    *colon = '\0';
    return colon + 1;
}

static json_t *bad_device_limit(const char *text, struct ct_error *err)
{
    return ct_refuse_null(err, CT_INVALID, "bad format: '%.60s' is not DEVICE:NUMBER", text);
}

static json_t *parse_device_number(const char *text, const char *key, bool bytes,
                                   struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(text);
    const char *value = split_device_limit(copy);
    struct ct_error unreadable = {0};
    int64_t number = -1;
    char *end = NULL;

    if (value && bytes && ct_size_parse(value, &number, &unreadable) < 0) {
        return bad_device_limit(text, err);
    }
    if (value && !bytes) {
        number = strtoll(value, &end, 10);
        number = *end ? -1 : number;
    }
    return number < 0 ? bad_device_limit(text, err)
                      : json_pack("{s:s, s:I}", "Path", copy, key, (json_int_t)number);
}

static json_t *parse_weight_device(const char *text, struct ct_error *err)
{
    return parse_device_number(text, "Weight", false, err);
}

static json_t *parse_bps_device(const char *text, struct ct_error *err)
{
    return parse_device_number(text, "Rate", true, err);
}

static json_t *parse_iops_device(const char *text, struct ct_error *err)
{
    return parse_device_number(text, "Rate", false, err);
}

static int add_parsed(const struct cli_args *args, const char *flag, const char *field,
                      json_t *host, json_t *(*parse)(const char *text, struct ct_error *err),
                      struct ct_error *err)
{
    json_t *list = json_array();
    ct_json_set(host, field, list);
    for (const char *const *text = args_list(args, flag); *text; text++) {
        json_t *item = parse(*text, err);
        if (!item) {
            return -1;
        }
        ct_json_append(list, item);
    }
    return 0;
}

int values_limits(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    static const struct {
        const char *flag, *field;
        json_t *(*parse)(const char *text, struct ct_error *err);
    } lists[] = {
        {"ulimit", "Ulimits", parse_ulimit},
        {"device", "Devices", parse_device},
        {"blkio-weight-device", "BlkioWeightDevice", parse_weight_device},
        {"device-read-bps", "BlkioDeviceReadBps", parse_bps_device},
        {"device-write-bps", "BlkioDeviceWriteBps", parse_bps_device},
        {"device-read-iops", "BlkioDeviceReadIOps", parse_iops_device},
        {"device-write-iops", "BlkioDeviceWriteIOps", parse_iops_device},
    };

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (add_parsed(args, lists[i].flag, lists[i].field, host, lists[i].parse, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The daemon may be elsewhere: what it gets is the profile, not where it lies. Owned. */
static json_t *read_profile(const char *path, struct ct_error *err)
{
    CT_AUTO_JSON json_t *profile = ct_json_load_at(AT_FDCWD, path, err);
    CT_AUTO_FREE char *text = profile ? ct_json_text(profile) : NULL;

    return text ? json_sprintf("seccomp=%s", text)
                : ct_while_null(err, "open the seccomp profile '%.100s'", path);
}

int values_security(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    json_t *options = json_array();

    if (!args_has(args, "security-opt")) {
        json_decref(options);
        return 0;
    }
    ct_json_set(host, "SecurityOpt", options);
    for (const char *const *text = args_list(args, "security-opt"); *text; text++) {
        bool seccomp = strncmp(*text, "seccomp=", 8) == 0;
        if (strcmp(*text, "systempaths=unconfined") == 0) {
            ct_json_set(host, "MaskedPaths", json_array());
            ct_json_set(host, "ReadonlyPaths", json_array());
        } else if (seccomp && strcmp(*text + 8, "unconfined") != 0) {
            json_t *option = read_profile(*text + 8, err);
            if (!option) {
                return -1;
            }
            ct_json_append(options, option);
        } else {
            ct_json_append(options, ct_json_string_lossy(*text, strlen(*text)));
        }
    }
    return 0;
}
