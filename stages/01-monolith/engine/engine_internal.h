/*
 * engine_internal.h - the local engine's handle and what its files share.
 *
 * Room:       engine; included by the files of this room only.
 *
 * The handle is a set of doors, opened when first needed: `ps` opens no network store, and
 * starts faster for it. Nothing in it is state: state is on disk. A daemon uses one handle from
 * many threads: what changes in it is guarded by its mutex.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "containers.h"
#include "engine.h"
#include "engine_images.h"
#include "images.h"
#include "logs.h"
#include "monitor.h"
#include "networks.h"
#include "places.h"
#include "shape.h"
#include "snapshots.h"
#include "volumes.h"

#include <pthread.h>

/* How long an operation waits for another one on the same container. Longer than any start. */
#define ENGINE_LOCK_TIMEOUT_MS 120000
/* How long a container may take to be running. */
#define ENGINE_START_TIMEOUT_MS 60000
/* How long a killed container may take to be gone: the kernel owes us that. */
#define ENGINE_KILL_TIMEOUT_MS 20000
#define ENGINE_STOP_TIMEOUT_S  10

/* A stream that was attached before its container was started through this handle. */
struct engine_pending {
    char id[65];
    int fd; /* the monitor's end */
    bool in, out, err;
    char *detach_keys;
    struct engine_pending *next;
};

struct engine {
    char *root;
    char *run;
    struct places places;
    struct container_store *containers;
    struct snapshot_store *snapshots;
    struct image_store *images;
    struct network_store *networks;
    struct volume_store *volumes;
    struct engine_pending *pending;
    pthread_mutex_t mutex; /* guards the five doors and pending */
};

/* engine.c: the doors. Borrowed; NULL with err filled. */
struct container_store *engine_containers(struct engine *engine, struct ct_error *err);
struct snapshot_store *engine_snapshots(struct engine *engine, struct ct_error *err);
struct image_store *engine_images(struct engine *engine, struct ct_error *err);
struct network_store *engine_networks(struct engine *engine, struct ct_error *err);
struct volume_store *engine_volumes(struct engine *engine, struct ct_error *err);
struct monitor_paths engine_paths(const struct engine *engine);

/*
 * engine.c: the container `ref` names, with a state that is true: one whose monitor was killed is
 * reconciled first. Owned (container_free). engine_lock_container() also takes its lock.
 */
struct container *engine_find_container(struct engine *engine, const char *ref,
                                        struct ct_error *err);
struct container *engine_lock_container(struct engine *engine, const char *ref,
                                        struct ct_error *err);
/* All, reconciled. As container_list(). */
const struct container **engine_all_containers(struct engine *engine, struct ct_error *err);

/* engine.c: CT_CONFLICT "container <name> is not running". */
int engine_require_running(const struct container *container, struct ct_error *err);

/* notify.c: events, with Docker's attributes (image, name, labels) and one more pair (may be NULL).
 */
void engine_container_event(struct engine *engine, const struct container *container,
                            const char *action, const char *key, const char *value);
void engine_event(struct engine *engine, const char *type, const char *action, const char *id,
                  const char *key, const char *value);

/* filters.c: filters as the API has them: {"label":["a=b"]} or {"label":{"a=b":true}}. */
/* CT_INVALID "invalid filter 'x'" for a key that is not in the NULL-terminated list. */
int filters_check(const json_t *filters, const char *const *known, struct ct_error *err);
bool filters_has(const json_t *filters, const char *key);
/* True when there is no such filter, or one of its values equals value. */
bool filters_match(const json_t *filters, const char *key, const char *value);
/* The same, value matches as a regular expression (names); a bad expression matches nothing, as in
 * Docker, nor does one that takes too long. */
bool filters_match_regex(const json_t *filters, const char *key, const char *value);
/* The same, value starts with one of them (ids). */
bool filters_match_prefix(const json_t *filters, const char *key, const char *value);
/* All "label" filters ("key" or "key=value") hold for labels, and none of "label!". */
bool filters_match_labels(const json_t *filters, const json_t *labels);
/* "until": true when unix_ns is before it (or it is absent). */
int filters_match_until(const json_t *filters, int64_t unix_ns, bool *ret, struct ct_error *err);
/* A boolean filter ("dangling"): 1, 0, or -1 with CT_INVALID; fallback when absent. */
int filters_bool(const json_t *filters, const char *key, int fallback, struct ct_error *err);
/* Calls each value of a key. fn returns non-zero to stop; that value is returned. */
int filters_each(const json_t *filters, const char *key,
                 int (*fn)(void *context, const char *value), void *context);

/* request.c: from the API's create body and an image's config to a record. */
json_t *request_to_config(const json_t *body, const json_t *image_config, struct ct_error *err);
/* False for default, bridge, host and none. */
bool request_is_own_network(const char *name);
/* Docker's EndpointConfig (may be NULL) of a network: refuses what makes no sense there. */
int request_check_endpoint(const char *network, const json_t *endpoint, struct ct_error *err);
/* Checks fields and ranges that do not depend on this machine; fills in HostConfig's defaults. */
int request_check(json_t *config, struct ct_error *err);

/* shapes.c: the form of what the API takes, for ct_shape_check(). */
extern const struct ct_shape shape_config[], shape_create[], shape_endpoint[], shape_exec[],
    shape_network[], shape_volume[], shape_update[];

/* changes.c: Dockerfile instructions applied to an image's "config" object. */
int changes_apply(json_t *image_config, const char *const *changes, struct ct_error *err);

/* embedded.c: the image that comes with Cutaway. CT_NOT_FOUND unless reference is its name. */
int embedded_image_load(struct engine *engine, const char *reference, struct ct_error *err);
/* images.c: image_find(), and the embedded one on first use. */
struct image *engine_find_image(struct engine *engine, const char *reference, struct ct_error *err);
/* images.c: image_used_fn over all containers. */
bool engine_image_is_used(void *engine, const char *image_id);

/* progress.c: what the image store tells, told to io under `status`; io may be NULL. */
struct image_io engine_image_io(const struct engine_io *io, const char *status);
/* {"stream":text}: a result, which is told to who asked for quiet, too. */
void engine_say(const struct engine_io *io, const char *text);

/* lifecycle.c: waits until no run is going on. 0, or -1 with CT_TIMEOUT. */
int engine_wait_stopped(struct engine *engine, struct container *container, int timeout_ms,
                        struct ct_error *err);
/* streams.c: the streams that wait for this container's start (id NULL: for any), taken out of the
 * handle. Owned: engine_free_pending(), which closes the monitor's ends. */
struct engine_pending *engine_take_pending(struct engine *engine, const char *id);
void engine_free_pending(struct engine_pending *list);

/* replay.c: what was printed before an attach, and then its stream, as one stream. */
struct replay {
    struct log_past past;
    struct log_query query; /* of the log */
    bool raw;
    int program; /* the stream that goes on behind the log; -1: none */
};
/* Takes the replay's descriptors over in any case. *ret_fd is owned. */
int replay_begin(struct replay *replay, int *ret_fd, struct ct_error *err);

/* containers of remove.c and prune.c: everything of a stopped, locked container. */
int engine_discard_container(struct engine *engine, struct container *container, bool volumes,
                             struct ct_error *err);

/* rootfs.c: the root file system of a container as an O_PATH fd, and how to let go of it. */
struct rootfs_view {
    int fd;
    char *mounted; /* what we mounted for it, or NULL */
};
int rootfs_open(struct engine *engine, struct container *container, struct rootfs_view *ret,
                struct ct_error *err);
void rootfs_close(struct rootfs_view *view);

#endif
