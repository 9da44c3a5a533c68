/*
 * tasks.h - containers that run: each is held by a shim, a process of its own.
 *
 * Room:       containerd; its other files do not need it.
 * Called by:  task_service.c (what clients ask), main.c.
 *
 *   tasks.c        which there are; finding those of before
 *   task_life.c    making one and removing it, also when its shim died
 *   shim_program.c the shim's command line: `start` and `delete`
 *   bundle.c       the directory that it works in
 *   shim_events.c  what shims tell
 *
 * A task is in memory only as far as it can be found again in its bundle.
 */
#ifndef CONTAINERD_TASKS_H
#define CONTAINERD_TASKS_H

#include "containerd_internal.h"

#include "ttrpc.h"

#include <pthread.h>

struct task {
    struct containerd *containerd;
    struct task *next;
    int refs;        /* under the lock of tasks */
    uint64_t number; /* no other task has ever had it */
    char *space, *id;
    char *bundle;  /* its directory */
    char *program; /* the shim's */
    char *socket;  /* that the shim serves; NULL: not yet */
    int watch_fd;  /* a connection that ends with the shim */
    int log_fd;    /* what the shim logs; we hold both ends */
    bool leaving;  /* somebody removes it */
};

struct tasks {
    struct containerd *containerd;
    pthread_mutex_t lock;
    struct task *list;
    char *bundles; /* STATE/io.containerd.runtime.v2.task */
    uint64_t n_ever;
    int epoll_fd, stop_fd;
    pthread_t watcher;
};

/* ---- tasks.c ---- */

/* Finds the shims that run, removes what is left of those that do not, and watches. */
struct tasks *tasks_open(struct containerd *containerd, struct ct_error *err);
void tasks_close(struct tasks *tasks); /* tasks run on; accepts NULL */

/* A reference, to be given back. NULL: CT_NOT_FOUND. */
struct task *task_get(struct containerd *containerd, const char *space, const char *id,
                      struct ct_error *err);
void task_put(struct task *task);
static inline void task_cleanup(struct task **task)
{
    if (*task) {
        task_put(*task);
    }
}
#define AUTO_TASK __attribute__((cleanup(task_cleanup)))

/* All of a namespace, each with a reference; owned array of *ret_n. */
struct task **tasks_of(struct containerd *containerd, const char *space, size_t *ret_n);

/* A new one in the list, not ready yet. NULL: CT_EXISTS. */
struct task *task_add(struct containerd *containerd, const char *space, const char *id,
                      struct ct_error *err);
/* Its shim serves there (given away): from now on others can ask it. */
void task_serve_at(struct task *task, char *socket);
/* Out of the list. */
void task_drop(struct task *task);
/* False: somebody else does already. */
bool task_leave(struct task *task);
/* Whether another task has the same shim. */
bool task_shares_shim(struct task *task);
/* From now on its shim's end is noticed. */
int task_watch(struct task *task, struct ct_error *err);

/* ---- task_life.c ---- */

struct task_wanted {
    const Container *container;
    const Containerd__Services__Tasks__V1__CreateTaskRequest *ask;
};
/* *ret_pid: of the container's first process. */
int task_create(struct containerd *containerd, const char *space, const struct task_wanted *wanted,
                int cancel_fd, uint32_t *ret_pid, struct ct_error *err);
int task_delete(struct task *task, Containerd__Services__Tasks__V1__DeleteResponse *ret,
                struct pool *pool, struct ct_error *err);
/* Its shim has ended without being asked: cleans up after it, and tells. */
void task_shim_died(struct task *task);
/* The same for a bundle of before, which nobody has asked about. */
void task_clean_up(struct task *task);

/* ---- shim_program.c ---- */

/* "io.containerd.runc.v2" or an absolute path. Owned. NULL: CT_NO_PROGRAM, CT_INVALID. */
char *shim_find(const char *runtime, struct ct_error *err);
/* Returns the path of its socket, owned. options may be NULL. */
char *shim_start(struct task *task, const Google__Protobuf__Any *options, struct ct_error *err);
/* Cleans up after a dead shim; *ret, owned, says how the container ended. */
int shim_delete(struct task *task, Containerd__Task__V2__DeleteResponse **ret,
                struct ct_error *err);
/* One call of its service Task. timeout_ms -1: none; cancel_fd -1: none. *ret is owned; NULL: the
 * answer interests nobody. */
int shim_ask(const struct task *task, const char *method, const void *request, int timeout_ms,
             int cancel_fd, ProtobufCMessage **ret, struct ct_error *err);

/* ---- bundle.c ---- */

int bundle_make(struct task *task, const Google__Protobuf__Any *spec, struct ct_error *err);
void bundle_remove(struct task *task);
/* A small file in it: owned, without its last newline; NULL: there is none. */
char *bundle_read(const struct task *task, const char *name);
int bundle_write(const struct task *task, const char *name, const char *text, struct ct_error *err);

/* ---- shim_events.c ---- */

/* Serves ADDRESS.ttrpc in a thread of its own. Accepts NULL. */
struct shim_events;
struct shim_events *shim_events_open(struct containerd *containerd, const char *group,
                                     struct ct_error *err);
void shim_events_close(struct shim_events *events);

#endif
