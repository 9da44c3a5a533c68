/*
 * test_units.c - times, durations and sizes as Docker writes and reads them.
 */
#define CT_LAYER "test"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#define SECOND_NS     1000000000LL
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void times_are_written_as_go_does(void **state)
{
    (void)state;
    char text[CT_TIME_TEXT];

    assert_string_equal(ct_time_format(0, text), "1970-01-01T00:00:00Z");
    assert_string_equal(ct_time_format(1136073600 * SECOND_NS + 1, text),
                        "2006-01-01T00:00:00.000000001Z");
    assert_string_equal(ct_time_format(1136073600 * SECOND_NS + 500000000, text),
                        "2006-01-01T00:00:00.5Z");
}

static void times_of_one_width_keep_their_zeros(void **state)
{
    (void)state;
    char text[CT_TIME_TEXT];

    assert_string_equal(ct_time_format_fixed(1136073600 * SECOND_NS + 500000000, text),
                        "2006-01-01T00:00:00.500000000Z");
    assert_string_equal(ct_time_format_fixed(-1, text), "1969-12-31T23:59:59.999999999Z");
}

static void times_are_read_in_three_notations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2006-01-01T00:00:00Z", 1136073600 * SECOND_NS},
        {"2006-01-01T01:00:00.25+01:00", 1136073600 * SECOND_NS + 250000000},
        {"1136073600", 1136073600 * SECOND_NS},
        {"1136073600.000000001", 1136073600 * SECOND_NS + 1},
    };
    struct ct_error err = {0};
    int64_t ns = 0;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(ct_time_parse(cases[i].text, &ns, &err), 0);
        assert_true(ns == cases[i].ns);
    }
    int64_t before = ct_now_ns();
    assert_int_equal(ct_time_parse("10m", &ns, &err), 0);
    assert_true(ns >= before - 600 * SECOND_NS && ns <= ct_now_ns() - 600 * SECOND_NS);
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "yesterday", "2006-13-01T00:00:00Z",
                                        "1.2.3", "10 m",      "99999999999999999999"};
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        struct ct_error err = {0};
        int64_t ns;
        assert_int_equal(ct_time_parse(wrong[i], &ns, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
}

static void durations_are_gos(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},      {"500ms", 500000000}, {"1.5s", 1500000000}, {"1h30m", 5400 * SECOND_NS},
        {"2us", 2000}, {"3ns", 3},           {"-1s", -SECOND_NS},
    };
    static const char *const wrong[] = {"", "1", "s", "1x", "1h30", "9999999999h"};
    struct ct_error err = {0};
    int64_t ns = -1;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(ct_duration_parse(cases[i].text, &ns, &err), 0);
        assert_true(ns == cases[i].ns);
    }
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(ct_duration_parse(wrong[i], &ns, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
    }
}

static void durations_are_told_as_docker_tells_them(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *words;
    } cases[] = {
        {0, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},
        {60, "About a minute"},    {150, "2 minutes"},       {3600, "About an hour"},
        {7200, "2 hours"},         {86400 * 3, "3 days"},    {86400 * 15, "2 weeks"},
        {86400 * 70, "2 months"},  {86400 * 800, "2 years"},
    };
    char text[CT_TIME_TEXT];
    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_string_equal(ct_duration_human(cases[i].seconds * SECOND_NS, text), cases[i].words);
    }
}

static void sizes_are_read_in_binary_multiples(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"1024", 1024},
                 {"512m", 512 << 20},
                 {"1.5g", 3LL << 29},
                 {"64KiB", 64 << 10},
                 {"1 kb", 1024},
                 {"2T", 2LL << 40},
                 {"0", 0}};
    static const char *const wrong[] = {"", "m", "-1", "1q", "1mm", "99999999999g", "nan", "inf"};
    struct ct_error err = {0};
    int64_t bytes = -1;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        assert_int_equal(ct_size_parse(cases[i].text, &bytes, &err), 0);
        assert_true(bytes == cases[i].bytes);
    }
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        assert_int_equal(ct_size_parse(wrong[i], &bytes, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
    }
}

static void sizes_are_written_in_both_systems(void **state)
{
    (void)state;
    char text[CT_TIME_TEXT];

    assert_string_equal(ct_size_human(0, 4, text), "0B");
    assert_string_equal(ct_size_human(999, 4, text), "999B");
    assert_string_equal(ct_size_human(4261000, 3, text), "4.26MB");
    assert_string_equal(ct_size_human(4261000, 4, text), "4.261MB");
    assert_string_equal(ct_size_human(1000000000, 4, text), "1GB");
    assert_string_equal(ct_size_binary(7963000, text), "7.594MiB");
    assert_string_equal(ct_size_binary(1024, text), "1KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_go_does),
        cmocka_unit_test(times_of_one_width_keep_their_zeros),
        cmocka_unit_test(times_are_read_in_three_notations),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(durations_are_gos),
        cmocka_unit_test(durations_are_told_as_docker_tells_them),
        cmocka_unit_test(sizes_are_read_in_binary_multiples),
        cmocka_unit_test(sizes_are_written_in_both_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
