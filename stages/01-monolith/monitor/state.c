/*
 * state.c - the record's transitions: one function each, saved before anybody is told.
 *
 * Room:       monitor.   Called by: the monitor while it lives, reconcile.c when it does not.
 * Spec:       Docker Engine API 1.43, "ContainerState". Running is true while paused and
 *             restarting, as there.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <string.h>
#include <unistd.h>

#define ASIDE "state.json" /* in RUN/<id> */

static void set_status(json_t *state, const char *status)
{
    bool paused = strcmp(status, "paused") == 0;
    bool restarting = strcmp(status, "restarting") == 0;

    ct_json_set_string(state, "Status", status);
    ct_json_set(state, "Running",
                json_boolean(paused || restarting || strcmp(status, "running") == 0));
    ct_json_set(state, "Paused", json_boolean(paused));
    ct_json_set(state, "Restarting", json_boolean(restarting));
}

static void set_now(json_t *state, const char *key)
{
    char now[CT_TIME_TEXT];
    ct_json_set_string(state, key, ct_time_format(ct_now_ns(), now));
}

static int save(struct container *container, const char *what, struct ct_error *err)
{
    return container_save_state(container, err) < 0 ? ct_while(err, "record %s", what) : 0;
}

const char *boot_id(char buffer[static 64])
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    buffer[0] = '\0';
    if (ct_read_file_at(-1, "/proc/sys/kernel/random/boot_id", 63, &text, &ignored) > 0) {
        (void)snprintf(buffer, 64, "%.*s", (int)strcspn(text, "\n"), text);
    }
    return buffer;
}

int state_preparing(struct container *container, json_t *job, struct ct_error *err)
{
    char boot[64];

    ct_json_set(container->state, "Job", job);
    ct_json_set(container->state, "MonitorPid", json_integer(getpid()));
    ct_json_set_string(container->state, "BootId", boot_id(boot));
    return save(container, "what is being started", err);
}

int state_running(struct container *container, pid_t pid, struct ct_error *err)
{
    json_t *state = container->state;

    set_status(state, "running");
    set_now(state, "StartedAt");
    ct_json_set(state, "Pid", json_integer(pid));
    ct_json_set(state, "ExitCode", json_integer(0));
    ct_json_set_string(state, "Error", "");
    ct_json_set(state, "OOMKilled", json_false());
    ct_json_set(state, "Dead", json_false());
    ct_json_set(state, "ManuallyStopped", json_false());
    ct_json_set(state, "MonitorPid", json_integer(getpid()));
    return save(container, "that it runs", err);
}

int state_paused(struct container *container, bool paused, struct ct_error *err)
{
    set_status(container->state, paused ? "paused" : "running");
    return save(container, paused ? "the pause" : "the end of the pause", err);
}

int state_endpoints(struct container *container, json_t *endpoints, struct ct_error *err)
{
    ct_json_set(container->state, "Endpoints", endpoints);
    return save(container, "its networks", err);
}

int state_manually_stopped(struct container *container, struct ct_error *err)
{
    ct_json_set(container->state, "ManuallyStopped", json_true());
    return save(container, "that it is being stopped", err);
}

static void set_end(json_t *state, const struct run_end *end, bool again)
{
    ct_json_set(state, "Pid", json_integer(0));
    ct_json_set(state, "ExitCode", json_integer(end->exit_code));
    ct_json_set_string(state, "Error", end->error);
    ct_json_set(state, "OOMKilled", json_boolean(end->oom_killed));
    set_now(state, "FinishedAt");
    if (again) {
        json_int_t count = ct_json_integer(state, "RestartCount", 0);
        set_status(state, "restarting");
        ct_json_set(state, "RestartCount", json_integer(count + 1));
    } else {
        set_status(state, "exited");
        ct_json_set(state, "MonitorPid", json_integer(0));
    }
}

void state_forget_run(struct container *container)
{
    (void)json_object_del(container->state, "Job");
    (void)json_object_del(container->state, "Endpoints");
}

int state_ended(struct container *container, const struct run_end *end, bool again,
                struct ct_error *err)
{
    set_end(container->state, end, again);
    state_forget_run(container);
    return save(container, "its end", err);
}

static int exit_code_of(const struct ct_error *cause)
{
    return cause->kind == CT_NO_PROGRAM ? 127 : cause->kind == CT_CANNOT_RUN ? 126 : 128;
}

int state_start_failed(struct container *container, const struct ct_error *cause,
                       struct ct_error *err)
{
    json_t *state = container->state;
    char line[512];
    bool was_restarting = strcmp(container_status(container), "restarting") == 0;

    ct_json_set_string(state, "Error", ct_error_render(cause, line, sizeof(line)));
    ct_json_set(state, "ExitCode", json_integer(exit_code_of(cause)));
    ct_json_set(state, "Pid", json_integer(0));
    ct_json_set(state, "MonitorPid", json_integer(0));
    state_forget_run(container);
    if (was_restarting || container_is_running(container)) {
        set_status(state, "exited");
        set_now(state, "FinishedAt");
    }
    return save(container, "why it did not start", err);
}

int state_health(struct container *container, json_t *health, struct ct_error *err)
{
    if (health) {
        ct_json_set(container->state, "Health", health);
    } else {
        (void)json_object_del(container->state, "Health");
    }
    return save(container, "its health", err);
}

static void keep_aside(const struct container *container, const json_t *state)
{
    struct ct_error err = {0};
    char line[400];

    if (ct_json_save_run_at(container->run_fd, ASIDE, state, &err) < 0) {
        ct_warn("keep the state of %.12s: %s", container->id,
                ct_error_render(&err, line, sizeof(line)));
    }
}

void state_keep_aside(struct container *container)
{
    keep_aside(container, container->state);
}

void state_foretell_end(const struct container *container, const struct run_end *end, bool again)
{
    CT_AUTO_JSON json_t *state = json_deep_copy(container->state);

    if (state) { /* out of memory: who comes after a kill will not know how it ended */
        set_end(state, end, again);
        keep_aside(container, state);
    }
}

void state_forget_aside(const struct container *container)
{
    (void)unlinkat(container->run_fd, ASIDE, 0); /* most often there is none */
}

bool state_recover(struct container *container)
{
    struct ct_error none = {0};
    CT_AUTO_JSON json_t *aside = ct_json_load_at(container->run_fd, ASIDE, &none);
    const char *started = ct_json_string(container->state, "StartedAt", "");

    /* Only the end of the very run that the record still calls running. */
    if (!aside || strcmp(ct_json_string(aside, "StartedAt", ""), started) != 0 ||
        !container_is_running(container)) {
        return false;
    }
    json_decref(container->state);
    container->state = json_incref(aside);
    return true;
}
