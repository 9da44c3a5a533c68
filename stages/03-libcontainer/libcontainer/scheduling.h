/*
 * scheduling.h - when and where a process runs: scheduler, I/O priority, processors, execution
 * domain, and how likely it is to be killed for memory.
 *
 * Room:       libcontainer. Called by: program.c and configuration.c (parsing), create.c, exec.c,
 * setup.c. Spec:       config.md, "Linux Process" (scheduler, ioPriority, execCPUAffinity,
 * oomScoreAdj); config-linux.md, "Personality". Man:        sched_setattr(2), ioprio_set(2),
 * sched_setaffinity(2), personality(2), proc(5).
 */
#ifndef LC_SCHEDULING_H
#define LC_SCHEDULING_H

#include "error.h"

#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lc_scheduling {
    bool has_scheduler;
    uint32_t policy;
    int32_t nice, priority;
    uint64_t flags, runtime_ns, deadline_ns, period_ns;

    bool has_io_priority;
    int io_class, io_level; /* IOPRIO_CLASS_…, 0 … 7 */

    bool has_initial_cpus, has_final_cpus;
    cpu_set_t initial_cpus, final_cpus;

    bool has_oom_score;
    int oom_score_adj; /* -1000 … 1000 */
};

/* The fields of "process" that are ours. Processors are not for a container's first process
 * (config.md, "execCPUAffinity"): there the caller clears has_initial_cpus and has_final_cpus. */
int lc_scheduling_parse(const json_t *process, const char *where, struct lc_scheduling *ret,
                        struct ct_error *err);
/* By the runtime, for process pid, before it enters its cgroup: oom_score_adj and initial affinity.
 */
int lc_scheduling_apply_outside(const struct lc_scheduling *scheduling, int procfs_fd, pid_t pid,
                                struct ct_error *err);
/* By the process itself, before it gives up its rights: the rest. */
int lc_scheduling_apply_inside(const struct lc_scheduling *scheduling, struct ct_error *err);

#define LC_PERSONALITY_UNCHANGED 0xffffffffU /* also what asks personality(2) without a change */

/* "linux.personality" (may be NULL: unchanged): "LINUX" or "LINUX32" (flags are refused, as the
 * specification names none). */
int lc_personality_parse(const json_t *personality, uint32_t *ret, struct ct_error *err);
int lc_personality_apply(uint32_t domain, struct ct_error *err);

#endif
