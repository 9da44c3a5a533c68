/*
 * shape.c - has a document the form that it must have?
 *
 * Room:       lib.   Called by: see shape.h.
 */
#define CT_LAYER "json"
#include "shape.h"

#include <stdio.h>
#include <string.h>

#define WHERE_MAX 160
#define KEY_MAX   64

static const char *const type_names[] = {"a string", "an integer", "a boolean", "an array",
                                         "an object"};

bool ct_has_type(const json_t *value, enum ct_type type)
{
    switch (type) {
    case CT_TEXT:
        return json_is_string(value);
    case CT_INTEGER:
        return json_is_integer(value);
    case CT_BOOLEAN:
        return json_is_boolean(value);
    case CT_LIST:
        return json_is_array(value);
    case CT_OBJECT:
        return json_is_object(value);
    }
    return false;
}

const char *ct_type_name(enum ct_type type)
{
    return type_names[type];
}

/* How what is looked at is called, so far. */
struct place {
    char text[WHERE_MAX];
    size_t length;
};

/* Goes on: the part is cut when there is no more room. */
__attribute__((format(printf, 2, 3))) static struct place below(const struct place *place,
                                                                const char *format, ...)
{
    struct place next = *place;
    size_t room = sizeof(next.text) - next.length;
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(next.text + next.length, room, format, arguments);
    va_end(arguments);
    next.length += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    return next;
}

static int check(const json_t *value, const char *path, enum ct_type type,
                 const struct place *place, struct ct_error *err);

static int check_elements(const json_t *list, const char *path, enum ct_type type,
                          const struct place *place, struct ct_error *err)
{
    size_t i;
    json_t *element;

    json_array_foreach((json_t *)list, i, element)
    {
        struct place here = below(place, "[%zu]", i);
        if (check(element, path, type, &here, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_key(const json_t *object, const char *key, const char *path, enum ct_type type,
                     const struct place *place, struct ct_error *err)
{
    struct place here = below(place, "%s%s", place->length ? "." : "", key);
    return check(json_object_get(object, key), path, type, &here, err);
}

static int check_keys(const json_t *object, const char *path, enum ct_type type,
                      const struct place *place, struct ct_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (check_key(object, key, path, type, place, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What path leads to. Where the way itself is of another type, another row says so. */
static int check(const json_t *value, const char *path, enum ct_type type,
                 const struct place *place, struct ct_error *err)
{
    char key[KEY_MAX];

    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!*path) {
        return ct_has_type(value, type)
                   ? 0
                   : ct_refuse(err, CT_INVALID, "read field '%s': it is not %s", place->text,
                               type_names[type]);
    }
    if (strncmp(path, "[]", 2) == 0) {
        return check_elements(value, path + 2, type, place, err);
    }
    path += *path == '.';
    size_t length = strcspn(path, ".[");
    (void)snprintf(key, sizeof(key), "%.*s", (int)length, path);
    return strcmp(key, "*") == 0 ? check_keys(value, path + length, type, place, err)
                                 : check_key(value, key, path + length, type, place, err);
}

int ct_shape_check(const json_t *document, const struct ct_shape *rows, const char *where,
                   struct ct_error *err)
{
    const struct place nowhere = {.length = 0};
    struct place start = below(&nowhere, "%s", where);

    for (const struct ct_shape *row = rows; row->path; row++) {
        if (check(document, row->path, row->type, &start, err) < 0) {
            return -1;
        }
    }
    return 0;
}
