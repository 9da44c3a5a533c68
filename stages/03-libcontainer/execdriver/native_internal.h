/*
 * native_internal.h - what the files of the native driver share.
 *
 * Room:       execdriver (stage 03): native.c, native_run.c, native_stats.c, keeper.c.
 *
 * In the driver's directory (STATE_DIR):
 *   native/<id>/   libcontainer's own state
 *   keeper.lock    held by the keeper for as long as it lives
 *   end.json       how the program ended, written by the keeper before it leaves
 */
#ifndef NATIVE_INTERNAL_H
#define NATIVE_INTERNAL_H

#include "execdriver_ops.h"
#include "libcontainer.h"

#define NATIVE_KEPT_MAX 4 /* how many descriptors exec_keep() takes */

struct driver_job {
    char *id, *state_dir, *root; /* root: STATE_DIR/native */
    int state_fd;
    struct lc_container *container;
    pid_t pid; /* of the first process, also after its end */
    pid_t keeper;
    bool ours; /* the keeper is our child; else we adopted it */
    bool started;
    struct driver_process *processes; /* further programs that run */
    bool oom_killed;                  /* seen while the group was there */
    int kept[NATIVE_KEPT_MAX];
    size_t n_kept;
};

/* ---- keeper.c: the process that stays with the container whatever becomes of us ------------- */

struct keeper_request {
    const struct lc_create *create;
    int state_fd;
    const int *kept; /* descriptors to be held for a monitor that comes later */
    size_t n_kept;
};

/* Makes the container from a process of its own, which becomes its parent. Returns that process's
 * pid, or -1 with the cause; then nothing is left. */
pid_t keeper_start(const struct keeper_request *request, struct ct_error *err);
/* Whether it lives. */
bool keeper_lives(int state_fd);
/* Waits until it has left, up to timeout_ms; CT_TIMEOUT. */
int keeper_wait(int state_fd, int timeout_ms, struct ct_error *err);
/* What it has written: a wait status. CT_UNREACHABLE: it was killed before it could. */
int keeper_result(int state_fd, int *ret_status, struct ct_error *err);
void keeper_remove_files(int state_fd);

/* ---- native_run.c --------------------------------------------------------------------------- */

struct driver_process *native_run(struct driver_job *job, const struct exec_program *program,
                                  int timeout_ms, struct ct_error *err);
pid_t native_run_pid(const struct driver_process *process);
int native_run_wait_fd(const struct driver_process *process);
int native_run_signal(struct driver_process *process, int signal_number, struct ct_error *err);
int native_run_result(struct driver_process *process, int *ret_status, struct ct_error *err);
void native_run_release(struct driver_process *process);
/* Ends and reaps all of them. A PID namespace ends only when nobody in it is left to be reaped, so
 * this comes before the end of the container is waited for. */
void native_run_reap_all(struct driver_job *job);

/* ---- native_stats.c ------------------------------------------------------------------------- */

int native_stats(struct driver_job *job, struct exec_stats *ret, struct ct_error *err);

#endif
