/*
 * test_lc_hooks.c - hooks get what they are promised, and whatever they do, the runtime goes on.
 */
#define CT_LAYER "test"
#include "hooks.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test-hooks-XXXXXX";
static json_t *state_document;

static int open_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-hooks-XXXXXX", sizeof(dir));
    state_document = json_pack("{s:s,s:s}", "id", "c1", "status", "creating");
    return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
    struct ct_error err = {0};
    (void)state;
    json_decref(state_document);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

/* A file in the test's folder; its path is owned. */
static char *file_of(const char *name, const char *content, mode_t mode)
{
    char *path = ct_join(dir, name);
    struct ct_error err = {0};
    assert_int_equal(ct_write_file_at(AT_FDCWD, path, content, strlen(content), mode, &err), 0);
    return path;
}

static char *content_of(const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *path = ct_join(dir, name);
    char *text = NULL;
    return ct_read_file_at(AT_FDCWD, path, 1 << 20, &text, &err) < 0 ? NULL : text;
}

/* Runs one hook at point: sh -c SCRIPT with the test's folder as $0. */
static int run_script(enum lc_hook_point point, const char *script, int timeout_ms,
                      struct ct_error *err)
{
    const char *const args[] = {"sh", "-c", script, dir, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const struct lc_hook hook = {
        .path = "/bin/sh", .args = args, .env = env, .timeout_ms = timeout_ms};
    struct lc_hooks hooks = {0};

    hooks.at[point].list = &hook;
    hooks.at[point].n = 1;
    return lc_hooks_run(&hooks, point, state_document, err);
}

/* Runs one hook that is a file, and says what the error is. */
static const char *refusal_of(const char *path, struct ct_error *err, char line[static 1024])
{
    const char *const args[] = {path, NULL};
    const char *const env[] = {NULL};
    const struct lc_hook hook = {.path = path, .args = args, .env = env, .timeout_ms = 10000};
    struct lc_hooks hooks = {0};

    hooks.at[LC_HOOK_CREATE_RUNTIME].list = &hook;
    hooks.at[LC_HOOK_CREATE_RUNTIME].n = 1;
    assert_int_equal(lc_hooks_run(&hooks, LC_HOOK_CREATE_RUNTIME, state_document, err), -1);
    return ct_error_render(err, line, 1024);
}

static int parse(const char *text, struct pool *pool, struct lc_hooks *ret, struct ct_error *err,
                 json_t **ret_document)
{
    *ret_document = ct_json_parse(text, strlen(text), err);
    assert_non_null(*ret_document);
    return lc_hooks_parse(*ret_document, pool, ret, err);
}

static void a_configuration_is_read_with_its_defaults(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct pool pool = {0};
    struct lc_hooks hooks;
    CT_AUTO_JSON json_t *document = NULL;

    assert_int_equal(
        parse("{\"prestart\":[{\"path\":\"/a\"},{\"path\":\"/b\",\"args\":[\"x\",\"y\"],"
              "\"env\":[\"K=V\"],\"timeout\":7}],\"poststop\":[{\"path\":\"/c\",\"args\":[]}],"
              "\"later\":1}",
              &pool, &hooks, &err, &document),
        0);
    assert_int_equal(hooks.at[LC_HOOK_PRESTART].n, 2);
    assert_string_equal(hooks.at[LC_HOOK_PRESTART].list[0].args[0], "/a");
    assert_null(hooks.at[LC_HOOK_PRESTART].list[0].args[1]);
    assert_null(hooks.at[LC_HOOK_PRESTART].list[0].env[0]);
    assert_int_equal(hooks.at[LC_HOOK_PRESTART].list[0].timeout_ms, -1);
    assert_string_equal(hooks.at[LC_HOOK_PRESTART].list[1].args[1], "y");
    assert_string_equal(hooks.at[LC_HOOK_PRESTART].list[1].env[0], "K=V");
    assert_int_equal(hooks.at[LC_HOOK_PRESTART].list[1].timeout_ms, 7000);
    assert_string_equal(hooks.at[LC_HOOK_POSTSTOP].list[0].args[0], "/c");
    assert_int_equal(hooks.at[LC_HOOK_POSTSTART].n, 0);
    assert_int_equal(lc_hooks_parse(NULL, &pool, &hooks, &err), 0);
    assert_int_equal(hooks.at[LC_HOOK_PRESTART].n, 0);
    pool_done(&pool);
}

static void a_wrong_configuration_names_the_field(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"[]", "hooks: it must be an object"},
        {"{\"prestart\":{}}", "hooks.prestart: it must be an array"},
        {"{\"prestart\":[{\"path\":\"/a\"},1]}", "hooks.prestart[1]: it must be an object"},
        {"{\"poststop\":[{}]}", "hooks.poststop[0].path: it must be there"},
        {"{\"poststart\":[{\"path\":\"bin/x\"}]}",
         "hooks.poststart[0].path: 'bin/x' must be absolute"},
        {"{\"poststart\":[{\"path\":\"/x\",\"timeout\":0}]}",
         "hooks.poststart[0].timeout: it must be a whole number from 1 to 2147483"},
        {"{\"createRuntime\":[{\"path\":\"/x\",\"env\":[1]}]}",
         "hooks.createRuntime[0].env[0]: it must be a string"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        struct pool pool = {0};
        struct lc_hooks hooks;
        CT_AUTO_JSON json_t *document = NULL;

        assert_int_equal(parse(wrong[i][0], &pool, &hooks, &err, &document), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
        pool_done(&pool);
    }
}

static void a_hook_gets_state_arguments_and_only_its_own_environment(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(
        run_script(LC_HOOK_CREATE_CONTAINER,
                   "cat >$0/state; cat /dev/stdin >$0/again; env | grep -v ^PWD= >$0/env", 10000,
                   &err),
        0);
    CT_AUTO_FREE char *given = content_of("state");
    CT_AUTO_FREE char *environment = content_of("env");
    assert_string_equal(given, "{\"id\":\"c1\",\"status\":\"creating\"}");
    assert_non_null(strstr(environment, "PATH=/usr/bin:/bin\n"));
    assert_null(strstr(environment, "HOME="));
    assert_null(strstr(environment, "CMOCKA"));
}

static void a_hook_inherits_no_descriptor(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int open_to_all = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

    assert_int_equal(run_script(LC_HOOK_PRESTART,
                                "exec >$0/fds; for fd in /proc/$$/fd/*; do case ${fd##*/} in "
                                "[012]) ;; *) readlink $fd;; esac; done; exit 0",
                                10000, &err),
                     0);
    CT_AUTO_FREE char *fds = content_of("fds");
    assert_null(strstr(fds, "/dev/null"));
    assert_null(strstr(fds, "pipe:"));
    assert_null(strstr(fds, "memfd:"));
    assert_int_equal(close(open_to_all), 0);
}

static void hooks_run_in_order_until_one_fails(void **state)
{
    (void)state;
    struct ct_error err = {0};
    const char *const good[] = {"sh", "-c", "echo one >>$0/order", dir, NULL};
    const char *const bad[] = {"sh", "-c", "echo two >>$0/order; echo why >&2; exit 3", dir, NULL};
    const char *const never[] = {"sh", "-c", "echo three >>$0/order", dir, NULL};
    const char *const env[] = {NULL};
    const struct lc_hook list[] = {
        {"/bin/sh", good, env, -1}, {"/bin/sh", bad, env, 10000}, {"/bin/sh", never, env, 10000}};
    struct lc_hooks hooks = {0};
    char line[1024];

    hooks.at[LC_HOOK_CREATE_RUNTIME].list = list;
    hooks.at[LC_HOOK_CREATE_RUNTIME].n = 3;
    assert_int_equal(lc_hooks_run(&hooks, LC_HOOK_CREATE_RUNTIME, state_document, &err), -1);
    assert_int_equal(err.kind, CT_SYSTEM);
    assert_string_equal(ct_error_render(&err, line, sizeof(line)),
                        "run hook createRuntime[1] '/bin/sh': it ended with 3: why");
    CT_AUTO_FREE char *order = content_of("order");
    assert_string_equal(order, "one\ntwo\n");
}

static void after_the_start_all_hooks_run_and_failures_are_logged(void **state)
{
    (void)state;
    struct ct_error err = {0};
    const char *const bad[] = {"sh", "-c", "echo bad >>$0/after; echo why; exit 3", dir, NULL};
    const char *const good[] = {"sh", "-c", "echo good >>$0/after", dir, NULL};
    const char *const env[] = {NULL};
    const struct lc_hook list[] = {{"/bin/sh", bad, env, 10000}, {"/bin/sh", good, env, 10000}};
    struct lc_hooks hooks = {0};
    int log[2], saved = dup(STDERR_FILENO);
    char text[1024] = "";

    for (int point = LC_HOOK_POSTSTART; point <= LC_HOOK_POSTSTOP; point++) {
        hooks.at[point].list = list;
        hooks.at[point].n = 2;
        assert_int_equal(pipe2(log, O_CLOEXEC), 0);
        assert_int_equal(dup2(log[1], STDERR_FILENO), STDERR_FILENO);
        int result = lc_hooks_run(&hooks, (enum lc_hook_point)point, state_document, &err);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        assert_int_equal(close(log[1]), 0);
        assert_true(read(log[0], text, sizeof(text) - 1) > 0);
        assert_int_equal(close(log[0]), 0);
        assert_int_equal(result, 0);
        assert_int_equal(err.kind, CT_NONE);
        assert_non_null(strstr(text, "warn hooks run hook posts"));
        assert_non_null(strstr(text, "[0] '/bin/sh': it ended with 3: why\n"));
    }
    CT_AUTO_FREE char *order = content_of("after");
    assert_string_equal(order, "bad\ngood\nbad\ngood\n");
    assert_int_equal(close(saved), 0);
}

static void a_hook_that_is_killed_says_by_what(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char line[1024];

    assert_int_equal(run_script(LC_HOOK_PRESTART, "kill -SEGV $$", 10000, &err), -1);
    assert_string_equal(ct_error_render(&err, line, sizeof(line)),
                        "run hook prestart[0] '/bin/sh': it was killed by SIGSEGV");
}

/* Whether what holds the write end of a fifo is gone: then reading it comes to its end. */
static bool all_writers_end(int fifo, int timeout_ms)
{
    struct ct_error err = {0};
    char byte;
    return ct_wait_readable(fifo, -1, timeout_ms, &err) == 1 && read(fifo, &byte, 1) == 0;
}

static void a_late_hook_is_killed_with_its_children(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char line[1024];
    CT_AUTO_FREE char *path = ct_join(dir, "late");

    assert_int_equal(mkfifo(path, 0600), 0);
    CT_AUTO_CLOSE int fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(run_script(LC_HOOK_CREATE_RUNTIME,
                                "exec 3>$0/late; echo begun; sleep 1000 & sleep 1000", 1000, &err),
                     -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
    assert_string_equal(ct_error_render(&err, line, sizeof(line)),
                        "run hook createRuntime[0] '/bin/sh': it was killed after 1 s: begun");
    assert_true(all_writers_end(fifo, 10000));
}

static void a_late_hook_that_floods_is_killed_too(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int64_t before = ct_monotonic_ns();

    assert_int_equal(run_script(LC_HOOK_CREATE_RUNTIME, "yes", 200, &err), -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
    assert_true(ct_monotonic_ns() - before < 5000000000LL);
}

static void of_a_flood_the_end_is_kept(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char line[1024];

    assert_int_equal(run_script(LC_HOOK_CREATE_RUNTIME,
                                "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo the cause; "
                                "echo; exit 1",
                                60000, &err),
                     -1);
    (void)ct_error_render(&err, line, sizeof(line));
    assert_non_null(strstr(line, "it ended with 1: …xxx"));
    assert_string_equal(line + strlen(line) - strlen("xxx the cause"), "xxx the cause");
    assert_true(strlen(line) < 300);
}

static void what_is_no_text_still_makes_an_error_that_can_be_sent(void **state)
{
    (void)state;
    struct ct_error err = {0}, received;

    assert_int_equal(run_script(LC_HOOK_CREATE_RUNTIME,
                                "head -c 300 /dev/zero | tr '\\0' '\\377'; printf 'a\\033[1mb'; "
                                "exit 1",
                                10000, &err),
                     -1);
    CT_AUTO_JSON json_t *message = ct_error_to_json(&err);
    assert_non_null(message);
    assert_int_equal(ct_error_from_json(message, &received), 0);
    assert_int_equal(received.depth, err.depth);
}

static void a_hook_need_not_read_its_input(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *large = malloc(300001);

    memset(large, 'a', 300000);
    large[300000] = '\0';
    json_object_set_new(state_document, "annotations", json_pack("{s:s}", "large", large));
    int ignoring = run_script(LC_HOOK_PRESTART, "exit 0", 10000, &err);
    int closing = run_script(LC_HOOK_PRESTART, "exec <&-; exit 0", 10000, &err);
    int reading = run_script(LC_HOOK_PRESTART, "cat >$0/large", 10000, &err);
    json_object_del(state_document, "annotations");
    CT_AUTO_FREE char *read_back = content_of("large");

    assert_int_equal(ignoring, 0);
    assert_int_equal(closing, 0);
    assert_int_equal(reading, 0);
    assert_true(strlen(read_back) > 300000);
}

static void what_a_hook_leaves_behind_holds_nobody_up(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char line[1024];
    CT_AUTO_FREE char *path = ct_join(dir, "hold");

    /* The grandchild has the output open; it ends when we close the fifo that it waits for. */
    assert_int_equal(mkfifo(path, 0600), 0);
    CT_AUTO_CLOSE int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(run_script(LC_HOOK_PRESTART, "cat $0/hold & exit 0", 60000, &err), 0);
    assert_int_equal(run_script(LC_HOOK_PRESTART, "cat $0/hold & echo failed; exit 5", 60000, &err),
                     -1);
    assert_string_equal(ct_error_render(&err, line, sizeof(line)),
                        "run hook prestart[0] '/bin/sh': it ended with 5: failed");
}

static void a_hook_that_cannot_be_run_says_why(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char line[1024];
    CT_AUTO_FREE char *missing = ct_join(dir, "missing");
    CT_AUTO_FREE char *plain = file_of("plain", "#!/bin/sh\n", 0644);
    CT_AUTO_FREE char *crlf = file_of("crlf", "#!/bin/sh\r\nexit 0\r\n", 0755);
    CT_AUTO_FREE char *bare = file_of("bare", "exit 0\n", 0755);

    assert_non_null(strstr(refusal_of(missing, &err, line), "/missing': process: run '"));
    assert_int_equal(err.sys, ENOENT);
    assert_int_equal(err.kind, CT_SYSTEM);
    assert_string_equal(err.hint, "");
    (void)refusal_of(plain, &err, line);
    assert_int_equal(err.sys, EACCES);
    (void)refusal_of(crlf, &err, line);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.hint, "carriage return"));
    (void)refusal_of(bare, &err, line);
    assert_int_equal(err.sys, ENOEXEC);
    assert_non_null(strstr(err.hint, "#!/bin/sh"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_is_read_with_its_defaults),
        cmocka_unit_test(a_wrong_configuration_names_the_field),
        cmocka_unit_test(a_hook_gets_state_arguments_and_only_its_own_environment),
        cmocka_unit_test(a_hook_inherits_no_descriptor),
        cmocka_unit_test(hooks_run_in_order_until_one_fails),
        cmocka_unit_test(after_the_start_all_hooks_run_and_failures_are_logged),
        cmocka_unit_test(a_hook_that_is_killed_says_by_what),
        cmocka_unit_test(a_late_hook_is_killed_with_its_children),
        cmocka_unit_test(a_late_hook_that_floods_is_killed_too),
        cmocka_unit_test(of_a_flood_the_end_is_kept),
        cmocka_unit_test(what_is_no_text_still_makes_an_error_that_can_be_sent),
        cmocka_unit_test(a_hook_need_not_read_its_input),
        cmocka_unit_test(what_a_hook_leaves_behind_holds_nobody_up),
        cmocka_unit_test(a_hook_that_cannot_be_run_says_why),
    };
    return cmocka_run_group_tests(tests, open_dir, close_dir);
}
