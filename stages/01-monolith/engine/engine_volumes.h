/*
 * engine_volumes.h - what can be asked of volumes. See engine.h for the conventions.
 *
 * Room:       engine.   Called by: cli/volumes.c, rest/.
 * Spec:       Docker Engine API 1.43, "Volume".
 */
#ifndef ENGINE_VOLUMES_H
#define ENGINE_VOLUMES_H

#include "engine.h"

/* {"Volumes":[…],"Warnings":null} */
int engine_volume_list(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err);
int engine_volume_inspect(struct engine *engine, const char *name, json_t **ret,
                          struct ct_error *err);
/* body: Docker's VolumeCreate document; ret: the volume's document. */
int engine_volume_create(struct engine *engine, const json_t *body, json_t **ret,
                         struct ct_error *err);
int engine_volume_remove(struct engine *engine, const char *name, bool force, struct ct_error *err);
/* {"VolumesDeleted":[…],"SpaceReclaimed":n}; only anonymous ones unless filter all=true. */
int engine_volume_prune(struct engine *engine, const json_t *filters, json_t **ret,
                        struct ct_error *err);

#endif
