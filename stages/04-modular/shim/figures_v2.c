/*
 * figures_v2.c - io.containerd.cgroups.v2.Metrics.
 *
 * Room:       shim.   Called by: figures.c.
 */
#define CT_LAYER "shim"
#include "figures.h"

#include "json.h"

#include <string.h>

typedef Io__Containerd__Cgroups__V2__MemoryStat memory_stat;

#define US 1000 /* ns */
#define MEMORY(field)                               \
    {                                               \
        "raw." #field, offsetof(memory_stat, field) \
    }
#define NO_LIMIT_SHOWN INT64_MAX /* how libcontainer's document says it */

static const struct figure memory_rows[] = {
    MEMORY(anon),
    MEMORY(file),
    MEMORY(kernel_stack),
    MEMORY(slab),
    MEMORY(sock),
    MEMORY(shmem),
    MEMORY(file_mapped),
    MEMORY(file_dirty),
    MEMORY(file_writeback),
    MEMORY(anon_thp),
    MEMORY(inactive_anon),
    MEMORY(active_anon),
    MEMORY(inactive_file),
    MEMORY(active_file),
    MEMORY(unevictable),
    MEMORY(slab_reclaimable),
    MEMORY(slab_unreclaimable),
    MEMORY(pgfault),
    MEMORY(pgmajfault),
    {"raw.workingset_refault_file", offsetof(memory_stat, workingset_refault)},
    {"raw.workingset_activate_file", offsetof(memory_stat, workingset_activate)},
    MEMORY(workingset_nodereclaim),
    MEMORY(pgrefill),
    MEMORY(pgscan),
    MEMORY(pgsteal),
    MEMORY(pgactivate),
    MEMORY(pgdeactivate),
    MEMORY(pglazyfree),
    MEMORY(pglazyfreed),
    MEMORY(thp_fault_alloc),
    MEMORY(thp_collapse_alloc),
    {"usage.usage", offsetof(memory_stat, usage)},
    {"usage.limit", offsetof(memory_stat, usage_limit)},
    {NULL, 0},
};

static uint64_t limit_of(uint64_t shown)
{
    return shown >= NO_LIMIT_SHOWN ? UINT64_MAX : shown;
}

/* The document has memory and swap together, as v1 does; the message swap alone. */
static memory_stat *new_memory(const json_t *figures, struct pool *pool)
{
    memory_stat *memory = pool_array(pool, 1, sizeof(*memory));
    uint64_t both = figure_number(figures, "memory.swap.usage");
    uint64_t both_limit = figure_number(figures, "memory.swap.limit");

    io__containerd__cgroups__v2__memory_stat__init(memory);
    figure_fill(memory, json_object_get(figures, "memory"), memory_rows);
    memory->swap_usage = both > memory->usage ? both - memory->usage : 0;
    memory->swap_limit = both_limit >= NO_LIMIT_SHOWN       ? UINT64_MAX
                         : both_limit > memory->usage_limit ? both_limit - memory->usage_limit
                                                            : 0;
    memory->usage_limit = limit_of(memory->usage_limit);
    return memory;
}

static Io__Containerd__Cgroups__V2__CPUStat *new_cpu(const json_t *figures, struct pool *pool)
{
    Io__Containerd__Cgroups__V2__CPUStat *cpu = pool_array(pool, 1, sizeof(*cpu));

    io__containerd__cgroups__v2__cpustat__init(cpu);
    cpu->usage_usec = figure_number(figures, "cpu.usage.total") / US;
    cpu->user_usec = figure_number(figures, "cpu.usage.user") / US;
    cpu->system_usec = figure_number(figures, "cpu.usage.kernel") / US;
    cpu->nr_periods = figure_number(figures, "cpu.throttling.periods");
    cpu->nr_throttled = figure_number(figures, "cpu.throttling.throttledPeriods");
    cpu->throttled_usec = figure_number(figures, "cpu.throttling.throttledTime") / US;
    return cpu;
}

/* ---- by device ------------------------------------------------------------------------------ */

/* The value of an operation on a device, from a list that has an entry for each of both. */
static uint64_t io_of(const json_t *list, const json_t *device, const char *operation)
{
    size_t i;
    json_t *entry;

    json_array_foreach((json_t *)list, i, entry)
    {
        if (figure_number(entry, "major") == figure_number(device, "major") &&
            figure_number(entry, "minor") == figure_number(device, "minor") &&
            strcmp(ct_json_string(entry, "op", ""), operation) == 0) {
            return figure_number(entry, "value");
        }
    }
    return 0;
}

static Io__Containerd__Cgroups__V2__IOStat *new_io(const json_t *figures, struct pool *pool)
{
    const json_t *bytes = ct_json_get(figures, "blkio.ioServiceBytesRecursive");
    const json_t *count = ct_json_get(figures, "blkio.ioServicedRecursive");
    size_t n = json_array_size(bytes), i;
    Io__Containerd__Cgroups__V2__IOStat *io = pool_array(pool, 1, sizeof(*io));
    Io__Containerd__Cgroups__V2__IOEntry *entries = pool_array(pool, n + 1, sizeof(*entries));
    json_t *device;

    io__containerd__cgroups__v2__iostat__init(io);
    io->usage = pool_array(pool, n + 1, sizeof(*io->usage));
    json_array_foreach((json_t *)bytes, i, device)
    {
        Io__Containerd__Cgroups__V2__IOEntry *entry = &entries[io->n_usage];
        if (strcmp(ct_json_string(device, "op", ""), "Read") != 0) {
            continue; /* each device once */
        }
        io__containerd__cgroups__v2__ioentry__init(entry);
        entry->major = figure_number(device, "major");
        entry->minor = figure_number(device, "minor");
        entry->rbytes = figure_number(device, "value");
        entry->wbytes = io_of(bytes, device, "Write");
        entry->rios = io_of(count, device, "Read");
        entry->wios = io_of(count, device, "Write");
        io->usage[io->n_usage++] = entry;
    }
    return io;
}

static void add_pages(Io__Containerd__Cgroups__V2__Metrics *metrics, const json_t *figures,
                      struct pool *pool)
{
    json_t *pages = json_object_get(figures, "hugetlb");
    size_t n = json_object_size(pages);
    Io__Containerd__Cgroups__V2__HugeTlbStat *entries = pool_array(pool, n + 1, sizeof(*entries));
    const char *size;
    json_t *entry;

    metrics->hugetlb = pool_array(pool, n + 1, sizeof(*metrics->hugetlb));
    json_object_foreach(pages, size, entry)
    {
        Io__Containerd__Cgroups__V2__HugeTlbStat *stat = &entries[metrics->n_hugetlb];
        io__containerd__cgroups__v2__huge_tlb_stat__init(stat);
        stat->pagesize = figure_text(pool, size);
        stat->current = figure_number(entry, "usage");
        stat->max = figure_number(entry, "max");
        metrics->hugetlb[metrics->n_hugetlb++] = stat;
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

const ProtobufCMessage *figures_v2(const json_t *figures, uint64_t oom_kills, struct pool *pool)
{
    Io__Containerd__Cgroups__V2__Metrics *metrics = pool_array(pool, 1, sizeof(*metrics));
    Io__Containerd__Cgroups__V2__PidsStat *pids = pool_array(pool, 1, sizeof(*pids));
    Io__Containerd__Cgroups__V2__MemoryEvents *events = pool_array(pool, 1, sizeof(*events));

    io__containerd__cgroups__v2__metrics__init(metrics);
    io__containerd__cgroups__v2__pids_stat__init(pids);
    io__containerd__cgroups__v2__memory_events__init(events);
    pids->current = figure_number(figures, "pids.current");
    pids->limit = figure_number(figures, "pids.limit");
    events->max = figure_number(figures, "memory.usage.failcnt");
    events->oom_kill = oom_kills;
    metrics->pids = pids;
    metrics->cpu = new_cpu(figures, pool);
    metrics->memory = new_memory(figures, pool);
    metrics->io = new_io(figures, pool);
    metrics->memory_events = events;
    add_pages(metrics, figures, pool);
    return &metrics->base;
}
