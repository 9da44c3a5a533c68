/*
 * reconcile.c - makes a record true again that nobody keeps, and removes what a container was.
 *
 * Room:       monitor.   Called by: engine, with the container's lock; supervise.c (discard).
 */
#define CT_LAYER "monitor"
#include "carrier.h"
#include "monitor_internal.h"

#include "cleanup.h"
#include "events.h"
#include "json.h"
#include "log.h"
#include "logs.h"
#include "path.h"
#include "snapshots.h"
#include "span.h"
#include "volumes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ADOPT_LIMIT_MS 30000

static bool is_true(const struct container *container)
{
    bool half_started = json_object_get(container->state, "Job") != NULL;
    return !container_is_running(container) && !half_started;
}

static bool rebooted_since(const struct container *container)
{
    char now[64];
    const char *then = ct_json_string(container->state, "BootId", "");
    return *then && strcmp(then, boot_id(now)) != 0;
}

/* What a killed driver job left: the driver removes it, whether it still runs or not. */
static void end_job(const struct container *container)
{
    struct ct_error err = {0};
    char line[400];
    int kept[STREAMS_KEPT_MAX] = {-1, -1};
    struct exec_job *job =
        exec_adopt(json_object_get(container->state, "Job"), kept, STREAMS_KEPT_MAX, &err);

    for (size_t i = 0; i < STREAMS_KEPT_MAX; i++) {
        ct_cleanup_close(&kept[i]);
    }
    if (job && exec_delete(job, &err) < 0) {
        ct_warn("end %.12s: %s", container->id, ct_error_render(&err, line, sizeof(line)));
    }
}

static void tell_die(const struct places *places, const struct container *container, int exit_code)
{
    CT_AUTO_JSON json_t *attributes = json_object();
    CT_AUTO_FREE char *code = ct_printf("%d", exit_code);

    ct_json_set_string(attributes, "image", ct_json_string(container->config, "Config.Image", ""));
    ct_json_set_string(attributes, "name", container_name(container));
    ct_json_set_string(attributes, "exitCode", code);
    event_emit(places->events, "container", "die", container->id, attributes);
}

/* Records an end that nobody saw. */
static int record_end(const struct places *places, struct container *container,
                      struct ct_error *err)
{
    bool ran = container_is_running(container);
    bool between_runs = strcmp(container_status(container), "restarting") == 0;
    struct run_end end = {.exit_code = rebooted_since(container) ? 255 : 137};

    if (between_runs) { /* the last end was seen, only no next run came */
        end.exit_code = (int)ct_json_integer(container->state, "ExitCode", 0);
    }
    end_job(container);
    if (run_clean_up(places, container, err) < 0) {
        return -1;
    }
    if (!ran) { /* a start that was killed half way */
        state_forget_run(container);
        return container_save_state(container, err);
    }
    if (state_ended(container, &end, false, err) < 0) {
        return -1;
    }
    if (!between_runs) {
        tell_die(places, container, end.exit_code);
    }
    return 0;
}

/* An end that was seen, by one who was killed before he had removed the run and recorded it. */
static int clean_end(const struct places *places, struct container *container, struct ct_error *err)
{
    end_job(container);
    if (run_clean_up(places, container, err) < 0) {
        return -1;
    }
    state_forget_run(container);
    if (container_save_state(container, err) < 0) {
        return -1;
    }
    state_forget_aside(container);
    tell_die(places, container, (int)ct_json_integer(container->state, "ExitCode", 0));
    return 0;
}

/*
 * 1: another monitor has taken the job over; 0: nothing of it runs any more; -1: it may run, but
 * no monitor could be had (a full disk, no memory): it is left alone, and the next command tries
 * again.
 */
static int adopted(const struct monitor_paths *paths, const struct container *container,
                   struct ct_error *err)
{
    bool between_runs = strcmp(container_status(container), "restarting") == 0;

    if (!container_is_running(container) || rebooted_since(container) ||
        !(json_object_get(container->state, "Job") || between_runs)) {
        return 0;
    }
    if (spawn_monitor(paths, container, NULL, 0, true, ADOPT_LIMIT_MS, err) == 0) {
        return 1;
    }
    if (err->kind != CT_NOT_FOUND && err->kind != CT_INVALID) {
        return -1;
    }
    ct_error_clear(err);
    return 0;
}

static int discard_if_wanted(const struct places *places, struct container *container,
                             struct ct_error *err)
{
    if (container_is_running(container) ||
        !ct_json_bool(container->config, "HostConfig.AutoRemove", false) ||
        strcmp(container_status(container), "exited") != 0) {
        return 0;
    }
    struct container_store *store =
        container_store_open(places->containers, places->run_containers, err);
    int result = store ? discard(places, store, container, true, err) : -1;
    container_store_close(store);
    return result;
}

static int reconcile(const struct monitor_paths *paths, struct container *container,
                     struct ct_error *err)
{
    struct places places;

    if (places_open(&places, paths->root, paths->run, err) < 0) {
        return -1;
    }
    int result = state_recover(container) ? clean_end(&places, container, err) : 0;
    if (result == 0 && !is_true(container)) {
        int taken = adopted(paths, container, err);
        result = taken == 0 ? record_end(&places, container, err) : taken < 0 ? -1 : 0;
    }
    if (result == 0) {
        result = discard_if_wanted(&places, container, err);
    }
    places_done(&places);
    return result < 0 ? -1 : container_reload(container, err);
}

int monitor_reconcile(const struct monitor_paths *paths, struct container *container,
                      struct ct_error *err)
{
    if (is_true(container) || monitor_lives(container)) {
        return 0;
    }
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "monitor_reconcile(%.12s)", container->id);
    return reconcile(paths, container, err) < 0
               ? ct_while(err, "reconcile container '%s'", container_name(container))
               : 0;
}

/* Removal. */

static bool is_hex_name(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static bool mounts_volume(const struct container *container, const char *name)
{
    size_t i;
    json_t *mount;

    json_array_foreach(json_object_get(container->config, "Mounts"), i, mount)
    {
        if (strcmp(ct_json_string(mount, "Name", ""), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether another container has it, too (--volumes-from). When in doubt: yes. */
static bool is_shared(struct container_store *store, const struct container *container,
                      const char *name)
{
    struct ct_error ignored = {0};
    const struct container **all = container_list(store, &ignored);
    bool shared = !all;

    for (const struct container **c = all; c && *c && !shared; c++) {
        shared = strcmp((*c)->id, container->id) != 0 && mounts_volume(*c, name);
    }
    container_list_free(all);
    return shared;
}

static int remove_volumes(const struct places *places, struct container_store *store,
                          const struct container *container, struct ct_error *err)
{
    struct volume_store *volumes = NULL;
    int result = 0;
    size_t i;
    json_t *mount;

    json_array_foreach(json_object_get(container->config, "Mounts"), i, mount)
    {
        const char *name = ct_json_string(mount, "Name", "");
        if (result < 0 || strcmp(ct_json_string(mount, "Type", ""), "volume") != 0 ||
            !is_hex_name(name) || !ct_json_bool(mount, "Created", false) ||
            is_shared(store, container, name)) {
            continue;
        }
        volumes = volumes ? volumes : volume_store_open(places->volumes, err);
        result = volumes ? volume_remove(volumes, name, true, err) : -1;
    }
    volume_store_close(volumes);
    return result;
}

static int remove_snapshot(const struct places *places, const struct container *container,
                           struct ct_error *err)
{
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    struct snapshot_store *snapshots = snapshot_store_open(places->snapshots, err);
    int result = snapshots ? snapshot_remove(snapshots, key, err) : -1;

    snapshot_store_close(snapshots);
    return result;
}

int discard(const struct places *places, struct container_store *store, struct container *container,
            bool volumes, struct ct_error *err)
{
    CT_AUTO_FREE char *logs = container_log_dir(container);

    if (run_clean_up(places, container, err) < 0 || remove_snapshot(places, container, err) < 0 ||
        (volumes && remove_volumes(places, store, container, err) < 0) ||
        log_remove(logs, container->id, err) < 0) {
        return -1;
    }
    return container_delete(store, container, err);
}

int monitor_discard(const struct monitor_paths *paths, struct container *container, bool volumes,
                    struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "monitor_discard(%.12s)", container->id);
    struct places places;

    if (container_is_running(container)) {
        return ct_refuse(err, CT_CONFLICT, "container %s is %s", container_name(container),
                         container_status(container));
    }
    if (places_open(&places, paths->root, paths->run, err) < 0) {
        return -1;
    }
    struct container_store *store =
        container_store_open(places.containers, places.run_containers, err);
    int result = store ? discard(&places, store, container, volumes, err) : -1;
    container_store_close(store);
    places_done(&places);
    return result;
}
