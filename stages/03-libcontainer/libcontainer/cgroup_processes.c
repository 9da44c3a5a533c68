/*
 * cgroup_processes.c - what is done to all processes of a container: list, freeze, signal, kill.
 *
 * Room:       libcontainer.   Called by: see cgroups.h.
 * Man:        cgroups(7), kill(2); kernel Documentation/admin-guide/cgroup-v2.rst (cgroup.kill).
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

/* A container that may make groups can nest them: we look this deep, one descriptor a level. */
#define MAX_DEPTH   128
#define KILL_ROUNDS 200

void lc_group_pause(unsigned round)
{
    long ns = 50000L << (round < 8 ? round : 8);
    (void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* ---- listing -------------------------------------------------------------------------------- */

struct pid_list {
    pid_t *pids;
    size_t n, room;
};

static void add_pid(struct pid_list *list, long pid)
{
    if (list->n == list->room) {
        list->room = list->room ? list->room * 2 : 32;
        list->pids = reallocarray(list->pids, list->room, sizeof(*list->pids));
        if (!list->pids) {
            abort();
        }
    }
    list->pids[list->n++] = (pid_t)pid;
}

/* A group that went meanwhile has none. */
static bool is_gone(int failure)
{
    return failure == ENOENT || failure == ENODEV;
}

static int list_own(int dir_fd, struct pid_list *list)
{
    int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    CT_AUTO_FILE FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
    long pid = 0;

    if (!procs) {
        int failure = errno;
        ct_cleanup_close(&fd);
        errno = failure;
        return is_gone(failure) ? 0 : -1;
    }
    errno = 0;
    while (fscanf(procs, "%ld", &pid) == 1) { /* NOLINT(cert-err34-c): the kernel wrote it */
        if (pid > 0) {                        /* 0: our own PID namespace cannot see it */
            add_pid(list, pid);
        }
    }
    /* EOPNOTSUPP: a threaded group of v2; its processes are listed by the group above it. */
    return !ferror(procs) || errno == EOPNOTSUPP || is_gone(errno) ? 0 : -1;
}

static int list_tree(int dir_fd, int depth, struct pid_list *list)
{
    if (depth > MAX_DEPTH) {
        errno = ELOOP;
        return -1;
    }
    if (list_own(dir_fd, list) < 0) {
        return -1;
    }
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        int failure = errno;
        ct_cleanup_close(&copy);
        errno = failure;
        return is_gone(failure) ? 0 : -1;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        CT_AUTO_CLOSE int child =
            openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 ? !is_gone(errno) : list_tree(child, depth + 1, list) < 0) {
            return -1;
        }
    }
    return 0;
}

ssize_t lc_group_pids(struct lc_group *group, pid_t **ret, struct ct_error *err)
{
    struct ct_error failure = {0};
    struct pid_list list = {0};
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, &failure);

    *ret = NULL;
    if (fd < 0 && !is_gone(failure.sys)) {
        *err = failure;
        return -1;
    }
    if (fd >= 0 && list_tree(fd, 0, &list) < 0) {
        int code = errno;
        free(list.pids);
        return ct_fail(err, code, "list the processes of group '/%.80s'", group->path);
    }
    *ret = list.pids;
    return (ssize_t)list.n;
}

/* Without groups (rootless) nobody knows whose processes are the container's. */
static struct lc_group *need_group(const struct lc_cgroup *cgroup, const char *what,
                                   struct ct_error *err)
{
    struct lc_group *group = lc_cgroup_listing(cgroup);

    if (!group) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "%s: the container has no control groups", what);
    }
    return group;
}

ssize_t lc_cgroup_pids(const struct lc_cgroup *cgroup, pid_t **ret, struct ct_error *err)
{
    struct lc_group *group = need_group(cgroup, "list the processes", err);

    return group ? lc_group_pids(group, ret, err) : -1;
}

/* ---- freezing ------------------------------------------------------------------------------- */

int lc_cgroup_freeze(struct lc_cgroup *cgroup, bool frozen, struct ct_error *err)
{
    struct lc_group *unified = lc_cgroup_unified(cgroup);
    struct lc_group *freezer = unified ? NULL : lc_cgroup_of(cgroup, "freezer");

    if (!unified && !freezer) {
        return ct_refuse(err, CT_UNSUPPORTED, "%s: the container has no group that can be frozen",
                         frozen ? "freeze" : "thaw");
    }
    return unified ? lc_v2_freeze(unified, frozen, err) : lc_v1_freeze(freezer, frozen, err);
}

bool lc_cgroup_is_frozen(const struct lc_cgroup *cgroup)
{
    struct lc_group *unified = lc_cgroup_unified(cgroup);
    struct lc_group *freezer = unified ? NULL : lc_cgroup_of(cgroup, "freezer");

    return unified ? lc_v2_is_frozen(unified) : freezer && lc_v1_is_frozen(freezer);
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Returns how many got it, or -1. */
static ssize_t signal_each(const struct lc_cgroup *cgroup, int signal_number, struct ct_error *err)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = lc_cgroup_pids(cgroup, &pids, err), reached = 0;

    for (ssize_t i = 0; pids && i < n; i++) {
        if (kill(pids[i], signal_number) == 0) {
            reached++;
        } else if (errno != ESRCH) { /* it has ended meanwhile */
            return ct_fail(err, errno, "send signal %d to process %d", signal_number, (int)pids[i]);
        }
    }
    return n < 0 ? -1 : reached;
}

/*
 * While all are frozen no process is born that would be missed, and none ends whose number another
 * one gets. Where freezing is not possible the signal goes to those that are found.
 */
static int signal_frozen(struct lc_cgroup *cgroup, int signal_number, struct ct_error *err)
{
    struct ct_error ignored = {0};
    bool was_frozen = lc_cgroup_is_frozen(cgroup);
    bool is_frozen = was_frozen || lc_cgroup_freeze(cgroup, true, &ignored) == 0;
    ssize_t reached = signal_each(cgroup, signal_number, err);

    if (is_frozen && !was_frozen) {
        (void)lc_cgroup_freeze(cgroup, false, &ignored); /* they all may have ended by it */
    }
    return reached < 0 ? -1 : 0;
}

int lc_cgroup_signal(struct lc_cgroup *cgroup, int signal_number, struct ct_error *err)
{
    return signal_number == SIGKILL ? lc_cgroup_kill(cgroup, err)
                                    : signal_frozen(cgroup, signal_number, err);
}

/* Linux 5.14: the kernel kills all at once, the frozen ones too. False: it cannot. */
static bool kill_at_once(struct lc_cgroup *cgroup)
{
    struct lc_group *unified = lc_cgroup_unified(cgroup);
    struct ct_error ignored = {0};

    return unified && lc_group_write(unified, unified->path, "cgroup.kill", "1", &ignored) == 0;
}

/* Else: until a round finds nobody. What is frozen dies when it thaws. */
static int kill_in_rounds(struct lc_cgroup *cgroup, struct ct_error *err)
{
    for (unsigned round = 0; round < KILL_ROUNDS; round++) {
        struct ct_error ignored = {0};
        if (round == 0 && !lc_cgroup_is_frozen(cgroup)) {
            (void)lc_cgroup_freeze(cgroup, true, &ignored); /* not possible: more rounds */
        }
        ssize_t reached = signal_each(cgroup, SIGKILL, err);
        if (round == 0) {
            (void)lc_cgroup_freeze(cgroup, false, &ignored);
        }
        if (reached <= 0) {
            return (int)reached;
        }
        lc_group_pause(round);
    }
    (void)ct_refuse(err, CT_TIMEOUT, "kill all processes: some do not end");
    return ct_hint(err, "they wait in the kernel: look for state D in ps");
}

int lc_cgroup_kill(struct lc_cgroup *cgroup, struct ct_error *err)
{
    if (!need_group(cgroup, "kill all processes", err)) {
        return -1;
    }
    return kill_at_once(cgroup) ? 0 : kill_in_rounds(cgroup, err);
}

uint64_t lc_cgroup_oom_kills(const struct lc_cgroup *cgroup)
{
    struct lc_group *memory = lc_cgroup_of(cgroup, "memory");
    struct ct_error ignored = {0};
    uint64_t kills = 0;

    if (!memory) {
        return 0;
    }
    CT_AUTO_FREE char *text = lc_group_read(
        memory, memory->path, memory->v2 ? "memory.events" : "memory.oom_control", &ignored);
    (void)(text && lc_text_number(text, "oom_kill", &kills));
    return kills;
}

/* cgroup-v1/memory.rst, "OOM Control": "<eventfd> <memory.oom_control>" in cgroup.event_control. */
static int watch_v1(struct lc_group *memory, struct ct_error *err)
{
    CT_AUTO_CLOSE int control =
        lc_group_open(memory, memory->path, "memory.oom_control", O_RDONLY | O_CLOEXEC, err);
    CT_AUTO_CLOSE int events = control < 0
                                   ? -1
                                   : lc_group_open(memory, memory->path, "cgroup.event_control",
                                                   O_WRONLY | O_CLOEXEC, err);
    if (events < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CT_AUTO_FREE char *text = ct_printf("%d %d", fd, control);
    if (fd < 0 || ct_write_all(events, text, strlen(text)) < 0) {
        return ct_fail(err, errno, "watch memory of '%.80s'", memory->path);
    }
    return ct_steal_fd(&fd);
}

int lc_cgroup_watch_oom(const struct lc_cgroup *cgroup, struct ct_error *err)
{
    struct lc_group *memory = lc_cgroup_of(cgroup, "memory");

    if (!memory) {
        return ct_refuse(err, CT_UNSUPPORTED, "watch memory: it is not controlled here");
    }
    if (!memory->v2) {
        return watch_v1(memory, err);
    }
    CT_AUTO_FREE char *group = ct_join(memory->mount_point, memory->path);
    CT_AUTO_FREE char *file = ct_join(group, "memory.events");
    return ct_watch(file, IN_MODIFY, err);
}
