/*
 * idmap.c - users and groups of a user namespace: reading the ranges, writing them.
 *
 * Room:       libcontainer.   Called by: see idmap.h.
 * Man:        user_namespaces(7), newuidmap(1), subuid(5).
 */
#define CT_LAYER "idmap"
#include "idmap.h"

#include "cleanup.h"
#include "fields.h"
#include "path.h"
#include "process.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_RANGES 340 /* the kernel's UID_GID_MAP_MAX_EXTENTS */

/* ---- parsing -------------------------------------------------------------------------------- */

/* A number of a range: 32 bits, never truncated (CVE-2024-40635). */
static int parse_number(const json_t *range, const char *where, const char *key, uint32_t *ret,
                        struct ct_error *err)
{
    uint64_t number = 0;

    if (!lc_field_has(range, key)) {
        return lc_field_missing(where, key, err);
    }
    if (lc_field_unsigned(range, where, key, UINT32_MAX, &number, err) < 0) {
        return -1;
    }
    *ret = (uint32_t)number;
    return 0;
}

/* 2^32 - 1 is "no id" and cannot be part of a range. */
static bool wraps(uint32_t first, uint32_t size)
{
    return size > UINT32_MAX - first;
}

static bool overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
    return a < b ? b - a < a_size : a - b < b_size;
}

static int parse_range(const json_t *value, const char *where, struct lc_id_range *ret,
                       struct ct_error *err)
{
    if (lc_field_is_object(value, where, err) < 0 ||
        parse_number(value, where, "containerID", &ret->container, err) < 0 ||
        parse_number(value, where, "hostID", &ret->host, err) < 0 ||
        parse_number(value, where, "size", &ret->size, err) < 0) {
        return -1;
    }
    if (ret->size == 0) {
        return ct_refuse(err, CT_INVALID, "%s.size: it must be at least 1", where);
    }
    if (wraps(ret->container, ret->size) || wraps(ret->host, ret->size)) {
        return ct_refuse(err, CT_INVALID, "%s: it ends behind the last id, %u", where,
                         UINT32_MAX - 1);
    }
    return 0;
}

static int check_overlap(const struct lc_id_range *ranges, size_t n, const char *where,
                         const char *key, struct ct_error *err)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (overlap(ranges[i].container, ranges[i].size, ranges[k].container, ranges[k].size) ||
                overlap(ranges[i].host, ranges[i].size, ranges[k].host, ranges[k].size)) {
                return ct_refuse(err, CT_INVALID, "%s.%s: entries %zu and %zu overlap", where, key,
                                 k, i);
            }
        }
    }
    return 0;
}

static int parse_ranges(const json_t *object, const char *where, const char *key, struct pool *pool,
                        const struct lc_id_range **ret, size_t *ret_n, struct ct_error *err)
{
    const json_t *array = NULL;
    char element[LC_WHERE];

    if (lc_field_array(object, where, key, &array, err) < 0) {
        return -1;
    }
    size_t n = json_array_size(array);
    if (n > MAX_RANGES) {
        return ct_refuse(err, CT_INVALID, "%s.%s: it has %zu entries, the kernel takes %d", where,
                         key, n, MAX_RANGES);
    }
    struct lc_id_range *ranges = pool_array(pool, n, sizeof(*ranges));
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(element, sizeof(element), "%s.%s[%zu]", where, key, i);
        if (parse_range(json_array_get(array, i), element, &ranges[i], err) < 0) {
            return -1;
        }
    }
    *ret = ranges;
    *ret_n = n;
    return check_overlap(ranges, n, where, key, err);
}

int lc_idmap_parse(const json_t *object, const char *where, struct pool *pool, struct lc_idmap *ret,
                   struct ct_error *err)
{
    struct lc_idmap map = {0};

    if (parse_ranges(object, where, "uidMappings", pool, &map.uids, &map.n_uids, err) < 0 ||
        parse_ranges(object, where, "gidMappings", pool, &map.gids, &map.n_gids, err) < 0) {
        return -1;
    }
    if ((map.n_uids == 0) != (map.n_gids == 0)) {
        return ct_refuse(err, CT_INVALID, "%s: uidMappings and gidMappings need each other", where);
    }
    *ret = map;
    return 0;
}

/* ---- looking up ----------------------------------------------------------------------------- */

static uint32_t host_id(const struct lc_id_range *ranges, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (id >= ranges[i].container && id - ranges[i].container < ranges[i].size) {
            return ranges[i].host + (id - ranges[i].container);
        }
    }
    return n == 0 ? id : UINT32_MAX;
}

uid_t lc_idmap_host_uid(const struct lc_idmap *map, uid_t uid)
{
    return host_id(map->uids, map->n_uids, uid);
}

gid_t lc_idmap_host_gid(const struct lc_idmap *map, gid_t gid)
{
    return host_id(map->gids, map->n_gids, gid);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* What differs between users and groups. */
struct kind {
    const char *file;    /* below /proc/PID */
    const char *program; /* set-user-ID, so never searched for */
    const char *allowed; /* where it looks what is allowed */
};
static const struct kind users = {"uid_map", "/usr/bin/newuidmap", "/etc/subuid"};
static const struct kind groups = {"gid_map", "/usr/bin/newgidmap", "/etc/subgid"};

/* Lines of "container host size", as the kernel takes them. Owned. */
static char *map_text(const struct lc_id_range *ranges, size_t n)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(out, "%u %u %u\n", ranges[i].container, ranges[i].host, ranges[i].size);
    }
    if (fclose(out) != 0) {
        abort(); /* memory is out: half a map must not be written */
    }
    return text;
}

static int write_file(int procfs_fd, pid_t pid, const char *name, const char *text,
                      struct ct_error *err)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
    return lc_procfs_write(procfs_fd, path, text, err);
}

/* newuidmap PID CONTAINER HOST SIZE …: maps what /etc/subuid gives us. */
static int run_program(const struct kind *kind, pid_t pid, const struct lc_id_range *ranges,
                       size_t n, struct ct_error *err)
{
    struct pool pool = {0};
    const char **argv = pool_array(&pool, 2 + 3 * n + 1, sizeof(*argv));
    CT_AUTO_FREE char *output = NULL;
    size_t argc = 0;
    int status = 0;

    argv[argc++] = kind->program;
    argv[argc++] = pool_keep(&pool, ct_printf("%d", (int)pid));
    for (size_t i = 0; i < n; i++) {
        argv[argc++] = pool_keep(&pool, ct_printf("%u", ranges[i].container));
        argv[argc++] = pool_keep(&pool, ct_printf("%u", ranges[i].host));
        argv[argc++] = pool_keep(&pool, ct_printf("%u", ranges[i].size));
    }
    int result = ct_process_run(argv, 10000, 256, &output, &status, err);
    pool_done(&pool);
    if (result < 0) {
        return err->kind == CT_NO_PROGRAM
                   ? ct_hint(err, "install uidmap: without it a user can map only his own id")
                   : -1;
    }
    if (ct_exit_code(status) != 0) {
        output[strcspn(output, "\n")] = '\0';
        (void)ct_refuse(err, CT_DENIED, "map ids by %s: %s", kind->program, output);
        return ct_hint(err, "%s must give this user the ids", kind->allowed);
    }
    return 0;
}

/* The kernel wants rights that we do not have: CAP_SETUID or CAP_SETGID where the namespace was
 * made, and CAP_SETFCAP for a map of root. */
static bool needs_help(const struct ct_error *err)
{
    return err->sys == EPERM;
}

/* One line of our own id may be written by everybody. */
static bool is_own(const struct lc_id_range *ranges, size_t n, uint32_t id)
{
    return n == 1 && ranges[0].size == 1 && ranges[0].host == id;
}

static int write_users(int procfs_fd, pid_t pid, const struct lc_idmap *map, struct ct_error *err)
{
    CT_AUTO_FREE char *text = map_text(map->uids, map->n_uids);

    if (write_file(procfs_fd, pid, users.file, text, err) == 0) {
        return 0;
    }
    if (!needs_help(err) || is_own(map->uids, map->n_uids, geteuid())) {
        return -1;
    }
    ct_error_clear(err);
    return run_program(&users, pid, map->uids, map->n_uids, err);
}

/*
 * A group may have fewer rights than everybody else; who could leave it by setgroups(2) would gain
 * them. So a map of one's own group alone wants setgroups denied for ever.
 */
static int write_groups(int procfs_fd, pid_t pid, const struct lc_idmap *map, struct ct_error *err)
{
    CT_AUTO_FREE char *text = map_text(map->gids, map->n_gids);

    if (write_file(procfs_fd, pid, groups.file, text, err) == 0) {
        return 0;
    }
    if (!needs_help(err)) {
        return -1;
    }
    ct_error_clear(err);
    if (is_own(map->gids, map->n_gids, getegid())) {
        return write_file(procfs_fd, pid, "setgroups", "deny", err) < 0
                   ? -1
                   : write_file(procfs_fd, pid, groups.file, text, err);
    }
    return run_program(&groups, pid, map->gids, map->n_gids, err);
}

static int write_both(int procfs_fd, pid_t pid, const struct lc_idmap *map, struct ct_error *err)
{
    if (write_users(procfs_fd, pid, map, err) < 0 || write_groups(procfs_fd, pid, map, err) < 0) {
        return ct_while(err, "map the ids of process %d", (int)pid);
    }
    return 0;
}

int lc_idmap_write(pid_t pid, const struct lc_idmap *map, struct ct_error *err)
{
    CT_AUTO_CLOSE int procfs_fd = lc_procfs_open(err);

    return procfs_fd < 0 ? -1 : write_both(procfs_fd, pid, map, err);
}

/* ---- a namespace without processes ---------------------------------------------------------- */

/* A child in a new user namespace that ends when the other side of the pipe is closed: by us, or by
 * our death. It ends without SIGCHLD, which would be no business of the caller's loop. */
static pid_t start_holder(const int pipe_fds[2])
{
    struct clone_args args = {.flags = CLONE_NEWUSER};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0) {
        char byte;
        (void)close(pipe_fds[1]); /* its own copy would keep the pipe open */
        (void)!read(pipe_fds[0], &byte, 1);
        _exit(0);
    }
    return pid;
}

/* The namespace itself is behind a magic link, which lc_procfs_openat() refuses: so its directory
 * is opened, and what the link leads to is looked at. */
static int open_userns(int procfs_fd, pid_t pid, struct ct_error *err)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "%d/ns", (int)pid);
    CT_AUTO_CLOSE int directory = lc_procfs_openat(procfs_fd, path, O_PATH | O_DIRECTORY, err);
    if (directory < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int fd = openat(directory, "user", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ct_fail(err, errno, "open '/proc/%s/user'", path);
    }
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWUSER) {
        return ct_refuse(err, CT_DENIED, "open '/proc/%s/user': it is no user namespace", path);
    }
    return ct_steal_fd(&fd);
}

int lc_idmap_userns(const struct lc_idmap *map, struct ct_error *err)
{
    CT_AUTO_CLOSE int procfs_fd = lc_procfs_open(err);
    int pipe_fds[2];

    if (procfs_fd < 0) {
        return -1;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    int fd = -1;
    pid_t holder = start_holder(pipe_fds);
    if (holder < 0) {
        (void)ct_fail(err, errno, "make a user namespace");
    } else if (write_both(procfs_fd, holder, map, err) == 0) {
        fd = open_userns(procfs_fd, holder, err);
    }
    ct_cleanup_close(&pipe_fds[0]);
    ct_cleanup_close(&pipe_fds[1]);
    if (holder > 0) {
        (void)waitpid(holder, NULL, __WALL); /* it has nothing to say */
    }
    return fd;
}
