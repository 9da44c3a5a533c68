/*
 * shim_internal.h - what the files of the shim share.
 *
 * Room:       shim, inside shim.h.
 *
 *   start.c, delete.c   the verbs; address.c: where the socket stands
 *   serve.c             the process: its loop, its signals, its end
 *   task*.c             the methods of the Task service; tasks.c: what they are about
 *   reap.c              which process has ended, and whom that concerns
 *   runtime.c           options of the OCI runtime; runs.c: running its commands
 *   streams.c           standard streams; sinks.c: where output goes; console.c: terminals
 *   publish.c           events for containerd
 *   mounts.c            the root file system
 *   figures*.c, oom.c   control groups
 *   memory.c            what a long wait does not need
 */
#ifndef SHIM_INTERNAL_H
#define SHIM_INTERNAL_H

#include "shim.h"

#include "ttrpc.h"

#include "containerd_api.h"

#include "loop.h"

#include <stdint.h>
#include <sys/types.h>

/* ---- the runtime ---------------------------------------------------------------------------- */

/* How the runtime is called for a container; what runc.v1.Options says. */
struct runtime {
    char *binary; /* name or path */
    char *root;   /* its --root: ROOT/NAMESPACE */
    bool systemd_cgroup, no_pivot_root, no_new_keyring;
    uid_t io_uid; /* who owns the pipes */
    gid_t io_gid;
};

/* options NULL or empty: the defaults. CT_UNSUPPORTED: options of another kind, or unknown ones in
 * the file that runtimeoptions.v1.Options names; CT_INVALID, CT_NOT_FOUND: that file. */
int runtime_read(const Google__Protobuf__Any *options, const char *namespace, struct runtime *ret,
                 struct ct_error *err);
/* As a file of the bundle, for a `delete` that comes after our death. */
int runtime_save(const struct runtime *runtime, int bundle_fd, struct ct_error *err);
int runtime_load(int bundle_fd, const char *namespace, struct runtime *ret, struct ct_error *err);
void runtime_done(struct runtime *runtime);
/* A command line: the *ret_n_common words up to the verb, and words. Owned, a vector of strings. */
char **runtime_words(const struct runtime *runtime, const char *bundle, const char *const *words,
                     size_t *ret_n_common);
/* The last error that the runtime wrote to BUNDLE/log.json, from byte `from` on. Owned or NULL. */
char *runtime_last_error(const char *bundle, long long from);
long long runtime_log_size(const char *bundle);

struct shim;
struct container;
struct run; /* a command of the runtime */

/* output: what the runtime printed, if it was collected. error NULL: the command succeeded. */
typedef void (*run_done_fn)(void *context, const char *output, const struct ct_error *error);

struct run_request {
    const char *const *words; /* "kill", id, "9", NULL: copied */
    int stdio[3];    /* -1: /dev/null; borrowed until done. All -1: the output is collected */
    bool owns_stdin; /* stdio[0] is given away */
    bool births;     /* processes come from it whose end we are told */
    run_done_fn done;
    void *context;
};

/* Queues a command: one container's commands run one after the other. done comes later, always. */
void run_queue(struct container *container, const struct run_request *request);
/* Ends all commands of a container that goes: those that wait are refused. */
void run_cancel_all(struct container *container);
/* From reap.c: true when the process was one of ours. */
bool run_ended(struct shim *shim, pid_t pid, int status);

/* ---- tasks ---------------------------------------------------------------------------------- */

struct streams;

struct waiter { /* a Wait that is under way */
    struct ttrpc_call *call;
    struct waiter *next;
};

struct process {
    struct container *container;
    char *id; /* "" for the container's first */
    char *stdin, *stdout, *stderr;
    bool terminal;
    char *spec; /* of an exec: its OCI process as JSON */
    pid_t pid;  /* 0: not made yet */
    bool started, exited;
    bool starting; /* start is under way: an end that comes now is told behind the begin */
    bool deleting;
    int status; /* of waitpid(2), once it has ended */
    int64_t exited_ns;
    struct streams *streams;
    struct waiter *waiters;
    struct process *next;
};

struct container {
    struct shim *shim;
    char *id, *bundle;
    struct runtime runtime;
    struct process *init;
    struct process *execs;
    bool mounted, paused, freeing;
    bool own_pids; /* a PID namespace of its own: all end with the first */
    struct lc_cgroup *cgroup;
    struct oom *oom;
    struct run *runs; /* the first is under way */
    bool *gone;       /* set when it is freed, while somebody has to know */
    struct container *next;
};

/* A process that ended before its runtime could say whose it is. */
struct early {
    pid_t pid;
    int status;
    int64_t when_ns;
    struct early *next;
};

struct publisher;

struct shim {
    struct shim_options options;
    struct loop *loop;
    struct ttrpc_server *server;
    struct publisher *publisher;
    struct container *containers;
    struct early *early;
    unsigned births; /* runs under way that may bring processes */
    int signal_fd;
    struct loop_source *signals;
    char *socket_path; /* ours to remove */
    struct loop_timer memory_timer;
    struct loop_timer idle_timer;
    bool ends;
};

struct container *container_new(struct shim *shim, const char *id, const char *bundle);
void container_free(struct container *container);
/* CT_NOT_FOUND. exec_id "": the container's first process. */
struct container *container_find(struct shim *shim, const char *id, struct ct_error *err);
struct process *process_find(struct shim *shim, const char *id, const char *exec_id,
                             struct ct_error *err);
struct process *process_new(struct container *container, const char *exec_id);
void process_free(struct process *process); /* also takes it out of its container */
/* A process has ended: publishes it and wakes those who wait. */
void process_ended(struct process *process, int status, int64_t when_ns);
/* Its runtime says who it is; it may have ended already. */
void process_born(struct process *process, pid_t pid);
/* starting is over: what was held back is told. */
void process_started(struct process *process);

extern const struct ttrpc_service shim_task_service;

/* serve.c: the last container has gone, or none has come yet. */
void shim_is_empty(struct shim *shim);
/* The end, when containerd has heard all events, or does not come back in time. */
void shim_end(struct shim *shim);

/* reap.c: takes the end of all children that have ended. */
void reap_all(struct shim *shim);

/* ---- streams -------------------------------------------------------------------------------- */

struct streams_request {
    struct loop *loop;
    const char *namespace, *container_id;
    const char *stdin, *stdout, *stderr; /* "": none */
    bool terminal;
    uid_t uid; /* of the pipes */
    gid_t gid;
};

/* Opens all that the other side sees; with a terminal: and a socket for it. */
struct streams *streams_open(const struct streams_request *request, struct ct_error *err);
/* The program's ends, for 0, 1 and 2: borrowed until streams_begin(). -1: /dev/null. */
void streams_program_ends(const struct streams *streams, int ret[static 3]);
/* With a terminal: the path for --console-socket; else NULL. */
const char *streams_console_socket(const struct streams *streams);
/* The runtime has made the process: takes the terminal, and begins to move bytes. */
int streams_begin(struct streams *streams, struct ct_error *err);
int streams_resize(struct streams *streams, unsigned width, unsigned height, struct ct_error *err);
/* No more input will come: the program sees the end once it has read what did. */
void streams_close_input(struct streams *streams);
/* Calls done when all output of a program that has ended is handed over, after timeout_ms at most.
 */
void streams_drain(struct streams *streams, int timeout_ms, void (*done)(void *context),
                   void *context);
void streams_free(struct streams *streams);

/* Where output goes. Both streams may go to one log or one program. */
struct sink;
struct sink *sink_open(const struct streams_request *request, const char *uri,
                       struct ct_error *err);
struct sink *sink_nowhere(void); /* takes all and keeps nothing */
/* The same once more, if uri is the same and means one thing for both streams; else NULL. */
struct sink *sink_share(struct sink *sink, const char *uri);
/* Returns how many bytes were taken; 0: it takes nothing now, wait until sink_fd() is writable. */
size_t sink_write(struct sink *sink, bool is_stderr, const void *bytes, size_t length);
int sink_fd(const struct sink *sink, bool is_stderr);
/* A program that reads by itself: the writing end of its pipe, borrowed; -1: bytes are to be
 * written. */
int sink_direct(const struct sink *sink, bool is_stderr);
/* The stream has ended: its reader sees the end. What was not read yet is still there for it. */
void sink_end(struct sink *sink, bool is_stderr);
void sink_free(struct sink *sink);

/* console.c */
struct console;
struct console *console_open(struct ct_error *err);
const char *console_path(const struct console *console);
/* The master of the terminal that the runtime has sent. Owned. */
int console_take(struct console *console, struct ct_error *err);
void console_free(struct console *console);

/* ---- events --------------------------------------------------------------------------------- */

struct publisher *publisher_new(struct loop *loop, const struct shim_options *options);
/* Sends an event, in order, as soon as containerd takes it. */
void publish(struct publisher *publisher, const char *topic, const ProtobufCMessage *event);
/* containerd is there again: tries at once. */
void publisher_hurry(struct publisher *publisher);
/* Calls done when nothing waits any more, or after timeout_ms. */
void publisher_finish(struct publisher *publisher, int timeout_ms, void (*done)(void *context),
                      void *context);
void publisher_free(struct publisher *publisher);
/* From reap.c: a publish-binary of ours has ended. */
bool publisher_ended(struct publisher *publisher, pid_t pid, int status);

/* ---- control groups ------------------------------------------------------------------------- */

/* What the container uses, as io.containerd.cgroups.v1.Metrics or v2's. Owned (any_done()). */
int figures_read(struct container *container, Google__Protobuf__Any *ret, struct ct_error *err);
void any_done(Google__Protobuf__Any *any);

/* Publishes /tasks/oom when the kernel has killed for memory. NULL: it cannot be watched. */
struct oom *oom_watch(struct container *container);
void oom_unwatch(struct oom *oom);

/* memory.c */
void give_memory_back_soon(struct shim *shim);

/* ---- the rest ------------------------------------------------------------------------------- */

/* Mounts the request's root file system below the bundle. On failure nothing stays mounted. */
int rootfs_mount(const char *bundle, Containerd__Types__Mount *const *mounts, size_t n,
                 struct ct_error *err);
int rootfs_unmount(const char *bundle, struct ct_error *err);

/* address.c: the directory of all sockets, checked to be ours alone. Returns its path, owned. */
char *address_folder(struct ct_error *err);
/* The socket of a shim: the same for all containers of a group. Owned. */
char *address_of(const struct shim_options *options, const char *group, struct ct_error *err);

/* Ours and protobuf's time. */
Google__Protobuf__Timestamp timestamp_of(int64_t unix_ns);

#endif
