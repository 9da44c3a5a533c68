/*
 * test_engine_filters.c - filters of lists, in both spellings of the API.
 */
#define CT_LAYER "test"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    json_t *json = ct_json_parse(text, strlen(text), &err);
    assert_non_null(json);
    return json;
}

static void both_spellings_mean_the_same(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *list = parse("{\"status\":[\"running\",\"paused\"]}");
    CT_AUTO_JSON json_t *map = parse("{\"status\":{\"running\":true,\"paused\":true}}");

    assert_true(filters_match(list, "status", "paused"));
    assert_true(filters_match(map, "status", "paused"));
    assert_false(filters_match(list, "status", "exited"));
    assert_false(filters_match(map, "status", "exited"));
}

static void no_filter_matches_everything(void **state)
{
    (void)state;

    assert_true(filters_match(NULL, "status", "exited"));
    assert_true(filters_match_regex(NULL, "name", "web"));
    assert_true(filters_match_labels(NULL, NULL));
}

static void an_unknown_filter_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const known[] = {"name", NULL};
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *filters = parse("{\"colour\":[\"red\"]}");

    assert_int_equal(filters_check(filters, known, &err), -1);

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "invalid filter 'colour'");
}

static void names_match_as_expressions_and_ids_by_prefix(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *filters = parse("{\"name\":[\"^we\"],\"id\":[\"abc\"]}");

    assert_true(filters_match_regex(filters, "name", "web"));
    assert_false(filters_match_regex(filters, "name", "my-web"));
    assert_true(filters_match_prefix(filters, "id", "abcdef"));
    assert_false(filters_match_prefix(filters, "id", "xabc"));
}

static void a_bad_expression_matches_nothing(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *filters = parse("{\"name\":[\"([\"]}");

    assert_false(filters_match_regex(filters, "name", "(["));
}

/* Each of these took all memory, the whole stack or hours from the C library's regcomp or regexec.
 */
static void a_hostile_expression_costs_little_and_matches_nothing(void **state)
{
    (void)state;
    static char brackets[60001];
    memset(brackets, '(', sizeof(brackets) - 1);
    const char *const hostile[] = {brackets, "((a{1,255}){1,255}){1,255}",
                                   "(.*++++++++++++++++++++++++++++++++++++(w+))",
                                   "^(((((((a+)+)+)+)+)+)+)+$", "^(a?){40}(a*)*\\2b$"};

    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        CT_AUTO_JSON json_t *filters = json_pack("{s:[s]}", "name", hostile[i]);
        assert_false(filters_match_regex(filters, "name", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
    }
}

static void all_labels_must_hold(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *labels = parse("{\"a\":\"1\",\"b\":\"\"}");
    CT_AUTO_JSON json_t *both = parse("{\"label\":[\"a=1\",\"b\"]}");
    CT_AUTO_JSON json_t *other_value = parse("{\"label\":[\"a=2\"]}");
    CT_AUTO_JSON json_t *not_b = parse("{\"label!\":[\"b\"]}");

    assert_true(filters_match_labels(both, labels));
    assert_false(filters_match_labels(other_value, labels));
    assert_false(filters_match_labels(not_b, labels));
    assert_false(filters_match_labels(both, NULL));
}

static void booleans_are_true_or_false_and_nothing_else(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *yes = parse("{\"dangling\":[\"true\"]}");
    CT_AUTO_JSON json_t *maybe = parse("{\"dangling\":[\"maybe\"]}");

    assert_int_equal(filters_bool(yes, "dangling", 0, &err), 1);
    assert_int_equal(filters_bool(NULL, "dangling", 7, &err), 7);
    assert_int_equal(filters_bool(maybe, "dangling", 0, &err), -1);
    assert_string_equal(err.frame[0].what, "invalid filter 'dangling=[maybe]'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_mean_the_same),
        cmocka_unit_test(no_filter_matches_everything),
        cmocka_unit_test(an_unknown_filter_is_refused_by_name),
        cmocka_unit_test(names_match_as_expressions_and_ids_by_prefix),
        cmocka_unit_test(a_bad_expression_matches_nothing),
        cmocka_unit_test(a_hostile_expression_costs_little_and_matches_nothing),
        cmocka_unit_test(all_labels_must_hold),
        cmocka_unit_test(booleans_are_true_or_false_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
