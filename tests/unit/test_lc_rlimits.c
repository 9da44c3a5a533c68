/*
 * test_lc_rlimits.c - limits are read as the schema has them, and set on a process from outside.
 */
#define CT_LAYER "test"
#include "rlimits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct parsed {
    json_t *document;
    struct pool pool;
    const struct lc_rlimit *limits;
    size_t n;
};

/* jansson has no integers over 2^63: a document with one is read with all its numbers as real ones.
 */
static int parse(const char *text, struct parsed *ret, struct ct_error *err)
{
    *ret = (struct parsed){.document = json_loads(text, 0, NULL)};
    if (!ret->document) {
        ret->document = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
    }
    assert_non_null(ret->document);
    return lc_rlimits_parse(ret->document, "process.rlimits", &ret->pool, &ret->limits, &ret->n,
                            err);
}

static void done(struct parsed *parsed)
{
    json_decref(parsed->document);
    pool_done(&parsed->pool);
}

static void limits_are_read_with_all_bits_as_unlimited(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct parsed parsed;

    assert_int_equal(parse("[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20},"
                           "{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615}]",
                           &parsed, &err),
                     0);
    assert_int_equal(parsed.n, 2);
    assert_int_equal(parsed.limits[0].resource, RLIMIT_NOFILE);
    assert_string_equal(parsed.limits[0].name, "RLIMIT_NOFILE");
    assert_int_equal(parsed.limits[0].value.rlim_cur, 10);
    assert_int_equal(parsed.limits[0].value.rlim_max, 20);
    assert_int_equal(parsed.limits[1].value.rlim_cur, 0);
    assert_true(parsed.limits[1].value.rlim_max == RLIM_INFINITY);
    done(&parsed);
}

static void no_limits_are_no_error(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct pool pool = {0};
    const struct lc_rlimit *limits = NULL;
    size_t n = 1;

    assert_int_equal(lc_rlimits_parse(NULL, "process.rlimits", &pool, &limits, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(lc_rlimits_apply(limits, n, getpid(), &err), 0);
    pool_done(&pool);
}

static void wrong_limits_are_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{}", "process.rlimits: it must be an array"},
        {"[1]", "process.rlimits[0]: it must be an object"},
        {"[{\"soft\":1,\"hard\":1}]", "process.rlimits[0].type: it must be there"},
        {"[{\"type\":\"NOFILE\",\"soft\":1,\"hard\":1}]",
         "process.rlimits[0].type: 'NOFILE' is none of 'RLIMIT_AS' … 'RLIMIT_STACK'"},
        {"[{\"type\":\"RLIMIT_AS\",\"hard\":1}]", "process.rlimits[0].soft: it must be there"},
        {"[{\"type\":\"RLIMIT_AS\",\"soft\":1}]", "process.rlimits[0].hard: it must be there"},
        {"[{\"type\":\"RLIMIT_AS\",\"soft\":-1,\"hard\":1}]",
         "process.rlimits[0].soft: it must be a whole number from 0 to 18446744073709551615"},
        {"[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]",
         "process.rlimits[0]: the soft limit of RLIMIT_AS is over the hard one"},
        {"[{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1},"
         "{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":2}]",
         "process.rlimits[1]: RLIMIT_AS is there twice"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        struct parsed parsed;

        assert_int_equal(parse(wrong[i][0], &parsed, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
        done(&parsed);
    }
}

/* A process that does nothing until it is killed; it ends with the test, too. */
static pid_t start_idle(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void end_idle(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void another_process_gets_all_sixteen(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        __rlimit_resource_t resource;
    } all[] = {
        {"RLIMIT_AS", RLIMIT_AS},         {"RLIMIT_CORE", RLIMIT_CORE},
        {"RLIMIT_CPU", RLIMIT_CPU},       {"RLIMIT_DATA", RLIMIT_DATA},
        {"RLIMIT_FSIZE", RLIMIT_FSIZE},   {"RLIMIT_LOCKS", RLIMIT_LOCKS},
        {"RLIMIT_RSS", RLIMIT_RSS},       {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
        {"RLIMIT_NICE", RLIMIT_NICE},     {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
        {"RLIMIT_NOFILE", RLIMIT_NOFILE}, {"RLIMIT_NPROC", RLIMIT_NPROC},
        {"RLIMIT_RTPRIO", RLIMIT_RTPRIO}, {"RLIMIT_RTTIME", RLIMIT_RTTIME},
        {"RLIMIT_STACK", RLIMIT_STACK},   {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    };
    pid_t pid = start_idle();

    assert_int_equal(sizeof(all) / sizeof(all[0]), RLIM_NLIMITS);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct ct_error err = {0};
        struct parsed parsed;
        struct rlimit before, after;
        char text[128];

        /* What it has may be lowered by everybody. */
        assert_int_equal(prlimit(pid, all[i].resource, NULL, &before), 0);
        rlim_t hard = before.rlim_max > 4096 ? 4096 : before.rlim_max;
        rlim_t soft = hard > 0 ? hard - 1 : 0;
        (void)snprintf(text, sizeof(text), "[{\"type\":\"%s\",\"soft\":%llu,\"hard\":%llu}]",
                       all[i].name, (unsigned long long)soft, (unsigned long long)hard);
        assert_int_equal(parse(text, &parsed, &err), 0);
        assert_int_equal(lc_rlimits_apply(parsed.limits, parsed.n, pid, &err), 0);
        assert_int_equal(prlimit(pid, all[i].resource, NULL, &after), 0);
        assert_int_equal(after.rlim_cur, soft);
        assert_int_equal(after.rlim_max, hard);
        done(&parsed);
    }
    end_idle(pid);
}

/* Takes CAP_SYS_RESOURCE away from a child, which then asks for too much. */
static void ask_for_too_much(int report_fd)
{
    struct ct_error err = {0};
    const struct rlimit low = {10, 20};
    const struct lc_rlimit limit = {RLIMIT_NOFILE, "RLIMIT_NOFILE", {30, RLIM_INFINITY}};
    cap_t caps = cap_get_proc();
    cap_value_t resource = CAP_SYS_RESOURCE;

    if (!caps || setrlimit(RLIMIT_NOFILE, &low) < 0 ||
        cap_set_flag(caps, CAP_EFFECTIVE, 1, &resource, CAP_CLEAR) < 0 || cap_set_proc(caps) < 0) {
        _exit(2);
    }
    (void)cap_free(caps);
    int result = lc_rlimits_apply(&limit, 1, getpid(), &err);
    _exit(result == -1 && ct_error_send(report_fd, &err) == 0 ? 0 : 1);
}

static void a_limit_that_may_not_be_raised_says_how_far_it_may(void **state)
{
    (void)state;
    struct ct_error err = {0}, received;
    int ends[2], status = -1;
    char line[1024];

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        ask_for_too_much(ends[1]);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(ct_error_receive(ends[0], &received, &err), 1);
    assert_int_equal(received.kind, CT_DENIED);
    assert_string_equal(ct_error_render(&received, line, sizeof(line)),
                        "set RLIMIT_NOFILE to 30 (hard: unlimited): Operation not permitted "
                        "(EPERM); try: a hard limit of at most 20, the runtime's own; more needs "
                        "CAP_SYS_RESOURCE and is never over fs.nr_open");
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

static void a_process_that_has_ended_is_an_error(void **state)
{
    (void)state;
    struct ct_error err = {0};
    const struct lc_rlimit limit = {RLIMIT_CORE, "RLIMIT_CORE", {0, 0}};
    pid_t pid = start_idle();

    end_idle(pid);
    assert_int_equal(lc_rlimits_apply(&limit, 1, pid, &err), -1);
    assert_int_equal(err.sys, ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_read_with_all_bits_as_unlimited),
        cmocka_unit_test(no_limits_are_no_error),
        cmocka_unit_test(wrong_limits_are_named),
        cmocka_unit_test(another_process_gets_all_sixteen),
        cmocka_unit_test(a_limit_that_may_not_be_raised_says_how_far_it_may),
        cmocka_unit_test(a_process_that_has_ended_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
