/*
 * test_progress.c - what a terminal gets while an image is on its way: Docker's bytes.
 *
 * The expected lines were recorded from Docker's own client on terminals of these widths.
 */
#define CT_LAYER "test"
#include "progress.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WIDE   111 /* columns: the first width with a bar */
#define NARROW 110

static struct progress progress;

static int begin(void **state)
{
    (void)state;
    progress_begin(&progress, stdout);
    progress.terminal = true; /* wherever the test's own output goes */
    return 0;
}

static int end(void **state)
{
    (void)state;
    progress_end(&progress);
    return 0;
}

/* The bytes for a message given as text. Owned. */
static char *draw(const char *text, unsigned columns)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *message = ct_json_parse(text, strlen(text), &err);
    assert_non_null(message);
    return progress_draw(&progress, message, columns);
}

static void assert_draws(const char *text, unsigned columns, const char *wanted)
{
    CT_AUTO_FREE char *drawn = draw(text, columns);
    assert_string_equal(drawn, wanted);
}

#define LAYER(id, numbers)                                            \
    "{\"status\":\"Loading layer\",\"progressDetail\":{" numbers "}," \
    "\"id\":\"" id "\"}"

static void a_wide_terminal_gets_a_bar(void **state)
{
    (void)state;

    assert_draws(LAYER("9ef144d4b126", "\"current\":32768,\"total\":706560"), WIDE,
                 "\n\x1b[1A\x1b[2K\r9ef144d4b126: Loading layer "
                 "[==>                                                ]  32.77kB/706.6kB\r\x1b[1B");
    assert_draws(LAYER("9ef144d4b126", "\"current\":163840,\"total\":706560"), WIDE,
                 "\x1b[1A\x1b[2K\r9ef144d4b126: Loading layer "
                 "[===========>                                       ]  163.8kB/706.6kB\r\x1b[1B");
    assert_draws(LAYER("9ef144d4b126", "\"current\":706560,\"total\":706560"), WIDE,
                 "\x1b[1A\x1b[2K\r9ef144d4b126: Loading layer "
                 "[==================================================>]  706.6kB/706.6kB\r\x1b[1B");
}

static void a_narrow_terminal_gets_the_numbers_alone(void **state)
{
    (void)state;

    assert_draws(LAYER("9ef144d4b126", "\"current\":32768,\"total\":706560"), NARROW,
                 "\n\x1b[1A\x1b[2K\r9ef144d4b126: Loading layer  32.77kB/706.6kB\r\x1b[1B");
}

static void without_a_total_there_is_only_how_much_it_is(void **state)
{
    (void)state;

    assert_draws(LAYER("a", "\"current\":1048576"), WIDE,
                 "\n\x1b[1A\x1b[2K\ra: Loading layer  1.049MB\r\x1b[1B");
    assert_draws(LAYER("a", ""), WIDE, "\x1b[1A\x1b[2K\ra: Loading layer \r\x1b[1B");
}

static void a_total_that_was_wrong_is_left_out(void **state)
{
    (void)state;

    assert_draws(LAYER("a", "\"current\":2000,\"total\":1000"), NARROW,
                 "\n\x1b[1A\x1b[2K\ra: Loading layer      2kB\r\x1b[1B");
    assert_draws(LAYER("a", "\"current\":-5,\"total\":1000"), WIDE,
                 "\x1b[1A\x1b[2K\ra: Loading layer "
                 "[>                                                  ]      -5B/1kB\r\x1b[1B");
}

static void each_id_keeps_its_line(void **state)
{
    (void)state;

    assert_draws(LAYER("a", "\"current\":1"), NARROW,
                 "\n\x1b[1A\x1b[2K\ra: Loading layer       1B\r\x1b[1B");
    assert_draws(LAYER("b", "\"current\":2"), NARROW,
                 "\n\x1b[1A\x1b[2K\rb: Loading layer       2B\r\x1b[1B");
    assert_draws(LAYER("c", "\"current\":3"), NARROW,
                 "\n\x1b[1A\x1b[2K\rc: Loading layer       3B\r\x1b[1B");
    assert_draws(LAYER("a", "\"current\":4"), NARROW,
                 "\x1b[3A\x1b[2K\ra: Loading layer       4B\r\x1b[3B");
    assert_draws(LAYER("b", "\"current\":5"), NARROW,
                 "\x1b[2A\x1b[2K\rb: Loading layer       5B\r\x1b[2B");
}

static void behind_a_plain_line_the_lines_begin_anew(void **state)
{
    (void)state;

    assert_draws(LAYER("a", "\"current\":1"), NARROW,
                 "\n\x1b[1A\x1b[2K\ra: Loading layer       1B\r\x1b[1B");
    assert_draws("{\"stream\":\"Loaded image: app:1\\n\"}", NARROW, "Loaded image: app:1\n");
    assert_draws(LAYER("a", "\"current\":2"), NARROW,
                 "\n\x1b[1A\x1b[2K\ra: Loading layer       2B\r\x1b[1B");
}

static void a_file_gets_plain_lines_and_no_moving_numbers(void **state)
{
    (void)state;
    progress.terminal = false;

    assert_draws(LAYER("a", "\"current\":1,\"total\":2"), WIDE, "");
    assert_draws("{\"status\":\"sha256:00\"}", WIDE, "sha256:00\n");
    assert_draws("{\"status\":\"Pulling\",\"id\":\"latest\"}", WIDE, "latest: Pulling\n");
    assert_draws("{\"stream\":\"one\\ntwo\"}", WIDE, "one\ntwo");
}

static void what_comes_from_an_archive_cannot_move_the_cursor(void **state)
{
    (void)state;

    assert_draws(LAYER("\\u001b[9A", "\"current\":1"), NARROW,
                 "\n\x1b[1A\x1b[2K\r?[9A: Loading layer       1B\r\x1b[1B");
    assert_draws("{\"stream\":\"Loaded \\u001b[2J\\n\"}", NARROW, "Loaded ?[2J\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_wide_terminal_gets_a_bar),
        TEST(a_narrow_terminal_gets_the_numbers_alone),
        TEST(without_a_total_there_is_only_how_much_it_is),
        TEST(a_total_that_was_wrong_is_left_out),
        TEST(each_id_keeps_its_line),
        TEST(behind_a_plain_line_the_lines_begin_anew),
        TEST(a_file_gets_plain_lines_and_no_moving_numbers),
        TEST(what_comes_from_an_archive_cannot_move_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
