/*
 * test_shim.c - parts of the shim that need no container: streams and where they go, events, the
 * runtime's words, figures.
 *
 * Room:       tests/unit. Covers shim/. The test itself plays the program, on the program's ends.
 */
#define CT_LAYER "test"
#include "figures.h"
#include "shim_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/shim-XXXXXX";
static struct loop *loop;
static struct ct_error err;
static bool done;

static int set_up(void **state)
{
    (void)state;
    done = false;
    err = (struct ct_error){0};
    memcpy(home, "/tmp/shim-XXXXXX", sizeof(home));
    loop = loop_new(&err);
    return loop && mkdtemp(home) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return ct_remove_tree(AT_FDCWD, home, &err);
}

/* Owned. */
static char *in_home(const char *name)
{
    return ct_join(home, name);
}

static void write_text(const char *name, const char *text, mode_t mode)
{
    CT_AUTO_FREE char *path = in_home(name);
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ct_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void is_done(void *context)
{
    (void)context;
    done = true;
    loop_stop(loop);
}

/* ---- streams -------------------------------------------------------------------------------- */

static struct streams *open_streams(const char *in, const char *out, const char *error)
{
    return streams_open(&(struct streams_request){.loop = loop,
                                                  .namespace = "test",
                                                  .container_id = "web",
                                                  .stdin = in,
                                                  .stdout = out,
                                                  .stderr = error,
                                                  .uid = geteuid(),
                                                  .gid = getegid()},
                        &err);
}

/* The program's own copies, as it has them after the fork; begins. */
static void begin(struct streams *streams, int ret[3])
{
    streams_program_ends(streams, ret);
    for (int i = 0; i < 3; i++) {
        ret[i] = ret[i] < 0 ? -1 : dup(ret[i]);
    }
    assert_int_equal(streams_begin(streams, &err), 0);
}

static void drain(struct streams *streams, int timeout_ms)
{
    done = false;
    streams_drain(streams, timeout_ms, is_done, NULL);
    assert_int_equal(loop_run(loop, &err), 0);
    assert_true(done);
}

static void a_fifo_keeps_what_nobody_has_read_until_the_streams_go(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = in_home("out");
    char text[64] = "";
    int ends[3];
    assert_int_equal(mkfifo(path, 0600), 0);
    struct streams *streams = open_streams("", path, "");
    assert_non_null(streams);
    begin(streams, ends);

    assert_int_equal(ct_write_all(ends[1], "before anybody reads\n", 21), 0);
    (void)close(ends[1]);
    drain(streams, 5000);

    CT_AUTO_CLOSE int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_int_equal(read(reader, text, sizeof(text)), 21);
    assert_int_equal(read(reader, text, sizeof(text)), 0); /* and then its end */
    streams_free(streams);
}

static void output_that_nobody_takes_makes_the_program_wait_and_then_arrives(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = in_home("out");
    static char zeros[65536];
    size_t written = 0, got = 0;
    int ends[3];
    assert_int_equal(mkfifo(path, 0600), 0);
    struct streams *streams = open_streams("", path, "");
    begin(streams, ends);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);

    drain(streams, 50); /* with the program's end open: the time runs out */
    for (int refused = 0; refused < 3;) {
        ssize_t n = write(ends[1], zeros, sizeof(zeros));
        refused = n > 0 ? 0 : refused + 1;
        written += n > 0 ? (size_t)n : 0;
        drain(streams, 10);
    }
    assert_in_range(written, 65536, 300000); /* a pipe, a FIFO and one block */
    (void)close(ends[1]);
    CT_AUTO_CLOSE int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (ssize_t n; (n = read(reader, zeros, sizeof(zeros))) != 0;) {
        got += n > 0 ? (size_t)n : 0;
        drain(streams, 10);
    }

    assert_int_equal(got, written);
    streams_free(streams);
}

static void run_for_a_while(void)
{
    struct loop_timer timer = {0};
    loop_arm(loop, &timer, 20000000, is_done, NULL);
    assert_int_equal(loop_run(loop, &err), 0);
}

static void input_ends_when_it_is_closed_and_not_when_a_client_goes(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = in_home("in");
    char text[16] = "";
    int ends[3];
    assert_int_equal(mkfifo(path, 0600), 0);
    struct streams *streams = open_streams(path, "", "");
    begin(streams, ends);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);

    for (int client = 0; client < 2; client++) {
        int writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        assert_int_equal(write(writer, "hello", 5), 5);
        (void)close(writer);
        run_for_a_while();
        assert_int_equal(read(ends[0], text, sizeof(text)), 5);
        assert_int_equal(read(ends[0], text, sizeof(text)), -1); /* no end */
    }
    streams_close_input(streams);
    run_for_a_while();

    assert_int_equal(read(ends[0], text, sizeof(text)), 0);
    (void)close(ends[0]);
    streams_free(streams);
}

static void both_streams_go_to_one_log_by_their_names(void **state)
{
    (void)state;
    CT_AUTO_FREE char *uri = ct_printf("json-file://%s/log%%73?max-size=1m", home);
    int ends[3];
    struct streams *streams = open_streams("", uri, uri);
    assert_non_null(streams);
    begin(streams, ends);

    assert_int_equal(ct_write_all(ends[1], "out\n", 4), 0);
    assert_int_equal(ct_write_all(ends[2], "wrong\n", 6), 0);
    (void)close(ends[1]);
    (void)close(ends[2]);
    drain(streams, 5000);
    streams_free(streams);

    CT_AUTO_FREE char *path = in_home("logs/web-json.log");
    CT_AUTO_FREE char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &text, &err) > 0);
    assert_non_null(strstr(text, "{\"log\":\"out\\n\",\"stream\":\"stdout\""));
    assert_non_null(strstr(text, "{\"log\":\"wrong\\n\",\"stream\":\"stderr\""));
}

static void what_output_cannot_go_to_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *what;
    } cases[] = {
        {"http://x/y", "send output to 'http://x/y': there are fifo, file, binary and json-file"},
        {"file://relative", "open 'relative' for output: it is no absolute path"},
        {"/no/such/fifo", "open '/no/such/fifo' for output"},
        {"json-file:///tmp/x?labels=a", "log with option labels: a shim does not know the "
                                        "container's"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct ct_error){0};
        assert_null(open_streams("", cases[i].uri, ""));
        assert_string_equal(err.frame[0].what, cases[i].what);
    }
}

/* ---- the runtime ---------------------------------------------------------------------------- */

static void the_runtimes_last_error_counts_and_nonsense_does_not(void **state)
{
    (void)state;
    write_text("log.json",
               "{\"level\":\"error\",\"msg\":\"of an earlier command\"}\n"
               "{\"level\":\"error\",\"msg\":\"first\",\"time\":\"2026\"}\nnonsense\n"
               "{\"level\":\"error\",\"msg\":\"second\"}\n{\"level\":\"warning\",\"msg\":\"a\"}\n"
               "{\"level\":\"error\"}\n[7]\n{\"level\":\"err",
               0600);

    CT_AUTO_FREE char *last = runtime_last_error(home, 48);
    CT_AUTO_FREE char *none = runtime_last_error(home, runtime_log_size(home));

    assert_string_equal(last, "second");
    assert_null(none);
}

static void options_of_another_kind_are_refused_and_none_are_runcs(void **state)
{
    (void)state;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    struct runtime runtime;
    assert_int_equal(runtime_read(NULL, "moby", &runtime, &err), 0);
    assert_string_equal(runtime.binary, "runc");
    assert_string_equal(runtime.root, "/run/containerd/runc/moby");
    runtime_done(&runtime);

    any.type_url = (char *)"runtimeoptions.v3.Options";
    any.value.data = (uint8_t *)(char *)"\x0a\x01x";
    any.value.len = 3;
    assert_int_equal(runtime_read(&any, "moby", &runtime, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    any.type_url = (char *)"containerd.runc.v1.Options";
    any.value.data = (uint8_t *)(char *)"\x0a\x7f";
    any.value.len = 2;
    assert_int_equal(runtime_read(&any, "moby", &runtime, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
}

/* As containerd's CRI sends them: a type, and the path of a file. */
static int read_options_in(const char *path, struct runtime *ret)
{
    Runtimeoptions__V1__Options named = RUNTIMEOPTIONS__V1__OPTIONS__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    uint8_t bytes[4096];

    named.type_url = (char *)"anything";
    named.config_path = (char *)path;
    any.type_url = (char *)"runtimeoptions.v1.Options";
    any.value.len = runtimeoptions__v1__options__pack(&named, bytes);
    any.value.data = bytes;
    ct_error_clear(&err);
    return runtime_read(&any, "k8s.io", ret, &err);
}

static void options_may_stand_in_a_file_whose_every_key_is_known(void **state)
{
    (void)state;
    struct runtime runtime;
    CT_AUTO_FREE char *path = in_home("options.json");
    json_t *document = json_pack("{s:s, s:s, s:b}", "binary_name", "/bin/ours", "root", "/run/here",
                                 "no_pivot_root", 1);
    assert_int_equal(ct_json_save_at(AT_FDCWD, path, document, &err), 0);

    assert_int_equal(read_options_in(path, &runtime), 0);
    assert_string_equal(runtime.binary, "/bin/ours");
    assert_string_equal(runtime.root, "/run/here/k8s.io");
    assert_true(runtime.no_pivot_root);
    runtime_done(&runtime);

    json_object_set_new(document, "shim_cgroup", json_string("/x"));
    assert_int_equal(ct_json_save_at(AT_FDCWD, path, document, &err), 0);
    assert_int_equal(read_options_in(path, &runtime), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_non_null(strstr(err.frame[0].what, "there is no option 'shim_cgroup'"));

    json_object_set_new(document, "binary_name", json_integer(7));
    assert_int_equal(ct_json_save_at(AT_FDCWD, path, document, &err), 0);
    assert_int_equal(read_options_in(path, &runtime), -1);
    assert_int_equal(err.kind, CT_INVALID);
    json_decref(document);

    assert_int_equal(read_options_in("/no/such/file", &runtime), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_int_equal(read_options_in("options.json", &runtime), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_non_null(strstr(err.frame[0].what, "no absolute path"));
}

/* ---- events --------------------------------------------------------------------------------- */

static void without_ttrpc_the_program_publishes_until_it_succeeds(void **state)
{
    (void)state;
    CT_AUTO_FREE char *program = in_home("publisher");
    CT_AUTO_FREE char *script = ct_printf("#!/bin/sh\n"
                                          "echo \"$*\" >>%s/told\n"
                                          "[ -e %s/tried ] || { : >%s/tried; exit 1; }\n"
                                          "cat >>%s/events\n",
                                          home, home, home, home);
    struct shim_options options = {
        .namespace = "moby", .address = "/a.sock", .publish_binary = program};
    Containerd__Events__TaskPaused event = CONTAINERD__EVENTS__TASK_PAUSED__INIT;
    write_text("publisher", script, 0700);
    (void)unsetenv("TTRPC_ADDRESS");
    struct publisher *publisher = publisher_new(loop, &options);
    event.container_id = (char *)"web";

    publish(publisher, "/tasks/paused", &event.base);
    publisher_finish(publisher, 10000, is_done, NULL);
    for (int attempt = 0; attempt < 2; attempt++) {
        int status = 0;
        pid_t pid = -1;
        while ((pid = waitpid(-1, &status, WNOHANG)) <= 0) {
            run_for_a_while();
        }
        assert_true(publisher_ended(publisher, pid, status));
    }
    publisher_free(publisher);

    CT_AUTO_FREE char *told = in_home("told"), *events = in_home("events"), *text = NULL,
                      *bytes = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, told, 4096, &text, &err) > 0);
    assert_string_equal(text, "--address /a.sock publish --topic /tasks/paused --namespace moby\n"
                              "--address /a.sock publish --topic /tasks/paused --namespace moby\n");
    ssize_t n = ct_read_file_at(AT_FDCWD, events, 4096, &bytes, &err);
    Google__Protobuf__Any *any =
        google__protobuf__any__unpack(NULL, (size_t)n, (const uint8_t *)bytes);
    assert_non_null(any);
    assert_string_equal(any->type_url, "containerd.events.TaskPaused");
    google__protobuf__any__free_unpacked(any, NULL);
}

/* ---- figures -------------------------------------------------------------------------------- */

static void figures_get_their_places_in_both_messages(void **state)
{
    (void)state;
    static const char text[] =
        "{\"cpu\":{\"usage\":{\"total\":3000000,\"kernel\":1000000,\"user\":2000000,"
        "\"percpu\":[1,2]},\"throttling\":{\"throttledTime\":5000}},"
        "\"memory\":{\"usage\":{\"limit\":9223372036854775807,\"usage\":100},"
        "\"swap\":{\"limit\":9223372036854775807,\"usage\":130},"
        "\"raw\":{\"anon\":11,\"rss\":12,\"total_inactive_file\":13}},"
        "\"pids\":{\"current\":4,\"limit\":64},"
        "\"blkio\":{\"ioServiceBytesRecursive\":[{\"major\":8,\"minor\":1,\"op\":\"Read\","
        "\"value\":"
        "21},{\"major\":8,\"minor\":1,\"op\":\"Write\",\"value\":22}]},"
        "\"hugetlb\":{\"2MB\":{\"usage\":31}}}";
    CT_AUTO_JSON json_t *figures = ct_json_parse(text, strlen(text), &err);
    struct pool pool = {0};

    const Io__Containerd__Cgroups__V1__Metrics *v1 = (const void *)figures_v1(figures, 2, &pool);
    const Io__Containerd__Cgroups__V2__Metrics *v2 = (const void *)figures_v2(figures, 2, &pool);

    assert_int_equal(v1->cpu->usage->total, 3000000);
    assert_int_equal(v1->cpu->usage->per_cpu[1], 2);
    assert_int_equal(v1->memory->rss, 12);
    assert_int_equal(v1->memory->total_inactive_file, 13);
    assert_int_equal(v1->memory_oom_control->oom_kill, 2);
    assert_int_equal(v1->blkio->n_io_service_bytes_recursive, 2);
    assert_string_equal(v1->hugetlb[0]->pagesize, "2MB");
    assert_int_equal(v2->cpu->usage_usec, 3000);
    assert_int_equal(v2->cpu->throttled_usec, 5);
    assert_int_equal(v2->memory->anon, 11);
    assert_int_equal(v2->memory->swap_usage, 30);
    assert_true(v2->memory->usage_limit == UINT64_MAX);
    assert_int_equal(v2->io->n_usage, 1);
    assert_int_equal(v2->io->usage[0]->wbytes, 22);
    assert_int_equal(v2->pids->limit, 64);
    assert_int_equal(v2->memory_events->oom_kill, 2);
    pool_done(&pool);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_fifo_keeps_what_nobody_has_read_until_the_streams_go),
        TEST(output_that_nobody_takes_makes_the_program_wait_and_then_arrives),
        TEST(input_ends_when_it_is_closed_and_not_when_a_client_goes),
        TEST(both_streams_go_to_one_log_by_their_names),
        TEST(what_output_cannot_go_to_is_refused_by_name),
        TEST(the_runtimes_last_error_counts_and_nonsense_does_not),
        TEST(options_of_another_kind_are_refused_and_none_are_runcs),
        TEST(options_may_stand_in_a_file_whose_every_key_is_known),
        TEST(without_ttrpc_the_program_publishes_until_it_succeeds),
        TEST(figures_get_their_places_in_both_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
