/*
 * snapshots.h - root file systems: layers unpacked once, and a writable one on top for each
 * container.
 *
 * Room:       snapshots. Knows tar streams and directories; knows nothing of images or containers.
 * Called by:  images (unpack), engine (prepare, diff, export, cp), monitor (mount).
 * Spec:       OCI image-spec, layer.md (whiteouts, opaque directories, hard links, xattrs);
 *             kernel Documentation/filesystems/overlayfs.rst.
 *
 * On disk: DIR/layers/<chain id hex>/{fs,size}, DIR/active/<stage>-<key>/{fs,work,…}. A layer
 * directory appears by rename when it is complete, so it is whole or absent. A layer in use is
 * never removed. Driver "overlay" (overlayfs); where the kernel or the file system refuses it,
 * "copy": each snapshot is a full copy of its parents, and that is said (log, info). The driver is
 * chosen when the store is opened for the first time and recorded; CUTAWAY_SNAPSHOTTER=copy forces
 * it.
 */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct snapshot_store;

struct snapshot_store *snapshot_store_open(const char *dir, struct ct_error *err);
void snapshot_store_close(struct snapshot_store *store);
const char *snapshot_driver(const struct snapshot_store *store); /* "overlay" or "copy" */

/* OCI image-spec, config.md "Layer ChainID": "sha256:…" from parent chain ("" for the first) and
 * diff id. Owned. */
char *snapshot_chain_id(const char *parent, const char *diff_id);

/*
 * snapshot_unpack - unpacks one layer (tar, plain or compressed by gzip, zstd, xz, bzip2; read
 * from fd to its end) over the chain `parent` ("" for none) and commits it under its chain id.
 * The uncompressed bytes must hash to diff_id, else CT_INVALID and nothing is kept. Already
 * there: nothing is read, returns 0. No name, link, device or whiteout of a layer reaches outside
 * it.
 */
int snapshot_unpack(struct snapshot_store *store, const char *parent, const char *diff_id, int fd,
                    struct ct_error *err);
bool snapshot_has(struct snapshot_store *store, const char *chain_id);

/*
 * The same in two steps, for who learns a layer's place in the chain only after its bytes (an
 * archive names its layers at the end).
 *
 * snapshot_stage   - unpacks what read() gives beside the layers. read: a borrowed block and its
 *                    length, 0 at the end, -1 (err). It is read to its end also when the layer
 *                    is broken, so that a caller may copy the bytes on their way. NULL: CT_INVALID
 *                    (not a tar, or an entry that leaves the layer), CT_SYSTEM (disk full).
 * snapshot_staged_diff_id - what its uncompressed bytes hash to. Borrowed.
 * snapshot_commit  - makes it the layer over `parent`; there already: dropped, no error. Frees it
 *                    in any case. CT_NOT_FOUND: no such parent.
 * snapshot_abandon - frees it and removes its files; accepts NULL.
 */
struct snapshot_staged;
typedef ssize_t (*snapshot_read_fn)(void *context, const void **ret_data, struct ct_error *err);
struct snapshot_staged *snapshot_stage(struct snapshot_store *store, snapshot_read_fn read,
                                       void *context, struct ct_error *err);
const char *snapshot_staged_diff_id(const struct snapshot_staged *staged);
int snapshot_commit(struct snapshot_staged *staged, const char *parent, struct ct_error *err);
void snapshot_abandon(struct snapshot_staged *staged);

/* Bytes of one layer's own files; -1 on failure. */
int64_t snapshot_layer_size(struct snapshot_store *store, const char *chain_id,
                            struct ct_error *err);

/* The chain ids of all layers. Owned array of strings. */
json_t *snapshot_layers(struct snapshot_store *store, struct ct_error *err);

/* Removes a layer; CT_CONFLICT when another layer or an active snapshot stands on it. Missing: no
 * error. */
int snapshot_remove_layer(struct snapshot_store *store, const char *chain_id, struct ct_error *err);

/* Makes the writable snapshot `key` ([A-Za-z0-9_.-]+) on top of a chain ("" for an empty one).
 * CT_EXISTS. */
int snapshot_prepare(struct snapshot_store *store, const char *key, const char *chain_id,
                     struct ct_error *err);

/*
 * snapshot_mount - mounts `key` on target (an existing directory). Mounted already: no error.
 * snapshot_unmount - detaches whatever is mounted on target, also after a crash; nothing mounted:
 * no error.
 */
int snapshot_mount(struct snapshot_store *store, const char *key, const char *target,
                   struct ct_error *err);
int snapshot_unmount(const char *target, struct ct_error *err);

/* What GraphDriver in inspect shows:
 * {"Name":"overlay2"…,"Data":{"LowerDir","UpperDir","WorkDir","MergedDir"}}. Owned. */
json_t *snapshot_describe(struct snapshot_store *store, const char *key, const char *target,
                          struct ct_error *err);

/* What the container changed: sorted by path. kind as Docker's: 0 modified, 1 added, 2 deleted. */
typedef int (*snapshot_change_fn)(void *context, int kind, const char *path, struct ct_error *err);
int snapshot_diff(struct snapshot_store *store, const char *key, snapshot_change_fn report,
                  void *context, struct ct_error *err);

/* The same as a layer: an uncompressed tar with whiteouts to out_fd. ret_diff_id (owned):
 * "sha256:…". */
int snapshot_diff_tar(struct snapshot_store *store, const char *key, int out_fd, char **ret_diff_id,
                      struct ct_error *err);

/* Bytes that the container wrote; -1 on failure. */
int64_t snapshot_size(struct snapshot_store *store, const char *key, struct ct_error *err);

/* Removes the writable snapshot. Mounted: CT_CONFLICT. Missing: no error. */
int snapshot_remove(struct snapshot_store *store, const char *key, struct ct_error *err);

/*
 * Archives of trees, for cp, export, save and volumes. root_fd is an O_PATH root; the tree below
 * `path` in it is never left (lib/path.h), whatever the container does meanwhile.
 *
 * snapshot_tar - writes path (file or directory) as a tar whose entries start with `name`
 *                ("" : the contents of the directory themselves). rename_to as in docker cp.
 * snapshot_untar - unpacks a tar stream into the directory path. no_overwrite_dir: refuse to
 *                replace a directory by a file or the reverse (CT_INVALID). Whiteouts are not
 * interpreted.
 */
int snapshot_tar(int root_fd, const char *path, const char *name, int out_fd, struct ct_error *err);
int snapshot_untar(int root_fd, const char *path, int in_fd, bool no_overwrite_dir,
                   struct ct_error *err);

/* Copies the contents of from (path in from_root) into the empty directory to (volumes get the
 * image's files). */
int snapshot_copy_tree(int from_root, const char *from, int to_root, const char *to,
                       struct ct_error *err);

#endif
