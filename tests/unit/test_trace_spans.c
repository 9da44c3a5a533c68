/*
 * test_trace_spans.c - the recorder's file without BPF: who finds it, what it takes, what is
 * missing.
 */
#define CT_LAYER "test"
#include "span_file.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TRACE_ID "0123456789abcdef0123456789abcdef"

#define CLIENT_ASKS                                                                      \
    "{\"t\":\"begin\",\"ns\":1,\"pid\":10,\"id\":\"00000000000000c1\",\"parent\":\"0\"," \
    "\"role\":\"client\",\"step\":\"request\",\"msg\":\"HEAD /_ping\"}\n"
#define CLIENT_ENDS(kind) \
    "{\"t\":\"end\",\"ns\":4,\"pid\":10,\"id\":\"00000000000000c1\",\"kind\":\"" kind "\"}\n"
#define DAEMON_ANSWERS                                                                       \
    "{\"t\":\"begin\",\"ns\":2,\"pid\":20,\"id\":\"00000000000000d1\",\"parent\":"           \
    "\"00000000000000c1\",\"role\":\"engine\",\"step\":\"reply\",\"msg\":\"HEAD /_ping\"}\n" \
    "{\"t\":\"end\",\"ns\":3,\"pid\":20,\"id\":\"00000000000000d1\",\"kind\":\"none\"}\n"

static char run[] = "/tmp/ct-spans-XXXXXX";
static char *recording;
static size_t recording_length;
static FILE *out;

static int setup(void **state)
{
    (void)state;
    out = open_memstream(&recording, &recording_length);
    return !out || !mkdtemp(strcpy(run, "/tmp/ct-spans-XXXXXX"));
}

static int teardown(void **state)
{
    struct ct_error err = {0};
    (void)state;
    (void)fclose(out);
    free(recording);
    return ct_remove_tree(AT_FDCWD, run, &err);
}

static struct span_file *open_file(const char *where)
{
    struct ct_error err = {0};
    struct span_file *file = span_file_open(where, TRACE_ID, &err);
    assert_non_null(file);
    return file;
}

static void append(const struct span_file *file, const char *lines)
{
    assert_int_equal(write(span_file_fd(file), lines, strlen(lines)), (ssize_t)strlen(lines));
}

static bool is_there(const char *name)
{
    CT_AUTO_FREE char *path = ct_printf("%s/trace/%s", run, name);
    return access(path, F_OK) == 0;
}

static void a_daemon_finds_the_file_by_the_trace_id_until_the_end(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct span_file *file = open_file(run);

    assert_true(is_there(TRACE_ID));
    assert_int_equal(ct_span_collect(run, &err), 0);
    ct_span_adopt("00-" TRACE_ID "-00000000000000aa-01");
    {
        CT_SPAN(NULL, CT_ROLE_ENGINE, CT_STEP_REPLY, "GET /version");
    }
    assert_int_equal(span_file_take(file, out), 2);
    span_file_close(file);
    assert_false(is_there(TRACE_ID));
    {
        CT_SPAN(NULL, CT_ROLE_ENGINE, CT_STEP_REPLY, "too late");
    }
    struct stat status;
    assert_int_equal(fstat(ct_span_fd(), &status), 0);
    assert_int_equal(status.st_size, 0);
    ct_span_adopt(NULL);
    (void)fflush(out);
    assert_non_null(strstr(recording, "GET /version"));
}

static void only_whole_lines_that_are_spans_are_passed_on(void **state)
{
    (void)state;
    struct span_file *file = open_file(run);

    append(file, "hello\n{\"t\":\"exec\",\"ns\":1}\n{\"t\":\"begin\",\"id\":\"7\"}\n{\"t\":\"beg");
    (void)span_file_take(file, out);
    (void)fflush(out);
    assert_int_equal(recording_length, 0);
    append(file, "in\",\"ns\":5,\"id\":\"8\"}\n");
    assert_int_equal(span_file_take(file, out), 1);
    (void)fflush(out);
    assert_string_equal(recording, "{\"t\":\"begin\",\"ns\":5,\"id\":\"8\"}\n");
    span_file_close(file);
}

static void it_is_busy_while_a_span_is_open(void **state)
{
    (void)state;
    struct span_file *file = open_file(run);

    assert_false(span_file_is_busy(file));
    append(file, CLIENT_ASKS);
    (void)span_file_take(file, out);
    assert_true(span_file_is_busy(file));
    append(file, CLIENT_ENDS("none"));
    (void)span_file_take(file, out);
    assert_false(span_file_is_busy(file));
    span_file_close(file);
}

/* What is said to be missing after these lines. Owned. */
static char *missing_after(const char *where, const char *lines)
{
    struct span_file *file = open_file(where);
    append(file, lines);
    (void)span_file_take(file, out);
    char *missing = span_file_missing(file);
    span_file_close(file);
    return missing;
}

static void a_daemon_that_answers_without_a_span_is_missing(void **state)
{
    (void)state;
    CT_AUTO_FREE char *silent = missing_after(run, CLIENT_ASKS CLIENT_ENDS("none"));
    CT_AUTO_FREE char *answered =
        missing_after(run, CLIENT_ASKS DAEMON_ANSWERS CLIENT_ENDS("none"));
    CT_AUTO_FREE char *nobody = missing_after(run, CLIENT_ASKS CLIENT_ENDS("unreachable"));

    assert_non_null(strstr(silent,
                           "the daemon's spans are not recorded: it runs as another user or "
                           "with another run directory than '/tmp/ct-spans-"));
    assert_string_equal(answered, "");
    assert_string_equal(nobody, "");
}

static void without_a_run_directory_the_reason_is_told_only_when_it_matters(void **state)
{
    (void)state;
    CT_AUTO_FREE char *none = ct_join(run, "none");
    CT_AUTO_FREE char *alone = missing_after(none, "");
    CT_AUTO_FREE char *asked = missing_after(none, CLIENT_ASKS);

    assert_string_equal(alone, "");
    assert_non_null(strstr(asked, "the daemon's spans are not recorded: make '"));
    assert_non_null(strstr(asked, "No such file or directory"));
}

static void a_full_file_says_so(void **state)
{
    (void)state;
    struct span_file *file = open_file(run);

    assert_int_equal(ftruncate(span_file_fd(file), CT_SPAN_FILE_MAX), 0);
    CT_AUTO_FREE char *missing = span_file_missing(file);
    assert_non_null(strstr(missing, "the file for spans was full (16 MB)"));
    span_file_close(file);
}

static void what_a_killed_recorder_left_is_removed_and_what_another_uses_is_not(void **state)
{
    (void)state;
    struct ct_error err = {0};
    pid_t killed = fork();
    if (killed == 0) {
        _exit(span_file_open(run, "ffffffffffffffffffffffffffffffff", &err) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(killed, &status, 0), killed);
    assert_int_equal(status, 0);
    assert_true(is_there("ffffffffffffffffffffffffffffffff"));

    struct span_file *used = span_file_open(run, "11111111111111111111111111111111", &err);
    assert_non_null(used);
    assert_false(is_there("ffffffffffffffffffffffffffffffff"));
    struct span_file *file = open_file(run);
    assert_true(is_there("11111111111111111111111111111111"));
    span_file_close(file);
    span_file_close(used);
}

#define WITH_RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RUN(a_daemon_finds_the_file_by_the_trace_id_until_the_end),
        WITH_RUN(only_whole_lines_that_are_spans_are_passed_on),
        WITH_RUN(it_is_busy_while_a_span_is_open),
        WITH_RUN(a_daemon_that_answers_without_a_span_is_missing),
        WITH_RUN(without_a_run_directory_the_reason_is_told_only_when_it_matters),
        WITH_RUN(a_full_file_says_so),
        WITH_RUN(what_a_killed_recorder_left_is_removed_and_what_another_uses_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
