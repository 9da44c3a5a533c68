/*
 * resources.c - Docker's limits as settings of control groups.
 *
 * Room:       execdriver/lxc.   Called by: see resources.h.
 */
#define CT_LAYER "execdriver"
#include "resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct list {
    struct limit_setting *settings;
    size_t n;
};

static struct limit_setting *add(struct list *list, const char *controller, const char *file_v1,
                                 const char *file_v2)
{
    struct limit_setting *setting = &list->settings[list->n++];

    *setting =
        (struct limit_setting){.controller = controller, .file_v1 = file_v1, .file_v2 = file_v2};
    return setting;
}

static void add_number(struct list *list, const char *controller, const char *file_v1,
                       const char *file_v2, uint64_t value)
{
    if (value > 0) {
        struct limit_setting *setting = add(list, controller, file_v1, file_v2);
        (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%" PRIu64, value);
        (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%" PRIu64, value);
    }
}

/* v1 limits memory plus swap, v2 swap alone. */
static int add_swap(struct list *list, const struct exec_limits *limits, struct ct_error *err)
{
    uint64_t both = limits->memory_swap_max_bytes;

    if (both == 0) {
        return 0;
    }
    if (both != UINT64_MAX && limits->memory_max_bytes == 0) {
        return ct_refuse(err, CT_INVALID, "limit swap: it needs a limit of memory too");
    }
    if (both < limits->memory_max_bytes) {
        return ct_refuse(err, CT_INVALID,
                         "limit memory plus swap to %" PRIu64 ": memory alone may be %" PRIu64,
                         both, limits->memory_max_bytes);
    }
    struct limit_setting *setting =
        add(list, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    if (both == UINT64_MAX) {
        (void)strcpy(setting->value_v1, "-1");
        (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%s", "max");
    } else {
        (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%" PRIu64, both);
        (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%" PRIu64,
                       both - limits->memory_max_bytes);
    }
    return 0;
}

/* v1 has two files, v2 one with both numbers. */
static void add_quota(struct list *list, const struct exec_limits *limits)
{
    uint64_t period = limits->cpu_period_us ? limits->cpu_period_us : 100000;

    if (limits->cpu_quota_us == 0) {
        return;
    }
    add_number(list, "cpu", "cpu.cfs_period_us", NULL, period);
    struct limit_setting *setting = add(list, "cpu", "cpu.cfs_quota_us", "cpu.max");
    (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%" PRIu64, limits->cpu_quota_us);
    (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%" PRIu64 " %" PRIu64,
                   limits->cpu_quota_us, period);
}

/* Shares run from 2 to 262144, weights from 1 to 10000. */
static int add_shares(struct list *list, uint64_t shares, struct ct_error *err)
{
    if (shares == 0) {
        return 0;
    }
    if (shares < 2 || shares > 262144) {
        return ct_refuse(err, CT_INVALID, "give %" PRIu64 " CPU shares: 2 to 262144 are possible",
                         shares);
    }
    struct limit_setting *setting = add(list, "cpu", "cpu.shares", "cpu.weight");
    (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%" PRIu64, shares);
    (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%" PRIu64,
                   1 + (shares - 2) * 9999 / 262142);
    return 0;
}

/* "0-3,5": digits, commas, dashes. The kernel checks the rest. */
static int add_cpuset(struct list *list, const char *file, const char *value, struct ct_error *err)
{
    if (!value || !value[0]) {
        return 0;
    }
    if (strlen(value) >= sizeof(list->settings[0].value_v1) ||
        strspn(value, "0123456789,-") != strlen(value)) {
        return ct_refuse(err, CT_INVALID, "set %s to '%.60s': it is not a list such as 0-3,5", file,
                         value);
    }
    struct limit_setting *setting = add(list, "cpuset", file, file);
    (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%s", value);
    (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%s", value);
    return 0;
}

static void add_pids(struct list *list, int64_t pids_max)
{
    if (pids_max > 0) {
        add_number(list, "pids", "pids.max", "pids.max", (uint64_t)pids_max);
    } else if (pids_max < 0) {
        struct limit_setting *setting = add(list, "pids", "pids.max", "pids.max");
        (void)snprintf(setting->value_v1, sizeof(setting->value_v1), "%s", "max");
        (void)snprintf(setting->value_v2, sizeof(setting->value_v2), "%s", "max");
    }
}

ssize_t limits_settings(const struct exec_limits *limits,
                        struct limit_setting settings[static LIMIT_SETTINGS_MAX],
                        struct ct_error *err)
{
    struct list list = {.settings = settings};

    add_number(&list, "memory", "memory.limit_in_bytes", "memory.max", limits->memory_max_bytes);
    add_number(&list, "memory", "memory.soft_limit_in_bytes", "memory.low",
               limits->memory_low_bytes);
    add_quota(&list, limits);
    add_pids(&list, limits->pids_max);
    if (add_swap(&list, limits, err) < 0 || add_shares(&list, limits->cpu_shares, err) < 0 ||
        add_cpuset(&list, "cpuset.cpus", limits->cpuset_cpus, err) < 0 ||
        add_cpuset(&list, "cpuset.mems", limits->cpuset_mems, err) < 0) {
        return -1;
    }
    return (ssize_t)list.n;
}
