/*
 * stats.c - what a running container uses, and which processes it has.
 *
 * Room:       engine.   Called by: cli (stats, top), rest.
 * Spec:       Docker Engine API 1.43, "Get container stats", "List processes".
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* CPU time of all processors since boot, in ns: what a share of the machine is measured against. */
static json_int_t system_cpu_ns(void)
{
    CT_AUTO_FILE FILE *stat = fopen("/proc/stat", "re");
    unsigned long long ticks[8] = {0};
    unsigned long long sum = 0;

    if (!stat || fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1],
                        &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) < 7) {
        return 0;
    }
    for (size_t i = 0; i < 8; i++) {
        sum += ticks[i];
    }
    return (json_int_t)(sum * (1000000000ULL / (unsigned long long)sysconf(_SC_CLK_TCK)));
}

static json_t *empty_sample(void)
{
    char now[CT_TIME_TEXT];
    return json_pack("{s:s,s:{},s:{s:{s:i,s:i,s:i},s:{s:i,s:i,s:i}},s:{},s:{},s:{}}", "read",
                     ct_time_format(ct_now_ns(), now), "pids_stats", "cpu_stats", "cpu_usage",
                     "total_usage", 0, "usage_in_kernelmode", 0, "usage_in_usermode", 0,
                     "throttling_data", "periods", 0, "throttled_periods", 0, "throttled_time", 0,
                     "memory_stats", "blkio_stats", "networks");
}

static json_t *take_sample(struct container *container, struct ct_error *err)
{
    if (!container_is_running(container)) {
        return empty_sample(); /* Docker answers with zeros, so that a display can go on */
    }
    json_t *sample = monitor_stats(container, err);
    json_t *cpu = sample ? json_object_get(sample, "cpu_stats") : NULL;
    if (cpu) {
        ct_json_set(cpu, "system_cpu_usage", json_integer(system_cpu_ns()));
        ct_json_set(cpu, "online_cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    }
    return sample;
}

/* The sample before, as Docker nests it. */
static void add_previous(json_t *sample, const json_t *previous)
{
    CT_AUTO_JSON json_t *empty = empty_sample();
    json_t *cpu = json_object_get(previous ? previous : empty, "cpu_stats");

    ct_json_set_string(sample, "preread", ct_json_string(previous, "read", CT_TIME_ZERO));
    ct_json_set(sample, "precpu_stats", json_incref(cpu));
}

static json_t *sample_twice(struct container *container, bool one_shot, struct ct_error *err)
{
    CT_AUTO_JSON json_t *first = one_shot ? NULL : take_sample(container, err);
    if (!one_shot && !first) {
        return NULL;
    }
    if (!one_shot && container_is_running(container)) {
        struct timespec second = {.tv_sec = 1};
        (void)nanosleep(&second, NULL); /* the time that the second sample is compared over */
        if (container_reload(container, err) < 0) {
            return NULL;
        }
    }
    json_t *sample = take_sample(container, err);
    if (sample) {
        add_previous(sample, first);
    }
    return sample;
}

int engine_container_stats(struct engine *engine, const char *ref, bool one_shot, json_t **ret,
                           struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_stats(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    json_t *sample = container ? sample_twice(container, one_shot, err) : NULL;

    if (sample) {
        ct_json_set(sample, "name", json_sprintf("/%s", container_name(container)));
        ct_json_set_string(sample, "id", container->id);
    }
    container_free(container);
    *ret = sample;
    return sample ? 0 : ct_while(err, "read the statistics of '%.64s'", ref);
}

static bool is_pid_of(const json_t *pids, long pid)
{
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)pids, i, value)
    {
        if (json_integer_value(value) == pid) {
            return true;
        }
    }
    return false;
}

/* Splits a line of ps at white space into n columns; the last takes the rest. */
static json_t *split_line(const char *line, size_t n)
{
    json_t *columns = json_array();
    const char *rest = line;

    while (rest && json_array_size(columns) + 1 < n) {
        const char *word = rest + strspn(rest, " \t");
        size_t length = strcspn(word, " \t");
        ct_json_append(columns, ct_json_string_lossy(word, length));
        rest = word[length] ? word + length + 1 : NULL;
    }
    if (rest) {
        rest += strspn(rest, " \t");
        ct_json_append(columns, ct_json_string_lossy(rest, strlen(rest)));
    }
    return columns;
}

static size_t find_column(const json_t *titles, const char *name)
{
    size_t i;
    json_t *title;
    json_array_foreach((json_t *)titles, i, title)
    {
        if (strcmp(json_string_value(title), name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The rows of ps whose PID is one of ours. */
static json_t *select_rows(char *output, const json_t *pids, struct ct_error *err)
{
    char *position = NULL;
    char *header = strtok_r(output, "\n", &position);
    CT_AUTO_JSON json_t *titles = split_line(header ? header : "", SIZE_MAX);
    size_t pid_column = find_column(titles, "PID");
    json_t *rows = json_array();

    if (pid_column == SIZE_MAX) {
        json_decref(rows);
        return ct_refuse_null(err, CT_INVALID, "couldn't find PID field in ps output");
    }
    for (char *line; (line = strtok_r(NULL, "\n", &position));) {
        json_t *row = split_line(line, json_array_size(titles));
        const char *pid = json_string_value(json_array_get(row, pid_column));
        if (pid && is_pid_of(pids, strtol(pid, NULL, 10))) {
            ct_json_append(rows, json_incref(row));
        }
        json_decref(row);
    }
    return json_pack("{s:O,s:o}", "Titles", titles, "Processes", rows);
}

#define PS_ARGUMENTS_MAX 32

/* ps of the host, never of the container; its arguments are words, no shell sees them. */
static json_t *run_ps(const char *arguments, const json_t *pids, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(arguments);
    const char *argv[PS_ARGUMENTS_MAX + 2] = {"ps"};
    size_t n = 1;
    char *position = NULL;
    CT_AUTO_FREE char *output = NULL;
    int status = 0;

    for (char *word = strtok_r(copy, " ", &position); word; word = strtok_r(NULL, " ", &position)) {
        if (n > PS_ARGUMENTS_MAX) {
            return ct_refuse_null(err, CT_INVALID, "run ps: more than %d arguments",
                                  PS_ARGUMENTS_MAX);
        }
        argv[n++] = word;
    }
    if (ct_process_run(argv, 10000, 4 << 20, &output, &status, err) < 0) {
        (void)ct_hint(err, "apt-get install procps");
        return NULL;
    }
    if (ct_exit_code(status) != 0) {
        return ct_refuse_null(err, CT_INVALID, "run 'ps %s': %.100s", arguments, output);
    }
    return select_rows(output, pids, err);
}

int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, json_t **ret,
                         struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_top(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    json_t *pids = NULL;

    *ret = NULL;
    if (container && engine_require_running(container, err) == 0) {
        pids = monitor_pids(container, err);
    }
    if (pids) {
        *ret = run_ps(ps_args && *ps_args ? ps_args : "-ef", pids, err);
    }
    json_decref(pids);
    container_free(container);
    return *ret ? 0 : ct_while(err, "list the processes of '%.64s'", ref);
}
