/*
 * engine_fake_refusals.c - what the fake engine does not act, refused by name.
 *
 * Room:       tests/fakes.   Called by: as engine_fake.c.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_fake.h"
#include "engine_images.h"
#include "engine_networks.h"
#include "engine_system.h"
#include "engine_volumes.h"

/* A refusal looks at nothing that it was given. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

int engine_container_update(struct engine *engine, const char *ref, const json_t *body,
                            json_t **ret_warnings, struct ct_error *err)
{
    return fake_cannot(err, "update a container");
}

int engine_container_resize(struct engine *engine, const char *ref, unsigned height, unsigned width,
                            struct ct_error *err)
{
    return fake_cannot(err, "resize a terminal");
}

int engine_container_stats(struct engine *engine, const char *ref, bool one_shot, json_t **ret,
                           struct ct_error *err)
{
    return fake_cannot(err, "sample a container");
}

int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, json_t **ret,
                         struct ct_error *err)
{
    return fake_cannot(err, "list processes");
}

int engine_container_changes(struct engine *engine, const char *ref, json_t **ret,
                             struct ct_error *err)
{
    return fake_cannot(err, "list changes");
}

int engine_container_stat_path(struct engine *engine, const char *ref, const char *path,
                               json_t **ret_stat, struct ct_error *err)
{
    return fake_cannot(err, "describe a path");
}

int engine_container_get_archive(struct engine *engine, const char *ref, const char *path,
                                 int out_fd, struct ct_error *err)
{
    return fake_cannot(err, "copy out");
}

int engine_container_put_archive(struct engine *engine, const char *ref, const char *path,
                                 bool no_overwrite_dir, int in_fd, struct ct_error *err)
{
    return fake_cannot(err, "copy in");
}

int engine_container_export(struct engine *engine, const char *ref, int out_fd,
                            struct ct_error *err)
{
    return fake_cannot(err, "export a container");
}

int engine_container_commit(struct engine *engine, const char *ref, const struct engine_commit *how,
                            char **ret_id, struct ct_error *err)
{
    return fake_cannot(err, "commit a container");
}

int engine_container_prune(struct engine *engine, const json_t *filters, json_t **ret,
                           struct ct_error *err)
{
    return fake_cannot(err, "prune containers");
}

int engine_exec_create(struct engine *engine, const char *ref, const json_t *body, char **ret_id,
                       struct ct_error *err)
{
    return fake_cannot(err, "create an exec");
}

int engine_exec_start(struct engine *engine, const char *exec_id, int *ret_fd, struct ct_error *err)
{
    return fake_cannot(err, "start an exec");
}

int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned height, unsigned width,
                       struct ct_error *err)
{
    return fake_cannot(err, "resize a terminal");
}

int engine_exec_inspect(struct engine *engine, const char *exec_id, json_t **ret,
                        struct ct_error *err)
{
    return fake_cannot(err, "inspect an exec");
}

int engine_image_history(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    return fake_cannot(err, "tell the history of an image");
}

int engine_image_load(struct engine *engine, int in_fd, const struct engine_io *io,
                      struct ct_error *err)
{
    return fake_cannot(err, "load an image");
}

int engine_image_save(struct engine *engine, const char *const *refs, size_t n, int out_fd,
                      const struct engine_io *io, struct ct_error *err)
{
    return fake_cannot(err, "save images");
}

int engine_image_import(struct engine *engine, const struct engine_import *how, int in_fd,
                        const struct engine_io *io, char **ret_id, struct ct_error *err)
{
    return fake_cannot(err, "import an image");
}

int engine_image_tag(struct engine *engine, const char *source, const char *target,
                     struct ct_error *err)
{
    return fake_cannot(err, "tag an image");
}

int engine_image_remove(struct engine *engine, const char *ref, bool force, bool no_prune,
                        json_t **ret_deleted, struct ct_error *err)
{
    return fake_cannot(err, "remove an image");
}

int engine_image_prune(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    return fake_cannot(err, "prune images");
}

int engine_network_connect(struct engine *engine, const char *ref, const char *container,
                           const json_t *endpoint, struct ct_error *err)
{
    return fake_cannot(err, "connect to a network");
}

int engine_network_disconnect(struct engine *engine, const char *ref, const char *container,
                              bool force, struct ct_error *err)
{
    return fake_cannot(err, "disconnect from a network");
}

int engine_network_prune(struct engine *engine, const json_t *filters, json_t **ret,
                         struct ct_error *err)
{
    return fake_cannot(err, "prune networks");
}

int engine_volume_prune(struct engine *engine, const json_t *filters, json_t **ret,
                        struct ct_error *err)
{
    return fake_cannot(err, "prune volumes");
}

int engine_info(struct engine *engine, json_t **ret, struct ct_error *err)
{
    return fake_cannot(err, "describe the machine");
}

int engine_disk_usage(struct engine *engine, json_t **ret, struct ct_error *err)
{
    return fake_cannot(err, "measure disk usage");
}

int engine_events(struct engine *engine, const struct engine_events *query, engine_event_fn report,
                  void *context, int cancel_fd, struct ct_error *err)
{
    return fake_cannot(err, "follow events");
}
