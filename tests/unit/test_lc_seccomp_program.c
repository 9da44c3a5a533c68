/*
 * test_lc_seccomp_program.c - what the program made of a profile answers: the same as libseccomp's,
 * for many profiles and all calls.
 */
#define CT_LAYER "test"
#include "seccomp.h"

#include "cleanup.h"
#include "filter_reference.h"
#include "json.h"
#include "path.h"
#include "syscall_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ALL_ARCHS "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\""
#else
#define ALL_ARCHS "\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\""
#endif

static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    json_t *document = ct_json_parse(text, strlen(text), &err);

    assert_non_null(document);
    return document;
}

static struct lc_seccomp compile(const json_t *document)
{
    struct lc_seccomp filter = {0};
    struct ct_error err = {0};
    char line[512];

    if (lc_seccomp_compile(document, &filter, &err) < 0) {
        fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
    }
    return filter;
}

/* ---- the same answers as libseccomp --------------------------------------------------------- */

/* Numbers that can be repeated when a test fails. */
static uint32_t random_state;

static uint32_t pick(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

static const uint64_t values[] = {
    0,          1,          2,          8,           38,          0x20000,           0x7e020000,
    0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000026, 0x7fffffffffffffff};

static uint64_t pick_value(void)
{
    return values[pick(sizeof(values) / sizeof(values[0]))];
}

static json_t *pick_condition(int argument)
{
    static const char *const operators[] = {"SCMP_CMP_NE",       "SCMP_CMP_LT", "SCMP_CMP_LE",
                                            "SCMP_CMP_EQ",       "SCMP_CMP_GE", "SCMP_CMP_GT",
                                            "SCMP_CMP_MASKED_EQ"};
    const char *compare = operators[pick(7)];
    json_int_t value = (json_int_t)pick_value(), value_two = (json_int_t)pick_value();

    return json_pack("{s:i,s:I,s:I,s:s}", "index", argument, "value", value, "valueTwo", value_two,
                     "op", compare);
}

/*
 * Each name once, with conditions on different arguments: of several rules with ranges or with
 * several conditions libseccomp 2.5 may find none although one is met, or one although none is.
 */
static json_t *pick_profile(void)
{
    static const char *const names[] = {
        "read",   "clone",        "personality", "socket",  "bind",   "shmget",
        "openat", "msgctl",       "ioctl",       "prctl",   "fcntl",  "statx",
        "getpid", "uname",        "sendto",      "mmap",    "execve", "ptrace",
        "futex",  "no_such_call", "open",        "waitpid", "mseal",  "io_setup"};
    static const char *const actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRAP",
                                          "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO"};
    json_t *profile = json_pack("{s:s,s:[]}", "defaultAction", actions[pick(5)], "syscalls");
    CT_AUTO_FREE char *archs = ct_strdup("[" ALL_ARCHS "]");

    if (pick(3) > 0) {
        ct_json_set(profile, "architectures", parse(archs));
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_t *args = json_array();
        for (int k = (int)pick(4); k > 0; k--) {
            ct_json_append(args, pick_condition((int)pick(2) + 2 * k - 2));
        }
        json_t *entry = json_pack("{s:[s],s:s,s:o}", "names", names[i], "action", actions[pick(5)],
                                  "args", args);
        ct_json_append(json_object_get(profile, "syscalls"), entry);
    }
    return profile;
}

struct comparison {
    const json_t *profile;
    struct lc_seccomp ours;
    struct sock_filter *theirs;
    size_t n_theirs;
};

static void compare_answers(const struct comparison *comparison, const struct seccomp_data *data,
                            int64_t last)
{
    uint32_t ours = run_filter(comparison->ours.program, comparison->ours.n_instructions, data);
    uint32_t theirs = run_filter(comparison->theirs, comparison->n_theirs, data);
    /* This is runc's, not libseccomp's. */
    bool is_new =
        last >= 0 && (int64_t)(uint32_t)data->nr > last && ours == (SECCOMP_RET_ERRNO | ENOSYS);

    if (ours != theirs && !is_new) {
        CT_AUTO_FREE char *text = ct_json_text(comparison->profile);
        fail_msg("call %#x of %#x (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): %#x, not %#x; %s",
                 (unsigned)data->nr, data->arch, data->args[0], data->args[1], data->args[2],
                 data->args[3], data->args[4], data->args[5], ours, theirs, text);
    }
}

/* All calls of one kind of program, each with a few arguments. */
static void compare_arch(const struct comparison *comparison, const struct lc_syscall_arch *arch,
                         unsigned n_tries)
{
    int64_t last = reference_last(comparison->profile, arch->token);

    for (uint32_t number = 0; number < 600; number++) {
        for (unsigned i = 0; i < n_tries; i++) {
            struct seccomp_data data = {.nr = (int)(arch->first | number), .arch = arch->audit};
            for (int k = 0; k < 6; k++) {
                data.args[k] = pick_value();
                data.args[k] += pick(3);
                data.args[k] -= 1;
                data.args[k] &= arch->is_wide ? UINT64_MAX : UINT32_MAX;
            }
            data.args[0] = pick(2) ? data.args[0] : pick(30); /* of socketcall(2) and ipc(2) */
            compare_answers(comparison, &data, last);
        }
    }
}

static void compare(const json_t *profile, unsigned n_tries)
{
    struct comparison comparison = {.profile = profile, .ours = compile(profile)};
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);

    comparison.theirs = reference_compile(profile, &comparison.n_theirs);
    for (size_t i = 0; i < n; i++) {
        compare_arch(&comparison, &archs[i], n_tries);
    }
    for (uint32_t number = 0; number < 600; number++) {
        const struct seccomp_data foreign = {.nr = (int)number, .arch = AUDIT_ARCH_S390X};
        compare_answers(&comparison, &foreign, -1);
    }
    free(comparison.theirs);
    lc_seccomp_done(&comparison.ours);
}

static void programs_answer_as_libseccomps_do(void **state)
{
    (void)state;

    for (uint32_t seed = 1; seed <= 60; seed++) {
        random_state = seed;
        CT_AUTO_JSON json_t *profile = pick_profile();
        compare(profile, 12);
    }
}

/* Of one call, with each small first argument. */
static void compare_call(const char *text, const char *name)
{
    CT_AUTO_JSON json_t *profile = parse(text);
    struct comparison comparison = {.profile = profile, .ours = compile(profile)};
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);

    comparison.theirs = reference_compile(profile, &comparison.n_theirs);
    for (size_t i = 0; i < n; i++) {
        struct lc_syscall ways[LC_SYSCALL_WAYS];
        size_t n_ways = lc_syscall_ways(&archs[i], name, ways);
        assert_true(n_ways > 0);
        for (size_t k = 0; k < n_ways; k++) {
            for (unsigned a = 0; a < 60 * 3; a++) {
                const struct seccomp_data data = {
                    .nr = (int)ways[k].number, .arch = archs[i].audit, .args = {a / 3, a % 3}};
                compare_answers(&comparison, &data, -1);
            }
        }
    }
    free(comparison.theirs);
    lc_seccomp_done(&comparison.ours);
}

#define RULE(action, compare, value)                                                     \
    "{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_" action "\",\"args\":[{\"index\":0," \
    "\"op\":\"SCMP_CMP_" compare "\",\"value\":" #value "}]}"

static void of_several_rules_the_same_one_counts_as_in_libseccomp(void **state)
{
    (void)state;
    static const char head[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[" ALL_ARCHS "],\"syscalls\":[";
    static const char all[] = "{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_ALLOW\"}";
    static const char *const rules[][2] = {
        {RULE("TRAP", "EQ", 38), all}, /* the one without conditions */
        {all, RULE("TRAP", "EQ", 38)},
        {RULE("TRAP", "EQ", 38), RULE("ALLOW", "LE", 45)}, /* equality */
        {RULE("ALLOW", "LE", 45), RULE("TRAP", "EQ", 38)},
        {RULE("TRAP", "EQ", 38), RULE("LOG", "EQ", 38)}, /* the first */
        {"{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_TRAP\"}", all},
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        CT_AUTO_FREE char *text = ct_printf("%s%s,%s]}", head, rules[i][0], rules[i][1]);
        compare_call(text, "openat");
    }
}

#define IS(argument, value) "{\"index\":" #argument ",\"op\":\"SCMP_CMP_EQ\",\"value\":" #value "}"

static void two_conditions_on_one_argument_are_alternatives(void **state)
{
    (void)state;
    static const char *const args[] = {IS(0, 7), IS(0, 7) "," IS(0, 9), IS(0, 7) "," IS(1, 2),
                                       IS(0, 7) "," IS(1, 2) "," IS(0, 9),
                                       IS(1, 2) "," IS(0, 7) "," IS(1, 0)};

    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        CT_AUTO_FREE char *text =
            ct_printf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[%s],\"syscalls\":[{"
                      "\"names\":[\"openat\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[%s]}]}",
                      ALL_ARCHS, args[i]);
        compare_call(text, "openat");
    }
}

/* Programs of all lengths, so that some jumps go just as far as one byte can say, and farther. */
static void jumps_reach_far(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *profile =
        json_pack("{s:s,s:[]}", "defaultAction", "SCMP_ACT_ERRNO", "syscalls");
    size_t n_archs = 0;
    const struct lc_syscall_arch *arch = lc_syscall_archs(&n_archs);

    for (unsigned n = 0; n < 300; n++) {
        ct_json_append(json_object_get(profile, "syscalls"),
                       json_pack("{s:[s],s:s,s:[{s:i,s:i,s:s}]}", "names", n % 3 ? "read" : "write",
                                 "action", "SCMP_ACT_ALLOW", "args", "index", 0, "value", (int)n,
                                 "op", "SCMP_CMP_EQ"));
        struct lc_seccomp filter = compile(profile);
        for (unsigned i = 0; i <= n + 1; i++) {
            struct seccomp_data data = {
                .nr = i % 3 ? SYS_read : SYS_write, .arch = arch->audit, .args = {i}};
            assert_int_equal(run_filter(filter.program, filter.n_instructions, &data),
                             i <= n ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
        }
        lc_seccomp_done(&filter);
    }
}

/* ---- what libseccomp does not always find --------------------------------------------------- */

static bool is_met(json_t *condition, const struct seccomp_data *data, bool is_wide)
{
    const char *compare = ct_json_string(condition, "op", "");
    uint64_t mask = is_wide ? UINT64_MAX : UINT32_MAX;
    uint64_t value = (uint64_t)ct_json_integer(condition, "value", 0) & mask;
    uint64_t value_two = (uint64_t)ct_json_integer(condition, "valueTwo", 0) & mask;
    uint64_t argument = data->args[ct_json_integer(condition, "index", 0)] & mask;

    return strcmp(compare, "SCMP_CMP_NE") == 0   ? argument != value
           : strcmp(compare, "SCMP_CMP_LT") == 0 ? argument < value
           : strcmp(compare, "SCMP_CMP_LE") == 0 ? argument <= value
           : strcmp(compare, "SCMP_CMP_EQ") == 0 ? argument == value
           : strcmp(compare, "SCMP_CMP_GE") == 0 ? argument >= value
           : strcmp(compare, "SCMP_CMP_GT") == 0 ? argument > value
                                                 : (argument & value) == (value_two & value);
}

/* "openat" is allowed when all conditions of one of the entries are met. */
static bool is_allowed(const json_t *profile, const struct seccomp_data *data, bool is_wide)
{
    size_t i, k;
    json_t *entry, *condition;

    json_array_foreach(json_object_get(profile, "syscalls"), i, entry)
    {
        bool all = true;
        json_array_foreach(json_object_get(entry, "args"), k, condition)
        {
            all = all && is_met(condition, data, is_wide);
        }
        if (all) {
            return true;
        }
    }
    return false;
}

static json_t *pick_entries(void)
{
    json_t *profile = parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[" ALL_ARCHS
                            "],\"syscalls\":[]}");

    for (int i = 0; i < 4; i++) {
        json_t *args = json_array();
        ct_json_append(args, pick_condition((int)pick(2)));
        ct_json_append(args, pick_condition((int)pick(2) + 2));
        ct_json_append(json_object_get(profile, "syscalls"),
                       json_pack("{s:[s],s:s,s:o}", "names", "openat", "action", "SCMP_ACT_ALLOW",
                                 "args", args));
    }
    return profile;
}

static void check_one_call(const struct lc_seccomp *filter, const json_t *profile,
                           const struct lc_syscall_arch *arch)
{
    struct lc_syscall call[LC_SYSCALL_WAYS];

    assert_int_equal(lc_syscall_ways(arch, "openat", call), 1);
    struct seccomp_data data = {.nr = (int)call[0].number, .arch = arch->audit};
    for (int k = 0; k < 4; k++) {
        data.args[k] = pick_value() & (arch->is_wide ? UINT64_MAX : UINT32_MAX);
    }
    assert_int_equal(run_filter(filter->program, filter->n_instructions, &data),
                     is_allowed(profile, &data, arch->is_wide) ? SECCOMP_RET_ALLOW
                                                               : SECCOMP_RET_ERRNO | EPERM);
}

static void one_of_several_rules_is_enough(void **state)
{
    (void)state;
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);

    for (uint32_t seed = 1; seed <= 200; seed++) {
        random_state = seed;
        CT_AUTO_JSON json_t *profile = pick_entries();
        struct lc_seccomp filter = compile(profile);
        for (uint32_t i = 0; i < 300; i++) {
            check_one_call(&filter, profile, &archs[i % n]);
        }
        lc_seccomp_done(&filter);
    }
}

/* ---- what is not libseccomp's ---------------------------------------------------------------- */

static uint32_t answer(const struct lc_seccomp *filter, uint32_t arch, uint32_t number)
{
    const struct seccomp_data data = {.nr = (int)number, .arch = arch};

    return run_filter(filter->program, filter->n_instructions, &data);
}

static void calls_newer_than_the_profile_are_missing_not_forbidden(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *refuses =
        parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[" ALL_ARCHS "],"
              "\"syscalls\":[{\"names\":[\"openat2\"],\"action\":\"SCMP_ACT_ALLOW\"},"
              "{\"names\":[\"faccessat2\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
    CT_AUTO_JSON json_t *logs =
        parse("{\"defaultAction\":\"SCMP_ACT_LOG\","
              "\"syscalls\":[{\"names\":[\"openat2\"],\"action\":\"SCMP_ACT_ERRNO\"}]}");
    struct lc_seccomp filter = compile(refuses);
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(answer(&filter, archs[i].audit, archs[i].first | 437), SECCOMP_RET_ALLOW);
        assert_int_equal(answer(&filter, archs[i].audit, archs[i].first | 438),
                         SECCOMP_RET_ERRNO | EPERM);
        assert_int_equal(answer(&filter, archs[i].audit, archs[i].first | 439),
                         SECCOMP_RET_ERRNO | EPERM); /* named, if only to be refused */
        assert_int_equal(answer(&filter, archs[i].audit, archs[i].first | 440),
                         SECCOMP_RET_ERRNO | ENOSYS);
    }
    lc_seccomp_done(&filter);
    filter = compile(logs);
    assert_int_equal(answer(&filter, archs[0].audit, 440), SECCOMP_RET_LOG);
    lc_seccomp_done(&filter);
}

#if defined(__x86_64__)
/* accept(2) is only behind socketcall(2): there is no number that could be taken for it. */
static void a_call_without_a_number_is_found_behind_its_multiplexer(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *profile =
        parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],"
              "\"syscalls\":[{\"names\":[\"accept\"],\"action\":\"SCMP_ACT_TRAP\"}]}");
    struct lc_seccomp filter = compile(profile);

    for (uint32_t number = 0; number < 600; number++) {
        for (uint64_t a = 0; a < 25; a++) {
            const struct seccomp_data data = {
                .nr = (int)number, .arch = AUDIT_ARCH_I386, .args = {a}};
            bool is_accept = number == 102 && a == 5;
            assert_int_equal(run_filter(filter.program, filter.n_instructions, &data),
                             is_accept ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
        }
    }
    lc_seccomp_done(&filter);
}

/* What a tracer skips is call -1: it is no call of x32, which is killed where it is not allowed. */
static void x32_is_killed_unless_the_profile_has_it(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *without = parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
    CT_AUTO_JSON json_t *with = parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":"
                                      "[\"SCMP_ARCH_X32\",\"SCMP_ARCH_MIPS\"]}");
    struct lc_seccomp filter = compile(without);

    assert_int_equal(answer(&filter, AUDIT_ARCH_X86_64, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(&filter, AUDIT_ARCH_X86_64, 0x40000000), SECCOMP_RET_KILL_THREAD);
    assert_int_equal(answer(&filter, AUDIT_ARCH_X86_64, UINT32_MAX), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(&filter, AUDIT_ARCH_I386, 0), SECCOMP_RET_KILL_THREAD);
    lc_seccomp_done(&filter);
    filter = compile(with);
    assert_int_equal(answer(&filter, AUDIT_ARCH_X86_64, 0x40000000), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(&filter, AUDIT_ARCH_I386, 0), SECCOMP_RET_KILL_THREAD);
    lc_seccomp_done(&filter);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_answer_as_libseccomps_do),
        cmocka_unit_test(of_several_rules_the_same_one_counts_as_in_libseccomp),
        cmocka_unit_test(two_conditions_on_one_argument_are_alternatives),
        cmocka_unit_test(one_of_several_rules_is_enough),
        cmocka_unit_test(jumps_reach_far),
        cmocka_unit_test(calls_newer_than_the_profile_are_missing_not_forbidden),
#if defined(__x86_64__)
        cmocka_unit_test(a_call_without_a_number_is_found_behind_its_multiplexer),
        cmocka_unit_test(x32_is_killed_unless_the_profile_has_it),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
