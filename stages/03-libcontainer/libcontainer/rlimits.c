/*
 * rlimits.c - limits of a process.
 *
 * Room:       libcontainer.   Called by: see rlimits.h.
 */
#define CT_LAYER "rlimits"
#include "rlimits.h"

#include "fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* As <sys/resource.h> numbers them. The schema allows any name of this form; these are Linux's. */
static const struct lc_word names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* Both values must be there: 0 is a limit, too. */
static int parse_value(const json_t *object, const char *where, const char *key, rlim_t *ret,
                       struct ct_error *err)
{
    uint64_t value = 0;

    if (!lc_field_has(object, key)) {
        return lc_field_missing(where, key, err);
    }
    if (lc_field_unsigned(object, where, key, UINT64_MAX, &value, err) < 0) {
        return -1;
    }
    *ret = value; /* RLIM_INFINITY is all bits set, in both notations */
    return 0;
}

static int parse_limit(const json_t *object, const char *where, struct lc_rlimit *ret,
                       struct ct_error *err)
{
    int64_t resource = -1;

    if (lc_field_is_object(object, where, err) < 0 ||
        lc_field_word(object, where, "type", names, N_NAMES, &resource, err) < 0) {
        return -1;
    }
    if (resource < 0) {
        return lc_field_missing(where, "type", err);
    }
    ret->resource = (int)resource;
    ret->name = json_string_value(json_object_get(object, "type"));
    if (parse_value(object, where, "soft", &ret->value.rlim_cur, err) < 0 ||
        parse_value(object, where, "hard", &ret->value.rlim_max, err) < 0) {
        return -1;
    }
    if (ret->value.rlim_cur > ret->value.rlim_max) {
        return ct_refuse(err, CT_INVALID, "%s: the soft limit of %s is over the hard one", where,
                         ret->name);
    }
    return 0;
}

int lc_rlimits_parse(const json_t *rlimits, const char *where, struct pool *pool,
                     const struct lc_rlimit **ret, size_t *ret_n, struct ct_error *err)
{
    size_t n = json_array_size(rlimits);
    struct lc_rlimit *limits = pool_array(pool, n, sizeof(*limits));

    if (rlimits && !json_is_array(rlimits)) {
        return ct_refuse(err, CT_INVALID, "%s: it must be an array", where);
    }
    for (size_t i = 0; i < n; i++) {
        char element[LC_WHERE];
        (void)snprintf(element, sizeof(element), "%s[%zu]", where, i);
        if (parse_limit(json_array_get(rlimits, i), element, &limits[i], err) < 0) {
            return -1;
        }
        for (size_t j = 0; j < i; j++) {
            if (limits[j].resource == limits[i].resource) {
                return ct_refuse(err, CT_INVALID, "%s: %s is there twice", element, limits[i].name);
            }
        }
    }
    *ret = limits;
    *ret_n = n;
    return 0;
}

static const char *value_text(rlim_t value, char text[static 24])
{
    (void)snprintf(text, 24, value == RLIM_INFINITY ? "unlimited" : "%" PRIu64, (uint64_t)value);
    return text;
}

/* EPERM alone does not say which number was too high, nor for whom. */
static int refuse(const struct lc_rlimit *limit, pid_t pid, int failure, struct ct_error *err)
{
    char soft[24], hard[24], now[24];
    struct rlimit current;

    (void)ct_fail(err, failure, "set %s to %s (hard: %s)", limit->name,
                  value_text(limit->value.rlim_cur, soft), value_text(limit->value.rlim_max, hard));
    if (failure != EPERM ||
        prlimit(pid, (__rlimit_resource_t)limit->resource, NULL, &current) < 0) {
        return -1;
    }
    if (limit->value.rlim_max > current.rlim_max) {
        return ct_hint(
            err, "a hard limit of at most %s, the runtime's own; more needs CAP_SYS_RESOURCE%s",
            value_text(current.rlim_max, now),
            limit->resource == RLIMIT_NOFILE ? " and is never over fs.nr_open" : "");
    }
    return -1;
}

int lc_rlimits_apply(const struct lc_rlimit *limits, size_t n, pid_t pid, struct ct_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (prlimit(pid, (__rlimit_resource_t)limits[i].resource, &limits[i].value, NULL) < 0) {
            return refuse(&limits[i], pid, errno, err);
        }
    }
    return 0;
}
