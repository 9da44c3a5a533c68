/*
 * test_span.c - spans nest, fail, cross exec, and cost nothing when nobody looks.
 */
#define CT_LAYER "test"
#include "span.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What spans write with CUTAWAY_TRACE_FD: one document a line. */
static int trace_fd;

/* Before the first span: the variables are read once. */
static int group_setup(void **state)
{
    char number[12];
    (void)state;
    trace_fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    (void)snprintf(number, sizeof(number), "%d", trace_fd);
    (void)setenv("CUTAWAY_TRACE_FD", number, 1);
    (void)setenv("TRACEPARENT", "00-0123456789abcdef0123456789abcdef-00000000000000ff-01", 1);
    return trace_fd < 0;
}

static int setup(void **state)
{
    (void)state;
    return ftruncate(trace_fd, 0) < 0 || lseek(trace_fd, 0, SEEK_SET) < 0;
}

static json_t *lines(void)
{
    json_t *array = json_array();
    char line[4096];
    CT_AUTO_FILE FILE *file = fdopen(dup(trace_fd), "r");

    assert_non_null(file);
    rewind(file);
    while (fgets(line, sizeof(line), file)) {
        struct ct_error err = {0};
        json_t *parsed = ct_json_parse(line, strlen(line), &err);
        assert_non_null(parsed);
        ct_json_append(array, parsed);
    }
    return array;
}

static const char *text(const json_t *array, size_t i, const char *key)
{
    return ct_json_string(json_array_get(array, i), key, "");
}

static void inner(void)
{
    CT_SPAN(NULL, CT_ROLE_ENGINE, CT_STEP_START, "inner");
}

static void an_inner_span_knows_its_parent(void **state)
{
    (void)state;
    {
        CT_SPAN(NULL, CT_ROLE_CLIENT, CT_STEP_COMMAND, "cutaway start %s", "web");
        CT_AUTO_JSON json_t *so_far = lines();
        assert_int_equal(json_array_size(so_far), 1);
        inner();
    }
    CT_AUTO_JSON json_t *all = lines();
    assert_int_equal(json_array_size(all), 4);
    assert_string_equal(text(all, 0, "msg"), "cutaway start web");
    assert_string_equal(text(all, 0, "role"), "client");
    assert_string_equal(text(all, 0, "parent"), "00000000000000ff");
    assert_string_equal(text(all, 1, "parent"), text(all, 0, "id"));
    assert_string_equal(text(all, 2, "t"), "end");
    assert_string_equal(text(all, 2, "id"), text(all, 1, "id"));
    assert_string_equal(text(all, 3, "id"), text(all, 0, "id"));
}

static int fails(struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_START, "it");
    return ct_refuse(err, CT_CONFLICT, "it is \"busy\"");
}

static void a_span_ends_with_its_failure(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(fails(&err), -1);
    CT_AUTO_JSON json_t *all = lines();
    assert_string_equal(text(all, 1, "kind"), "conflict");
    assert_string_equal(text(all, 1, "error"), "it is \"busy\"");
}

static void a_message_of_any_bytes_is_one_line_of_json(void **state)
{
    (void)state;
    {
        CT_SPAN(NULL, CT_ROLE_CLIENT, CT_STEP_COMMAND, "a\n\"b\"\\ \xff \033[2J");
    }
    CT_AUTO_JSON json_t *all = lines();
    assert_int_equal(json_array_size(all), 2);
    assert_non_null(strstr(text(all, 0, "msg"), "\"b\""));
}

static void the_context_names_trace_and_innermost_span(void **state)
{
    (void)state;
    char context[56];
    CT_SPAN(NULL, CT_ROLE_CLIENT, CT_STEP_COMMAND, "outer");
    CT_AUTO_JSON json_t *all = lines();

    assert_non_null(ct_span_context(context));
    assert_memory_equal(context, "00-0123456789abcdef0123456789abcdef-", 36);
    assert_memory_equal(context + 36, text(all, 0, "id"), 16);
    assert_string_equal(context + 52, "-01");
    assert_int_equal(ct_span_fd(), trace_fd);
}

static void every_role_and_step_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < CT_ROLE_COUNT; i++) {
        assert_true(strlen(ct_role_name((enum ct_role)i)) > 0);
    }
    for (int i = 0; i < CT_STEP_COUNT; i++) {
        assert_true(strlen(ct_step_name((enum ct_step)i)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_inner_span_knows_its_parent, setup),
        cmocka_unit_test_setup(a_span_ends_with_its_failure, setup),
        cmocka_unit_test_setup(a_message_of_any_bytes_is_one_line_of_json, setup),
        cmocka_unit_test_setup(the_context_names_trace_and_innermost_span, setup),
        cmocka_unit_test(every_role_and_step_has_a_name),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
