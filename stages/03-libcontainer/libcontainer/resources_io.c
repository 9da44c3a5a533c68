/*
 * resources_io.c - "linux.resources.blockIO": weights and rates of block devices.
 *
 * Room:       libcontainer.   Called by: linux_resources.c.
 * Spec:       config-linux.md, "Block IO".
 */
#define CT_LAYER "config"
#include "resources_internal.h"

#include "fields.h"

#include <stdio.h>

#define WHERE "linux.resources.blockIO"

/* 0 is not set; the rest of the range is checked below. */
static const struct lc_bounds weights = {.min = 0, .max = 1000};

static int parse_weight(const json_t *object, const char *where, const char *key,
                        struct lc_optional *ret, struct ct_error *err)
{
    if (lc_optional_parse(object, where, key, &weights, ret, err) < 0) {
        return -1;
    }
    return ret->is_set && ret->value < 10
               ? ct_refuse(err, CT_INVALID, "%s.%s: it must be from 10 to 1000", where, key)
               : 0;
}

/* The numbers that every entry must have. */
static int parse_device(const json_t *entry, const char *where, struct lc_device_number *ret,
                        struct ct_error *err)
{
    if (lc_field_is_object(entry, where, err) < 0) {
        return -1;
    }
    if (!lc_field_has(entry, "major") || !lc_field_has(entry, "minor")) {
        return lc_field_missing(where, lc_field_has(entry, "major") ? "minor" : "major", err);
    }
    if (lc_field_integer(entry, where, "major", 0, UINT32_MAX, &ret->major, err) < 0 ||
        lc_field_integer(entry, where, "minor", 0, UINT32_MAX, &ret->minor, err) < 0) {
        return -1;
    }
    return 0;
}

static int parse_weight_device(const json_t *entry, const char *where, struct lc_io_weight *ret,
                               struct ct_error *err)
{
    if (parse_device(entry, where, &ret->device, err) < 0 ||
        parse_weight(entry, where, "weight", &ret->weight, err) < 0 ||
        parse_weight(entry, where, "leafWeight", &ret->leaf_weight, err) < 0) {
        return -1;
    }
    return ret->weight.is_set || ret->leaf_weight.is_set
               ? 0
               : ct_refuse(err, CT_INVALID, "%s: it must have weight or leafWeight", where);
}

static int parse_weight_devices(const json_t *io, struct pool *pool, struct lc_resources *ret,
                                struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(io, WHERE, "weightDevice", &array, err) < 0) {
        return -1;
    }
    size_t n = json_array_size(array);
    struct lc_io_weight *list = pool_array(pool, n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        char where[LC_WHERE];
        (void)snprintf(where, sizeof(where), WHERE ".weightDevice[%zu]", i);
        if (parse_weight_device(json_array_get(array, i), where, &list[i], err) < 0) {
            return -1;
        }
    }
    ret->io.weights = list;
    ret->io.n_weights = n;
    return 0;
}

static int parse_throttles(const json_t *io, const char *key, struct pool *pool,
                           struct lc_io_throttles *ret, struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(io, WHERE, key, &array, err) < 0) {
        return -1;
    }
    size_t n = json_array_size(array);
    struct lc_io_throttle *list = pool_array(pool, n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(array, i);
        char where[LC_WHERE];
        (void)snprintf(where, sizeof(where), WHERE ".%s[%zu]", key, i);
        if (parse_device(entry, where, &list[i].device, err) < 0) {
            return -1;
        }
        if (!lc_field_has(entry, "rate")) {
            return lc_field_missing(where, "rate", err);
        }
        if (lc_field_unsigned(entry, where, "rate", UINT64_MAX, &list[i].rate, err) < 0) {
            return -1;
        }
    }
    *ret = (struct lc_io_throttles){.list = list, .n = n};
    return 0;
}

int lc_resources_parse_io(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                          struct ct_error *err)
{
    const json_t *io = NULL;

    if (lc_field_object(resources, "linux.resources", "blockIO", &io, err) < 0) {
        return -1;
    }
    if (!io) {
        return 0;
    }
    if (parse_weight(io, WHERE, "weight", &ret->io.weight, err) < 0 ||
        parse_weight(io, WHERE, "leafWeight", &ret->io.leaf_weight, err) < 0 ||
        parse_weight_devices(io, pool, ret, err) < 0 ||
        parse_throttles(io, "throttleReadBpsDevice", pool, &ret->io.read_bps, err) < 0 ||
        parse_throttles(io, "throttleWriteBpsDevice", pool, &ret->io.write_bps, err) < 0 ||
        parse_throttles(io, "throttleReadIOPSDevice", pool, &ret->io.read_iops, err) < 0) {
        return -1;
    }
    return parse_throttles(io, "throttleWriteIOPSDevice", pool, &ret->io.write_iops, err);
}
