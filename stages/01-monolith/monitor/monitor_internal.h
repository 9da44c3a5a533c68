/*
 * monitor_internal.h - the monitor's whole state, and what its files do for each other.
 *
 * Room:       monitor; included by the files of this room only.
 *
 *   start.c      the caller's side of a start       begin.c      a monitor's beginning
 *   spawn.c, process.c: it is a process of its own; abandon.c: for a carrier that outlives it
 *   ask.c        the caller's side of requests      serve.c      requests, one at a time
 *   reconcile.c  after a killed monitor; removal    supervise.c  what happens while it runs
 *   run.c        one run, from mounts to exec, and back          state.c  the record's changes
 *   dns.c        names of other containers; upstream.c: names of the world
 *   execs.c      further programs   health.c   health checks     restart.c  restart policies
 */
#ifndef MONITOR_INTERNAL_H
#define MONITOR_INTERNAL_H

#include "containers.h"
#include "execdriver.h"
#include "monitor.h"
#include "networks.h"
#include "places.h"
#include "streams.h"

#include "loop.h"

#include <stdint.h>

struct connection;
struct dns;
struct exec_entry;
struct health;
struct journal;
struct log_writer;

struct monitor {
    struct loop *loop;
    struct places places;
    struct container_store *containers;
    struct container *container;
    char trace[56];    /* monitor_order's, or "" */
    bool told_to_stop; /* monitor_run() */

    /* One run; NULL between two. */
    struct exec_job *job;
    struct loop_source *job_end;
    struct streams *streams;
    struct log_writer *log;
    struct journal *journal;        /* NULL: none is needed */
    struct network_store *networks; /* holds the published ports: lives as long as the run */
    struct dns *dns;                /* NULL: on no network where containers have names */
    int64_t started_ns;             /* CLOCK_MONOTONIC */
    struct exec_entry *execs;
    struct health *health;

    /* Between two runs. */
    struct loop_timer restart_timer;
    int64_t backoff_ns;

    struct loop_timer kill_timer; /* after a polite stop of our own */
    struct loop_timer memory_timer;
    struct loop_timer record_timer; /* tries again to record an end that a full disk refused */
    int listen_fd;
    struct loop_source *listener;
    struct connection *connections; /* whose request is not answered yet */
    size_t n_connections;
};

/* run.c. run_start: all or nothing; takes over the clients' descriptors in any case. */
int run_start(struct monitor *monitor, const struct streams_client *clients, size_t n_clients,
              int timeout_ms, struct ct_error *err);
/* Takes a job that still runs over from a killed monitor. CT_NOT_FOUND: it has ended. */
int run_adopt(struct monitor *monitor, struct ct_error *err);
/* Lets go of the job, which runs on, and of all that was made for it in this process. */
void run_release(struct monitor *monitor);
/* How a run ended. Its clients are still connected, so that the record comes before their end. */
struct run_end {
    int exit_code;
    bool oom_killed;
    char error[256]; /* what went wrong at the end; "" */
};
/* After the job's end, or to end it: what it printed last, how it ended, … */
void run_see_end(struct monitor *monitor, struct run_end *ret);
/* … and away with all that stands of the run. From then on the driver does not know the end. */
void run_take_down(struct monitor *monitor);
void run_finish(struct monitor *monitor, struct run_end *ret); /* both */
/* Connects to one more network while it runs, or leaves one. request: EndpointConfig and "Network".
 */
int run_change_network(struct monitor *monitor, bool join, const json_t *request,
                       struct ct_error *err);
/* Takes back what a run left in the world: networks, mounts. Nothing there: no error. */
int run_clean_up(const struct places *places, struct container *container, struct ct_error *err);
/* Reads the config again: the engine may have changed it (rename, update). */
void reload_config(struct container *container);

/* files.c: hosts, hostname and resolv.conf, written into the same inodes, which are bind-mounted.
 */
int files_write(const struct monitor *monitor, const json_t *endpoints, struct ct_error *err);

/* sharing.c: namespaces and memory of other containers. sharing_build() adds to the request where
 * they are; the memory that this one lends is mounted before, and unmounted after the run. */
struct spec;
int sharing_build(const struct monitor *monitor, struct spec *spec, struct ct_error *err);
int sharing_mount(const struct container *container, struct ct_error *err);
int sharing_unmount(const struct container *container, struct ct_error *err);

/* state.c: one function a transition; each saves the state and returns 0 or -1. */
int state_preparing(struct container *container, json_t *job, struct ct_error *err);
int state_running(struct container *container, pid_t pid, struct ct_error *err);
int state_paused(struct container *container, bool paused, struct ct_error *err);
int state_endpoints(struct container *container, json_t *endpoints, struct ct_error *err);
int state_manually_stopped(struct container *container, struct ct_error *err);
/* again: it is restarting, else exited. */
int state_ended(struct container *container, const struct run_end *end, bool again,
                struct ct_error *err);
/* A start that failed: the status stays what it was, Error and ExitCode say why. */
int state_start_failed(struct container *container, const struct ct_error *cause,
                       struct ct_error *err);
int state_health(struct container *container, json_t *health, struct ct_error *err);
void state_forget_run(struct container *container); /* nothing of it is left; saves nothing */

/*
 * How a run ended stands in RUN/<id> while the record cannot say so yet: because the run is still
 * to be taken down (state_foretell_end), or because the disk is full (state_keep_aside).
 */
void state_foretell_end(const struct container *container, const struct run_end *end, bool again);
void state_keep_aside(struct container *container);
void state_forget_aside(const struct container *container);
/* true: the record, which called the run running, now is what stood there. Saves nothing. */
bool state_recover(struct container *container);
/* The id of this boot of the machine: "" when the kernel does not say. */
const char *boot_id(char buffer[static 64]);

/* supervise.c */
int supervise_begin(struct monitor *monitor, struct ct_error *err); /* after start or adopt */
/* Between two runs: the next one comes. */
void supervise_wait(struct monitor *monitor);
void supervise_stop_politely(struct monitor *monitor);
int supervise_signal(struct monitor *monitor, int signal_number, bool stopping,
                     struct ct_error *err);
int supervise_pause(struct monitor *monitor, bool pause, struct ct_error *err);
/* given: further attributes, given away; may be NULL. */
void tell_event(const struct monitor *monitor, const char *action, json_t *given);

/* restart.c: how long to wait before the next run, in ns, or -1: there is none. */
int64_t restart_delay(struct monitor *monitor, int exit_code);
/* The same for a monitor that takes over between two runs. */
int64_t restart_delay_again(struct monitor *monitor);

/* serve.c */
int serve_open(struct monitor *monitor, struct ct_error *err);
void serve_close(struct monitor *monitor);
void serve_drop(struct monitor *monitor); /* those whose request is not answered yet */

/* execs.c. client_fd -1: detached; it is taken over only on success, after `ready` was called. */
int exec_begin(struct monitor *monitor, const char *exec_id, bool attach, struct exec_entry **ret,
               struct ct_error *err);
int exec_attach(struct exec_entry *entry, int client_fd, struct ct_error *err);
int execs_resize(struct monitor *monitor, const char *exec_id, unsigned height, unsigned width,
                 struct ct_error *err);
void execs_end(struct monitor *monitor); /* all, after the container's end */
/* After run_adopt(): those that the monitor before has left, as far as the driver knows of them. */
void execs_adopt(struct monitor *monitor);
void execs_release(struct monitor *monitor); /* they run on */

/* health.c */
void health_begin(struct monitor *monitor);
void health_end(struct monitor *monitor);

/* memory.c: after something large: soon, when nothing more of it follows. */
void give_memory_back_soon(struct monitor *monitor);

/* stats.c */
json_t *stats_sample(struct monitor *monitor, struct ct_error *err);

/* reconcile.c: everything of a container that does not run; the caller holds the lock. */
int discard(const struct places *places, struct container_store *store, struct container *container,
            bool volumes, struct ct_error *err);

#endif
