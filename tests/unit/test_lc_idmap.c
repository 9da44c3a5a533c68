/*
 * test_lc_idmap.c - users and groups of a user namespace: what is refused, and what the kernel says
 * of a process whose namespace was mapped, by root and by others.
 */
#define CT_LAYER "test"
#include "idmap.h"

#include "cleanup.h"
#include "file.h"
#include "in_child.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static int parse(const char *text, struct pool *pool, struct lc_idmap *ret, struct ct_error *err)
{
    json_t *document = ct_json_parse(text, strlen(text), err);

    assert_non_null(document);
    int result = lc_idmap_parse(document, "linux", pool, ret, err);
    json_decref(document); /* nothing of it is borrowed: all are numbers */
    return result;
}

/* {"uidMappings":[UIDS],"gidMappings":[{0 -> 1000, 1}]} */
#define WITH_UIDS(uids)            \
    "{\"uidMappings\":[" uids "]," \
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}]}"
#define RANGE(container, host, size) \
    "{\"containerID\":" #container ",\"hostID\":" #host ",\"size\":" #size "}"

/* ---- parsing -------------------------------------------------------------------------------- */

static void ranges_are_read(void **state)
{
    (void)state;
    struct pool pool = {0};
    struct lc_idmap map = {0};
    struct ct_error err = {0};

    assert_int_equal(parse(WITH_UIDS(RANGE(0, 100000, 65536) "," RANGE(70000, 4294967294, 1)),
                           &pool, &map, &err),
                     0);

    assert_int_equal(map.n_uids, 2);
    assert_int_equal(map.uids[0].host, 100000);
    assert_int_equal(map.uids[0].size, 65536);
    assert_int_equal(map.uids[1].host, 4294967294);
    assert_int_equal(map.n_gids, 1);
    pool_done(&pool);
}

static void wrong_ranges_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        {WITH_UIDS(RANGE(0, 4294967296, 1)), "linux.uidMappings[0].hostID: it must be a whole "
                                             "number from 0 to 4294967295"},
        {WITH_UIDS(RANGE(0, -1, 1)),
         "linux.uidMappings[0].hostID: it must be a whole number from 0 "
         "to 4294967295"},
        {WITH_UIDS(RANGE(0, "7", 1)), "linux.uidMappings[0].hostID: it must be a whole number from "
                                      "0 to 4294967295"},
        {WITH_UIDS(RANGE(0, 1000, 4294967297)), "linux.uidMappings[0].size: it must be a whole "
                                                "number from 0 to 4294967295"},
        {WITH_UIDS(RANGE(0, 1000, 0)), "linux.uidMappings[0].size: it must be at least 1"},
        {WITH_UIDS(RANGE(0, 4294967295, 1)), "linux.uidMappings[0]: it ends behind the last id, "
                                             "4294967294"},
        {WITH_UIDS(RANGE(4294967290, 0, 10)), "linux.uidMappings[0]: it ends behind the last id, "
                                              "4294967294"},
        {WITH_UIDS(RANGE(0, 1000, 10) "," RANGE(9, 2000, 1)),
         "linux.uidMappings: entries 0 and 1 overlap"},
        {WITH_UIDS(RANGE(20, 1005, 10) "," RANGE(0, 1000, 6)),
         "linux.uidMappings: entries 0 and 1 overlap"},
        {WITH_UIDS("{\"containerID\":0,\"size\":1}"),
         "linux.uidMappings[0].hostID: it must be there"},
        {WITH_UIDS("7"), "linux.uidMappings[0]: it must be an object"},
        {WITH_UIDS(""), "linux: uidMappings and gidMappings need each other"},
        {"{\"uidMappings\":7}", "linux.uidMappings: it must be an array"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pool pool = {0};
        struct lc_idmap map = {0};
        struct ct_error err = {0};
        assert_int_equal(parse(table[i].text, &pool, &map, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, table[i].what);
        pool_done(&pool);
    }
}

static void there_are_no_more_ranges_than_the_kernel_takes(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *ranges = json_array();
    CT_AUTO_JSON json_t *document =
        json_pack("{s:O,s:O}", "uidMappings", ranges, "gidMappings", ranges);
    struct pool pool = {0};
    struct lc_idmap map = {0};
    struct ct_error err = {0};

    for (int i = 0; i < 340; i++) {
        ct_json_append(ranges,
                       json_pack("{s:i,s:i,s:i}", "containerID", i, "hostID", i, "size", 1));
    }
    assert_int_equal(lc_idmap_parse(document, "linux", &pool, &map, &err), 0);

    ct_json_append(ranges,
                   json_pack("{s:i,s:i,s:i}", "containerID", 340, "hostID", 340, "size", 1));
    assert_int_equal(lc_idmap_parse(document, "linux", &pool, &map, &err), -1);
    assert_string_equal(err.frame[0].what,
                        "linux.uidMappings: it has 341 entries, the kernel takes 340");
    pool_done(&pool);
}

static void ids_are_looked_up(void **state)
{
    (void)state;
    static const struct lc_id_range ranges[] = {{0, 100000, 1000}, {5000, 7, 1}};
    const struct lc_idmap map = {ranges, ranges, 2, 1};
    const struct lc_idmap none = {0};

    assert_int_equal(lc_idmap_host_uid(&map, 0), 100000);
    assert_int_equal(lc_idmap_host_uid(&map, 999), 100999);
    assert_int_equal(lc_idmap_host_uid(&map, 1000), (uid_t)-1);
    assert_int_equal(lc_idmap_host_uid(&map, 5000), 7);
    assert_int_equal(lc_idmap_host_gid(&map, 5000), (gid_t)-1);
    assert_int_equal(lc_idmap_host_uid(&none, 42), 42);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* A process in a user namespace of its own, for a CHILD_CHECK process. */
struct target {
    pid_t pid;
    int pipe_fds[2]; /* it ends when this is closed */
};

static struct target start_target(void)
{
    struct target target;
    int ready[2];
    char byte = 0;

    CHILD_CHECK(pipe2(target.pipe_fds, O_CLOEXEC) == 0 && pipe2(ready, O_CLOEXEC) == 0);
    target.pid = fork();
    if (target.pid == 0) {
        (void)close(target.pipe_fds[1]);
        CHILD_CHECK(unshare(CLONE_NEWUSER) == 0);
        CHILD_CHECK(write(ready[1], &byte, 1) == 1);
        (void)!read(target.pipe_fds[0], &byte, 1);
        _exit(0);
    }
    (void)close(ready[1]);
    CHILD_CHECK(read(ready[0], &byte, 1) == 1);
    (void)close(ready[0]);
    return target;
}

static void end_target(const struct target *target)
{
    (void)close(target->pipe_fds[0]);
    (void)close(target->pipe_fds[1]);
    CHILD_CHECK(waitpid(target->pid, NULL, 0) == target->pid);
}

/* A file of the process, with its blanks made single ones. Static. */
static const char *file_of(pid_t pid, const char *name)
{
    static char squeezed[512];
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/%s", (int)pid, name);
    CT_AUTO_FREE char *text = NULL;
    struct ct_error err = {0};
    size_t length = 0;

    CHILD_DO(ct_read_file_at(AT_FDCWD, path, sizeof(squeezed) - 1, &text, &err), &err);
    for (const char *c = text; *c; c++) {
        if (*c != ' ' ||
            (length > 0 && squeezed[length - 1] != ' ' && squeezed[length - 1] != '\n')) {
            squeezed[length++] = *c;
        }
    }
    squeezed[length] = '\0';
    return squeezed;
}

static const struct lc_id_range wide[] = {{0, 100000, 65536}, {70000, 5, 1}};
static const struct lc_idmap wide_map = {wide, wide, 2, 1};

static void map_as_root(void *context)
{
    struct ct_error err = {0};
    struct target target = start_target();
    (void)context;

    CHILD_DO(lc_idmap_write(target.pid, &wide_map, &err), &err);
    CHILD_CHECK(strcmp(file_of(target.pid, "uid_map"), "0 100000 65536\n70000 5 1\n") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "gid_map"), "0 100000 65536\n") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "setgroups"), "allow\n") == 0);
    CHILD_CHECK(lc_idmap_write(target.pid, &wide_map, &err) == -1); /* once and for all */
    end_target(&target);
}

static void root_maps_freely(void **state)
{
    (void)state;

    assert_int_equal(in_child(map_as_root, NULL), 0);
}

static void become_user(void)
{
    CHILD_CHECK(setgroups(0, NULL) == 0);
    CHILD_CHECK(setresgid(4711, 4711, 4711) == 0 && setresuid(4711, 4711, 4711) == 0);
    /* As a program that this user has started: its files in /proc are his, too. */
    CHILD_CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static void map_own_id(void *context)
{
    static const struct lc_id_range own[] = {{0, 4711, 1}};
    static const struct lc_idmap map = {own, own, 1, 1};
    struct ct_error err = {0};
    (void)context;

    become_user();
    struct target target = start_target();
    CHILD_DO(lc_idmap_write(target.pid, &map, &err), &err);
    CHILD_CHECK(strcmp(file_of(target.pid, "uid_map"), "0 4711 1\n") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "gid_map"), "0 4711 1\n") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "setgroups"), "deny\n") == 0);
    end_target(&target);
}

static void a_user_maps_his_own_id_and_loses_setgroups(void **state)
{
    (void)state;

    assert_int_equal(in_child(map_own_id, NULL), 0);
}

/* The machine's own files stay as they are: these stand over them, for this child. */
static void give_subordinate_ids(void)
{
    static const char *const files[][2] = {
        {"/etc/passwd", "root:x:0:0::/:/bin/sh\nfour:x:4711:4711::/:/bin/sh\n"},
        {"/etc/subuid", "four:100000:65536\n"},
        {"/etc/subgid", "four:100000:65536\n"},
    };

    CHILD_CHECK(unshare(CLONE_NEWNS) == 0);
    CHILD_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_CHECK(mount("files", "/mnt", "tmpfs", 0, NULL) == 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        int fd = open("/mnt/file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        CHILD_CHECK(ct_write_all(fd, files[i][1], strlen(files[i][1])) == 0 && close(fd) == 0);
        CHILD_CHECK(mount("/mnt/file", files[i][0], NULL, MS_BIND, NULL) == 0);
        CHILD_CHECK(unlink("/mnt/file") == 0);
    }
}

static void map_subordinate_ids(void *context)
{
    static const struct lc_id_range ranges[] = {{0, 4711, 1}, {1, 100000, 65536}};
    static const struct lc_idmap map = {ranges, ranges, 2, 2};
    struct ct_error err = {0};
    (void)context;

    give_subordinate_ids();
    become_user();
    struct target target = start_target();
    CHILD_DO(lc_idmap_write(target.pid, &map, &err), &err);
    CHILD_CHECK(strcmp(file_of(target.pid, "uid_map"), "0 4711 1\n1 100000 65536\n") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "gid_map"), "0 4711 1\n1 100000 65536\n") == 0);
    end_target(&target);
}

static void a_user_maps_what_subuid_gives_him(void **state)
{
    (void)state;

    assert_int_equal(in_child(map_subordinate_ids, NULL), 0);
}

static void map_too_much(void *context)
{
    static const struct lc_id_range ranges[] = {{0, 100000, 65537}};
    static const struct lc_idmap map = {ranges, ranges, 1, 1};
    struct ct_error err = {0};
    (void)context;

    give_subordinate_ids();
    become_user();
    struct target target = start_target();
    CHILD_CHECK(lc_idmap_write(target.pid, &map, &err) == -1);
    CHILD_CHECK(err.kind == CT_DENIED);
    CHILD_CHECK(strncmp(err.frame[0].what, "map ids by /usr/bin/newuidmap: ", 31) == 0);
    CHILD_CHECK(strcmp(err.hint, "/etc/subuid must give this user the ids") == 0);
    CHILD_CHECK(strcmp(file_of(target.pid, "uid_map"), "") == 0);
    end_target(&target);
}

static void what_subuid_does_not_give_is_refused(void **state)
{
    (void)state;

    assert_int_equal(in_child(map_too_much, NULL), 0);
}

/* ---- a namespace without processes ---------------------------------------------------------- */

/* Enters it: the kernel then shows its map as ours. */
static void enter_userns(void *fd)
{
    CHILD_CHECK(setns(*(int *)fd, CLONE_NEWUSER) == 0);
    CHILD_CHECK(strcmp(file_of(getpid(), "uid_map"), "0 100000 65536\n70000 5 1\n") == 0);
    CHILD_CHECK(strcmp(file_of(getpid(), "gid_map"), "0 100000 65536\n") == 0);
}

static size_t count_descriptors(void)
{
    CT_AUTO_DIR DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    while (dir && readdir(dir)) {
        n++;
    }
    return n;
}

static void a_namespace_without_processes_keeps_its_map(void **state)
{
    (void)state;
    struct ct_error err = {0};
    size_t before = count_descriptors();
    int fd = lc_idmap_userns(&wide_map, &err);

    assert_true(fd >= 0);
    assert_int_equal(in_child(enter_userns, &fd), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    assert_int_equal(errno, ECHILD);
}

/* What it is for: root of the container is the owner of files of root. */
static void mount_mapped(void *context)
{
    const int *fd = context;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)*fd};
    struct stat status;

    CHILD_CHECK(unshare(CLONE_NEWNS) == 0);
    CHILD_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_CHECK(mount("files", "/mnt", "tmpfs", 0, NULL) == 0);
    CHILD_CHECK(mknod("/mnt/file", S_IFREG | 0644, 0) == 0);
    int tree = open_tree(AT_FDCWD, "/mnt", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    CHILD_CHECK(mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0);
    CHILD_CHECK(fstatat(tree, "file", &status, 0) == 0);
    CHILD_CHECK(status.st_uid == 100000 && status.st_gid == 100000);
}

static void a_mount_is_mapped_by_it(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int fd = lc_idmap_userns(&wide_map, &err);

    assert_true(fd >= 0);
    assert_int_equal(in_child(mount_mapped, &fd), 0);
}

static void userns_as_user(void *context)
{
    struct ct_error err = {0};
    (void)context;

    give_subordinate_ids();
    become_user();
    CHILD_CHECK(lc_idmap_userns(&wide_map, &err) == -1); /* 5 is not his */
    CHILD_CHECK(err.kind == CT_DENIED);
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void a_map_that_is_not_allowed_leaves_no_process(void **state)
{
    (void)state;

    assert_int_equal(in_child(userns_as_user, NULL), 0);
}

static int needs_root(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    return 0;
}

static int needs_newuidmap(void **state)
{
    if (access("/usr/bin/newuidmap", X_OK) < 0) {
        skip();
    }
    return needs_root(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(wrong_ranges_are_refused),
        cmocka_unit_test(there_are_no_more_ranges_than_the_kernel_takes),
        cmocka_unit_test(ids_are_looked_up),
        cmocka_unit_test_setup(root_maps_freely, needs_root),
        cmocka_unit_test_setup(a_user_maps_his_own_id_and_loses_setgroups, needs_root),
        cmocka_unit_test_setup(a_user_maps_what_subuid_gives_him, needs_newuidmap),
        cmocka_unit_test_setup(what_subuid_does_not_give_is_refused, needs_newuidmap),
        cmocka_unit_test_setup(a_namespace_without_processes_keeps_its_map, needs_root),
        cmocka_unit_test_setup(a_mount_is_mapped_by_it, needs_root),
        cmocka_unit_test_setup(a_map_that_is_not_allowed_leaves_no_process, needs_newuidmap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
