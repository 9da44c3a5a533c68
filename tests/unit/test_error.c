/*
 * test_error.c - the error struct: frames, kinds, the line for the user, and its way across pipes.
 */
#define CT_LAYER "outer"
#include "error.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *render(const struct ct_error *err)
{
    static char line[1024];
    return ct_error_render(err, line, sizeof(line));
}

static void a_chain_is_one_line_from_the_outside_in(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(
        ct_error_set(&err, "cgroup", ct_kind_of_errno(ENOSPC), ENOSPC, "create cgroup '%s'", "web"),
        -1);
    assert_int_equal(ct_error_push(&err, "cgroup", "apply the limits"), -1);
    assert_int_equal(ct_while(&err, "start '%s'", "web"), -1);
    assert_int_equal(ct_hint(&err, "raise %s", "the limit"), -1);
    assert_int_equal(ct_hint(&err, "a later hint"), -1);
    assert_string_equal(render(&err), "start 'web': cgroup: apply the limits: create cgroup 'web': "
                                      "No space left on device (ENOSPC); try: raise the limit");
    assert_int_equal(err.kind, CT_SYSTEM);
    ct_error_clear(&err);
    assert_int_equal(err.kind, CT_NONE);
    assert_int_equal(err.depth, 0);
}

static void an_errno_becomes_a_kind(void **state)
{
    (void)state;
    assert_int_equal(ct_kind_of_errno(ENOENT), CT_NOT_FOUND);
    assert_int_equal(ct_kind_of_errno(EEXIST), CT_EXISTS);
    assert_int_equal(ct_kind_of_errno(EACCES), CT_DENIED);
    assert_int_equal(ct_kind_of_errno(EPERM), CT_DENIED);
    assert_int_equal(ct_kind_of_errno(EIO), CT_SYSTEM);
}

static void a_kind_has_a_name_a_status_and_an_exit_code(void **state)
{
    (void)state;
    assert_string_equal(ct_kind_name(CT_NOT_FOUND), "not-found");
    assert_int_equal(ct_kind_http_status(CT_INVALID), 400);
    assert_int_equal(ct_kind_http_status(CT_NOT_FOUND), 404);
    assert_int_equal(ct_kind_http_status(CT_CONFLICT), 409);
    assert_int_equal(ct_kind_http_status(CT_SYSTEM), 500);
    assert_int_equal(ct_kind_exit_code(CT_CANNOT_RUN), 126);
    assert_int_equal(ct_kind_exit_code(CT_NO_PROGRAM), 127);
}

static void a_chain_that_is_too_deep_keeps_its_ends(void **state)
{
    (void)state;
    struct ct_error err = {0};

    (void)ct_refuse(&err, CT_CONFLICT, "innermost");
    for (int i = 0; i < 20; i++) {
        (void)ct_while(&err, "frame %d", i);
    }
    assert_int_equal(err.depth, CT_ERROR_DEPTH);
    assert_string_equal(err.frame[0].what, "innermost");
    assert_string_equal(err.frame[CT_ERROR_DEPTH - 1].what, "frame 19");
}

static void a_long_message_is_cut_visibly_and_at_a_character(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char name[400] = "";

    for (size_t i = 0; i + 2 < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xa4", 2);
    }
    (void)ct_refuse(&err, CT_INVALID, "x%s", name);
    CT_AUTO_JSON json_t *as_json = ct_error_to_json(&err); /* NULL, were it not UTF-8 */
    assert_non_null(as_json);
    assert_non_null(strstr(err.frame[0].what, "\xe2\x80\xa6"));
    assert_true(strlen(err.frame[0].what) < sizeof(err.frame[0].what));
}

static void no_control_character_reaches_the_terminal(void **state)
{
    (void)state;
    struct ct_error err = {0};

    (void)ct_refuse(&err, CT_INVALID, "no such container: '%s'", "a\nb\033[2J");
    assert_string_equal(render(&err), "no such container: 'a?b?[2J'");
    (void)ct_refuse(&err, CT_INVALID, "no such container: '%s'",
                    "\xc2\x9b"
                    "2J");
    assert_string_equal(render(&err), "no such container: '??2J'");
}

/* Bytes that are no text would make the JSON of the error impossible, and it would lose its frame.
 */
static void bytes_that_are_no_text_become_question_marks(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"\xc3\xa4\xff\x80z", "\xc3\xa4??z"},                  /* no head, no tail */
        {"\xe2\x82", "??"},                                    /* cut within a character */
        {"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "?????????"}, /* overlong, surrogate, too high */
        {"\xf0\x9f\x98\x80\xe2\x82\xac", "\xf0\x9f\x98\x80\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        (void)ct_refuse(&err, CT_INVALID, "%s", wrong[i][0]);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
        CT_AUTO_JSON json_t *as_json = ct_error_to_json(&err);
        assert_int_equal(json_array_size(json_object_get(as_json, "frames")), 1);
    }
}

static void a_line_that_does_not_fit_ends_in_the_buffer(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char small[10];

    (void)ct_refuse(&err, CT_INVALID, "a message of more than ten bytes");
    (void)ct_error_render(&err, small, sizeof(small));
    assert_true(strlen(small) < sizeof(small));
}

static void it_crosses_json(void **state)
{
    (void)state;
    struct ct_error sent = {0}, received = {0};

    (void)ct_fail(&sent, ENOENT, "open 'x'");
    (void)ct_while(&sent, "start 'web'");
    (void)ct_hint(&sent, "make it");
    CT_AUTO_JSON json_t *message = ct_error_to_json(&sent);
    assert_int_equal(ct_error_from_json(message, &received), 0);
    assert_int_equal(received.kind, CT_NOT_FOUND);
    assert_int_equal(received.sys, ENOENT);
    assert_string_equal(render(&received),
                        "start 'web': open 'x': No such file or directory (ENOENT); try: make it");
}

static void a_strangers_json_is_not_believed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "null",
        "{}",
        "{\"kind\":5,\"frames\":[]}",
        "{\"kind\":\"not-found\",\"frames\":[5]}",
        "{\"kind\":\"no such kind\",\"frames\":[{\"layer\":\"a\",\"what\":\"b\"}]}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        CT_AUTO_JSON json_t *json = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(ct_error_from_json(json, &err), -1);
        assert_int_not_equal(err.kind, CT_NONE);
        assert_int_equal(err.depth, 1);
    }
}

static void it_crosses_a_pipe_whole_or_not_at_all(void **state)
{
    (void)state;
    struct ct_error sent = {0}, received = {0}, err = {0};
    int ends[2];

    (void)ct_fail(&sent, EROFS, "write 'x'");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ct_error_send(ends[1], &sent), 0);
    assert_int_equal(ct_error_receive(ends[0], &received, &err), 1);
    assert_string_equal(render(&received), "write 'x': Read-only file system (EROFS)");
    assert_int_equal(write(ends[1], &sent, 20), 20); /* somebody died in the middle */
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(ct_error_receive(ends[0], &received, &err), -1);
    ct_error_clear(&err);
    assert_int_equal(ct_error_receive(ends[0], &received, &err), 0);
    assert_int_equal(close(ends[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_one_line_from_the_outside_in),
        cmocka_unit_test(an_errno_becomes_a_kind),
        cmocka_unit_test(a_kind_has_a_name_a_status_and_an_exit_code),
        cmocka_unit_test(a_chain_that_is_too_deep_keeps_its_ends),
        cmocka_unit_test(a_long_message_is_cut_visibly_and_at_a_character),
        cmocka_unit_test(no_control_character_reaches_the_terminal),
        cmocka_unit_test(bytes_that_are_no_text_become_question_marks),
        cmocka_unit_test(a_line_that_does_not_fit_ends_in_the_buffer),
        cmocka_unit_test(it_crosses_json),
        cmocka_unit_test(a_strangers_json_is_not_believed),
        cmocka_unit_test(it_crosses_a_pipe_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
