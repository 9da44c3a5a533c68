/*
 * engine_images.h - what can be asked of images. See engine.h for the conventions.
 *
 * Room:       engine.   Called by: cli/images.c, rest/.
 * Spec:       Docker Engine API 1.43, "Image".
 */
#ifndef ENGINE_IMAGES_H
#define ENGINE_IMAGES_H

#include "engine.h"

/* Progress objects as Docker streams them: {"status","id","progressDetail":{"current","total"}} or
 * {"stream":"…"}. Borrowed. */
typedef void (*engine_progress_fn)(void *context, const json_t *message);

struct engine_io {
    engine_progress_fn progress; /* NULL: none */
    void *context;
    bool quiet;    /* only results: {"stream":…} */
    int cancel_fd; /* -1: none */
};

/* GET /images/json; all: intermediate images too (we make none); filters dangling, label,
 * reference, before, since. */
int engine_image_list(struct engine *engine, bool all, const json_t *filters, json_t **ret_list,
                      struct ct_error *err);
int engine_image_inspect(struct engine *engine, const char *ref, json_t **ret,
                         struct ct_error *err);
int engine_image_history(struct engine *engine, const char *ref, json_t **ret,
                         struct ct_error *err);

/* POST /images/load from in_fd; says "Loaded image: x" through io, and how far each layer is. */
int engine_image_load(struct engine *engine, int in_fd, const struct engine_io *io,
                      struct ct_error *err);
/* Progress: of each layer; over REST, where the answer is the archive, of the bytes received. */
int engine_image_save(struct engine *engine, const char *const *refs, size_t n, int out_fd,
                      const struct engine_io *io, struct ct_error *err);
/* POST /images/create?fromSrc=-: a tar of a root file system becomes an image. ret_id owned. */
struct engine_import {
    const char *repository, *tag, *message;
    const char *const *changes; /* NULL-terminated, or NULL */
    const char *platform;       /* NULL: this machine's */
};
int engine_image_import(struct engine *engine, const struct engine_import *how, int in_fd,
                        const struct engine_io *io, char **ret_id, struct ct_error *err);

int engine_image_tag(struct engine *engine, const char *source, const char *target,
                     struct ct_error *err);
/* [{"Untagged":…},{"Deleted":…}] */
int engine_image_remove(struct engine *engine, const char *ref, bool force, bool no_prune,
                        json_t **ret_deleted, struct ct_error *err);
/* {"ImagesDeleted":[…],"SpaceReclaimed":n}; filters dangling=false: all unused ones. */
int engine_image_prune(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err);

#endif
