/*
 * container_internal.h - an opened container, and what the files of its lifecycle share.
 *
 * Room:       libcontainer: state.c, create.c, start.c, exec.c, control.c, delete.c, and nobody
 * else.
 *
 * On disk, ROOT/<id>/ (0700):
 *   lock         flock(2): one change at a time
 *   config.json  the configuration (see lc_config())
 *   state.json   id, bundle, cgroup (all before anything is made), and pid and start time (after)
 *   start.sock   where the first process waits for lc_start(); nobody behind it: it has been
 * started Everything else (running, paused, stopped) is asked of the kernel, so no file can be
 * wrong about it.
 */
#ifndef LC_CONTAINER_INTERNAL_H
#define LC_CONTAINER_INTERNAL_H

#include "libcontainer.h"

#include "cgroups.h"
#include "configuration.h"

#define LC_STATE_FILE   "state.json"
#define LC_CONFIG_FILE  "config.json"
#define LC_START_SOCKET "start.sock"

struct lc_container {
    char *root, *id;
    int dir_fd;  /* ROOT/<id> */
    int lock_fd; /* -1: not locked by us */
    json_t *state;
    struct lc_cgroup *cgroup;
    pid_t pid; /* 0: none yet, or it is gone */
    int pidfd; /* -1: the same */
};

/* ---- state.c -------------------------------------------------------------------------------- */

/* CT_INVALID: not [A-Za-z0-9_+.-]+. */
int lc_check_id(const char *id, struct ct_error *err);
/* A new directory and its lock. CT_EXISTS. */
struct lc_container *lc_container_make(const char *root, const char *id, struct ct_error *err);
int lc_container_lock(struct lc_container *container, struct ct_error *err);
void lc_container_unlock(struct lc_container *container);
int lc_container_save(struct lc_container *container, struct ct_error *err);
/* Remembers the first process, by pid and start time. */
int lc_container_set_process(struct lc_container *container, pid_t pid, int pidfd,
                             struct ct_error *err);
/* See lc_config() for what is left out. */
int lc_container_save_configuration(struct lc_container *container, const json_t *document,
                                    struct ct_error *err);
/* The configuration it was made with. */
int lc_container_configuration(const struct lc_container *container, struct lc_configuration *ret,
                               struct ct_error *err);
/* Without reading the configuration: the state says so. */
bool lc_container_has_hooks(const struct lc_container *container, enum lc_hook_point point);
/* The state document with another status: what hooks read. Owned. */
json_t *lc_container_state_as(const struct lc_container *container, const char *status);
/* Removes the directory. */
int lc_container_forget(struct lc_container *container, struct ct_error *err);

/* ---- start.c -------------------------------------------------------------------------------- */

/* Where the first process will wait. Owned. */
int lc_start_listen(const struct lc_container *container, struct ct_error *err);
/* Whether somebody waits there. */
bool lc_start_is_awaited(const struct lc_container *container);
/* The other side: waits for lc_start(). Returns the connection, on which a failure is told. */
int lc_start_wait(int listen_fd, struct ct_error *err);

#endif
