/*
 * cgroup_v2_settings.c - cgroups version 2: which values limits become.
 *
 * Room:       libcontainer.   Called by: cgroups.c.
 * Spec:       config-linux.md, "Control groups". Its values are those of v1: some are converted.
 * Man:        kernel Documentation/admin-guide/cgroup-v2.rst.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Shares go from 2 to 262144 with 1024 in the middle, weights from 1 to 10000 with 100 there. A
 * straight line would make 39 of 1024, less than what runs beside it in groups of nobody's. This
 * curve meets all three points; runc, crun and Kubernetes took it in 2025.
 */
uint64_t lc_v2_cpu_weight(int64_t shares)
{
    if (shares <= 2) {
        return 1;
    }
    if (shares >= 262144) {
        return 10000;
    }
    double l = log2((double)shares);
    double exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
    return (uint64_t)ceil(pow(10, exponent));
}

/* Weights of 10 to 1000 on a straight line to 1 to 10000. */
uint64_t lc_v2_io_weight(int64_t weight)
{
    return 1 + ((uint64_t)weight - 10) * 9999 / 990;
}

static void limit(struct lc_settings *ret, const char *field, const char *controller,
                  const char *file, const struct lc_optional *value)
{
    if (value->is_set) {
        (void)lc_settings_limit(ret, field, controller, file, value->value, "max");
    }
}

/*
 * v1 has one limit of memory and swap together, v2 one of swap alone. What is asked for as "all" or
 * "none" is so where the kernel does not count swap.
 */
static int add_swap(struct lc_group *group, const struct lc_resources *r, struct lc_settings *ret,
                    struct ct_error *err)
{
    const struct lc_optional *both = &r->memory.swap;
    uint64_t memory = (uint64_t)r->memory.limit.value;
    bool lifts = r->memory.limit.is_set && r->memory.limit.value < 0;

    if (!both->is_set && !lifts) {
        return 0;
    }
    if (!both->is_set || both->value < 0) {
        lc_settings_add(ret, "memory.swap", "memory", "memory.swap.max", "max")->may_lack = true;
        return 0;
    }
    if (!r->memory.limit.is_set && !(group && lc_group_number(group, "memory.max", &memory))) {
        memory = UINT64_MAX;
    }
    if (memory > (uint64_t)both->value) {
        return ct_refuse(err, CT_INVALID,
                         "use linux.resources.memory.swap: it needs a limit of memory that is not "
                         "larger");
    }
    uint64_t swap = (uint64_t)both->value - memory;
    lc_settings_add(ret, "memory.swap", "memory", "memory.swap.max", "%" PRIu64, swap)->may_lack =
        swap == 0;
    return 0;
}

static int add_memory(struct lc_group *group, const struct lc_resources *r, struct lc_settings *ret,
                      struct ct_error *err)
{
    if (r->memory.kernel_tcp.is_set && r->memory.kernel_tcp.value > 0) {
        return lc_settings_refuse("memory.kernelTCP", "version 2 of cgroups has no such limit",
                                  err);
    }
    if (r->memory.swappiness.is_set) {
        return lc_settings_refuse("memory.swappiness", "version 2 of cgroups has none for a group",
                                  err);
    }
    if (r->memory.disable_oom_killer) {
        return lc_settings_refuse("memory.disableOOMKiller", "version 2 of cgroups cannot", err);
    }
    limit(ret, "memory.limit", "memory", "memory.max", &r->memory.limit);
    limit(ret, "memory.reservation", "memory", "memory.low", &r->memory.reservation);
    return add_swap(group, r, ret, err);
}

/* cpu.max has both: "QUOTA PERIOD". A quota alone leaves the period; a period alone needs the quota
 * that is there. */
static void add_quota(struct lc_group *group, const struct lc_resources *r, struct lc_settings *ret)
{
    const struct lc_optional *quota = &r->cpu.quota, *period = &r->cpu.period;
    struct ct_error ignored = {0};
    char now[32] = "max";

    if (!quota->is_set && !period->is_set) {
        return;
    }
    if (quota->is_set && quota->value > 0) {
        (void)snprintf(now, sizeof(now), "%" PRId64, quota->value);
    } else if (!quota->is_set) {
        CT_AUTO_FREE char *text =
            group ? lc_group_read(group, group->path, "cpu.max", &ignored) : NULL;
        (void)snprintf(now, sizeof(now), "%.*s", text ? (int)strcspn(text, " \n") : 3,
                       text ? text : "max");
    }
    if (period->is_set) {
        (void)lc_settings_add(ret, "cpu.period", "cpu", "cpu.max", "%s %" PRId64, now,
                              period->value);
    } else {
        (void)lc_settings_add(ret, "cpu.quota", "cpu", "cpu.max", "%s", now);
    }
}

static int add_cpu(struct lc_group *group, const struct lc_resources *r, struct lc_settings *ret,
                   struct ct_error *err)
{
    if (r->cpu.realtime_runtime.is_set || r->cpu.realtime_period.is_set) {
        return lc_settings_refuse(r->cpu.realtime_runtime.is_set ? "cpu.realtimeRuntime"
                                                                 : "cpu.realtimePeriod",
                                  "version 2 of cgroups has no realtime for groups", err);
    }
    if (r->cpu.shares.is_set) {
        (void)lc_settings_add(ret, "cpu.shares", "cpu", "cpu.weight", "%" PRIu64,
                              lc_v2_cpu_weight(r->cpu.shares.value));
    }
    add_quota(group, r, ret);
    limit(ret, "cpu.burst", "cpu", "cpu.max.burst", &r->cpu.burst);
    limit(ret, "cpu.idle", "cpu", "cpu.idle", &r->cpu.idle);
    if (r->cpu.cpus) {
        (void)lc_settings_add(ret, "cpu.cpus", "cpuset", "cpuset.cpus", "%s", r->cpu.cpus);
    }
    if (r->cpu.mems) {
        (void)lc_settings_add(ret, "cpu.mems", "cpuset", "cpuset.mems", "%s", r->cpu.mems);
    }
    return 0;
}

/* BFQ takes the weights of v1; io.weight is of the io.cost controller and has a range of its own.
 */
static void add_io_weight(struct lc_settings *ret, const char *field, const char *device,
                          int64_t weight)
{
    const char *converted = lc_settings_text(ret, "%s%" PRIu64, device, lc_v2_io_weight(weight));
    struct lc_setting *setting =
        lc_settings_add(ret, field, "io", "io.bfq.weight", "%s%" PRId64, device, weight);

    setting->other_file = "io.weight";
    setting->other_value = converted;
}

static int add_io_weights(const struct lc_resources *r, struct lc_settings *ret,
                          struct ct_error *err)
{
    static const char *no_leaf = "version 2 of cgroups has no weights for leaves";

    if (r->io.leaf_weight.is_set) {
        return lc_settings_refuse("blockIO.leafWeight", no_leaf, err);
    }
    if (r->io.weight.is_set) {
        add_io_weight(ret, "blockIO.weight", "", r->io.weight.value);
    }
    for (size_t i = 0; i < r->io.n_weights; i++) {
        const struct lc_io_weight *w = &r->io.weights[i];
        if (w->leaf_weight.is_set) {
            return lc_settings_refuse("blockIO.weightDevice.leafWeight", no_leaf, err);
        }
        add_io_weight(
            ret, "blockIO.weightDevice",
            lc_settings_text(ret, "%" PRId64 ":%" PRId64 " ", w->device.major, w->device.minor),
            w->weight.value);
    }
    return 0;
}

/* v1 lifts a limit by 0, v2 by "max". */
static void add_throttles(struct lc_settings *ret, const char *field, const char *key,
                          const struct lc_io_throttles *throttles)
{
    for (size_t i = 0; i < throttles->n; i++) {
        const struct lc_io_throttle *t = &throttles->list[i];
        const char *rate = t->rate == 0 || t->rate == UINT64_MAX
                               ? "max"
                               : lc_settings_text(ret, "%" PRIu64, t->rate);
        (void)lc_settings_add(ret, field, "io", "io.max", "%" PRId64 ":%" PRId64 " %s=%s",
                              t->device.major, t->device.minor, key, rate);
    }
}

static int add_io(const struct lc_resources *r, struct lc_settings *ret, struct ct_error *err)
{
    if (add_io_weights(r, ret, err) < 0) {
        return -1;
    }
    add_throttles(ret, "blockIO.throttleReadBpsDevice", "rbps", &r->io.read_bps);
    add_throttles(ret, "blockIO.throttleWriteBpsDevice", "wbps", &r->io.write_bps);
    add_throttles(ret, "blockIO.throttleReadIOPSDevice", "riops", &r->io.read_iops);
    add_throttles(ret, "blockIO.throttleWriteIOPSDevice", "wiops", &r->io.write_iops);
    return 0;
}

/* As they are, after all others: who writes them knows v2. */
static void add_unified(const struct lc_resources *r, struct lc_settings *ret)
{
    const char *file = NULL;
    json_t *value = NULL;

    /* The macro wants an object that could be changed; it changes nothing. */
    json_object_foreach((json_t *)r->unified, file, value)
    {
        (void)lc_settings_add(ret, "unified",
                              lc_settings_text(ret, "%.*s", (int)strcspn(file, "."), file), file,
                              "%s", json_string_value(value));
    }
}

int lc_v2_settings(struct lc_group *group, const struct lc_resources *resources,
                   struct lc_settings *ret, struct ct_error *err)
{
    if (resources->network.class_id.is_set || json_array_size(resources->network.priorities) > 0) {
        return lc_settings_refuse(resources->network.class_id.is_set ? "network.classID"
                                                                     : "network.priorities",
                                  "version 2 of cgroups has no controller for it", err);
    }
    if (lc_settings_refuse_memory(resources, err) < 0 ||
        add_memory(group, resources, ret, err) < 0 || add_cpu(group, resources, ret, err) < 0 ||
        add_io(resources, ret, err) < 0) {
        return -1;
    }
    limit(ret, "pids.limit", "pids", "pids.max", &resources->pids_limit);
    lc_settings_add_hugepages(ret, resources->hugepages, "max");
    lc_settings_add_rdma(ret, resources->rdma);
    add_unified(resources, ret);
    return 0;
}
