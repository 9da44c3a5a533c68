/*
 * test_lc_cgroup_devices.c - which devices a process in a group may open and make: by the rules as
 * the layout enforces them, and by the BPF filter wherever there is a v2 hierarchy (hybrid, too).
 *
 * Needs root. The groups are below a name of this process's own.
 */
#define CT_LAYER "test"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64]; /* for devices that are made */
static struct lc_cgroup *cgroup;
static struct ct_error err;

static int make_group(void **state)
{
    char name[64];
    (void)state;

    err = (struct ct_error){0};
    if (geteuid() != 0) {
        return 0;
    }
    (void)strcpy(dir, "/tmp/test-lc-devices-XXXXXX");
    (void)snprintf(name, sizeof(name), "/cutaway-test-%d", (int)getpid());
    cgroup = lc_cgroup_new(name, "id", false, &err);
    return mkdtemp(dir) && cgroup && lc_cgroup_create(cgroup, &err) == 0 ? 0 : -1;
}

static int remove_group(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        return 0;
    }
    int result = lc_cgroup_remove(cgroup, &err);
    lc_cgroup_free(cgroup);
    return ct_remove_tree(AT_FDCWD, dir, &err) < 0 ? -1 : result;
}

static void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

/* ---- what a process in the group may -------------------------------------------------------- */

static bool may_open(const char *device, int flags)
{
    CT_AUTO_CLOSE int fd = open(device, flags | O_CLOEXEC | O_NOCTTY);
    return fd >= 0 || errno != EPERM;
}

static bool may_make(mode_t type, unsigned major_number, unsigned minor_number)
{
    CT_AUTO_FREE char *path = ct_join(dir, "device");
    bool made = mknod(path, type | 0600, makedev(major_number, minor_number)) == 0;

    (void)unlink(path);
    return made;
}

/* "rwm r-- --- bl-": what is allowed of null, zero and full (c 1:3, 1:5, 1:7), each as r, w and m;
 * then whether b 1:3, b 7:0 and c 10:229 can be made. */
static void look(char text[static 16])
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};
    char *to = text;

    for (unsigned i = 0; i < 3; i++) {
        *to++ = may_open(devices[i], O_RDONLY) ? 'r' : '-';
        *to++ = may_open(devices[i], O_WRONLY) ? 'w' : '-';
        *to++ = may_make(S_IFCHR, 1, 3 + 2 * i) ? 'm' : '-';
        *to++ = ' ';
    }
    *to++ = may_make(S_IFBLK, 1, 3) ? 'b' : '-';
    *to++ = may_make(S_IFBLK, 7, 0) ? 'l' : '-';
    *to++ = may_make(S_IFCHR, 10, 229) ? 'f' : '-';
    *to = '\0';
}

static void assert_allowed(const char *expected)
{
    int status = 0, out[2];
    char text[16] = "";

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (lc_cgroup_enter(cgroup, getpid(), NULL, &err) == 0) {
            look(text);
        }
        _exit(write(out[1], text, sizeof(text)) == sizeof(text) ? 0 : 1);
    }
    (void)close(out[1]);
    assert_int_equal(read(out[0], text, sizeof(text)), sizeof(text));
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_string_equal(text, expected);
}

/* ---- the rules ------------------------------------------------------------------------------ */

#define RWM .read = true, .write = true, .mknod = true
#define ALL .type = 'a', .major = -1, .minor = -1, RWM

static void set(const struct lc_device_rule *rules, size_t n)
{
    struct lc_resources resources = {.devices = rules, .n_devices = n};
    assert_int_equal(lc_cgroup_set(cgroup, &resources, &err), 0);
}

static void only_what_is_allowed_can_be_used(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = false, ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = 3, RWM},
        {.allow = true, .type = 'c', .major = 1, .minor = 5, .read = true},
        {.allow = true, .type = 'b', .major = -1, .minor = -1, .mknod = true},
    };
    (void)state;
    need_root();

    assert_allowed("rwm rwm rwm blf");
    set(rules, 4);
    assert_allowed("rwm r-- --- bl-");
}

static void without_a_rule_for_all_the_rest_is_denied(void **state)
{
    const struct lc_device_rule rule = {.allow = true, .type = 'c', .major = 1, .minor = 3, RWM};
    (void)state;
    need_root();

    set(&rule, 1);
    assert_allowed("rwm --- --- ---");
}

static void all_can_be_allowed_but_some(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = false, ALL},
        {.allow = true, ALL},
        {.allow = false, .type = 'c', .major = 1, .minor = 7, .write = true},
        {.allow = false, .type = 'b', .major = 7, .minor = -1, .mknod = true},
    };
    (void)state;
    need_root();

    set(rules, 4);
    assert_allowed("rwm rwm r-m b-f");
}

/* A process that asks for two things at once gets both or none. */
static void what_is_denied_is_so_beside_what_is_allowed(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = true, ALL},
        {.allow = false, .type = 'c', .major = 1, .minor = 7, .read = true},
    };
    (void)state;
    need_root();

    set(rules, 2);
    pid_t pid = fork();
    if (pid == 0) {
        if (lc_cgroup_enter(cgroup, getpid(), NULL, &err) < 0) {
            _exit(2);
        }
        _exit(may_open("/dev/full", O_RDWR) ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_narrow_rule_for_both_kinds_allows_no_more(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = false, ALL},
        {.allow = true, .type = 'a', .major = 1, .minor = 3, RWM},
    };
    (void)state;
    need_root();

    set(rules, 2);
    assert_allowed("rwm --- --- b--");
}

static void rules_can_be_changed(void **state)
{
    const struct lc_device_rule first[] = {
        {.allow = false, ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = 3, RWM},
        {.allow = true, .type = 'c', .major = 1, .minor = 5, RWM},
    };
    const struct lc_device_rule second[] = {
        {.allow = false, ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = 3, .read = true},
        {.allow = true, .type = 'c', .major = 1, .minor = 7, RWM},
    };
    const struct lc_device_rule third[] = {
        {.allow = true, ALL},
        {.allow = false, .type = 'c', .major = 1, .minor = -1, .mknod = true},
    };
    (void)state;
    need_root();

    set(first, 3);
    for (size_t i = 0; i < cgroup->n; i++) {
        cgroup->groups[i].made = 0; /* as another process sees it, that did not make it */
    }
    assert_allowed("rwm rwm --- ---");
    set(second, 3);
    assert_allowed("r-- --- rwm ---");
    set(third, 2);
    assert_allowed("rw- rw- rw- blf");
    set(first, 3);
    assert_allowed("rwm rwm --- ---");
}

/* ---- the filter alone, where it can do more than v1 ----------------------------------------- */

/* The v2 group; its filters are in force on hybrid as well. */
static int filter_group(void)
{
    struct lc_group *group = lc_cgroup_unified(cgroup);

    if (!group) {
        skip();
    }
    int fd = lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, &err);
    assert_true(fd >= 0);
    return fd;
}

static void attach(int group_fd, const struct lc_device_rule *rules, size_t n, bool is_new)
{
    assert_int_equal(lc_filter_attach(group_fd, rules, n, is_new, &err), 0);
}

static size_t count_filters(int group_fd)
{
    union bpf_attr attr = {
        .query = {.target_fd = (uint32_t)group_fd, .attach_type = BPF_CGROUP_DEVICE}};
    assert_int_equal(syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)), 0);
    return attr.query.prog_cnt;
}

static void the_filter_lets_later_rules_win(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = true, .type = 'b', .major = 7, .minor = 0, RWM}, /* before "deny all": void */
        {.allow = false, ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = -1, RWM},
        {.allow = false, .type = 'c', .major = 1, .minor = 5, .write = true, .mknod = true},
        {.allow = false, .type = 'c', .major = 1, .minor = 7, RWM},
        {.allow = true, .type = 'c', .major = 1, .minor = 7, .mknod = true},
    };
    (void)state;
    need_root();
    CT_AUTO_CLOSE int fd = filter_group();

    attach(fd, rules, 6, true);
    assert_allowed("rwm r-- --m ---");
}

static void the_filter_adds_up_what_several_rules_allow(void **state)
{
    const struct lc_device_rule rules[] = {
        {.allow = false, ALL},
        {.allow = true, .type = 'c', .major = 1, .minor = 7, .read = true},
        {.allow = true, .type = 'c', .major = -1, .minor = 7, .write = true},
    };
    (void)state;
    need_root();
    CT_AUTO_CLOSE int fd = filter_group();

    attach(fd, rules, 3, true);
    pid_t pid = fork();
    if (pid == 0) {
        bool both =
            lc_cgroup_enter(cgroup, getpid(), NULL, &err) == 0 && may_open("/dev/full", O_RDWR);
        _exit(both && !may_open("/dev/zero", O_RDWR) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The kernel checks the program: long ones, unusual numbers, and nothing that is not reached. */
static void the_filter_takes_many_rules_and_large_numbers(void **state)
{
    enum { MANY = 500 };
    struct lc_device_rule *rules = calloc(MANY + 1, sizeof(*rules));
    (void)state;
    need_root();
    CT_AUTO_CLOSE int fd = filter_group();

    assert_non_null(rules);
    for (size_t i = 0; i < MANY; i++) {
        rules[i] = (struct lc_device_rule){.allow = i % 2 == 0,
                                           .type = "abc"[i % 3],
                                           .major = UINT32_MAX - (int64_t)i,
                                           .minor = i % 5 ? (int64_t)i : -1,
                                           .read = true};
    }
    rules[MANY] = (struct lc_device_rule){.allow = true, .type = 'c', .major = 1, .minor = 3, RWM};
    attach(fd, rules, MANY + 1, true);
    free(rules);
    assert_allowed("rwm --- --- ---");
}

static void there_is_one_filter_whatever_was_there(void **state)
{
    const struct lc_device_rule deny = {.allow = false, ALL};
    const struct lc_device_rule allow = {.allow = true, ALL};
    (void)state;
    need_root();
    CT_AUTO_CLOSE int fd = filter_group();

    attach(fd, &deny, 1, false); /* none */
    assert_int_equal(count_filters(fd), 1);
    attach(fd, &allow, 1, false); /* one, exchanged */
    assert_int_equal(count_filters(fd), 1);
    assert_allowed("rwm rwm rwm blf");
    attach(fd, &deny, 1, true); /* a second one, as somebody else may have */
    assert_int_equal(count_filters(fd), 2);
    assert_allowed("--- --- --- ---");
    attach(fd, &allow, 1, false); /* two */
    assert_int_equal(count_filters(fd), 1);
    assert_allowed("rwm rwm rwm blf");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_group, remove_group)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_is_allowed_can_be_used),
        TEST(without_a_rule_for_all_the_rest_is_denied),
        TEST(all_can_be_allowed_but_some),
        TEST(what_is_denied_is_so_beside_what_is_allowed),
        TEST(a_narrow_rule_for_both_kinds_allows_no_more),
        TEST(rules_can_be_changed),
        TEST(the_filter_lets_later_rules_win),
        TEST(the_filter_adds_up_what_several_rules_allow),
        TEST(the_filter_takes_many_rules_and_large_numbers),
        TEST(there_is_one_filter_whatever_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
