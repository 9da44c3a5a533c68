/*
 * test_process.c - programs are started with what they were given and nothing else, and waited for.
 */
#define CT_LAYER "test"
#include "process.h"

#include "cleanup.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What sh -c SCRIPT prints. Owned. */
static char *output_of(const char *script, int *ret_status)
{
    struct ct_error err = {0};
    const char *argv[] = {"sh", "-c", script, NULL};
    char *output = NULL;
    assert_int_equal(ct_process_run(argv, 10000, 4096, &output, ret_status, &err), 0);
    return output;
}

static void output_and_status_are_collected(void **state)
{
    (void)state;
    int status = 0;
    CT_AUTO_FREE char *output = output_of("echo out; echo err >&2; exit 3", &status);

    assert_string_equal(output, "out\nerr\n");
    assert_int_equal(ct_exit_code(status), 3);
    free(output_of("kill -9 $$", &status));
    assert_int_equal(ct_exit_code(status), 137);
}

static void a_folder_in_path_is_no_program(void **state)
{
    (void)state;
    char home[] = "/tmp/process-XXXXXX";
    assert_non_null(mkdtemp(home));
    CT_AUTO_FREE char *folder = ct_printf("%s/sh", home);
    CT_AUTO_FREE char *before = ct_strdup(getenv("PATH"));
    CT_AUTO_FREE char *path = ct_printf("%s:%s", home, before);
    int status = -1;
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(setenv("PATH", path, 1), 0);

    CT_AUTO_FREE char *output = output_of("echo found", &status);

    assert_int_equal(setenv("PATH", before, 1), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(rmdir(home), 0);
    assert_string_equal(output, "found\n");
    assert_int_equal(status, 0);
}

static void a_flood_is_cut_and_does_not_stop_the_program(void **state)
{
    (void)state;
    int status = -1;
    CT_AUTO_FREE char *output = output_of("yes | head -c 200000; exit 4", &status);

    assert_int_equal(strlen(output), 4096);
    assert_int_equal(ct_exit_code(status), 4);
}

static void one_that_takes_too_long_is_killed(void **state)
{
    (void)state;
    struct ct_error err = {0};
    const char *argv[] = {"sleep", "1000", NULL};
    int status = 0;

    assert_int_equal(ct_process_run(argv, 100, 100, NULL, &status, &err), -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
}

static void a_program_that_cannot_be_run_is_reported_by_its_kind(void **state)
{
    (void)state;
    struct ct_error err = {0};
    const char *missing[] = {"/no/such/program", NULL};
    const char *not_in_path[] = {"no-such-program", NULL};
    const char *directory[] = {"/tmp", NULL};
    int status = 0;

    assert_int_equal(ct_process_run(missing, 1000, 100, NULL, &status, &err), -1);
    assert_int_equal(err.kind, CT_NO_PROGRAM);
    assert_int_equal(err.sys, ENOENT);
    ct_error_clear(&err);
    assert_int_equal(ct_process_run(not_in_path, 1000, 100, NULL, &status, &err), -1);
    assert_int_equal(err.kind, CT_NO_PROGRAM);
    ct_error_clear(&err);
    assert_int_equal(ct_process_run(directory, 1000, 100, NULL, &status, &err), -1);
    assert_int_equal(err.kind, CT_CANNOT_RUN);
    assert_int_equal(err.sys, EACCES);
}

/* Starts sh -c SCRIPT with the settings of spawn, its output in a pipe; waits. Owned. */
static char *spawned(struct ct_spawn spawn, const char *script)
{
    struct ct_error err = {0};
    struct ct_process process;
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    int ends[2], status = 0;
    char text[4096] = "";
    size_t length = 0;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    spawn.argv = argv;
    spawn.stdio[0] = -1;
    spawn.stdio[1] = ends[1];
    spawn.stdio[2] = ends[1];
    assert_int_equal(ct_process_start(&spawn, &process, &err), 0);
    assert_int_equal(close(ends[1]), 0);
    for (ssize_t n = 1; n > 0; length += (size_t)n) {
        n = read(ends[0], text + length, sizeof(text) - 1 - length);
    }
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(ct_process_wait(&process, 10000, &status, &err), 0);
    ct_process_done(&process);
    return strdup(text);
}

static void only_what_is_kept_is_inherited(void **state)
{
    (void)state;
    int open_to_all = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    int kept = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CT_AUTO_FREE char *script =
        ct_printf("ls -l /proc/self/fd/%d; ls -l /proc/$$/fd/%d", open_to_all, kept);
    CT_AUTO_FREE char *output = spawned((struct ct_spawn){.keep = &kept, .n_keep = 1}, script);

    assert_non_null(strstr(output, "No such file"));
    assert_non_null(strstr(output, "-> /dev/zero"));
    assert_int_equal(close(open_to_all), 0);
    assert_int_equal(close(kept), 0);
}

static void more_descriptors_get_the_numbers_from_3_on(void **state)
{
    (void)state;
    int more[3]; /* in the way of each other: the second and third have the numbers of others */
    for (int i = 0; i < 3; i++) {
        more[i] = open(i == 1 ? "/dev/zero" : "/dev/null", O_RDONLY | O_CLOEXEC);
    }
    int turned[3] = {more[1], more[0], more[1]};
    CT_AUTO_FREE char *output = spawned((struct ct_spawn){.more = turned, .n_more = 3},
                                        "for i in 3 4 5 6; do readlink /proc/$$/fd/$i; done");

    assert_string_equal(output, "/dev/zero\n/dev/null\n/dev/zero\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(close(more[i]), 0);
    }
}

static void environment_and_directory_are_the_given_ones(void **state)
{
    (void)state;
    const char *envp[] = {"ONLY=this", NULL};
    CT_AUTO_FREE char *output =
        spawned((struct ct_spawn){.envp = envp, .cwd = "/usr"}, "echo $ONLY-$HOME-$PWD");

    assert_string_equal(output, "this--/usr\n");
}

static void signals_are_as_in_a_fresh_process(void **state)
{
    (void)state;
    sigset_t all, before;

    (void)sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    CT_AUTO_FREE char *output =
        spawned((struct ct_spawn){.new_session = true}, "grep -E 'Sig(Blk|Ign)' /proc/self/status");
    (void)signal(SIGPIPE, handler);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    /* 32 and 33 are the C library's own: no program can set them back. */
    unsigned long long blocked = 1, ignored = 1, of_libc = 3ULL << 31;
    assert_int_equal(sscanf(output, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked & ~of_libc, 0);
    assert_int_equal(ignored & ~of_libc, 0);
}

/* Ours in the set of inheritable ones, and out of it again. */
static void set_inheritable(bool all)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];

    assert_int_equal(syscall(SYS_capget, &header, half), 0);
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        half[i].inheritable = all ? half[i].permitted : 0;
    }
    assert_int_equal(syscall(SYS_capset, &header, half), 0);
}

static void inheritable_capabilities_can_be_left_out(void **state)
{
    (void)state;
    const char *script = "grep CapInh /proc/self/status";
    if (geteuid() != 0) {
        skip(); /* who has none, leaves none to anybody */
    }

    set_inheritable(true);
    CT_AUTO_FREE char *with = spawned((struct ct_spawn){0}, script);
    CT_AUTO_FREE char *without = spawned((struct ct_spawn){.no_inheritable = true}, script);
    set_inheritable(false);

    assert_string_not_equal(with, "CapInh:\t0000000000000000\n");
    assert_string_equal(without, "CapInh:\t0000000000000000\n");
}

static void a_wait_has_an_end(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct ct_process process;
    const char *argv[] = {"sleep", "1000", NULL};
    const struct ct_spawn spawn = {.argv = argv, .stdio = {-1, -1, -1}};
    int status = 0;

    assert_int_equal(ct_process_start(&spawn, &process, &err), 0);
    assert_int_equal(ct_process_wait(&process, 10, &status, &err), -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
    ct_error_clear(&err);
    assert_int_equal(ct_pidfd_signal(process.pidfd, SIGTERM, &err), 0);
    assert_int_equal(ct_process_wait(&process, 10000, &status, &err), 0);
    assert_int_equal(ct_exit_code(status), 143);
    assert_int_equal(ct_pidfd_signal(process.pidfd, SIGTERM, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    ct_process_done(&process);
}

static void a_signal_has_many_spellings(void **state)
{
    (void)state;
    struct ct_error err = {0};
    static const char *const term[] = {"TERM", "SIGTERM", "sigterm", "15"};
    static const char *const wrong[] = {"", "SIG", "NOSUCH", "0", "65", "-9", "9x", "RTMIN+99"};

    for (size_t i = 0; i < sizeof(term) / sizeof(term[0]); i++) {
        assert_int_equal(ct_signal_number(term[i], &err), SIGTERM);
    }
    assert_int_equal(ct_signal_number("RTMIN+3", &err), SIGRTMIN + 3);
    assert_string_equal(ct_signal_name(SIGKILL), "SIGKILL");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ct_signal_number(wrong[i], &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
    }
}

static void waiting_can_be_cancelled(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int never = eventfd(0, EFD_CLOEXEC);
    CT_AUTO_CLOSE int ready = eventfd(1, EFD_CLOEXEC);

    assert_int_equal(ct_wait_readable(ready, never, 1000, &err), 1);
    assert_int_equal(ct_wait_readable(never, -1, 1, &err), 0);
    assert_int_equal(ct_wait_readable(never, ready, 1000, &err), -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_are_collected),
        cmocka_unit_test(a_folder_in_path_is_no_program),
        cmocka_unit_test(a_flood_is_cut_and_does_not_stop_the_program),
        cmocka_unit_test(one_that_takes_too_long_is_killed),
        cmocka_unit_test(a_program_that_cannot_be_run_is_reported_by_its_kind),
        cmocka_unit_test(only_what_is_kept_is_inherited),
        cmocka_unit_test(more_descriptors_get_the_numbers_from_3_on),
        cmocka_unit_test(environment_and_directory_are_the_given_ones),
        cmocka_unit_test(signals_are_as_in_a_fresh_process),
        cmocka_unit_test(inheritable_capabilities_can_be_left_out),
        cmocka_unit_test(a_wait_has_an_end),
        cmocka_unit_test(a_signal_has_many_spellings),
        cmocka_unit_test(waiting_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
