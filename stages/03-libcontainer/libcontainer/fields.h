/*
 * fields.h - reading config.json: a field has the type and the range that the schema gives it, or
 * the error names it ("linux.resources.pids.limit: …").
 *
 * Room:       libcontainer. Called by: every file here that has a section of the configuration.
 * Spec:       runtime-spec, the schema. A property that the schema does not know is passed over
 *             (config.md, "Extensibility"); one that it knows is honoured or refused by name.
 *
 * where is the path of the object, for messages: "linux.resources". All return 0, or -1 with
 * CT_INVALID. A field that is missing or null leaves *ret as it is: set the default before.
 */
#ifndef LC_FIELDS_H
#define LC_FIELDS_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

int lc_field_string(const json_t *object, const char *where, const char *key, const char **ret,
                    struct ct_error *err);
int lc_field_bool(const json_t *object, const char *where, const char *key, bool *ret,
                  struct ct_error *err);
/* Whole numbers, also those over 2^63 that were read as real ones. */
int lc_field_integer(const json_t *object, const char *where, const char *key, int64_t min,
                     int64_t max, int64_t *ret, struct ct_error *err);
int lc_field_unsigned(const json_t *object, const char *where, const char *key, uint64_t max,
                      uint64_t *ret, struct ct_error *err);
int lc_field_object(const json_t *object, const char *where, const char *key, const json_t **ret,
                    struct ct_error *err);
int lc_field_array(const json_t *object, const char *where, const char *key, const json_t **ret,
                   struct ct_error *err);
/* An array of strings as a NULL-terminated vector in pool; the strings are the document's. */
int lc_field_strings(const json_t *object, const char *where, const char *key, struct pool *pool,
                     const char *const **ret, struct ct_error *err);

/* "linux.devices[3]: it must be an object": for the elements of an array. */
int lc_field_is_object(const json_t *value, const char *where, struct ct_error *err);
/* Whether key is there and not null. */
bool lc_field_has(const json_t *object, const char *key);
/* The refusal of a field that must be there. Returns -1. */
int lc_field_missing(const char *where, const char *key, struct ct_error *err);
/* The refusal (CT_UNSUPPORTED) of a field that is there and that we do not honour; else 0. */
int lc_field_refuse(const json_t *object, const char *where, const char *key, const char *why,
                    struct ct_error *err);

/* One of a table of words, as the schema's enum. */
struct lc_word {
    const char *name;
    int64_t value;
};
/* n words of table; missing: *ret stays. CT_INVALID names what is allowed. */
int lc_field_word(const json_t *object, const char *where, const char *key,
                  const struct lc_word *table, size_t n, int64_t *ret, struct ct_error *err);

#define LC_WHERE 96 /* bytes for a path that is put together: "mounts[12]" */

#endif
