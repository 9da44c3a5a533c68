/*
 * stats.c - one sample of what a container uses, in the shape of Docker's stats.
 *
 * Room:       monitor.   Called by: serve.c.
 * Spec:       Docker Engine API 1.43, "Get container stats".
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <fcntl.h>
#include <unistd.h>

static json_t *number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static uint64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

static json_t *cpu_document(const struct exec_stats *stats)
{
    return json_pack("{s:{s:o,s:o,s:o},s:{s:o,s:o,s:o}}", "cpu_usage", "total_usage",
                     number(stats->cpu_total_ns), "usage_in_kernelmode",
                     number(stats->cpu_system_ns), "usage_in_usermode", number(stats->cpu_user_ns),
                     "throttling_data", "periods", number(stats->cpu_periods), "throttled_periods",
                     number(stats->cpu_throttled_periods), "throttled_time",
                     number(stats->cpu_throttled_ns));
}

/* Docker's client takes the inactive file pages off: by the name of cgroup v1, or of v2. */
static json_t *memory_document(const struct exec_stats *stats)
{
    uint64_t machine = machine_memory();
    uint64_t limit = stats->memory_limit_bytes;

    return json_pack("{s:o,s:o,s:o,s:o,s:{s:o,s:o,s:o,s:o}}", "usage",
                     number(stats->memory_usage_bytes), "max_usage",
                     number(stats->memory_max_usage_bytes), "limit",
                     number(limit == 0 || limit > machine ? machine : limit), "failcnt",
                     number(stats->memory_failcnt), "stats", "inactive_file",
                     number(stats->memory_inactive_file_bytes), "total_inactive_file",
                     number(stats->memory_inactive_file_bytes), "cache",
                     number(stats->memory_cache_bytes), "rss", number(stats->memory_rss_bytes));
}

static json_t *io_entry(const char *operation, uint64_t value)
{
    return json_pack("{s:i,s:i,s:s,s:o}", "major", 0, "minor", 0, "op", operation, "value",
                     number(value));
}

static json_t *io_document(const struct exec_stats *stats)
{
    return json_pack("{s:[o,o],s:[o,o]}", "io_service_bytes_recursive",
                     io_entry("read", stats->io_read_bytes),
                     io_entry("write", stats->io_write_bytes), "io_serviced_recursive",
                     io_entry("read", stats->io_reads), io_entry("write", stats->io_writes));
}

static json_t *pids_document(const struct exec_stats *stats)
{
    json_t *pids = json_pack("{s:o}", "current", number(stats->pids_current));
    if (stats->pids_limit > 0) {
        ct_json_set(pids, "limit", number(stats->pids_limit));
    }
    return pids;
}

/* The host's own interfaces are nobody's: Docker shows none for the host network either. */
static json_t *network_document(struct monitor *monitor)
{
    struct ct_error ignored = {0}; /* counters that cannot be read are left out */
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/ns/net", (int)exec_pid(monitor->job));
    CT_AUTO_CLOSE int netns =
        spec_network_is(monitor->container->config, "host") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    json_t *counters = netns < 0 ? NULL : network_stats(netns, &ignored);
    return counters ? counters : json_object();
}

json_t *stats_sample(struct monitor *monitor, struct ct_error *err)
{
    struct exec_stats stats = {0};
    char now[CT_TIME_TEXT];

    if (exec_stats(monitor->job, &stats, err) < 0) {
        return NULL;
    }
    json_t *sample = json_object();
    ct_json_set_string(sample, "read", ct_time_format(ct_now_ns(), now));
    ct_json_set(sample, "pids_stats", pids_document(&stats));
    ct_json_set(sample, "blkio_stats", io_document(&stats));
    ct_json_set(sample, "cpu_stats", cpu_document(&stats));
    ct_json_set(sample, "memory_stats", memory_document(&stats));
    ct_json_set(sample, "networks", network_document(monitor));
    return sample;
}
