/*
 * native_run.c - one more program in a running container, through libcontainer.
 *
 * Room:       execdriver (stage 03).   Called by: execdriver.c, through native_ops.
 */
#define CT_LAYER "execdriver"
#include "native_internal.h"

#include "document.h"

#include "cleanup.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define LEAVE_TIMEOUT_MS 10000

struct driver_process {
    struct ct_process child;
    bool reaped;
    int status;
    struct driver_process *next, **slot; /* in the job's list */
};

static void link_to(struct driver_process *process, struct driver_job *job)
{
    process->slot = &job->processes;
    process->next = job->processes;
    if (process->next) {
        process->next->slot = &process->next;
    }
    job->processes = process;
}

static void unlink_from_job(struct driver_process *process)
{
    if (process->slot) {
        *process->slot = process->next;
    }
    if (process->next) {
        process->next->slot = process->slot;
    }
}

static int run(struct driver_job *job, const struct exec_program *program, int timeout_ms,
               struct lc_process *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *container = lc_config(job->container, err);
    CT_AUTO_JSON json_t *process = container ? spec_process(program, container, err) : NULL;
    const struct lc_exec request = {
        .process = process,
        .stdio = {program->stdio[0], program->stdio[1], program->stdio[2]},
        .own_terminal = program->terminal,
        .timeout_ms = timeout_ms};

    return process ? lc_exec(job->container, &request, ret, err) : -1;
}

struct driver_process *native_run(struct driver_job *job, const struct exec_program *program,
                                  int timeout_ms, struct ct_error *err)
{
    if (!program->argv || !program->argv[0]) {
        return ct_refuse_null(err, CT_INVALID, "run no program at all");
    }
    if (!job->started || lc_status(job->container) == LC_STOPPED) {
        return ct_refuse_null(err, CT_CONFLICT, "enter the container: it does not run");
    }
    struct driver_process *process = calloc(1, sizeof(*process));
    if (!process) {
        return ct_fail_null(err, ENOMEM, "remember a process");
    }
    struct lc_process started;
    if (run(job, program, timeout_ms, &started, err) < 0) {
        free(process);
        return NULL;
    }
    process->child = (struct ct_process){.pid = started.pid, .pidfd = started.pidfd};
    link_to(process, job);
    return process;
}

pid_t native_run_pid(const struct driver_process *process)
{
    return process->child.pid;
}

int native_run_wait_fd(const struct driver_process *process)
{
    return process->child.pidfd;
}

int native_run_signal(struct driver_process *process, int signal_number, struct ct_error *err)
{
    return ct_pidfd_signal(process->child.pidfd, signal_number, err);
}

static int reap(struct driver_process *process, struct ct_error *err)
{
    if (!process->reaped &&
        ct_process_wait(&process->child, LEAVE_TIMEOUT_MS, &process->status, err) < 0) {
        return ct_while(err, "wait for the program to end"); /* may be asked again */
    }
    process->reaped = true;
    return 0;
}

int native_run_result(struct driver_process *process, int *ret_status, struct ct_error *err)
{
    if (reap(process, err) < 0) {
        return -1;
    }
    *ret_status = process->status;
    unlink_from_job(process);
    ct_process_done(&process->child);
    free(process);
    return 0;
}

void native_run_release(struct driver_process *process)
{
    unlink_from_job(process);
    ct_process_done(&process->child);
    free(process);
}

void native_run_reap_all(struct driver_job *job)
{
    struct ct_error ignored = {0};

    for (struct driver_process *process = job->processes; process; process = process->next) {
        (void)ct_pidfd_signal(process->child.pidfd, SIGKILL, &ignored);
        (void)reap(process, &ignored);
    }
    /* What stays is the callers', who have their results still to ask for. */
    while (job->processes) {
        struct driver_process *process = job->processes;
        unlink_from_job(process);
        process->slot = NULL;
        process->next = NULL;
    }
}
