/*
 * test_journal.c - whoever copies a program's output into its log is killed, again and again: every
 * byte is in the log once, in order.
 */
#define CT_LAYER "test"
#include "journal.h"

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CHUNK 4096
#define KILLS 60

static char dir[] = "/tmp/test-journal-XXXXXX";
static int dir_fd;
static int ends[2]; /* the program's pipe, which both sides hold, as a shim does */

static int set_up(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-journal-XXXXXX", sizeof(dir));
    dir_fd = mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return dir_fd < 0 ? -1 : pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

static int tear_down(void **state)
{
    struct ct_error err = {0};
    (void)state;
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(dir_fd);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static struct log_writer *open_log(void)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:s}", "Type", "json-file");
    struct log_writer *log = log_writer_open(dir, ID, config, NULL, &err);
    assert_non_null(log);
    return log;
}

static struct journal *go_on(struct log_writer *log, bool again)
{
    struct ct_error err = {0};
    struct journal *journal = journal_open(dir_fd, log, again, &err);
    assert_non_null(journal);
    assert_int_equal(journal_recover(journal, LOG_STDOUT, ends[0], &err), 0);
    return journal;
}

/* Everything that is in the pipe at the moment. */
static void pump(struct journal *journal)
{
    char buffer[CHUNK];
    struct ct_error err = {0};
    ssize_t n;

    while ((n = journal_peek(journal, ends[0], buffer, sizeof(buffer))) > 0) {
        assert_int_equal(journal_pass(journal, LOG_STDOUT, ends[0], buffer, (size_t)n, &err), 0);
    }
}

static void print(const char *text)
{
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

static char *read_log(void)
{
    static const struct log_query everything = {.want_stdout = true, .tail = -1};
    struct ct_error err = {0};
    CT_AUTO_CLOSE int out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(log_read(dir, ID, &everything, true, out, -1, -1, &err), 0);
    off_t length = lseek(out, 0, SEEK_END);
    char *text = calloc(1, (size_t)length + 1);
    assert_int_equal(pread(out, text, (size_t)length, 0), length);
    return text;
}

static void a_line_that_is_unfinished_is_one_line_in_the_end(void **state)
{
    (void)state;
    struct log_writer *log = open_log();
    struct journal *journal = go_on(log, false);
    print("whole\nbegin");
    pump(journal);
    journal_close(journal);
    log_writer_release(log); /* as after a kill */

    log = open_log();
    journal = go_on(log, true);
    print("ning\n");
    pump(journal);

    journal_close(journal);
    log_writer_release(log);
    CT_AUTO_FREE char *path = ct_printf("%s/" ID "-json.log", dir);
    CT_AUTO_FREE char *entries = NULL;
    struct ct_error err = {0};
    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &entries, &err) > 0);
    assert_non_null(strstr(entries, "\"log\":\"whole\\n\""));
    assert_non_null(strstr(entries, "\"log\":\"beginning\\n\""));
}

static void a_run_begins_with_a_new_journal(void **state)
{
    (void)state;
    struct log_writer *log = open_log();
    struct journal *journal = go_on(log, false);
    print("never finished");
    pump(journal);
    journal_close(journal);
    log_writer_release(log);

    log = open_log();
    journal = go_on(log, false);
    print("new\n");
    pump(journal);

    journal_close(journal);
    log_writer_release(log);
    CT_AUTO_FREE char *text = read_log();
    assert_string_equal(text, "new\n");
}

/* The child that is killed: it copies for ever. */
_Noreturn static void copy_for_ever(bool again)
{
    struct journal *journal = go_on(open_log(), again);
    for (;;) {
        pump(journal);
    }
}

/* As much as fits, from *next on; some lines are long, so that chunks end within them. */
static void fill(unsigned *next)
{
    char line[400];

    for (;;) {
        int length =
            snprintf(line, sizeof(line), "%u %.*s\n", *next, (int)(*next * 7 % 300),
                     "..........................................................................."
                     "..........................................................................."
                     "..........................................................................."
                     "...........................................................................");
        if (write(ends[1], line, (size_t)length) != length) {
            return; /* less than PIPE_BUF: whole, or not at all */
        }
        (*next)++;
    }
}

static void wherever_a_kill_comes_each_line_is_there_once(void **state)
{
    unsigned next = 1;
    (void)state;

    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        if (child == 0) {
            copy_for_ever(i > 0);
        }
        int64_t before = next;
        while (next < before + 200 + i * 10) { /* it takes what we print, so it is in the middle */
            fill(&next);
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    struct log_writer *log = open_log();
    struct journal *journal = go_on(log, true);
    pump(journal);
    journal_close(journal);
    log_writer_release(log);

    CT_AUTO_FREE char *text = read_log();
    const char *at = text;
    for (unsigned expected = 1; expected < next; expected++) {
        assert_int_equal(strtoul(at, NULL, 10), expected);
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    assert_int_equal(*at, '\0');
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_line_that_is_unfinished_is_one_line_in_the_end),
        CASE(a_run_begins_with_a_new_journal),
        CASE(wherever_a_kill_comes_each_line_is_there_once),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
