/*
 * test_lc_cgroups.c - control groups with real processes, on whichever layout the machine has.
 *
 * Needs root. Every group is below a name of this process's own, absolute, at the top of each
 * hierarchy; the end of the program looks for what is left.
 */
#define CT_LAYER "test"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char name[64];            /* "/cutaway-test-PID": of this test's group */
static struct lc_cgroup *cgroup; /* one that is not made yet */
static enum lc_cgroup_layout layout;
static struct ct_error err;

static bool is_root(void)
{
    return geteuid() == 0;
}

static int make_name(void **state)
{
    (void)state;
    (void)snprintf(name, sizeof(name), "/cutaway-test-%d", (int)getpid());
    err = (struct ct_error){0};
    if (is_root()) {
        cgroup = lc_cgroup_new(name, "id", false, &err);
        return cgroup ? lc_cgroup_layout(&layout, &err) : -1;
    }
    return 0;
}

static void need_root(void)
{
    if (!is_root()) {
        skip();
    }
}

static char *in_hierarchy(const char *mount_point, const char *path)
{
    return ct_printf("%s/%s", mount_point, path + strspn(path, "/"));
}

static bool exists(const char *mount_point, const char *path)
{
    CT_AUTO_FREE char *full = in_hierarchy(mount_point, path);
    return access(full, F_OK) == 0;
}

/* In how many hierarchies there is such a group. */
static size_t count_groups(const char *path)
{
    const struct lc_machine *machine = lc_machine_get(false, &err);
    size_t n = 0;

    for (size_t i = 0; i < machine->n; i++) {
        n += exists(machine->list[i].mount_point, path);
    }
    return n;
}

static int clean_up(void **state)
{
    (void)state;
    if (is_root()) {
        struct ct_error failure = {0};
        struct lc_cgroup *all = lc_cgroup_new(name, "id", false, &failure);
        size_t left = all && lc_cgroup_remove(all, &failure) == 0 ? count_groups(name) : 1;
        lc_cgroup_free(all);
        lc_cgroup_free(cgroup);
        cgroup = NULL;
        if (left) {
            char line[512];
            print_error("left behind: %s\n", ct_error_render(&failure, line, sizeof(line)));
        }
        return left ? -1 : 0;
    }
    return 0;
}

/* ---- processes ------------------------------------------------------------------------------ */

struct child {
    pid_t pid;
    int pidfd;
    int to, from; /* a byte sent comes back as long as it runs */
};

/* A process that waits for bytes and sends them back; it ends with its pipe. */
static struct child start_child(void)
{
    struct child child = {.pidfd = -1};
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    child.pid = fork();
    if (child.pid == 0) {
        char byte = 0;
        (void)close(in[1]);
        (void)close(out[0]);
        while (read(in[0], &byte, 1) == 1 && write(out[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    assert_true(child.pid > 0);
    (void)close(in[0]);
    (void)close(out[1]);
    child.to = in[1];
    child.from = out[0];
    child.pidfd = ct_pidfd_open(child.pid, &err);
    assert_true(child.pidfd >= 0);
    return child;
}

static bool answers(struct child *child)
{
    char byte = 'x';
    return write(child->to, &byte, 1) == 1 && read(child->from, &byte, 1) == 1;
}

/* Waits for its end; the signal that ended it, or 0. */
static int end_of(struct child *child)
{
    int status = 0;

    (void)close(child->to);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    (void)close(child->from);
    (void)close(child->pidfd);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static struct child start_inside(const char *sub)
{
    struct child child = start_child();
    assert_int_equal(lc_cgroup_enter(cgroup, child.pid, sub, &err), 0);
    return child;
}

/* Runs body in a process of its own, which may change what it likes. Its result. */
static int in_child(int (*body)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* The first line of a file in the container's group of this controller. Owned. */
static char *file_of(const char *controller, const char *file)
{
    struct lc_group *group = lc_cgroup_of(cgroup, controller);
    assert_non_null(group);
    char *text = lc_group_read(group, group->path, file, &err);
    assert_non_null(text);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void assert_file(const char *controller, const char *file, const char *expected)
{
    CT_AUTO_FREE char *text = file_of(controller, file);
    assert_string_equal(text, expected);
}

static bool has_file(const char *controller, const char *file)
{
    struct lc_group *group = lc_cgroup_of(cgroup, controller);
    uint64_t ignored = 0;
    return group && lc_group_number(group, file, &ignored);
}

static int set(const char *text)
{
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), &err);
    struct lc_resources resources;
    struct pool pool = {0};

    assert_non_null(document);
    assert_int_equal(lc_resources_parse(document, &pool, &resources, &err), 0);
    err = (struct ct_error){0};
    int result = lc_cgroup_set(cgroup, &resources, &err);
    pool_done(&pool);
    return result;
}

/* ---- making --------------------------------------------------------------------------------- */

static void a_container_has_a_group_in_every_hierarchy(void **state)
{
    const char *mount_point = NULL, *path = NULL;
    size_t n = 0;
    (void)state;
    need_root();

    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);

    CT_AUTO_FREE char *proc = ct_printf("/proc/%d/cgroup", (int)child.pid);
    CT_AUTO_FREE char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, proc, 65536, &text, &err) > 0);
    for (; lc_cgroup_hierarchy(cgroup, n, &mount_point, &path); n++) {
        assert_true(exists(mount_point, path));
        assert_string_equal(path, name + 1);
    }
    assert_true(n >= 1);
    char *at = text;
    for (size_t i = 0; i < n; i++) {
        at = strstr(at, name);
        assert_non_null(at);
        at++;
    }
    assert_int_equal(end_of(&child), 0);
    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);
    assert_int_equal(count_groups(name), 0);
    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0); /* what is gone is no error */
}

/* Born in the group of v2, and into the others by itself: in how many lines of /proc/self/cgroup
 * our name is. */
static int be_born_inside(void)
{
    CT_AUTO_FREE char *text = NULL;
    int n = 0;

    if (lc_cgroup_enter_self(cgroup, &err) < 0 ||
        ct_read_file_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &err) < 0) {
        return 200;
    }
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++) {
        n++;
    }
    return n;
}

static void a_process_can_be_born_inside(void **state)
{
    int status = 0;
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    int fd = lc_cgroup_fd(cgroup);
    assert_true((fd >= 0) == (lc_cgroup_unified(cgroup) != NULL));
    struct clone_args args = {.flags = fd >= 0 ? CLONE_INTO_CGROUP : 0,
                              .cgroup = (unsigned long long)(fd >= 0 ? fd : 0),
                              .exit_signal = SIGCHLD};

    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        _exit(be_born_inside());
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), cgroup->n);
}

static void without_a_path_it_is_the_id_at_the_top(void **state)
{
    const char *mount_point = NULL, *path = NULL;
    (void)state;
    need_root();

    struct lc_cgroup *other = lc_cgroup_new(NULL, "some.id", false, &err);
    assert_true(lc_cgroup_hierarchy(other, 0, &mount_point, &path));
    assert_string_equal(path, "some.id");
    lc_cgroup_free(other);
}

static void a_group_with_processes_is_not_taken(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    struct lc_cgroup *other = lc_cgroup_new(name, "id", false, &err);
    size_t before = count_groups(name);

    assert_int_equal(lc_cgroup_create(other, &err), -1);

    assert_int_equal(err.kind, CT_EXISTS);
    assert_string_equal(err.frame[0].layer, "cgroup");
    assert_non_null(strstr(err.frame[0].what, "it is there and has processes"));
    assert_int_equal(count_groups(name), before);
    assert_true(answers(&child));
    lc_cgroup_free(other);
    assert_int_equal(end_of(&child), 0);
}

/* A creation that was killed leaves empty groups, and a pause may have frozen them. */
static void an_empty_group_is_taken_and_thawed(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    assert_int_equal(lc_cgroup_freeze(cgroup, true, &err), 0);
    lc_cgroup_free(cgroup);

    cgroup = lc_cgroup_new(name, "id", false, &err);
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    struct child child = start_inside(NULL);
    assert_true(answers(&child));
    assert_int_equal(end_of(&child), 0);
}

static void a_creation_that_fails_leaves_nothing(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *path = ct_printf("%s/a/cgroup.procs", name);
    struct lc_cgroup *other = lc_cgroup_new(path, "id", false, &err);

    assert_int_equal(lc_cgroup_create(other, &err), -1);

    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(count_groups(name), 0);
    lc_cgroup_free(other);
}

static void a_creation_that_fails_in_the_last_hierarchy_leaves_nothing_in_others(void **state)
{
    const struct lc_machine *machine = NULL;
    (void)state;
    need_root();
    machine = lc_machine_get(false, &err);
    CT_AUTO_FREE char *last = in_hierarchy(machine->list[machine->n - 1].mount_point, name);
    CT_AUTO_FREE char *procs = ct_join(last, "cgroup.procs");
    struct child child = start_child();
    CT_AUTO_FREE char *pid = ct_printf("%d", (int)child.pid);
    assert_int_equal(mkdir(last, 0755), 0);
    CT_AUTO_CLOSE int fd = open(procs, O_WRONLY | O_CLOEXEC);
    assert_true(write(fd, pid, strlen(pid)) > 0);

    assert_int_equal(lc_cgroup_create(cgroup, &err), -1);

    assert_int_equal(err.kind, CT_EXISTS);
    assert_int_equal(count_groups(name), 1);
    assert_true(answers(&child));
    assert_int_equal(end_of(&child), 0);
}

static void groups_above_are_made_and_stay(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *path = ct_printf("%s/a/b", name);
    CT_AUTO_FREE char *above = ct_printf("%s/a", name);
    lc_cgroup_free(cgroup);
    cgroup = lc_cgroup_new(path, "id", false, &err);
    size_t n = lc_machine_get(false, &err)->n;

    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL); /* v1: cpuset has processors on all levels */

    assert_int_equal(count_groups(path), n);
    assert_int_equal(end_of(&child), 0);
    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);
    assert_int_equal(count_groups(path), 0);
    assert_int_equal(count_groups(above), n);
}

static void paths_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = {"/a/../b", "..", "/", "", "/.", "/a\nb"};
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = (struct ct_error){0};
        assert_null(lc_cgroup_new(bad[i], "id", false, &err));
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "linux.cgroupsPath"));
    }
}

/* The caller moves into a group of ours first, so that nothing is made below anybody else's. */
static int place_relatively(void)
{
    struct lc_cgroup *relative = NULL;
    CT_AUTO_FREE char *expected =
        ct_printf("%s/%s", name + 1, layout == LC_CGROUP_V2 ? "below" : "me/below");
    const char *mount_point = NULL, *path = NULL;

    if (lc_cgroup_enter(cgroup, getpid(), "me", &err) < 0 ||
        !(relative = lc_cgroup_new("below", "id", false, &err)) ||
        lc_cgroup_create(relative, &err) < 0) {
        return 1;
    }
    for (size_t i = 0; lc_cgroup_hierarchy(relative, i, &mount_point, &path); i++) {
        if (strcmp(path, expected) != 0 || !exists(mount_point, path)) {
            return 2;
        }
    }
    return lc_cgroup_remove(relative, &err) == 0 ? 0 : 3;
}

static void a_relative_path_begins_at_our_own_group(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *path = ct_printf("%s/me", name);
    struct lc_cgroup *own = lc_cgroup_new(path, "id", false, &err);
    assert_int_equal(lc_cgroup_create(own, &err), 0);

    assert_int_equal(in_child(place_relatively), 0);
    lc_cgroup_free(own);
}

static int create_with_tmpfs_over_one(void)
{
    const struct lc_machine *machine = lc_machine_get(false, &err);
    const char *last = machine->list[machine->n - 1].mount_point;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", last, "tmpfs", 0, NULL) < 0) {
        return 1;
    }
    if (lc_cgroup_create(cgroup, &err) == 0 || err.kind != CT_UNSUPPORTED ||
        !strstr(err.frame[0].what, "something else is mounted over them")) {
        return 2;
    }
    return count_groups(name) == 0 ? 0 : 3;
}

static void what_is_mounted_over_a_hierarchy_is_not_written_to(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(create_with_tmpfs_over_one), 0);
}

static void a_saved_cgroup_is_found_again(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    CT_AUTO_JSON json_t *saved = lc_cgroup_save(cgroup);
    CT_AUTO_FREE pid_t *pids = NULL;

    struct lc_cgroup *loaded = lc_cgroup_load(saved, &err);

    assert_non_null(loaded);
    CT_AUTO_JSON json_t *again = lc_cgroup_save(loaded);
    assert_true(json_equal(saved, again));
    assert_int_equal(lc_cgroup_pids(loaded, &pids, &err), 1);
    assert_int_equal(pids[0], child.pid);
    assert_int_equal(lc_cgroup_remove(loaded, &err), 0);
    lc_cgroup_free(loaded);
    assert_int_equal(end_of(&child), SIGKILL);
}

static void a_malformed_saved_cgroup_is_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"layout\":\"v3\",\"groups\":[]}",
        "{\"layout\":\"v2\",\"groups\":7}",
        "{\"layout\":\"v2\",\"groups\":[{\"mount\":\"/sys/fs/cgroup\",\"path\":\"a/../..\"}]}",
        "{\"layout\":\"v2\",\"groups\":[{\"mount\":\"relative\",\"path\":\"a\"}]}",
        "{\"layout\":\"v2\",\"groups\":[{\"mount\":\"/sys/fs/cgroup\"}]}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CT_AUTO_JSON json_t *saved = ct_json_parse(bad[i], strlen(bad[i]), &err);
        assert_null(lc_cgroup_load(saved, &err));
        assert_int_equal(err.kind, CT_INVALID);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

static void limits_are_written_as_the_layout_has_them(void **state)
{
    bool v2 = false;
    (void)state;
    need_root();
    v2 = layout == LC_CGROUP_V2;
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    assert_int_equal(set("{\"memory\":{\"limit\":33554432,\"reservation\":16777216},"
                         "\"cpu\":{\"shares\":512,\"quota\":20000,\"period\":50000,\"cpus\":\"0\","
                         "\"mems\":\"0\"},\"pids\":{\"limit\":7}}"),
                     0);

    assert_file("memory", v2 ? "memory.max" : "memory.limit_in_bytes", "33554432");
    assert_file("memory", v2 ? "memory.low" : "memory.soft_limit_in_bytes", "16777216");
    assert_file("pids", "pids.max", "7");
    assert_file("cpuset", "cpuset.cpus", "0");
    if (v2) {
        assert_file("cpu", "cpu.weight", "59");
        assert_file("cpu", "cpu.max", "20000 50000");
    } else {
        assert_file("cpu", "cpu.shares", "512");
        assert_file("cpu", "cpu.cfs_quota_us", "20000");
        assert_file("cpu", "cpu.cfs_period_us", "50000");
    }
}

/* Memory and swap, and quota and period, may each go up or down: no order fits both. */
static void limits_rise_and_fall(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    bool v2 = layout == LC_CGROUP_V2;
    bool swap = has_file("memory", v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");

    assert_int_equal(set("{\"cpu\":{\"quota\":50000,\"period\":100000,\"burst\":50000}}"), 0);
    assert_int_equal(set("{\"cpu\":{\"quota\":10000,\"period\":20000,\"burst\":10000}}"), 0);
    assert_int_equal(set("{\"cpu\":{\"quota\":200000,\"period\":400000,\"burst\":200000}}"), 0);
    assert_file("cpu", v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", "200000");
    if (swap) {
        const char *file = v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
        assert_int_equal(set("{\"memory\":{\"limit\":16777216,\"swap\":33554432}}"), 0);
        assert_int_equal(set("{\"memory\":{\"limit\":67108864,\"swap\":67108864}}"), 0);
        assert_file("memory", file, v2 ? "0" : "67108864");
        assert_int_equal(set("{\"memory\":{\"limit\":8388608,\"swap\":16777216}}"), 0);
        assert_file("memory", file, v2 ? "8388608" : "16777216");
        assert_int_equal(set("{\"memory\":{\"limit\":-1}}"), 0);
        CT_AUTO_FREE char *text = file_of("memory", file);
        assert_true(v2 ? strcmp(text, "max") == 0 : strlen(text) > 15);
    }
}

/* v2 has quota and period in one file. */
static void what_an_update_does_not_name_stays(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    bool v2 = layout == LC_CGROUP_V2;

    assert_int_equal(set("{\"cpu\":{\"quota\":20000,\"period\":50000}}"), 0);
    assert_int_equal(set("{\"cpu\":{\"quota\":30000}}"), 0);
    assert_file("cpu", v2 ? "cpu.max" : "cpu.cfs_period_us", v2 ? "30000 50000" : "50000");
    assert_int_equal(set("{\"cpu\":{\"period\":60000}}"), 0);
    assert_file("cpu", v2 ? "cpu.max" : "cpu.cfs_quota_us", v2 ? "30000 60000" : "30000");
    assert_int_equal(set("{\"cpu\":{\"idle\":1}}"), 0);
    assert_int_equal(set("{\"cpu\":{\"shares\":2048,\"idle\":0}}"), 0);
    assert_file("cpu", v2 ? "cpu.weight" : "cpu.shares", v2 ? "174" : "2048");
}

/* What these controllers need is not on every machine: then the refusal is what is tested. */
static void a_controller_that_is_not_there_is_refused_by_name(void **state)
{
    static const struct {
        const char *controller, *document, *field;
    } cases[] = {
        {"hugetlb", "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}",
         "hugepageLimits"},
        {"net_cls", "{\"network\":{\"classID\":1048577}}", "network.classID"},
        {"net_prio", "{\"network\":{\"priorities\":[{\"name\":\"lo\",\"priority\":3}]}}",
         "network.priorities"},
        {"rdma", "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}}}", "rdma"},
    };
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool v2 = layout == LC_CGROUP_V2;
        if (v2 ? cases[i].controller[0] != 'n'
               : lc_cgroup_of(cgroup, cases[i].controller) != NULL) {
            continue; /* it is there */
        }
        assert_int_equal(set(cases[i].document), -1);
        assert_int_equal(err.kind, CT_UNSUPPORTED);
        assert_non_null(strstr(err.frame[0].what, cases[i].field));
    }
}

static void huge_pages_are_limited_reserved_ones_too(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    bool v2 = layout == LC_CGROUP_V2;
    if (!has_file("hugetlb", v2 ? "hugetlb.2MB.max" : "hugetlb.2MB.limit_in_bytes")) {
        skip();
    }

    assert_int_equal(set("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}"), 0);

    assert_file("hugetlb", v2 ? "hugetlb.2MB.max" : "hugetlb.2MB.limit_in_bytes", "4194304");
    assert_file("hugetlb", v2 ? "hugetlb.2MB.rsvd.max" : "hugetlb.2MB.rsvd.limit_in_bytes",
                "4194304");
    assert_int_equal(set("{\"hugepageLimits\":[{\"pageSize\":\"3MB\",\"limit\":1}]}"), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_non_null(strstr(err.frame[0].what, "this kernel has no 'hugetlb.3MB."));
}

static void the_network_is_classified_on_v1(void **state)
{
    (void)state;
    need_root();
    if (layout == LC_CGROUP_V2 || !lc_cgroup_of(cgroup, "net_cls") ||
        !lc_cgroup_of(cgroup, "net_prio")) {
        skip();
    }
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    assert_int_equal(set("{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"lo\","
                         "\"priority\":3}]}}"),
                     0);

    assert_file("net_cls", "net_cls.classid", "1048577");
    assert_file("net_prio", "net_prio.ifpriomap", "lo 3");
}

static void unified_is_written_as_it_is(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    if (layout != LC_CGROUP_V2) {
        assert_int_equal(set("{\"unified\":{\"memory.high\":\"8388608\"}}"), -1);
        assert_int_equal(err.kind, CT_INVALID);
        return;
    }
    assert_int_equal(set("{\"unified\":{\"memory.high\":\"8388608\",\"pids.max\":\"9\"},"
                         "\"pids\":{\"limit\":5}}"),
                     0);
    assert_file("memory", "memory.high", "8388608");
    assert_file("pids", "pids.max", "9");
    assert_int_equal(set("{\"unified\":{\"nothing.max\":\"1\"}}"), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_non_null(strstr(err.frame[0].what, "no group of controller 'nothing'"));
}

/* A process of the container that touches this much memory, then says so by one byte. */
static struct child start_eater(size_t bytes)
{
    struct child child = {.to = -1};
    int go[2], done[2];

    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    child.pid = fork();
    if (child.pid == 0) {
        char byte = 0;
        (void)close(go[1]);
        (void)!read(go[0], &byte, 1);
        char *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; memory != MAP_FAILED && i < bytes; i += 4096) {
            memory[i] = 1;
        }
        (void)!write(done[1], "x", 1);
        (void)!read(go[0], &byte, 1);
        _exit(0);
    }
    (void)close(go[0]);
    (void)close(done[1]);
    child.to = go[1];
    child.from = done[0];
    child.pidfd = ct_pidfd_open(child.pid, &err);
    assert_int_equal(lc_cgroup_enter(cgroup, child.pid, NULL, &err), 0);
    assert_int_equal(write(child.to, "x", 1), 1);
    return child;
}

static void a_limit_below_what_is_in_use_is_refused_clearly(void **state)
{
    char byte = 0;
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_eater(32u << 20);
    assert_int_equal(read(child.from, &byte, 1), 1);

    assert_int_equal(set("{\"memory\":{\"limit\":4194304,\"checkBeforeUpdate\":true}}"), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_non_null(strstr(err.frame[0].what, "set linux.resources.memory.limit to 4194304: "));
    assert_non_null(strstr(err.frame[0].what, "bytes are in use"));
    assert_null(strstr(err.frame[0].what, "peak")); /* so it was not the kernel that refused */
    if (layout != LC_CGROUP_V2) {                   /* where the kernel itself checks */
        assert_int_equal(set("{\"memory\":{\"limit\":4194304}}"), -1);
        assert_int_equal(err.kind, CT_CONFLICT);
        assert_non_null(strstr(err.frame[0].what, "bytes are in use (peak "));
    }
    assert_int_equal(end_of(&child), 0);
}

static void a_kill_for_memory_is_counted(void **state)
{
    char byte = 0;
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    assert_int_equal(set("{\"memory\":{\"limit\":8388608}}"), 0);
    assert_int_equal(lc_cgroup_oom_kills(cgroup), 0);

    struct child child = start_eater(64u << 20);
    assert_int_equal(read(child.from, &byte, 1), 0);

    assert_int_equal(end_of(&child), SIGKILL);
    assert_int_equal(lc_cgroup_oom_kills(cgroup), 1);
}

/* v2: what people meet who put a container below a group that has processes. */
static void a_group_above_with_processes_is_named_in_the_hint(void **state)
{
    (void)state;
    need_root();
    if (layout != LC_CGROUP_V2) {
        skip();
    }
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    struct lc_cgroup *above = cgroup;
    CT_AUTO_FREE char *path = ct_printf("%s/below", name);
    cgroup = lc_cgroup_new(path, "id", false, &err);
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    assert_int_equal(set("{\"pids\":{\"limit\":7}}"), -1);

    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(
        err.frame[0].what,
        "use linux.resources.pids.limit: the container has no group of controller 'pids'");
    assert_non_null(strstr(err.hint, "has processes itself"));
    assert_non_null(strstr(err.hint, name));
    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);
    lc_cgroup_free(above);
    assert_int_equal(end_of(&child), 0);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void processes_are_listed_with_those_below(void **state)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    CT_AUTO_FREE char *below = ct_printf("%s/with space", name);
    struct lc_cgroup *inner = lc_cgroup_new(below, "id", false, &err);
    struct child first = start_inside(NULL);
    assert_int_equal(lc_cgroup_create(inner, &err), 0);
    struct child second = start_inside("with space");

    assert_int_equal(lc_cgroup_pids(cgroup, &pids, &err), 2);
    assert_true((pids[0] == first.pid && pids[1] == second.pid) ||
                (pids[1] == first.pid && pids[0] == second.pid));
    assert_int_equal(lc_cgroup_kill(cgroup, &err), 0);
    assert_int_equal(end_of(&first), SIGKILL);
    assert_int_equal(end_of(&second), SIGKILL);
    lc_cgroup_free(inner);
}

static void a_group_to_enter_must_be_below(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    assert_int_equal(lc_cgroup_enter(cgroup, getpid(), "../x", &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_int_equal(lc_cgroup_enter(cgroup, getpid(), "missing", &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

static void frozen_processes_wait_until_they_are_thawed(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    assert_false(lc_cgroup_is_frozen(cgroup));

    assert_int_equal(lc_cgroup_freeze(cgroup, true, &err), 0);
    assert_true(lc_cgroup_is_frozen(cgroup));
    assert_int_equal(write(child.to, "x", 1), 1);
    struct pollfd answer = {.fd = child.from, .events = POLLIN};
    assert_int_equal(poll(&answer, 1, 30), 0);

    assert_int_equal(lc_cgroup_freeze(cgroup, false, &err), 0);
    assert_false(lc_cgroup_is_frozen(cgroup));
    assert_int_equal(poll(&answer, 1, -1), 1);
    assert_int_equal(end_of(&child), 0);
}

static void frozen_processes_die_when_they_are_killed(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    assert_int_equal(lc_cgroup_freeze(cgroup, true, &err), 0);

    assert_int_equal(lc_cgroup_kill(cgroup, &err), 0);

    assert_int_equal(end_of(&child), SIGKILL);
}

/* Kernels before 5.14 and machines without v2 have no cgroup.kill. */
static void without_cgroup_kill_each_is_killed(void **state)
{
    (void)state;
    need_root();
    if (layout == LC_CGROUP_V2 || !lc_cgroup_of(cgroup, "freezer")) {
        skip();
    }
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    CT_AUTO_JSON json_t *saved = lc_cgroup_save(cgroup);
    json_t *groups = json_object_get(saved, "groups");
    for (size_t i = json_array_size(groups); i-- > 0;) {
        if (!json_object_get(json_array_get(groups, i), "controllers")) {
            assert_int_equal(json_array_remove(groups, i), 0);
        }
    }
    ct_json_set_string(saved, "layout", "v1");
    struct lc_cgroup *v1 = lc_cgroup_load(saved, &err);
    struct child first = start_inside(NULL), second = start_inside(NULL);

    assert_int_equal(lc_cgroup_freeze(v1, true, &err), 0);
    assert_true(lc_cgroup_is_frozen(v1));
    assert_int_equal(lc_cgroup_kill(v1, &err), 0);

    assert_int_equal(end_of(&first), SIGKILL);
    assert_int_equal(end_of(&second), SIGKILL);
    assert_false(lc_cgroup_is_frozen(v1));
    struct child third = start_inside(NULL);
    assert_int_equal(lc_cgroup_remove(v1, &err), 0);
    assert_int_equal(end_of(&third), SIGKILL);
    lc_cgroup_free(v1);
}

static void a_signal_reaches_all(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child first = start_inside(NULL), second = start_inside(NULL);

    assert_int_equal(lc_cgroup_signal(cgroup, SIGTERM, &err), 0);

    assert_int_equal(end_of(&first), SIGTERM);
    assert_int_equal(end_of(&second), SIGTERM);
    assert_false(lc_cgroup_is_frozen(cgroup));
}

static void a_group_that_is_gone_has_no_processes(void **state)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    (void)state;
    need_root();

    assert_int_equal(lc_cgroup_pids(cgroup, &pids, &err), 0);
    assert_int_equal(lc_cgroup_kill(cgroup, &err), 0);
    assert_false(lc_cgroup_is_frozen(cgroup));
    assert_int_equal(lc_cgroup_oom_kills(cgroup), 0);
}

/* ---- removing ------------------------------------------------------------------------------- */

static void removing_kills_what_is_left(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child first = start_inside(NULL), second = start_inside(NULL);
    assert_int_equal(lc_cgroup_freeze(cgroup, true, &err), 0);

    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);

    assert_int_equal(count_groups(name), 0);
    assert_int_equal(end_of(&first), SIGKILL);
    assert_int_equal(end_of(&second), SIGKILL);
}

/* On hybrid somebody may have moved it, so that cgroup.kill does not find it. */
static void a_process_that_left_the_v2_group_is_found_in_the_others(void **state)
{
    (void)state;
    need_root();
    if (layout != LC_CGROUP_HYBRID) {
        skip();
    }
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child child = start_inside(NULL);
    CT_AUTO_FREE char *pid = ct_printf("%d", (int)child.pid);
    assert_int_equal(lc_group_write(lc_cgroup_unified(cgroup), "", "cgroup.procs", pid, &err), 0);

    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);

    assert_int_equal(end_of(&child), SIGKILL);
}

/* A container that may make groups can nest them and give them any name but one with a newline,
 * which no kernel takes. */
static void groups_that_the_container_made_go_too(void **state)
{
    static const char *const odd[] = {" ", "a b", "-rf", "\t\\\"'*?", "ü\xff"};
    char longer_than_name_max[1001]; /* which this file system takes */
    (void)state;
    need_root();
    memset(longer_than_name_max, 'z', 1000);
    longer_than_name_max[1000] = '\0';
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    for (size_t i = 0; i < cgroup->n; i++) {
        struct lc_group *group = &cgroup->groups[i];
        CT_AUTO_CLOSE int dir_fd =
            lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, &err);
        for (size_t j = 0; j < sizeof(odd) / sizeof(odd[0]); j++) {
            assert_int_equal(mkdirat(dir_fd, odd[j], 0755), 0);
            CT_AUTO_FREE char *below = ct_join(odd[j], "x");
            assert_int_equal(mkdirat(dir_fd, below, 0755), 0);
        }
        CT_AUTO_FREE char *below = ct_join(odd[0], longer_than_name_max);
        assert_int_equal(mkdirat(dir_fd, below, 0755), 0);
    }

    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);
    assert_int_equal(count_groups(name), 0);
}

/* Deeper than a path may be long, and than descriptors may be open. */
static void groups_nested_very_deeply_go_too(void **state)
{
    char component[201];
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct lc_group *group = &cgroup->groups[cgroup->n - 1];
    CT_AUTO_CLOSE int dir_fd = lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, &err);
    memset(component, 'y', sizeof(component) - 1);
    component[sizeof(component) - 1] = '\0';

    for (int i = 0; i < 300; i++) {
        assert_int_equal(mkdirat(dir_fd, component, 0755), 0);
        int next = openat(dir_fd, component, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        (void)close(dir_fd);
        dir_fd = next;
    }

    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);
    assert_int_equal(count_groups(name), 0);
}

/* ---- groups inside -------------------------------------------------------------------------- */

static bool owned_by(const char *file, uid_t uid)
{
    struct lc_group *group = lc_cgroup_unified(cgroup);
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, file, O_PATH, &err);
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == uid;
}

/* What the container may change is its own; its limits are not. */
static void a_group_can_be_given_to_a_user(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);

    assert_int_equal(lc_cgroup_delegate(cgroup, 12345, &err), 0);

    if (layout == LC_CGROUP_V2) {
        assert_true(owned_by("", 12345));
        assert_true(owned_by("cgroup.procs", 12345));
        assert_true(owned_by("cgroup.subtree_control", 12345));
        assert_true(owned_by("memory.max", 0));
    } else if (lc_cgroup_unified(cgroup)) {
        assert_true(owned_by("", 0));
    }
}

/* As systemd does inside: all move down, and controllers are given to what is below. */
static void where_groups_inside_have_controllers_one_enters_beside_the_first_process(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    struct child first = start_inside(NULL);
    CT_AUTO_FREE char *own = lc_cgroup_sub_of(cgroup, first.pid, &err);
    assert_string_equal(own, "");
    if (layout == LC_CGROUP_V2) {
        struct lc_group *group = lc_cgroup_unified(cgroup);
        CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_RDONLY, &err);
        assert_int_equal(mkdirat(fd, "init.scope", 0755), 0);
        assert_int_equal(lc_cgroup_enter(cgroup, first.pid, "init.scope", &err), 0);
        assert_int_equal(
            lc_group_write(group, group->path, "cgroup.subtree_control", "+memory", &err), 0);
        struct child second = start_child();

        assert_int_equal(lc_cgroup_enter(cgroup, second.pid, NULL, &err), -1);
        assert_int_equal(err.sys, EBUSY);
        assert_string_equal(err.hint,
                            "it has groups below it with controllers: enter one of those");
        CT_AUTO_FREE char *sub = lc_cgroup_sub_of(cgroup, first.pid, &err);
        assert_string_equal(sub, "init.scope");
        assert_int_equal(lc_cgroup_enter(cgroup, second.pid, sub, &err), 0);

        assert_null(lc_cgroup_sub_of(cgroup, getpid(), &err));
        assert_int_equal(err.kind, CT_NOT_FOUND);
        assert_int_equal(end_of(&second), 0);
    }
    assert_int_equal(end_of(&first), 0);
}

/* ---- rootless ------------------------------------------------------------------------------- */

static int be_nobody_with_a_container(void)
{
    CT_AUTO_FREE pid_t *pids = NULL;

    if (setgid(65534) < 0 || setuid(65534) < 0) {
        return 1;
    }
    if (lc_cgroup_create(cgroup, &err) == 0 || err.kind != CT_DENIED) {
        return 2; /* without "rootless" it is refused */
    }
    lc_cgroup_free(cgroup);
    err = (struct ct_error){0};
    cgroup = lc_cgroup_new(name, "id", true, &err);
    if (lc_cgroup_create(cgroup, &err) < 0 || lc_cgroup_enter(cgroup, getpid(), NULL, &err) < 0) {
        return 3;
    }
    if (set("{\"devices\":[{\"allow\":false}]}") < 0) {
        return 4;
    }
    if (set("{\"memory\":{\"limit\":8388608}}") == 0 || err.kind != CT_UNSUPPORTED ||
        !strstr(err.frame[0].what, "memory.limit") || !strstr(err.hint, "as root")) {
        return 5;
    }
    if (lc_cgroup_freeze(cgroup, true, &err) == 0 || err.kind != CT_UNSUPPORTED) {
        return 6;
    }
    if (lc_cgroup_pids(cgroup, &pids, &err) >= 0 || err.kind != CT_UNSUPPORTED ||
        lc_cgroup_kill(cgroup, &err) == 0 || lc_cgroup_fd(cgroup) >= 0) {
        return 7;
    }
    return lc_cgroup_remove(cgroup, &err) == 0 ? 0 : 8;
}

static void who_may_not_make_groups_goes_without(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(in_child(be_nobody_with_a_container), 0);
}

/* ---- figures -------------------------------------------------------------------------------- */

static void figures_are_those_of_the_groups(void **state)
{
    char byte = 0;
    (void)state;
    need_root();
    assert_int_equal(lc_cgroup_create(cgroup, &err), 0);
    assert_int_equal(set("{\"memory\":{\"limit\":67108864},\"pids\":{\"limit\":7}}"), 0);
    struct child child = start_eater(16u << 20);
    assert_int_equal(read(child.from, &byte, 1), 1);

    CT_AUTO_JSON json_t *stats = lc_cgroup_stats(cgroup, &err);

    assert_non_null(stats);
    assert_int_equal(ct_json_integer(stats, "pids.current", 0), 1);
    assert_int_equal(ct_json_integer(stats, "pids.limit", 0), 7);
    assert_int_equal(ct_json_integer(stats, "memory.usage.limit", 0), 67108864);
    assert_true(ct_json_integer(stats, "memory.usage.usage", 0) >= 16 << 20);
    assert_true(ct_json_integer(stats, "memory.usage.usage", 0) <= 67108864);
    assert_true(ct_json_integer(stats, "memory.swap.usage", 0) >= 16 << 20);
    assert_true(ct_json_integer(stats, "memory.usage.failcnt", -1) == 0);
    assert_true(ct_json_count(ct_json_get(stats, "memory.raw")) > 10);
    assert_true(ct_json_integer(stats, "cpu.usage.total", 0) > 0);
    assert_true(ct_json_integer(stats, "cpu.usage.kernel", -1) >= 0);
    assert_int_equal(ct_json_integer(stats, "cpuset.cpus", 0), 0);
    assert_true(json_is_array(ct_json_get(stats, "cpuset.cpus")));
    assert_true(json_is_object(ct_json_get(stats, "blkio")));
    assert_true(json_is_object(ct_json_get(stats, "hugetlb")));
    assert_int_equal(end_of(&child), 0);
    assert_int_equal(lc_cgroup_remove(cgroup, &err), 0);

    assert_null(lc_cgroup_stats(cgroup, &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_name, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_container_has_a_group_in_every_hierarchy),
        TEST(a_process_can_be_born_inside),
        TEST(without_a_path_it_is_the_id_at_the_top),
        TEST(a_group_with_processes_is_not_taken),
        TEST(an_empty_group_is_taken_and_thawed),
        TEST(a_creation_that_fails_leaves_nothing),
        TEST(a_creation_that_fails_in_the_last_hierarchy_leaves_nothing_in_others),
        TEST(groups_above_are_made_and_stay),
        TEST(paths_that_lead_elsewhere_are_refused),
        TEST(a_relative_path_begins_at_our_own_group),
        TEST(what_is_mounted_over_a_hierarchy_is_not_written_to),
        TEST(a_saved_cgroup_is_found_again),
        TEST(a_malformed_saved_cgroup_is_refused),
        TEST(limits_are_written_as_the_layout_has_them),
        TEST(limits_rise_and_fall),
        TEST(what_an_update_does_not_name_stays),
        TEST(a_controller_that_is_not_there_is_refused_by_name),
        TEST(huge_pages_are_limited_reserved_ones_too),
        TEST(the_network_is_classified_on_v1),
        TEST(unified_is_written_as_it_is),
        TEST(a_limit_below_what_is_in_use_is_refused_clearly),
        TEST(a_kill_for_memory_is_counted),
        TEST(a_group_above_with_processes_is_named_in_the_hint),
        TEST(processes_are_listed_with_those_below),
        TEST(a_group_to_enter_must_be_below),
        TEST(frozen_processes_wait_until_they_are_thawed),
        TEST(frozen_processes_die_when_they_are_killed),
        TEST(without_cgroup_kill_each_is_killed),
        TEST(a_signal_reaches_all),
        TEST(a_group_that_is_gone_has_no_processes),
        TEST(removing_kills_what_is_left),
        TEST(a_process_that_left_the_v2_group_is_found_in_the_others),
        TEST(groups_that_the_container_made_go_too),
        TEST(groups_nested_very_deeply_go_too),
        TEST(a_group_can_be_given_to_a_user),
        TEST(where_groups_inside_have_controllers_one_enters_beside_the_first_process),
        TEST(who_may_not_make_groups_goes_without),
        TEST(figures_are_those_of_the_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
