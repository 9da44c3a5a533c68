/*
 * resources_internal.h - what the files that take "linux.resources" apart share.
 *
 * Room:       libcontainer, inside linux_resources.h.
 * Called by:  linux_resources.c (memory, cpu, pids), resources_devices.c (devices),
 *             resources_io.c (blockIO), resources_named.c (what has names of its own: huge pages,
 *             network, rdma, unified).
 */
#ifndef LC_RESOURCES_INTERNAL_H
#define LC_RESOURCES_INTERNAL_H

#include "linux_resources.h"

struct lc_bounds {
    int64_t min, max;
    bool zero_is_a_value; /* else 0 is: not set */
};

/* A number that may be missing: then *ret stays. */
int lc_optional_parse(const json_t *object, const char *where, const char *key,
                      const struct lc_bounds *bounds, struct lc_optional *ret,
                      struct ct_error *err);

int lc_resources_parse_devices(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                               struct ct_error *err);
int lc_resources_parse_io(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                          struct ct_error *err);
int lc_resources_parse_named(const json_t *resources, struct lc_resources *ret,
                             struct ct_error *err);

#endif
