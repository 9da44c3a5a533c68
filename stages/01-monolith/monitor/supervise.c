/*
 * supervise.c - what happens while a container runs: its end, its next run, signals, pause.
 *
 * Room:       monitor.   Called by: monitor.c, serve.c.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"

#include "cleanup.h"
#include "events.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <signal.h>
#include <string.h>

#define SECOND           1000000000LL
#define RESTART_LIMIT_MS 60000
#define LOCK_TIMEOUT_MS  20000

static void job_ended(void *context, uint32_t events);

/* Docker's attributes of every container event: its labels, image, name, and what is given. */
void tell_event(const struct monitor *monitor, const char *action, json_t *given)
{
    CT_AUTO_JSON json_t *more = given;
    struct container *container = monitor->container;
    CT_AUTO_JSON json_t *attributes = json_object();

    reload_config(container); /* it may have been renamed */
    json_t *labels = ct_json_get(container->config, "Config.Labels");
    if (json_is_object(labels)) {
        (void)json_object_update(attributes, labels); /* out of memory: fewer attributes */
    }
    ct_json_set_string(attributes, "image", ct_json_string(container->config, "Config.Image", ""));
    ct_json_set_string(attributes, "name", container_name(container));
    if (more) {
        (void)json_object_update(attributes, more);
    }
    event_emit(monitor->places.events, "container", action, container->id, attributes);
}

int supervise_begin(struct monitor *monitor, struct ct_error *err)
{
    monitor->job_end =
        loop_watch(monitor->loop, exec_wait_fd(monitor->job), EPOLLIN, job_ended, monitor, err);
    if (!monitor->job_end) {
        return -1;
    }
    health_begin(monitor);
    give_memory_back_soon(monitor); /* the preparations were the largest thing that we do */
    return 0;
}

/* The end for good. */

static void remove_container(struct monitor *monitor)
{
    struct ct_error err = {0};
    char line[400];

    if (container_lock(monitor->container, LOCK_TIMEOUT_MS, &err) < 0 ||
        discard(&monitor->places, monitor->containers, monitor->container, true, &err) < 0) {
        if (err.kind != CT_NOT_FOUND) { /* else somebody else removed it */
            ct_warn("remove the container: %s", ct_error_render(&err, line, sizeof(line)));
        }
        return;
    }
    tell_event(monitor, "destroy", NULL);
}

static void leave(struct monitor *monitor)
{
    serve_close(monitor);
    streams_free(monitor->streams);
    monitor->streams = NULL;
    if (ct_json_bool(monitor->container->config, "HostConfig.AutoRemove", false)) {
        remove_container(monitor);
    }
    loop_stop(monitor->loop);
}

static void tell_end(const struct monitor *monitor, const struct run_end *end)
{
    CT_AUTO_FREE char *code = ct_printf("%d", end->exit_code);
    if (end->oom_killed) {
        tell_event(monitor, "oom", NULL);
    }
    tell_event(monitor, "die", json_pack("{s:s}", "exitCode", code));
}

/*
 * On a full disk the record cannot change. It is kept in RUN (memory) for whoever looks, should
 * we be killed, and tried again until it fits.
 */
static void record_again(void *context)
{
    struct monitor *monitor = context;
    struct ct_error err = {0};

    if (container_save_state(monitor->container, &err) < 0) {
        state_keep_aside(monitor->container);
        loop_arm(monitor->loop, &monitor->record_timer, SECOND, record_again, monitor);
        return;
    }
    struct run_end end = {
        .exit_code = (int)ct_json_integer(monitor->container->state, "ExitCode", 0),
        .oom_killed = ct_json_bool(monitor->container->state, "OOMKilled", false)};
    state_forget_aside(monitor->container);
    tell_end(monitor, &end);
    leave(monitor);
}

static void end_for_good(struct monitor *monitor, const struct run_end *end)
{
    struct ct_error err = {0};
    char line[400];

    if (state_ended(monitor->container, end, false, &err) < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
        record_again(monitor);
        return;
    }
    state_forget_aside(monitor->container);
    tell_end(monitor, end);
    leave(monitor);
}

/* The next run. */

static void run_again(void *context)
{
    struct monitor *monitor = context;
    struct ct_error err = {0};
    struct run_end end = {.exit_code = 128};
    char line[sizeof(end.error)];

    reload_config(monitor->container);
    if (run_start(monitor, NULL, 0, RESTART_LIMIT_MS, &err) == 0 &&
        supervise_begin(monitor, &err) == 0) {
        tell_event(monitor, "start", NULL);
        return;
    }
    ct_warn("run again: %s", ct_error_render(&err, line, sizeof(line)));
    if (monitor->job) { /* it runs, but nobody would see its end */
        run_finish(monitor, &end);
    }
    end.exit_code = err.kind == CT_NO_PROGRAM ? 127 : err.kind == CT_CANNOT_RUN ? 126 : 128;
    memcpy(end.error, line, sizeof(line));
    end_for_good(monitor, &end);
}

void supervise_wait(struct monitor *monitor)
{
    loop_arm(monitor->loop, &monitor->restart_timer, restart_delay_again(monitor), run_again,
             monitor);
}

static void job_ended(void *context, uint32_t events)
{
    struct monitor *monitor = context;
    struct run_end end;
    struct ct_error err = {0};
    (void)events;

    health_end(monitor);
    loop_disarm(&monitor->kill_timer);
    run_see_end(monitor, &end);
    reload_config(monitor->container); /* the policy may have been changed */
    int64_t delay_ns = restart_delay(monitor, end.exit_code);
    /* Once the job is deleted nobody else knows how it ended, and the record is not true before. */
    state_foretell_end(monitor->container, &end, delay_ns >= 0);
    run_take_down(monitor);
    if (delay_ns < 0 || state_ended(monitor->container, &end, true, &err) < 0) {
        end_for_good(monitor, &end);
        return;
    }
    state_forget_aside(monitor->container);
    tell_end(monitor, &end);
    streams_free(monitor->streams);
    monitor->streams = NULL;
    loop_arm(monitor->loop, &monitor->restart_timer, delay_ns, run_again, monitor);
    give_memory_back_soon(monitor);
}

/* Signals. */

/* Between two runs there is nothing to kill, only a next run to call off. */
static void call_off(struct monitor *monitor)
{
    const json_t *state = monitor->container->state;
    struct run_end end = {.exit_code = (int)ct_json_integer(state, "ExitCode", 0),
                          .oom_killed = ct_json_bool(state, "OOMKilled", false)};
    struct ct_error err = {0};

    loop_disarm(&monitor->restart_timer);
    if (state_ended(monitor->container, &end, false, &err) < 0) {
        record_again(monitor);
        return;
    }
    leave(monitor);
}

static int thaw(struct monitor *monitor, struct ct_error *err)
{
    if (strcmp(container_status(monitor->container), "paused") != 0) {
        return 0;
    }
    if (exec_resume(monitor->job, err) < 0) {
        if (err->kind != CT_NOT_FOUND && err->kind != CT_CONFLICT) {
            return -1;
        }
        ct_error_clear(err); /* a kernel that kills what is frozen: its end is on the way */
        return 0;
    }
    return state_paused(monitor->container, false, err);
}

int supervise_signal(struct monitor *monitor, int signal_number, bool stopping,
                     struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SIGNAL, "exec_signal(%s)", ct_signal_name(signal_number));

    if (stopping && state_manually_stopped(monitor->container, err) < 0) {
        ct_error_clear(err); /* a full disk must not keep anybody from stopping it */
    }
    if (!monitor->job) {
        if (stopping && monitor->restart_timer.loop) {
            call_off(monitor);
            return 0;
        }
        return ct_refuse(err, CT_CONFLICT, "container %s is not running",
                         container_name(monitor->container));
    }
    if (exec_signal(monitor->job, signal_number, err) < 0) {
        return -1;
    }
    /* A frozen program cannot even die. */
    return stopping || signal_number == SIGKILL ? thaw(monitor, err) : 0;
}

int supervise_pause(struct monitor *monitor, bool pause, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SIGNAL, pause ? "exec_pause" : "exec_resume");
    bool paused = strcmp(container_status(monitor->container), "paused") == 0;

    if (!monitor->job || paused == pause) {
        return ct_refuse(err, CT_CONFLICT, "container %s is %s", container_name(monitor->container),
                         !monitor->job ? "not running"
                         : paused      ? "already paused"
                                       : "not paused");
    }
    if ((pause ? exec_pause(monitor->job, err) : exec_resume(monitor->job, err)) < 0) {
        return -1;
    }
    return state_paused(monitor->container, pause, err);
}

static void kill_now(void *context)
{
    struct monitor *monitor = context;
    struct ct_error ignored = {0}; /* it has ended: then its end is on the way */
    (void)supervise_signal(monitor, SIGKILL, true, &ignored);
}

void supervise_stop_politely(struct monitor *monitor)
{
    struct ct_error err = {0};
    const char *name = ct_json_string(monitor->container->config, "Config.StopSignal", "");
    int number = *name ? ct_signal_number(name, &err) : SIGTERM;
    json_int_t seconds = ct_json_integer(monitor->container->config, "Config.StopTimeout", 10);

    (void)supervise_signal(monitor, number > 0 ? number : SIGTERM, true, &err);
    if (monitor->job && seconds >= 0 && seconds < INT32_MAX) {
        loop_arm(monitor->loop, &monitor->kill_timer, seconds * SECOND, kill_now, monitor);
    }
}
