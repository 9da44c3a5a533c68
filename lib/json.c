/*
 * json.c - JSON documents on jansson.
 *
 * Room:       lib.   Called by: see json.h.
 */
#define CT_LAYER "json"
#include "json.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "utf8.h"

#include <string.h>

/* Nesting by counting brackets outside strings: jansson's own limit (2048) is deeper than ours. */
static size_t depth_of(const char *text, size_t length)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < length; i++) {
        if (in_string) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                in_string = false;
            }
        } else if (text[i] == '"') {
            in_string = true;
        } else if (text[i] == '[' || text[i] == '{') {
            deepest = ++depth > deepest ? depth : deepest;
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

json_t *ct_json_parse(const char *text, size_t length, struct ct_error *err)
{
    json_error_t problem;

    if (depth_of(text, length) > CT_JSON_DEPTH) {
        return ct_refuse_null(err, CT_INVALID, "parse JSON: it nests deeper than %d",
                              CT_JSON_DEPTH);
    }
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!json) {
        return ct_refuse_null(err, CT_INVALID, "parse JSON: line %d, column %d: %s", problem.line,
                              problem.column, problem.text);
    }
    return json;
}

json_t *ct_json_load_at(int dir_fd, const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;
    ssize_t length = ct_read_file_at(dir_fd, name, CT_JSON_FILE_MAX, &text, err);
    json_t *json = length < 0 ? NULL : ct_json_parse(text, (size_t)length, err);

    if (!json && length >= 0) {
        (void)ct_while(err, "read '%s'", name);
    }
    return json;
}

typedef int (*write_fn)(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                        struct ct_error *err);

static int save(int dir_fd, const char *name, const json_t *json, size_t flags, write_fn write_file,
                struct ct_error *err)
{
    CT_AUTO_FREE char *text = json_dumps(json, flags | JSON_ENCODE_ANY);
    if (!text) {
        return ct_refuse(err, CT_SYSTEM, "write '%s': out of memory", name);
    }
    return write_file(dir_fd, name, text, strlen(text), 0600, err);
}

int ct_json_save_at(int dir_fd, const char *name, const json_t *json, struct ct_error *err)
{
    return save(dir_fd, name, json, JSON_INDENT(2), ct_write_file_at, err);
}

int ct_json_save_run_at(int dir_fd, const char *name, const json_t *json, struct ct_error *err)
{
    return save(dir_fd, name, json, JSON_COMPACT, ct_write_run_file_at, err);
}

char *ct_json_text(const json_t *json)
{
    return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

json_t *ct_json_get(const json_t *json, const char *path)
{
    char key[128];

    while (json && *path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof(key)) {
            return NULL;
        }
        memcpy(key, path, length);
        key[length] = '\0';
        json = json_object_get(json, key);
        path += length + (path[length] == '.');
    }
    return (json_t *)json;
}

const char *ct_json_string(const json_t *json, const char *path, const char *fallback)
{
    const char *value = json_string_value(ct_json_get(json, path));
    return value ? value : fallback;
}

json_int_t ct_json_integer(const json_t *json, const char *path, json_int_t fallback)
{
    const json_t *value = ct_json_get(json, path);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool ct_json_bool(const json_t *json, const char *path, bool fallback)
{
    const json_t *value = ct_json_get(json, path);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

bool ct_json_is_unset(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_integer(value) && json_integer_value(value) == 0) ||
           ((json_is_array(value) || json_is_object(value)) && ct_json_count(value) == 0);
}

size_t ct_json_count(const json_t *json)
{
    return json_is_array(json) ? json_array_size(json) : json_object_size(json);
}

static void must(int result)
{
    if (result != 0) {
        abort(); /* out of memory: a half-set document must never be saved */
    }
}

void ct_json_set(json_t *object, const char *key, json_t *value)
{
    must(json_object_set_new(object, key, value));
}

void ct_json_set_string(json_t *object, const char *key, const char *value_or_null)
{
    ct_json_set(object, key,
                value_or_null ? ct_json_string_lossy(value_or_null, strlen(value_or_null))
                              : json_null());
}

void ct_json_append(json_t *array, json_t *value)
{
    must(json_array_append_new(array, value));
}

json_t *ct_json_from_strv(const char *const *strv, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; strv && i < n && (n != SIZE_MAX || strv[i]); i++) {
        ct_json_append(array, ct_json_string_lossy(strv[i], strlen(strv[i])));
    }
    return array;
}

char **ct_json_to_strv(const json_t *array, struct ct_error *err)
{
    size_t n = json_array_size(array);
    CT_AUTO_STRV char **strv = calloc(n + 1, sizeof(*strv));

    if (!strv) {
        return ct_fail_null(err, ENOMEM, "copy %zu strings", n);
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text) {
            return ct_refuse_null(err, CT_INVALID, "read a list of strings: element %zu is not one",
                                  i);
        }
        strv[i] = ct_strdup(text);
    }
    return ct_steal(strv);
}

json_t *ct_json_string_lossy(const char *bytes, size_t length)
{
    json_t *json = json_stringn(bytes, length);
    if (json) {
        return json;
    }
    CT_AUTO_FREE char *text = malloc(3 * length + 1); /* U+FFFD takes three bytes */
    size_t written = 0;
    must(text ? 0 : -1);
    for (size_t i = 0; i < length;) {
        size_t n = ct_utf8_length(bytes + i, length - i);
        memcpy(text + written, n ? bytes + i : "\xEF\xBF\xBD", n ? n : 3);
        written += n ? n : 3;
        i += n ? n : 1;
    }
    json = json_stringn(text, written);
    must(json ? 0 : -1);
    return json;
}
