/*
 * engine_containers.h - what can be asked of containers. See engine.h for the conventions.
 *
 * Room:       engine.   Called by: cli/containers*.c, rest/.
 * Spec:       Docker Engine API 1.43, "Container" and "Exec".
 */
#ifndef ENGINE_CONTAINERS_H
#define ENGINE_CONTAINERS_H

#include "engine.h"

/*
 * POST /containers/create. body: Docker's ContainerConfig with HostConfig and NetworkingConfig.
 * name NULL: one is chosen. ret_warnings: array of strings. CT_NOT_FOUND "no such image: x",
 * CT_EXISTS (name), CT_INVALID, CT_UNSUPPORTED (a field that this stage cannot honour, by name).
 */
int engine_container_create(struct engine *engine, const char *name, const json_t *body,
                            char **ret_id, json_t **ret_warnings, struct ct_error *err);

/* POST /containers/{ref}/start. Failure to run the program: CT_NO_PROGRAM, CT_CANNOT_RUN, whole
 * chain. */
int engine_container_start(struct engine *engine, const char *ref, struct ct_error *err);

/* timeout_s: -1: the container's StopTimeout, or 10. signal NULL: the container's StopSignal, or
 * SIGTERM. */
int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int timeout_s,
                          struct ct_error *err);
int engine_container_restart(struct engine *engine, const char *ref, const char *signal,
                             int timeout_s, struct ct_error *err);
/* signal NULL: SIGKILL, and waits for the end. */
int engine_container_kill(struct engine *engine, const char *ref, const char *signal,
                          struct ct_error *err);
int engine_container_pause(struct engine *engine, const char *ref, struct ct_error *err);
int engine_container_unpause(struct engine *engine, const char *ref, struct ct_error *err);
int engine_container_rename(struct engine *engine, const char *ref, const char *name,
                            struct ct_error *err);
/* body: Docker's Resources plus RestartPolicy. */
int engine_container_update(struct engine *engine, const char *ref, const json_t *body,
                            json_t **ret_warnings, struct ct_error *err);

/* CT_CONFLICT when it runs and force is not set. volumes: anonymous volumes too. */
int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes,
                            struct ct_error *err);

/* GET /containers/json: Docker's summaries, newest first. limit 0: all; limit > 0 implies all
 * states. The list is owned; the summaries in it are shared, to be read only. */
int engine_container_list(struct engine *engine, bool all, int limit, bool size,
                          const json_t *filters, json_t **ret_list, struct ct_error *err);
/* GET /containers/{ref}/json; size adds SizeRw and SizeRootFs. */
int engine_container_inspect(struct engine *engine, const char *ref, bool size, json_t **ret,
                             struct ct_error *err);

/*
 * Waiting. engine_wait_open() registers; from then on no end is missed, so `run` opens it before
 * start. condition: "not-running", "next-exit" or "removed". engine_wait_fd() may be polled: when
 * it is readable, engine_wait_result() does not block for long: 1: ended, *ret_status is set; 0:
 * not yet; -1: error.
 */
struct engine_wait;
struct engine_wait *engine_wait_open(struct engine *engine, const char *ref, const char *condition,
                                     struct ct_error *err);
int engine_wait_fd(const struct engine_wait *wait);
int engine_wait_result(struct engine_wait *wait, int *ret_status, struct ct_error *err);
void engine_wait_close(struct engine_wait *wait);

/*
 * POST /containers/{ref}/attach. *ret_fd (owned): a connected stream socket; we write stdin to it
 * and half-close it at the end, and read stdcopy frames (raw bytes with Tty). On a container that
 * does not run yet the stream is held by this engine handle and joined at the next start through
 * the same handle, from the first byte.
 * logs: what was printed before comes first, of the streams out and err. stream: what is printed
 * from now on; without it the log is all, and then the end. With both nothing is lost between them
 * and nothing comes twice.
 */
struct engine_attach {
    bool in, out, err, logs, stream;
    const char *detach_keys; /* NULL: "ctrl-p,ctrl-q" */
};
int engine_container_attach(struct engine *engine, const char *ref, const struct engine_attach *how,
                            int *ret_fd, struct ct_error *err);
int engine_container_resize(struct engine *engine, const char *ref, unsigned height, unsigned width,
                            struct ct_error *err);

/* GET /containers/{ref}/logs, written to out_fd (stdcopy, or raw with Tty). Returns at the end, or
 * when cancel_fd is readable. */
struct engine_logs {
    bool want_stdout, want_stderr, timestamps, details, follow;
    int64_t since_ns, until_ns; /* UNIX time; 0: none */
    int64_t tail;               /* -1: all */
};
int engine_container_logs(struct engine *engine, const char *ref, const struct engine_logs *query,
                          int out_fd, int cancel_fd, struct ct_error *err);

/* GET /containers/{ref}/stats, one sample with cpu_stats and precpu_stats (one_shot: without
 * waiting a second for the second). */
int engine_container_stats(struct engine *engine, const char *ref, bool one_shot, json_t **ret,
                           struct ct_error *err);
/* GET /containers/{ref}/top: {"Titles":[…],"Processes":[[…]]}. ps_args NULL: "-ef". */
int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, json_t **ret,
                         struct ct_error *err);
/* GET /containers/{ref}/changes: [{"Path","Kind"}]. */
int engine_container_changes(struct engine *engine, const char *ref, json_t **ret,
                             struct ct_error *err);

/* Archives. stat: {"name","size","mode","mtime","linkTarget"} as X-Docker-Container-Path-Stat
 * (mode: Go's FileMode). */
int engine_container_stat_path(struct engine *engine, const char *ref, const char *path,
                               json_t **ret_stat, struct ct_error *err);
int engine_container_get_archive(struct engine *engine, const char *ref, const char *path,
                                 int out_fd, struct ct_error *err);
int engine_container_put_archive(struct engine *engine, const char *ref, const char *path,
                                 bool no_overwrite_dir, int in_fd, struct ct_error *err);
int engine_container_export(struct engine *engine, const char *ref, int out_fd,
                            struct ct_error *err);

/*
 * POST /commit. changes: Dockerfile instructions (CMD, ENV, …); config NULL. ret_id owned.
 * io: progress, where the engine is in this process (stage 01); NULL: none. Over REST there is
 * none: the API answers once, at the end.
 */
struct engine_io;
struct engine_commit {
    const char *repository, *tag, *author, *comment;
    const char *const *changes; /* NULL-terminated, or NULL */
    bool pause;
    const struct engine_io *io;
};
int engine_container_commit(struct engine *engine, const char *ref, const struct engine_commit *how,
                            char **ret_id, struct ct_error *err);

/* {"ContainersDeleted":[…],"SpaceReclaimed":n} */
int engine_container_prune(struct engine *engine, const json_t *filters, json_t **ret,
                           struct ct_error *err);

/* Exec. body: Docker's ExecConfig. start returns a stream as attach does (ret_fd NULL: detached).
 */
int engine_exec_create(struct engine *engine, const char *ref, const json_t *body, char **ret_id,
                       struct ct_error *err);
int engine_exec_start(struct engine *engine, const char *exec_id, int *ret_fd,
                      struct ct_error *err);
int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned height, unsigned width,
                       struct ct_error *err);
int engine_exec_inspect(struct engine *engine, const char *exec_id, json_t **ret,
                        struct ct_error *err);

#endif
