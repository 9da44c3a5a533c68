/*
 * test_execdriver.c - the parts of the LXC driver that need no container: capabilities, limits,
 * LXC's log, and the plan that sysinit reads.
 */
#define CT_LAYER "test"
#include "caps.h"
#include "cleanup.h"
#include "file.h"
#include "lxc_internal.h"
#include "path.h"
#include "plan.h"
#include "resources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- capabilities --------------------------------------------------------------------------- */

static uint64_t caps(const char *const *add, const char *const *drop)
{
    struct exec_spec spec = {.cap_add = add, .cap_drop = drop};
    struct ct_error err = {0};
    uint64_t set = 0;

    assert_int_equal(caps_of(&spec, &set, &err), 0);
    return set;
}

static void the_default_is_dockers_fourteen(void **state)
{
    (void)state;

    assert_int_equal(caps(NULL, NULL), 0xa80425fb);
}

static void all_and_single_names_combine_as_in_docker(void **state)
{
    (void)state;
    const char *const all[] = {"ALL", NULL};
    const char *const chown[] = {"cap_chown", NULL};
    const char *const both[] = {"ALL", "CHOWN", NULL};

    assert_int_equal(caps(NULL, all), 0);
    assert_int_equal(caps(chown, all), CAP_BIT(CAP_CHOWN));
    assert_int_equal(caps(all, chown) & CAP_BIT(CAP_CHOWN), 0);
    assert_true(caps_are_all(caps(all, NULL)));
    assert_int_equal(caps(NULL, both), 0);
    assert_int_equal(caps(NULL, chown), 0xa80425fb & ~CAP_BIT(CAP_CHOWN));
}

static void a_set_is_written_as_lxc_reads_it(void **state)
{
    (void)state;
    CT_AUTO_FREE char *some = caps_text(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_NET_ADMIN));
    CT_AUTO_FREE char *none = caps_text(0);

    assert_string_equal(some, "chown net_admin");
    assert_string_equal(none, "none");
}

/* ---- limits --------------------------------------------------------------------------------- */

static const struct limit_setting *find(const struct limit_setting *settings, ssize_t n,
                                        const char *file_v1)
{
    for (ssize_t i = 0; i < n; i++) {
        if (strcmp(settings[i].file_v1, file_v1) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

static void limits_are_written_in_both_notations(void **state)
{
    (void)state;
    struct limit_setting settings[LIMIT_SETTINGS_MAX];
    struct ct_error err = {0};
    const struct exec_limits limits = {.memory_max_bytes = 100,
                                       .memory_swap_max_bytes = 150,
                                       .cpu_quota_us = 50000,
                                       .cpu_shares = 1024,
                                       .cpuset_cpus = "0-1",
                                       .pids_max = -1};

    ssize_t n = limits_settings(&limits, settings, &err);

    assert_int_equal(n, 7);
    assert_string_equal(find(settings, n, "memory.limit_in_bytes")->value_v2, "100");
    assert_string_equal(find(settings, n, "memory.memsw.limit_in_bytes")->value_v1, "150");
    assert_string_equal(find(settings, n, "memory.memsw.limit_in_bytes")->value_v2, "50");
    assert_string_equal(find(settings, n, "cpu.cfs_quota_us")->value_v2, "50000 100000");
    assert_string_equal(find(settings, n, "cpu.shares")->value_v2, "39"); /* as Docker and crun */
    assert_string_equal(find(settings, n, "cpuset.cpus")->value_v1, "0-1");
    assert_string_equal(find(settings, n, "pids.max")->value_v1, "max");
}

static void no_limits_are_no_settings(void **state)
{
    (void)state;
    struct limit_setting settings[LIMIT_SETTINGS_MAX];
    struct ct_error err = {0};
    const struct exec_limits limits = {0};

    assert_int_equal(limits_settings(&limits, settings, &err), 0);
}

static void limits_without_sense_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct exec_limits limits;
        const char *what;
    } table[] = {
        {{.memory_swap_max_bytes = 5}, "limit swap: it needs a limit of memory too"},
        {{.memory_max_bytes = 9, .memory_swap_max_bytes = 5},
         "limit memory plus swap to 5: memory alone may be 9"},
        {{.cpu_shares = 1}, "give 1 CPU shares: 2 to 262144 are possible"},
        {{.cpuset_cpus = "all"}, "set cpuset.cpus to 'all': it is not a list such as 0-3,5"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct limit_setting settings[LIMIT_SETTINGS_MAX];
        struct ct_error err = {0};
        assert_int_equal(limits_settings(&table[i].limits, settings, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].layer, "execdriver");
        assert_string_equal(err.frame[0].what, table[i].what);
    }
}

/* ---- LXC's log ------------------------------------------------------------------------------ */

static bool explain(const char *log, struct ct_error *err)
{
    char dir[] = "/tmp/test-execdriver-XXXXXX";
    struct ct_error ignored = {0};
    *err = (struct ct_error){0};

    assert_non_null(mkdtemp(dir));
    CT_AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ct_create_file_at(fd, "log", log, strlen(log), 0600, &ignored), 0);
    bool told = log_explain(fd, "log", err);
    assert_int_equal(ct_remove_tree(AT_FDCWD, dir, &ignored), 0);
    return told;
}

static void the_first_error_in_lxcs_log_is_the_cause(void **state)
{
    (void)state;
    struct ct_error err;

    assert_true(explain(
        "lxc-start a 20261124021440.795 WARN     start - "
        "../src/lxc/start.c:lxc_check_inherited:329 "
        "- Inherited fd 10\n"
        "lxc-start a 20261124021440.993 ERROR    conf - ../src/lxc/conf.c:mount_autodev:1278 - "
        "No space left on device - Failed to create directory \"dev/pts\"\n"
        "lxc-start a 20261124021440.104 ERROR    lxc_start - ../src/lxc/tools/lxc_start.c:main:306 "
        "- "
        "The container failed to start\n",
        &err));

    assert_string_equal(err.frame[0].layer, "lxc");
    assert_string_equal(err.frame[0].what, "Failed to create directory \"dev/pts\"");
    assert_int_equal(err.kind, CT_SYSTEM);
    assert_int_equal(err.sys, ENOSPC);
    assert_string_equal(err.hint, "free some space on the disk");
}

static void a_log_without_an_error_explains_nothing(void **state)
{
    (void)state;
    struct ct_error err;

    assert_false(explain("", &err));
    assert_false(explain("no line of LXC's\n\n - - -\n", &err));
    assert_false(explain("lxc-start a 20261124021440.795 WARN     start - "
                         "../src/lxc/start.c:lxc_check_inherited:329 - Inherited fd 10\n",
                         &err));
}

/* ---- the plan ------------------------------------------------------------------------------- */

static int read_plan(const char *text, size_t length, struct plan *ret, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = memfd_create("plan", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ct_write_all(fd, text, length), 0);
    *err = (struct ct_error){0};
    return plan_read(fd, ret, err);
}

static const char good_plan[] = PLAN_MAGIC "\0"
                                           "3\0"
                                           "1000\0"
                                           "4294967295\0"
                                           "18446744073709551615\0"
                                           "2\0"
                                           "7\0"
                                           "8\0"
                                           "/work\0"
                                           "2\0"
                                           "sh\0"
                                           "a\nb\0"
                                           "1\0"
                                           "A=1\0";

static void a_plan_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct ct_error err;

    assert_int_equal(read_plan(good_plan, sizeof(good_plan) - 1, &plan, &err), 0);

    assert_int_equal(plan.flags, PLAN_TERMINAL | PLAN_SET_IDS);
    assert_int_equal(plan.uid, 1000);
    assert_int_equal(plan.gid, UINT32_MAX);
    assert_true(plan.caps == UINT64_MAX);
    assert_int_equal(plan.n_groups, 2);
    assert_int_equal(plan.groups[1], 8);
    assert_string_equal(plan.cwd, "/work");
    assert_string_equal(plan.argv[1], "a\nb");
    assert_null(plan.argv[2]);
    assert_string_equal(plan.envp[0], "A=1");
    assert_null(plan.envp[1]);
    plan_done(&plan);
}

static void a_plan_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;

    for (size_t length = 0; length < sizeof(good_plan) - 1; length++) {
        struct plan plan = {0};
        struct ct_error err;
        assert_int_equal(read_plan(good_plan, length, &plan, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
}

static void a_plan_with_a_wrong_number_is_refused(void **state)
{
    (void)state;
    static const char *const numbers[] = {"-1", "", "4294967296", "1x", "99999999999999999999"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct plan plan = {0};
        struct ct_error err;
        char text[256];
        int n = snprintf(text, sizeof(text), "%s%c0%c%s%c0%c0%c0%c/%c1%csh%c0%c", PLAN_MAGIC, 0, 0,
                         numbers[i], 0, 0, 0, 0, 0, 0, 0, 0);
        assert_int_equal(read_plan(text, (size_t)n, &plan, &err), -1);
        assert_string_equal(err.frame[0].what, "read the plan: it is not one of this version");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_dockers_fourteen),
        cmocka_unit_test(all_and_single_names_combine_as_in_docker),
        cmocka_unit_test(a_set_is_written_as_lxc_reads_it),
        cmocka_unit_test(limits_are_written_in_both_notations),
        cmocka_unit_test(no_limits_are_no_settings),
        cmocka_unit_test(limits_without_sense_are_refused),
        cmocka_unit_test(the_first_error_in_lxcs_log_is_the_cause),
        cmocka_unit_test(a_log_without_an_error_explains_nothing),
        cmocka_unit_test(a_plan_is_read_as_it_was_written),
        cmocka_unit_test(a_plan_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_plan_with_a_wrong_number_is_refused),
    };
    return cmocka_run_group_tests_name("execdriver", tests, NULL, NULL);
}
