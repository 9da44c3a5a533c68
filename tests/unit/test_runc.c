/*
 * test_runc.c - cutaway-runc's command line: options and arguments by a command's row.
 *
 * Room:       tests/unit.
 */
#include "runc_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct runc_option options[] = {{"bundle", 'b', RUNC_TEXT, "DIR", "a text"},
                                             {"detach", 'd', RUNC_SWITCH, NULL, "a switch"},
                                             {"env", 'e', RUNC_LIST, "TEXT", "a list"},
                                             {"count", 0, RUNC_NUMBER, "N", "a number"},
                                             {0}};
static const struct runc_command row = {
    .name = "row", .options = options, .min_args = 1, .max_args = 2};
static const struct runc_command program_row = {
    .name = "row", .options = options, .min_args = 1, .max_args = -1, .stops_at_first = true};

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct runc_args *parse(const struct runc_command *command, const char *const *words,
                               struct ct_error *err)
{
    int n = 0;

    while (words[n]) {
        n++;
    }
    return runc_args_parse(command, n, (char **)words, err);
}

static void one_dash_or_two_with_or_without_an_equal_sign(void **state)
{
    (void)state;
    const char *const *const ways[] = {WORDS("--bundle", "x", "id"), WORDS("--bundle=x", "id"),
                                       WORDS("-bundle", "x", "id"), WORDS("-b", "x", "id"),
                                       WORDS("-b=x", "id")};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct ct_error err = {0};
        struct runc_args *args = parse(&row, ways[i], &err);

        assert_non_null(args);
        assert_string_equal(runc_args_text(args, "bundle"), "x");
        assert_string_equal(runc_args_at(args, 0), "id");
        assert_null(runc_args_at(args, 1));
        runc_args_free(args);
    }
}

static void options_stand_behind_arguments_too(void **state)
{
    (void)state;
    struct ct_error err = {0};

    struct runc_args *args = parse(&row, WORDS("id", "-d", "second", "--count", "0x10"), &err);

    assert_non_null(args);
    assert_int_equal(runc_args_count(args), 2);
    assert_true(runc_args_switch(args, "detach"));
    assert_int_equal(runc_args_number(args, "count", 1), 16);
    runc_args_free(args);
}

static void what_follows_a_programs_name_is_the_programs(void **state)
{
    (void)state;
    struct ct_error err = {0};

    struct runc_args *args = parse(&program_row, WORDS("-d", "id", "ls", "-b", "--"), &err);

    assert_non_null(args);
    assert_int_equal(runc_args_count(args), 4);
    assert_string_equal(runc_args_at(args, 2), "-b");
    assert_string_equal(runc_args_at(args, 3), "--");
    assert_null(runc_args_text(args, "bundle"));
    runc_args_free(args);
}

static void two_dashes_alone_end_the_options(void **state)
{
    (void)state;
    struct ct_error err = {0};

    struct runc_args *args = parse(&row, WORDS("--", "-d"), &err);

    assert_non_null(args);
    assert_string_equal(runc_args_at(args, 0), "-d");
    assert_false(runc_args_switch(args, "detach"));
    runc_args_free(args);
}

static void a_switch_can_be_switched_off_and_the_last_text_counts(void **state)
{
    (void)state;
    struct ct_error err = {0};

    struct runc_args *args =
        parse(&row, WORDS("-d", "--detach=false", "-b", "x", "-b", "y", "id"), &err);

    assert_non_null(args);
    assert_false(runc_args_switch(args, "detach"));
    assert_string_equal(runc_args_text(args, "bundle"), "y");
    runc_args_free(args);
}

static void a_list_keeps_all_its_texts_in_order(void **state)
{
    (void)state;
    struct ct_error err = {0};
    size_t cursor = 0;

    struct runc_args *args = parse(&row, WORDS("-e", "A=1", "id", "--env=B=2"), &err);

    assert_non_null(args);
    assert_string_equal(runc_args_next(args, "env", &cursor), "A=1");
    assert_string_equal(runc_args_next(args, "env", &cursor), "B=2");
    assert_null(runc_args_next(args, "env", &cursor));
    runc_args_free(args);
}

static void a_wrong_command_line_is_told_in_runcs_words(void **state)
{
    (void)state;
    const struct {
        const char *const *words;
        const char *message;
    } cases[] = {
        {WORDS("id", "--no"), "flag provided but not defined: -no"},
        {WORDS("id", "-b"), "flag needs an argument: -bundle"},
        {WORDS("id", "--count", "many"), "invalid value \"many\" for flag -count: not a number"},
        {WORDS("id", "-d=perhaps"), "invalid boolean value \"perhaps\" for -detach"},
        {WORDS("-d"), "cutaway-runc: \"row\" requires a minimum of 1 argument(s)"},
        {WORDS("a", "b", "c"), "cutaway-runc: \"row\" requires a maximum of 2 argument(s)"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ct_error err = {0};

        assert_null(parse(&row, cases[i].words, &err));

        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].layer, "runc");
        assert_string_equal(err.frame[0].what, cases[i].message);
    }
}

static void help_is_asked_for_without_arguments(void **state)
{
    (void)state;
    const char *const *const ways[] = {WORDS("--help"), WORDS("-h")};

    for (size_t i = 0; i < 2; i++) {
        struct ct_error err = {0};
        struct runc_args *args = parse(&row, ways[i], &err);

        assert_non_null(args);
        assert_true(runc_args_help(args));
        runc_args_free(args);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dash_or_two_with_or_without_an_equal_sign),
        cmocka_unit_test(options_stand_behind_arguments_too),
        cmocka_unit_test(what_follows_a_programs_name_is_the_programs),
        cmocka_unit_test(two_dashes_alone_end_the_options),
        cmocka_unit_test(a_switch_can_be_switched_off_and_the_last_text_counts),
        cmocka_unit_test(a_list_keeps_all_its_texts_in_order),
        cmocka_unit_test(a_wrong_command_line_is_told_in_runcs_words),
        cmocka_unit_test(help_is_asked_for_without_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
