/*
 * lifecycle.c - start, stop, kill, restart, pause, rename, update: a container's life.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Container".
 *
 * Starting takes the container's lock. Stopping does not: it asks the living monitor, which takes
 * one request at a time, so that a `kill` is not kept waiting behind a `stop` of ten seconds.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"
#include "spec.h"
#include "units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 64 /* streams waiting for one start through one handle */

static size_t to_streams(const struct engine_pending *list,
                         struct monitor_stream streams[PENDING_MAX])
{
    size_t n = 0;
    for (const struct engine_pending *p = list; p && n < PENDING_MAX; p = p->next) {
        streams[n++] = (struct monitor_stream){
            .fd = p->fd, .in = p->in, .out = p->out, .err = p->err, .detach_keys = p->detach_keys};
    }
    return n;
}

/* A crash between the record and its snapshot left none: it is made now. */
static int ensure_snapshot(struct engine *engine, struct container *container, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SNAPSHOT, "check layers of %.19s",
            ct_json_string(container->config, "Image", ""));
    struct image *image =
        engine_find_image(engine, ct_json_string(container->config, "Image", ""), err);
    if (!image) {
        return ct_while(err, "find the image of '%s'", container_name(container));
    }
    CT_AUTO_FREE char *chain = image_chain(engine_images(engine, err), image, err);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    image_free(image);

    struct ct_error exists = {0};
    if (!chain || snapshot_prepare(engine_snapshots(engine, err), key, chain, &exists) < 0) {
        if (chain && exists.kind == CT_EXISTS) {
            return 0;
        }
        *err = chain ? exists : *err;
        return -1;
    }
    return 0;
}

static int check_startable(const struct container *container, struct ct_error *err)
{
    if (strcmp(container_status(container), "paused") == 0) {
        return ct_refuse(err, CT_CONFLICT, "cannot start a paused container, try unpause instead");
    }
    if (container_is_running(container)) {
        return ct_refuse(err, CT_UNCHANGED, "container %s is already running",
                         container_name(container));
    }
    return 0;
}

static int start_locked(struct engine *engine, struct container *container, struct ct_error *err)
{
    struct monitor_stream streams[PENDING_MAX];
    struct engine_pending *pending = engine_take_pending(engine, container->id);
    size_t n = to_streams(pending, streams);
    struct monitor_paths paths = engine_paths(engine);
    int result = -1;

    if (check_startable(container, err) == 0 && ensure_snapshot(engine, container, err) == 0) {
        result = monitor_start(&paths, container, streams, n, ENGINE_START_TIMEOUT_MS, err);
    }
    engine_free_pending(pending); /* the monitor has its own copies now, or never will */
    return result;
}

int engine_container_start(struct engine *engine, const char *ref, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_START, "engine_container_start(%s)", ref);
    struct container *container = engine_lock_container(engine, ref, err);
    if (!container) {
        return ct_while(err, "start '%.64s'", ref);
    }
    int result = start_locked(engine, container, err);
    if (result < 0) {
        (void)ct_while(err, "start '%s'", container_name(container));
    }
    container_free(container);
    return result;
}

int engine_wait_stopped(struct engine *engine, struct container *container, int timeout_ms,
                        struct ct_error *err)
{
    int64_t deadline = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    CT_AUTO_CLOSE int watch = container_watch(container, err);
    if (watch < 0) {
        return -1;
    }
    for (;;) {
        struct ct_error gone = {0};
        if (container_reload(container, &gone) < 0 || !container_is_running(container)) {
            return 0; /* --rm may have removed it: then it has ended, too */
        }
        if (!monitor_lives(container)) {
            struct container *true_state = engine_find_container(engine, container->id, &gone);
            container_free(true_state);
        }
        int64_t left_ms = (deadline - ct_monotonic_ns()) / 1000000;
        if (left_ms <= 0) {
            return ct_refuse(err, CT_TIMEOUT, "container %s is still running",
                             container_name(container));
        }
        /* Looks again after a second even without news: a killed monitor tells nobody. */
        (void)ct_wait_readable(watch, -1, left_ms < 1000 ? (int)left_ms : 1000, &gone);
        container_watch_next(watch);
    }
}

static int kill_and_wait(struct engine *engine, struct container *container, struct ct_error *err)
{
    struct ct_error ignored = {0}; /* it may have ended meanwhile: the wait tells */
    (void)monitor_signal(container, SIGKILL, true, &ignored);
    if (engine_wait_stopped(engine, container, ENGINE_KILL_TIMEOUT_MS, err) < 0) {
        return ignored.kind ? (*err = ignored, -1) : -1;
    }
    return 0;
}

static int stop_signal(const struct container *container, const char *wanted, struct ct_error *err)
{
    const char *name =
        wanted ? wanted : ct_json_string(container->config, "Config.StopSignal", NULL);
    return name && *name ? ct_signal_number(name, err) : SIGTERM;
}

static int stop_running(struct engine *engine, struct container *container, const char *signal,
                        int timeout_s, struct ct_error *err)
{
    int number = stop_signal(container, signal, err);
    int seconds = timeout_s >= 0 ? timeout_s
                                 : (int)ct_json_integer(container->config, "Config.StopTimeout",
                                                        ENGINE_STOP_TIMEOUT_S);
    struct ct_error late = {0};

    if (number < 0 || monitor_signal(container, number, true, err) < 0) {
        return -1;
    }
    /* A negative StopTimeout means to wait for ever, as in Docker. */
    int timeout_ms = seconds < 0 ? INT32_MAX : (seconds > 2000000 ? INT32_MAX : seconds * 1000);
    if (engine_wait_stopped(engine, container, timeout_ms, &late) == 0) {
        return 0;
    }
    return kill_and_wait(engine, container, err);
}

int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int timeout_s,
                          struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SIGNAL, "engine_container_stop(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    if (!container) {
        return ct_while(err, "stop '%.64s'", ref);
    }
    int result;
    if (!container_is_running(container)) {
        result = ct_refuse(err, CT_UNCHANGED, "container %s is already stopped",
                           container_name(container));
    } else {
        result = stop_running(engine, container, signal, timeout_s, err);
    }
    if (result == 0) {
        engine_container_event(engine, container, "stop", NULL, NULL);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "stop '%.64s'", ref) : 0;
}

int engine_container_kill(struct engine *engine, const char *ref, const char *signal,
                          struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SIGNAL, "engine_container_kill(%s, %s)", ref,
            signal ? signal : "SIGKILL");
    int number = signal ? ct_signal_number(signal, err) : SIGKILL;
    struct container *container = number < 0 ? NULL : engine_find_container(engine, ref, err);
    int result = -1;

    if (container && engine_require_running(container, err) == 0) {
        result = number == SIGKILL ? kill_and_wait(engine, container, err)
                                   : monitor_signal(container, number, false, err);
    }
    if (result == 0) {
        CT_AUTO_FREE char *text = ct_printf("%d", number);
        engine_container_event(engine, container, "kill", "signal", text);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "kill '%.64s'", ref) : 0;
}

int engine_container_restart(struct engine *engine, const char *ref, const char *signal,
                             int timeout_s, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_START, "engine_container_restart(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    int result = container ? 0 : -1;

    if (container && container_is_running(container)) {
        result = stop_running(engine, container, signal, timeout_s, err);
    }
    container_free(container);
    container = result < 0 ? NULL : engine_lock_container(engine, ref, err);
    result = container ? start_locked(engine, container, err) : -1;
    if (result == 0) {
        engine_container_event(engine, container, "restart", NULL, NULL);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "restart '%.64s'", ref) : 0;
}

static int set_paused(struct engine *engine, const char *ref, bool pause, struct ct_error *err)
{
    struct container *container = engine_find_container(engine, ref, err);
    int result = container ? engine_require_running(container, err) : -1;

    if (result == 0 && (strcmp(container_status(container), "paused") == 0) == pause) {
        result = ct_refuse(err, CT_CONFLICT, "container %s is %s paused", container_name(container),
                           pause ? "already" : "not");
    }
    if (result == 0) {
        result = monitor_pause(container, pause, err);
    }
    if (result == 0) {
        engine_container_event(engine, container, pause ? "pause" : "unpause", NULL, NULL);
    }
    container_free(container);
    return result;
}

int engine_container_pause(struct engine *engine, const char *ref, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SIGNAL, "engine_container_pause(%s)", ref);
    return set_paused(engine, ref, true, err) < 0 ? ct_while(err, "pause '%.64s'", ref) : 0;
}

int engine_container_unpause(struct engine *engine, const char *ref, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SIGNAL, "engine_container_unpause(%s)", ref);
    return set_paused(engine, ref, false, err) < 0 ? ct_while(err, "unpause '%.64s'", ref) : 0;
}

int engine_container_rename(struct engine *engine, const char *ref, const char *name,
                            struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SAVE, "engine_container_rename(%s, %s)", ref, name);
    struct container *container = engine_lock_container(engine, ref, err);
    CT_AUTO_FREE char *old_name = container ? ct_printf("/%s", container_name(container)) : NULL;
    int result =
        container ? container_rename(engine_containers(engine, err), container, name, err) : -1;

    if (result == 0 && container_is_running(container)) {
        struct network_store *networks = engine_networks(engine, err);
        result = networks ? network_rename(networks, container->id, name, err) : -1;
    }
    if (result == 0) {
        engine_container_event(engine, container, "rename", "oldName", old_name);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "rename '%.64s'", ref) : 0;
}

/* Only what an update may change; a zero or null leaves the old value, as the API says. */
static const char *const updatable[] = {
    "CpuShares",          "Memory",     "NanoCpus",    "CpuPeriod",
    "CpuQuota",           "CpusetCpus", "CpusetMems",  "MemoryReservation",
    "MemorySwap",         "PidsLimit",  "BlkioWeight", "CpuRealtimePeriod",
    "CpuRealtimeRuntime", NULL};

static int merge_update(struct container *container, const json_t *body, struct ct_error *err)
{
    json_t *host = json_object_get(container->config, "HostConfig");

    if (ct_shape_check(body, shape_update, "", err) < 0) {
        return -1;
    }
    for (const char *const *key = updatable; *key; key++) {
        json_t *value = json_object_get(body, *key);
        if (!ct_json_is_unset(value)) {
            ct_json_set(host, *key, json_incref(value));
        }
    }
    json_t *policy = json_object_get(body, "RestartPolicy");
    if (*ct_json_string(policy, "Name", "")) {
        ct_json_set(host, "RestartPolicy", json_incref(policy));
    }
    if (request_check(container->config, err) < 0) {
        return -1;
    }
    return spec_check(container->config, err);
}

/* The record, and then the container that runs. What the kernel refuses is not recorded either. */
static int apply_update(struct container *container, const json_t *before, struct ct_error *err)
{
    struct ct_error ignored = {0}; /* err keeps the first cause */

    if (container_save_config(container, err) < 0) {
        return -1;
    }
    if (!container_is_running(container) || monitor_update(container, err) == 0) {
        return 0;
    }
    ct_json_set(container->config, "HostConfig", json_deep_copy(before));
    if (container_save_config(container, &ignored) == 0) {
        (void)monitor_update(container, &ignored); /* a part may have been set already */
    }
    return -1;
}

int engine_container_update(struct engine *engine, const char *ref, const json_t *body,
                            json_t **ret_warnings, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LIMIT, "engine_container_update(%s)", ref);
    struct container *container = engine_lock_container(engine, ref, err);
    CT_AUTO_JSON json_t *before =
        container ? json_deep_copy(json_object_get(container->config, "HostConfig")) : NULL;
    int result = container ? merge_update(container, body, err) : -1;

    if (result == 0) {
        result = apply_update(container, before, err);
    }
    if (result == 0) {
        engine_container_event(engine, container, "update", NULL, NULL);
        *ret_warnings = json_array();
    }
    container_free(container);
    return result < 0 ? ct_while(err, "update '%.64s'", ref) : 0;
}
