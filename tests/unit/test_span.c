/*
 * test_span.c - spans nest, fail, cross exec, and go to the recorder of the trace they belong to.
 */
#define CT_LAYER "test"
#include "span.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static json_t *lines_of(int fd)
{
    json_t *array = json_array();
    char line[4096];
    CT_AUTO_FILE FILE *file = fdopen(dup(fd), "r");

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

static json_t *lines(void)
{
    return lines_of(trace_fd);
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

/* The child writes a span, and so does its parent after it. */
static pid_t fork_between_spans(void)
{
    CT_SPAN(NULL, CT_ROLE_RUNTIME, CT_STEP_CLONE, "outer");
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        inner();
        _exit(0); /* the parent's span is the parent's to end */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    inner();
    return child;
}

static void a_forked_child_has_ids_of_its_own_below_the_open_span(void **state)
{
    (void)state;
    pid_t child = fork_between_spans();
    CT_AUTO_JSON json_t *all = lines();

    assert_int_equal(json_array_size(all), 6); /* outer, the child's two, ours, the end of outer */
    assert_int_equal(ct_json_integer(json_array_get(all, 1), "pid", 0), child);
    assert_string_equal(text(all, 1, "parent"), text(all, 0, "id"));
    assert_string_equal(text(all, 3, "parent"), text(all, 0, "id"));
    assert_string_not_equal(text(all, 1, "id"), text(all, 3, "id"));
}

static void the_first_process_of_a_pid_namespace_has_the_hosts_number(void **state)
{
    (void)state;
    int told[2], status = -1;
    pid_t seen = 0;

    assert_int_equal(pipe(told), 0);
    pid_t helper = fork();
    if (helper == 0) {
        if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
            _exit(77);
        }
        pid_t first = fork_between_spans();
        _exit(write(told[1], &first, sizeof(first)) == sizeof(first) ? 0 : 1);
    }
    assert_int_equal(waitpid(helper, &status, 0), helper);
    if (WEXITSTATUS(status) == 77) {
        skip(); /* this user may not make namespaces */
    }
    assert_int_equal(read(told[0], &seen, sizeof(seen)), sizeof(seen));
    CT_AUTO_JSON json_t *all = lines();
    const json_t *first = json_array_get(all, 1);
    assert_string_equal(text(all, 1, "msg"), "inner");
    assert_int_equal(ct_json_integer(first, "pid", 0), seen);
    assert_int_equal(ct_json_integer(first, "tid", 0), seen);
    assert_int_equal(ct_json_integer(json_array_get(all, 0), "pid", 0), helper);
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

/* ---- the recorder of a message's trace --------------------------------------------------------
 */

#define OTHER_TRACE "aaaabbbbccccddddeeeeffff00001111"
#define MESSAGE     "00-" OTHER_TRACE "-00000000000000aa-01"

static char run[] = "/tmp/ct-span-XXXXXX";

static int make_run(void **state)
{
    struct ct_error err = {0};
    (void)state;
    return !mkdtemp(strcpy(run, "/tmp/ct-span-XXXXXX")) || ct_span_collect(run, &err) < 0;
}

static int remove_run(void **state)
{
    struct ct_error err = {0};
    (void)state;
    ct_span_adopt(NULL);
    return ct_remove_tree(AT_FDCWD, run, &err);
}

/* As the recorder makes it. Returns a descriptor for reading. */
static int make_recorder(mode_t mode)
{
    CT_AUTO_FREE char *path = ct_printf("%s/trace/" OTHER_TRACE, run);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return status.st_size;
}

static void spans_of_a_message_go_to_the_recorder_of_its_trace(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int recorder = make_recorder(0600);

    ct_span_adopt(MESSAGE);
    assert_int_not_equal(ct_span_fd(), trace_fd);
    inner();
    ct_span_adopt(NULL);
    inner();

    CT_AUTO_JSON json_t *there = lines_of(recorder);
    CT_AUTO_JSON json_t *own = lines();
    assert_int_equal(json_array_size(there), 2);
    assert_string_equal(text(there, 0, "trace"), OTHER_TRACE);
    assert_string_equal(text(there, 0, "parent"), "00000000000000aa");
    assert_int_equal(json_array_size(own), 2);
    assert_string_equal(text(own, 0, "parent"), "00000000000000ff");
    assert_int_equal(ct_span_fd(), trace_fd);
}

static void without_a_recorder_or_the_sampled_flag_nothing_is_opened_or_made(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "00-aaaabbbbccccddddeeeeffff00002222-00000000000000aa-01",
        "00-" OTHER_TRACE "-00000000000000aa-00",
        "00-../../../../../../../../../../etc-00000000000000aa-01",
        "00-" OTHER_TRACE "/00000000000000aa-01",
        "",
    };
    CT_AUTO_CLOSE int recorder = make_recorder(0600);

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        ct_span_adopt(messages[i]);
        assert_int_equal(ct_span_fd(), trace_fd);
        inner();
    }
    assert_int_equal(size_of(recorder), 0);
}

static void what_is_no_file_of_ours_is_not_written_to(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = ct_printf("%s/trace/" OTHER_TRACE, run);
    CT_AUTO_FREE char *victim = ct_printf("%s/victim", run);
    CT_AUTO_CLOSE int fd = open(victim, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(symlink(victim, path), 0);
    ct_span_adopt(MESSAGE);
    assert_int_equal(ct_span_fd(), trace_fd);
    assert_int_equal(unlink(path), 0);

    CT_AUTO_CLOSE int reader = mkfifo(path, 0600) == 0 ? open(path, O_RDONLY | O_NONBLOCK) : -1;
    assert_true(reader >= 0);
    ct_span_adopt(MESSAGE);
    assert_int_equal(ct_span_fd(), trace_fd);
    assert_int_equal(size_of(fd), 0);
}

static void a_span_that_is_left_ends_later_where_it_began(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int recorder = make_recorder(0600);
    struct ct_error err = {0};
    char context[56];

    ct_span_adopt(MESSAGE);
    struct ct_span span = ct_span_begin(NULL, CT_ROLE_SHIM, CT_STEP_REPLY, "Create");
    assert_int_equal(ct_span_role(CT_ROLE_CLIENT), CT_ROLE_SHIM);
    assert_non_null(ct_span_context(context));
    ct_span_adopt(context); /* a piece of the work in its name, left in its turn */
    struct ct_span piece = ct_span_begin(NULL, CT_ROLE_SHIM, CT_STEP_SPAWN_RUNTIME, "runc create");
    ct_span_leave(&piece);
    ct_span_adopt(NULL);
    ct_span_leave(&span);

    assert_int_equal(ct_span_role(CT_ROLE_CLIENT), CT_ROLE_CLIENT);
    inner(); /* other work */
    (void)ct_refuse(&err, CT_CONFLICT, "busy");
    ct_span_end_later(&piece, context, NULL);
    ct_span_end_later(&span, MESSAGE, &err);

    CT_AUTO_JSON json_t *all = lines_of(recorder), *other = lines();
    assert_int_equal(json_array_size(all), 4);
    assert_string_equal(text(all, 0, "parent"), "00000000000000aa");
    assert_string_equal(text(all, 1, "parent"), text(all, 0, "id"));
    assert_string_equal(text(all, 2, "id"), text(all, 1, "id"));
    assert_string_equal(text(all, 3, "error"), "busy");
    assert_string_equal(text(other, 0, "msg"), "inner");
    assert_string_equal(text(other, 0, "parent"), "00000000000000ff");
}

static void a_recording_that_has_ended_takes_nothing_more(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int recorder = make_recorder(0600);

    ct_span_adopt(MESSAGE);
    assert_int_equal(fchmod(recorder, 0400), 0);
    inner();
    assert_int_equal(size_of(recorder), 0);
}

static void a_recording_does_not_fill_the_disk(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int recorder = make_recorder(0600);

    assert_int_equal(ftruncate(recorder, CT_SPAN_FILE_MAX - 1), 0);
    ct_span_adopt(MESSAGE);
    inner();
    off_t full = size_of(recorder);
    assert_true(full >= CT_SPAN_FILE_MAX);
    inner();
    assert_int_equal(size_of(recorder), full);
}

static void *work_for_nobody(void *context)
{
    (void)context;
    inner();
    return NULL;
}

static void a_message_concerns_only_the_thread_that_works_on_it(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int recorder = make_recorder(0600);
    pthread_t other;

    ct_span_adopt(MESSAGE);
    assert_int_equal(pthread_create(&other, NULL, work_for_nobody, NULL), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(size_of(recorder), 0);
}

static void a_folder_that_others_may_use_is_refused(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = ct_printf("%s/trace", run);
    struct ct_error err = {0};

    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(ct_span_folder(run, &err), -1);
    assert_int_equal(err.kind, CT_DENIED);
    assert_non_null(strstr(err.frame[0].what, "others may, too"));
}

#define WITH_RUN(test) cmocka_unit_test_setup_teardown(test, setup_run, remove_run)
static int setup_run(void **state)
{
    return setup(state) || make_run(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_inner_span_knows_its_parent, setup),
        cmocka_unit_test_setup(a_span_ends_with_its_failure, setup),
        cmocka_unit_test_setup(a_message_of_any_bytes_is_one_line_of_json, setup),
        cmocka_unit_test_setup(the_context_names_trace_and_innermost_span, setup),
        cmocka_unit_test_setup(a_forked_child_has_ids_of_its_own_below_the_open_span, setup),
        cmocka_unit_test_setup(the_first_process_of_a_pid_namespace_has_the_hosts_number, setup),
        cmocka_unit_test(every_role_and_step_has_a_name),
        WITH_RUN(spans_of_a_message_go_to_the_recorder_of_its_trace),
        WITH_RUN(without_a_recorder_or_the_sampled_flag_nothing_is_opened_or_made),
        WITH_RUN(what_is_no_file_of_ours_is_not_written_to),
        WITH_RUN(a_span_that_is_left_ends_later_where_it_began),
        WITH_RUN(a_recording_that_has_ended_takes_nothing_more),
        WITH_RUN(a_recording_does_not_fill_the_disk),
        WITH_RUN(a_message_concerns_only_the_thread_that_works_on_it),
        WITH_RUN(a_folder_that_others_may_use_is_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
