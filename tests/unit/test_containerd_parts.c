/*
 * test_containerd_parts.c - filters, the bus of events, the database and what it finds unreachable.
 *
 * Room:       tests/unit. Covers containerd's filter.c, bus.c, store.c, messages.c and
 * reachable.sql.
 */
#include "bus.h"
#include "cleanup.h"
#include "error.h"
#include "filter.h"
#include "path.h"
#include "pool.h"
#include "store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

extern const char containerd_reachable[];

/* ---- filters -------------------------------------------------------------------------------- */

static Containerd__Services__Images__V1__Image *make_image(struct pool *pool)
{
    Containerd__Services__Images__V1__Image *image =
        message_new(&containerd__services__images__v1__image__descriptor, pool);
    struct map_entry *label =
        message_new(&containerd__services__images__v1__image__labels_entry__descriptor, pool);

    image->name = (char *)"docker.io/library/busybox:latest";
    image->target = message_new(&containerd__types__descriptor__descriptor, pool);
    image->target->media_type = (char *)"application/vnd.oci.image.index.v1+json";
    image->target->digest = (char *)"sha256:abc";
    label->key = (char *)"a.b/c";
    label->value = (char *)"x,y";
    list_add((void ***)&image->labels, &image->n_labels, label, pool);
    return image;
}

static bool image_matches(const char *a, const char *b)
{
    struct pool pool = {0};
    struct ct_error err = {0};
    char *texts[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b};
    AUTO_FILTER struct filter *filter = filter_new(texts, b ? 2 : 1, &err);

    assert_non_null(filter);
    bool result = filter_matches(filter, &make_image(&pool)->base);
    pool_done(&pool);
    return result;
}

static void fields_are_those_of_the_message(void **state)
{
    (void)state;
    assert_true(image_matches("", NULL));
    assert_true(image_matches("name==docker.io/library/busybox:latest", NULL));
    assert_false(image_matches("name==docker.io/library/busybox", NULL));
    assert_true(image_matches("name~=|^docker.io/|", NULL));
    assert_true(image_matches("name~=busybox:[a-z]+$", NULL));
    assert_true(image_matches("target.digest==sha256:abc", NULL));
    assert_true(image_matches("target.mediatype~=index", NULL));
    assert_true(image_matches("labels.\"a.b/c\"==\"x,y\"", NULL));
    assert_true(image_matches("labels.\"a.b/c\"", NULL));
    assert_false(image_matches("labels.other", NULL));
    assert_true(image_matches("labels.other!=x", NULL));
    assert_false(image_matches("nothing==x", NULL));
    assert_false(image_matches("target==x", NULL));
    assert_false(image_matches("name.deeper==x", NULL));
}

static void commas_mean_and_and_several_mean_or(void **state)
{
    (void)state;
    assert_true(image_matches("name~=busybox,target.digest==sha256:abc", NULL));
    assert_false(image_matches("name~=busybox,target.digest==sha256:abd", NULL));
    assert_true(image_matches("name==x,target.digest==sha256:abc", "target.digest==sha256:abc"));
    assert_false(image_matches("name==x", "name==y"));
}

static void a_broken_filter_is_refused_with_its_text(void **state)
{
    (void)state;
    static const char *const broken[] = {"==x",  "name==\"x", "name~=(",       "name==x,",
                                         "a..b", "name=x",    "labels.\"x==y", ","};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        char *text = (char *)(uintptr_t)broken[i];
        struct ct_error err = {0};
        assert_null(filter_new(&text, 1, &err));
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[1].what, broken[i]));
    }
}

static void an_expression_that_takes_for_ever_does_not(void **state)
{
    (void)state;
    struct pool pool = {0};
    struct ct_error err = {0};
    char *text = (char *)"name~=|^(a+)+$|";
    AUTO_FILTER struct filter *filter = filter_new(&text, 1, &err);
    Containerd__Services__Images__V1__Image *image = make_image(&pool);
    image->name = (char *)"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!";

    assert_false(filter_matches(filter, &image->base));
    pool_done(&pool);
}

/* ---- events --------------------------------------------------------------------------------- */

static void tell_exit(struct bus *bus, const char *namespace_, const char *id)
{
    Containerd__Events__TaskExit event = CONTAINERD__EVENTS__TASK_EXIT__INIT;
    event.container_id = event.id = (char *)(uintptr_t)id;
    bus_publish(bus, namespace_, "/tasks/exit", &event.base);
}

static void listeners_hear_what_they_asked_for_in_order(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct bus *bus = bus_new();
    char *text = (char *)"namespace==moby,topic~=|^/tasks/|,event.container_id!=quiet";
    AUTO_FILTER struct filter *filter = filter_new(&text, 1, &err);
    struct listener *listener = listener_new(bus, filter, &err);
    const Containerd__Services__Events__V1__Envelope *heard = NULL;

    tell_exit(bus, "moby", "one");
    tell_exit(bus, "other", "two");
    tell_exit(bus, "moby", "quiet");
    for (int i = 0; i < 40; i++) {
        tell_exit(bus, "moby", i % 2 ? "odd" : "even");
    }

    assert_int_equal(listener_next(listener, &heard, &err), 1);
    assert_string_equal(heard->topic, "/tasks/exit");
    assert_string_equal(heard->event->type_url, "containerd.events.TaskExit");
    for (int i = 0; i < 40; i++) {
        assert_int_equal(listener_next(listener, &heard, &err), 1);
        ProtobufCMessage *event = event_unpack(heard->event);
        assert_string_equal(((Containerd__Events__TaskExit *)event)->id, i % 2 ? "odd" : "even");
        protobuf_c_message_free_unpacked(event, NULL);
    }
    assert_int_equal(listener_next(listener, &heard, &err), 0);
    listener_free(listener);
    bus_free(bus);
}

static void who_never_listens_is_told_that_events_were_dropped(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct bus *bus = bus_new();
    AUTO_FILTER struct filter *filter = filter_new(NULL, 0, &err);
    struct listener *listener = listener_new(bus, filter, &err);
    const Containerd__Services__Events__V1__Envelope *heard = NULL;

    for (int i = 0; i < 20000; i++) {
        tell_exit(bus, "moby", "one");
    }

    assert_int_equal(listener_next(listener, &heard, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    listener_free(listener);
    bus_free(bus);
}

/* ---- the database --------------------------------------------------------------------------- */

static int open_store(void **state)
{
    struct ct_error err = {0};
    static char path[] = "/tmp/ct-store-XXXXXX";
    (void)strcpy(path, "/tmp/ct-store-XXXXXX");
    int fd = mkstemp(path);
    (void)close(fd);
    *state = store_open(path, &err);
    (void)unlink(path);
    CT_AUTO_FREE char *wal = ct_printf("%s-wal", path), *shm = ct_printf("%s-shm", path);
    (void)unlink(wal);
    (void)unlink(shm);
    return *state ? 0 : -1;
}

static int close_store(void **state)
{
    store_close(*state);
    return 0;
}

static int count(struct store *store, const char *sql)
{
    struct ct_error err = {0};
    AUTO_STATEMENT sqlite3_stmt *row = store_query(store, &err, sql, "");
    assert_non_null(row);
    assert_int_equal(store_row(row, &err), 1);
    return (int)store_integer(row, 0);
}

static void what_is_not_committed_has_never_been(void **state)
{
    struct ct_error err = {0};
    {
        AUTO_TRANSACTION struct transaction work = store_begin(*state);
        assert_int_equal(store_run(work.store, &err, "INSERT INTO namespaces VALUES (?)", "s", "a"),
                         1);
    }
    AUTO_TRANSACTION struct transaction work = store_begin(*state);
    assert_int_equal(count(*state, "SELECT count(*) FROM namespaces"), 0);
    assert_int_equal(store_run(work.store, &err, "INSERT INTO namespaces VALUES (?)", "s", "a"), 1);
    assert_int_equal(store_run(work.store, &err, "INSERT INTO namespaces VALUES (?)", "s", "a"),
                     -1);
    assert_int_equal(err.kind, CT_EXISTS);
}

/* "labels.a" in a mask changes a alone; an empty value removes it. */
static void a_mask_changes_only_what_it_names(void **state)
{
    struct pool pool = {0};
    struct ct_error err = {0};
    size_t n;
    char *paths[] = {(char *)"labels.a", (char *)"labels.b"};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    struct map_entry a = {.key = (char *)"a", .value = (char *)"1"};
    struct map_entry b = {.key = (char *)"b", .value = (char *)"2"};
    struct map_entry c = {.key = (char *)"c", .value = (char *)"3"};
    struct map_entry *all[] = {&a, &b, &c}, *some[] = {&a, &b};
    AUTO_TRANSACTION struct transaction work = store_begin(*state);

    assert_int_equal(labels_write(*state, "n", "images", "x", all, 3, NULL, "labels", &err), 0);
    mask.paths = paths;
    mask.n_paths = 2;
    a.value = (char *)"changed";
    b.value = (char *)"";
    assert_int_equal(labels_write(*state, "n", "images", "x", some, 2, &mask, "labels", &err), 0);

    struct map_entry **got = labels_read(
        *state, "n", "images", "x",
        &containerd__services__images__v1__image__labels_entry__descriptor, &pool, &n, &err);
    assert_int_equal(n, 2);
    assert_string_equal(got[0]->value, "changed");
    assert_string_equal(got[1]->key, "c");
    pool_done(&pool);
}

static void names_are_checked(void **state)
{
    (void)state;
    char too_long[78];
    const char *const bad[] = {"",   ".",   "..",  "a/b",  "a..b",  "-a",
                               "a-", "a b", "a\n", "\xc3", too_long};
    struct ct_error err = {0};

    memset(too_long, 'a', 77);
    too_long[77] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(check_identifier("container", bad[i], &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
    assert_int_equal(check_identifier("container", "a.b-c_D9", &err), 0);
}

/* ---- what is reachable ---------------------------------------------------------------------- */

static const char world[] =
    "INSERT INTO images VALUES ('n', 'img', 't', 'index', 1, 0, 0);"
    "INSERT INTO labels VALUES ('n', 'content', 'index', 'containerd.io/gc.ref.content.m.0', "
    "'manifest');"
    "INSERT INTO labels VALUES ('n', 'content', 'manifest', 'containerd.io/gc.ref.content.config', "
    "'config');"
    "INSERT INTO labels VALUES ('n', 'content', 'config', "
    "'containerd.io/gc.ref.snapshot.overlayfs', 'top');"
    "INSERT INTO labels VALUES ('n', 'content', 'rooted', 'containerd.io/gc.root', 'now');"
    "INSERT INTO labels VALUES ('n', 'content', 'loose', 'containerd.io/gc.ref.content', 'looser');"
    "INSERT INTO snapshots (namespace, snapshotter, name, parent, kind, size, inodes, created_at, "
    "updated_at) VALUES "
    "  ('n', 'overlayfs', 'bottom', '', 3, 0, 0, 0, 0), ('n', 'overlayfs', 'top', 'bottom', 3, 0, "
    "0, 0, 0),"
    "  ('n', 'overlayfs', 'rw', 'top', 2, 0, 0, 0, 0), ('n', 'overlayfs', 'lost', 'bottom', 2, 0, "
    "0, 0, 0);"
    "INSERT INTO containers VALUES ('n', 'c', 'img', 'overlayfs', 'rw', 'r', '', '', '', '', 0, 0);"
    "INSERT INTO leases VALUES ('n', 'live', 0), ('n', 'over', 0), ('n', 'flat', 0);"
    "INSERT INTO labels VALUES ('n', 'leases', 'over', 'containerd.io/gc.expire', "
    "'2020-01-01T00:00:00Z');"
    "INSERT INTO labels VALUES ('n', 'leases', 'live', 'containerd.io/gc.expire', "
    "'2999-01-01T00:00:00Z');"
    "INSERT INTO labels VALUES ('n', 'leases', 'flat', 'containerd.io/gc.flat', 'yes');"
    "INSERT INTO labels VALUES ('n', 'content', 'held', 'containerd.io/gc.ref.content.x', "
    "'held-too');"
    "INSERT INTO labels VALUES ('n', 'content', 'flat', 'containerd.io/gc.ref.content.x', "
    "'not-held');"
    "INSERT INTO lease_resources VALUES ('n', 'live', 'content', 'held'), ('n', 'over', 'content', "
    "'gone'),"
    "  ('n', 'flat', 'content', 'flat');";

static bool is_reachable(struct store *store, const char *space, const char *type, const char *id)
{
    struct ct_error err = {0};
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        store, &err, "SELECT 1 FROM reachable WHERE namespace = ? AND type = ? AND id = ?", "sss",
        space, type, id);
    assert_non_null(row);
    return store_row(row, &err) == 1;
}

static void what_somebody_needs_is_reachable_and_nothing_else(void **state)
{
    static const char *const needed[][2] = {{"content", "index"},
                                            {"content", "manifest"},
                                            {"content", "config"},
                                            {"content", "rooted"},
                                            {"content", "held"},
                                            {"content", "held-too"},
                                            {"content", "flat"},
                                            {"snapshots/overlayfs", "top"},
                                            {"snapshots/overlayfs", "bottom"},
                                            {"snapshots/overlayfs", "rw"}};
    static const char *const lost[][2] = {{"content", "loose"},
                                          {"content", "looser"},
                                          {"content", "gone"},
                                          {"content", "not-held"},
                                          {"snapshots/overlayfs", "lost"}};
    struct ct_error err = {0};
    AUTO_TRANSACTION struct transaction work = store_begin(*state);
    assert_int_equal(store_script(*state, containerd_reachable, &err), 0);
    assert_int_equal(store_script(*state, world, &err), 0);

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        assert_true(is_reachable(*state, "n", needed[i][0], needed[i][1]));
        assert_false(is_reachable(*state, "other", needed[i][0], needed[i][1]));
    }
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        assert_false(is_reachable(*state, "n", lost[i][0], lost[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_those_of_the_message),
        cmocka_unit_test(commas_mean_and_and_several_mean_or),
        cmocka_unit_test(a_broken_filter_is_refused_with_its_text),
        cmocka_unit_test(an_expression_that_takes_for_ever_does_not),
        cmocka_unit_test(listeners_hear_what_they_asked_for_in_order),
        cmocka_unit_test(who_never_listens_is_told_that_events_were_dropped),
        cmocka_unit_test_setup_teardown(what_is_not_committed_has_never_been, open_store,
                                        close_store),
        cmocka_unit_test_setup_teardown(a_mask_changes_only_what_it_names, open_store, close_store),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test_setup_teardown(what_somebody_needs_is_reachable_and_nothing_else,
                                        open_store, close_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
