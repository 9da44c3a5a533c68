/*
 * metrics.c - what a task uses: containerd's figures as execdriver.h has them.
 *
 * Room:       execdriver (stage 04).   Called by: see execdriver.h.
 * Spec:       containerd/cgroups, stats/v1/metrics.proto and v2/stats/metrics.proto.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "cleanup.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define V1_TYPE  "io.containerd.cgroups.v1.Metrics"
#define V2_TYPE  "io.containerd.cgroups.v2.Metrics"
#define US       1000ULL             /* in ns */
#define NO_LIMIT (UINT64_C(1) << 62) /* a limit near 2^63 is how the kernel writes "none" */

static uint64_t limit_of(uint64_t limit)
{
    return limit >= NO_LIMIT ? 0 : limit;
}

/* All devices together. */
static uint64_t sum_v1(Io__Containerd__Cgroups__V1__BlkIOEntry **entries, size_t n, const char *op)
{
    uint64_t total = 0;

    for (size_t i = 0; i < n; i++) {
        total += strcasecmp(entries[i]->op, op) == 0 ? entries[i]->value : 0;
    }
    return total;
}

static void fill_memory_v1(const Io__Containerd__Cgroups__V1__MemoryStat *memory,
                           struct exec_stats *ret)
{
    if (memory->usage) {
        ret->memory_usage_bytes = memory->usage->usage;
        ret->memory_max_usage_bytes = memory->usage->max;
        ret->memory_failcnt = memory->usage->failcnt;
        ret->memory_limit_bytes = limit_of(memory->usage->limit);
    }
    ret->memory_inactive_file_bytes = memory->total_inactive_file;
    ret->memory_cache_bytes = memory->cache;
    ret->memory_rss_bytes = memory->rss;
}

static void fill_io_v1(const Io__Containerd__Cgroups__V1__BlkIOStat *io, struct exec_stats *ret)
{
    ret->io_read_bytes =
        sum_v1(io->io_service_bytes_recursive, io->n_io_service_bytes_recursive, "read");
    ret->io_write_bytes =
        sum_v1(io->io_service_bytes_recursive, io->n_io_service_bytes_recursive, "write");
    ret->io_reads = sum_v1(io->io_serviced_recursive, io->n_io_serviced_recursive, "read");
    ret->io_writes = sum_v1(io->io_serviced_recursive, io->n_io_serviced_recursive, "write");
}

static void fill_v1(const Io__Containerd__Cgroups__V1__Metrics *from, struct exec_stats *ret)
{
    if (from->cpu && from->cpu->usage) {
        ret->cpu_total_ns = from->cpu->usage->total;
        ret->cpu_user_ns = from->cpu->usage->user;
        ret->cpu_system_ns = from->cpu->usage->kernel;
    }
    if (from->cpu && from->cpu->throttling) {
        ret->cpu_periods = from->cpu->throttling->periods;
        ret->cpu_throttled_periods = from->cpu->throttling->throttled_periods;
        ret->cpu_throttled_ns = from->cpu->throttling->throttled_time;
    }
    if (from->memory) {
        fill_memory_v1(from->memory, ret);
    }
    if (from->pids) {
        ret->pids_current = from->pids->current;
        ret->pids_limit = from->pids->limit;
    }
    if (from->blkio) {
        fill_io_v1(from->blkio, ret);
    }
    ret->oom_killed = from->memory_oom_control && from->memory_oom_control->oom_kill > 0;
}

static void fill_v2(const Io__Containerd__Cgroups__V2__Metrics *from, struct exec_stats *ret)
{
    if (from->cpu) {
        ret->cpu_total_ns = from->cpu->usage_usec * US;
        ret->cpu_user_ns = from->cpu->user_usec * US;
        ret->cpu_system_ns = from->cpu->system_usec * US;
        ret->cpu_periods = from->cpu->nr_periods;
        ret->cpu_throttled_periods = from->cpu->nr_throttled;
        ret->cpu_throttled_ns = from->cpu->throttled_usec * US;
    }
    if (from->memory) {
        ret->memory_usage_bytes = from->memory->usage;
        ret->memory_limit_bytes = limit_of(from->memory->usage_limit);
        ret->memory_inactive_file_bytes = from->memory->inactive_file;
        ret->memory_cache_bytes = from->memory->file;
        ret->memory_rss_bytes = from->memory->anon;
    }
    if (from->pids) {
        ret->pids_current = from->pids->current;
        ret->pids_limit = limit_of(from->pids->limit);
    }
    for (size_t i = 0; from->io && i < from->io->n_usage; i++) {
        ret->io_read_bytes += from->io->usage[i]->rbytes;
        ret->io_write_bytes += from->io->usage[i]->wbytes;
        ret->io_reads += from->io->usage[i]->rios;
        ret->io_writes += from->io->usage[i]->wios;
    }
    ret->oom_killed = from->memory_events && from->memory_events->oom_kill > 0;
}

static int unpack(const Google__Protobuf__Any *data, struct exec_stats *ret, struct ct_error *err)
{
    const ProtobufCMessageDescriptor *type =
        strstr(data->type_url, V2_TYPE) ? &io__containerd__cgroups__v2__metrics__descriptor
                                        : &io__containerd__cgroups__v1__metrics__descriptor;
    TASKS_AUTO_MESSAGE ProtobufCMessage *metrics = NULL;

    if (strstr(data->type_url, V1_TYPE) || strstr(data->type_url, V2_TYPE)) {
        metrics = protobuf_c_message_unpack(type, NULL, data->value.len, data->value.data);
    }
    if (!metrics) {
        return ct_refuse(err, CT_INVALID, "read what the container uses: '%.60s' is not known",
                         data->type_url);
    }
    if (strstr(data->type_url, V2_TYPE)) {
        fill_v2((const Io__Containerd__Cgroups__V2__Metrics *)metrics, ret);
    } else {
        fill_v1((const Io__Containerd__Cgroups__V1__Metrics *)metrics, ret);
    }
    return 0;
}

int exec_stats(struct exec_job *job, struct exec_stats *ret, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__MetricsRequest request =
        CONTAINERD__SERVICES__TASKS__V1__METRICS_REQUEST__INIT;
    CT_AUTO_FREE char *filter = ct_printf("id==%s", job->id);
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct exec_stats stats = {0};

    request.n_filters = 1;
    request.filters = &filter;
    if (tasks_call("Metrics", &request, TASKS_TIMEOUT_MS, &answer, err) < 0) {
        return ct_while(err, "read what the container uses");
    }
    const Containerd__Services__Tasks__V1__MetricsResponse *list =
        (const Containerd__Services__Tasks__V1__MetricsResponse *)answer;
    if (list->n_metrics > 0 && list->metrics[0]->data &&
        unpack(list->metrics[0]->data, &stats, err) < 0) {
        return -1;
    }
    job->oom_killed = job->oom_killed || stats.oom_killed;
    stats.oom_killed = job->oom_killed;
    *ret = stats;
    return 0;
}
