/*
 * execdriver_ops.h - what an exec driver implements, once one daemon must choose between two.
 *
 * Room:       execdriver (stage 03).
 * Called by:  execdriver.c, the front behind execdriver.h; nobody else touches a table.
 * Behind it:  native.c (libcontainer), lxc_driver.c (stages 01 and 02's driver, as it is).
 *
 * Up to stage 02 the linker chose: execdriver.h had one implementation. Each entry here is the
 * function of the same name there; what it does is described there and nowhere else.
 */
#ifndef EXECDRIVER_OPS_H
#define EXECDRIVER_OPS_H

#include "execdriver.h"

struct driver_job;     /* a driver's own struct of a container … */
struct driver_process; /* … and of one more program in it */

struct exec_ops {
    const char *name; /* as typed after --exec-driver, and as saved */
    char *(*version)(struct ct_error *err);
    int (*check)(const json_t *host_config, struct ct_error *err);

    void (*keep)(const int *fds, size_t n);
    struct driver_job *(*create)(const struct exec_spec *spec, int timeout_ms,
                                 struct ct_error *err);
    int (*start)(struct driver_job *job, int timeout_ms, struct ct_error *err);
    pid_t (*pid)(const struct driver_job *job);
    int (*wait_fd)(const struct driver_job *job);
    int (*result)(struct driver_job *job, int *ret_status, struct ct_error *err);
    int (*signal)(struct driver_job *job, int signal_number, struct ct_error *err);
    int (*kill_all)(struct driver_job *job, struct ct_error *err);
    int (*pause)(struct driver_job *job, struct ct_error *err);
    int (*resume)(struct driver_job *job, struct ct_error *err);
    int (*update)(struct driver_job *job, const struct exec_limits *limits, struct ct_error *err);
    int (*stats)(struct driver_job *job, struct exec_stats *ret, struct ct_error *err);
    ssize_t (*pids)(struct driver_job *job, pid_t **ret, struct ct_error *err);
    int (*delete)(struct driver_job *job, struct ct_error *err);
    void (*release)(struct driver_job *job);

    struct driver_process *(*run)(struct driver_job *job, const struct exec_program *program,
                                  int timeout_ms, struct ct_error *err);
    pid_t (*run_pid)(const struct driver_process *process);
    int (*run_wait_fd)(const struct driver_process *process);
    int (*run_signal)(struct driver_process *process, int signal_number, struct ct_error *err);
    int (*run_result)(struct driver_process *process, int *ret_status, struct ct_error *err);
    void (*run_release)(struct driver_process *process);

    json_t *(*save)(const struct driver_job *job);
    struct driver_job *(*adopt)(const json_t *saved, int *ret_fds, size_t n_fds,
                                struct ct_error *err);
    int (*forget)(const char *id, const char *state_dir, struct ct_error *err);
};

extern const struct exec_ops native_ops, lxc_ops;

#endif
