/*
 * tasks_internal.h - what the files of this driver share.
 *
 * Room:       execdriver (stage 04); included by its own files only.
 *
 *   driver.c   its name, what it can do        client.c   one call to containerd
 *   job.c      a task from its creation to     control.c  signals, limits, processes, terminal
 *              its end, and after a restart    stdio.c    the program's ends as paths
 *   process.c  one more process in a task      metrics.c  what a task uses
 *   programs.c where the other boxes are       server.c   containerd, if nobody started one
 */
#ifndef TASKS_INTERNAL_H
#define TASKS_INTERNAL_H

#include "connection.h"
#include "container_record.h"
#include "execdriver.h"

#include "containerd_api.h"

#include <stdbool.h>
#include <stdint.h>

#define TASKS_VARIABLE     CONNECTION_VARIABLE
#define TASKS_KEPT_MAX     4
#define TASKS_TIMEOUT_MS   CONNECTION_TIMEOUT_MS
#define TASKS_SPEC_TYPE    CONTAINER_SPEC_TYPE
#define TASKS_PROCESS_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"
#define TASKS_LIMITS_TYPE  "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

/* Pipes of ours that a shim holds open, too: who comes after us finds them there by their inodes.
 */
struct tasks_pipes {
    pid_t shim; /* 0: not known */
    uint64_t inodes[TASKS_KEPT_MAX];
    size_t n;
};

struct exec_job {
    char *id;
    pid_t pid;
    int pidfd; /* -1: it has ended */
    bool started, oom_killed;
    struct tasks_pipes pipes;
};

/* ---- client.c ------------------------------------------------------------------------------- */

#define TASKS_AUTO_MESSAGE CONNECTION_AUTO_MESSAGE

/* Calls of containerd's services Tasks and Containers: see connection_call(). */
int tasks_call(const char *method, const void *request, int timeout_ms, ProtobufCMessage **ret,
               struct ct_error *err);
int containers_call(const char *method, const void *request, int timeout_ms, ProtobufCMessage **ret,
                    struct ct_error *err);
char *tasks_version(struct ct_error *err);

/* A document as containerd packs them: type_url and JSON. *ret_text (owned) must outlive *ret.
 * CT_UNSUPPORTED: bytes that are no UTF-8 cannot be in JSON that others read. */
int tasks_pack(const char *type_url, const json_t *document, Google__Protobuf__Any *ret,
               char **ret_text, struct ct_error *err);

/* ---- stdio.c -------------------------------------------------------------------------------- */

/* Where a shim finds the program's ends 0, 1 and 2; "" for what it does not need. */
struct tasks_stdio {
    char paths[3][40];
};
void tasks_stdio(const struct exec_program *program, struct tasks_stdio *ret);
/* Takes over what exec_keep() of this thread was given. */
void tasks_keep(struct tasks_pipes *ret);
/* pid: a process that the shim has started. */
void tasks_pipes_held_by(struct tasks_pipes *pipes, pid_t pid);
/* "kept" and "shim" of a new document, and back: read ends, -1 where lost. */
json_t *tasks_pipes_save(const struct tasks_pipes *pipes);
void tasks_pipes_take(const json_t *saved, struct tasks_pipes *ret, int *ret_fds, size_t n_fds);

/* ---- programs.c ------------------------------------------------------------------------------ */

/* Paths, owned; NULL: there is none. The runtime is ours or none: then the shim chooses. */
char *tasks_in_path(const char *name);
char *tasks_runtime_program(void);
/* Where the runtime keeps the states of this daemon's containers. NULL: its own choice. */
char *tasks_runtime_root(void);
char *tasks_init_program(void);
char *tasks_server_program(void);

/* ---- process.c ------------------------------------------------------------------------------ */

const char *tasks_process_id(const struct exec_process *process); /* borrowed */

/* ---- job.c ---------------------------------------------------------------------------------- */

bool tasks_has_ended(const struct exec_job *job);
/* Readable at its end; at once, if it has ended. Owned. */
int tasks_pidfd(pid_t pid, bool has_ended);
/* exec_id "": of the container's first program. */
int tasks_status(const char *id, const char *exec_id, pid_t *ret_pid,
                 Containerd__V1__Types__Status *ret, struct ct_error *err);
/* What an error of a runtime's that it could not run a program means for the exit code. */
void tasks_judge_program(struct ct_error *err);
/* The document that the container was created with. Owned. */
json_t *tasks_document(const struct exec_job *job, struct ct_error *err);

#endif
