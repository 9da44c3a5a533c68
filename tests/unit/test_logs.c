/*
 * test_logs.c - what a program prints comes back as it was printed.
 */
#define CT_LAYER "test"
#include "logs.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/test-logs-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-logs-XXXXXX", sizeof(dir));
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct ct_error err = {0};
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static void print(const char *config, const char *const *pieces, size_t n)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *json = ct_json_parse(config, strlen(config), &err);
    struct log_writer *writer = log_writer_open(dir, ID, json, NULL, &err);
    assert_non_null(writer);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(log_write(writer, LOG_STDOUT, pieces[i], strlen(pieces[i]), &err), 0);
    }
    assert_int_equal(log_writer_close(writer, &err), 0);
}

/* What a raw reader gets. Owned. */
static char *read_back(const struct log_query *query)
{
    struct ct_error err = {0};
    CT_AUTO_CLOSE int out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(log_read(dir, ID, query, true, out, -1, -1, &err), 0);
    off_t length = lseek(out, 0, SEEK_END);
    char *text = calloc(1, (size_t)length + 1);
    assert_int_equal(pread(out, text, (size_t)length, 0), length);
    return text;
}

static const struct log_query everything = {.want_stdout = true, .want_stderr = true, .tail = -1};
static const char json_file[] = "{\"Type\":\"json-file\",\"Config\":{}}";

static void lines_come_back_however_they_were_cut(void **state)
{
    (void)state;
    const char *pieces[] = {"one\ntw", "o\n", "three"};

    print(json_file, pieces, 3);

    CT_AUTO_FREE char *text = read_back(&everything);
    assert_string_equal(text, "one\ntwo\nthree");
}

static void tail_gives_the_last_lines(void **state)
{
    (void)state;
    const char *pieces[] = {"1\n2\n3\n4\n"};
    struct log_query last_two = everything;
    last_two.tail = 2;

    print(json_file, pieces, 1);

    CT_AUTO_FREE char *text = read_back(&last_two);
    assert_string_equal(text, "3\n4\n");
    last_two.tail = 0;
    CT_AUTO_FREE char *nothing = read_back(&last_two);
    assert_string_equal(nothing, "");
    last_two.tail = 100;
    CT_AUTO_FREE char *all = read_back(&last_two);
    assert_string_equal(all, "1\n2\n3\n4\n");
}

static void a_stream_that_is_not_wanted_is_left_out(void **state)
{
    (void)state;
    const char *pieces[] = {"out\n"};
    struct log_query only_errors = everything;
    only_errors.want_stdout = false;

    print(json_file, pieces, 1);

    CT_AUTO_FREE char *text = read_back(&only_errors);
    assert_string_equal(text, "");
}

static void bytes_that_are_no_text_become_replacement_characters(void **state)
{
    (void)state;
    const char *pieces[] = {"a\xff\xfe"
                            "b\n"};

    print(json_file, pieces, 1);

    CT_AUTO_FREE char *text = read_back(&everything);
    assert_string_equal(text, "a\xEF\xBF\xBD\xEF\xBF\xBD"
                              "b\n");
}

static void rotation_keeps_as_many_files_as_asked_for(void **state)
{
    (void)state;
    const char *pieces[] = {"first\n", "second\n", "third\n"};
    CT_AUTO_FREE char *older = ct_printf("%s/%s-json.log.1", dir, ID);
    CT_AUTO_FREE char *oldest = ct_printf("%s/%s-json.log.2", dir, ID);

    print("{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10\",\"max-file\":\"2\"}}", pieces,
          3);

    CT_AUTO_FREE char *text = read_back(&everything);
    assert_string_equal(text, "second\nthird\n");
    assert_int_equal(access(older, F_OK), 0);
    assert_int_equal(access(oldest, F_OK), -1);
}

static void a_line_that_power_loss_cut_is_skipped(void **state)
{
    (void)state;
    const char *pieces[] = {"whole\n"};
    CT_AUTO_FREE char *path = ct_printf("%s/%s-json.log", dir, ID);
    print(json_file, pieces, 1);
    {
        CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(ct_write_all(fd, "{\"log\":\"to\n", 11), 0);
    }
    print(json_file, pieces, 1);

    CT_AUTO_FREE char *text = read_back(&everything);
    assert_string_equal(text, "whole\nwhole\n");
}

static void a_follower_gets_the_rest_and_ends_with_the_container(void **state)
{
    (void)state;
    const char *pieces[] = {"before\n", "last, unfinished"};
    struct log_query query = everything;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int ended = eventfd(1, EFD_CLOEXEC); /* readable from the start: it has ended */
    CT_AUTO_CLOSE int out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char text[64] = "";
    query.follow = true;
    print(json_file, pieces, 2);

    assert_int_equal(log_read(dir, ID, &query, true, out, ended, -1, &err), 0);

    assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "before\nlast, unfinished");
}

static void frames_carry_stream_and_length(void **state)
{
    (void)state;
    const char *pieces[] = {"hi\n"};
    struct ct_error err = {0};
    CT_AUTO_CLOSE int out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char frame[16] = "";
    print(json_file, pieces, 1);

    assert_int_equal(log_read(dir, ID, &everything, false, out, -1, -1, &err), 0);

    assert_int_equal(pread(out, frame, sizeof(frame), 0), 11);
    assert_memory_equal(frame, "\1\0\0\0\0\0\0\3hi\n", 11);
}

static void a_log_at_one_moment_stays_as_it_was(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config",
                                            "max-size", "100", "max-file", "2");
    struct log_writer *writer = log_writer_open(dir, ID, config, NULL, &err);
    struct log_past past;
    CT_AUTO_CLOSE int out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char text[64] = "";
    size_t length = 0;

    assert_int_equal(log_write(writer, LOG_STDOUT, "1\n2\n3\n4, unfini", 15, &err), 0);
    assert_int_equal(log_past_open(dir, ID, &past, &err), 0);
    const void *begun = log_unfinished(writer, LOG_STDOUT, &length);
    assert_int_equal(length, 9);
    assert_memory_equal(begun, "4, unfini", 9);
    assert_int_equal(log_write(writer, LOG_STDOUT, "shed\n5\n6\n7\n8\n9\n", 15, &err), 0);
    assert_int_equal(log_writer_close(writer, &err), 0);

    assert_int_equal(log_past_read(&past, &everything, true, out, &err), 0);

    log_past_close(&past);
    assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "1\n2\n3\n");
}

static void there_may_be_no_log_at_all(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct log_past past;

    assert_int_equal(log_past_open(dir, ID, &past, &err), 0);

    assert_int_equal(past.n, 0);
}

static void options_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *driver = json_pack("{s:s}", "Type", "syslog");
    CT_AUTO_JSON json_t *option =
        json_pack("{s:s,s:{s:s}}", "Type", "json-file", "Config", "colour", "red");
    CT_AUTO_JSON json_t *alone =
        json_pack("{s:s,s:{s:s}}", "Type", "json-file", "Config", "max-file", "3");

    assert_int_equal(log_check_config(driver, NULL, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_int_equal(log_check_config(option, NULL, &err), -1);
    assert_string_equal(err.frame[0].what, "unknown log opt 'colour' for json-file log driver");
    assert_int_equal(log_check_config(alone, NULL, &err), -1);
    assert_string_equal(err.frame[0].what, "log option max-file needs max-size");
}

/* Labels and variables as the details below choose them. Owned. */
static json_t *labelled(void)
{
    return json_pack("{s:{s:s,s:s,s:s},s:[s,s,s]}", "Labels", "c", "d", "a/b", "x y,z&=\xC3\xA4\"",
                     "left", "out", "Env", "V=1", "V=1 2", "W=w");
}

static void details_are_what_labels_and_env_choose(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = labelled();
    CT_AUTO_JSON json_t *log_config = json_pack("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config",
                                                "labels", "c,a/b,none", "env", "NO,V");
    struct log_writer *writer = log_writer_open(dir, ID, log_config, config, &err);
    struct log_query query = everything;
    CT_AUTO_FREE char *path = ct_printf("%s/%s-json.log", dir, ID);
    CT_AUTO_FREE char *file = NULL;

    assert_int_equal(log_check_config(log_config, config, &err), 0);
    assert_int_equal(log_write(writer, LOG_STDOUT, "hi\n", 3, &err), 0);
    assert_int_equal(log_writer_close(writer, &err), 0);

    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &file, &err) > 0);
    assert_non_null(strstr(file, "\"stream\":\"stdout\",\"attrs\":{\"c\":\"d\","));
    CT_AUTO_FREE char *without = read_back(&query);
    assert_string_equal(without, "hi\n");
    query.details = true; /* recorded from dockerd 20.10 */
    CT_AUTO_FREE char *with = read_back(&query);
    assert_string_equal(with, "V=1+2,a%2Fb=x+y%2Cz%26%3D%C3%A4%22,c=d hi\n");
    query.timestamps = true;
    CT_AUTO_FREE char *both = read_back(&query);
    assert_int_equal(strcspn(both, " "), strlen("2026-11-25T09:40:32.022547310Z"));
    assert_string_equal(strchr(both, ' ') + 1, with);
}

static void without_attributes_details_are_a_space(void **state)
{
    (void)state;
    const char *pieces[] = {"hi\n"};
    struct log_query query = everything;
    query.details = true;

    print(json_file, pieces, 1);

    CT_AUTO_FREE char *text = read_back(&query);
    assert_string_equal(text, " hi\n");
}

static void details_that_are_too_long_are_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *value = ct_printf("V=%*s", 70000, "");
    CT_AUTO_JSON json_t *config = json_pack("{s:[s]}", "Env", value);
    CT_AUTO_JSON json_t *log_config =
        json_pack("{s:s,s:{s:s}}", "Type", "json-file", "Config", "env", "V");
    CT_AUTO_JSON json_t *tag =
        json_pack("{s:s,s:{s:s}}", "Type", "json-file", "Config", "tag", "x");

    assert_int_equal(log_check_config(log_config, config, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_int_equal(log_check_config(tag, config, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(lines_come_back_however_they_were_cut),
        TEST(tail_gives_the_last_lines),
        TEST(a_stream_that_is_not_wanted_is_left_out),
        TEST(bytes_that_are_no_text_become_replacement_characters),
        TEST(rotation_keeps_as_many_files_as_asked_for),
        TEST(a_line_that_power_loss_cut_is_skipped),
        TEST(a_follower_gets_the_rest_and_ends_with_the_container),
        TEST(frames_carry_stream_and_length),
        TEST(a_log_at_one_moment_stays_as_it_was),
        TEST(there_may_be_no_log_at_all),
        TEST(options_that_mean_nothing_are_refused),
        TEST(details_are_what_labels_and_env_choose),
        TEST(without_attributes_details_are_a_space),
        TEST(details_that_are_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
