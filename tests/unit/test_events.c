/*
 * test_events.c - what happened is told in order, to whoever asks for it.
 */
#define CT_LAYER "test"
#include "events.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-events-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-events-XXXXXX", sizeof(dir));
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct ct_error err = {0};
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static int collect(void *context, const json_t *event)
{
    char *text = context;
    (void)snprintf(text + strlen(text), 200 - strlen(text), "%s ",
                   ct_json_string(event, "Action", "?"));
    return 0;
}

static const char *past(const char *filters_text, char text[200])
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *filters = ct_json_parse(filters_text, strlen(filters_text), &err);
    struct event_query query = {.since_ns = 1, .until_ns = ct_now_ns(), .filters = filters};
    text[0] = '\0';
    assert_int_equal(event_follow(dir, &query, collect, text, -1, &err), 0);
    return text;
}

static void emit(const char *action, const char *name)
{
    CT_AUTO_JSON json_t *attributes =
        json_pack("{s:s,s:s,s:s}", "name", name, "image", "busybox", "tier", "web");
    event_emit(dir, "container", action, "abcdef0123456789", attributes);
}

static void past_events_come_in_order(void **state)
{
    (void)state;
    char text[200];
    emit("create", "web");
    emit("start", "web");
    emit("die", "web");

    assert_string_equal(past("{}", text), "create start die ");
}

static void filters_select(void **state)
{
    (void)state;
    char text[200];
    emit("create", "web");
    emit("create", "db");
    emit("exec_start: ls -l", "db");

    assert_string_equal(past("{\"container\":[\"web\"]}", text), "create ");
    assert_string_equal(past("{\"event\":[\"exec_start\"]}", text), "exec_start: ls -l ");
    assert_string_equal(past("{\"type\":{\"image\":true}}", text), "");
    assert_string_equal(past("{\"label\":[\"tier=web\"],\"event\":[\"create\"]}", text),
                        "create create ");
    assert_string_equal(past("{\"label\":[\"tier=db\"]}", text), "");
}

static void an_unknown_filter_is_refused_by_name(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *filters = json_pack("{s:[s]}", "colour", "red");
    struct event_query query = {.filters = filters};

    assert_int_equal(event_follow(dir, &query, collect, NULL, -1, &err), -1);

    assert_string_equal(err.frame[0].what, "invalid filter 'colour'");
}

static void a_torn_line_is_skipped(void **state)
{
    (void)state;
    char text[200];
    CT_AUTO_FREE char *path = ct_join(dir, "events.jsonl");
    emit("create", "web");
    {
        CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(ct_write_all(fd, "{\"Action\":\"sta\n", 15), 0);
    }
    emit("die", "web");

    assert_string_equal(past("{}", text), "create die ");
}

static void an_event_that_is_too_long_loses_attributes_and_stays_whole(void **state)
{
    (void)state;
    char text[200];
    char *big = calloc(1, 10001);
    memset(big, 'x', 10000);
    CT_AUTO_JSON json_t *attributes = json_pack("{s:s,s:s}", "name", "web", "big", big);

    event_emit(dir, "container", "create", "abc", attributes);
    free(big);

    assert_string_equal(past("{\"container\":[\"web\"]}", text), "create ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(past_events_come_in_order),
        TEST(filters_select),
        TEST(an_unknown_filter_is_refused_by_name),
        TEST(a_torn_line_is_skipped),
        TEST(an_event_that_is_too_long_loses_attributes_and_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
