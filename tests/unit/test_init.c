/*
 * test_init.c - cutaway-init's command line: signals by name, codes that mean success, options.
 *
 * Room:       tests/unit.
 */
#include "init_options.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_signal_has_a_name_with_or_without_sig_or_a_number(void **state)
{
    (void)state;

    assert_int_equal(init_signal_number("TERM"), SIGTERM);
    assert_int_equal(init_signal_number("SIGKILL"), SIGKILL);
    assert_int_equal(init_signal_number("sigusr1"), SIGUSR1);
    assert_int_equal(init_signal_number("34"), 34);
    assert_int_equal(init_signal_number("64"), 64);
}

static void what_is_no_signal_is_zero(void **state)
{
    (void)state;
    static const char *const names[] = {"", "0", "65", "-9", "SIG", "FOO", "9x", "99999999999999"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(init_signal_number(names[i]), 0);
    }
}

static void only_the_codes_that_were_named_and_zero_are_success(void **state)
{
    (void)state;
    struct init_options options = {0};
    const char *const argv[] = {"init", "-e", "143", "-e", "255", "--", "program", "-e", "7", NULL};

    optind = 1;
    char **program = init_parse(9, (char **)argv, &options);

    assert_ptr_equal(program, argv + 6);
    assert_true(init_is_success(&options, 0));
    assert_true(init_is_success(&options, 143));
    assert_true(init_is_success(&options, 255));
    assert_false(init_is_success(&options, 7));
    assert_false(init_is_success(&options, 142));
}

static void switches_come_from_options_and_from_the_environment(void **state)
{
    (void)state;
    struct init_options options = {0}, from_environment = {0};
    const char *const argv[] = {"init", "-gs", "-p", "SIGTERM", "-w", "program", NULL};
    const char *const bare[] = {"init", "program", NULL};

    optind = 1;
    (void)init_parse(6, (char **)argv, &options);
    (void)setenv("TINI_SUBREAPER", "", 1);
    (void)setenv("TINI_KILL_PROCESS_GROUP", "1", 1);
    optind = 1;
    (void)init_parse(2, (char **)bare, &from_environment);
    (void)unsetenv("TINI_SUBREAPER");
    (void)unsetenv("TINI_KILL_PROCESS_GROUP");

    assert_true(options.to_group && options.subreaper && options.warn_reaped);
    assert_int_equal(options.death_signal, SIGTERM);
    assert_true(from_environment.to_group && from_environment.subreaper);
    assert_int_equal(from_environment.death_signal, 0);
}

/* The exit code of a process that parses it. */
static int code_of(int argc, const char *const *argv)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct init_options options = {0};
        (void)close(1);
        (void)close(2);
        optind = 1;
        (void)init_parse(argc, (char **)argv, &options);
        _exit(99); /* it returned */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_wrong_command_line_ends_with_1_and_a_question_with_0(void **state)
{
    (void)state;

    assert_int_equal(code_of(1, WORDS("init")), 1);
    assert_int_equal(code_of(3, WORDS("init", "-x", "program")), 1);
    assert_int_equal(code_of(4, WORDS("init", "-p", "FOO", "program")), 1);
    assert_int_equal(code_of(4, WORDS("init", "-e", "256", "program")), 1);
    assert_int_equal(code_of(2, WORDS("init", "-h")), 0);
    assert_int_equal(code_of(2, WORDS("init", "-l")), 0);
    assert_int_equal(code_of(2, WORDS("init", "--version")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_has_a_name_with_or_without_sig_or_a_number),
        cmocka_unit_test(what_is_no_signal_is_zero),
        cmocka_unit_test(only_the_codes_that_were_named_and_zero_are_success),
        cmocka_unit_test(switches_come_from_options_and_from_the_environment),
        cmocka_unit_test(a_wrong_command_line_ends_with_1_and_a_question_with_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
