/*
 * test_lc_labels.c - labels of security modules: what this kernel cannot is refused, and which
 * words are written where.
 *
 * A machine has at most one of the two modules, so the kernel's side is made of files: /sys in a
 * mount namespace of its own, and a directory in place of a procfs.
 */
#define CT_LAYER "test"
#include "labels.h"

#include "cleanup.h"
#include "file.h"
#include "in_child.h"
#include "path.h"
#include "procfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTR "/mnt/thread-self/attr"

static void make_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    CHILD_CHECK(fd >= 0 && ct_write_all(fd, content, strlen(content)) == 0 && close(fd) == 0);
}

static void make_dirs(const char *path)
{
    struct ct_error err = {0};
    int fd = ct_mkdirs(path, 0755, &err);

    CHILD_DO(fd, &err);
    (void)close(fd);
}

/* A /sys in which both modules say that they are on, or neither does. Returns the false procfs. */
static int make_kernel(bool on)
{
    struct ct_error err = {0};

    CHILD_CHECK(unshare(CLONE_NEWNS) == 0);
    CHILD_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_CHECK(mount("sys", "/sys", "tmpfs", 0, NULL) == 0);
    CHILD_CHECK(mount("proc", "/mnt", "tmpfs", 0, NULL) == 0);
    make_dirs("/sys/module/apparmor/parameters");
    make_file("/sys/module/apparmor/parameters/enabled", on ? "Y\n" : "N\n");
    make_dirs(ATTR "/apparmor");
    make_file(ATTR "/apparmor/exec", "");
    make_file(ATTR "/exec", "");
    make_file(ATTR "/keycreate", "");
    if (on) {
        make_dirs("/sys/fs/selinux");
        make_file("/sys/fs/selinux/enforce", "1");
    }
    int procfs = ct_root_open("/mnt", &err);
    CHILD_DO(procfs, &err);
    return procfs;
}

static bool contains(const char *path, const char *expected)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = NULL;

    CHILD_DO(ct_read_file_at(AT_FDCWD, path, 4096, &text, &err), &err);
    return strcmp(text, expected) == 0;
}

/* ---- checking ------------------------------------------------------------------------------- */

static void check_without_modules(void *context)
{
    static const struct {
        const char *apparmor, *selinux, *what;
    } table[] = {
        {"docker-default", NULL,
         "use the AppArmor profile 'docker-default': AppArmor is not enabled on this host"},
        {"", "system_u:system_r:container_t:s0",
         "use the SELinux label 'system_u:system_r:container_t:s0': SELinux is not enabled on this "
         "host"},
        {"unconfined", NULL, NULL},
        {"", "", NULL},
        {NULL, NULL, NULL},
    };
    (void)context;

    (void)make_kernel(false);
    CHILD_CHECK(!lc_apparmor_is_on() && !lc_selinux_is_on());
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct ct_error err = {0};
        int result = lc_labels_check(table[i].apparmor, table[i].selinux, &err);
        CHILD_CHECK(result == (table[i].what ? -1 : 0));
        CHILD_CHECK(!table[i].what ||
                    (err.kind == CT_UNSUPPORTED && strcmp(err.frame[0].what, table[i].what) == 0));
    }
}

static void what_the_kernel_cannot_is_refused(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_without_modules, NULL), 0);
}

static void check_with_modules(void *context)
{
    struct ct_error err = {0};
    (void)context;

    (void)make_kernel(true);
    CHILD_CHECK(lc_apparmor_is_on() && lc_selinux_is_on());
    CHILD_DO(lc_labels_check("docker-default", "a:b:c:s0", &err), &err);
}

static void what_the_kernel_can_is_taken(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_with_modules, NULL), 0);
}

/* ---- applying ------------------------------------------------------------------------------- */

static void apply_both(void *context)
{
    struct ct_error err = {0};
    int procfs = make_kernel(true);
    (void)context;

    CHILD_DO(lc_labels_apply(procfs, "docker-default", "a:b:c:s0", &err), &err);
    CHILD_CHECK(contains(ATTR "/apparmor/exec", "exec docker-default"));
    CHILD_CHECK(contains(ATTR "/exec", "a:b:c:s0"));
    CHILD_CHECK(contains(ATTR "/keycreate", "a:b:c:s0"));
}

static void each_label_goes_to_its_module(void **state)
{
    (void)state;

    assert_int_equal(in_child(apply_both, NULL), 0);
}

/* In the container's root /sys may be missing or say what it likes: the label is set all the same.
 */
static void apply_without_sys(void *context)
{
    struct ct_error err = {0};
    int procfs = make_kernel(false);
    (void)context;

    CHILD_CHECK(umount2("/sys", MNT_DETACH) == 0);
    CHILD_DO(lc_labels_apply(procfs, "docker-default", NULL, &err), &err);
    CHILD_CHECK(contains(ATTR "/apparmor/exec", "exec docker-default"));
    CHILD_CHECK(contains(ATTR "/exec", ""));
}

static void a_label_is_set_whatever_stands_at_sys(void **state)
{
    (void)state;

    assert_int_equal(in_child(apply_without_sys, NULL), 0);
}

static void apply_without_the_files(void *context)
{
    struct ct_error err = {0};
    int procfs = make_kernel(true);
    (void)context;

    CHILD_CHECK(unlink(ATTR "/apparmor/exec") == 0 && unlink(ATTR "/exec") == 0);
    CHILD_DO(lc_labels_apply(procfs, "unconfined", NULL, &err), &err);
    CHILD_CHECK(lc_labels_apply(procfs, "docker-default", NULL, &err) == -1);
    CHILD_CHECK(err.kind == CT_NOT_FOUND && err.depth == 2 && strstr(err.hint, "apparmor_parser"));
    ct_error_clear(&err);
    CHILD_CHECK(lc_labels_apply(procfs, NULL, "a:b:c:s0", &err) == -1);
    CHILD_CHECK(strcmp(err.frame[1].what, "use the SELinux label 'a:b:c:s0'") == 0);
}

static void a_label_that_cannot_be_set_is_an_error_but_unconfined(void **state)
{
    (void)state;

    assert_int_equal(in_child(apply_without_the_files, NULL), 0);
}

/* The true files, whatever this kernel has. */
static void nothing_and_unconfined_are_fine_everywhere(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int procfs = lc_procfs_open(&err);

    assert_true(procfs >= 0);
    assert_int_equal(lc_labels_apply(procfs, "unconfined", NULL, &err), 0);
    assert_int_equal(lc_labels_apply(procfs, "", "", &err), 0);
    assert_int_equal(lc_labels_apply(procfs, NULL, NULL, &err), 0);
    assert_int_equal(err.kind, CT_NONE);
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
        cmocka_unit_test_setup(what_the_kernel_cannot_is_refused, needs_root),
        cmocka_unit_test_setup(what_the_kernel_can_is_taken, needs_root),
        cmocka_unit_test_setup(each_label_goes_to_its_module, needs_root),
        cmocka_unit_test_setup(a_label_is_set_whatever_stands_at_sys, needs_root),
        cmocka_unit_test_setup(a_label_that_cannot_be_set_is_an_error_but_unconfined, needs_root),
        cmocka_unit_test(nothing_and_unconfined_are_fine_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
