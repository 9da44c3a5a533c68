/*
 * lxc_internal.h - what the files of the LXC driver share.
 *
 * Room:       execdriver/lxc, and nobody else.
 *
 * Reading order: job.c (a container's life) - launch.c (how LXC is run) - handshake.c and sysinit.c
 * (the talk with what runs inside) - config.c - lxc_events.c (how the end is learned) - attach.c
 * (one more program) - control.c (signals, freezing, limits, figures) - adopt.c (after a killed
 * monitor).
 */
#ifndef LXC_INTERNAL_H
#define LXC_INTERNAL_H

#include "cgroup.h"
#include "execdriver.h"
#include "handshake.h"
#include "process.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_FILE     "lxc.log"
#define EXEC_KEEP_FD 4 /* how many descriptors exec_keep() takes */

struct exec_job {
    char *id;
    char *state_dir;
    char *program; /* argv[0], for the trace; NULL in an adopted job */
    int state_fd;
    struct cgroup cgroup;
    struct ct_process lxc; /* lxc-start; pid 0: never started */
    bool ours;             /* lxc-start is our child; else we adopted it */
    struct handshake shake;
    pid_t pid; /* the container's first process */
    int pidfd;
    int events; /* the FIFO, lxc_events.h */
    struct cgroup_oom oom;
    bool started, paused;
    uint64_t caps; /* the container's bounding set */
    bool have_status;
    int status;
    int kept[EXEC_KEEP_FD]; /* numbers of the kept descriptors, the same in lxc-start */
    size_t n_kept;
};

/* job.c */
struct exec_job *job_new(const char *id, const char *state_dir, struct ct_error *err);
void job_free(struct exec_job *job);
bool job_has_ended(const struct exec_job *job);

/* launch.c */
int launch_start(struct exec_job *job, struct ct_error *err);
int launch_attach(const struct exec_job *job, const struct exec_program *program,
                  const struct handshake *shake, struct ct_process *ret, struct ct_error *err);

/* sysctl.c: sysctls and the domain name, which LXC cannot set below a read-only /proc/sys. The
 * first only looks at them; the second needs the container's first process. */
int sysctls_check(const struct exec_spec *spec, struct ct_error *err);
int sysctls_set(const struct exec_job *job, const struct exec_spec *spec, struct ct_error *err);

/* log.c: what LXC wrote into its log from offset on, as the innermost frame of an error. False: it
 * wrote nothing that explains. */
bool log_explain(int dir_fd, const char *name, struct ct_error *err);

#endif
