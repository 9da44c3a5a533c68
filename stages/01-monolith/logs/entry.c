/*
 * entry.c - one entry of a log as its reader gets it: time, details, line.
 *
 * Room:       logs.   Called by: reader.c.
 * Spec:       Docker Engine API 1.43, "Get container logs" (timestamps, details); the escapes are
 *             those of application/x-www-form-urlencoded, as Go's url.QueryEscape writes them.
 */
#define CT_LAYER "logs"
#include "logs_internal.h"

#include "cleanup.h"
#include "units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x80 && (isalnum(byte) || strchr("-_.~", byte))) {
            (void)putc(byte, out);
        } else if (byte == ' ') {
            (void)putc('+', out);
        } else {
            (void)fprintf(out, "%%%02X", byte);
        }
    }
}

static int compare(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* Also without attributes there is the space, so that readers can rely on it. */
static int put_details(FILE *out, const json_t *attributes)
{
    CT_AUTO_FREE const char **keys = calloc(json_object_size(attributes) + 1, sizeof(*keys));
    const char *key;
    json_t *value;
    size_t n = 0;

    if (!keys) {
        return -1;
    }
    json_object_foreach((json_t *)attributes, key, value)
    {
        if (json_is_string(value)) {
            keys[n++] = key;
        }
    }
    qsort(keys, n, sizeof(*keys), compare);
    for (size_t i = 0; i < n; i++) {
        (void)fputs(i ? "," : "", out);
        put_escaped(out, keys[i]);
        (void)putc('=', out);
        put_escaped(out, json_string_value(json_object_get(attributes, keys[i])));
    }
    (void)putc(' ', out);
    return 0;
}

char *entry_text(const struct log_query *query, const json_t *entry, int64_t when_ns,
                 size_t *ret_length)
{
    const json_t *log = json_object_get(entry, "log");
    char time[CT_TIME_TEXT];
    CT_AUTO_FREE char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);
    int result = 0;

    if (!out) {
        return NULL;
    }
    if (query->timestamps) {
        (void)fprintf(out, "%s ", ct_time_format_fixed(when_ns, time));
    }
    if (query->details) {
        result = put_details(out, json_object_get(entry, "attrs"));
    }
    (void)fwrite(json_string_value(log), 1, json_string_length(log), out);
    return fclose(out) == 0 && result == 0 ? ct_steal(text) : NULL;
}
