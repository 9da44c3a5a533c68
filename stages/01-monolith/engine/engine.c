/*
 * engine.c - the local engine's handle: stage 01, and the daemons of stages 02 and 03.
 *
 * Room:       engine.
 * Called by:  cli (engine_open, engine_close), the other files of this room.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *engine_stage(void)
{
    return PLACES_STAGE;
}

static const char *choose(const char *given, const char *variable, const char *fallback)
{
    const char *from_environment = getenv(variable);
    if (given) {
        return given;
    }
    return from_environment && *from_environment ? from_environment : fallback;
}

struct engine *engine_open(const struct engine_options *options, struct ct_error *err)
{
    const char *host = options->host ? options->host : "";
    if (*host) {
        return ct_refuse_null(
            err, CT_UNSUPPORTED,
            "talk to a daemon at '%s': stage %s has none; it comes with 02-split-client", host,
            engine_stage());
    }
    if (geteuid() != 0) {
        (void)ct_refuse(err, CT_DENIED, "open the engine: it needs root");
        (void)ct_hint(err, "run the command with sudo");
        return NULL;
    }
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine) {
        return ct_fail_null(err, ENOMEM, "open the engine");
    }
    (void)pthread_mutex_init(&engine->mutex, NULL);
    engine->root = ct_path_absolute(choose(options->root, "CUTAWAY_ROOT", "/var/lib/cutaway"), err);
    engine->run = engine->root
                      ? ct_path_absolute(choose(options->run, "CUTAWAY_RUN", "/run/cutaway"), err)
                      : NULL;
    if (!engine->run || places_open(&engine->places, engine->root, engine->run, err) < 0) {
        engine_close(engine);
        return NULL;
    }
    return engine;
}

void engine_close(struct engine *engine)
{
    if (!engine) {
        return;
    }
    engine_free_pending(engine_take_pending(engine, NULL));
    container_store_close(engine->containers);
    image_store_close(engine->images);
    snapshot_store_close(engine->snapshots);
    network_store_close(engine->networks);
    volume_store_close(engine->volumes);
    places_done(&engine->places);
    free(engine->root);
    free(engine->run);
    (void)pthread_mutex_destroy(&engine->mutex);
    free(engine);
}

/* Opens the door unless it is open. The call is only made where it is needed. */
#define OPEN_ONCE(engine, door, call)                 \
    do {                                              \
        (void)pthread_mutex_lock(&(engine)->mutex);   \
        if (!(engine)->door) {                        \
            (engine)->door = (call);                  \
        }                                             \
        (void)pthread_mutex_unlock(&(engine)->mutex); \
    } while (0)

struct container_store *engine_containers(struct engine *engine, struct ct_error *err)
{
    const struct places *places = &engine->places;
    OPEN_ONCE(engine, containers,
              container_store_open(places->containers, places->run_containers, err));
    return engine->containers;
}

struct snapshot_store *engine_snapshots(struct engine *engine, struct ct_error *err)
{
    OPEN_ONCE(engine, snapshots, snapshot_store_open(engine->places.snapshots, err));
    return engine->snapshots;
}

struct image_store *engine_images(struct engine *engine, struct ct_error *err)
{
    struct snapshot_store *snapshots = engine_snapshots(engine, err);
    if (!snapshots) {
        return NULL;
    }
    OPEN_ONCE(engine, images, image_store_open(engine->places.images, snapshots, err));
    return engine->images;
}

struct network_store *engine_networks(struct engine *engine, struct ct_error *err)
{
    const struct places *places = &engine->places;
    OPEN_ONCE(engine, networks, network_store_open(places->networks, places->run_networks, err));
    return engine->networks;
}

struct volume_store *engine_volumes(struct engine *engine, struct ct_error *err)
{
    OPEN_ONCE(engine, volumes, volume_store_open(engine->places.volumes, err));
    return engine->volumes;
}

struct monitor_paths engine_paths(const struct engine *engine)
{
    return (struct monitor_paths){.root = engine->root, .run = engine->run};
}

/* A record that says "running", or half started, while no monitor lives: its monitor was killed, or
 * the machine. */
static bool is_orphaned(const struct container *container)
{
    bool runs = container_is_running(container) || json_object_get(container->state, "Job");
    return runs && !monitor_lives(container);
}

static int reconcile(struct engine *engine, struct container *container, struct ct_error *err)
{
    struct monitor_paths paths = engine_paths(engine);
    return container_reload(container, err) < 0 ? -1 : monitor_reconcile(&paths, container, err);
}

struct container *engine_lock_container(struct engine *engine, const char *ref,
                                        struct ct_error *err)
{
    struct container_store *store = engine_containers(engine, err);
    struct container *container = store ? container_find(store, ref, err) : NULL;
    if (!container) {
        return NULL;
    }
    if (container_lock(container, ENGINE_LOCK_TIMEOUT_MS, err) < 0 ||
        reconcile(engine, container, err) < 0) {
        container_free(container);
        return NULL;
    }
    return container;
}

struct container *engine_find_container(struct engine *engine, const char *ref,
                                        struct ct_error *err)
{
    struct container_store *store = engine_containers(engine, err);
    struct container *container = store ? container_find(store, ref, err) : NULL;
    if (!container || !is_orphaned(container)) {
        return container;
    }
    container_free(container);
    container = engine_lock_container(engine, ref, err);
    if (container) {
        container_unlock(container);
    }
    return container;
}

/* For lists: somebody who holds the lock is changing the state anyway, so nobody waits for it. */
static void reconcile_orphan(struct engine *engine, const char *id)
{
    struct ct_error ignored = {0}; /* the record is then shown as it stands */
    struct container *container = container_find(engine->containers, id, &ignored);

    if (container && container_lock(container, 0, &ignored) == 0) {
        (void)reconcile(engine, container, &ignored);
    }
    container_free(container);
}

const struct container **engine_all_containers(struct engine *engine, struct ct_error *err)
{
    struct container_store *store = engine_containers(engine, err);
    const struct container **all = store ? container_list(store, err) : NULL;
    bool orphans = false;

    for (const struct container **c = all; c && *c; c++) {
        if (is_orphaned(*c)) {
            reconcile_orphan(engine, (*c)->id);
            orphans = true;
        }
    }
    if (!orphans) {
        return all;
    }
    container_list_free(all);
    return container_list(store, err);
}

int engine_require_running(const struct container *container, struct ct_error *err)
{
    if (!container_is_running(container)) {
        return ct_refuse(err, CT_CONFLICT, "container %s is not running",
                         container_name(container));
    }
    return 0;
}
