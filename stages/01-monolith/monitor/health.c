/*
 * health.c - health checks: runs the test, keeps its last results, says healthy or unhealthy.
 *
 * Room:       monitor.   Called by: supervise.c.
 * Spec:       Docker Engine API 1.43, "HealthConfig", "Health"; Dockerfile HEALTHCHECK.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND         1000000000LL
#define OUTPUT_MAX     4096
#define LOG_ENTRIES    5
#define START_LIMIT_MS 30000

struct health {
    struct monitor *monitor;
    json_t *exec; /* what to run, as an exec's document */
    int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
    json_int_t retries;
    struct loop_timer timer; /* the next probe, or the running one's limit */

    /* The running probe. */
    struct exec_process *process;
    struct loop_source *end, *readable;
    int output_fd;
    char output[OUTPUT_MAX];
    size_t length;
    int64_t began_ns;
    bool timed_out;
};

static void probe_begin(void *context);

static int64_t duration(const json_t *check, const char *key, int64_t fallback_ns)
{
    json_int_t ns = ct_json_integer(check, key, 0);
    return ns > 0 ? ns : fallback_ns;
}

/* Docker's two forms: a program and its arguments, or a line for the shell. */
static json_t *test_command(const json_t *check)
{
    const json_t *test = json_object_get(check, "Test");
    const char *kind = json_string_value(json_array_get(test, 0));
    CT_AUTO_JSON json_t *command = json_array();
    size_t i;
    json_t *word;

    if (!kind || (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0)) {
        return NULL;
    }
    if (strcmp(kind, "CMD-SHELL") == 0) {
        ct_json_append(command, json_string("/bin/sh"));
        ct_json_append(command, json_string("-c"));
    }
    json_array_foreach((json_t *)test, i, word)
    {
        if (i > 0) {
            ct_json_append(command, json_incref(word));
        }
    }
    return json_pack("{s:O}", "Cmd", command);
}

static void save_health(struct monitor *monitor, json_t *health)
{
    struct ct_error err = {0};
    if (state_health(monitor->container, health, &err) < 0) {
        ct_warn("%s", err.frame[0].what);
    }
}

void health_begin(struct monitor *monitor)
{
    const json_t *check = ct_json_get(monitor->container->config, "Config.Healthcheck");
    json_t *exec = test_command(check);
    struct health *health = exec ? calloc(1, sizeof(*health)) : NULL;

    if (!health) {
        json_decref(exec);
        return;
    }
    *health = (struct health){.monitor = monitor,
                              .exec = exec,
                              .interval_ns = duration(check, "Interval", 30 * SECOND),
                              .timeout_ns = duration(check, "Timeout", 30 * SECOND),
                              .start_period_ns = duration(check, "StartPeriod", 0),
                              .start_interval_ns = duration(check, "StartInterval", 0),
                              .retries = ct_json_integer(check, "Retries", 0),
                              .output_fd = -1};
    health->retries = health->retries > 0 ? health->retries : 3;
    monitor->health = health;
    if (!json_object_get(monitor->container->state, "Health")) { /* else an adopted one's goes on */
        save_health(monitor,
                    json_pack("{s:s,s:i,s:[]}", "Status", "starting", "FailingStreak", 0, "Log"));
    }
    loop_arm(monitor->loop, &health->timer,
             health->start_interval_ns ? health->start_interval_ns : health->interval_ns,
             probe_begin, health);
}

static void close_output(struct health *health)
{
    loop_unwatch(health->readable);
    health->readable = NULL;
    ct_cleanup_close(&health->output_fd);
    health->output_fd = -1;
}

/* The first bytes are kept; the rest is read, so that the test does not block on a full pipe. */
static void take_output(struct health *health)
{
    char chunk[1024];
    ssize_t n;

    while ((n = read(health->output_fd, chunk, sizeof(chunk))) > 0) {
        size_t room = sizeof(health->output) - health->length;
        size_t kept = (size_t)n < room ? (size_t)n : room;
        memcpy(health->output + health->length, chunk, kept);
        health->length += kept;
    }
    if (n == 0) {
        close_output(health);
    }
}

static void output_ready(void *context, uint32_t events)
{
    (void)events;
    take_output(context);
}

/* What to say after one more result. Returns the status; it changed when it is not the old one. */
static const char *judge(const struct health *health, const char *status, int exit_code,
                         json_int_t *streak)
{
    int64_t age_ns = ct_monotonic_ns() - health->monitor->started_ns;

    if (exit_code == 0) {
        *streak = 0;
        return "healthy";
    }
    /* While it starts, a failure does not count. */
    if (strcmp(status, "starting") == 0 && age_ns < health->start_period_ns) {
        return status;
    }
    *streak += 1;
    return *streak >= health->retries ? "unhealthy" : status;
}

static json_t *log_entry(const struct health *health, int exit_code, const char *text,
                         size_t length)
{
    char begin[CT_TIME_TEXT], end[CT_TIME_TEXT];

    return json_pack("{s:s,s:s,s:i,s:o}", "Start", ct_time_format(health->began_ns, begin), "End",
                     ct_time_format(ct_now_ns(), end), "ExitCode", exit_code, "Output",
                     ct_json_string_lossy(text, length));
}

static void record_result(struct health *health, int exit_code, const char *text, size_t length)
{
    struct monitor *monitor = health->monitor;
    json_t *old = json_object_get(monitor->container->state, "Health");
    CT_AUTO_FREE char *before = ct_strdup(ct_json_string(old, "Status", "starting"));
    json_int_t streak = ct_json_integer(old, "FailingStreak", 0);
    const char *status = judge(health, before, exit_code, &streak);
    json_t *entries = json_deep_copy(json_object_get(old, "Log"));

    if (!json_is_array(entries)) {
        json_decref(entries);
        entries = json_array();
    }
    ct_json_append(entries, log_entry(health, exit_code, text, length));
    while (json_array_size(entries) > LOG_ENTRIES) {
        (void)json_array_remove(entries, 0);
    }
    bool changed = strcmp(status, before) != 0;
    CT_AUTO_FREE char *action = ct_printf("health_status: %s", status);
    save_health(monitor, json_pack("{s:s,s:I,s:o}", "Status", status, "FailingStreak", streak,
                                   "Log", entries));
    if (changed) {
        tell_event(monitor, action, NULL);
    }
}

static void next_probe(struct health *health)
{
    int64_t age_ns = ct_monotonic_ns() - health->monitor->started_ns;
    bool starting = health->start_interval_ns > 0 && age_ns < health->start_period_ns &&
                    strcmp(ct_json_string(health->monitor->container->state, "Health.Status", ""),
                           "starting") == 0;
    loop_arm(health->monitor->loop, &health->timer,
             starting ? health->start_interval_ns : health->interval_ns, probe_begin, health);
}

static void end_probe(struct health *health)
{
    int status = 0;
    struct ct_error err = {0};

    loop_disarm(&health->timer);
    if (health->output_fd >= 0) {
        take_output(health);
    }
    close_output(health);
    loop_unwatch(health->end);
    health->end = NULL;
    int code = exec_run_result(health->process, &status, &err) == 0 ? ct_exit_code(status) : -1;
    health->process = NULL;
    if (health->timed_out) {
        CT_AUTO_FREE char *text = ct_printf("Health check exceeded timeout (%gs)",
                                            (double)health->timeout_ns / (double)SECOND);
        record_result(health, -1, text, strlen(text));
    } else {
        record_result(health, code, health->output, health->length);
    }
}

static void probe_ended(void *context, uint32_t events)
{
    struct health *health = context;
    (void)events;
    end_probe(health);
    next_probe(health);
}

static void probe_too_long(void *context)
{
    struct health *health = context;
    struct ct_error ignored = {0}; /* it has ended: then its end is on the way */
    health->timed_out = true;
    (void)exec_run_signal(health->process, SIGKILL, &ignored);
}

static int run_test(struct health *health, int writer, struct ct_error *err)
{
    struct monitor *monitor = health->monitor;
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/root", (int)exec_pid(monitor->job));
    CT_AUTO_CLOSE int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct spec_program program;

    if (root < 0 || null < 0) {
        return ct_fail(err, errno, "open the container's root");
    }
    if (spec_build_program(monitor->container->config, health->exec, root, &program, err) < 0) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "exec_run(%s), health check",
            program.program.argv[0]);
    program.program.terminal = false;
    program.program.stdio[0] = null;
    program.program.stdio[1] = program.program.stdio[2] = writer;
    health->process = exec_run(monitor->job, &program.program, START_LIMIT_MS, err);
    spec_program_done(&program);
    return health->process ? 0 : -1;
}

static int start_probe(struct health *health, struct ct_error *err)
{
    struct loop *loop = health->monitor->loop;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    CT_AUTO_CLOSE int writer = ends[1];
    health->output_fd = ends[0];
    (void)fcntl(ends[0], F_SETFL, O_RDONLY | O_NONBLOCK);
    if (run_test(health, writer, err) < 0) {
        return -1;
    }
    health->readable = loop_watch(loop, ends[0], EPOLLIN, output_ready, health, err);
    health->end =
        loop_watch(loop, exec_run_wait_fd(health->process), EPOLLIN, probe_ended, health, err);
    if (!health->readable || !health->end) {
        probe_too_long(health); /* its result is fetched below: it is dead in a moment */
        end_probe(health);
        return -1;
    }
    loop_arm(loop, &health->timer, health->timeout_ns, probe_too_long, health);
    return 0;
}

static void probe_begin(void *context)
{
    struct health *health = context;
    struct ct_error err = {0};
    char line[400];

    if (strcmp(container_status(health->monitor->container), "running") != 0) {
        next_probe(health); /* a paused container is not asked */
        return;
    }
    health->length = 0;
    health->timed_out = false;
    health->began_ns = ct_now_ns();
    if (start_probe(health, &err) < 0) {
        close_output(health);
        (void)ct_error_render(&err, line, sizeof(line));
        record_result(health, err.kind == CT_NO_PROGRAM ? 127 : -1, line, strlen(line));
        next_probe(health);
    }
}

void health_end(struct monitor *monitor)
{
    struct health *health = monitor->health;
    struct ct_error ignored = {0};
    int status;

    if (!health) {
        return;
    }
    loop_disarm(&health->timer);
    loop_unwatch(health->end);
    close_output(health);
    if (health->process) {
        (void)exec_run_signal(health->process, SIGKILL, &ignored);
        (void)exec_run_result(health->process, &status, &ignored);
    }
    json_decref(health->exec);
    free(health);
    monitor->health = NULL;
}
