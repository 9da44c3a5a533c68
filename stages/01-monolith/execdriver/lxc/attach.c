/*
 * attach.c - one more program in a running container.
 *
 * Room:       execdriver/lxc.   Called by: see execdriver.h.
 * Man:        lxc-attach(1), setns(2).
 *
 * lxc-attach enters the container's namespaces and control groups, gives up what the container
 * gave up (capabilities, seccomp, AppArmor), and runs sysinit, which gets plan and streams as the
 * first program did. lxc-attach waits for the program and leaves with its exit code, or with 128
 * and the signal's number: the same number that Docker reports.
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "deadline.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVE_TIMEOUT_MS 10000

struct exec_process {
    struct ct_process lxc; /* lxc-attach */
    pid_t pid;
    int pidfd;
};

static void process_free(struct exec_process *process)
{
    ct_process_done(&process->lxc);
    ct_cleanup_close(&process->pidfd);
    free(process);
}

/* Kills what was started and waits for lxc-attach, so that no zombie stays. */
static void abandon(struct exec_process *process)
{
    struct ct_error ignored = {0};
    int status = 0;

    if (process->pidfd >= 0) {
        (void)ct_pidfd_signal(process->pidfd, SIGKILL, &ignored);
    }
    if (ct_process_wait(&process->lxc, LEAVE_TIMEOUT_MS, &status, &ignored) < 0) {
        (void)ct_pidfd_signal(process->lxc.pidfd, SIGKILL, &ignored);
        (void)ct_process_wait(&process->lxc, LEAVE_TIMEOUT_MS, &status, &ignored);
    }
}

/* Until sysinit runs inside. LXC's log is needed no longer then. */
static int wait_for_sysinit(struct exec_job *job, struct handshake *shake, const char *log,
                            struct exec_process *process, int64_t deadline_ns, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SYNC, "sysinit: hello");
    int result = handshake_hello(shake, process->lxc.pidfd, deadline_ns, err);
    struct ct_error cause = {0};

    if (result < 0 && job_has_ended(job)) {
        (void)ct_refuse(err, CT_CONFLICT, "enter the container: it has ended");
    } else if (result < 0 && err->kind == CT_UNREACHABLE &&
               log_explain(job->state_fd, log, &cause)) {
        *err = cause;
    }
    (void)unlinkat(job->state_fd, log, 0);
    if (result == 0) {
        process->pid = shake->pid;
        process->pidfd = ct_steal_fd(&shake->pidfd);
    }
    return result;
}

static int run(struct exec_job *job, const struct exec_program *program,
               struct exec_process *process, int64_t deadline_ns, struct ct_error *err)
{
    struct handshake shake = HANDSHAKE_NONE;
    char log[32];

    bool privileged = program->cap_add && program->cap_add[0];
    int opened =
        program->n_groups == 0
            ? handshake_open(&shake, program, err)
            : handshake_open_elevated(&shake, program, privileged ? UINT64_MAX : job->caps, err);
    if (opened < 0) {
        return -1;
    }
    (void)snprintf(log, sizeof(log), LOG_FILE ".%d", shake.theirs);
    if (launch_attach(job, program, &shake, &process->lxc, err) < 0) {
        handshake_close(&shake);
        return -1;
    }
    handshake_given(&shake);
    int result = wait_for_sysinit(job, &shake, log, process, deadline_ns, err);
    if (result == 0) {
        CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "sysinit: go: execve %s", program->argv[0]);
        result = handshake_go(&shake, deadline_ns, err);
    }
    handshake_close(&shake);
    if (result < 0) {
        abandon(process);
    }
    return result;
}

struct exec_process *exec_run(struct exec_job *job, const struct exec_program *program,
                              int timeout_ms, struct ct_error *err)
{
    int64_t deadline_ns = deadline_in_ms(timeout_ms);

    if (!program->argv || !program->argv[0]) {
        return ct_refuse_null(err, CT_INVALID, "run no program at all");
    }
    if (job_has_ended(job) || !job->started) {
        return ct_refuse_null(err, CT_CONFLICT, "enter the container: it does not run");
    }
    if (job->paused) {
        return ct_refuse_null(err, CT_CONFLICT, "enter the container: it is paused");
    }
    struct exec_process *process = calloc(1, sizeof(*process));
    if (!process) {
        return ct_fail_null(err, ENOMEM, "remember a process");
    }
    process->pidfd = process->lxc.pidfd = -1;
    if (run(job, program, process, deadline_ns, err) < 0) {
        process_free(process);
        return NULL;
    }
    return process;
}

pid_t exec_run_pid(const struct exec_process *process)
{
    return process->pid;
}

int exec_run_wait_fd(const struct exec_process *process)
{
    return process->pidfd;
}

int exec_run_signal(struct exec_process *process, int signal_number, struct ct_error *err)
{
    return ct_pidfd_signal(process->pidfd, signal_number, err);
}

int exec_run_result(struct exec_process *process, int *ret_status, struct ct_error *err)
{
    int status = 0;

    if (ct_process_wait(&process->lxc, LEAVE_TIMEOUT_MS, &status, err) < 0) {
        return ct_while(err, "wait for lxc-attach to leave"); /* may be asked again */
    }
    int result = 0;
    if (!WIFEXITED(status)) { /* somebody killed lxc-attach: it cannot tell any more */
        result =
            ct_refuse(err, CT_UNREACHABLE, "learn how the program ended: lxc-attach was killed");
    } else {
        *ret_status = status;
    }
    process_free(process);
    return result;
}

/* Its end is told to its parent alone, which we are or lxc-attach's next one. */
json_t *exec_run_save(const struct exec_process *process)
{
    (void)process;
    return json_null();
}

struct exec_process *exec_run_adopt(struct exec_job *job, const json_t *saved, int *ret_fds,
                                    size_t n_fds, struct ct_error *err)
{
    (void)saved;
    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    return ct_refuse_null(err, CT_UNSUPPORTED,
                          "adopt a program in '%s': lxc-attach tells nobody else how it ends",
                          job->id);
}

void exec_run_release(struct exec_process *process)
{
    if (process) {
        process_free(process);
    }
}
