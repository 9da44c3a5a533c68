/*
 * test_spec_seccomp_profile.c - profiles of the user's own in Docker's format: which entries are
 * for a container with these capabilities, on this machine and kernel.
 */
#define CT_LAYER "test"
#include "seccomp_profile.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <string.h>
#include <sys/utsname.h>

#if defined(__x86_64__)
#define HERE      "amd64"
#define ELSEWHERE "arm64"
#define OURS      "SCMP_ARCH_X86_64"
#else
#define HERE      "arm64"
#define ELSEWHERE "amd64"
#define OURS      "SCMP_ARCH_AARCH64"
#endif

#define CAPS (UINT64_C(1) << CAP_KILL | UINT64_C(1) << CAP_SYS_ADMIN)

static json_t *convert(const char *text, struct ct_error *err)
{
    CT_AUTO_JSON json_t *profile = ct_json_parse(text, strlen(text), err);

    assert_non_null(profile);
    return spec_seccomp_profile(profile, CAPS, err);
}

/* Whether the one entry, with these conditions, is taken. */
static bool is_taken(const char *conditions)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = ct_printf("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
                                        "\"names\":[\"acct\"],\"action\":\"SCMP_ACT_ALLOW\"%s}]}",
                                        conditions);
    CT_AUTO_JSON json_t *ours = convert(text, &err);

    assert_non_null(ours);
    return ct_json_count(json_object_get(ours, "syscalls")) == 1;
}

#define INCLUDES(what) ",\"includes\":{" what "}"
#define EXCLUDES(what) ",\"excludes\":{" what "}"

static void an_entry_is_for_whom_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *conditions;
        bool taken;
    } table[] = {
        {"", true},
        {",\"includes\":null,\"excludes\":{}", true},
        {INCLUDES("\"caps\":[\"CAP_KILL\"]"), true},
        {INCLUDES("\"caps\":[\"CAP_CHOWN\"]"), false},
        {INCLUDES("\"caps\":[\"CAP_KILL\",\"CAP_CHOWN\"]"), false}, /* all of them */
        {INCLUDES("\"caps\":[\"CAP_NO_SUCH\"]"), false},
        {INCLUDES("\"caps\":[]"), true},
        {EXCLUDES("\"caps\":[\"CAP_KILL\"]"), false},
        {EXCLUDES("\"caps\":[\"CAP_CHOWN\",\"CAP_KILL\"]"), false}, /* one is enough */
        {EXCLUDES("\"caps\":[\"CAP_CHOWN\"]"), true},
        {INCLUDES("\"arches\":[\"" ELSEWHERE "\",\"" HERE "\"]"), true},
        {INCLUDES("\"arches\":[\"" ELSEWHERE "\"]"), false},
        {EXCLUDES("\"arches\":[\"" HERE "\"]"), false},
        {EXCLUDES("\"arches\":[\"" ELSEWHERE "\"]"), true},
        {INCLUDES("\"minKernel\":\"4.8\""), true},
        {INCLUDES("\"minKernel\":\"5.0\""), true},
        {INCLUDES("\"minKernel\":\"999.0\""), false},
        {EXCLUDES("\"minKernel\":\"4.8\""), false},
        {EXCLUDES("\"minKernel\":\"999.0\""), true},
        {INCLUDES("\"caps\":[\"CAP_KILL\"],\"arches\":[\"" ELSEWHERE "\"]"), false},
        {INCLUDES("\"caps\":[\"CAP_KILL\"]") EXCLUDES("\"arches\":[\"" HERE "\"]"), false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (is_taken(table[i].conditions) != table[i].taken) {
            fail_msg("%s: %s", table[i].conditions, table[i].taken ? "left out" : "taken");
        }
    }
}

static void a_kernel_is_as_new_as_itself_and_older_than_the_next(void **state)
{
    (void)state;
    unsigned major = 0, minor = 0;
    struct utsname name;

    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
    CT_AUTO_FREE char *this = ct_printf(",\"includes\":{\"minKernel\":\"%u.%u\"}", major, minor);
    CT_AUTO_FREE char *next =
        ct_printf(",\"includes\":{\"minKernel\":\"%u.%u\"}", major, minor + 1);

    assert_true(is_taken(this));
    assert_false(is_taken(next));
}

static void what_oci_has_too_is_passed_on(void **state)
{
    (void)state;
    struct ct_error err = {0};
    static const char same[] =
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":2,"
        "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],\"listenerPath\":\"/"
        "a\",\"listenerMetadata\":\"b\","
        "\"architectures\":[\"SCMP_ARCH_X86\"],\"syscalls\":[{\"names\":[\"read\"],\"action\":"
        "\"SCMP_ACT_ERRNO\",\"errnoRet\":3,\"args\":[{\"index\":0,\"value\":1,\"op\":"
        "\"SCMP_CMP_EQ\"}]}]}";
    CT_AUTO_JSON json_t *expected = json_loads(same, 0, NULL);
    CT_AUTO_JSON json_t *ours = convert(same, &err);

    assert_true(json_equal(ours, expected));
}

static void an_older_format_has_one_name(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *ours =
        convert("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":null,\"syscalls\":[{"
                "\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":null,\"comment\":\"\"}]}",
                &err);
    CT_AUTO_JSON json_t *expected = json_loads(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\","
        "\"names\":[\"read\"]}]}",
        0, NULL);
    struct lc_seccomp filter = {0};

    assert_true(json_equal(ours, expected));
    assert_int_equal(lc_seccomp_compile(ours, &filter, &err), 0);
    lc_seccomp_done(&filter);
}

static void the_map_says_what_goes_with_this_machine(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *ours =
        convert("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":["
                "{\"architecture\":\"SCMP_ARCH_S390X\",\"subArchitectures\":[\"SCMP_ARCH_S390\"]},"
                "{\"architecture\":\"" OURS "\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}]}",
                &err);
    CT_AUTO_JSON json_t *expected = json_pack("[s,s]", OURS, "SCMP_ARCH_X86");

    assert_true(json_equal(json_object_get(ours, "architectures"), expected));
}

static void an_empty_profile_is_no_filter(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *ours = convert("{\"syscalls\":[]}", &err);

    assert_true(json_is_null(ours));
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        {"[]", "use the seccomp profile: it must be an object"},
        {"{\"syscalls\":7,\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
         "use the seccomp profile: profile.syscalls must be an array"},
        {"{\"syscalls\":[7]}", "use the seccomp profile: profile.syscalls[0] must be an object"},
        {"{\"syscalls\":[{\"name\":\"read\",\"names\":[\"read\"]}]}",
         "use the seccomp profile: syscalls[0].name must be alone, without names"},
        {"{\"syscalls\":[{\"includes\":7}]}",
         "use the seccomp profile: syscalls[0].includes must be an object"},
        {"{\"syscalls\":[{\"excludes\":{\"caps\":\"CAP_KILL\"}}]}",
         "use the seccomp profile: syscalls[0].excludes.caps must be an array"},
        {"{\"syscalls\":[{\"includes\":{\"minKernel\":\"4.8-rc1\"}}]}",
         "use the seccomp profile: syscalls[0].includes.minKernel must be a version such as "
         "\"4.8\""},
        {"{\"syscalls\":[{\"includes\":{\"minKernel\":\"48\"}}]}",
         "use the seccomp profile: syscalls[0].includes.minKernel must be a version such as "
         "\"4.8\""},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],\"archMap\":["
         "{\"architecture\":\"SCMP_ARCH_X86\"}]}",
         "use the seccomp profile: profile.archMap must be alone, without architectures"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct ct_error err = {0};
        assert_null(convert(table[i].text, &err));
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, table[i].what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_for_whom_it_says),
        cmocka_unit_test(a_kernel_is_as_new_as_itself_and_older_than_the_next),
        cmocka_unit_test(what_oci_has_too_is_passed_on),
        cmocka_unit_test(an_older_format_has_one_name),
        cmocka_unit_test(the_map_says_what_goes_with_this_machine),
        cmocka_unit_test(an_empty_profile_is_no_filter),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
