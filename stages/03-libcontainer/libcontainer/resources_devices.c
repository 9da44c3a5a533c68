/*
 * resources_devices.c - "linux.resources.devices": rules of which devices may be used.
 *
 * Room:       libcontainer.   Called by: linux_resources.c.
 * Spec:       config-linux.md, "Allowed Device list".
 */
#define CT_LAYER "config"
#include "resources_internal.h"

#include "fields.h"

#include <stdio.h>
#include <string.h>

/* A major or minor number: missing or -1 is all. */
static int parse_number(const json_t *rule, const char *where, const char *key, int64_t *ret,
                        struct ct_error *err)
{
    *ret = -1;
    return lc_field_integer(rule, where, key, -1, UINT32_MAX, ret, err);
}

static int parse_type(const json_t *rule, const char *where, char *ret, struct ct_error *err)
{
    static const struct lc_word types[] = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}};
    int64_t type = 'a';

    if (lc_field_word(rule, where, "type", types, sizeof(types) / sizeof(types[0]), &type, err) <
        0) {
        return -1;
    }
    *ret = (char)type;
    return 0;
}

/* A composition of 'r', 'w' and 'm'; missing it is all of them, as the other fields are. */
static int parse_access(const json_t *rule, const char *where, struct lc_device_rule *ret,
                        struct ct_error *err)
{
    const char *access = "rwm";

    if (lc_field_string(rule, where, "access", &access, err) < 0) {
        return -1;
    }
    if (!*access || strspn(access, "rwm") != strlen(access)) {
        return ct_refuse(err, CT_INVALID, "%s.access: '%.20s' is not made of r, w and m", where,
                         access);
    }
    ret->read = strchr(access, 'r') != NULL;
    ret->write = strchr(access, 'w') != NULL;
    ret->mknod = strchr(access, 'm') != NULL;
    return 0;
}

static int parse_rule(const json_t *rule, const char *where, struct lc_device_rule *ret,
                      struct ct_error *err)
{
    if (lc_field_is_object(rule, where, err) < 0) {
        return -1;
    }
    if (!lc_field_has(rule, "allow")) {
        return lc_field_missing(where, "allow", err);
    }
    if (lc_field_bool(rule, where, "allow", &ret->allow, err) < 0 ||
        parse_type(rule, where, &ret->type, err) < 0 ||
        parse_number(rule, where, "major", &ret->major, err) < 0 ||
        parse_number(rule, where, "minor", &ret->minor, err) < 0) {
        return -1;
    }
    return parse_access(rule, where, ret, err);
}

int lc_resources_parse_devices(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                               struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(resources, "linux.resources", "devices", &array, err) < 0) {
        return -1;
    }
    size_t n = json_array_size(array);
    if (n == 0) {
        return 0;
    }
    struct lc_device_rule *rules = pool_array(pool, n, sizeof(*rules));
    for (size_t i = 0; i < n; i++) {
        char where[LC_WHERE];
        (void)snprintf(where, sizeof(where), "linux.resources.devices[%zu]", i);
        if (parse_rule(json_array_get(array, i), where, &rules[i], err) < 0) {
            return -1;
        }
    }
    ret->devices = rules;
    ret->n_devices = n;
    return 0;
}
