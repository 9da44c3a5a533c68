/*
 * test_json.c - documents: limits of parsing, fields by path, files, strings that are no UTF-8.
 */
#define CT_LAYER "test"
#include "json.h"
#include "utf8.h"

#include "cleanup.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *parse(const char *text, struct ct_error *err)
{
    return ct_json_parse(text, strlen(text), err);
}

static void a_document_that_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "{",           "{\"a\":1,}", "{\"a\":1,\"a\":2}",
                                        "nul", "{\"a\":1} x", "\"\xff\""};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        assert_null(parse(wrong[i], &err));
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "line 1"));
    }
}

static void only_so_many_levels_are_read(void **state)
{
    (void)state;
    char text[2 * (CT_JSON_DEPTH + 1) + 1] = "";
    struct ct_error err = {0};

    memset(text, '[', CT_JSON_DEPTH);
    memset(text + CT_JSON_DEPTH, ']', CT_JSON_DEPTH);
    CT_AUTO_JSON json_t *deepest = parse(text, &err);
    assert_non_null(deepest);
    memset(text, '[', CT_JSON_DEPTH + 1);
    memset(text + CT_JSON_DEPTH + 1, ']', CT_JSON_DEPTH + 1);
    assert_null(parse(text, &err));
    assert_int_equal(err.kind, CT_INVALID);
}

static void fields_are_read_by_path_and_type(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *json =
        parse("{\"a\":{\"b\":{\"c\":\"text\",\"n\":7,\"t\":true}},\"list\":[1,2]}", &err);

    assert_string_equal(ct_json_string(json, "a.b.c", "?"), "text");
    assert_int_equal(ct_json_integer(json, "a.b.n", -1), 7);
    assert_true(ct_json_bool(json, "a.b.t", false));
    assert_string_equal(ct_json_string(json, "a.b.n", "other type"), "other type");
    assert_int_equal(ct_json_integer(json, "a.x.n", -1), -1);
    assert_null(ct_json_get(json, "a.b.c.d"));
    assert_null(ct_json_get(NULL, "a"));
    assert_int_equal(ct_json_count(ct_json_get(json, "list")), 2);
    assert_int_equal(ct_json_count(NULL), 0);
}

static void a_saved_document_is_the_same_when_loaded(void **state)
{
    (void)state;
    char dir[] = "/tmp/ct-json-XXXXXX";
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *json = parse("{\"z\":1,\"a\":[\"\u00e4\",null]}", &err);

    assert_non_null(mkdtemp(dir));
    CT_AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ct_json_save_at(fd, "x.json", json, &err), 0);
    CT_AUTO_JSON json_t *loaded = ct_json_load_at(fd, "x.json", &err);
    assert_true(json_equal(json, loaded));
    CT_AUTO_FREE char *text = ct_json_text(loaded);
    assert_string_equal(text, "{\"z\":1,\"a\":[\"\xc3\xa4\",null]}");
    assert_null(ct_json_load_at(fd, "y.json", &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_int_equal(ct_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void vectors_become_arrays_and_back(void **state)
{
    (void)state;
    const char *const vector[] = {"one", "two", NULL};
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *array = ct_json_from_strv(vector, SIZE_MAX);
    CT_AUTO_JSON json_t *first = ct_json_from_strv(vector, 1);
    CT_AUTO_JSON json_t *numbers = json_pack("[i]", 1);
    CT_AUTO_STRV char **back = ct_json_to_strv(array, &err);

    assert_int_equal(json_array_size(array), 2);
    assert_int_equal(json_array_size(first), 1);
    assert_string_equal(back[1], "two");
    assert_null(back[2]);
    assert_null(ct_json_to_strv(numbers, &err));
    assert_int_equal(err.kind, CT_INVALID);
}

static void bytes_that_are_no_text_become_some(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *lossy = ct_json_string_lossy("a\xff\xc3\xa4\xc3", 5);
    assert_string_equal(json_string_value(lossy), "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd");
}

static void text_is_utf8_or_it_is_not(void **state)
{
    (void)state;
    static const char *const right[] = {"", "a", "\xc3\xa4", "\xef\xbf\xbd", "\xf0\x9f\x98\x80z"};
    static const char *const wrong[] = {"\xff",         "a\xc3",        "\xe2\x82",
                                        "\xc0\xaf",     "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\xe0\x9f\x80", "\x80"};

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_true(ct_is_utf8(right[i]));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(ct_is_utf8(wrong[i]));
    }
    assert_int_equal(ct_utf8_length("\xc3\xa4", 1), 0); /* the rest may not be read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(only_so_many_levels_are_read),
        cmocka_unit_test(fields_are_read_by_path_and_type),
        cmocka_unit_test(a_saved_document_is_the_same_when_loaded),
        cmocka_unit_test(vectors_become_arrays_and_back),
        cmocka_unit_test(bytes_that_are_no_text_become_some),
        cmocka_unit_test(text_is_utf8_or_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
