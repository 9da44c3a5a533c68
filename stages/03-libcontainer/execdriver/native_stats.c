/*
 * native_stats.c - libcontainer's figures as execdriver.h has them.
 *
 * Room:       execdriver (stage 03).   Called by: execdriver.c, through native_ops.
 */
#define CT_LAYER "execdriver"
#include "native_internal.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>

static uint64_t number(const json_t *stats, const char *path)
{
    json_int_t value = ct_json_integer(stats, path, 0);
    return value > 0 ? (uint64_t)value : 0;
}

/* {"op":"Read","value":…}: all devices together. */
static uint64_t sum(const json_t *stats, const char *path, const char *operation)
{
    uint64_t total = 0;
    size_t i;
    json_t *entry;

    json_array_foreach(ct_json_get(stats, path), i, entry)
    {
        if (strcasecmp(ct_json_string(entry, "op", ""), operation) == 0) {
            total += number(entry, "value");
        }
    }
    return total;
}

/* Names differ: v1 counts "rss" and "cache", v2 "anon" and "file". */
static uint64_t either(const json_t *stats, const char *v1, const char *v2)
{
    return ct_json_get(stats, v1) ? number(stats, v1) : number(stats, v2);
}

/* A limit near 2^63 is how v1 writes "none". */
static uint64_t limit_of(const json_t *stats, const char *path)
{
    uint64_t limit = number(stats, path);
    return limit >= UINT64_C(1) << 62 ? 0 : limit;
}

static void fill(const json_t *stats, struct exec_stats *ret)
{
    ret->cpu_total_ns = number(stats, "cpu.usage.total");
    ret->cpu_user_ns = number(stats, "cpu.usage.user");
    ret->cpu_system_ns = number(stats, "cpu.usage.kernel");
    ret->cpu_periods = number(stats, "cpu.throttling.periods");
    ret->cpu_throttled_periods = number(stats, "cpu.throttling.throttledPeriods");
    ret->cpu_throttled_ns = number(stats, "cpu.throttling.throttledTime");
    ret->memory_usage_bytes = number(stats, "memory.usage.usage");
    ret->memory_max_usage_bytes = number(stats, "memory.usage.max");
    ret->memory_failcnt = number(stats, "memory.usage.failcnt");
    ret->memory_limit_bytes = limit_of(stats, "memory.usage.limit");
    ret->memory_inactive_file_bytes =
        either(stats, "memory.raw.total_inactive_file", "memory.raw.inactive_file");
    ret->memory_cache_bytes = either(stats, "memory.raw.cache", "memory.raw.file");
    ret->memory_rss_bytes = either(stats, "memory.raw.rss", "memory.raw.anon");
    ret->pids_current = number(stats, "pids.current");
    ret->pids_limit = limit_of(stats, "pids.limit");
    ret->io_read_bytes = sum(stats, "blkio.ioServiceBytesRecursive", "read");
    ret->io_write_bytes = sum(stats, "blkio.ioServiceBytesRecursive", "write");
    ret->io_reads = sum(stats, "blkio.ioServicedRecursive", "read");
    ret->io_writes = sum(stats, "blkio.ioServicedRecursive", "write");
}

int native_stats(struct driver_job *job, struct exec_stats *ret, struct ct_error *err)
{
    struct ct_error gone = {0};
    struct exec_stats stats = {0};
    CT_AUTO_JSON json_t *figures = lc_stats(job->container, &gone);

    if (!figures && gone.kind != CT_CONFLICT) {
        *err = gone;
        return ct_while(err, "read what the container uses");
    }
    if (figures) {
        fill(figures, &stats);
    }
    /* After the end there are no figures any more, but whether memory was the reason is known. */
    job->oom_killed = job->oom_killed || lc_oom_kills(job->container) > 0;
    stats.oom_killed = job->oom_killed;
    *ret = stats;
    return 0;
}
