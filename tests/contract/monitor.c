/*
 * monitor.c - the monitor seam's contract: what its callers may rely on, whatever drives the
 * container. Run with the real driver, as root: monitors are processes of their own.
 *
 * Each test has its own root and run directories, and leaves no process, mount or cgroup behind.
 */
#define CT_LAYER "test"
#include "monitor.h"
#include "containers.h"
#include "events.h"
#include "logs.h"
#include "monitor_main.h"
#include "places.h"
#include "snapshots.h"

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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000
#define END_MS   15000

struct world {
    char base[64];
    char *root, *run;
    struct monitor_paths paths;
    struct places places;
    struct container_store *store;
    struct container *container; /* locked, as the engine has it during a start */
};

static void must(int result, const struct ct_error *err)
{
    char line[600];
    if (result < 0) {
        fail_msg("%s", ct_error_render(err, line, sizeof(line)));
    }
}

static int setup(void **state)
{
    static struct world w;
    struct ct_error err = {0};

    w = (struct world){0};
    (void)snprintf(w.base, sizeof(w.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(w.base));
    w.root = ct_join(w.base, "root");
    w.run = ct_join(w.base, "run");
    w.paths = (struct monitor_paths){.root = w.root, .run = w.run};
    must(places_open(&w.places, w.root, w.run, &err), &err);
    w.store = container_store_open(w.places.containers, w.places.run_containers, &err);
    assert_non_null(w.store);
    *state = &w;
    return 0;
}

/* Reads the record again until the condition holds. Fails the test after END_MS. */
static void await(struct world *w, bool (*holds)(const struct container *container))
{
    struct ct_error err = {0};
    int64_t deadline_ns = ct_monotonic_ns() + END_MS * 1000000LL;
    CT_AUTO_CLOSE int watch = container_watch(w->container, &err);

    assert_true(watch >= 0);
    while (container_reload(w->container, &err) == 0 && !holds(w->container)) {
        assert_true(ct_monotonic_ns() < deadline_ns);
        (void)ct_wait_readable(watch, -1, 200, &err);
        container_watch_next(watch);
    }
}

static bool has_ended(const struct container *container)
{
    return strcmp(container_status(container), "exited") == 0;
}

static void await_no_monitor(const struct container *container)
{
    struct ct_error err = {0};
    pid_t pid = container_monitor(container);
    CT_AUTO_CLOSE int pidfd = pid > 0 ? ct_pidfd_open(pid, &err) : -1;
    if (pidfd >= 0) {
        assert_int_equal(ct_wait_readable(pidfd, -1, END_MS, &err), 1);
    }
}

static void assert_nothing_mounted(const struct world *w)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *mounts = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 22, &mounts, &err) > 0);
    assert_null(strstr(mounts, w->base));
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};

    if (w->container && container_reload(w->container, &err) == 0) {
        if (container_is_running(w->container)) {
            (void)monitor_signal(w->container, SIGKILL, true, &err);
            await(w, has_ended);
        }
        await_no_monitor(w->container);
        ct_error_clear(&err);
        must(monitor_discard(&w->paths, w->container, true, &err), &err);
    }
    container_free(w->container);
    container_store_close(w->store);
    places_done(&w->places);
    assert_nothing_mounted(w);
    free(w->root);
    free(w->run);
    assert_int_equal(ct_remove_tree(AT_FDCWD, w->base, &err), 0);
    return 0;
}

/* busybox, and what every program expects of a root file system. */
static void make_rootfs(const struct world *w)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *key = places_snapshot_key(w->container->id);
    CT_AUTO_FREE char *target = ct_join(w->container->dir, "rootfs");
    struct snapshot_store *snapshots = snapshot_store_open(w->places.snapshots, &err);

    assert_non_null(snapshots);
    must(snapshot_prepare(snapshots, key, "", &err), &err);
    assert_int_equal(mkdir(target, 0700), 0);
    must(snapshot_mount(snapshots, key, target, &err), &err);
    CT_AUTO_FREE char *script = ct_printf(
        "cd '%s' && mkdir -p bin dev etc proc sys tmp && cp /bin/busybox bin/busybox && "
        "for p in sh echo sleep cat true yes head test touch; do ln -s busybox bin/$p; done && "
        "echo root:x:0:0::/root:/bin/sh >etc/passwd && touch run.sh",
        target);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    CT_AUTO_FREE char *output = NULL;
    int status = 0;
    must(ct_process_run(argv, 10000, 4096, &output, &status, &err), &err);
    assert_int_equal(status, 0);
    must(snapshot_unmount(target, &err), &err);
    snapshot_store_close(snapshots);
}

/* A container that runs a shell script, without a network. more: JSON objects' texts. */
static void make(struct world *w, const char *script, const char *config_more,
                 const char *host_more)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config =
        json_pack("{s:[s,s,s],s:s}", "Cmd", "sh", "-c", script, "Image", "busybox");
    CT_AUTO_JSON json_t *host = json_pack("{s:s}", "NetworkMode", "none");
    CT_AUTO_JSON json_t *more = json_loads(config_more, 0, NULL);
    CT_AUTO_JSON json_t *more_host = json_loads(host_more, 0, NULL);

    assert_true(json_is_object(more) && json_is_object(more_host));
    (void)json_object_update(config, more);
    (void)json_object_update(host, more_host);
    CT_AUTO_JSON json_t *record = json_pack("{s:O,s:O,s:[],s:{s:{}}}", "Config", config,
                                            "HostConfig", host, "Mounts", "Networks", "none");
    w->container = container_create(w->store, "web", record, &err);
    assert_non_null(w->container);
    make_rootfs(w);
}

static void start(struct world *w)
{
    struct ct_error err = {0};
    must(monitor_start(&w->paths, w->container, NULL, 0, START_MS, &err), &err);
    container_unlock(w->container);
}

/* Starts with a client attached; returns the client's end. */
static int start_attached(struct world *w)
{
    struct ct_error err = {0};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct monitor_stream stream = {.fd = ends[1], .in = true, .out = true, .err = true};
    must(monitor_start(&w->paths, w->container, &stream, 1, START_MS, &err), &err);
    (void)close(ends[1]);
    container_unlock(w->container);
    return ends[0];
}

/* Payload of the stream: at least so many bytes, or up to its end. Owned. */
static char *read_some(int fd, size_t wanted)
{
    char *text = NULL;
    size_t length = 0, got = 0;
    FILE *stream = open_memstream(&text, &length);
    unsigned char header[8];
    char payload[16384];

    while (got < wanted &&
           recv(fd, header, sizeof(header), MSG_WAITALL) == (ssize_t)sizeof(header)) {
        size_t n = (size_t)header[6] << 8 | header[7];
        assert_true(n <= sizeof(payload));
        assert_int_equal(recv(fd, payload, n, MSG_WAITALL), n);
        (void)fwrite(payload, 1, n, stream);
        got += n;
    }
    (void)fclose(stream);
    return text;
}

static char *read_stream(int fd)
{
    return read_some(fd, SIZE_MAX);
}

static char *read_log(const struct world *w)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *dir = container_log_dir(w->container);
    CT_AUTO_FREE char *path = log_path(dir, w->container->id, NULL);
    char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, path, 1 << 20, &text, &err) >= 0);
    return text;
}

static int exit_code(const struct world *w)
{
    return (int)ct_json_integer(w->container->state, "ExitCode", -1);
}

static void run(struct world *w)
{
    start(w);
    await(w, has_ended);
}

static int count_event(void *context, const json_t *event)
{
    int *counts = context;
    const char *action = ct_json_string(event, "Action", "");
    counts[0] += strcmp(action, "start") == 0;
    counts[1] += strcmp(action, "die") == 0;
    counts[2] += strcmp(action, "health_status: healthy") == 0;
    counts[3] += strcmp(action, "destroy") == 0;
    return 0;
}

/* Events follow the record, so they are complete only when the monitor has gone. */
static void count_events(const struct world *w, int counts[static 4])
{
    struct ct_error err = {0};
    memset(counts, 0, 4 * sizeof(*counts));
    await_no_monitor(w->container);
    struct event_query query = {.since_ns = 1, .until_ns = ct_now_ns()};
    must(event_follow(w->places.events, &query, count_event, counts, -1, &err), &err);
}

static void a_run_is_recorded_from_its_start_to_its_end(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int counts[4];
    make(w, "echo hello; read x; exit 3", "{\"OpenStdin\":true}", "{}");

    start(w);
    assert_string_equal(container_status(w->container), "running");
    assert_true(ct_json_integer(w->container->state, "Pid", 0) > 1);
    assert_true(container_monitor(w->container) > 1);
    must(monitor_signal(w->container, SIGKILL, true, &err), &err);
    await(w, has_ended);

    assert_int_equal(exit_code(w), 137);
    assert_int_equal(ct_json_integer(w->container->state, "Pid", -1), 0);
    count_events(w, counts);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
}

static void a_stream_has_everything_and_closes_after_the_end_is_recorded(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "echo first; cat; echo -n last; exit 5", "{\"OpenStdin\":true,\"StdinOnce\":true}",
         "{}");

    CT_AUTO_CLOSE int client = start_attached(w);
    assert_int_equal(send(client, "middle\n", 7, 0), 7);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    CT_AUTO_FREE char *text = read_stream(client);

    assert_string_equal(text, "first\nmiddle\nlast");
    must(container_reload(w->container, &err), &err);
    assert_string_equal(container_status(w->container), "exited");
    assert_int_equal(exit_code(w), 5);
    CT_AUTO_FREE char *log = read_log(w);
    assert_non_null(strstr(log, "\"log\":\"last\""));
}

static void the_last_line_of_a_short_life_is_never_lost(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "echo -n x", "{}", "{}");

    for (int i = 0; i < 10; i++) {
        CT_AUTO_CLOSE int client = start_attached(w);
        CT_AUTO_FREE char *text = read_stream(client);
        assert_string_equal(text, "x");
        await(w, has_ended);
        must(container_lock(w->container, START_MS, &err), &err);
    }
}

static void what_a_program_leaves_behind_does_not_hold_its_end_up(void **state)
{
    struct world *w = *state;
    make(w, "sleep 100 & echo done", "{}", "{}");
    int64_t begin = ct_monotonic_ns();

    CT_AUTO_CLOSE int client = start_attached(w);
    CT_AUTO_FREE char *text = read_stream(client);

    assert_string_equal(text, "done\n");
    assert_true(ct_monotonic_ns() - begin < 10 * 1000000000LL);
}

static void failed_start(struct world *w, enum ct_kind kind, int code)
{
    struct ct_error err = {0};

    assert_int_equal(monitor_start(&w->paths, w->container, NULL, 0, START_MS, &err), -1);

    assert_int_equal(err.kind, kind);
    assert_string_equal(container_status(w->container), "created");
    assert_int_equal(exit_code(w), code);
    assert_true(*ct_json_string(w->container->state, "Error", ""));
    assert_null(json_object_get(w->container->state, "Job"));
    await_no_monitor(w->container);
    assert_nothing_mounted(w);
}

static void a_missing_program_is_reported_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    make(w, "", "{\"Cmd\":[\"nosuch\"]}", "{}");
    failed_start(w, CT_NO_PROGRAM, 127);
}

static void a_missing_user_is_reported_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    make(w, "true", "{\"User\":\"nosuch\"}", "{}");
    failed_start(w, CT_CANNOT_RUN, 126);
}

static void a_volume_that_is_gone_is_reported_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    make(w, "true", "{}", "{}");
    ct_json_set(
        w->container->config, "Mounts",
        json_pack("[{s:s,s:s,s:s}]", "Type", "bind", "Source", "/nosuch", "Destination", "/x"));
    struct ct_error err = {0};
    must(container_save_config(w->container, &err), &err);
    failed_start(w, CT_NOT_FOUND, 128);
}

static void requests_to_a_container_that_does_not_run_are_refused(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "true", "{}", "{}");

    assert_int_equal(monitor_signal(w->container, SIGTERM, true, &err), -1);

    assert_int_equal(err.kind, CT_CONFLICT);
    assert_string_equal(err.frame[0].what, "container web is not running");
}

static void a_second_start_changes_nothing(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100", "{}", "{}");
    start(w);
    pid_t monitor = container_monitor(w->container);

    assert_int_equal(monitor_start(&w->paths, w->container, NULL, 0, START_MS, &err), -1);

    assert_int_equal(err.kind, CT_UNCHANGED);
    assert_int_equal(container_monitor(w->container), monitor);
}

static char *make_exec(const struct world *w, const char *script)
{
    struct ct_error err = {0};
    char id[65];
    ct_random_hex(id, 32);
    CT_AUTO_FREE char *path = ct_join(w->container->run_dir, "exec");
    CT_AUTO_CLOSE int dir = ct_mkdirs(path, 0700, &err);
    CT_AUTO_FREE char *name = ct_printf("%s.json", id);
    CT_AUTO_JSON json_t *document =
        json_pack("{s:[s,s,s],s:b,s:b,s:b,s:n}", "Cmd", "sh", "-c", script, "AttachStdin", 1,
                  "AttachStdout", 1, "AttachStderr", 1, "ExitCode");
    if (strcmp(script, "nosuch") == 0) {
        ct_json_set(document, "Cmd", json_pack("[s]", "nosuch"));
    }
    must(ct_json_save_at(dir, name, document, &err), &err);
    return ct_strdup(id);
}

#define ATTACHES 6

/* What a log had at that moment. Owned. */
static char *read_past(const struct world *w, struct log_past *past)
{
    struct ct_error err = {0};
    struct log_query query = {.want_stdout = true, .want_stderr = true};
    CT_AUTO_CLOSE int out = open(w->base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    must(log_past_read(past, &query, true, out, &err), &err);
    log_past_close(past);
    off_t length = lseek(out, 0, SEEK_END);
    char *text = calloc(1, (size_t)length + 1);
    assert_int_equal(pread(out, text, (size_t)length, 0), length);
    return text;
}

/* Lines "n,", none missing and none twice. from_zero: the first one, too. Returns the last one. */
static long count(const char *text, bool from_zero)
{
    const char *line = from_zero ? text : strchr(text, '\n') + 1; /* it may begin within one */
    long n = from_zero ? 0 : strtol(line, NULL, 10);

    for (; *line; n++) {
        char *behind = NULL;
        assert_int_equal(strtol(line, &behind, 10), n);
        assert_memory_equal(behind, ",\n", 2);
        line = behind + 2;
    }
    return n - 1;
}

/*
 * The program prints without a pause, each line in two pieces. Clients come while it does, each
 * when the first one has read some more: between each one's log and stream the count goes on.
 */
static void attach_while_it_prints(struct world *w, const char *log_config, bool whole)
{
    struct ct_error err = {0};
    struct log_past pasts[ATTACHES];
    int streams[ATTACHES];
    make(w, "i=0; while [ ! -e /stop ]; do echo -n $i; echo ,; i=$((i+1)); done", "{}", log_config);

    CT_AUTO_CLOSE int first = start_attached(w);
    struct monitor_stream how = {.out = true, .err = true};
    for (size_t i = 0; i < ATTACHES; i++) {
        CT_AUTO_FREE char *read_meanwhile = read_some(first, 20000);
        assert_true(strlen(read_meanwhile) >= 20000);
        must(monitor_attach(w->container, &how, &pasts[i], &streams[i], &err), &err);
    }
    CT_AUTO_FREE char *stop = make_exec(w, "touch /stop");
    must(monitor_exec(w->container, stop, NULL, &err), &err);
    CT_AUTO_FREE char *rest = read_stream(first);
    long last = count(rest, false);

    for (size_t i = 0; i < ATTACHES; i++) {
        CT_AUTO_FREE char *before = read_past(w, &pasts[i]);
        CT_AUTO_FREE char *after = read_stream(streams[i]);
        CT_AUTO_FREE char *both = ct_printf("%s%s", before, after);
        (void)close(streams[i]);
        assert_true(*before && *after);
        assert_int_equal(count(both, whole), last);
    }
}

static void a_log_and_the_stream_behind_it_are_everything_once(void **state)
{
    attach_while_it_prints(*state, "{}", true);
}

static void rotation_under_way_changes_nothing_of_that(void **state)
{
    attach_while_it_prints(*state,
                           "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":"
                           "{\"max-size\":\"1k\",\"max-file\":\"20\"}}}",
                           false);
}

static json_int_t exec_code(const struct world *w, const char *id)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *name = ct_printf("exec/%s.json", id);
    CT_AUTO_JSON json_t *document = ct_json_load_at(w->container->run_fd, name, &err);
    assert_false(ct_json_bool(document, "Running", true));
    return ct_json_integer(document, "ExitCode", -1);
}

static void an_exec_has_its_stream_and_its_code(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int client = -1;
    make(w, "sleep 100", "{}", "{}");
    start(w);
    CT_AUTO_FREE char *id = make_exec(w, "cat; echo end; exit 9");

    must(monitor_exec(w->container, id, &client, &err), &err);
    assert_int_equal(send(client, "in\n", 3, 0), 3);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    CT_AUTO_FREE char *text = read_stream(client);

    assert_string_equal(text, "in\nend\n");
    assert_int_equal(exec_code(w, id), 9);
    (void)close(client);
}

static void an_exec_that_cannot_start_says_why(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int client = -1;
    make(w, "sleep 100", "{}", "{}");
    start(w);
    CT_AUTO_FREE char *id = make_exec(w, "nosuch");

    assert_int_equal(monitor_exec(w->container, id, &client, &err), -1);

    assert_int_equal(err.kind, CT_NO_PROGRAM);
    assert_int_equal(exec_code(w, id), 127);
}

static void execs_end_with_their_container(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int client = -1;
    make(w, "sleep 100", "{}", "{}");
    start(w);
    CT_AUTO_FREE char *id = make_exec(w, "sleep 100");
    must(monitor_exec(w->container, id, &client, &err), &err);

    must(monitor_signal(w->container, SIGKILL, true, &err), &err);
    CT_AUTO_FREE char *text = read_stream(client);

    assert_string_equal(text, "");
    assert_int_equal(exec_code(w, id), 137);
    (void)close(client);
}

static void a_failing_program_runs_as_often_as_its_policy_says(void **state)
{
    struct world *w = *state;
    int counts[4];
    make(w, "exit 1", "{}",
         "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}}");

    run(w);

    assert_int_equal(exit_code(w), 1);
    assert_int_equal(ct_json_integer(w->container->state, "RestartCount", 0), 2);
    count_events(w, counts);
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 3);
}

static bool is_restarting(const struct container *container)
{
    return strcmp(container_status(container), "restarting") == 0;
}

static void a_stop_between_two_runs_calls_the_next_one_off(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "exit 4", "{}", "{\"RestartPolicy\":{\"Name\":\"always\"}}");
    start(w);
    await(w, is_restarting);

    must(monitor_signal(w->container, SIGTERM, true, &err), &err);
    await(w, has_ended);

    assert_int_equal(exit_code(w), 4);
    await_no_monitor(w->container);
}

static void a_stopped_program_is_not_restarted(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100", "{}", "{\"RestartPolicy\":{\"Name\":\"always\"}}");
    start(w);

    must(monitor_signal(w->container, SIGKILL, true, &err), &err);
    await(w, has_ended);

    await_no_monitor(w->container);
    assert_int_equal(ct_json_integer(w->container->state, "RestartCount", -1), 0);
}

static void kill_monitor(const struct world *w)
{
    struct ct_error err = {0};
    pid_t pid = container_monitor(w->container);
    assert_true(pid > 1);
    CT_AUTO_CLOSE int pidfd = ct_pidfd_open(pid, &err);
    must(ct_pidfd_signal(pidfd, SIGKILL, &err), &err);
    assert_int_equal(ct_wait_readable(pidfd, -1, END_MS, &err), 1);
}

static void reconcile(struct world *w)
{
    struct ct_error err = {0};
    must(container_lock(w->container, START_MS, &err), &err);
    must(monitor_reconcile(&w->paths, w->container, &err), &err);
    container_unlock(w->container);
}

static void a_killed_monitor_has_a_successor_and_no_output_is_lost(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w,
         "echo before; while ! test -e /go; do sleep 0.02; done; echo while; "
         "while ! test -e /end; do sleep 0.02; done; echo after; exit 6",
         "{}", "{}");
    start(w);
    json_int_t pid = ct_json_integer(w->container->state, "Pid", 0);
    CT_AUTO_FREE char *go = ct_printf("/proc/%lld/root/go", (long long)pid);
    CT_AUTO_FREE char *end = ct_printf("/proc/%lld/root/end", (long long)pid);

    kill_monitor(w);
    assert_true(close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
    reconcile(w);
    assert_string_equal(container_status(w->container), "running");
    assert_int_equal(ct_json_integer(w->container->state, "Pid", 0), pid);
    assert_true(container_monitor(w->container) > 1);
    assert_true(close(open(end, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) == 0);
    await(w, has_ended);

    assert_int_equal(exit_code(w), 6);
    CT_AUTO_FREE char *log = read_log(w);
    assert_non_null(strstr(log, "before"));
    assert_non_null(strstr(log, "while"));
    assert_non_null(strstr(log, "after"));
    must(container_reload(w->container, &err), &err);
}

static void kill_program(const struct world *w)
{
    pid_t pid = (pid_t)ct_json_integer(w->container->state, "Pid", 0);
    struct ct_error err = {0};
    assert_true(pid > 1);
    CT_AUTO_CLOSE int pidfd = ct_pidfd_open(pid, &err);
    must(ct_pidfd_signal(pidfd, SIGKILL, &err), &err);
    assert_int_equal(ct_wait_readable(pidfd, -1, END_MS, &err), 1);
}

static void an_end_that_nobody_saw_is_137(void **state)
{
    struct world *w = *state;
    make(w, "sleep 100", "{}", "{}");
    start(w);
    kill_monitor(w);
    kill_program(w);

    reconcile(w);

    assert_string_equal(container_status(w->container), "exited");
    assert_int_equal(exit_code(w), 137);
    assert_nothing_mounted(w);
}

static void what_a_reboot_ended_is_255(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100", "{}", "{}");
    start(w);
    kill_monitor(w);
    kill_program(w);
    must(container_reload(w->container, &err), &err);
    ct_json_set_string(w->container->state, "BootId", "another-boot");
    must(container_save_state(w->container, &err), &err);

    reconcile(w);

    assert_string_equal(container_status(w->container), "exited");
    assert_int_equal(exit_code(w), 255);
}

static void it_starts_again_after_a_killed_monitor(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    char ready[14];
    make(w, "test -e /second || { touch /second; echo ready; sleep 100; }; exit 2", "{}", "{}");
    CT_AUTO_CLOSE int client = start_attached(w);
    assert_int_equal(recv(client, ready, sizeof(ready), MSG_WAITALL), sizeof(ready));
    kill_monitor(w);
    kill_program(w);
    reconcile(w);

    must(container_lock(w->container, START_MS, &err), &err);
    run(w);

    assert_int_equal(exit_code(w), 2);
}

/* Kills the monitor of a start that goes on, delay_ms after it took its lock. */
static void kill_half_way(struct world *w, int delay_ms)
{
    struct ct_error err = {0};
    int64_t deadline_ns = ct_monotonic_ns() + END_MS * 1000000LL;

    pid_t starter = fork();
    if (starter == 0) {
        _exit(monitor_start(&w->paths, w->container, NULL, 0, START_MS, &err) == 0 ? 0 : 1);
    }
    while (container_monitor(w->container) == 0 && ct_monotonic_ns() < deadline_ns) {
        (void)poll(NULL, 0, 1);
    }
    (void)poll(NULL, 0, delay_ms);
    kill_monitor(w);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
}

static void a_start_that_is_killed_half_way_stands_in_nobodys_way(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100", "{}", "{}");

    for (int delay_ms = 0; delay_ms <= 60; delay_ms += 6) {
        kill_half_way(w, delay_ms);
        must(container_reload(w->container, &err), &err);
        must(monitor_reconcile(&w->paths, w->container, &err), &err);
        if (!container_is_running(w->container)) { /* else it ran already, and was adopted */
            must(monitor_start(&w->paths, w->container, NULL, 0, START_MS, &err), &err);
        }
        must(monitor_signal(w->container, SIGKILL, true, &err), &err);
        await(w, has_ended);
        await_no_monitor(w->container);
    }
    assert_nothing_mounted(w);
}

static void a_monitor_that_is_told_to_end_stops_its_container_politely(void **state)
{
    struct world *w = *state;
    make(w, "trap 'echo bye; exit 8' TERM; echo ready; while true; do sleep 0.02; done", "{}",
         "{\"RestartPolicy\":{\"Name\":\"always\"}}");
    CT_AUTO_CLOSE int client = start_attached(w);
    char ready[14];
    assert_int_equal(recv(client, ready, sizeof(ready), MSG_WAITALL), sizeof(ready));

    assert_int_equal(kill(container_monitor(w->container), SIGTERM), 0);
    CT_AUTO_FREE char *text = read_stream(client);

    assert_string_equal(text, "bye\n");
    await(w, has_ended);
    assert_int_equal(exit_code(w), 8);
}

static void a_paused_container_dies_of_a_kill(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100", "{}", "{}");
    start(w);

    must(monitor_pause(w->container, true, &err), &err);
    must(container_reload(w->container, &err), &err);
    assert_string_equal(container_status(w->container), "paused");
    assert_int_equal(monitor_pause(w->container, true, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    ct_error_clear(&err);
    must(monitor_signal(w->container, SIGKILL, true, &err), &err);
    await(w, has_ended);

    assert_int_equal(exit_code(w), 137);
}

static bool is_healthy(const struct container *container)
{
    return strcmp(ct_json_string(container->state, "Health.Status", ""), "healthy") == 0;
}

static void a_health_check_tells_when_it_gets_well(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int counts[4];
    make(w, "sleep 0.3; touch /ok; sleep 100",
         "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"echo looked; test -e /ok\"],"
         "\"Interval\":100000000,\"Retries\":100}}",
         "{}");
    start(w);
    assert_string_equal(ct_json_string(w->container->state, "Health.Status", ""), "starting");

    await(w, is_healthy);

    json_t *log = ct_json_get(w->container->state, "Health.Log");
    json_t *last = json_array_get(log, json_array_size(log) - 1);
    assert_int_equal(ct_json_integer(last, "ExitCode", -1), 0);
    assert_string_equal(ct_json_string(last, "Output", ""), "looked\n");
    must(monitor_signal(w->container, SIGKILL, true, &err), &err);
    await(w, has_ended);
    count_events(w, counts);
    assert_int_equal(counts[2], 1);
}

static void a_container_that_removes_itself_leaves_nothing(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    int counts[4];
    make(w, "true", "{}", "{\"AutoRemove\":true}");

    CT_AUTO_CLOSE int client = start_attached(w);
    CT_AUTO_FREE char *text = read_stream(client);
    assert_string_equal(text, "");
    await_no_monitor(w->container);

    assert_int_equal(container_reload(w->container, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    count_events(w, counts);
    assert_int_equal(counts[3], 1);
    CT_AUTO_FREE char *snapshot =
        ct_printf("%s/active/01-%s", w->places.snapshots, w->container->id);
    assert_int_equal(access(snapshot, F_OK), -1);
}

static void a_sample_and_the_processes_can_be_asked_for(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    make(w, "sleep 100 & sleep 100", "{}", "{}");
    start(w);

    CT_AUTO_JSON json_t *sample = monitor_stats(w->container, &err);
    CT_AUTO_JSON json_t *pids = monitor_pids(w->container, &err);

    assert_true(ct_json_integer(sample, "memory_stats.usage", 0) > 0);
    assert_true(json_array_size(pids) >= 1);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
    if (monitor_is_wanted(argc, argv)) {
        return monitor_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        CASE(a_run_is_recorded_from_its_start_to_its_end),
        CASE(a_stream_has_everything_and_closes_after_the_end_is_recorded),
        CASE(the_last_line_of_a_short_life_is_never_lost),
        CASE(what_a_program_leaves_behind_does_not_hold_its_end_up),
        CASE(a_log_and_the_stream_behind_it_are_everything_once),
        CASE(rotation_under_way_changes_nothing_of_that),
        CASE(a_missing_program_is_reported_and_leaves_nothing),
        CASE(a_missing_user_is_reported_and_leaves_nothing),
        CASE(a_volume_that_is_gone_is_reported_and_leaves_nothing),
        CASE(requests_to_a_container_that_does_not_run_are_refused),
        CASE(a_second_start_changes_nothing),
        CASE(an_exec_has_its_stream_and_its_code),
        CASE(an_exec_that_cannot_start_says_why),
        CASE(execs_end_with_their_container),
        CASE(a_failing_program_runs_as_often_as_its_policy_says),
        CASE(a_stop_between_two_runs_calls_the_next_one_off),
        CASE(a_stopped_program_is_not_restarted),
        CASE(a_killed_monitor_has_a_successor_and_no_output_is_lost),
        CASE(an_end_that_nobody_saw_is_137),
        CASE(what_a_reboot_ended_is_255),
        CASE(it_starts_again_after_a_killed_monitor),
        CASE(a_start_that_is_killed_half_way_stands_in_nobodys_way),
        CASE(a_monitor_that_is_told_to_end_stops_its_container_politely),
        CASE(a_paused_container_dies_of_a_kill),
        CASE(a_health_check_tells_when_it_gets_well),
        CASE(a_container_that_removes_itself_leaves_nothing),
        CASE(a_sample_and_the_processes_can_be_asked_for),
    };
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
