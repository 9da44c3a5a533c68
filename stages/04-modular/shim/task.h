/*
 * task.h - the parts of the Task service: one file for a container's life, one for its programs.
 *
 * Room:       shim.   Called by: task.c, whose table names them all.
 * Spec:       containerd runtime/v2/task/shim.proto.
 */
#ifndef SHIM_TASK_H
#define SHIM_TASK_H

#include "shim_internal.h"

/* A call whose answer waits for a command of the runtime. */
struct job {
    struct ttrpc_call *call;
    struct process *process;
    bool pause; /* of the two: pause or resume */
};

struct job *job_new(struct ttrpc_call *call, struct process *process);
/* Runs a command for the job; done frees it. Without streams of its own. */
void job_run(struct job *job, const char *const *words, run_done_fn done);
/* Answers google.protobuf.Empty, or the error with what was to be done in front, and frees the job.
 */
void job_answer(struct job *job, const struct ct_error *error, const char *what);

void reply_empty(struct ttrpc_call *call);
/* Refuses and adds what was to be done: "OCI runtime create failed". */
void refuse_while(struct ttrpc_call *call, const struct ct_error *error, const char *what);
Containerd__V1__Types__Status process_status(const struct process *process);

/* The number that the runtime left in a file of the bundle, or -1. */
pid_t task_read_pid(const struct container *container, const char *name, struct ct_error *err);
/* Undoes a creation, also one that is under way: nothing of it stays but what the runtime itself
 * has, which the verb `delete` removes. */
void task_give_up(struct container *container);
/* What the request says of the streams of a process, and opening them. */
void task_copy_streams(struct process *process, const char *stdin_uri, const char *stdout_uri,
                       const char *stderr_uri, bool terminal);
int task_open_streams(struct process *process, struct ct_error *err);

/* task_create.c, task_exec.c, task_delete.c, task_control.c */
void task_create(struct ttrpc_call *call, const void *request);
void task_start(struct ttrpc_call *call, const void *request);
void task_delete(struct ttrpc_call *call, const void *request);
void task_exec(struct ttrpc_call *call, const void *request);
void task_kill(struct ttrpc_call *call, const void *request);
void task_pause(struct ttrpc_call *call, const void *request);
void task_resume(struct ttrpc_call *call, const void *request);
void task_update(struct ttrpc_call *call, const void *request);
void task_pids(struct ttrpc_call *call, const void *request);
void task_stats(struct ttrpc_call *call, const void *request);

#endif
