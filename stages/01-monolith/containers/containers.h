/*
 * containers.h - the records of containers: found by name or by id prefix.
 *
 * Room:       containers. Knows documents and locks; starts nothing.
 * Called by:  engine, monitor.
 * Behind it:  up to stage 03 a store in a directory, as described here. In stage 04 containerd has
 * the two documents (04/containers), and what is in DIR/<id> beside them is all there is.
 *
 * On disk, DIR/<64 hex id>/:
 *   config.json  what was asked for; written by the engine under the container's lock
 *   state.json   what became of it; written by the monitor while one lives, else by the engine
 *                under the lock: one writer at any time
 *   hostname hosts resolv.conf   files that are bound into the container
 *   logs/        (room logs)     rootfs/  mount point
 * RUN/<id>/: lock, monitor.lock (held by the living monitor, where that is a process),
 * monitor.sock, driver/.
 * DIR/names/<name> is a symlink to the id: making it claims the name atomically.
 * A record appears by rename of a complete directory; it goes by rename into DIR/trash, then
 * removal. create, rename and delete hold DIR/lock, so whatever is half made under that lock was
 * left by a crash: the next create or open of the store sweeps it.
 * A state.json that is missing or torn reads as "exited" with ExitCode 255 and says so in Error:
 * a container is never out of reach because a disk was.
 */
#ifndef CONTAINERS_H
#define CONTAINERS_H

#include "error.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct container_store;

struct container {
    struct container_store *store; /* borrowed; NULL: it is listed, to be looked at only */
    char id[65];
    json_t *
        config; /* {"Id","Name","Created","Image"(sha256:…),"ImageRef","Config":{…},"HostConfig":{…},"Mounts":[…],"Networks":{…}}
                 */
    json_t *state;          /* Docker's State plus
                               "RestartCount","ManuallyStopped","MonitorPid","Job","Endpoints","Health" */
    int64_t created_ns;     /* config's "Created" */
    _Atomic(json_t *) memo; /* see container_take_memo() */
    char *dir;              /* DIR/<id> */
    char *run_dir;          /* RUN/<id>, made */
    int dir_fd;
    int run_fd;
    int lock_fd; /* -1: not locked by us */
};

struct container_store *container_store_open(const char *dir, const char *run_dir,
                                             struct ct_error *err);
void container_store_close(struct container_store *store);

/*
 * container_create - a new record. config (borrowed; the record takes a reference of its own) must
 * have "Config" and "HostConfig"; Id, Created, Name and a missing Config.Hostname (the id's first
 * digits) are set in it here (name NULL: two words are
 * chosen, as Docker does). CT_EXISTS: `name "/web" is already in use by container "<id>"`;
 * CT_INVALID: name is not [a-zA-Z0-9][a-zA-Z0-9_.-]+. Returns the container, locked.
 */
struct container *container_create(struct container_store *store, const char *name, json_t *config,
                                   struct ct_error *err);

/* By full id, name (with or without '/'), or unambiguous id prefix. CT_NOT_FOUND "no such
 * container: x"; CT_INVALID when the prefix fits several, or the record's config.json is torn. */
struct container *container_find(struct container_store *store, const char *reference,
                                 struct ct_error *err);
/*
 * container_list - all, newest first. Owned NULL-terminated array (container_list_free). A record
 * that cannot be read is logged and left out.
 * To look at only, as the const says, and what config and state hold with it: the store keeps what
 * it has read for the next list, of any thread, until the file on disk is another. They have no
 * descriptors and no lock, and RUN/<id> may not be made. Who wants to change one finds it by its
 * id.
 */
const struct container **container_list(struct container_store *store, struct ct_error *err);
void container_list_free(const struct container **containers);

/*
 * What somebody has made of a container's documents can be kept with it, and is there again in the
 * next list if the record is the same. Taken out (owned; NULL: there is none, or another thread has
 * it at the moment) and put back (given away), so that no two threads have it at a time.
 */
json_t *container_take_memo(const struct container *container);
void container_put_memo(const struct container *container, json_t *memo);

void container_free(struct container *container); /* unlocks */

/* Serializes operations on one container between processes. CT_TIMEOUT after timeout_ms;
 * CT_NOT_FOUND: it was removed while we waited. */
int container_lock(struct container *container, int timeout_ms, struct ct_error *err);
void container_unlock(struct container *container);
/* The lock that another process holds, by its descriptor inherited from there (given away): it is
 * free when both have let go of it. */
void container_share_lock(struct container *container, int lock_fd);

/* The config as it stands in the record now. Owned; NULL: as container_reload(). */
json_t *container_read_config(const struct container *container, struct ct_error *err);
/* Reads both documents again. CT_NOT_FOUND: it was removed meanwhile. */
int container_reload(struct container *container, struct ct_error *err);
int container_save_config(struct container *container, struct ct_error *err);
int container_save_state(struct container *container, struct ct_error *err);

const char *container_name(const struct container *container);   /* borrowed, without '/' */
const char *container_status(const struct container *container); /* "created", "running", … */
bool container_is_running(const struct container *container);    /* running, paused or restarting */
char *container_log_dir(const struct container *container);      /* DIR/<id>/logs; owned */

int container_rename(struct container_store *store, struct container *container, const char *name,
                     struct ct_error *err);
/* Removes the record, its files and its name. The caller has unmounted the rootfs and holds the
 * lock. */
int container_delete(struct container_store *store, struct container *container,
                     struct ct_error *err);

/* Of monitors that are processes: the living one's pid, or 0. Not fooled by a reused pid: asks the
 * lock it holds. Whoever wants to know whether there is one asks monitor_lives(). */
pid_t container_monitor(const struct container *container);
/* Called by the monitor itself, once: takes monitor.lock for the life of the process. CT_CONFLICT.
 */
int container_become_monitor(struct container *container, struct ct_error *err);

/*
 * container_watch - an fd (owned) that turns readable when the state is saved or the record goes;
 * container_watch_next() consumes what is there. For wait, logs -f, stats.
 */
int container_watch(const struct container *container, struct ct_error *err);
void container_watch_next(int watch_fd);

#endif
