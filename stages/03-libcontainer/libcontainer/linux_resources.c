/*
 * linux_resources.c - "linux.resources", taken apart: memory, cpu, pids and the door.
 *
 * Room:       libcontainer.   Called by: see linux_resources.h.
 * Spec:       config-linux.md, "Control groups".
 *
 * What a value means is decided here, once, for both versions of cgroups: 0 where a limit of 0
 * would make no sense is "not set", as runc has it; -1 is "no limit". Whether the machine can do it
 * is found out when it is written.
 */
#define CT_LAYER "config"
#include "linux_resources.h"

#include "fields.h"
#include "resources_internal.h"

#include <string.h>

#define WHERE "linux.resources"

int lc_optional_parse(const json_t *object, const char *where, const char *key,
                      const struct lc_bounds *bounds, struct lc_optional *ret, struct ct_error *err)
{
    int64_t value = 0;

    if (!lc_field_has(object, key)) {
        return 0;
    }
    if (lc_field_integer(object, where, key, bounds->min, bounds->max, &value, err) < 0) {
        return -1;
    }
    *ret = (struct lc_optional){.is_set = value != 0 || bounds->zero_is_a_value, .value = value};
    return 0;
}

static const struct lc_bounds bytes = {.min = -1, .max = INT64_MAX};
static const struct lc_bounds microseconds = {.min = 0, .max = INT64_MAX};
static const struct lc_bounds signed_microseconds = {.min = -1, .max = INT64_MAX};

/* One row of a table: a number of a section. */
struct number {
    const char *key;
    const struct lc_bounds *bounds;
    struct lc_optional *ret;
};

static int parse_numbers(const json_t *object, const char *where, const struct number *numbers,
                         size_t n, struct ct_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (lc_optional_parse(object, where, numbers[i].key, numbers[i].bounds, numbers[i].ret,
                              err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- memory --------------------------------------------------------------------------------- */

/* 2^64 - 1 is Docker's old -1: not set. */
static int parse_swappiness(const json_t *memory, struct lc_resources *ret, struct ct_error *err)
{
    uint64_t value = UINT64_MAX;

    if (lc_field_unsigned(memory, WHERE ".memory", "swappiness", UINT64_MAX, &value, err) < 0) {
        return -1;
    }
    if (value != UINT64_MAX && value > 100) {
        return ct_refuse(err, CT_INVALID, WHERE ".memory.swappiness: it must be from 0 to 100");
    }
    ret->memory.swappiness =
        (struct lc_optional){.is_set = value != UINT64_MAX, .value = (int64_t)value};
    return 0;
}

/* swap is memory and swap together: the part cannot be larger than the whole. */
static int check_swap(const struct lc_resources *resources, struct ct_error *err)
{
    const struct lc_optional *limit = &resources->memory.limit, *swap = &resources->memory.swap;

    if (!swap->is_set || swap->value < 0 || !limit->is_set) {
        return 0;
    }
    if (limit->value < 0 || swap->value < limit->value) {
        return ct_refuse(err, CT_INVALID,
                         WHERE ".memory.swap: it is memory plus swap, so not less than limit");
    }
    return 0;
}

static int parse_memory(const json_t *memory, struct lc_resources *ret, struct ct_error *err)
{
    const struct number numbers[] = {
        {"limit", &bytes, &ret->memory.limit},
        {"reservation", &bytes, &ret->memory.reservation},
        {"swap", &bytes, &ret->memory.swap},
        {"kernel", &bytes, &ret->memory.kernel},
        {"kernelTCP", &bytes, &ret->memory.kernel_tcp},
    };
    const char *where = WHERE ".memory";

    ret->memory.has_use_hierarchy = lc_field_has(memory, "useHierarchy");
    if (parse_numbers(memory, where, numbers, sizeof(numbers) / sizeof(numbers[0]), err) < 0 ||
        parse_swappiness(memory, ret, err) < 0 ||
        lc_field_bool(memory, where, "disableOOMKiller", &ret->memory.disable_oom_killer, err) <
            0 ||
        lc_field_bool(memory, where, "useHierarchy", &ret->memory.use_hierarchy, err) < 0 ||
        lc_field_bool(memory, where, "checkBeforeUpdate", &ret->memory.check_before_update, err) <
            0) {
        return -1;
    }
    return check_swap(ret, err);
}

/* ---- cpu ------------------------------------------------------------------------------------ */

/* "0-3,5" or "0-30:2/4" (cpuset(7), "List format"); "" is not set. The kernel checks the rest. */
static int parse_list(const json_t *cpu, const char *key, const char **ret, struct ct_error *err)
{
    const char *list = NULL;

    if (lc_field_string(cpu, WHERE ".cpu", key, &list, err) < 0) {
        return -1;
    }
    if (list && strspn(list, "0123456789,-:/ ") != strlen(list)) {
        return ct_refuse(err, CT_INVALID, WHERE ".cpu.%s: '%.60s' is not a list such as 0-3,5", key,
                         list);
    }
    *ret = list && *list ? list : *ret;
    return 0;
}

static int parse_cpu(const json_t *cpu, struct lc_resources *ret, struct ct_error *err)
{
    /* The kernel makes what is out of this range fit without a word. */
    static const struct lc_bounds shares = {.min = 0, .max = 262144};
    static const struct lc_bounds burst = {.min = 0, .max = INT64_MAX, .zero_is_a_value = true};
    static const struct lc_bounds idle = {.min = 0, .max = 1, .zero_is_a_value = true};
    static const struct lc_bounds runtime = {.min = -1, .max = INT64_MAX, .zero_is_a_value = true};
    const struct number numbers[] = {
        {"shares", &shares, &ret->cpu.shares},
        {"quota", &signed_microseconds, &ret->cpu.quota},
        {"burst", &burst, &ret->cpu.burst},
        {"period", &microseconds, &ret->cpu.period},
        {"realtimeRuntime", &runtime, &ret->cpu.realtime_runtime},
        {"realtimePeriod", &microseconds, &ret->cpu.realtime_period},
        {"idle", &idle, &ret->cpu.idle},
    };

    if (parse_numbers(cpu, WHERE ".cpu", numbers, sizeof(numbers) / sizeof(numbers[0]), err) < 0 ||
        parse_list(cpu, "cpus", &ret->cpu.cpus, err) < 0 ||
        parse_list(cpu, "mems", &ret->cpu.mems, err) < 0) {
        return -1;
    }
    if (ret->cpu.shares.is_set && ret->cpu.shares.value < 2) {
        return ct_refuse(err, CT_INVALID, WHERE ".cpu.shares: it must be from 2 to 262144");
    }
    if (ret->cpu.burst.is_set && ret->cpu.quota.value > 0 &&
        ret->cpu.burst.value > ret->cpu.quota.value) {
        return ct_refuse(err, CT_INVALID, WHERE ".cpu.burst: it must not be larger than quota");
    }
    return 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static int parse_pids(const json_t *pids, struct lc_resources *ret, struct ct_error *err)
{
    static const struct lc_bounds tasks = {.min = -1, .max = INT64_MAX};

    return lc_optional_parse(pids, WHERE ".pids", "limit", &tasks, &ret->pids_limit, err);
}

int lc_resources_parse(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                       struct ct_error *err)
{
    const json_t *memory = NULL, *cpu = NULL, *pids = NULL;

    *ret = (struct lc_resources){0};
    if (!resources) {
        return 0;
    }
    if (lc_field_is_object(resources, WHERE, err) < 0 ||
        lc_field_object(resources, WHERE, "memory", &memory, err) < 0 ||
        lc_field_object(resources, WHERE, "cpu", &cpu, err) < 0 ||
        lc_field_object(resources, WHERE, "pids", &pids, err) < 0) {
        return -1;
    }
    if ((memory && parse_memory(memory, ret, err) < 0) || (cpu && parse_cpu(cpu, ret, err) < 0) ||
        (pids && parse_pids(pids, ret, err) < 0)) {
        return -1;
    }
    if (lc_resources_parse_devices(resources, pool, ret, err) < 0 ||
        lc_resources_parse_io(resources, pool, ret, err) < 0 ||
        lc_resources_parse_named(resources, ret, err) < 0) {
        return -1;
    }
    return 0;
}
