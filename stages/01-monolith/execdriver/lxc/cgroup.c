/*
 * cgroup.c - a container's control groups.
 *
 * Room:       execdriver/lxc.   Called by: see cgroup.h.   Man: cgroups(7), proc(5) (mountinfo).
 */
#define CT_LAYER "cgroup"
#include "cgroup.h"

#include "cgroup_files.h"
#include "cleanup.h"
#include "deadline.h"
#include "file.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define JOB "job" /* the container's own group below cutaway-ID */

/* A container with CAP_SYS_ADMIN may make groups below its own: we look this deep, and no more. */
#define MAX_DEPTH 16
#define MAX_PIDS  (1u << 20)

static void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- finding -------------------------------------------------------------------------------- */

/* Where PID 1 stands in the hierarchy that /proc/1/cgroup names by the same controllers: LXC starts
 * from there. systemd puts itself into init.scope, which LXC leaves out and so do we. */
static char *base_of_init(const char *membership, const struct cgroup_hierarchy *hierarchy)
{
    CT_AUTO_FREE char *copy = ct_strdup(membership);
    char *position = NULL;

    for (char *line = strtok_r(copy, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(++controllers, ':') : NULL;
        if (!path) {
            continue;
        }
        *path++ = 0;
        CT_AUTO_FREE char *wanted = ct_printf(",%s,", controllers);
        if (hierarchy->v2 ? controllers[0] == 0 : strcmp(wanted, hierarchy->controllers) == 0) {
            char *scope = strstr(path, "/init.scope");
            if (scope) {
                *scope = 0;
            }
            return ct_strdup(strcmp(path, "/") == 0 ? "" : path);
        }
    }
    return ct_strdup("");
}

/* The controllers of a v1 mount are among its super options; the others are not controllers. */
static char *controllers_v1(char *options)
{
    CT_AUTO_FREE char *list = ct_strdup(",");
    char *position = NULL;

    for (char *o = strtok_r(options, ",", &position); o; o = strtok_r(NULL, ",", &position)) {
        bool named = strncmp(o, "name=", 5) == 0;
        if (strcmp(o, "rw") == 0 || strcmp(o, "ro") == 0 || strcmp(o, "xattr") == 0 ||
            strcmp(o, "clone_children") == 0 || strcmp(o, "cpuset_v2_mode") == 0 ||
            (strchr(o, '=') && !named)) {
            continue;
        }
        char *longer = ct_printf("%s%s,", list, o);
        free(list);
        list = longer;
    }
    return ct_steal(list);
}

static char *controllers_v2(const char *mount)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *path = ct_join(mount, "cgroup.controllers");
    CT_AUTO_FREE char *text = NULL;

    if (ct_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) < 0) {
        return ct_strdup(",");
    }
    text[strcspn(text, "\n")] = 0;
    for (char *c = text; *c; c++) {
        *c = *c == ' ' ? ',' : *c;
    }
    return ct_printf(",%s,", text);
}

/* One line: "36 35 98:0 /root /mount/point opts [tags] - fstype source superopts". */
static void add_mount(struct cgroup *cgroup, char *line, const char *membership)
{
    char root[PATH_MAX], mount[PATH_MAX], type[16], options[512];
    char *tail = strstr(line, " - ");

    if (!tail || cgroup->n == CGROUP_HIERARCHIES_MAX ||
        sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2 ||
        sscanf(tail, " - %15s %*s %511s", type, options) != 2 || strncmp(type, "cgroup", 6) != 0) {
        return;
    }
    struct cgroup_hierarchy *hierarchy = &cgroup->hierarchies[cgroup->n++];
    hierarchy->v2 = strcmp(type, "cgroup2") == 0;
    hierarchy->controllers = hierarchy->v2 ? controllers_v2(mount) : controllers_v1(options);
    CT_AUTO_FREE char *base = base_of_init(membership, hierarchy);
    /* A mount may show only a part of the hierarchy, as in a container. */
    size_t shown = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool inside = strncmp(base, root, shown) == 0;
    hierarchy->base = ct_printf("%s%s", mount, inside ? base + shown : "");
}

int cgroup_init(struct cgroup *ret, const char *id, struct ct_error *err)
{
    CT_AUTO_FREE char *membership = NULL;
    CT_AUTO_FILE FILE *mounts = fopen("/proc/self/mountinfo", "re");
    CT_AUTO_FREE char *line = NULL;
    size_t size = 0;

    if (!mounts) {
        return ct_fail(err, errno, "read '/proc/self/mountinfo'");
    }
    if (ct_read_file_at(AT_FDCWD, "/proc/1/cgroup", 65536, &membership, err) < 0) {
        return -1;
    }
    *ret = (struct cgroup){.name = ct_printf("cutaway-%s", id)};
    while (getline(&line, &size, mounts) > 0) {
        add_mount(ret, line, membership);
    }
    if (ret->n == 0) {
        cgroup_done(ret);
        (void)ct_refuse(err, CT_UNSUPPORTED, "find the control groups: none are mounted");
        return ct_hint(err, "mount -t cgroup2 none /sys/fs/cgroup");
    }
    return 0;
}

void cgroup_done(struct cgroup *cgroup)
{
    free(cgroup->name);
    for (size_t i = 0; i < cgroup->n; i++) {
        free(cgroup->hierarchies[i].base);
        free(cgroup->hierarchies[i].controllers);
    }
    *cgroup = (struct cgroup){0};
}

const struct cgroup_hierarchy *cgroup_find(const struct cgroup *cgroup, const char *controller)
{
    const struct cgroup_hierarchy *found = NULL;
    CT_AUTO_FREE char *wanted = ct_printf(",%s,", controller);

    for (size_t i = 0; i < cgroup->n; i++) {
        if (strstr(cgroup->hierarchies[i].controllers, wanted)) {
            found = &cgroup->hierarchies[i];
        }
    }
    return found;
}

bool cgroup_has(const struct cgroup *cgroup, const char *controller, bool *ret_v2)
{
    const struct cgroup_hierarchy *found = cgroup_find(cgroup, controller);

    if (strcmp(controller, "devices") == 0 && !found) {
        *ret_v2 = true; /* on v2 a BPF program, not a controller */
        return cgroup_unified(cgroup) != NULL;
    }
    *ret_v2 = found && found->v2;
    return found != NULL;
}

bool cgroup_counts_swap(const struct cgroup *cgroup)
{
    const struct cgroup_hierarchy *memory = cgroup_find(cgroup, "memory");
    CT_AUTO_FREE char *path = memory ? ct_join(memory->base, "memory.memsw.limit_in_bytes") : NULL;

    /* The root of v2 has none of its groups' files to look for; it counts swap if there is any. */
    return memory && (memory->v2 || access(path, F_OK) == 0);
}

const struct cgroup_hierarchy *cgroup_unified(const struct cgroup *cgroup)
{
    for (size_t i = 0; i < cgroup->n; i++) {
        if (cgroup->hierarchies[i].v2) {
            return &cgroup->hierarchies[i];
        }
    }
    return NULL;
}

char *cgroup_path(const struct cgroup *cgroup, const struct cgroup_hierarchy *hierarchy,
                  const char *file)
{
    return ct_printf("%s/%s/" JOB "%s%s", hierarchy->base, cgroup->name, file[0] ? "/" : "", file);
}

/* Where processes are listed: v2 if there is one, else any v1 hierarchy. */
static const struct cgroup_hierarchy *listing(const struct cgroup *cgroup)
{
    const struct cgroup_hierarchy *unified = cgroup_unified(cgroup);
    const struct cgroup_hierarchy *freezer = cgroup_find(cgroup, "freezer");

    return unified ? unified : freezer ? freezer : &cgroup->hierarchies[0];
}

/* ---- writing -------------------------------------------------------------------------------- */

static int write_file(const char *path, const char *value, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || ct_write_all(fd, value, strlen(value)) < 0) {
        return ct_fail(err, errno, "write '%s' to '%s'", value, path);
    }
    return 0;
}

static int apply_one(const struct cgroup *cgroup, const struct limit_setting *setting,
                     struct ct_error *err)
{
    const struct cgroup_hierarchy *hierarchy = cgroup_find(cgroup, setting->controller);

    if (!hierarchy) {
        return ct_refuse(err, CT_UNSUPPORTED, "set a limit: the kernel has no controller '%s'",
                         setting->controller);
    }
    const char *file = hierarchy->v2 ? setting->file_v2 : setting->file_v1;
    if (!file) {
        return 0; /* another setting carries the value in this version */
    }
    CT_AUTO_FREE char *path = cgroup_path(cgroup, hierarchy, file);
    return write_file(path, hierarchy->v2 ? setting->value_v2 : setting->value_v1, err);
}

/*
 * v1 holds memory <= memory plus swap at every instant: raising both needs the second first,
 * lowering both the first first. So what fails is tried once more after the others.
 */
int cgroup_apply(const struct cgroup *cgroup, const struct limit_setting *settings, size_t n,
                 struct ct_error *err)
{
    bool failed[LIMIT_SETTINGS_MAX] = {false};
    struct ct_error first = {0};

    for (size_t i = 0; i < n; i++) {
        failed[i] = apply_one(cgroup, &settings[i], &first) < 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (failed[i] && apply_one(cgroup, &settings[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- freezing ------------------------------------------------------------------------------- */

/* True when the line "key value" is in the file. */
static bool file_says(const char *path, const char *line)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    return ct_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) >= 0 && strstr(text, line);
}

/* v2: the kernel tells of a change by POLLPRI on cgroup.events. Thawing needs no waiting for: what
 * is thawed may end at once, and its group with it. */
static int freeze_v2(const struct cgroup *cgroup, const struct cgroup_hierarchy *unified,
                     bool freeze, int64_t deadline_ns, struct ct_error *err)
{
    CT_AUTO_FREE char *control = cgroup_path(cgroup, unified, "cgroup.freeze");
    CT_AUTO_FREE char *events = cgroup_path(cgroup, unified, "cgroup.events");
    CT_AUTO_CLOSE int fd = open(events, O_RDONLY | O_CLOEXEC);

    if (write_file(control, freeze ? "1" : "0", err) < 0) {
        return -1;
    }
    if (!freeze) {
        return 0;
    }
    for (;;) {
        char text[128] = "";
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        if (n < 0) {
            return ct_fail(err, errno, "read '%s'", events);
        }
        if (strstr(text, "frozen 1")) {
            return 0;
        }
        struct pollfd wait = {.fd = fd, .events = POLLPRI};
        if (poll(&wait, 1, deadline_left_ms(deadline_ns)) == 0) {
            return ct_refuse(err, CT_TIMEOUT, "wait until all processes are frozen");
        }
    }
}

/* v1 has no event: FREEZING becomes FROZEN some time, and a write helps it along. */
static int freeze_v1(const struct cgroup *cgroup, bool freeze, int64_t deadline_ns,
                     struct ct_error *err)
{
    const struct cgroup_hierarchy *freezer = cgroup_find(cgroup, "freezer");
    const char *wanted = freeze ? "FROZEN" : "THAWED";

    if (!freezer) {
        return ct_refuse(err, CT_UNSUPPORTED, "freeze: the kernel has no freezer");
    }
    CT_AUTO_FREE char *path = cgroup_path(cgroup, freezer, "freezer.state");
    do {
        if (write_file(path, wanted, err) < 0) {
            return -1;
        }
        if (!freeze || file_says(path, wanted)) {
            return 0;
        }
        sleep_ms(1);
    } while (deadline_left_ms(deadline_ns) != 0);
    return ct_refuse(err, CT_TIMEOUT, "wait until all processes are frozen");
}

/*
 * We write the file ourselves instead of running lxc-freeze: that is the same write, after a
 * process start and a question to lxc-start, which would take some ten milliseconds.
 */
int cgroup_freeze(const struct cgroup *cgroup, bool freeze, int timeout_ms, struct ct_error *err)
{
    const struct cgroup_hierarchy *unified = cgroup_unified(cgroup);
    int64_t deadline_ns = deadline_in_ms(timeout_ms);

    return unified ? freeze_v2(cgroup, unified, freeze, deadline_ns, err)
                   : freeze_v1(cgroup, freeze, deadline_ns, err);
}

/* ---- processes ------------------------------------------------------------------------------ */

struct pid_list {
    pid_t *pids;
    size_t n, room;
};

static int add_pid(struct pid_list *list, long pid)
{
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 32;
        pid_t *longer = room > MAX_PIDS ? NULL : realloc(list->pids, room * sizeof(*longer));
        if (!longer) {
            return -1;
        }
        list->pids = longer;
        list->room = room;
    }
    list->pids[list->n++] = (pid_t)pid;
    return 0;
}

static int list_group(int dir_fd, int depth, struct pid_list *list);

static int list_children(int dir_fd, int depth, struct pid_list *list)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    int result = 0;

    if (!dir) {
        ct_cleanup_close(&copy);
        return errno == ENOENT ? 0 : -1;
    }
    for (struct dirent *e = readdir(dir); e && result == 0; e = readdir(dir)) {
        if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        CT_AUTO_CLOSE int child = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        result = child < 0 ? 0 : list_group(child, depth + 1, list); /* gone meanwhile: fine */
    }
    return result;
}

static int list_group(int dir_fd, int depth, struct pid_list *list)
{
    int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    CT_AUTO_FILE FILE *procs = fd < 0 ? NULL : fdopen(fd, "r");
    long pid = 0;

    if (!procs) {
        ct_cleanup_close(&fd);
        return errno == ENOENT || errno == ENODEV ? 0 : -1;
    }
    while (fscanf(procs, "%ld", &pid) == 1) { /* NOLINT(cert-err34-c): the kernel wrote it */
        /* 0 is a process that our own PID namespace cannot see. */
        if (pid > 0 && add_pid(list, pid) < 0) {
            return -1;
        }
    }
    return depth < MAX_DEPTH ? list_children(dir_fd, depth, list) : 0;
}

ssize_t cgroup_pids(const struct cgroup *cgroup, pid_t **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *path = cgroup_path(cgroup, listing(cgroup), "");
    CT_AUTO_CLOSE int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct pid_list list = {0};

    if (dir_fd < 0) {
        return ct_fail(err, errno, "open the group '%s'", path);
    }
    if (list_group(dir_fd, 0, &list) < 0) {
        int failure = errno;
        free(list.pids);
        return ct_fail(err, failure, "list the processes in '%s'", path);
    }
    *ret = list.pids;
    return (ssize_t)list.n;
}

/* Kernels before 5.14: signal all, and again until no new one has been made meanwhile. */
static int kill_one_by_one(const struct cgroup *cgroup, struct ct_error *err)
{
    for (int round = 0; round < 100; round++) {
        CT_AUTO_FREE pid_t *pids = NULL;
        ssize_t n = cgroup_pids(cgroup, &pids, err);
        if (n < 0 && err->kind == CT_NOT_FOUND) {
            ct_error_clear(err); /* LXC has removed the group: its last process is gone */
            return 0;
        }
        if (n <= 0) {
            return (int)n;
        }
        for (ssize_t i = 0; pids && i < n; i++) {
            (void)kill(pids[i], SIGKILL); /* gone already: that is what we want */
        }
        sleep_ms(2);
    }
    return ct_refuse(err, CT_TIMEOUT, "kill all processes: new ones are made faster than they die");
}

int cgroup_kill(const struct cgroup *cgroup, struct ct_error *err)
{
    const struct cgroup_hierarchy *unified = cgroup_unified(cgroup);
    struct ct_error ignored = {0};

    if (unified) {
        CT_AUTO_FREE char *path = cgroup_path(cgroup, unified, "cgroup.kill");
        if (access(path, F_OK) == 0) {
            return write_file(path, "1", err); /* at once, also what is frozen */
        }
    }
    int result = kill_one_by_one(cgroup, err);
    /* A frozen process of v1 dies only when it thaws. */
    (void)cgroup_freeze(cgroup, false, 100, &ignored);
    return result;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* rmdir(2) from the leaves up: files of a group go with it. Returns 0 when path is gone. */
static int remove_group(int parent_fd, const char *name, int depth)
{
    CT_AUTO_CLOSE int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int copy = fd < 0 ? -1 : dup(fd);
    CT_AUTO_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    for (struct dirent *e = dir ? readdir(dir) : NULL; e && depth < MAX_DEPTH; e = readdir(dir)) {
        if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            (void)remove_group(fd, e->d_name, depth + 1); /* rmdir below tells if it mattered */
        }
    }
    return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int cgroup_remove(const struct cgroup *cgroup, struct ct_error *err)
{
    int result = 0;

    for (size_t i = 0; i < cgroup->n; i++) {
        const char *base = cgroup->hierarchies[i].base;
        CT_AUTO_CLOSE int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int failure = 0;
        /* A process that was killed just now still counts for a moment (EBUSY). */
        for (int round = 0; fd >= 0 && round < 200; round++) {
            failure = remove_group(fd, cgroup->name, 0) == 0 ? 0 : errno;
            if (failure != EBUSY && failure != ENOTEMPTY) {
                break;
            }
            sleep_ms(5);
        }
        if (failure && failure != EROFS) {
            result = ct_fail(err, failure, "remove the group '%s/%s'", base, cgroup->name);
        }
    }
    return result;
}
