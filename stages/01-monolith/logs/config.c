/*
 * config.c - what HostConfig.LogConfig asks for.
 *
 * Room:       logs.   Called by: engine (check at create), writer.c, reader.c.
 * Spec:       Docker, "JSON File logging driver": max-size, max-file.
 */
#define CT_LAYER "logs"
#include "logs_internal.h"

#include "json.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

static int parse_max_size(const char *text, int64_t *ret, struct ct_error *err)
{
    if (strcmp(text, "-1") == 0) {
        *ret = 0;
        return 0;
    }
    if (ct_size_parse(text, ret, err) < 0) {
        return ct_while(err, "read log option max-size");
    }
    return *ret > 0 ? 0
                    : ct_refuse(err, CT_INVALID,
                                "read log option max-size: it must be a positive number");
}

static int parse_max_file(const char *text, int *ret, struct ct_error *err)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (!*text || *end || n < 1 || n > 1000) {
        return ct_refuse(err, CT_INVALID,
                         "read log option max-file '%.40s': it is no number from 1 to 1000", text);
    }
    *ret = (int)n;
    return 0;
}

int log_options_read(const json_t *log_config, struct log_options *ret, struct ct_error *err)
{
    const char *driver = ct_json_string(log_config, "Type", "json-file");
    const char *name;
    json_t *value;

    *ret = (struct log_options){.max_files = 1};
    if (strcmp(driver, "none") == 0) {
        ret->none = true;
        return 0;
    }
    if (*driver && strcmp(driver, "json-file") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "log with driver '%.40s': there are json-file and none", driver);
    }
    json_object_foreach(json_object_get(log_config, "Config"), name, value)
    {
        const char *text = json_string_value(value);
        int result;
        if (strcmp(name, "max-size") == 0) {
            result = parse_max_size(text ? text : "", &ret->max_bytes, err);
        } else if (strcmp(name, "max-file") == 0) {
            result = parse_max_file(text ? text : "", &ret->max_files, err);
        } else {
            result = ct_refuse(err, CT_UNSUPPORTED,
                               "unknown log opt '%.40s' for json-file log driver", name);
        }
        if (result < 0) {
            return -1;
        }
    }
    if (ret->max_files > 1 && ret->max_bytes == 0) {
        return ct_refuse(err, CT_INVALID, "log option max-file needs max-size");
    }
    return 0;
}

int log_check_config(const json_t *log_config, struct ct_error *err)
{
    struct log_options options;
    return log_options_read(log_config, &options, err);
}

char *log_path(const char *dir, const char *container_id, const json_t *log_config)
{
    if (strcmp(ct_json_string(log_config, "Type", "json-file"), "none") == 0) {
        return NULL;
    }
    return ct_printf("%s/%s-json.log", dir, container_id);
}
