/*
 * engine.c - the contract of engine.h: what its users may rely on, whatever is behind it.
 *
 * Built once for each implementation, with the engine_world_*.c that opens it. It looks through
 * engine.h only. The programs that it runs are those which the fake knows, too.
 */
#define CT_LAYER "test"
#include "engine_containers.h"
#include "engine_images.h"
#include "engine_networks.h"
#include "engine_system.h"
#include "engine_volumes.h"
#include "engine_world.h"

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

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 30000

static struct engine *engine;
static struct ct_error err;

static int setup(void **state)
{
    (void)state;
    err = (struct ct_error){0};
    engine = world_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(engine);
    return 0;
}

/* ---- short ways ----------------------------------------------------------------------------- */

static void must_be(int result, const char *file, int line)
{
    char text[600];
    if (result < 0) {
        print_error("%s\n", ct_error_render(&err, text, sizeof(text)));
        _fail(file, line);
    }
}
#define must(call) must_be((call), __FILE__, __LINE__)

/* The call fails, and with this kind. */
#define refused(call, kind_)                 \
    do {                                     \
        assert_int_equal((call), -1);        \
        assert_int_equal(err.kind, (kind_)); \
        assert_true(err.depth > 0);          \
        ct_error_clear(&err);                \
    } while (0)

/* Creates a container of busybox; command is its Cmd. Owned by the caller. */
static char *create(const char *name, json_t *command)
{
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:o,s:{s:s},s:{s:s}}", "Image", "busybox", "Cmd", command, "Labels",
                  "purpose", "contract", "HostConfig", "NetworkMode", "none");
    CT_AUTO_JSON json_t *warnings = NULL;
    char *id = NULL;

    assert_non_null(body);
    must(engine_container_create(engine, name, body, &id, &warnings, &err));
    assert_int_equal(strlen(id), 64);
    return id;
}

static char *create_sleeping(const char *name)
{
    return create(name, json_pack("[ss]", "sleep", "1000"));
}

static char *create_ending(const char *name, const char *script)
{
    return create(name, json_pack("[sss]", "sh", "-c", script));
}

static void start(const char *ref)
{
    must(engine_container_start(engine, ref, &err));
}

static json_t *inspect(const char *ref)
{
    json_t *document = NULL;
    must(engine_container_inspect(engine, ref, false, &document, &err));
    return document;
}

static void assert_status(const char *ref, const char *status)
{
    CT_AUTO_JSON json_t *document = inspect(ref);
    assert_string_equal(ct_json_string(document, "State.Status", ""), status);
}

/* Waits for the end that `wait` was opened for; closes it. */
static int await(struct engine_wait *wait)
{
    int status = -1, done = 0;

    assert_non_null(wait);
    while (done == 0) {
        must(done = engine_wait_result(wait, &status, &err));
        if (done == 0) {
            assert_int_equal(ct_wait_readable(engine_wait_fd(wait), -1, WAIT_MS, &err), 1);
        }
    }
    engine_wait_close(wait);
    return status;
}

/* Starts it and waits for its end. */
static int run(const char *ref)
{
    struct engine_wait *wait = engine_wait_open(engine, ref, "next-exit", &err);
    start(ref);
    return await(wait);
}

/* ---- create --------------------------------------------------------------------------------- */

static void a_container_is_found_by_name_id_and_prefix(void **state)
{
    (void)state;
    CT_AUTO_FREE char *id = create_sleeping("web");
    char prefix[13] = "";
    (void)strncpy(prefix, id, 12);
    const char *refs[] = {"web", id, prefix};

    for (size_t i = 0; i < 3; i++) {
        CT_AUTO_JSON json_t *document = inspect(refs[i]);
        assert_string_equal(ct_json_string(document, "Id", ""), id);
        assert_string_equal(ct_json_string(document, "Name", ""), "/web");
        assert_string_equal(ct_json_string(document, "State.Status", ""), "created");
        assert_string_equal(ct_json_string(document, "Config.Image", ""), "busybox");
        assert_string_equal(ct_json_string(document, "Config.Labels.purpose", ""), "contract");
    }
}

static void a_container_without_a_name_is_given_one(void **state)
{
    (void)state;
    CT_AUTO_FREE char *id = create_sleeping(NULL);
    CT_AUTO_JSON json_t *document = inspect(id);
    assert_true(strlen(ct_json_string(document, "Name", "")) > 2);
}

static void a_name_is_given_once(void **state)
{
    (void)state;
    free(create_sleeping("web"));
    CT_AUTO_FREE char *second = create_sleeping("db");
    CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Image", "busybox");
    CT_AUTO_JSON json_t *warnings = NULL;
    char *id = NULL;

    refused(engine_container_create(engine, "web", body, &id, &warnings, &err), CT_EXISTS);
    refused(engine_container_rename(engine, "db", "web", &err), CT_EXISTS);
    must(engine_container_rename(engine, "web", "www", &err));
    must(engine_container_rename(engine, "db", "web", &err));
    CT_AUTO_JSON json_t *document = inspect("web");
    assert_string_equal(ct_json_string(document, "Id", ""), second);
}

static void a_wrong_request_makes_nothing(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *no_image = json_pack("{s:s}", "Image", "no-such-image");
    CT_AUTO_JSON json_t *wrong_type = json_pack("{s:s,s:i}", "Image", "busybox", "Cmd", 5);
    CT_AUTO_JSON json_t *list = NULL, *warnings = NULL;
    char *id = NULL;

    refused(engine_container_create(engine, "a1", no_image, &id, &warnings, &err), CT_NOT_FOUND);
    refused(engine_container_create(engine, "a2", wrong_type, &id, &warnings, &err), CT_INVALID);
    must(engine_container_list(engine, true, 0, false, NULL, &list, &err));
    assert_int_equal(json_array_size(list), 0);
}

static void what_does_not_exist_is_not_found(void **state)
{
    (void)state;
    json_t *ret = NULL;

    refused(engine_container_start(engine, "nobody", &err), CT_NOT_FOUND);
    refused(engine_container_stop(engine, "nobody", NULL, 0, &err), CT_NOT_FOUND);
    refused(engine_container_kill(engine, "nobody", NULL, &err), CT_NOT_FOUND);
    refused(engine_container_remove(engine, "nobody", true, false, &err), CT_NOT_FOUND);
    refused(engine_container_inspect(engine, "nobody", false, &ret, &err), CT_NOT_FOUND);
    refused(engine_image_inspect(engine, "nobody", &ret, &err), CT_NOT_FOUND);
    refused(engine_volume_inspect(engine, "nobody", &ret, &err), CT_NOT_FOUND);
    refused(engine_network_inspect(engine, "nobody", &ret, &err), CT_NOT_FOUND);
    assert_null(engine_wait_open(engine, "nobody", "not-running", &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void the_exit_code_is_the_programs(void **state)
{
    (void)state;
    CT_AUTO_FREE char *id = create_ending("web", "exit 7");

    assert_int_equal(run(id), 7);
    CT_AUTO_JSON json_t *document = inspect(id);
    assert_string_equal(ct_json_string(document, "State.Status", ""), "exited");
    assert_int_equal(ct_json_integer(document, "State.ExitCode", -1), 7);
    assert_false(ct_json_bool(document, "State.Running", true));
    assert_string_not_equal(ct_json_string(document, "State.FinishedAt", ""), CT_TIME_ZERO);
}

static void an_ended_container_can_be_started_again(void **state)
{
    (void)state;
    free(create_ending("web", "exit 7"));

    assert_int_equal(run("web"), 7);
    assert_int_equal(run("web"), 7);
    assert_int_equal(await(engine_wait_open(engine, "web", "not-running", &err)), 7);
}

static void a_second_start_changes_nothing(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    start("web");
    refused(engine_container_start(engine, "web", &err), CT_UNCHANGED);
    assert_status("web", "running");
}

static void a_program_that_is_missing_is_named(void **state)
{
    (void)state;
    free(create("web", json_pack("[s]", "no-such-program")));
    char line[600];

    assert_int_equal(engine_container_start(engine, "web", &err), -1);
    assert_int_equal(err.kind, CT_NO_PROGRAM);
    assert_non_null(strstr(ct_error_render(&err, line, sizeof(line)), "no-such-program"));
}

static void what_it_printed_can_be_read_in_frames(void **state)
{
    (void)state;
    free(create("web", json_pack("[sss]", "echo", "hello", "world")));
    int ends[2];
    struct {
        unsigned char stream, zero[3];
        uint32_t size;
        char text[64];
    } frame = {0};

    assert_int_equal(run("web"), 0);
    assert_int_equal(pipe(ends), 0);
    const struct engine_logs all = {.want_stdout = true, .want_stderr = true, .tail = -1};
    must(engine_container_logs(engine, "web", &all, ends[1], -1, &err));
    (void)close(ends[1]);
    ssize_t n = read(ends[0], &frame, sizeof(frame));
    (void)close(ends[0]);
    assert_int_equal(n, 8 + 12);
    assert_int_equal(frame.stream, 1);
    assert_int_equal(ntohl(frame.size), 12);
    assert_memory_equal(frame.text, "hello world\n", 12);
}

static void what_is_sent_to_it_comes_back_from_the_first_byte_to_the_last(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:[s],s:b,s:b,s:{s:s}}", "Image", "busybox", "Cmd", "cat", "OpenStdin", 1,
                  "StdinOnce", 1, "HostConfig", "NetworkMode", "none");
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_FREE char *id = NULL;
    const struct engine_attach both = {.stream = true, .in = true, .out = true};
    char frame[64] = "";
    size_t have = 0;
    ssize_t n;
    CT_AUTO_CLOSE int fd = -1;

    must(engine_container_create(engine, "web", body, &id, &warnings, &err));
    must(engine_container_attach(engine, "web", &both, &fd, &err));
    start("web");
    must(ct_write_all(fd, "hello\n", 6));
    must(shutdown(fd, SHUT_WR));
    while (have < sizeof(frame) && (n = read(fd, frame + have, sizeof(frame) - have)) > 0) {
        have += (size_t)n;
    }
    assert_int_equal(have, 8 + 6);
    assert_memory_equal(frame, "\1\0\0\0\0\0\0\6hello\n", 14);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void a_kill_ends_it_with_the_signal(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    start("web");
    struct engine_wait *wait = engine_wait_open(engine, "web", "not-running", &err);
    refused(engine_container_kill(engine, "web", "SIGNONSENSE", &err), CT_INVALID);
    must(engine_container_kill(engine, "web", NULL, &err));
    assert_int_equal(await(wait), 137);
    refused(engine_container_kill(engine, "web", NULL, &err), CT_CONFLICT);
}

static void a_stop_of_a_stopped_one_changes_nothing(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    refused(engine_container_stop(engine, "web", NULL, 0, &err), CT_UNCHANGED);
    start("web");
    must(engine_container_stop(engine, "web", NULL, 0, &err));
    assert_status("web", "exited");
    refused(engine_container_stop(engine, "web", NULL, 0, &err), CT_UNCHANGED);
}

static void a_restart_starts_what_does_not_run_too(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    must(engine_container_restart(engine, "web", NULL, 0, &err));
    assert_status("web", "running");
    must(engine_container_restart(engine, "web", NULL, 0, &err));
    assert_status("web", "running");
}

static void a_paused_one_is_paused_until_it_goes_on(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    refused(engine_container_pause(engine, "web", &err), CT_CONFLICT);
    start("web");
    refused(engine_container_unpause(engine, "web", &err), CT_CONFLICT);
    must(engine_container_pause(engine, "web", &err));
    assert_status("web", "paused");
    refused(engine_container_pause(engine, "web", &err), CT_CONFLICT);
    refused(engine_container_start(engine, "web", &err), CT_CONFLICT);
    must(engine_container_unpause(engine, "web", &err));
    assert_status("web", "running");
}

/* ---- wait, remove, list --------------------------------------------------------------------- */

static void a_wait_for_removal_ends_with_it(void **state)
{
    (void)state;
    free(create_ending("web", "exit 3"));

    assert_int_equal(run("web"), 3);
    struct engine_wait *wait = engine_wait_open(engine, "web", "removed", &err);
    must(engine_container_remove(engine, "web", false, false, &err));
    assert_int_equal(await(wait), 3);
    assert_null(engine_wait_open(engine, "web", "removed", &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

static void an_unknown_condition_is_refused(void **state)
{
    (void)state;
    free(create_sleeping("web"));

    assert_null(engine_wait_open(engine, "web", "bored", &err));
    assert_int_equal(err.kind, CT_INVALID);
}

static void a_running_one_is_removed_only_by_force(void **state)
{
    (void)state;
    CT_AUTO_FREE char *id = create_sleeping("web");
    json_t *ret = NULL;

    start("web");
    refused(engine_container_remove(engine, "web", false, false, &err), CT_CONFLICT);
    assert_status("web", "running");
    must(engine_container_remove(engine, "web", true, false, &err));
    refused(engine_container_inspect(engine, id, false, &ret, &err), CT_NOT_FOUND);
}

static size_t count(bool all, int limit, const char *filter, const char *value)
{
    CT_AUTO_JSON json_t *filters = filter ? json_pack("{s:[s]}", filter, value) : NULL;
    CT_AUTO_JSON json_t *list = NULL;

    must(engine_container_list(engine, all, limit, false, filters, &list, &err));
    return json_array_size(list);
}

static void a_list_shows_what_was_asked_for_newest_first(void **state)
{
    (void)state;
    free(create_sleeping("web"));
    CT_AUTO_FREE char *second = create_ending("job", "exit 3");
    CT_AUTO_JSON json_t *list = NULL;

    start("web");
    assert_int_equal(run("job"), 3);
    must(engine_container_list(engine, true, 0, false, NULL, &list, &err));
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(ct_json_string(json_array_get(list, 0), "Id", ""), second);
    assert_string_equal(ct_json_string(json_array_get(list, 0), "State", ""), "exited");
    assert_string_equal(ct_json_string(json_array_get(list, 1), "State", ""), "running");
    assert_int_equal(count(false, 0, NULL, NULL), 1);
    assert_int_equal(count(false, 1, NULL, NULL), 1); /* a limit implies all states */
    assert_int_equal(count(false, 0, "status", "exited"), 1);
    assert_int_equal(count(false, 0, "exited", "3"), 1);
    assert_int_equal(count(true, 0, "exited", "4"), 0);
    assert_int_equal(count(true, 0, "name", "we"), 1);
    assert_int_equal(count(true, 0, "label", "purpose=contract"), 2);
    assert_int_equal(count(true, 0, "label", "purpose=other"), 0);
}

static void an_unknown_filter_is_refused(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *filters = json_pack("{s:[s]}", "colour", "red");
    json_t *list = NULL;

    refused(engine_container_list(engine, true, 0, false, filters, &list, &err), CT_INVALID);
    refused(engine_volume_list(engine, filters, &list, &err), CT_INVALID);
    refused(engine_network_list(engine, filters, &list, &err), CT_INVALID);
}

/* ---- images, volumes, networks, system ------------------------------------------------------ */

static void its_own_image_is_there_on_first_use(void **state)
{
    (void)state;
    free(create_sleeping("web"));
    CT_AUTO_JSON json_t *list = NULL, *image = NULL;

    must(engine_image_list(engine, false, NULL, &list, &err));
    assert_int_equal(json_array_size(list), 1);
    must(engine_image_inspect(engine, "busybox", &image, &err));
    assert_string_equal(ct_json_string(image, "Id", ""),
                        ct_json_string(json_array_get(list, 0), "Id", "-"));
    assert_string_equal(ct_json_string(image, "Os", ""), "linux");
}

static void a_volume_is_made_once_and_removed_once(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *body = json_pack("{s:s,s:{s:s}}", "Name", "data", "Labels", "k", "v");
    CT_AUTO_JSON json_t *made = NULL, *again = NULL, *list = NULL;

    must(engine_volume_create(engine, body, &made, &err));
    must(engine_volume_create(engine, body, &again, &err));
    assert_string_equal(ct_json_string(made, "Mountpoint", ""),
                        ct_json_string(again, "Mountpoint", "-"));
    must(engine_volume_list(engine, NULL, &list, &err));
    assert_int_equal(json_array_size(json_object_get(list, "Volumes")), 1);
    assert_string_equal(ct_json_string(made, "Labels.k", ""), "v");
    must(engine_volume_remove(engine, "data", false, &err));
    refused(engine_volume_remove(engine, "data", false, &err), CT_NOT_FOUND);
    must(engine_volume_remove(engine, "data", true, &err));
}

static void a_network_is_made_once_and_the_first_three_stay(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *body = json_pack("{s:s,s:b}", "Name", "back", "CheckDuplicate", 1);
    CT_AUTO_JSON json_t *found = NULL, *list = NULL;
    CT_AUTO_FREE char *id = NULL;
    char *second = NULL;

    must(engine_network_create(engine, body, &id, &err));
    refused(engine_network_create(engine, body, &second, &err), CT_EXISTS);
    must(engine_network_inspect(engine, "back", &found, &err));
    assert_string_equal(ct_json_string(found, "Id", ""), id);
    must(engine_network_list(engine, NULL, &list, &err));
    assert_int_equal(json_array_size(list), 4);
    must(engine_network_remove(engine, id, &err));
    refused(engine_network_remove(engine, id, &err), CT_NOT_FOUND);
    refused(engine_network_remove(engine, "bridge", &err), CT_DENIED);
}

static void it_tells_its_version(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *version = NULL;

    must(engine_version(engine, &version, &err));
    assert_string_equal(ct_json_string(version, "ApiVersion", ""), "1.43");
    assert_true(strlen(engine_stage()) > 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
    int role = world_is_another_role(argc, argv);
    if (role) {
        return role - 1;
    }
    const struct CMUnitTest tests[] = {
        CASE(a_container_is_found_by_name_id_and_prefix),
        CASE(a_container_without_a_name_is_given_one),
        CASE(a_name_is_given_once),
        CASE(a_wrong_request_makes_nothing),
        CASE(what_does_not_exist_is_not_found),
        CASE(the_exit_code_is_the_programs),
        CASE(an_ended_container_can_be_started_again),
        CASE(a_second_start_changes_nothing),
        CASE(a_program_that_is_missing_is_named),
        CASE(what_it_printed_can_be_read_in_frames),
        CASE(what_is_sent_to_it_comes_back_from_the_first_byte_to_the_last),
        CASE(a_kill_ends_it_with_the_signal),
        CASE(a_stop_of_a_stopped_one_changes_nothing),
        CASE(a_restart_starts_what_does_not_run_too),
        CASE(a_paused_one_is_paused_until_it_goes_on),
        CASE(a_wait_for_removal_ends_with_it),
        CASE(an_unknown_condition_is_refused),
        CASE(a_running_one_is_removed_only_by_force),
        CASE(a_list_shows_what_was_asked_for_newest_first),
        CASE(an_unknown_filter_is_refused),
        CASE(its_own_image_is_there_on_first_use),
        CASE(a_volume_is_made_once_and_removed_once),
        CASE(a_network_is_made_once_and_the_first_three_stay),
        CASE(it_tells_its_version),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
