/*
 * query.c - what a request asks for: values behind the "?", and the document in its body.
 *
 * Room:       daemon.   Called by: the handlers.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum MHD_Result check_value(void *context, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct ct_error *err = context;
    (void)kind;
    if (!ct_is_utf8(key)) {
        (void)ct_refuse(err, CT_INVALID, "read the query: a parameter's name is not UTF-8");
    } else if (value && !ct_is_utf8(value) && strcmp(key, "path") != 0) {
        (void)ct_refuse(err, CT_INVALID, "read parameter '%.40s': it is not UTF-8", key);
    }
    return err->kind == CT_NONE ? MHD_YES : MHD_NO;
}

int query_check(const struct rest_request *request, const char *path, struct ct_error *err)
{
    if (!ct_is_utf8(path)) {
        return ct_refuse(err, CT_INVALID, "read the path of the request: it is not UTF-8");
    }
    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, check_value, err);
    return err->kind == CT_NONE ? 0 : -1;
}

const char *query_text(const struct rest_request *request, const char *key)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

bool query_bool(const struct rest_request *request, const char *key, bool fallback)
{
    static const char *const falsehoods[] = {"", "0", "no", "false", "none"};
    const char *text = query_text(request, key);

    if (!text) {
        return fallback;
    }
    for (size_t i = 0; i < sizeof(falsehoods) / sizeof(falsehoods[0]); i++) {
        if (strcasecmp(text, falsehoods[i]) == 0) {
            return false;
        }
    }
    return true;
}

int query_int(const struct rest_request *request, const char *key, long long fallback,
              long long *ret, struct ct_error *err)
{
    const char *text = query_text(request, key);
    char *end = NULL;

    *ret = fallback;
    if (!text || !*text) {
        return 0;
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno) {
        return ct_refuse(err, CT_INVALID, "read parameter '%s': '%.40s' is not a number", key,
                         text);
    }
    *ret = value;
    return 0;
}

int query_time(const struct rest_request *request, const char *key, int64_t *ret_ns,
               struct ct_error *err)
{
    const char *text = query_text(request, key);

    *ret_ns = 0;
    if (!text || !*text || strcmp(text, "0") == 0) {
        return 0;
    }
    return ct_time_parse(text, ret_ns, err) < 0 ? ct_while(err, "read parameter '%s'", key) : 0;
}

/* {"a":{"b":true}} becomes {"a":["b"]}: the engine knows one form. */
static int normalize(json_t *filters, struct ct_error *err)
{
    const char *key;
    json_t *values;
    void *next;

    json_object_foreach_safe(filters, next, key, values)
    {
        json_t *list = json_array();
        const char *value;
        json_t *wanted;
        if (json_is_array(values)) {
            json_decref(list);
            continue;
        }
        json_object_foreach(values, value, wanted)
        {
            if (json_is_true(wanted)) {
                ct_json_append(list, json_string(value));
            }
        }
        if (!json_is_object(values)) {
            json_decref(list);
            return ct_refuse(err, CT_INVALID, "invalid filter '%.60s': it is not a list", key);
        }
        ct_json_set(filters, key, list);
    }
    return 0;
}

int query_filters(const struct rest_request *request, json_t **ret, struct ct_error *err)
{
    const char *text = query_text(request, "filters");

    *ret = NULL;
    if (!text || !*text) {
        return 0;
    }
    CT_AUTO_JSON json_t *filters = ct_json_parse(text, strlen(text), err);
    if (!filters) {
        return ct_while(err, "read parameter 'filters'");
    }
    if (!json_is_object(filters)) {
        return ct_refuse(err, CT_INVALID, "read parameter 'filters': it is not an object");
    }
    if (normalize(filters, err) < 0) {
        return -1;
    }
    *ret = json_object_size(filters) ? ct_steal(filters) : NULL;
    return 0;
}

struct collected {
    const char *key;
    json_t *list;
};

static enum MHD_Result collect(void *context, enum MHD_ValueKind kind, const char *key,
                               const char *value)
{
    struct collected *collected = context;
    (void)kind;
    if (value && strcmp(key, collected->key) == 0) {
        ct_json_append(collected->list, ct_json_string_lossy(value, strlen(value)));
    }
    return MHD_YES;
}

char **query_list(const struct rest_request *request, const char *key)
{
    struct ct_error ignored = {0};
    CT_AUTO_JSON json_t *list = json_array();
    struct collected collected = {.key = key, .list = list};

    (void)MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, collect,
                                    &collected);
    return ct_json_to_strv(list, &ignored); /* strings only: it cannot fail */
}

const json_t *request_body(const struct rest_request *request, struct ct_error *err)
{
    if (!request->body) {
        (void)ct_refuse(err, CT_INVALID, "read the request: it has no document");
        (void)ct_hint(err, "send JSON with 'Content-Type: application/json'");
    }
    return request->body;
}
