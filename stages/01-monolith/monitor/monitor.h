/*
 * monitor.h - what stays with a running container.
 *
 * Room:       monitor.   Called by: engine.
 *
 * One for each running container. In stages 01 to 03 it is a process, the same binary started as
 * `cutaway-monitor` (monitor_main.h), which holds RUN/<id>/monitor.lock as long as it lives; in
 * stage 04 a thread of the daemon. See carrier.h.
 *
 * It mounts the root file system and volumes, drives the exec driver, connects networks, holds
 * the standard streams, writes the log, serves attached clients, runs health checks, applies the
 * restart policy, records the exit, and goes. It listens on RUN/<id>/monitor.sock (0600): one JSON
 * request a connection, one JSON reply line
 * {"error":ct_error?, …}; after the reply of attach and exec the connection is the stream.
 *
 * A killed monitor hurts nobody: the program runs on, its output waits in the pipes (its standard
 * input, unless it is a terminal, ends), and the next command that looks (monitor_reconcile)
 * starts another monitor that adopts the job. A daemon looks when it starts.
 *
 * Exit codes of a program that never ran: 127 (CT_NO_PROGRAM), 126 (CT_CANNOT_RUN, also for a
 * user or group that does not exist), 128 for everything else, as Docker has it.
 *
 * Events: the monitor tells start, die (exitCode), oom, health_status: S, exec_die (execID,
 * exitCode), and destroy when it removes an AutoRemove container; each after the record is saved.
 * All others are the engine's.
 *
 * A slow attached client: what it has not read is kept in an unlinked file beside the record, not
 * in memory; the program, the log and the other clients go on. Only a client that is 64 MiB behind
 * makes the program wait, as with Docker, because what is piped somewhere must arrive whole. After
 * the end somebody stays to send the rest (leftover.h).
 *
 * Output of the last moment is in the log, and on its way to the clients, before the end is
 * recorded; the clients' connections close after that.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct container;
struct log_past;

/* Where things are, for the process that stays: passed on its command line, so all paths absolute.
 */
struct monitor_paths {
    const char *root; /* --root */
    const char *run;  /* --run */
};

/* A stream that is to be attached from the very first byte. */
struct monitor_stream {
    int fd; /* our end of a socketpair, borrowed */
    bool in, out, err;
    const char *detach_keys; /* NULL: the default "ctrl-p,ctrl-q" */
};

/*
 * monitor_start - starts the container: returns when its program runs, or with the whole chain of
 * why it does not (and then nothing of it is left, and the state says created/exited with Error
 * and ExitCode 126, 127 or 128). The caller holds the container's lock.
 */
int monitor_start(const struct monitor_paths *paths, struct container *container,
                  const struct monitor_stream *streams, size_t n_streams, int timeout_ms,
                  struct ct_error *err);

/*
 * monitor_reconcile - makes the state true again when its monitor is gone: adopts a job that
 * still runs, or records the end (ExitCode 137 when nobody knows better, 255 after a reboot), takes
 * back networks and mounts. Cheap when there is nothing to do. The caller holds the lock.
 */
int monitor_reconcile(const struct monitor_paths *paths, struct container *container,
                      struct ct_error *err);

/*
 * monitor_discard - removes a container that does not run, and everything of it: mounts, networks'
 * endpoints, snapshot, logs, with volumes also its anonymous ones that no other container uses,
 * and at last the record. The caller holds the lock. CT_CONFLICT: it runs. What a crash leaves can
 * be discarded again: each step is no error when its work is done already.
 */
int monitor_discard(const struct monitor_paths *paths, struct container *container, bool volumes,
                    struct ct_error *err);

/* Requests to a living monitor; CT_CONFLICT "container … is not running" when there is none. */
/* Its stream from now on. how->fd does not count. ret_past (owned; NULL: not wanted): the log up to
 * there, so that the two together are everything, and nothing twice. */
int monitor_attach(struct container *container, const struct monitor_stream *how,
                   struct log_past *ret_past, int *ret_fd, struct ct_error *err);
int monitor_resize(struct container *container, const char *exec_id, unsigned height,
                   unsigned width,
                   struct ct_error *err); /* exec_id NULL: the container's terminal */
/* stopping: a stop or kill of the user's: the restart policy will not bring it back. */
int monitor_signal(struct container *container, int signal_number, bool stopping,
                   struct ct_error *err);
int monitor_pause(struct container *container, bool pause, struct ct_error *err);
/* Runs an exec whose document is RUN/<id>/exec/<exec id>.json (Docker's ExecConfig, "Running",
 * "ExitCode", "Pid"). ret_fd NULL: detached. */
int monitor_exec(struct container *container, const char *exec_id, int *ret_fd,
                 struct ct_error *err);
/* Limits and restart policy from the saved config. */
int monitor_update(struct container *container, struct ct_error *err);
/* One sample in the shape of Docker's stats (without precpu). Owned. And pids. */
json_t *monitor_stats(struct container *container, struct ct_error *err);
json_t *monitor_pids(struct container *container, struct ct_error *err);
/* Connects or disconnects a running container: request is Docker's EndpointConfig plus "Network".
 */
int monitor_network(struct container *container, bool connect, const json_t *request,
                    struct ct_error *err);

/* Whether the container has a monitor at this moment. */
bool monitor_lives(const struct container *container);
/* An fd (owned) that turns readable when the monitor that it has at this moment goes: killed, or
 * because the container has ended for good. -1 with CT_NOT_FOUND: it has none. */
int monitor_end_fd(const struct container *container, struct ct_error *err);

#endif
