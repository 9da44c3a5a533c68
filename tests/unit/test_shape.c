/*
 * test_shape.c - documents and the form that they must have.
 */
#define CT_LAYER "test"
#include "shape.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static const struct ct_shape rows[] = {
    {"Name", CT_TEXT},  {"Size", CT_INTEGER}, {"Labels", CT_OBJECT},        {"Labels.*", CT_TEXT},
    {"Words", CT_LIST}, {"Words[]", CT_TEXT}, {"Ports.*[].On", CT_BOOLEAN}, {NULL, CT_TEXT},
};

static int check(const char *text, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), err);
    assert_non_null(document);
    return ct_shape_check(document, rows, "Config", err);
}

static void what_fits_is_missing_null_or_unknown_passes(void **state)
{
    (void)state;
    static const char *const right[] = {
        "{}",
        "{\"Name\":\"a\",\"Size\":1,\"Labels\":{\"a\":\"b\"},\"Words\":[\"x\"]}",
        "{\"Ports\":{\"80\":[{\"On\":true}]}}",
        "{\"Name\":null,\"Labels\":null,\"Words\":[null],\"Ports\":{\"80\":null}}",
        "{\"Other\":[{}],\"Ports\":{\"80\":[{\"Else\":5}]}}",
    };
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        struct ct_error err = {0};
        assert_int_equal(check(right[i], &err), 0);
    }
}

static void what_does_not_fit_is_named_by_its_place(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"Name\":5}", "read field 'Config.Name': it is not a string"},
        {"{\"Size\":\"1\"}", "read field 'Config.Size': it is not an integer"},
        {"{\"Size\":1.5}", "read field 'Config.Size': it is not an integer"},
        {"{\"Labels\":[]}", "read field 'Config.Labels': it is not an object"},
        {"{\"Labels\":{\"a\":\"b\",\"c\":5}}", "read field 'Config.Labels.c': it is not a string"},
        {"{\"Words\":\"x\"}", "read field 'Config.Words': it is not an array"},
        {"{\"Words\":[\"a\",[]]}", "read field 'Config.Words[1]': it is not a string"},
        {"{\"Ports\":{\"80\":[{},{\"On\":0}]}}",
         "read field 'Config.Ports.80[1].On': it is not a boolean"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        assert_int_equal(check(wrong[i][0], &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
    }
}

static void a_place_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char key[400];
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    CT_AUTO_JSON json_t *document = json_pack("{s:{s:i}}", "Labels", key, 5);

    assert_int_equal(ct_shape_check(document, rows, "", &err), -1);

    assert_memory_equal(err.frame[0].what, "read field 'Labels.kkk", 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_missing_null_or_unknown_passes),
        cmocka_unit_test(what_does_not_fit_is_named_by_its_place),
        cmocka_unit_test(a_place_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
