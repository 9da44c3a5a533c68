/*
 * volumes.h - volumes, and the list of mounts that a container's request means.
 *
 * Room:       volumes. Called by: engine (records, resolve at create), monitor (prepare before a
 * run); in stage 04 containerd, for them. All functions may be called from any thread.
 *
 * On disk: DIR/<name>/{_data/,volume.json}. Names: [a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}.
 */
#ifndef VOLUMES_H
#define VOLUMES_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>

struct volume_store;

struct volume_store *volume_store_open(const char *dir, struct ct_error *err);
void volume_store_close(struct volume_store *store);

/* body: Docker's VolumeCreate (Name: "" makes an anonymous one, Driver "local", DriverOpts,
 * Labels). An existing name returns the existing one. Owned document. */
json_t *volume_create(struct volume_store *store, const json_t *body, struct ct_error *err);
/* The same; *ret_made says whether it was missing. */
json_t *volume_ensure(struct volume_store *store, const json_t *body, bool *ret_made,
                      struct ct_error *err);
/* Docker's Volume document: CreatedAt, Driver, Labels, Mountpoint, Name, Options, Scope. Owned. */
json_t *volume_find(struct volume_store *store, const char *name, struct ct_error *err);
json_t *volume_list(struct volume_store *store, struct ct_error *err);
/* Whether it is in use the caller knows (engine). Missing: CT_NOT_FOUND, with force no error. */
int volume_remove(struct volume_store *store, const char *name, bool force, struct ct_error *err);
/* Bytes in a volume, for system df; -1 on failure. */
long long volume_size(struct volume_store *store, const char *name, struct ct_error *err);

/*
 * volume_resolve - what HostConfig.Binds, HostConfig.Mounts, HostConfig.Tmpfs and the image's (or
 * -v PATH's) Volumes mean together, in the order to mount (shorter targets first). Makes the
 * volumes that are missing (those made are listed in the result, so that a failed create can take
 * them back). ret_mounts (owned): Docker's MountPoints array
 * [{"Type":"bind|volume|tmpfs","Name","Source",
 * "Destination","Driver","Mode","RW","Propagation","Options"(tmpfs)}], each new anonymous or named
 * volume also with "Created":true. Later entries for one destination: CT_INVALID "duplicate mount
 * point: '/x'". Binds: a missing source is made as a directory for -v, refused for --mount, as
 * Docker does.
 */
int volume_resolve(struct volume_store *store, const json_t *host_config,
                   const json_t *image_volumes, json_t **ret_mounts, struct ct_error *err);

/* As snapshot_copy_tree(): this room does not know the snapshots, its caller does. */
typedef int (*volume_copy_fn)(int from_root, const char *from, int to_root, const char *to,
                              struct ct_error *err);

/*
 * volume_populate - an empty volume mounted over a directory of the image gets that directory's
 * content, owner and mode, once. rootfs_fd: O_PATH root of the mounted root file system.
 */
int volume_populate(struct volume_store *store, const json_t *mount_point, int rootfs_fd,
                    volume_copy_fn copy, struct ct_error *err);

#endif
