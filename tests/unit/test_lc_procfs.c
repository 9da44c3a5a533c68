/*
 * test_lc_procfs.c - what is written to /proc arrives in the kernel or is refused, whatever is
 * mounted there (CVE-2019-19921, CVE-2023-27561, CVE-2025-52881).
 *
 * Each attack stands in a mount namespace and a UTS namespace of its own; the file that is written
 * is the name of that host.
 */
#define CT_LAYER "test"
#include "procfs.h"

#include "cleanup.h"
#include "in_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define HOSTNAME "/proc/sys/kernel/hostname"

/* ---- the attacks ---------------------------------------------------------------------------- */

static void enter_own_namespaces(void)
{
    CHILD_CHECK(unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0);
    CHILD_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_CHECK(sethostname("before", 6) == 0);
}

/* From here on fsopen(2) is refused, and with it the procfs that nobody else can reach. */
static void give_up_mounting(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[2];

    CHILD_CHECK(syscall(SYS_capget, &header, half) == 0);
    half[0].effective &= ~(1u << CAP_SYS_ADMIN);
    CHILD_CHECK(syscall(SYS_capset, &header, half) == 0);
}

static void make_file(const char *path)
{
    CHILD_CHECK(mknod(path, S_IFREG | 0644, 0) == 0);
}

static void put_a_tmpfs_over_proc(void)
{
    CHILD_CHECK(mount("fake", "/proc", "tmpfs", 0, NULL) == 0);
    CHILD_CHECK(mkdir("/proc/sys", 0755) == 0 && mkdir("/proc/sys/kernel", 0755) == 0);
    make_file(HOSTNAME);
}

static void put_a_file_over_the_file(void)
{
    CHILD_CHECK(mount("fake", "/mnt", "tmpfs", 0, NULL) == 0);
    make_file("/mnt/hostname");
    CHILD_CHECK(mount("/mnt/hostname", HOSTNAME, NULL, MS_BIND, NULL) == 0);
}

/* The dangerous one: it is a file of a procfs, only another. */
static void put_another_proc_file_over_the_file(void)
{
    CHILD_CHECK(mount("/proc/self/comm", HOSTNAME, NULL, MS_BIND, NULL) == 0);
}

static void put_a_tmpfs_over_the_directory(void)
{
    CHILD_CHECK(mount("fake", "/proc/sys/kernel", "tmpfs", 0, NULL) == 0);
    make_file(HOSTNAME);
}

static void put_a_part_of_proc_over_proc(void)
{
    CHILD_CHECK(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
}

static void (*const attacks[])(void) = {
    put_a_tmpfs_over_proc,
    put_a_file_over_the_file,
    put_another_proc_file_over_the_file,
    put_a_tmpfs_over_the_directory,
    put_a_part_of_proc_over_proc,
};
#define N_ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static bool host_is_called(const char *name)
{
    char text[65] = "";

    return gethostname(text, sizeof(text)) == 0 && strcmp(text, name) == 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void write_with_all_rights(void *attack)
{
    struct ct_error err = {0};

    enter_own_namespaces();
    (*(void (*const *)(void))attack)();
    int procfs = lc_procfs_open(&err);
    CHILD_DO(procfs, &err);
    CHILD_DO(lc_procfs_write(procfs, "sys/kernel/hostname", "after", &err), &err);
    CHILD_CHECK(host_is_called("after"));
    /* What was put there has not been touched. */
    CT_AUTO_CLOSE int fake = open(HOSTNAME, O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    CHILD_CHECK(fake < 0 || (read(fake, text, sizeof(text) - 1) >= 0 && !strstr(text, "after")));
}

static void a_write_reaches_the_kernel_whatever_is_mounted_over_it(void **state)
{
    (void)state;

    for (size_t i = 0; i < N_ATTACKS; i++) {
        assert_int_equal(in_child(write_with_all_rights, (void *)&attacks[i]), 0);
    }
}

static void write_without_mounting(void *attack)
{
    struct ct_error err = {0};

    enter_own_namespaces();
    (*(void (*const *)(void))attack)();
    give_up_mounting();
    CT_AUTO_CLOSE int procfs = lc_procfs_open(&err);
    CHILD_CHECK(procfs < 0 || lc_procfs_write(procfs, "sys/kernel/hostname", "after", &err) == -1);
    CHILD_CHECK(err.kind == CT_DENIED);
    CHILD_CHECK(strcmp(err.frame[0].layer, "procfs") == 0);
    CHILD_CHECK(host_is_called("before"));
}

static void without_the_right_to_mount_it_is_refused(void **state)
{
    (void)state;

    for (size_t i = 0; i < N_ATTACKS; i++) {
        assert_int_equal(in_child(write_without_mounting, (void *)&attacks[i]), 0);
    }
}

static void write_to_a_true_proc(void *context)
{
    struct ct_error err = {0};
    (void)context;

    enter_own_namespaces();
    give_up_mounting();
    int procfs = lc_procfs_open(&err);
    CHILD_DO(procfs, &err);
    CHILD_DO(lc_procfs_write(procfs, "self/comm", "renamed", &err), &err);
    CT_AUTO_CLOSE int comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    CHILD_CHECK(read(comm, text, sizeof(text) - 1) == 8 && strcmp(text, "renamed\n") == 0);
}

static void without_the_right_to_mount_a_true_proc_will_do(void **state)
{
    (void)state;

    assert_int_equal(in_child(write_to_a_true_proc, NULL), 0);
}

static void only_procfs_own_links_are_followed(void **state)
{
    (void)state;
    static const char *const refused[] = {"self/exe",    "self/root/etc/passwd", "self/ns/mnt",
                                          "self/cwd/..", "../etc/passwd",        "/etc/passwd"};
    struct ct_error err = {0};
    CT_AUTO_CLOSE int procfs = lc_procfs_open(&err);
    CT_AUTO_CLOSE int own = lc_procfs_openat(procfs, "self/status", O_RDONLY, &err);
    CT_AUTO_CLOSE int thread = lc_procfs_openat(procfs, "thread-self/attr", O_RDONLY, &err);

    assert_true(procfs >= 0 && own >= 0 && thread >= 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ct_error_clear(&err);
        assert_int_equal(lc_procfs_openat(procfs, refused[i], O_RDONLY, &err), -1);
        assert_int_equal(err.kind, CT_DENIED);
    }
}

static void what_the_kernel_says_is_in_the_error(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int procfs = lc_procfs_open(&err);

    assert_int_equal(lc_procfs_write(procfs, "self/oom_score_adj", "5000", &err), -1);
    assert_int_equal(err.sys, EINVAL);
    assert_string_equal(err.frame[0].what, "write '5000' to '/proc/self/oom_score_adj'");

    ct_error_clear(&err);
    assert_int_equal(lc_procfs_write(procfs, "sys/net/ipv4/no_such", "1", &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[0].what, "open '/proc/sys/net/ipv4/no_such'");
}

static int needs_root(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_write_reaches_the_kernel_whatever_is_mounted_over_it, needs_root),
        cmocka_unit_test_setup(without_the_right_to_mount_it_is_refused, needs_root),
        cmocka_unit_test_setup(without_the_right_to_mount_a_true_proc_will_do, needs_root),
        cmocka_unit_test(only_procfs_own_links_are_followed),
        cmocka_unit_test(what_the_kernel_says_is_in_the_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
