/*
 * volumes_internal.h - what the files of this room share.
 *
 * Room:       volumes; included by the files of this room only.
 */
#ifndef VOLUMES_INTERNAL_H
#define VOLUMES_INTERNAL_H

#include "volumes.h"

/* store.c: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}; CT_INVALID with Docker's words. */
int volume_check_name(const char *name, struct ct_error *err);

/*
 * parse.c: each kind of request to one list of mount points (Docker's MountPoint objects); sources
 * are not looked at yet. "Create" on a bind: a missing source is to be made (-v), else refused.
 */
int mounts_from_binds(const json_t *binds, json_t *mounts, struct ct_error *err);
int mounts_from_mounts(const json_t *requests, json_t *mounts, struct ct_error *err);
int mounts_from_tmpfs(const json_t *tmpfs, json_t *mounts, struct ct_error *err);
int mounts_from_image(const json_t *volumes, json_t *mounts, struct ct_error *err);

#endif
