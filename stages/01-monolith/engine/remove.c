/*
 * remove.c - takes containers away: rm, and prune.
 *
 * Room:       engine.   Called by: cli, rest.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <signal.h>
#include <string.h>

int engine_discard_container(struct engine *engine, struct container *container, bool volumes,
                             struct ct_error *err)
{
    struct monitor_paths paths = engine_paths(engine);
    return monitor_discard(&paths, container, volumes, err);
}

/* What runs is killed first, without the lock, as kill does. */
static int end_by_force(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct container *container = engine_find_container(engine, ref, err);
    if (!container) {
        return -1;
    }
    int result = 0;
    if (container_is_running(container)) {
        result = engine_container_kill(engine, container->id, NULL, err);
        if (result < 0 && err->kind == CT_CONFLICT) { /* it ended by itself meanwhile */
            ct_error_clear(err);
            result = 0;
        }
    }
    container_free(container);
    return result;
}

/* The container, locked. force: it does not run, even if somebody was starting it meanwhile. */
static struct container *lock_to_remove(struct engine *engine, const char *ref, bool force,
                                        struct ct_error *err)
{
    struct container *container = engine_lock_container(engine, ref, err);

    while (container && force && container_is_running(container)) {
        container_free(container);
        container =
            end_by_force(engine, ref, err) < 0 ? NULL : engine_lock_container(engine, ref, err);
    }
    return container;
}

static int remove_locked(struct engine *engine, struct container *container, bool volumes,
                         struct ct_error *err)
{
    if (container_is_running(container)) {
        (void)ct_refuse(err, CT_CONFLICT, "cannot remove container '%s': it is %s",
                        container_name(container), container_status(container));
        return ct_hint(err, "stop it first, or remove it with --force");
    }
    if (engine_discard_container(engine, container, volumes, err) < 0) {
        return -1;
    }
    engine_container_event(engine, container, "destroy", NULL, NULL);
    return 0;
}

int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes,
                            struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_container_remove(%s)", ref);
    if (force && end_by_force(engine, ref, err) < 0) {
        return ct_while(err, "remove '%.64s'", ref);
    }
    struct container *container = lock_to_remove(engine, ref, force, err);
    if (!container) {
        /* --rm and rm -f may meet: gone is what was asked for. */
        if (force && err->kind == CT_NOT_FOUND) {
            ct_error_clear(err);
            return 0;
        }
        return ct_while(err, "remove '%.64s'", ref);
    }
    int result = remove_locked(engine, container, volumes, err);
    container_free(container);
    return result < 0 ? ct_while(err, "remove '%.64s'", ref) : 0;
}

static const char *const prune_filters[] = {"until", "label", "label!", NULL};

static int is_prunable(const struct container *container, const json_t *filters, bool *ret,
                       struct ct_error *err)
{
    int64_t created_ns = 0;
    if (ct_time_parse(ct_json_string(container->config, "Created", ""), &created_ns, err) < 0 ||
        filters_match_until(filters, created_ns, ret, err) < 0) {
        return -1;
    }
    *ret = *ret && !container_is_running(container) &&
           filters_match_labels(filters, ct_json_get(container->config, "Config.Labels"));
    return 0;
}

static int64_t writable_size(struct engine *engine, const struct container *container)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    struct snapshot_store *snapshots = engine_snapshots(engine, &ignored);
    int64_t size = snapshots ? snapshot_size(snapshots, key, &ignored) : 0;
    return size > 0 ? size : 0;
}

int engine_container_prune(struct engine *engine, const json_t *filters, json_t **ret,
                           struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_container_prune");
    if (filters_check(filters, prune_filters, err) < 0) {
        return -1;
    }
    const struct container **all = engine_all_containers(engine, err);
    CT_AUTO_JSON json_t *deleted = json_array();
    int64_t reclaimed = 0;
    int result = all ? 0 : -1;

    for (const struct container **c = all; result == 0 && c && *c; c++) {
        bool prunable = false;
        struct ct_error skipped = {0}; /* somebody started or removed it meanwhile */
        result = is_prunable(*c, filters, &prunable, err);
        int64_t size = result == 0 && prunable ? writable_size(engine, *c) : 0;
        if (result == 0 && prunable &&
            engine_container_remove(engine, (*c)->id, false, false, &skipped) == 0) {
            ct_json_append(deleted, json_string((*c)->id));
            reclaimed += size;
        }
    }
    container_list_free(all);
    if (result == 0) {
        *ret = json_object();
        ct_json_set(*ret, "ContainersDeleted", ct_steal(deleted));
        ct_json_set(*ret, "SpaceReclaimed", json_integer(reclaimed));
    }
    return result;
}
