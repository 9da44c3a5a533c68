/*
 * cgroup_v1_settings.c - cgroups version 1: which values limits become.
 *
 * Room:       libcontainer.   Called by: cgroups.c.
 * Spec:       config-linux.md, "Control groups".
 * Man:        kernel Documentation/admin-guide/cgroup-v1/.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include <inttypes.h>

/* -1 lifts a limit: the kernel reads it as its largest number. */
static struct lc_setting *limit(struct lc_settings *ret, const char *field, const char *controller,
                                const char *file, const struct lc_optional *value)
{
    return value->is_set ? lc_settings_limit(ret, field, controller, file, value->value, "-1")
                         : NULL;
}

/* Without a limit nothing is lost where the kernel has no file for it. */
static void limit_if_any(struct lc_settings *ret, const char *field, const char *controller,
                         const char *file, const struct lc_optional *value)
{
    struct lc_setting *setting = limit(ret, field, controller, file, value);

    if (setting) {
        setting->may_lack = value->value < 0;
    }
}

static void add_memory(const struct lc_resources *r, struct lc_settings *ret)
{
    static const struct lc_optional none = {.is_set = true, .value = -1};
    /* memory <= memory plus swap: memory without limit lifts the limit of both. */
    bool lifts = r->memory.limit.is_set && r->memory.limit.value < 0 && !r->memory.swap.is_set;

    (void)limit(ret, "memory.limit", "memory", "memory.limit_in_bytes", &r->memory.limit);
    limit_if_any(ret, "memory.swap", "memory", "memory.memsw.limit_in_bytes",
                 lifts ? &none : &r->memory.swap);
    (void)limit(ret, "memory.reservation", "memory", "memory.soft_limit_in_bytes",
                &r->memory.reservation);
    limit_if_any(ret, "memory.kernelTCP", "memory", "memory.kmem.tcp.limit_in_bytes",
                 &r->memory.kernel_tcp);
    (void)limit(ret, "memory.swappiness", "memory", "memory.swappiness", &r->memory.swappiness);
    if (r->memory.disable_oom_killer) {
        (void)lc_settings_add(ret, "memory.disableOOMKiller", "memory", "memory.oom_control", "1");
    }
}

static void add_cpu(const struct lc_resources *r, struct lc_settings *ret)
{
    (void)limit(ret, "cpu.shares", "cpu", "cpu.shares", &r->cpu.shares);
    (void)limit(ret, "cpu.period", "cpu", "cpu.cfs_period_us", &r->cpu.period);
    (void)limit(ret, "cpu.quota", "cpu", "cpu.cfs_quota_us", &r->cpu.quota);
    (void)limit(ret, "cpu.burst", "cpu", "cpu.cfs_burst_us", &r->cpu.burst);
    (void)limit(ret, "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", &r->cpu.realtime_period);
    (void)limit(ret, "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", &r->cpu.realtime_runtime);
    (void)limit(ret, "cpu.idle", "cpu", "cpu.idle", &r->cpu.idle);
    if (r->cpu.cpus) {
        (void)lc_settings_add(ret, "cpu.cpus", "cpuset", "cpuset.cpus", "%s", r->cpu.cpus);
    }
    if (r->cpu.mems) {
        (void)lc_settings_add(ret, "cpu.mems", "cpuset", "cpuset.mems", "%s", r->cpu.mems);
    }
}

/* Weights are the I/O scheduler's: BFQ's today; older kernels had CFQ, without a name in the file.
 */
static void add_io_weight(struct lc_settings *ret, const char *field, const char *bfq,
                          const char *cfq, const char *value)
{
    struct lc_setting *setting = lc_settings_add(ret, field, "blkio", bfq, "%s", value);

    setting->other_file = cfq;
    setting->other_value = setting->value;
}

static void add_io_weights(const struct lc_resources *r, struct lc_settings *ret)
{
    if (r->io.weight.is_set) {
        add_io_weight(ret, "blockIO.weight", "blkio.bfq.weight", "blkio.weight",
                      lc_settings_text(ret, "%" PRId64, r->io.weight.value));
    }
    (void)limit(ret, "blockIO.leafWeight", "blkio", "blkio.leaf_weight", &r->io.leaf_weight);
    for (size_t i = 0; i < r->io.n_weights; i++) {
        const struct lc_io_weight *w = &r->io.weights[i];
        const char *device =
            lc_settings_text(ret, "%" PRId64 ":%" PRId64, w->device.major, w->device.minor);
        if (w->weight.is_set) {
            add_io_weight(ret, "blockIO.weightDevice", "blkio.bfq.weight_device",
                          "blkio.weight_device",
                          lc_settings_text(ret, "%s %" PRId64, device, w->weight.value));
        }
        if (w->leaf_weight.is_set) {
            (void)lc_settings_add(ret, "blockIO.weightDevice", "blkio", "blkio.leaf_weight_device",
                                  "%s %" PRId64, device, w->leaf_weight.value);
        }
    }
}

static void add_throttles(struct lc_settings *ret, const char *field, const char *file,
                          const struct lc_io_throttles *throttles)
{
    for (size_t i = 0; i < throttles->n; i++) {
        const struct lc_io_throttle *t = &throttles->list[i];
        (void)lc_settings_add(ret, field, "blkio", file, "%" PRId64 ":%" PRId64 " %" PRIu64,
                              t->device.major, t->device.minor, t->rate);
    }
}

static void add_io(const struct lc_resources *r, struct lc_settings *ret)
{
    add_io_weights(r, ret);
    add_throttles(ret, "blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device",
                  &r->io.read_bps);
    add_throttles(ret, "blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device",
                  &r->io.write_bps);
    add_throttles(ret, "blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device",
                  &r->io.read_iops);
    add_throttles(ret, "blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device",
                  &r->io.write_iops);
}

static void add_network(const struct lc_resources *r, struct lc_settings *ret)
{
    (void)limit(ret, "network.classID", "net_cls", "net_cls.classid", &r->network.class_id);
    for (size_t i = 0; i < json_array_size(r->network.priorities); i++) {
        const json_t *entry = json_array_get(r->network.priorities, i);
        (void)lc_settings_add(ret, "network.priorities", "net_prio", "net_prio.ifpriomap", "%s %s",
                              json_string_value(json_object_get(entry, "name")),
                              lc_settings_count(ret, entry, "priority"));
    }
}

int lc_v1_settings(const struct lc_resources *resources, struct lc_settings *ret,
                   struct ct_error *err)
{
    if (json_object_size(resources->unified) > 0) {
        return ct_refuse(err, CT_INVALID,
                         "use linux.resources.unified: this machine has version 1 of cgroups");
    }
    if (lc_settings_refuse_memory(resources, err) < 0) {
        return -1;
    }
    add_memory(resources, ret);
    add_cpu(resources, ret);
    if (resources->pids_limit.is_set) {
        (void)lc_settings_limit(ret, "pids.limit", "pids", "pids.max", resources->pids_limit.value,
                                "max");
    }
    add_io(resources, ret);
    lc_settings_add_hugepages(ret, resources->hugepages, "limit_in_bytes");
    add_network(resources, ret);
    lc_settings_add_rdma(ret, resources->rdma);
    return 0;
}
