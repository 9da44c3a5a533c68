/*
 * containers.c - what containers.h promises, of whoever keeps the records.
 *
 * Called by:  meson.build here: stage 01's store in a directory; stage 04's in containerd
 *             (CUTAWAY_CONTAINERD), Docker's and ours.
 */
#define CT_LAYER "test"
#include "containers.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char base[64];
    char *dir, *run_dir;
    struct container_store *store;
};

static int setup(void **state)
{
    static struct fixture f;
    struct ct_error err = {0};

    (void)snprintf(f.base, sizeof(f.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    f.dir = ct_join(f.base, "containers");
    f.run_dir = ct_join(f.base, "run");
    f.store = container_store_open(f.dir, f.run_dir, &err);
    assert_non_null(f.store);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    const struct container **all = container_list(f->store, &err);

    for (const struct container **c = all; c && *c; c++) { /* the next test has a containerd, too */
        struct container *container = container_find(f->store, (*c)->id, &err);
        assert_non_null(container);
        assert_int_equal(container_delete(f->store, container, &err), 0);
        container_free(container);
    }
    container_list_free(all);
    container_store_close(f->store);
    free(f->dir);
    free(f->run_dir);
    assert_int_equal(ct_remove_tree(AT_FDCWD, f->base, &err), 0);
    return 0;
}

static struct container *create(struct fixture *f, const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
    struct container *container = container_create(f->store, name, config, &err);
    if (!container) {
        char line[400];
        fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
    }
    return container;
}

static void make(struct fixture *f, const char *name)
{
    container_free(create(f, name));
}

/* The entries of a directory, "." and ".." left out. */
static int count_entries(const char *base, const char *name)
{
    CT_AUTO_FREE char *path = ct_join(base, name);
    CT_AUTO_DIR DIR *dir = opendir(path);
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    return n - 2;
}

static void reopen(struct fixture *f)
{
    struct ct_error err = {0};
    container_store_close(f->store);
    f->store = container_store_open(f->dir, f->run_dir, &err);
    assert_non_null(f->store);
}

static void assert_missing(struct fixture *f, const char *reference)
{
    struct ct_error err = {0};
    assert_null(container_find(f->store, reference, &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

static void a_new_container_is_created_and_locked_and_found_again(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    struct container *made = create(f, "web");

    assert_true(made->lock_fd >= 0);
    assert_string_equal(container_name(made), "web");
    assert_string_equal(container_status(made), "created");
    assert_false(container_is_running(made));
    struct container *found = container_find(f->store, "/web", &err);
    assert_non_null(found);
    assert_string_equal(found->id, made->id);
    assert_string_equal(ct_json_string(found->config, "Name", ""), "/web");
    assert_string_equal(ct_json_string(found->config, "Id", ""), made->id);
    container_free(found);
    container_free(made);
}

static void a_container_without_a_name_gets_two_words(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    struct container *made = create(f, NULL);

    assert_non_null(strchr(container_name(made), '_'));
    struct container *found = container_find(f->store, container_name(made), &err);
    assert_non_null(found);
    container_free(found);
    container_free(made);
}

static void a_name_in_use_is_refused_and_names_its_holder(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
    struct container *first = create(f, "web");

    assert_null(container_create(f->store, "web", config, &err));

    assert_int_equal(err.kind, CT_EXISTS);
    assert_string_equal(err.frame[0].layer, "containers");
    CT_AUTO_FREE char *expected =
        ct_printf("name \"/web\" is already in use by container \"%.12s\"", first->id);
    assert_string_equal(err.frame[0].what, expected);
    container_free(first);
}

static void a_bad_name_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",     "x",    "-web",      "_web", "a/b",
                                      "../x", "we b", "w\xc3\xa9", "a\nb"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ct_error err = {0};
        CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
        assert_null(container_create(f->store, bad[i], config, &err));
        assert_int_equal(err.kind, CT_INVALID);
    }
}

static void a_name_of_ten_thousand_bytes_is_refused_in_one_line(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    char name[10001];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");

    assert_null(container_create(f->store, name, config, &err));

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what,
                        "invalid container name: 10000 bytes, but at most 255 are allowed");
    assert_missing(f, name);
}

static void a_record_without_config_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:{}}", "Config");

    assert_null(container_create(f->store, "web", config, &err));

    assert_int_equal(err.kind, CT_INVALID);
}

static void nothing_is_found_by_nonsense(void **state)
{
    struct fixture *f = *state;
    static const char *const nonsense[] = {"", "/", "..", "names", "trash", "../x", "ABC", "nope"};
    make(f, "web");

    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        assert_missing(f, nonsense[i]);
    }
}

static void a_renamed_container_has_only_its_new_name(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");

    assert_int_equal(container_rename(f->store, web, "shop", &err), 0);

    assert_string_equal(container_name(web), "shop");
    assert_missing(f, "web");
    struct container *found = container_find(f->store, "shop", &err);
    assert_non_null(found);
    container_free(found);
    container_free(web);
}

static void a_rename_to_a_taken_name_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    make(f, "shop");

    assert_int_equal(container_rename(f->store, web, "shop", &err), -1);

    assert_int_equal(err.kind, CT_EXISTS);
    assert_string_equal(container_name(web), "web");
    struct container *found = container_find(f->store, "web", &err);
    assert_non_null(found);
    container_free(found);
    container_free(web);
}

static void a_removed_container_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    CT_AUTO_FREE char *id = ct_strdup(web->id);

    assert_int_equal(container_delete(f->store, web, &err), 0);

    assert_int_equal(container_reload(web, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    container_free(web);
    assert_missing(f, "web");
    assert_missing(f, id);
    assert_int_equal(count_entries(f->base, "run"), 0);
    make(f, "web"); /* the name is free again */
}

static void a_lock_waits_no_longer_than_it_should(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *holder = create(f, "web");
    struct container *other = container_find(f->store, "web", &err);
    assert_non_null(other);
    int64_t begin = ct_monotonic_ns();

    assert_int_equal(container_lock(other, 50, &err), -1);

    assert_int_equal(err.kind, CT_TIMEOUT);
    assert_true(ct_monotonic_ns() - begin >= 45 * 1000000LL);
    container_unlock(holder);
    ct_error_clear(&err);
    assert_int_equal(container_lock(other, 50, &err), 0);
    container_free(other);
    container_free(holder);
}

static void who_waited_for_a_removed_container_is_told(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    struct container *waiting = container_find(f->store, "web", &err);
    assert_non_null(waiting);
    assert_int_equal(container_delete(f->store, web, &err), 0);
    container_free(web);

    assert_int_equal(container_lock(waiting, 50, &err), -1);

    assert_int_equal(err.kind, CT_NOT_FOUND);
    container_free(waiting);
}

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void a_watch_sees_a_new_state_and_the_end_of_the_record(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    CT_AUTO_CLOSE int watch = container_watch(web, &err);
    assert_true(watch >= 0);
    assert_false(is_readable(watch));

    assert_int_equal(container_save_state(web, &err), 0);
    assert_true(is_readable(watch));
    container_watch_next(watch);
    assert_false(is_readable(watch));

    assert_int_equal(container_delete(f->store, web, &err), 0);
    assert_true(is_readable(watch));
    container_free(web);
}

static void a_hundred_containers_are_listed_newest_first(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "web%d", i);
        make(f, name);
    }

    const struct container **all = container_list(f->store, &err);

    assert_non_null(all);
    assert_string_equal(container_name(all[0]), "web99");
    assert_string_equal(container_name(all[99]), "web0");
    assert_null(all[100]);
    container_list_free(all);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void a_prefix_finds_its_one_container_and_is_refused_for_two(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    char first[2] = {0}, found[65] = "";
    for (int i = 0; i < 17; i++) { /* ids begin with one of sixteen digits: two begin alike */
        char name[16];
        (void)snprintf(name, sizeof(name), "web%d", i);
        make(f, name);
    }
    int of[128] = {0};
    const struct container **all = container_list(f->store, &err);
    assert_non_null(all);
    for (const struct container **c = all; *c; c++) {
        if (++of[(size_t)(*c)->id[0]] == 2) {
            first[0] = (*c)->id[0];
        }
        memcpy(found, (*c)->id, sizeof(found));
    }
    container_list_free(all);

    assert_null(container_find(f->store, first, &err));

    CT_AUTO_FREE char *expected = ct_printf("multiple containers begin with '%s'", first);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, expected);
    found[40] = '\0';
    struct container *one = container_find(f->store, found, &err);
    assert_non_null(one);
    assert_int_equal(strncmp(one->id, found, 40), 0);
    container_free(one);
}

static void a_name_goes_before_an_id_prefix(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    char prefix[5] = {0};
    struct container *one = create(f, "one");
    memcpy(prefix, one->id, 4);
    struct container *named = create(f, prefix);

    struct container *found = container_find(f->store, prefix, &err);

    assert_non_null(found);
    assert_string_equal(found->id, named->id);
    container_free(found);
    container_free(named);
    container_free(one);
}

static void *create_web(void *context)
{
    struct container_store *store = context;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
    struct container *made = container_create(store, "web", config, &err);

    container_free(made);
    return made ? store : NULL;
}

static void of_many_threads_who_race_for_one_name_one_gets_it(void **state)
{
    struct fixture *f = *state;
    enum { RACERS = 8 };
    pthread_t racers[RACERS];
    int winners = 0;

    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&racers[i], NULL, create_web, f->store), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        void *made = NULL;
        assert_int_equal(pthread_join(racers[i], &made), 0);
        winners += made != NULL;
    }

    assert_int_equal(winners, 1);
}

/* ---- documents ------------------------------------------------------------------------------ */

static void assert_listed(struct fixture *f, const char *name, const char *status)
{
    struct ct_error err = {0};
    const struct container **all = container_list(f->store, &err);
    assert_non_null(all);
    assert_non_null(all[0]);
    assert_null(all[1]);
    assert_string_equal(container_name(all[0]), name);
    assert_string_equal(container_status(all[0]), status);
    container_list_free(all);
}

static void save_status(struct container *container, const char *status)
{
    struct ct_error err = {0};
    ct_json_set_string(container->state, "Status", status);
    assert_int_equal(container_save_state(container, &err), 0);
}

static void what_was_saved_is_there_when_the_store_is_opened_again(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    ct_json_set_string(web->config, "Note", "a \xc3\xa9 and \"quotes\"");
    assert_int_equal(container_save_config(web, &err), 0);
    save_status(web, "exited");
    assert_int_equal(container_rename(f->store, web, "shop", &err), 0);
    CT_AUTO_JSON json_t *config = json_incref(web->config);
    CT_AUTO_JSON json_t *its_state = json_incref(web->state);
    container_free(web);

    reopen(f);

    assert_listed(f, "shop", "exited");
    web = container_find(f->store, "shop", &err);
    assert_non_null(web);
    assert_true(json_equal(web->config, config));
    assert_true(json_equal(web->state, its_state));
    container_free(web);
}

static void what_one_saves_another_reads(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    struct container *other = container_find(f->store, "web", &err);
    assert_non_null(other);
    save_status(web, "running");
    assert_string_equal(container_status(other), "created");

    assert_int_equal(container_reload(other, &err), 0);

    assert_string_equal(container_status(other), "running");
    ct_json_set_string(web->config, "Note", "new");
    assert_int_equal(container_save_config(web, &err), 0);
    CT_AUTO_JSON json_t *config = container_read_config(other, &err);
    assert_string_equal(ct_json_string(config, "Note", ""), "new");
    assert_string_equal(ct_json_string(other->config, "Note", ""), "");
    container_free(other);
    container_free(web);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void who_changes_a_container_changes_no_list(void **state)
{
    struct fixture *f = *state;
    struct container *web = create(f, "web");

    ct_json_set_string(web->state, "Status", "running");
    ct_json_set_string(web->config, "Note", "changed");

    assert_listed(f, "web", "created");
    container_free(web);
}

static void a_new_name_is_in_the_next_list(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    assert_listed(f, "web", "created");

    assert_int_equal(container_rename(f->store, web, "shop", &err), 0);

    assert_listed(f, "shop", "created");
    container_free(web);
}

static void a_list_outlives_what_it_lists(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    const struct container **all = container_list(f->store, &err);
    assert_non_null(all);
    assert_int_equal(container_delete(f->store, web, &err), 0);
    container_free(web);
    const struct container **none = container_list(f->store, &err); /* the store has forgotten it */
    assert_null(none[0]);
    container_list_free(none);

    assert_string_equal(container_name(all[0]), "web");
    assert_int_equal(container_monitor(all[0]), 0);

    container_list_free(all);
}

static void a_memo_goes_when_the_record_changes(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    const struct container **all = container_list(f->store, &err);
    container_put_memo(all[0], json_string("memo"));
    container_list_free(all);

    save_status(web, "running");

    all = container_list(f->store, &err);
    assert_null(container_take_memo(all[0]));
    container_list_free(all);
    container_free(web);
}

enum { CHANGES = 50 };

struct race {
    struct container_store *store;
    atomic_int saved, stale;
};

/* A list shows at least what was saved before it began. */
static void *list_until_the_end(void *context)
{
    struct race *race = context;
    int saved;

    do {
        struct ct_error err = {0};
        saved = race->saved;
        const struct container **all = container_list(race->store, &err);
        if (!all || !all[0] || ct_json_integer(all[0]->state, "RestartCount", -1) < saved) {
            race->stale++;
        }
        container_list_free(all);
    } while (saved < CHANGES);
    return NULL;
}

static void threads_that_list_while_it_changes_see_nothing_stale(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct race race = {.store = f->store};
    pthread_t threads[3];
    struct container *web = create(f, "web");

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, list_until_the_end, &race), 0);
    }
    for (int i = 1; i <= CHANGES; i++) {
        ct_json_set(web->state, "RestartCount", json_integer(i));
        assert_int_equal(container_save_state(web, &err), 0);
        race.saved = i;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    assert_int_equal(race.stale, 0);
    container_free(web);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_container_is_created_and_locked_and_found_again),
        CASE(a_container_without_a_name_gets_two_words),
        CASE(a_name_in_use_is_refused_and_names_its_holder),
        CASE(a_bad_name_is_refused),
        CASE(a_name_of_ten_thousand_bytes_is_refused_in_one_line),
        CASE(a_record_without_config_is_refused),
        CASE(nothing_is_found_by_nonsense),
        CASE(a_renamed_container_has_only_its_new_name),
        CASE(a_rename_to_a_taken_name_changes_nothing),
        CASE(a_removed_container_leaves_nothing),
        CASE(a_lock_waits_no_longer_than_it_should),
        CASE(who_waited_for_a_removed_container_is_told),
        CASE(a_watch_sees_a_new_state_and_the_end_of_the_record),
        CASE(a_hundred_containers_are_listed_newest_first),
        CASE(a_prefix_finds_its_one_container_and_is_refused_for_two),
        CASE(a_name_goes_before_an_id_prefix),
        CASE(of_many_threads_who_race_for_one_name_one_gets_it),
        CASE(what_was_saved_is_there_when_the_store_is_opened_again),
        CASE(what_one_saves_another_reads),
        CASE(who_changes_a_container_changes_no_list),
        CASE(a_new_name_is_in_the_next_list),
        CASE(a_list_outlives_what_it_lists),
        CASE(a_memo_goes_when_the_record_changes),
        CASE(threads_that_list_while_it_changes_see_nothing_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
