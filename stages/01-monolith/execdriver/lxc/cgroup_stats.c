/*
 * cgroup_stats.c - what a container uses, read from its control groups.
 *
 * Room:       execdriver/lxc.   Called by: see cgroup.h.
 * Spec:       cgroup-v2.rst; cgroup-v1/{cpuacct,memory,blkio-controller}.rst.
 *
 * Two tables name the files, one for each version; a value that a kernel does not have stays 0.
 */
#define CT_LAYER "cgroup"
#include "cgroup_files.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* v1 has no word for "none": its largest value, rounded down to a page. */
#define UNLIMITED_V1 ((uint64_t)INT64_MAX - 65536)

/* One number: from a file of its own (key NULL), or from a line "key number". */
struct source {
    const char *controller, *file, *key;
    size_t offset; /* in struct exec_stats */
    uint64_t factor;
};
#define INTO(field) offsetof(struct exec_stats, field)

static const struct source sources_v1[] = {
    {"cpuacct", "cpuacct.usage", NULL, INTO(cpu_total_ns), 1},
    {"cpuacct", "cpuacct.usage_user", NULL, INTO(cpu_user_ns), 1},
    {"cpuacct", "cpuacct.usage_sys", NULL, INTO(cpu_system_ns), 1},
    {"cpu", "cpu.stat", "nr_periods", INTO(cpu_periods), 1},
    {"cpu", "cpu.stat", "nr_throttled", INTO(cpu_throttled_periods), 1},
    {"cpu", "cpu.stat", "throttled_time", INTO(cpu_throttled_ns), 1},
    {"memory", "memory.usage_in_bytes", NULL, INTO(memory_usage_bytes), 1},
    {"memory", "memory.max_usage_in_bytes", NULL, INTO(memory_max_usage_bytes), 1},
    {"memory", "memory.limit_in_bytes", NULL, INTO(memory_limit_bytes), 1},
    {"memory", "memory.failcnt", NULL, INTO(memory_failcnt), 1},
    {"memory", "memory.stat", "total_inactive_file", INTO(memory_inactive_file_bytes), 1},
    {"memory", "memory.stat", "total_cache", INTO(memory_cache_bytes), 1},
    {"memory", "memory.stat", "total_rss", INTO(memory_rss_bytes), 1},
    {"pids", "pids.current", NULL, INTO(pids_current), 1},
    {"pids", "pids.max", NULL, INTO(pids_limit), 1},
};

static const struct source sources_v2[] = {
    {"cpu", "cpu.stat", "usage_usec", INTO(cpu_total_ns), 1000},
    {"cpu", "cpu.stat", "user_usec", INTO(cpu_user_ns), 1000},
    {"cpu", "cpu.stat", "system_usec", INTO(cpu_system_ns), 1000},
    {"cpu", "cpu.stat", "nr_periods", INTO(cpu_periods), 1},
    {"cpu", "cpu.stat", "nr_throttled", INTO(cpu_throttled_periods), 1},
    {"cpu", "cpu.stat", "throttled_usec", INTO(cpu_throttled_ns), 1000},
    {"memory", "memory.current", NULL, INTO(memory_usage_bytes), 1},
    {"memory", "memory.peak", NULL, INTO(memory_max_usage_bytes), 1},
    {"memory", "memory.max", NULL, INTO(memory_limit_bytes), 1},
    {"memory", "memory.events", "max", INTO(memory_failcnt), 1},
    {"memory", "memory.stat", "inactive_file", INTO(memory_inactive_file_bytes), 1},
    {"memory", "memory.stat", "file", INTO(memory_cache_bytes), 1},
    {"memory", "memory.stat", "anon", INTO(memory_rss_bytes), 1},
    {"pids", "pids.current", NULL, INTO(pids_current), 1},
    {"pids", "pids.max", NULL, INTO(pids_limit), 1},
};

/* The number behind key at the begin of a line; key NULL: the whole text. "max" and the like: 0. */
static uint64_t number_in(const char *text, const char *key)
{
    size_t length = key ? strlen(key) : 0;

    for (const char *line = text; key && line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            return strtoull(line + length + 1, NULL, 10);
        }
    }
    return key ? 0 : strtoull(text, NULL, 10);
}

static char *read_group_file(const struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy,
                             const char *file)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *path = cgroup_path(cgroup, hierarchy, file);
    char *text = NULL;

    return ct_read_file_at(AT_FDCWD, path, 1u << 20, &text, &ignored) < 0 ? NULL : text;
}

/* Lines of one file stand together in the tables, so that it is read once. */
static void read_sources(const struct cgroup *cgroup, const struct source *sources, size_t n,
                         bool v2, struct exec_stats *stats)
{
    CT_AUTO_FREE char *text = NULL;
    const char *file = "";

    for (size_t i = 0; i < n; i++) {
        const struct cgroup_hierarchy *hierarchy = cgroup_find(cgroup, sources[i].controller);
        if (!hierarchy || hierarchy->v2 != v2) {
            continue;
        }
        if (strcmp(file, sources[i].file) != 0) {
            free(text);
            text = read_group_file(cgroup, hierarchy, sources[i].file);
            file = sources[i].file;
        }
        if (text) {
            uint64_t value = number_in(text, sources[i].key) * sources[i].factor;
            memcpy((char *)stats + sources[i].offset, &value, sizeof(value));
        }
    }
}

/* v1: "8:0 Read 4096", one line a device and operation. */
static void sum_blkio(const char *text, uint64_t *ret_read, uint64_t *ret_write)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        char operation[16] = "";
        uint64_t value = 0;
        line += *line == '\n';
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "%*u:%*u %15s %" SCNu64, operation, &value) == 2) {
            *ret_read += strcmp(operation, "Read") == 0 ? value : 0;
            *ret_write += strcmp(operation, "Write") == 0 ? value : 0;
        }
    }
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …", one line a device. */
static void sum_io_stat(const char *text, const char *key, uint64_t *ret)
{
    for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
        *ret += strtoull(at + strlen(key), NULL, 10);
    }
}

static void read_io(const struct cgroup *cgroup, struct exec_stats *stats)
{
    const struct cgroup_hierarchy *io = cgroup_find(cgroup, "io");
    const struct cgroup_hierarchy *blkio = cgroup_find(cgroup, "blkio");

    if (io) {
        CT_AUTO_FREE char *text = read_group_file(cgroup, io, "io.stat");
        if (text) {
            sum_io_stat(text, " rbytes=", &stats->io_read_bytes);
            sum_io_stat(text, " wbytes=", &stats->io_write_bytes);
            sum_io_stat(text, " rios=", &stats->io_reads);
            sum_io_stat(text, " wios=", &stats->io_writes);
        }
    } else if (blkio) {
        CT_AUTO_FREE char *bytes =
            read_group_file(cgroup, blkio, "blkio.throttle.io_service_bytes");
        CT_AUTO_FREE char *count = read_group_file(cgroup, blkio, "blkio.throttle.io_serviced");
        sum_blkio(bytes, &stats->io_read_bytes, &stats->io_write_bytes);
        sum_blkio(count, &stats->io_reads, &stats->io_writes);
    }
}

int cgroup_stats(const struct cgroup *cgroup, struct exec_stats *ret, struct ct_error *err)
{
    struct exec_stats stats = {0};
    const struct cgroup_hierarchy *any = cgroup_unified(cgroup);
    CT_AUTO_FREE char *path = cgroup_path(cgroup, any ? any : &cgroup->hierarchies[0], "");

    if (access(path, F_OK) < 0) {
        return ct_fail(err, errno, "read the group '%s'", path);
    }
    read_sources(cgroup, sources_v1, sizeof(sources_v1) / sizeof(sources_v1[0]), false, &stats);
    read_sources(cgroup, sources_v2, sizeof(sources_v2) / sizeof(sources_v2[0]), true, &stats);
    read_io(cgroup, &stats);
    if (stats.memory_limit_bytes >= UNLIMITED_V1) {
        stats.memory_limit_bytes = 0;
    }
    *ret = stats;
    return 0;
}

/* ---- out of memory -------------------------------------------------------------------------- */

/* An eventfd that the kernel signals for this file of the group; -1. */
static int event_on(const struct cgroup *cgroup, const struct cgroup_hierarchy *memory,
                    const char *file, const char *argument)
{
    CT_AUTO_FREE char *path = cgroup_path(cgroup, memory, file);
    CT_AUTO_FREE char *register_path = cgroup_path(cgroup, memory, "cgroup.event_control");
    CT_AUTO_CLOSE int file_fd = open(path, O_RDONLY | O_CLOEXEC);
    CT_AUTO_CLOSE int register_fd = open(register_path, O_WRONLY | O_CLOEXEC);
    CT_AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CT_AUTO_FREE char *text = ct_printf("%d %d %s", fd, file_fd, argument);

    if (fd < 0 || file_fd < 0 || register_fd < 0 ||
        ct_write_all(register_fd, text, strlen(text)) < 0) {
        return -1;
    }
    return ct_steal_fd(&fd);
}

/*
 * The guard is a threshold that is never reached. It is registered first because the kernel
 * signals the removal to the newest first; and to a threshold only after a grace period more.
 */
void cgroup_oom_watch(const struct cgroup *cgroup, struct cgroup_oom *oom)
{
    const struct cgroup_hierarchy *memory = cgroup_find(cgroup, "memory");

    if (!memory || memory->v2 || oom->events >= 0) {
        return;
    }
    CT_AUTO_FREE char *limit = read_group_file(cgroup, memory, "memory.limit_in_bytes");
    if (!limit || strtoull(limit, NULL, 10) >= UNLIMITED_V1) {
        return;
    }
    oom->guard = event_on(cgroup, memory, "memory.usage_in_bytes", "1152921504606846976");
    oom->events = event_on(cgroup, memory, "memory.oom_control", "");
}

/* What was counted so far. Reading resets an eventfd: the value is put back. */
static uint64_t events_of(int fd)
{
    uint64_t count = 0;

    if (fd < 0 || read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count)) {
        return 0;
    }
    (void)!write(fd, &count, sizeof(count)); /* nobody else reads it: there is room */
    return count;
}

static bool oom_killed_v1(const struct cgroup *cgroup, const struct cgroup_hierarchy *memory,
                          const struct cgroup_oom *oom)
{
    CT_AUTO_FREE char *text = read_group_file(cgroup, memory, "memory.oom_control");
    struct ct_error ignored = {0};

    if (text) {
        return number_in(text, "oom_kill") > 0;
    }
    /* The group is gone. One event is either its removal or memory that ran out. */
    if (events_of(oom->events) == 1 && oom->guard >= 0) {
        (void)ct_wait_readable(oom->guard, -1, 1000, &ignored);
    }
    return events_of(oom->events) > 1;
}

bool cgroup_oom_killed(const struct cgroup *cgroup, const struct cgroup_oom *oom)
{
    const struct cgroup_hierarchy *memory = cgroup_find(cgroup, "memory");
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    if (!memory) {
        return false;
    }
    if (!memory->v2) {
        return oom_killed_v1(cgroup, memory, oom);
    }
    CT_AUTO_FREE char *path = ct_printf("%s/%s/memory.events", memory->base, cgroup->name);
    return ct_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) >= 0 &&
           number_in(text, "oom_kill") > 0;
}

void cgroup_oom_done(struct cgroup_oom *oom)
{
    ct_cleanup_close(&oom->events);
    ct_cleanup_close(&oom->guard);
    *oom = CGROUP_OOM_NONE;
}
