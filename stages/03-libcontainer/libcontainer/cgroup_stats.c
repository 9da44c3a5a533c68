/*
 * cgroup_stats.c - what a container uses, as runc's `events --stats` tells it.
 *
 * Room:       libcontainer.   Called by: see cgroups.h.
 * Spec:       runc's types/events.go: names and units (ns, bytes); what is 0 is mostly left out.
 *             Kernel Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{cpuacct,memory,
 *             blkio-controller,hugetlb,rdma,pids}.rst.
 *
 * A figure that this kernel does not have is not there: figures are best effort.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small parts ---------------------------------------------------------------------------- */

/* "No limit" is the largest number that JSON's readers take for a whole one; v1 has one near it. */
static void set_always(json_t *object, const char *key, uint64_t value)
{
    ct_json_set(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void set_some(json_t *object, const char *key, uint64_t value)
{
    if (value > 0) {
        set_always(object, key, value);
    }
}

void lc_stats_set_list(json_t *object, const char *key, json_t *list)
{
    if (json_array_size(list) > 0) {
        ct_json_set(object, key, list);
    } else {
        json_decref(list);
    }
}

/* Owned text of a file, or NULL. group may be NULL: the machine has no such controller. */
static char *text_of(struct lc_group *group, const char *file)
{
    struct ct_error ignored = {0};

    return group ? lc_group_read(group, group->path, file, &ignored) : NULL;
}

static uint64_t number_of(struct lc_group *group, const char *file)
{
    uint64_t value = 0;

    (void)(group && lc_group_number(group, file, &value));
    return value;
}

static uint64_t number_in(const char *text, const char *key)
{
    uint64_t value = 0;

    (void)(text && lc_text_number(text, key, &value));
    return value;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and "full …". */
void lc_stats_add_pressure(json_t *object, struct lc_group *group, const char *file)
{
    CT_AUTO_FREE char *text = text_of(group, file);
    json_t *pressure = text ? json_object() : NULL;
    char *position = NULL;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        double avg10 = 0, avg60 = 0, avg300 = 0;
        uint64_t total = 0;
        char who[8] = "";
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64, who, &avg10, &avg60,
                   &avg300, &total) == 5) {
            json_t *entry = json_object();
            ct_json_set(entry, "avg10", json_real(avg10));
            ct_json_set(entry, "avg60", json_real(avg60));
            ct_json_set(entry, "avg300", json_real(avg300));
            set_always(entry, "total", total);
            ct_json_set(pressure, who, entry);
        }
    }
    if (pressure) {
        ct_json_set(object, "psi", pressure);
    }
}

/* ---- cpu ------------------------------------------------------------------------------------ */

/* "9294246 6602780 \n", exact; and of the two halves, which are only as exact as the clock's ticks,
 * "cpu user system" with a line for each: "0 5294246 4000000". */
static void add_per_cpu(json_t *usage, struct lc_group *cpuacct)
{
    CT_AUTO_FREE char *numbers = text_of(cpuacct, "cpuacct.usage_percpu");
    CT_AUTO_FREE char *lines = text_of(cpuacct, "cpuacct.usage_all");
    json_t *total = json_array(), *kernel = json_array(), *user = json_array();
    char *position = NULL;

    for (char *n = numbers ? strtok_r(numbers, " \n", &position) : NULL; n;
         n = strtok_r(NULL, " \n", &position)) {
        ct_json_append(total, json_integer(strtoll(n, NULL, 10)));
    }
    for (const char *line = lines ? strchr(lines, '\n') : NULL; line; line = strchr(line, '\n')) {
        uint64_t in_user = 0, in_kernel = 0;
        line++;
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "%*u %" SCNu64 " %" SCNu64, &in_user, &in_kernel) == 2) {
            ct_json_append(kernel, json_integer((json_int_t)in_kernel));
            ct_json_append(user, json_integer((json_int_t)in_user));
        }
    }
    lc_stats_set_list(usage, "percpu", total);
    lc_stats_set_list(usage, "percpu_kernel", kernel);
    lc_stats_set_list(usage, "percpu_user", user);
}

static json_t *cpu_stats(const struct lc_cgroup *cgroup)
{
    struct lc_group *cpu = lc_cgroup_of(cgroup, "cpu"), *cpuacct = lc_cgroup_of(cgroup, "cpuacct");
    json_t *stats = json_object(), *usage = json_object(), *throttling = json_object();
    bool v2 = cpu && cpu->v2;
    CT_AUTO_FREE char *text = text_of(cpu, "cpu.stat");

    if (v2) {
        set_some(usage, "total", 1000 * number_in(text, "usage_usec"));
        set_always(usage, "kernel", 1000 * number_in(text, "system_usec"));
        set_always(usage, "user", 1000 * number_in(text, "user_usec"));
    } else {
        set_some(usage, "total", number_of(cpuacct, "cpuacct.usage"));
        add_per_cpu(usage, cpuacct);
        set_always(usage, "kernel", number_of(cpuacct, "cpuacct.usage_sys"));
        set_always(usage, "user", number_of(cpuacct, "cpuacct.usage_user"));
    }
    set_some(throttling, "periods", number_in(text, "nr_periods"));
    set_some(throttling, "throttledPeriods", number_in(text, "nr_throttled"));
    set_some(throttling, "throttledTime",
             v2 ? 1000 * number_in(text, "throttled_usec") : number_in(text, "throttled_time"));
    ct_json_set(stats, "usage", usage);
    ct_json_set(stats, "throttling", throttling);
    lc_stats_add_pressure(stats, v2 ? cpu : NULL, "cpu.pressure");
    return stats;
}

/* ---- cpuset --------------------------------------------------------------------------------- */

/* "0-3,5" -> [0,1,2,3,5] */
static void add_list(json_t *object, const char *key, struct lc_group *group, const char *file)
{
    CT_AUTO_FREE char *text = text_of(group, file);
    json_t *list = json_array();
    char *position = NULL;

    for (char *part = text ? strtok_r(text, ",\n", &position) : NULL; part;
         part = strtok_r(NULL, ",\n", &position)) {
        unsigned from = 0, to = 0;
        int n = sscanf(part, "%u-%u", &from, &to); /* NOLINT(cert-err34-c): the kernel wrote it */
        for (to = n == 2 ? to : from; n > 0 && from <= to && to < 65536; from++) {
            ct_json_append(list, json_integer(from));
        }
    }
    lc_stats_set_list(object, key, list);
}

static json_t *cpuset_stats(const struct lc_cgroup *cgroup)
{
    static const char *const switches[] = {
        "cpu_exclusive",      "mem_hardwall",       "mem_exclusive",   "memory_migrate",
        "memory_spread_page", "memory_spread_slab", "memory_pressure", "sched_load_balance",
    };
    struct lc_group *cpuset = lc_cgroup_of(cgroup, "cpuset");
    bool v2 = cpuset && cpuset->v2;
    json_t *stats = json_object();

    add_list(stats, "cpus", cpuset, v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
    add_list(stats, "mems", cpuset, v2 ? "cpuset.mems.effective" : "cpuset.mems");
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        CT_AUTO_FREE char *file = ct_printf("cpuset.%s", switches[i]);
        set_always(stats, switches[i], v2 ? 0 : number_of(cpuset, file));
    }
    CT_AUTO_FREE char *level = v2 ? NULL : text_of(cpuset, "cpuset.sched_relax_domain_level");
    ct_json_set(stats, "sched_relax_domain_level",
                json_integer(level ? strtoll(level, NULL, 10) : 0));
    return stats;
}

/* ---- memory --------------------------------------------------------------------------------- */

struct memory {
    uint64_t limit, usage, max, failcnt;
};

static json_t *memory_entry(const struct memory *memory)
{
    json_t *entry = json_object();

    set_always(entry, "limit", memory->limit);
    set_some(entry, "usage", memory->usage);
    set_some(entry, "max", memory->max);
    set_always(entry, "failcnt", memory->failcnt);
    return entry;
}

/* kind: "", "memsw.", "kmem.", "kmem.tcp." */
static json_t *memory_v1(struct lc_group *group, const char *kind)
{
    CT_AUTO_FREE char *limit = ct_printf("memory.%slimit_in_bytes", kind);
    CT_AUTO_FREE char *usage = ct_printf("memory.%susage_in_bytes", kind);
    CT_AUTO_FREE char *max = ct_printf("memory.%smax_usage_in_bytes", kind);
    CT_AUTO_FREE char *failcnt = ct_printf("memory.%sfailcnt", kind);

    return memory_entry(&(struct memory){.limit = number_of(group, limit),
                                         .usage = number_of(group, usage),
                                         .max = number_of(group, max),
                                         .failcnt = number_of(group, failcnt)});
}

/* v2 tells of swap alone; readers expect memory and swap together. */
static void add_memory_v2(json_t *stats, struct lc_group *group)
{
    CT_AUTO_FREE char *events = text_of(group, "memory.events");
    struct memory memory = {.limit = number_of(group, "memory.max"),
                            .usage = number_of(group, "memory.current"),
                            .max = number_of(group, "memory.peak"),
                            .failcnt = number_in(events, "max")};
    uint64_t swap_limit = number_of(group, "memory.swap.max");
    bool unlimited = swap_limit == UINT64_MAX || memory.limit == UINT64_MAX;
    struct memory both = {.limit = unlimited ? UINT64_MAX : memory.limit + swap_limit,
                          .usage = memory.usage + number_of(group, "memory.swap.current")};

    ct_json_set(stats, "usage", memory_entry(&memory));
    ct_json_set(stats, "swap", memory_entry(&both));
    ct_json_set(stats, "kernel", memory_entry(&(struct memory){0}));
    ct_json_set(stats, "kernelTCP", memory_entry(&(struct memory){0}));
    lc_stats_add_pressure(stats, group, "memory.pressure");
}

static json_t *memory_raw(char *text)
{
    json_t *raw = json_object();
    char *position = NULL;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        char *space = strchr(line, ' ');
        if (space) {
            *space = '\0';
            set_always(raw, line, strtoull(space + 1, NULL, 10));
        }
    }
    return raw;
}

static json_t *memory_stats(const struct lc_cgroup *cgroup)
{
    struct lc_group *group = lc_cgroup_of(cgroup, "memory");
    CT_AUTO_FREE char *text = text_of(group, "memory.stat");
    json_t *stats = json_object();

    if (!group) {
        return stats;
    }
    set_some(stats, "cache", number_in(text, group->v2 ? "file" : "cache"));
    if (group->v2) {
        add_memory_v2(stats, group);
    } else {
        ct_json_set(stats, "usage", memory_v1(group, ""));
        ct_json_set(stats, "swap", memory_v1(group, "memsw."));
        ct_json_set(stats, "kernel", memory_v1(group, "kmem."));
        ct_json_set(stats, "kernelTCP", memory_v1(group, "kmem.tcp."));
    }
    ct_json_set(stats, "raw", memory_raw(text));
    return stats;
}

/* ---- the door ------------------------------------------------------------------------------- */

static json_t *pids_stats(const struct lc_cgroup *cgroup)
{
    struct lc_group *group = lc_cgroup_of(cgroup, "pids");
    uint64_t limit = number_of(group, "pids.max");
    json_t *stats = json_object();

    set_some(stats, "current", number_of(group, "pids.current"));
    set_some(stats, "limit", limit == UINT64_MAX ? 0 : limit);
    return stats;
}

json_t *lc_cgroup_stats(const struct lc_cgroup *cgroup, struct ct_error *err)
{
    struct lc_group *group = lc_cgroup_listing(cgroup);

    if (!group) {
        return ct_refuse_null(err, CT_UNSUPPORTED,
                              "read figures: the container has no control groups");
    }
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, err);
    if (fd < 0) {
        return NULL;
    }
    json_t *stats = json_object();
    ct_json_set(stats, "cpu", cpu_stats(cgroup));
    ct_json_set(stats, "cpuset", cpuset_stats(cgroup));
    ct_json_set(stats, "memory", memory_stats(cgroup));
    ct_json_set(stats, "pids", pids_stats(cgroup));
    lc_stats_add_devices(stats, cgroup);
    return stats;
}
