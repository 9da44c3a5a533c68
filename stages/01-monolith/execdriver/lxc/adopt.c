/*
 * adopt.c - finding a running container again, after the process that held it was killed.
 *
 * Room:       execdriver/lxc.   Called by: see execdriver.h.
 * Man:        pidfd_open(2), pidfd_getfd(2), proc(5).
 *
 * lxc-start survives its monitor: it is in a session of its own and asked for no death signal. It
 * also inherited copies of the descriptors that exec_keep() named, so that the program's pipes keep
 * a reader; a new monitor copies them back out of it. A pid alone does not say that it is the same
 * process: the time of its start does, together with the boot.
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "lxc_events.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FORGET_TIMEOUT_MS 5000

/* ---- who is it ------------------------------------------------------------------------------ */

/* Clock ticks since boot at which the process began, field 22 of /proc/PID/stat; 0: no such one. */
static long long start_time(pid_t pid)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/stat", (int)pid);
    CT_AUTO_FREE char *text = NULL;

    if (ct_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0) {
        return 0;
    }
    /* The second field is the program's name in parentheses, which may contain anything. */
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at ? strtoll(at, NULL, 10) : 0;
}

/* Different after each reboot. Owned. */
static char *boot_id(void)
{
    struct ct_error ignored = {0};
    char *text = NULL;

    if (ct_read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &ignored) < 0) {
        return ct_strdup("");
    }
    text[strcspn(text, "\n")] = 0;
    return text;
}

/* A pidfd of the process that had this pid and began then, or -1: it is gone. */
static int find_process(pid_t pid, long long began)
{
    struct ct_error ignored = {0};
    CT_AUTO_CLOSE int pidfd = pid > 0 && began > 0 ? ct_pidfd_open(pid, &ignored) : -1;

    /* Compared after opening: from now on the pid cannot be given to another. */
    return pidfd >= 0 && start_time(pid) == began ? ct_steal_fd(&pidfd) : -1;
}

/* ---- save ----------------------------------------------------------------------------------- */

json_t *exec_save(const struct exec_job *job)
{
    json_t *json = json_object();
    CT_AUTO_FREE char *boot = boot_id();
    json_t *kept = json_array();

    ct_json_set_string(json, "driver", "lxc");
    ct_json_set_string(json, "id", job->id);
    ct_json_set_string(json, "stateDir", job->state_dir);
    ct_json_set_string(json, "boot", boot);
    ct_json_set(json, "pid", json_integer(job->pid));
    ct_json_set(json, "pidStart", json_integer(start_time(job->pid)));
    ct_json_set(json, "lxcPid", json_integer(job->lxc.pid));
    ct_json_set(json, "lxcStart", json_integer(start_time(job->lxc.pid)));
    ct_json_set(json, "caps", json_integer((json_int_t)job->caps));
    ct_json_set(json, "started", json_boolean(job->started));
    ct_json_set(json, "paused", json_boolean(job->paused));
    for (size_t i = 0; i < job->n_kept; i++) {
        ct_json_append(kept, json_integer(job->kept[i]));
    }
    ct_json_set(json, "kept", kept);
    return json;
}

/* ---- adopt ---------------------------------------------------------------------------------- */

/* Copies the kept descriptors out of lxc-start; -1 where that fails. */
static void take_back(struct exec_job *job, const json_t *saved, int *ret_fds, size_t n_fds)
{
    const json_t *kept = ct_json_get(saved, "kept");

    job->n_kept = ct_json_count(kept) < EXEC_KEEP_FD ? ct_json_count(kept) : EXEC_KEEP_FD;
    for (size_t i = 0; i < job->n_kept; i++) {
        job->kept[i] = (int)json_integer_value(json_array_get(kept, i));
        if (i < n_fds) {
            ret_fds[i] = (int)syscall(SYS_pidfd_getfd, job->lxc.pidfd, job->kept[i], 0U);
        }
    }
}

/* True when both processes are the ones that were saved. */
static bool find_processes(struct exec_job *job, const json_t *saved)
{
    CT_AUTO_FREE char *boot = boot_id();

    if (strcmp(boot, ct_json_string(saved, "boot", "")) != 0) {
        return false;
    }
    job->pid = (pid_t)ct_json_integer(saved, "pid", 0);
    job->lxc.pid = (pid_t)ct_json_integer(saved, "lxcPid", 0);
    job->lxc.pidfd = find_process(job->lxc.pid, ct_json_integer(saved, "lxcStart", 0));
    job->pidfd = find_process(job->pid, ct_json_integer(saved, "pidStart", 0));
    return job->lxc.pidfd >= 0 && job->pidfd >= 0;
}

struct exec_job *exec_adopt(const json_t *saved, int *ret_fds, size_t n_fds, struct ct_error *err)
{
    const char *id = ct_json_string(saved, "id", "");
    struct ct_error ignored = {0};

    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    if (strcmp(ct_json_string(saved, "driver", ""), "lxc") != 0 || !id[0]) {
        return ct_refuse_null(err, CT_INVALID, "adopt a job: the document is not of this driver");
    }
    struct exec_job *job = job_new(id, ct_json_string(saved, "stateDir", ""), err);
    if (!job) {
        return ct_while_null(err, "adopt the job '%s'", id);
    }
    job->caps = (uint64_t)ct_json_integer(saved, "caps", 0);
    job->started = ct_json_bool(saved, "started", false);
    job->paused = ct_json_bool(saved, "paused", false);
    if (!find_processes(job, saved)) {
        (void)exec_delete(job, &ignored); /* groups and files that the dead left behind */
        return ct_refuse_null(err, CT_NOT_FOUND, "adopt the job '%s': it has ended meanwhile", id);
    }
    job->events = events_open(id, err);
    if (job->events < 0) {
        job_free(job); /* it runs: deleting it is not ours to decide */
        return ct_while_null(err, "adopt the job '%s'", id);
    }
    cgroup_oom_watch(&job->cgroup, &job->oom);
    take_back(job, saved, ret_fds, n_fds);
    return job;
}

/* ---- forget --------------------------------------------------------------------------------- */

/* True when the process is the lxc-start of that job, whatever it is doing. */
static bool is_runtime_of(const char *pid, const char *id)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *path = ct_printf("/proc/%s/cmdline", pid);
    CT_AUTO_FREE char *text = NULL;
    /* As launch.c starts it; words end with NUL. */
    CT_AUTO_FREE char *expected = ct_printf("lxc-start -F -n %s -f ", id);
    ssize_t length = ct_read_file_at(AT_FDCWD, path, 1 << 20, &text, &ignored);

    for (ssize_t i = 0; i < length; i++) {
        text[i] = text[i] ? text[i] : ' ';
    }
    return length > 0 && strncmp(text, expected, strlen(expected)) == 0;
}

/*
 * A lxc-start whose caller was killed may wait for ever for a child that is gone; and one that has
 * only begun is in no control group yet. So it is looked for by its command line.
 */
static void kill_runtime(const char *id)
{
    CT_AUTO_DIR DIR *proc = opendir("/proc");
    struct ct_error ignored = {0};

    for (struct dirent *e = proc ? readdir(proc) : NULL; e; e = readdir(proc)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        CT_AUTO_CLOSE int pidfd = pid > 0 ? ct_pidfd_open(pid, &ignored) : -1;
        /* Compared after opening, as in find_process(). */
        if (pidfd >= 0 && is_runtime_of(e->d_name, id)) {
            (void)ct_pidfd_signal(pidfd, SIGKILL, &ignored);
            (void)ct_wait_readable(pidfd, -1, FORGET_TIMEOUT_MS, &ignored);
        }
    }
}

int exec_forget(const char *id, const char *state_dir, struct ct_error *err)
{
    CT_AUTO_FREE char *lxcpath = events_lxcpath(id);

    if (access(lxcpath, F_OK) < 0) { /* the first thing that a job makes, and the last to go */
        return 0;
    }
    struct exec_job *job = job_new(id, state_dir, err);
    if (!job) {
        return ct_while(err, "forget the job '%s'", id);
    }
    kill_runtime(id);
    return exec_delete(job, err);
}
