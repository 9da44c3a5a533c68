/*
 * control.c - what can be done to a running container: signals, freezing, limits, figures.
 *
 * Room:       execdriver/lxc.   Called by: see execdriver.h.
 * Man:        pidfd_send_signal(2), cgroups(7).
 *
 * None of it asks LXC: its own tools do the same writes, each after a process start and a question
 * to lxc-start.
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "span.h"

#include <signal.h>

#define FREEZE_TIMEOUT_MS 10000

int exec_signal(struct exec_job *job, int signal_number, struct ct_error *err)
{
    struct ct_error ignored = {0};
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SIGNAL, "pidfd_send_signal(%d, %s)", (int)job->pid,
            ct_signal_name(signal_number));

    if (job_has_ended(job)) {
        return ct_refuse(err, CT_NOT_FOUND, "signal the program: it has ended");
    }
    if (ct_pidfd_signal(job->pidfd, signal_number, err) < 0) {
        return ct_while(err, "signal the program");
    }
    if (signal_number == SIGKILL && job->paused) {
        (void)exec_resume(job, &ignored); /* a frozen process dies when it thaws */
    }
    return 0;
}

int exec_kill_all(struct exec_job *job, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SIGNAL, "%s: kill all", job->id);
    return cgroup_kill(&job->cgroup, err);
}

static int freeze(struct exec_job *job, bool wanted, struct ct_error *err)
{
    const char *verb = wanted ? "pause" : "resume";
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SIGNAL, "cgroup: %s", verb);

    if (job_has_ended(job)) {
        return ct_refuse(err, CT_CONFLICT, "%s: the program has ended", verb);
    }
    if (cgroup_freeze(&job->cgroup, wanted, FREEZE_TIMEOUT_MS, err) < 0) {
        struct ct_error ignored = {0};
        if (wanted) { /* half frozen is neither: give up as a whole */
            (void)cgroup_freeze(&job->cgroup, false, FREEZE_TIMEOUT_MS, &ignored);
        }
        return ct_while(err, "%s", verb);
    }
    job->paused = wanted;
    return 0;
}

int exec_pause(struct exec_job *job, struct ct_error *err)
{
    return freeze(job, true, err);
}

int exec_resume(struct exec_job *job, struct ct_error *err)
{
    return freeze(job, false, err);
}

int exec_update(struct exec_job *job, const struct exec_limits *limits, struct ct_error *err)
{
    struct limit_setting settings[LIMIT_SETTINGS_MAX];
    ssize_t n = limits_settings(limits, settings, err);
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_LIMIT, "cgroup: %zd settings", n);

    if (n < 0 || cgroup_apply(&job->cgroup, settings, (size_t)n, err) < 0) {
        return ct_while(err, "set new limits");
    }
    cgroup_oom_watch(&job->cgroup, &job->oom); /* there may be a limit of memory only now */
    return 0;
}

int exec_stats(struct exec_job *job, struct exec_stats *ret, struct ct_error *err)
{
    struct exec_stats stats = {0};

    /* After the end there are no figures any more, but whether memory was the reason is known. */
    if (cgroup_stats(&job->cgroup, &stats, err) < 0 && !job_has_ended(job)) {
        return ct_while(err, "read what the container uses");
    }
    if (stats.pids_current == 0 && !job_has_ended(job)) { /* no controller that counts */
        CT_AUTO_FREE pid_t *pids = NULL;
        ssize_t n = exec_pids(job, &pids, err);
        stats.pids_current = n > 0 ? (uint64_t)n : 0;
    }
    stats.oom_killed = cgroup_oom_killed(&job->cgroup, &job->oom);
    *ret = stats;
    return 0;
}

ssize_t exec_pids(struct exec_job *job, pid_t **ret, struct ct_error *err)
{
    return cgroup_pids(&job->cgroup, ret, err);
}

int exec_resize(struct exec_job *job, const struct exec_process *process, unsigned height,
                unsigned width, struct ct_error *err)
{
    (void)job;
    (void)process;
    return ct_refuse(err, CT_UNSUPPORTED, "resize to %ux%u: the terminal is the caller's", height,
                     width);
}
