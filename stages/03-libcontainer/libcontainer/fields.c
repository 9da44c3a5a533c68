/*
 * fields.c - typed reading of a configuration's fields.
 *
 * Room:       libcontainer.   Called by: see fields.h.
 */
#define CT_LAYER "config"
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The value, or NULL when it is missing or null. */
static const json_t *find(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* "" for the document itself. */
static const char *dot(const char *where)
{
    return *where ? "." : "";
}

static int wrong(const char *where, const char *key, const char *expected, struct ct_error *err)
{
    return ct_refuse(err, CT_INVALID, "%s%s%s: it must be %s", where, dot(where), key, expected);
}

bool lc_field_has(const json_t *object, const char *key)
{
    return find(object, key) != NULL;
}

int lc_field_missing(const char *where, const char *key, struct ct_error *err)
{
    return ct_refuse(err, CT_INVALID, "%s%s%s: it must be there", where, dot(where), key);
}

int lc_field_refuse(const json_t *object, const char *where, const char *key, const char *why,
                    struct ct_error *err)
{
    if (!lc_field_has(object, key)) {
        return 0;
    }
    return ct_refuse(err, CT_UNSUPPORTED, "use %s%s%s: %s", where, dot(where), key, why);
}

int lc_field_is_object(const json_t *value, const char *where, struct ct_error *err)
{
    return json_is_object(value) ? 0
                                 : ct_refuse(err, CT_INVALID, "%s: it must be an object", where);
}

int lc_field_string(const json_t *object, const char *where, const char *key, const char **ret,
                    struct ct_error *err)
{
    const json_t *value = find(object, key);

    if (value && !json_is_string(value)) {
        return wrong(where, key, "a string", err);
    }
    *ret = value ? json_string_value(value) : *ret;
    return 0;
}

int lc_field_bool(const json_t *object, const char *where, const char *key, bool *ret,
                  struct ct_error *err)
{
    const json_t *value = find(object, key);

    if (value && !json_is_boolean(value)) {
        return wrong(where, key, "true or false", err);
    }
    *ret = value ? json_is_true(value) : *ret;
    return 0;
}

static int wrong_number(const char *where, const char *key, long double min, long double max,
                        struct ct_error *err)
{
    return ct_refuse(err, CT_INVALID, "%s%s%s: it must be a whole number from %.0Lf to %.0Lf",
                     where, dot(where), key, min, max);
}

/* A long double holds every 64-bit number exactly. False: it is not a whole number. */
static bool whole_number(const json_t *value, long double *ret)
{
    if (json_is_integer(value)) {
        *ret = (long double)json_integer_value(value);
        return true;
    }
    *ret = (long double)json_real_value(value);
    return json_is_real(value) && floorl(*ret) == *ret;
}

int lc_field_integer(const json_t *object, const char *where, const char *key, int64_t min,
                     int64_t max, int64_t *ret, struct ct_error *err)
{
    const json_t *value = find(object, key);
    long double number = 0;

    if (!value) {
        return 0;
    }
    if (!whole_number(value, &number) || number < (long double)min || number > (long double)max) {
        return wrong_number(where, key, (long double)min, (long double)max, err);
    }
    *ret = (int64_t)number;
    return 0;
}

int lc_field_unsigned(const json_t *object, const char *where, const char *key, uint64_t max,
                      uint64_t *ret, struct ct_error *err)
{
    const json_t *value = find(object, key);
    long double number = 0;

    if (!value) {
        return 0;
    }
    if (!whole_number(value, &number) || number < 0) {
        return wrong_number(where, key, 0, (long double)max, err);
    }
    /* 2^64 - 1 as a double is 2^64: what is meant is "all bits set". */
    if (max == UINT64_MAX && number >= 18446744073709551615.0L) {
        *ret = UINT64_MAX;
        return number > 18446744073709551616.0L ? wrong_number(where, key, 0, (long double)max, err)
                                                : 0;
    }
    if (number > (long double)max) {
        return wrong_number(where, key, 0, (long double)max, err);
    }
    *ret = (uint64_t)number;
    return 0;
}

int lc_field_object(const json_t *object, const char *where, const char *key, const json_t **ret,
                    struct ct_error *err)
{
    const json_t *value = find(object, key);

    if (value && !json_is_object(value)) {
        return wrong(where, key, "an object", err);
    }
    *ret = value ? value : *ret;
    return 0;
}

int lc_field_array(const json_t *object, const char *where, const char *key, const json_t **ret,
                   struct ct_error *err)
{
    const json_t *value = find(object, key);

    if (value && !json_is_array(value)) {
        return wrong(where, key, "an array", err);
    }
    *ret = value ? value : *ret;
    return 0;
}

int lc_field_strings(const json_t *object, const char *where, const char *key, struct pool *pool,
                     const char *const **ret, struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(object, where, key, &array, err) < 0) {
        return -1;
    }
    if (!array) {
        return 0;
    }
    const char **strings = pool_array(pool, json_array_size(array) + 1, sizeof(*strings));
    for (size_t i = 0; i < json_array_size(array); i++) {
        strings[i] = json_string_value(json_array_get(array, i));
        if (!strings[i]) {
            return ct_refuse(err, CT_INVALID, "%s%s%s[%zu]: it must be a string", where, dot(where),
                             key, i);
        }
    }
    *ret = strings;
    return 0;
}

int lc_field_word(const json_t *object, const char *where, const char *key,
                  const struct lc_word *table, size_t n, int64_t *ret, struct ct_error *err)
{
    const char *text = NULL;

    if (lc_field_string(object, where, key, &text, err) < 0) {
        return -1;
    }
    if (!text) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].name, text) == 0) {
            *ret = table[i].value;
            return 0;
        }
    }
    return ct_refuse(err, CT_INVALID, "%s%s%s: '%.60s' is none of '%s' … '%s'", where, dot(where),
                     key, text, table[0].name, table[n - 1].name);
}
