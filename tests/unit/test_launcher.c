/*
 * test_launcher.c - which program a command line of `cutaway` is meant for.
 *
 * Room:       launcher. Each test has its own directory with empty programs in it.
 */
#define CT_LAYER "test"
#include "launcher.h"

#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct tree {
    char dir[64];
    char *self;
};

static void add_program(const struct tree *tree, const char *folder, const char *name)
{
    struct ct_error err = {0};
    char *dir = ct_printf("%s/%s", tree->dir, folder);
    int dir_fd = ct_mkdirs(dir, 0755, &err);
    int fd;

    assert_true(dir_fd >= 0);
    fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    close(fd);
    close(dir_fd);
    free(dir);
}

static int make_tree(void **state)
{
    struct tree *tree = calloc(1, sizeof *tree);

    assert_non_null(tree);
    strcpy(tree->dir, "/tmp/cutaway-launcher.XXXXXX");
    assert_non_null(mkdtemp(tree->dir));
    tree->self = ct_printf("%s/bin/cutaway", tree->dir);
    *state = tree;
    return 0;
}

static int remove_tree(void **state)
{
    struct tree *tree = *state;
    struct ct_error err = {0};

    assert_int_equal(ct_remove_tree(AT_FDCWD, tree->dir, &err), 0);
    free(tree->self);
    free(tree);
    return 0;
}

/* Runs launcher_choose() with the arguments after "cutaway". */
#define choose(tree, stage, ret, err, ...)                                                    \
    launcher_choose((tree)->self, (stage),                                                    \
                    (int)(sizeof((const char *[]){"cutaway", __VA_ARGS__}) / sizeof(char *)), \
                    (const char *[]){"cutaway", __VA_ARGS__, NULL}, (ret), (err))

static void assert_program(const struct tree *tree, const struct launcher_choice *choice,
                           const char *expected)
{
    char *path = ct_printf("%s/bin/%s", tree->dir, expected);

    assert_string_equal(choice->program, path);
    free(path);
}

static void a_stage_is_found_by_number_and_by_name(void **state)
{
    static const char *const names[] = {"1", "01", "01-monolith"};
    const struct tree *tree = *state;

    add_program(tree, "bin/stages/01-monolith", "cutaway-01-monolith");
    add_program(tree, "bin/stages/02-split-client", "cutaway-02-split-client");

    for (size_t i = 0; i < 3; i++) {
        struct launcher_choice choice;
        struct ct_error err = {0};

        assert_int_equal(choose(tree, NULL, &choice, &err, "--stage", names[i], "ps", "-a"), 0);

        assert_string_equal(choice.stage, "01-monolith");
        assert_program(tree, &choice, "stages/01-monolith/cutaway-01-monolith");
        assert_int_equal(choice.first_arg, 3);
        launcher_choice_done(&choice);
    }
}

static void an_installed_stage_is_found_in_libexec(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin", "cutaway");
    add_program(tree, "libexec/cutaway", "cutaway-01-monolith");

    assert_int_equal(choose(tree, NULL, &choice, &err, "--stage=01", "ps"), 0);

    assert_program(tree, &choice, "../libexec/cutaway/cutaway-01-monolith");
    assert_int_equal(choice.first_arg, 2);
    launcher_choice_done(&choice);
}

static void without_a_stage_the_newest_that_is_built_is_taken(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin/stages/01-monolith", "cutaway-01-monolith");
    add_program(tree, "bin/stages/03-libcontainer", "cutaway-03-libcontainer");

    assert_int_equal(choose(tree, NULL, &choice, &err, "ps"), 0);

    assert_string_equal(choice.stage, "03-libcontainer");
    assert_int_equal(choice.first_arg, 1);
    launcher_choice_done(&choice);
}

static void the_flag_goes_before_the_environment(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin/stages/01-monolith", "cutaway-01-monolith");
    add_program(tree, "bin/stages/03-libcontainer", "cutaway-03-libcontainer");

    assert_int_equal(choose(tree, "01", &choice, &err, "ps"), 0);
    assert_string_equal(choice.stage, "01-monolith");
    launcher_choice_done(&choice);

    assert_int_equal(choose(tree, "01", &choice, &err, "--stage", "03", "ps"), 0);
    assert_string_equal(choice.stage, "03-libcontainer");
    launcher_choice_done(&choice);
}

static void a_stage_flag_behind_the_command_is_not_ours(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin/stages/01-monolith", "cutaway-01-monolith");

    assert_int_equal(choose(tree, NULL, &choice, &err, "run", "busybox", "--stage", "9"), 0);

    assert_int_equal(choice.first_arg, 1);
    launcher_choice_done(&choice);
}

static void a_stage_that_is_not_built_is_refused_by_name(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin/stages/01-monolith", "cutaway-01-monolith");

    assert_int_equal(choose(tree, NULL, &choice, &err, "--stage", "04", "ps"), -1);

    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].layer, "launcher");
    assert_string_equal(err.frame[0].what, "stage '04-modular' is not built");
    assert_string_equal(err.hint, "one that is built: 01-monolith");
    assert_null(choice.program);
}

static void a_stage_that_does_not_exist_is_refused(void **state)
{
    static const char *const names[] = {"5",       "00", "001", "-1", "01-monolith/../../evil",
                                        "monolith"};
    const struct tree *tree = *state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct launcher_choice choice;
        struct ct_error err = {0};

        assert_int_equal(choose(tree, NULL, &choice, &err, "--stage", names[i]), -1);

        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "no such stage"));
        assert_non_null(strstr(err.frame[0].what, names[i]));
    }
}

static void a_stage_flag_without_value_is_refused(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    assert_int_equal(choose(tree, NULL, &choice, &err, "--stage"), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "flag needs an argument: --stage");

    ct_error_clear(&err);
    assert_int_equal(choose(tree, NULL, &choice, &err, "--stage=", "ps"), -1);
    assert_string_equal(err.frame[0].what, "flag needs an argument: --stage");
}

static void trace_becomes_the_tracer(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    add_program(tree, "bin/trace", "cutaway-trace");

    assert_int_equal(choose(tree, NULL, &choice, &err, "--stage", "01", "trace", "start", "x"), 0);

    assert_program(tree, &choice, "trace/cutaway-trace");
    assert_string_equal(choice.stage, "01");
    assert_int_equal(choice.first_arg, 4);
    launcher_choice_done(&choice);
}

static void a_tracer_that_is_not_built_is_refused(void **state)
{
    const struct tree *tree = *state;
    struct launcher_choice choice;
    struct ct_error err = {0};

    assert_int_equal(choose(tree, NULL, &choice, &err, "trace", "ps"), -1);

    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].what, "the tracer is not built");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define IN_A_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)
        IN_A_TREE(a_stage_is_found_by_number_and_by_name),
        IN_A_TREE(an_installed_stage_is_found_in_libexec),
        IN_A_TREE(without_a_stage_the_newest_that_is_built_is_taken),
        IN_A_TREE(the_flag_goes_before_the_environment),
        IN_A_TREE(a_stage_flag_behind_the_command_is_not_ours),
        IN_A_TREE(a_stage_that_is_not_built_is_refused_by_name),
        IN_A_TREE(a_stage_that_does_not_exist_is_refused),
        IN_A_TREE(a_stage_flag_without_value_is_refused),
        IN_A_TREE(trace_becomes_the_tracer),
        IN_A_TREE(a_tracer_that_is_not_built_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
