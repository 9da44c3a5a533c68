/*
 * test_image_ref.c - image names: Docker's grammar, defaults and refusals.
 *
 * Room:       tests.
 * Spec:       distribution/reference, reference.go and normalize.go.
 */
#include "images.h"

#include "cleanup.h"
#include "error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX64
#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct pair {
    const char *given, *wanted;
};

static void names_get_dockers_domain_repository_and_tag(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"busybox", "docker.io/library/busybox:latest"},
        {"busybox:1.36", "docker.io/library/busybox:1.36"},
        {"user/app", "docker.io/user/app:latest"},
        {"docker.io/busybox", "docker.io/library/busybox:latest"},
        {"index.docker.io/busybox", "docker.io/library/busybox:latest"},
        {"docker.io/library/busybox", "docker.io/library/busybox:latest"},
        {"localhost/x", "localhost/x:latest"},
        {"localhost:5000/x:y", "localhost:5000/x:y"},
        {"x:5000/y", "x:5000/y:latest"},
        {"registry.example.com/a/b/c:T_1.0-x", "registry.example.com/a/b/c:T_1.0-x"},
        {"[::1]:5000/x", "[::1]:5000/x:latest"},
        {"Registry/x", "Registry/x:latest"}, /* capitals make it a host's name */
        {"a__b/c---d/e.f_g", "docker.io/a__b/c---d/e.f_g:latest"},
        {"busybox@" DIGEST, "docker.io/library/busybox@" DIGEST},
        {"busybox:1@" DIGEST, "docker.io/library/busybox:1@" DIGEST},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct ct_error err = {0};
        CT_AUTO_FREE char *full = image_ref_normalize(pairs[i].given, &err);
        assert_non_null(full);
        assert_string_equal(full, pairs[i].wanted);
    }
}

static void a_normal_name_stays_as_it_is_when_normalized_again(void **state)
{
    (void)state;
    static const char *const names[] = {"busybox", "x:5000/y", "a/b:c", "q@" DIGEST};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct ct_error err = {0};
        CT_AUTO_FREE char *once = image_ref_normalize(names[i], &err);
        CT_AUTO_FREE char *twice = image_ref_normalize(once, &err);
        assert_string_equal(once, twice);
    }
}

static void bad_names_are_refused_in_dockers_words(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"", "invalid reference format"},
        {":tag", "invalid reference format"},
        {"busybox:", "invalid reference format"},
        {"busybox:-x", "invalid reference format"},
        {"busybox:a b", "invalid reference format"},
        {"-busybox", "invalid reference format"},
        {"busy..box", "invalid reference format"},
        {"busy___box", "invalid reference format"},
        {"a//b", "invalid reference format"},
        {"/a", "invalid reference format"},
        {"a/", "invalid reference format"},
        {"../a", "invalid reference format"},
        {"-host.com/a", "invalid reference format"},
        {"host.com:port/a", "invalid reference format"},
        {"a@sha256:abc", "invalid reference format"},
        {"a@md5:" HEX64, "invalid reference format"},
        {"a:" LONG64 LONG64 "x", "invalid reference format"},
        {"Busybox",
         "invalid reference format: repository name (library/Busybox) must be lowercase"},
        {"user/App:1", "invalid reference format: repository name (user/App) must be lowercase"},
        {HEX64, "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings"},
        {LONG64 "/" LONG64 "/" LONG64 "/" LONG64,
         "repository name must not be more than 255 characters"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        struct ct_error err = {0};
        assert_null(image_ref_normalize(pairs[i].given, &err));
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].layer, "images");
        assert_string_equal(err.frame[0].what, pairs[i].wanted);
    }
}

static void a_name_of_ten_thousand_bytes_is_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char name[10001];
    (void)memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';

    assert_null(image_ref_normalize(name, &err));
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "invalid reference format");
}

static void familiar_names_are_the_way_back(void **state)
{
    (void)state;
    static const struct {
        const char *full, *with_tag, *without;
    } rows[] = {
        {"docker.io/library/busybox:latest", "busybox:latest", "busybox"},
        {"docker.io/library/busybox:1", "busybox:1", "busybox:1"},
        {"docker.io/user/app:latest", "user/app:latest", "user/app"},
        {"localhost/x:latest", "localhost/x:latest", "localhost/x"},
        {"docker.io/library/a/b:latest", "library/a/b:latest", "library/a/b"},
        {"docker.io/b.io/x:latest", "docker.io/b.io/x:latest", "docker.io/b.io/x"}, /* fuzzed */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        CT_AUTO_FREE char *with_tag = image_ref_familiar(rows[i].full, false);
        CT_AUTO_FREE char *without = image_ref_familiar(rows[i].full, true);
        assert_string_equal(with_tag, rows[i].with_tag);
        assert_string_equal(without, rows[i].without);
    }
}

static void splitting_gives_the_columns_of_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *reference, *repository, *tag;
    } rows[] = {
        {"busybox", "busybox", "latest"},         {"x:5000/y", "x:5000/y", "latest"},
        {"x:5000/y:z", "x:5000/y", "z"},          {"docker.io/library/busybox:1", "busybox", "1"},
        {"busybox@" DIGEST, "busybox", "<none>"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ct_error err = {0};
        CT_AUTO_FREE char *repository = NULL;
        CT_AUTO_FREE char *tag = NULL;
        assert_int_equal(image_ref_split(rows[i].reference, &repository, &tag, &err), 0);
        assert_string_equal(repository, rows[i].repository);
        assert_string_equal(tag, rows[i].tag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_dockers_domain_repository_and_tag),
        cmocka_unit_test(a_normal_name_stays_as_it_is_when_normalized_again),
        cmocka_unit_test(bad_names_are_refused_in_dockers_words),
        cmocka_unit_test(a_name_of_ten_thousand_bytes_is_refused),
        cmocka_unit_test(familiar_names_are_the_way_back),
        cmocka_unit_test(splitting_gives_the_columns_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
