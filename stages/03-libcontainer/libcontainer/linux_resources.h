/*
 * linux_resources.h - "linux.resources": what a container may use, taken apart.
 *
 * Room:       libcontainer. Called by: configuration.c, control.c; read by cgroup_v1_settings.c,
 *             cgroup_v2_settings.c, cgroup_devices.c.
 * Spec:       config-linux.md, "Control groups" (all of it: devices, memory, cpu, blockIO,
 *             hugepageLimits, network, pids, rdma, unified).
 */
#ifndef LC_LINUX_RESOURCES_H
#define LC_LINUX_RESOURCES_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A number that may be missing. 0 is: missing, as runc has it; but where 0 is a value (swappiness,
 * burst, realtimeRuntime, idle, classID). */
struct lc_optional {
    bool is_set;
    int64_t value; /* -1: no limit, where the specification has it so */
};

struct lc_device_rule {
    bool allow;
    char type;            /* 'a', 'c' or 'b' */
    int64_t major, minor; /* -1: all */
    bool read, write, mknod;
};

struct lc_device_number {
    int64_t major, minor;
};
struct lc_io_weight {
    struct lc_device_number device;
    struct lc_optional weight, leaf_weight;
};
struct lc_io_throttle {
    struct lc_device_number device;
    uint64_t rate;
};
struct lc_io_throttles {
    const struct lc_io_throttle *list;
    size_t n;
};

struct lc_resources {
    const struct lc_device_rule *devices;
    size_t n_devices;
    struct {
        struct lc_optional limit, reservation, swap, kernel, kernel_tcp, swappiness;
        bool disable_oom_killer, use_hierarchy, has_use_hierarchy, check_before_update;
    } memory;
    struct {
        struct lc_optional shares, quota, burst, period, realtime_runtime, realtime_period, idle;
        const char *cpus, *mems; /* or NULL */
    } cpu;
    struct {
        struct lc_optional weight, leaf_weight;
        const struct lc_io_weight *weights;
        size_t n_weights;
        struct lc_io_throttles read_bps, write_bps, read_iops, write_iops;
    } io;
    struct lc_optional pids_limit;
    const json_t *hugepages; /* checked array of {"pageSize","limit"}, or NULL */
    struct {
        struct lc_optional class_id;
        const json_t *priorities; /* checked array of {"name","priority"}, or NULL */
    } network;
    const json_t *rdma;    /* checked: {"mlx5_1":{"hcaHandles","hcaObjects"}}, or NULL */
    const json_t *unified; /* checked: {"memory.high":"…"}; names have no '/' */
};

/* resources (may be NULL: nothing is limited) must outlive *ret; arrays live in pool. */
int lc_resources_parse(const json_t *resources, struct pool *pool, struct lc_resources *ret,
                       struct ct_error *err);

#endif
