/*
 * figures_v1.c - io.containerd.cgroups.v1.Metrics.
 *
 * Room:       shim.   Called by: figures.c.
 */
#define CT_LAYER "shim"
#include "figures.h"

#include "json.h"

#include <string.h>

typedef Io__Containerd__Cgroups__V1__MemoryStat memory_stat;
typedef Io__Containerd__Cgroups__V1__MemoryEntry memory_entry;
typedef Io__Containerd__Cgroups__V1__BlkIOEntry io_entry;

#define MEMORY(name, field)                       \
    {                                             \
        "raw." name, offsetof(memory_stat, field) \
    }

static const struct figure memory_rows[] = {
    MEMORY("cache", cache),
    MEMORY("rss", rss),
    MEMORY("rss_huge", rss_huge),
    MEMORY("mapped_file", mapped_file),
    MEMORY("dirty", dirty),
    MEMORY("writeback", writeback),
    MEMORY("pgpgin", pg_pg_in),
    MEMORY("pgpgout", pg_pg_out),
    MEMORY("pgfault", pg_fault),
    MEMORY("pgmajfault", pg_maj_fault),
    MEMORY("inactive_anon", inactive_anon),
    MEMORY("active_anon", active_anon),
    MEMORY("inactive_file", inactive_file),
    MEMORY("active_file", active_file),
    MEMORY("unevictable", unevictable),
    MEMORY("hierarchical_memory_limit", hierarchical_memory_limit),
    MEMORY("hierarchical_memsw_limit", hierarchical_swap_limit),
    MEMORY("total_cache", total_cache),
    MEMORY("total_rss", total_rss),
    MEMORY("total_rss_huge", total_rss_huge),
    MEMORY("total_mapped_file", total_mapped_file),
    MEMORY("total_dirty", total_dirty),
    MEMORY("total_writeback", total_writeback),
    MEMORY("total_pgpgin", total_pg_pg_in),
    MEMORY("total_pgpgout", total_pg_pg_out),
    MEMORY("total_pgfault", total_pg_fault),
    MEMORY("total_pgmajfault", total_pg_maj_fault),
    MEMORY("total_inactive_anon", total_inactive_anon),
    MEMORY("total_active_anon", total_active_anon),
    MEMORY("total_inactive_file", total_inactive_file),
    MEMORY("total_active_file", total_active_file),
    MEMORY("total_unevictable", total_unevictable),
    {NULL, 0},
};

static const struct figure entry_rows[] = {
    {"limit", offsetof(memory_entry, limit)},
    {"usage", offsetof(memory_entry, usage)},
    {"max", offsetof(memory_entry, max)},
    {"failcnt", offsetof(memory_entry, failcnt)},
    {NULL, 0},
};

static memory_entry *new_entry(const json_t *figures, const char *path, struct pool *pool)
{
    memory_entry *entry = pool_array(pool, 1, sizeof(*entry));

    io__containerd__cgroups__v1__memory_entry__init(entry);
    figure_fill(entry, ct_json_get(figures, path), entry_rows);
    return entry;
}

static memory_stat *new_memory(const json_t *figures, struct pool *pool)
{
    memory_stat *memory = pool_array(pool, 1, sizeof(*memory));

    io__containerd__cgroups__v1__memory_stat__init(memory);
    figure_fill(memory, json_object_get(figures, "memory"), memory_rows);
    memory->usage = new_entry(figures, "memory.usage", pool);
    memory->swap = new_entry(figures, "memory.swap", pool);
    memory->kernel = new_entry(figures, "memory.kernel", pool);
    memory->kernel_tcp = new_entry(figures, "memory.kernelTCP", pool);
    return memory;
}

/* ---- processor ------------------------------------------------------------------------------ */

static Io__Containerd__Cgroups__V1__CPUUsage *new_usage(const json_t *figures, struct pool *pool)
{
    Io__Containerd__Cgroups__V1__CPUUsage *usage = pool_array(pool, 1, sizeof(*usage));
    const json_t *each = ct_json_get(figures, "cpu.usage.percpu");

    io__containerd__cgroups__v1__cpuusage__init(usage);
    usage->total = figure_number(figures, "cpu.usage.total");
    usage->kernel = figure_number(figures, "cpu.usage.kernel");
    usage->user = figure_number(figures, "cpu.usage.user");
    usage->per_cpu = pool_array(pool, json_array_size(each) + 1, sizeof(*usage->per_cpu));
    while (usage->n_per_cpu < json_array_size(each)) {
        usage->per_cpu[usage->n_per_cpu] =
            (uint64_t)json_integer_value(json_array_get(each, usage->n_per_cpu));
        usage->n_per_cpu++;
    }
    return usage;
}

static Io__Containerd__Cgroups__V1__CPUStat *new_cpu(const json_t *figures, struct pool *pool)
{
    Io__Containerd__Cgroups__V1__CPUStat *cpu = pool_array(pool, 1, sizeof(*cpu));
    Io__Containerd__Cgroups__V1__Throttle *throttle = pool_array(pool, 1, sizeof(*throttle));

    io__containerd__cgroups__v1__cpustat__init(cpu);
    io__containerd__cgroups__v1__throttle__init(throttle);
    throttle->periods = figure_number(figures, "cpu.throttling.periods");
    throttle->throttled_periods = figure_number(figures, "cpu.throttling.throttledPeriods");
    throttle->throttled_time = figure_number(figures, "cpu.throttling.throttledTime");
    cpu->usage = new_usage(figures, pool);
    cpu->throttling = throttle;
    return cpu;
}

/* ---- by device ------------------------------------------------------------------------------ */

static size_t fill_io(const json_t *list, io_entry ***ret, struct pool *pool)
{
    size_t n = json_array_size(list);
    io_entry *entries = pool_array(pool, n + 1, sizeof(*entries));

    *ret = pool_array(pool, n + 1, sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(list, i);
        io__containerd__cgroups__v1__blk_ioentry__init(&entries[i]);
        entries[i].op = figure_text(pool, ct_json_string(entry, "op", ""));
        entries[i].major = figure_number(entry, "major");
        entries[i].minor = figure_number(entry, "minor");
        entries[i].value = figure_number(entry, "value");
        (*ret)[i] = &entries[i];
    }
    return n;
}

static Io__Containerd__Cgroups__V1__BlkIOStat *new_io(const json_t *figures, struct pool *pool)
{
    Io__Containerd__Cgroups__V1__BlkIOStat *io = pool_array(pool, 1, sizeof(*io));

    io__containerd__cgroups__v1__blk_iostat__init(io);
#define FILL(field, name) \
    io->n_##field = fill_io(ct_json_get(figures, "blkio." name), &io->field, pool)
    FILL(io_service_bytes_recursive, "ioServiceBytesRecursive");
    FILL(io_serviced_recursive, "ioServicedRecursive");
    FILL(io_queued_recursive, "ioQueueRecursive");
    FILL(io_service_time_recursive, "ioServiceTimeRecursive");
    FILL(io_wait_time_recursive, "ioWaitTimeRecursive");
    FILL(io_merged_recursive, "ioMergedRecursive");
    FILL(io_time_recursive, "ioTimeRecursive");
    FILL(sectors_recursive, "sectorsRecursive");
#undef FILL
    return io;
}

static void add_pages(Io__Containerd__Cgroups__V1__Metrics *metrics, const json_t *figures,
                      struct pool *pool)
{
    json_t *pages = json_object_get(figures, "hugetlb");
    size_t n = json_object_size(pages);
    Io__Containerd__Cgroups__V1__HugetlbStat *entries = pool_array(pool, n + 1, sizeof(*entries));
    const char *size;
    json_t *entry;

    metrics->hugetlb = pool_array(pool, n + 1, sizeof(*metrics->hugetlb));
    json_object_foreach(pages, size, entry)
    {
        Io__Containerd__Cgroups__V1__HugetlbStat *stat = &entries[metrics->n_hugetlb];
        io__containerd__cgroups__v1__hugetlb_stat__init(stat);
        stat->pagesize = figure_text(pool, size);
        stat->usage = figure_number(entry, "usage");
        stat->max = figure_number(entry, "max");
        stat->failcnt = figure_number(entry, "failcnt");
        metrics->hugetlb[metrics->n_hugetlb++] = stat;
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

const ProtobufCMessage *figures_v1(const json_t *figures, uint64_t oom_kills, struct pool *pool)
{
    Io__Containerd__Cgroups__V1__Metrics *metrics = pool_array(pool, 1, sizeof(*metrics));
    Io__Containerd__Cgroups__V1__PidsStat *pids = pool_array(pool, 1, sizeof(*pids));
    Io__Containerd__Cgroups__V1__MemoryOomControl *oom = pool_array(pool, 1, sizeof(*oom));

    io__containerd__cgroups__v1__metrics__init(metrics);
    io__containerd__cgroups__v1__pids_stat__init(pids);
    io__containerd__cgroups__v1__memory_oom_control__init(oom);
    pids->current = figure_number(figures, "pids.current");
    pids->limit = figure_number(figures, "pids.limit");
    oom->oom_kill = oom_kills;
    metrics->pids = pids;
    metrics->cpu = new_cpu(figures, pool);
    metrics->memory = new_memory(figures, pool);
    metrics->blkio = new_io(figures, pool);
    metrics->memory_oom_control = oom;
    add_pages(metrics, figures, pool);
    return &metrics->base;
}
