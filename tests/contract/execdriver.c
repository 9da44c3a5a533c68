/*
 * execdriver.c - the contract of the exec driver: what every implementation of execdriver.h does.
 *
 * Runs on:    execdriver/lxc (as root), tests/fakes/execdriver_fake.c (as anybody).
 * A driver is done when it passes. What only a real container has is in execdriver_lxc.c.
 */
#define CT_LAYER "test"
#include "execdriver_world.h"

#include "cleanup.h"
#include "json.h"
#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- create, start, end --------------------------------------------------------------------- */

static void the_program_runs_and_its_exit_code_is_known(void **state)
{
    struct world *world = *state;
    world_script(world, "echo hello; exit 7");

    CT_AUTO_FREE char *text = world_run(world, 7);

    assert_string_equal(text, "hello\n");
}

static void nothing_runs_before_start(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "echo ran");

    world_create(world);

    assert_true(exec_pid(world->job) > 0);
    assert_int_equal(kill(exec_pid(world->job), 0), 0);
    assert_int_equal(ct_wait_readable(world->output[0], -1, 50, &err), 0);
}

static void a_signal_that_ends_the_program_is_in_its_status(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "echo ready; while :; do sleep 1; done");
    world_start(world);
    world_wait_for(world, "ready");

    assert_int_equal(exec_signal(world->job, SIGKILL, &err), 0);

    assert_int_equal(world_end(world), 137);
}

static void a_signal_after_the_end_is_not_found(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    free(world_run(world, 0));

    assert_int_equal(exec_signal(world->job, SIGTERM, &err), -1);

    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[0].layer, "execdriver");
    assert_string_equal(err.frame[0].what, "signal the program: it has ended");
}

static void the_end_of_the_output_is_seen_while_the_program_runs(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "echo bye; exec >/dev/null 2>&1; sleep 60");
    world_start(world);

    CT_AUTO_FREE char *text = world_output(world); /* returns at end of file */

    assert_string_equal(text, "bye\n");
    assert_int_equal(ct_wait_readable(exec_wait_fd(world->job), -1, 0, &err), 0);
}

static void arguments_and_environment_arrive_byte_for_byte(void **state)
{
    struct world *world = *state;
    const char *env[] = {"PATH=/bin", "A=two\nlines", "B= 'quoted' \"twice\" \\ $HOME # no",
                         "C=\xff\xfe", NULL};
    world->spec.program.env = env;
    if (world_is_remote()) { /* JSON has to carry it */
        struct ct_error err = {0};
        assert_null(exec_create(&world->spec, WORLD_TIMEOUT_MS, &err));
        assert_int_equal(err.kind, CT_UNSUPPORTED);
        env[3] = "C=\xc3\xbf";
    }
    world_argv(world, "/bin/sh", "-c", "echo \"$1|$2|$A|$B|$C\"; exec env", "sh", "a\nb", "", NULL);

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, world_is_remote()
                         ? "a\nb||two\nlines| 'quoted' \"twice\" \\ $HOME # no|\xc3\xbf\n"
                         : "a\nb||two\nlines| 'quoted' \"twice\" \\ $HOME # no|\xff\xfe\n");
    assert_null(strstr(text, "TRACEPARENT"));
    assert_null(strstr(text, "CUTAWAY"));
    assert_null(strstr(text, "container="));
}

static void the_program_is_found_in_its_own_path(void **state)
{
    struct world *world = *state;
    world_argv(world, "echo", "found", NULL);

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "found\n");
}

static void the_working_directory_is_the_one_asked_for(void **state)
{
    struct world *world = *state;
    world->spec.program.cwd = "/etc";
    world_script(
        world, "ls -id . | grep -c .; test . -ef /etc || test -e /proc/self/cwd; pwd | tail -c 5");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "/etc\n");
}

static void only_the_standard_streams_are_open(void **state)
{
    struct world *world = *state;
    int leaky = dup(world->null_fd); /* inherited by everything that forgets to close it */
    world_argv(world, "/bin/ls", "/proc/self/fd", NULL);

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is how ls reads the directory */
    ct_cleanup_close(&leaky);
}

static void a_program_that_is_missing_fails_the_start_with_its_cause(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int status = 0;
    world_argv(world, "/bin/nothing", NULL);

    world_fail(world, &err);

    assert_int_equal(err.kind, CT_NO_PROGRAM);
    if (world_is_remote()) {
        return;
    }
    assert_string_equal(err.frame[0].layer, "exec");
    assert_has(world_line(&err), "/bin/nothing': it does not exist");
    /* the job is ended, and still there to be deleted */
    assert_int_equal(ct_wait_readable(exec_wait_fd(world->job), -1, WORLD_TIMEOUT_MS, &err), 1);
    assert_int_equal(exec_result(world->job, &status, &err), 0);
    assert_int_equal(ct_exit_code(status), 127);
}

static void a_program_that_is_not_executable_fails_the_start_with_126(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_file(world, "etc/data", "x", 1, 0644);
    world_argv(world, "/etc/data", NULL);

    world_fail(world, &err);

    assert_int_equal(err.kind, CT_CANNOT_RUN);
    if (!world_is_remote()) {
        assert_has(world_line(&err), "it is not executable (mode 0644)");
    }
}

static void an_id_in_use_is_refused(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_create(world);

    assert_null(exec_create(&world->spec, WORLD_TIMEOUT_MS, &err));

    assert_int_equal(err.kind, CT_EXISTS);
}

static void an_id_that_is_a_path_is_refused(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world->spec.id = "../evil";

    assert_null(exec_create(&world->spec, WORLD_TIMEOUT_MS, &err));

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "use '../evil' as a container's id");
}

static void a_result_before_the_end_is_a_conflict(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int status = 0;
    world_script(world, "sleep 60");
    world_start(world);

    assert_int_equal(exec_result(world->job, &status, &err), -1);

    assert_int_equal(err.kind, CT_CONFLICT);
}

static void a_second_start_is_a_conflict(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "sleep 60");
    world_start(world);

    assert_int_equal(exec_start(world->job, WORLD_TIMEOUT_MS, &err), -1);

    assert_int_equal(err.kind, CT_CONFLICT);
}

static void delete_ends_what_still_runs(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "sleep 1000 & sleep 1000 & echo up; wait");
    world_start(world);
    world_wait_for(world, "up");
    pid_t pid = exec_pid(world->job);

    assert_int_equal(exec_delete(world->job, &err), 0);
    world->job = NULL;

    assert_int_not_equal(kill(pid, 0), 0);
    CT_AUTO_FREE char *rest = world_output(world); /* ends: nobody holds it any more */
    assert_string_equal(rest, "");
}

static void delete_of_nothing_is_allowed(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(exec_delete(NULL, &err), 0);
}

/* ---- all processes -------------------------------------------------------------------------- */

static void all_processes_are_listed_and_killed(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "sleep 1000 & sleep 1000 & echo up; wait");
    world_start(world);
    world_wait_for(world, "up");
    CT_AUTO_FREE pid_t *pids = NULL;

    ssize_t n = exec_pids(world->job, &pids, &err);

    assert_int_equal(n, 3);
    bool has_init = false;
    for (ssize_t i = 0; i < n; i++) {
        has_init = has_init || pids[i] == exec_pid(world->job);
    }
    assert_true(has_init);
    assert_int_equal(exec_kill_all(world->job, &err), 0);
    assert_int_equal(world_end(world), 137);
}

static void a_paused_job_stands_still_until_it_is_resumed(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    struct exec_program program = world_program(world, "true");
    world_script(world, "echo up; read line; echo \"got $line\"");
    int input[2];
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    world->spec.program.stdio[0] = input[0];
    world_start(world);
    world_wait_for(world, "up\n");

    assert_int_equal(exec_pause(world->job, &err), 0);
    assert_int_equal(write(input[1], "word\n", 5), 5);
    assert_int_equal(ct_wait_readable(world->output[0], -1, 100, &err), 0);
    program.stdio[1] = program.stdio[2] = world->null_fd;
    assert_null(exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err));
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_int_equal(exec_resume(world->job, &err), 0);

    CT_AUTO_FREE char *rest = world_output(world);
    assert_string_equal(rest, "got word\n");
    assert_int_equal(world_end(world), 0);
    ct_cleanup_close(&input[0]);
    ct_cleanup_close(&input[1]);
}

static void a_paused_job_can_be_killed(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "echo up; sleep 1000");
    world_start(world);
    world_wait_for(world, "up\n");
    assert_int_equal(exec_pause(world->job, &err), 0);

    assert_int_equal(exec_signal(world->job, SIGKILL, &err), 0);

    assert_int_equal(world_end(world), 137);
}

/* ---- exec ----------------------------------------------------------------------------------- */

static void start_sleeper(struct world *world)
{
    world_script(world, "echo up; exec sleep 1000");
    world_start(world);
    world_wait_for(world, "up\n");
}

static void an_exec_runs_and_its_exit_code_is_known(void **state)
{
    struct world *world = *state;
    int code = 0;
    start_sleeper(world);
    struct exec_program program = world_program(world, "echo in; exit 9");

    CT_AUTO_FREE char *text = world_exec(world, &program, &code);

    assert_string_equal(text, "in\n");
    assert_int_equal(code, 9);
}

static void an_exec_that_is_killed_ends_with_137(void **state)
{
    struct world *world = *state;
    int code = 0;
    start_sleeper(world);
    struct exec_program program = world_program(world, "kill -9 $$");

    free(world_exec(world, &program, &code));

    assert_int_equal(code, 137);
}

static void an_exec_that_cannot_run_tells_its_cause(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    const char *const argv[] = {"nothing", NULL};
    start_sleeper(world);
    struct exec_program program = world_program(world, "");
    program.argv = argv;
    program.stdio[1] = program.stdio[2] = world->null_fd;

    assert_null(exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err));

    assert_int_equal(err.kind, CT_NO_PROGRAM);
    if (!world_is_remote()) {
        assert_has(world_line(&err), "run 'nothing': no directory of PATH has such a program");
        assert_has(world_line(&err), "PATH is '/bin:/sbin'");
    }
}

static void an_exec_has_only_the_standard_streams_open(void **state)
{
    struct world *world = *state;
    const char *const argv[] = {"/bin/ls", "/proc/self/fd", NULL};
    int code = 0;
    start_sleeper(world);
    struct exec_program program = world_program(world, "");
    program.argv = argv;

    CT_AUTO_FREE char *text = world_exec(world, &program, &code);

    assert_string_equal(text, "0\n1\n2\n3\n");
}

static void an_exec_can_be_signalled(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int status = 0;
    start_sleeper(world);
    struct exec_program program = world_program(world, "exec sleep 1000");
    program.stdio[1] = program.stdio[2] = world->null_fd;
    struct exec_process *process = exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err);
    assert_non_null(process);
    assert_true(exec_run_pid(process) > 0);

    assert_int_equal(exec_run_signal(process, SIGTERM, &err), 0);

    assert_int_equal(ct_wait_readable(exec_run_wait_fd(process), -1, WORLD_TIMEOUT_MS, &err), 1);
    assert_int_equal(exec_run_result(process, &status, &err), 0);
    assert_int_equal(ct_exit_code(status), 143);
}

static void an_exec_ends_with_its_container(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int status = 0;
    start_sleeper(world);
    struct exec_program program = world_program(world, "exec sleep 1000");
    program.stdio[1] = program.stdio[2] = world->null_fd;
    struct exec_process *process = exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err);
    assert_non_null(process);

    assert_int_equal(exec_kill_all(world->job, &err), 0);

    assert_int_equal(ct_wait_readable(exec_run_wait_fd(process), -1, WORLD_TIMEOUT_MS, &err), 1);
    assert_int_equal(exec_run_result(process, &status, &err), 0);
    assert_int_equal(ct_exit_code(status), 137);
}

static void an_exec_in_an_ended_job_is_a_conflict(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    free(world_run(world, 0));
    struct exec_program program = world_program(world, "true");

    assert_null(exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err));

    assert_int_equal(err.kind, CT_CONFLICT);
    assert_string_equal(err.frame[0].what, "enter the container: it does not run");
}

/* ---- figures and adoption ------------------------------------------------------------------- */

static void figures_are_those_of_the_job(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    struct exec_stats stats = {0};
    start_sleeper(world);

    assert_int_equal(exec_stats(world->job, &stats, &err), 0);

    assert_int_equal(stats.pids_current, 1);
    assert_true(stats.cpu_total_ns > 0);
    assert_false(stats.oom_killed);
}

static void a_saved_job_is_adopted_with_its_descriptors(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int fds[2] = {-1, -1};
    world_script(world, "echo before; sleep 1000");
    exec_keep(world->output, 1);
    world_start(world);
    CT_AUTO_JSON json_t *saved = exec_save(world->job);
    pid_t pid = exec_pid(world->job);

    struct exec_job *adopted = exec_adopt(saved, fds, 2, &err);
    if (!adopted) {
        fail_msg("adopt: %s", world_line(&err));
    }

    assert_int_equal(exec_pid(adopted), pid);
    assert_true(fds[0] >= 0);
    assert_int_equal(fds[1], -1);
    char text[8] = "";
    assert_int_equal(ct_wait_readable(fds[0], -1, WORLD_TIMEOUT_MS, &err), 1);
    assert_int_equal(read(fds[0], text, 7), 7);
    assert_string_equal(text, "before\n");
    assert_int_equal(exec_signal(adopted, SIGKILL, &err), 0);
    assert_int_equal(ct_wait_readable(exec_wait_fd(adopted), -1, WORLD_TIMEOUT_MS, &err), 1);
    ct_cleanup_close(&fds[0]);
    assert_int_equal(world_end(world), 137);
    assert_int_equal(exec_delete(adopted, &err), 0);
}

static void a_job_that_has_ended_is_not_adopted(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    start_sleeper(world);
    CT_AUTO_JSON json_t *saved = exec_save(world->job);
    assert_int_equal(exec_delete(world->job, &err), 0);
    world->job = NULL;

    assert_null(exec_adopt(saved, NULL, 0, &err));

    assert_int_equal(err.kind, CT_NOT_FOUND);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_init, world_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_program_runs_and_its_exit_code_is_known),
        WORLD_TEST(nothing_runs_before_start),
        WORLD_TEST(a_signal_that_ends_the_program_is_in_its_status),
        WORLD_TEST(a_signal_after_the_end_is_not_found),
        WORLD_TEST(the_end_of_the_output_is_seen_while_the_program_runs),
        WORLD_TEST(arguments_and_environment_arrive_byte_for_byte),
        WORLD_TEST(the_program_is_found_in_its_own_path),
        WORLD_TEST(the_working_directory_is_the_one_asked_for),
        WORLD_TEST(only_the_standard_streams_are_open),
        WORLD_TEST(a_program_that_is_missing_fails_the_start_with_its_cause),
        WORLD_TEST(a_program_that_is_not_executable_fails_the_start_with_126),
        WORLD_TEST(an_id_in_use_is_refused),
        WORLD_TEST(an_id_that_is_a_path_is_refused),
        WORLD_TEST(a_result_before_the_end_is_a_conflict),
        WORLD_TEST(a_second_start_is_a_conflict),
        WORLD_TEST(delete_ends_what_still_runs),
        cmocka_unit_test(delete_of_nothing_is_allowed),
        WORLD_TEST(all_processes_are_listed_and_killed),
        WORLD_TEST(a_paused_job_stands_still_until_it_is_resumed),
        WORLD_TEST(a_paused_job_can_be_killed),
        WORLD_TEST(an_exec_runs_and_its_exit_code_is_known),
        WORLD_TEST(an_exec_that_is_killed_ends_with_137),
        WORLD_TEST(an_exec_that_cannot_run_tells_its_cause),
        WORLD_TEST(an_exec_has_only_the_standard_streams_open),
        WORLD_TEST(an_exec_can_be_signalled),
        WORLD_TEST(an_exec_ends_with_its_container),
        WORLD_TEST(an_exec_in_an_ended_job_is_a_conflict),
        WORLD_TEST(figures_are_those_of_the_job),
        WORLD_TEST(a_saved_job_is_adopted_with_its_descriptors),
        WORLD_TEST(a_job_that_has_ended_is_not_adopted),
    };
    if (strcmp(exec_driver_name(), "lxc") == 0 && geteuid() != 0) {
        print_message("skipped: LXC needs root\n");
        return 77; /* meson: skipped */
    }
    return cmocka_run_group_tests_name("execdriver", tests, NULL, NULL);
}
