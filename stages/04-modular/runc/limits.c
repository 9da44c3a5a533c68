/*
 * limits.c - update: new limits; events: what is used.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 * Spec:       config-linux.md, "linux.resources"; runc's types/events.go.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "cleanup.h"
#include "json.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* ---- update --------------------------------------------------------------------------------- */

enum kind { SIZE, SIGNED, UNSIGNED, TEXT };

/* Options and the fields of linux.resources that they are. */
static const struct limit {
    const char *option, *section, *key;
    enum kind kind;
} limits[] = {
    {"blkio-weight", "blockIO", "weight", UNSIGNED},
    {"cpu-period", "cpu", "period", UNSIGNED},
    {"cpu-quota", "cpu", "quota", SIGNED},
    {"cpu-share", "cpu", "shares", UNSIGNED},
    {"cpu-rt-period", "cpu", "realtimePeriod", UNSIGNED},
    {"cpu-rt-runtime", "cpu", "realtimeRuntime", SIGNED},
    {"cpuset-cpus", "cpu", "cpus", TEXT},
    {"cpuset-mems", "cpu", "mems", TEXT},
    {"memory", "memory", "limit", SIZE},
    {"memory-reservation", "memory", "reservation", SIZE},
    {"memory-swap", "memory", "swap", SIZE},
    {"pids-limit", "pids", "limit", SIGNED},
};
#define N_LIMITS (sizeof(limits) / sizeof(limits[0]))

static int parse_limit(const struct limit *limit, const char *text, json_t **ret,
                       struct ct_error *err)
{
    int64_t number = -1;
    char *end = NULL;

    if (limit->kind == TEXT) {
        *ret = ct_json_string_lossy(text, strlen(text));
        return 0;
    }
    if (limit->kind == SIZE && strcmp(text, "-1") != 0) {
        if (ct_size_parse(text, &number, err) < 0) {
            return ct_while(err, "invalid value for %s", limit->option);
        }
    } else {
        errno = 0;
        number = strtoll(text, &end, 10);
        if (!*text || *end || errno || (limit->kind == UNSIGNED && number < 0)) {
            return ct_refuse(err, CT_INVALID, "invalid value for %s: '%.40s' is no number",
                             limit->option, text);
        }
    }
    *ret = json_integer(number);
    return 0;
}

static json_t *resources_of_options(const struct runc_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *resources = json_object();

    for (size_t i = 0; i < N_LIMITS; i++) {
        const char *text = runc_args_text(args, limits[i].option);
        json_t *value = NULL, *section = json_object_get(resources, limits[i].section);
        if (!text || !*text) {
            continue;
        }
        if (parse_limit(&limits[i], text, &value, err) < 0) {
            return NULL;
        }
        if (!section) {
            section = json_object();
            ct_json_set(resources, limits[i].section, section);
        }
        ct_json_set(section, limits[i].key, value);
    }
    return ct_steal(resources);
}

static json_t *resources_of(const struct runc_args *args, struct ct_error *err)
{
    const char *file = runc_args_text(args, "resources");

    if (!file) {
        return resources_of_options(args, err);
    }
    json_t *resources = lc_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, err);
    return resources ? resources : ct_while_null(err, "read the resources '%.120s'", file);
}

static int run_update(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    int result = -1;

    if (runc_args_text(args, "l3-cache-schema") || runc_args_text(args, "mem-bw-schema")) {
        lc_close(container);
        return ct_refuse(err, CT_UNSUPPORTED, "set Intel RDT: this runtime cannot");
    }
    if (container) {
        CT_AUTO_JSON json_t *resources = resources_of(args, err);
        result = resources ? lc_update(container, resources, err) : -1;
    }
    lc_close(container);
    return result;
}

/* ---- events --------------------------------------------------------------------------------- */

#define DEFAULT_INTERVAL_NS 5000000000
#define OOM_LOOK_NS         1000000000 /* how soon a kill for memory is told */

static int print_event(const char *type, const char *id, json_t *data, struct ct_error *err)
{
    json_t *event = json_pack("{s:s, s:s}", "type", type, "id", id);

    if (data) {
        ct_json_set(event, "data", data);
    }
    int result = runc_print_line(event, err);
    return result == 0 && fflush(stdout) != 0 ? ct_fail(err, errno, "print") : result;
}

static int print_stats(struct lc_container *container, const char *id, struct ct_error *err)
{
    json_t *stats = lc_stats(container, err);

    return stats ? print_event("stats", id, stats, err) : -1;
}

/* Figures every interval, kills when they are seen, until the container ends. */
static int follow(struct lc_container *container, const char *id, int64_t interval_ns,
                  struct ct_error *err)
{
    struct pollfd end = {.fd = lc_pidfd(container), .events = POLLIN};
    int64_t next_ns = ct_monotonic_ns() + interval_ns;
    uint64_t kills = lc_oom_kills(container);

    while (lc_status(container) != LC_STOPPED) {
        int64_t left_ns = next_ns - ct_monotonic_ns();
        int64_t wait_ns = left_ns < OOM_LOOK_NS ? left_ns : OOM_LOOK_NS;
        (void)poll(&end, 1, wait_ns > 0 ? (int)((wait_ns + 999999) / 1000000) : 0);
        for (uint64_t now = lc_oom_kills(container); kills < now; kills++) {
            if (print_event("oom", id, NULL, err) < 0) {
                return -1;
            }
        }
        if (!end.revents && ct_monotonic_ns() >= next_ns) {
            if (print_stats(container, id, err) < 0) {
                return -1;
            }
            next_ns += interval_ns;
        }
    }
    return 0;
}

static int run_events(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    const char *id = runc_args_at(args, 0), *interval = runc_args_text(args, "interval");
    int64_t interval_ns = DEFAULT_INTERVAL_NS;

    if (interval && ct_duration_parse(interval, &interval_ns, err) < 0) {
        return -1;
    }
    if (interval_ns <= 0) {
        return ct_refuse(err, CT_INVALID, "duration interval must be greater than 0");
    }
    struct lc_container *container = runc_open(runc, args, err);
    int result = -1;
    if (container && lc_status(container) == LC_STOPPED) {
        (void)ct_refuse(err, CT_CONFLICT, "container with id %.60s is not running", id);
    } else if (container) {
        result = runc_args_switch(args, "stats") ? print_stats(container, id, err)
                                                 : follow(container, id, interval_ns, err);
    }
    lc_close(container);
    return result;
}

/* ---- the rows ------------------------------------------------------------------------------- */

static const struct runc_option update_options[] = {
    {"resources", 'r', RUNC_TEXT, "FILE",
     "limits as linux.resources of a configuration has them, - for standard input; other options "
     "have no effect then"},
    {"blkio-weight", 0, RUNC_NUMBER, "N", "share of block devices, 10 to 1000"},
    {"cpu-period", 0, RUNC_TEXT, "US", "period of the limit of processor time, in us"},
    {"cpu-quota", 0, RUNC_TEXT, "US", "processor time in a period, in us"},
    {"cpu-share", 0, RUNC_TEXT, "N", "share of processor time"},
    {"cpu-rt-period", 0, RUNC_TEXT, "US", "period of real-time scheduling, in us"},
    {"cpu-rt-runtime", 0, RUNC_TEXT, "US", "real-time processor time in a period, in us"},
    {"cpuset-cpus", 0, RUNC_TEXT, "LIST", "processors to use"},
    {"cpuset-mems", 0, RUNC_TEXT, "LIST", "memory nodes to use"},
    {"memory", 0, RUNC_TEXT, "BYTES", "memory at most"},
    {"memory-reservation", 0, RUNC_TEXT, "BYTES", "memory to come back to when it is scarce"},
    {"memory-swap", 0, RUNC_TEXT, "BYTES", "memory and swap together at most, -1: no limit"},
    {"pids-limit", 0, RUNC_NUMBER, "N", "processes at most"},
    {"l3-cache-schema", 0, RUNC_TEXT, "SCHEMA", "refused: Intel RDT"},
    {"mem-bw-schema", 0, RUNC_TEXT, "SCHEMA", "refused: Intel RDT"},
    {0}};
static const struct runc_option events_options[] = {
    {"interval", 0, RUNC_TEXT, "DURATION", "between two lines of figures (default 5s)"},
    {"stats", 0, RUNC_SWITCH, NULL, "print the figures once"},
    {0}};

const struct runc_command runc_update = {
    .name = "update",
    .usage = "CONTAINER-ID",
    .summary = "set new limits; what is not named stays",
    .options = update_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_update,
};
const struct runc_command runc_events = {
    .name = "events",
    .usage = "CONTAINER-ID",
    .summary = "print what a container uses, and kills for memory, until it ends",
    .options = events_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_events,
};
