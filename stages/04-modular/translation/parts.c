/*
 * parts.c - parts that many messages have: see message_parts.h.
 *
 * Room:       translation (stage 04).   Called by: see message_parts.h.
 */
#include "message_parts.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <string.h>

void *message_new(const ProtobufCMessageDescriptor *type, struct pool *pool)
{
    ProtobufCMessage *message = pool_array(pool, 1, type->sizeof_message);
    protobuf_c_message_init(type, message);
    return message;
}

void list_add(void ***items, size_t *n, void *item, struct pool *pool)
{
    bool full = (*n & (*n - 1)) == 0; /* 0, 1, 2, 4, …: a power of two is always filled up */

    if (full) {
        void **grown = pool_array(pool, *n ? *n * 2 : 1, sizeof(*grown));
        if (*n > 0) {
            memcpy(grown, *items, *n * sizeof(*grown));
        }
        *items = grown;
    }
    (*items)[(*n)++] = item;
}

Google__Protobuf__Timestamp *timestamp_of(int64_t unix_ns, struct pool *pool)
{
    Google__Protobuf__Timestamp *time = message_new(&google__protobuf__timestamp__descriptor, pool);
    time->seconds = unix_ns / 1000000000;
    time->nanos = (int32_t)(unix_ns % 1000000000);
    return time;
}

/* ---- documents ------------------------------------------------------------------------------ */

char *text_of(const char *text, struct pool *pool)
{
    return pool_keep(pool, ct_strdup(text));
}

char *text_at(const json_t *document, const char *path, struct pool *pool)
{
    return text_of(ct_json_string(document, path, ""), pool);
}

Google__Protobuf__Timestamp *time_at(const json_t *document, const char *key, struct pool *pool)
{
    const char *text = ct_json_string(document, key, CT_TIME_ZERO);
    struct ct_error unknown = {0};
    int64_t unix_ns = 0;

    return strcmp(text, CT_TIME_ZERO) == 0 || ct_time_parse(text, &unix_ns, &unknown) < 0
               ? NULL
               : timestamp_of(unix_ns, pool);
}

#define SECONDS_MAX 9000000000LL /* in nanoseconds it still is a number of 64 bits */

void set_time(json_t *document, const char *key, const Google__Protobuf__Timestamp *time)
{
    char text[CT_TIME_TEXT] = CT_TIME_ZERO;

    if (time && time->seconds > 0 && time->seconds < SECONDS_MAX && time->nanos >= 0 &&
        time->nanos < 1000000000) {
        (void)ct_time_format(time->seconds * 1000000000 + time->nanos, text);
    }
    ct_json_set_string(document, key, text);
}

void *map_of(const json_t *object, const ProtobufCMessageDescriptor *type, struct pool *pool,
             size_t *ret_n)
{
    void **entries = NULL;
    const char *key;
    json_t *value;

    *ret_n = 0;
    json_object_foreach((json_t *)object, key, value)
    {
        struct map_entry *entry = message_new(type, pool);
        entry->key = text_of(key, pool);
        entry->value = text_of(json_is_string(value) ? json_string_value(value) : "", pool);
        list_add(&entries, ret_n, entry, pool);
    }
    return entries;
}

void set_under(json_t *object, const char *key, json_t *value)
{
    CT_AUTO_JSON json_t *valid = ct_json_string_lossy(key, strlen(key));
    ct_json_set(object, json_string_value(valid), value);
}

json_t *object_of(void *entries, size_t n)
{
    struct map_entry *const *list = entries;
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++) {
        set_under(object, list[i]->key,
                  ct_json_string_lossy(list[i]->value, strlen(list[i]->value)));
    }
    return object;
}

char **strings_of(const json_t *array, struct pool *pool, size_t *ret_n)
{
    void **strings = NULL;
    size_t i;
    json_t *value;

    *ret_n = 0;
    json_array_foreach((json_t *)array, i, value)
    {
        if (json_is_string(value)) {
            list_add(&strings, ret_n, text_of(json_string_value(value), pool), pool);
        }
    }
    return (char **)strings;
}
