/*
 * config.c - what HostConfig.LogConfig asks for.
 *
 * Room:       logs.   Called by: engine (check at create), writer.c, reader.c.
 * Spec:       Docker, "JSON File logging driver": max-size, max-file, labels, env.
 */
#define CT_LAYER "logs"
#include "logs_internal.h"

#include "cleanup.h"
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

/* These choose attributes: see log_attributes(). */
static bool is_choice(const char *name)
{
    return strcmp(name, "labels") == 0 || strcmp(name, "env") == 0;
}

static bool is_dockers(const char *name)
{
    static const char *const options[] = {"compress",        "env-regex", "labels-regex",
                                          "max-buffer-size", "mode",      "tag"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(options[i], name) == 0) {
            return true;
        }
    }
    return false;
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
        } else if (is_choice(name)) {
            result = text ? 0 : ct_refuse(err, CT_INVALID, "log option %s is no text", name);
        } else {
            result = ct_refuse(err, CT_UNSUPPORTED,
                               is_dockers(name)
                                   ? "log opt '%.40s' for json-file log driver is in no stage"
                                   : "unknown log opt '%.40s' for json-file log driver",
                               name);
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

/* ["A=1","B=2"] -> the value of A; as with a program, the last one counts. */
static const char *variable(const json_t *env, const char *name)
{
    size_t length = strlen(name), i;
    const char *value = NULL;
    json_t *item;

    json_array_foreach((json_t *)env, i, item)
    {
        const char *text = json_string_value(item);
        if (text && strncmp(text, name, length) == 0 && text[length] == '=') {
            value = text + length + 1;
        }
    }
    return value;
}

/* Adds what `names` ("a,b") says, as far as it is there. */
static void choose(json_t *attributes, const char *names, const json_t *labels, const json_t *env)
{
    while (*names) {
        size_t length = strcspn(names, ",");
        CT_AUTO_FREE char *name = ct_printf("%.*s", (int)length, names);
        const char *value =
            labels ? json_string_value(json_object_get(labels, name)) : variable(env, name);
        if (value) {
            ct_json_set_string(attributes, name, value);
        }
        names += length + (names[length] == ',');
    }
}

json_t *log_attributes(const json_t *log_config, const json_t *config)
{
    CT_AUTO_JSON json_t *attributes = json_object();
    const char *labels = ct_json_string(log_config, "Config.labels", "");
    const char *env = ct_json_string(log_config, "Config.env", "");

    if (json_is_object(json_object_get(config, "Labels"))) {
        choose(attributes, labels, json_object_get(config, "Labels"), NULL);
    }
    choose(attributes, env, NULL, json_object_get(config, "Env"));
    return json_object_size(attributes) > 0 ? ct_steal(attributes) : NULL;
}

int log_check_config(const json_t *log_config, const json_t *config, struct ct_error *err)
{
    struct log_options options;
    CT_AUTO_JSON json_t *attributes = log_attributes(log_config, config);
    CT_AUTO_FREE char *text = attributes ? ct_json_text(attributes) : NULL;

    if (log_options_read(log_config, &options, err) < 0) {
        return -1;
    }
    if (text && strlen(text) > LOG_ATTRIBUTES_MAX_BYTES) {
        return ct_refuse(err, CT_INVALID,
                         "log options labels and env: %zu bytes would stand in each line, %d are "
                         "the most",
                         strlen(text), LOG_ATTRIBUTES_MAX_BYTES);
    }
    return 0;
}

char *log_path(const char *dir, const char *container_id, const json_t *log_config)
{
    if (strcmp(ct_json_string(log_config, "Type", "json-file"), "none") == 0) {
        return NULL;
    }
    return ct_printf("%s/%s-json.log", dir, container_id);
}
