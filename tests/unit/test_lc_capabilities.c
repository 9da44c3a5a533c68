/*
 * test_lc_capabilities.c - the five sets: what is read from a configuration, and what a process
 * has afterwards by what the kernel says of it.
 */
#define CT_LAYER "test"
#include "capabilities.h"

#include "cleanup.h"
#include "in_child.h"
#include "json.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define BIT(number) (UINT64_C(1) << (number))

static int parse(const char *text, struct lc_caps *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), err);

    assert_non_null(document);
    return lc_caps_parse(document, "process.capabilities", ret, err);
}

/* What is logged during a call goes to a file in memory. */
static int catch_log(void)
{
    int fd = memfd_create("log", MFD_CLOEXEC);

    assert_true(fd >= 0);
    ct_log_to(fd);
    return fd;
}

static char *caught(int fd)
{
    static char text[4096];
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

    ct_log_to(STDERR_FILENO);
    assert_true(length >= 0);
    text[length] = '\0';
    return text;
}

/* ---- names and parsing ---------------------------------------------------------------------- */

static void names_and_numbers_are_the_kernels(void **state)
{
    (void)state;

    assert_int_equal(lc_cap_number("CAP_CHOWN"), 0);
    assert_int_equal(lc_cap_number("CAP_AUDIT_READ"), 37);
    assert_int_equal(lc_cap_number("CAP_CHECKPOINT_RESTORE"), 40);
    assert_string_equal(lc_cap_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
    assert_int_equal(lc_cap_number("cap_chown"), -1);
    assert_int_equal(lc_cap_number("CHOWN"), -1);
    assert_null(lc_cap_name(-1));
    assert_null(lc_cap_name(41));
}

static void their_number_is_what_the_kernel_says(void **state)
{
    (void)state;
    CT_AUTO_FILE FILE *file = fopen("/proc/sys/kernel/cap_last_cap", "re");
    char text[16] = "";

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));

    assert_int_equal(lc_cap_count(), atoi(text) + 1);
}

static void each_set_is_read(void **state)
{
    (void)state;
    struct lc_caps caps = {0};
    struct ct_error err = {0};

    assert_int_equal(parse("{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\",\"CAP_BPF\"],"
                           "\"permitted\":[\"CAP_CHOWN\",\"CAP_KILL\"],"
                           "\"effective\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_CHOWN\"],"
                           "\"ambient\":[\"CAP_CHOWN\"]}",
                           &caps, &err),
                     0);

    assert_int_equal(caps.bounding, BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_BPF));
    assert_int_equal(caps.permitted, BIT(CAP_CHOWN) | BIT(CAP_KILL));
    assert_int_equal(caps.effective, BIT(CAP_KILL));
    assert_int_equal(caps.inheritable, BIT(CAP_CHOWN));
    assert_int_equal(caps.ambient, BIT(CAP_CHOWN));
}

static void nothing_is_no_capability(void **state)
{
    (void)state;
    struct lc_caps caps = {.bounding = 1, .effective = 1};
    struct ct_error err = {0};

    assert_int_equal(lc_caps_parse(NULL, "process.capabilities", &caps, &err), 0);

    assert_int_equal(caps.bounding | caps.effective | caps.permitted, 0);
}

static void an_unknown_one_is_left_out_with_a_warning(void **state)
{
    (void)state;
    struct lc_caps caps = {0};
    struct ct_error err = {0};
    CT_AUTO_CLOSE int log = catch_log();

    assert_int_equal(parse("{\"bounding\":[\"CAP_CHOWN\",\"CAP_TIME_TRAVEL\"]}", &caps, &err), 0);

    assert_int_equal(caps.bounding, BIT(CAP_CHOWN));
    assert_non_null(strstr(caught(log), "name=CAP_TIME_TRAVEL set=process.capabilities.bounding"));
}

static void what_the_kernel_would_refuse_is_left_out_with_a_warning(void **state)
{
    (void)state;
    struct lc_caps caps = {0};
    struct ct_error err = {0};
    CT_AUTO_CLOSE int log = catch_log();

    assert_int_equal(parse("{\"bounding\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"],"
                           "\"effective\":[\"CAP_CHOWN\"],\"inheritable\":[\"CAP_BPF\"],"
                           "\"ambient\":[\"CAP_KILL\"]}",
                           &caps, &err),
                     0);

    assert_int_equal(caps.effective | caps.inheritable | caps.ambient, 0);
    const char *text = caught(log);
    assert_non_null(strstr(text, "name=CAP_CHOWN set=effective because=not-in-permitted"));
    assert_non_null(strstr(text, "name=CAP_BPF set=inheritable because=not-in-bounding"));
    assert_null(strstr(text, "set=ambient")); /* every bundle of `runc spec` has it so */
}

static void what_is_not_a_list_of_names_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        {"[]", "process.capabilities: it must be an object"},
        {"{\"bounding\":\"CAP_KILL\"}", "process.capabilities.bounding: it must be an array"},
        {"{\"ambient\":[7]}", "process.capabilities.ambient[0]: it must be a string"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct lc_caps caps = {0};
        struct ct_error err = {0};
        assert_int_equal(parse(table[i].text, &caps, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, table[i].what);
    }
}

/* ---- applying ------------------------------------------------------------------------------- */

/* A line of /proc/self/status: "CapInh:\t0000000000000000". */
static uint64_t own(const char *name)
{
    CT_AUTO_FILE FILE *file = fopen("/proc/self/status", "re");
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            return strtoull(line + strlen(name) + 1, NULL, 16);
        }
    }
    return UINT64_MAX;
}

static const struct lc_caps some = {
    .bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_SETPCAP),
    .permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL),
    .effective = BIT(CAP_KILL),
};

static void apply(void *caps)
{
    struct ct_error err = {0};

    CHILD_DO(lc_caps_limit(caps, &err), &err);
    CHILD_DO(lc_caps_apply(caps, 0, &err), &err);
}

static void check_all_sets(void *context)
{
    struct lc_caps caps = some;
    (void)context;

    apply(&caps);
    CHILD_CHECK(own("CapBnd") == some.bounding);
    CHILD_CHECK(own("CapPrm") == some.permitted);
    CHILD_CHECK(own("CapEff") == some.effective);
    CHILD_CHECK(own("CapInh") == 0);
    CHILD_CHECK(own("CapAmb") == 0);
    CHILD_CHECK(fchown(memfd_create("mine", MFD_CLOEXEC), 1, 0) < 0); /* permitted, not effective */
}

static void a_process_has_what_was_asked_for_and_no_more(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_all_sets, NULL), 0);
}

/* What the caller had in the inheritable and ambient sets must not come along (CVE-2022-29162). */
static void check_nothing_is_inherited(void *context)
{
    struct lc_caps all = {.bounding = BIT(CAP_KILL),
                          .permitted = BIT(CAP_KILL),
                          .inheritable = BIT(CAP_KILL),
                          .ambient = BIT(CAP_KILL)};
    struct lc_caps none = {.permitted = BIT(CAP_KILL)};
    (void)context;

    all.bounding |= BIT(CAP_SETPCAP);
    all.permitted |= BIT(CAP_SETPCAP);
    all.effective |= BIT(CAP_SETPCAP);
    apply(&all);
    CHILD_CHECK(own("CapInh") == BIT(CAP_KILL) && own("CapAmb") == BIT(CAP_KILL));
    apply(&none);
    CHILD_CHECK(own("CapInh") == 0);
    CHILD_CHECK(own("CapAmb") == 0);
    CHILD_CHECK(own("CapBnd") == 0);
    CHILD_CHECK(own("CapPrm") == BIT(CAP_KILL));
}

static void nothing_is_inherited_that_was_not_asked_for(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_nothing_is_inherited, NULL), 0);
}

/* Ambient ones are what a user's program has after execve(2): sh asks the kernel there. */
static void check_ambient(void *context)
{
    struct ct_error err = {0};
    const struct lc_caps caps = {.bounding = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                                 .permitted = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                                 .effective = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                                 .inheritable = BIT(CAP_KILL),
                                 .ambient = BIT(CAP_KILL)};
    const uint64_t extra = BIT(CAP_SETUID);
    (void)context;

    CHILD_DO(lc_caps_limit(&caps, &err), &err);
    CHILD_CHECK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
    CHILD_CHECK(setresuid(1000, 1000, 1000) == 0);
    CHILD_DO(lc_caps_apply(&caps, extra, &err), &err);
    CHILD_CHECK(own("CapEff") == (caps.effective | extra));
    CHILD_DO(lc_caps_apply(&caps, 0, &err), &err);
    CHILD_CHECK(own("CapPrm") == caps.permitted);
    (void)execl("/bin/sh", "sh", "-c",
                "grep -q '^CapEff:.*0000000000000020$' /proc/self/status && "
                "grep -q '^CapBnd:.*0000000000000021$' /proc/self/status",
                (char *)NULL);
    _exit(2);
}

static void ambient_ones_survive_execve_of_a_user(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_ambient, NULL), 0);
}

/* In somebody else's container: what we do not have ourselves is no reason to fail. */
static void check_less_rights(void *context)
{
    struct lc_caps few = {.bounding = BIT(CAP_KILL) | BIT(CAP_SETPCAP),
                          .permitted = BIT(CAP_KILL) | BIT(CAP_SETPCAP),
                          .effective = BIT(CAP_KILL) | BIT(CAP_SETPCAP)};
    struct lc_caps many = {.bounding = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                           .permitted = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                           .effective = BIT(CAP_KILL) | BIT(CAP_CHOWN),
                           .inheritable = BIT(CAP_CHOWN)};
    (void)context;

    apply(&few);
    apply(&many);
    CHILD_CHECK(own("CapPrm") == BIT(CAP_KILL));
    CHILD_CHECK(own("CapEff") == BIT(CAP_KILL));
    CHILD_CHECK(own("CapBnd") == BIT(CAP_KILL));
    CHILD_CHECK(own("CapInh") == 0);
    apply(&many); /* SETPCAP is gone, and nothing is left that needed it */
}

static void who_has_less_gives_what_he_has(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int log = catch_log();

    assert_int_equal(in_child(check_less_rights, NULL), 0);

    assert_non_null(strstr(caught(log), "name=CAP_CHOWN set=permitted because=not-in-own"));
}

static void check_without_the_right_to_drop(void *context)
{
    struct lc_caps kill_only = {
        .bounding = ~UINT64_C(0), .permitted = BIT(CAP_KILL), .effective = BIT(CAP_KILL)};
    struct ct_error err = {0};
    (void)context;

    apply(&kill_only);
    kill_only.bounding = BIT(CAP_KILL);
    CHILD_CHECK(lc_caps_limit(&kill_only, &err) == -1);
    CHILD_CHECK(err.kind == CT_DENIED);
    CHILD_CHECK(strcmp(err.frame[0].what, "drop capability 0 from the bounding set") == 0);
}

static void a_bounding_set_that_cannot_be_dropped_is_an_error(void **state)
{
    (void)state;

    assert_int_equal(in_child(check_without_the_right_to_drop, NULL), 0);
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
        cmocka_unit_test(names_and_numbers_are_the_kernels),
        cmocka_unit_test(their_number_is_what_the_kernel_says),
        cmocka_unit_test(each_set_is_read),
        cmocka_unit_test(nothing_is_no_capability),
        cmocka_unit_test(an_unknown_one_is_left_out_with_a_warning),
        cmocka_unit_test(what_the_kernel_would_refuse_is_left_out_with_a_warning),
        cmocka_unit_test(what_is_not_a_list_of_names_is_refused),
        cmocka_unit_test_setup(a_process_has_what_was_asked_for_and_no_more, needs_root),
        cmocka_unit_test_setup(nothing_is_inherited_that_was_not_asked_for, needs_root),
        cmocka_unit_test_setup(ambient_ones_survive_execve_of_a_user, needs_root),
        cmocka_unit_test_setup(who_has_less_gives_what_he_has, needs_root),
        cmocka_unit_test_setup(a_bounding_set_that_cannot_be_dropped_is_an_error, needs_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
