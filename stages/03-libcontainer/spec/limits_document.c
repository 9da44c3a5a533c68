/*
 * limits_document.c - limits as "linux.resources" has them.
 *
 * Room:       spec (stage 03).   Called by: document.c.
 * Spec:       config-linux.md, "Control groups".
 */
#define CT_LAYER "spec"
#include "spec_internal.h"

#include "json.h"

#include <inttypes.h>

static void set_number(json_t *object, const char *key, uint64_t value)
{
    if (value > 0) {
        ct_json_set(object, key, json_integer((json_int_t)value));
    }
}

static int add_memory(json_t *resources, const struct exec_limits *limits, struct ct_error *err)
{
    uint64_t both = limits->memory_swap_max_bytes;
    json_t *memory = json_object();

    ct_json_set(resources, "memory", memory);
    set_number(memory, "limit", limits->memory_max_bytes);
    set_number(memory, "reservation", limits->memory_low_bytes);
    if (both == UINT64_MAX) {
        ct_json_set(memory, "swap", json_integer(-1));
        return 0;
    }
    if (both > 0 && limits->memory_max_bytes == 0) {
        return ct_refuse(err, CT_INVALID, "limit swap: it needs a limit of memory too");
    }
    if (both > 0 && both < limits->memory_max_bytes) {
        return ct_refuse(err, CT_INVALID,
                         "limit memory plus swap to %" PRIu64 ": memory alone may be %" PRIu64,
                         both, limits->memory_max_bytes);
    }
    set_number(memory, "swap", both);
    return 0;
}

static int add_cpu(json_t *resources, const struct exec_limits *limits, struct ct_error *err)
{
    json_t *cpu = json_object();

    ct_json_set(resources, "cpu", cpu);
    if (limits->cpu_shares && (limits->cpu_shares < 2 || limits->cpu_shares > 262144)) {
        return ct_refuse(err, CT_INVALID, "give %" PRIu64 " CPU shares: 2 to 262144 are possible",
                         limits->cpu_shares);
    }
    set_number(cpu, "shares", limits->cpu_shares);
    set_number(cpu, "quota", limits->cpu_quota_us);
    if (limits->cpu_quota_us) {
        set_number(cpu, "period", limits->cpu_period_us ? limits->cpu_period_us : 100000);
    }
    if (limits->cpuset_cpus) {
        ct_json_set_string(cpu, "cpus", limits->cpuset_cpus);
    }
    if (limits->cpuset_mems) {
        ct_json_set_string(cpu, "mems", limits->cpuset_mems);
    }
    return 0;
}

int spec_add_limits(json_t *resources, const struct exec_limits *limits, struct ct_error *err)
{
    if (add_memory(resources, limits, err) < 0 || add_cpu(resources, limits, err) < 0) {
        return -1;
    }
    if (limits->pids_max != 0) {
        ct_json_set(resources, "pids",
                    json_pack("{s:I}", "limit",
                              (json_int_t)(limits->pids_max < 0 ? -1 : limits->pids_max)));
    }
    return spec_add_host_limits(resources, limits->host_config, err);
}
