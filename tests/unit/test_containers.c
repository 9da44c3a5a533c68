/*
 * test_containers.c - the records of containers: made, found, renamed, removed, and after a crash.
 *
 * Needs no root: each test has a store of its own in a temporary directory.
 */
#define CT_LAYER "test"
#include "containers.h"
#include "places.h"

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
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* What containers.h promises is tested for every implementation (tests/contract/containers.c);
 * here, what this one leaves on disk. */

static void a_name_is_a_link_that_comes_and_goes_with_its_container(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
    struct container *web = create(f, "web");
    assert_null(container_create(f->store, "web", config, &err));
    ct_error_clear(&err);
    assert_int_equal(count_entries(f->dir, "names"), 1);

    assert_int_equal(container_rename(f->store, web, "shop", &err), 0);
    assert_int_equal(count_entries(f->dir, "names"), 1);
    assert_int_equal(container_delete(f->store, web, &err), 0);

    assert_int_equal(count_entries(f->dir, "names"), 0);
    container_free(web);
}

/* Gives a record an id of our choice, as no test can wait for two random ids that are alike. */
static void plant(struct fixture *f, const char *id, const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *path = ct_printf("%s/%s", f->dir, id);
    CT_AUTO_CLOSE int dir = ct_mkdirs(path, 0700, &err);
    CT_AUTO_JSON json_t *config =
        json_pack("{s:s,s:s,s:s,s:{},s:{}}", "Id", id, "Name", name, "Created",
                  "2026-01-01T00:00:00Z", "Config", "HostConfig");
    CT_AUTO_JSON json_t *status = json_pack("{s:s}", "Status", "exited");
    assert_int_equal(ct_json_save_at(dir, "config.json", config, &err), 0);
    assert_int_equal(ct_json_save_at(dir, "state.json", status, &err), 0);
}

#define ZEROS "000000000000000000000000000000000000000000000000000000000000"

static void a_prefix_finds_its_one_container_and_is_refused_for_two(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    plant(f, "abc1" ZEROS, "/one");
    plant(f, "abc2" ZEROS, "/two");

    struct container *one = container_find(f->store, "abc1", &err);
    struct container *none = container_find(f->store, "abc", &err);

    assert_non_null(one);
    assert_string_equal(container_name(one), "one");
    assert_null(none);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "multiple containers begin with 'abc'");
    container_free(one);
}

static void a_name_goes_before_an_id_prefix(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    plant(f, "abc1" ZEROS, "/one");
    struct container *named = create(f, "abc1");

    struct container *found = container_find(f->store, "abc1", &err);

    assert_non_null(found);
    assert_string_equal(found->id, named->id);
    container_free(found);
    container_free(named);
}

static void of_many_who_race_for_one_name_one_gets_it(void **state)
{
    struct fixture *f = *state;
    enum { RACERS = 8 };
    pid_t racers[RACERS];
    int winners = 0;

    for (int i = 0; i < RACERS; i++) {
        racers[i] = fork();
        if (racers[i] == 0) {
            struct ct_error err = {0};
            CT_AUTO_JSON json_t *config = json_pack("{s:{},s:{}}", "Config", "HostConfig");
            struct container *made = container_create(f->store, "web", config, &err);
            _exit(made ? 0 : err.kind == CT_EXISTS ? 1 : 2);
        }
    }
    for (int i = 0; i < RACERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        winners += WEXITSTATUS(status) == 0;
    }

    assert_int_equal(winners, 1);
    assert_int_equal(count_entries(f->dir, "names"), 1);
}

static void of_many_who_race_to_rename_every_name_has_one_holder(void **state)
{
    struct fixture *f = *state;
    enum { RACERS = 6 };
    pid_t racers[RACERS];
    int winners = 0;
    for (int i = 0; i < RACERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "old%d", i);
        make(f, name);
    }

    for (int i = 0; i < RACERS; i++) {
        racers[i] = fork();
        if (racers[i] == 0) {
            struct ct_error err = {0};
            char name[16];
            (void)snprintf(name, sizeof(name), "old%d", i);
            struct container *mine = container_find(f->store, name, &err);
            _exit(mine && container_rename(f->store, mine, "new", &err) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < RACERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
        winners += WEXITSTATUS(status) == 0;
    }

    assert_int_equal(winners, 1);
    assert_int_equal(count_entries(f->dir, "names"), RACERS);
}

static void what_a_crash_left_in_the_trash_is_swept(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *half = ct_join(f->dir, "trash/" ZEROS "0000/logs");
    CT_AUTO_CLOSE int made = ct_mkdirs(half, 0700, &err);
    assert_true(made >= 0);

    reopen(f);

    assert_int_equal(count_entries(f->dir, "trash"), 0);
}

static void the_trash_of_somebody_at_work_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *half = ct_join(f->dir, "trash/" ZEROS "0000");
    CT_AUTO_CLOSE int made = ct_mkdirs(half, 0700, &err);
    CT_AUTO_CLOSE int dir = ct_root_open(f->dir, &err);
    CT_AUTO_CLOSE int lock = ct_lock_at(dir, "lock", CT_LOCK_EXCLUSIVE, 0, &err);
    assert_true(made >= 0 && lock >= 0);

    reopen(f);

    assert_int_equal(count_entries(f->dir, "trash"), 1);
}

static void a_dangling_name_is_free_again(void **state)
{
    struct fixture *f = *state;
    CT_AUTO_FREE char *link = ct_join(f->dir, "names/web");
    assert_int_equal(symlink("abcd" ZEROS, link), 0);

    assert_missing(f, "web");
    make(f, "web");
}

static void a_name_that_a_crashed_rename_left_finds_nobody(void **state)
{
    struct fixture *f = *state;
    struct container *web = create(f, "web");
    CT_AUTO_FREE char *link = ct_join(f->dir, "names/shop");
    assert_int_equal(symlink(web->id, link), 0); /* claimed, but the record was not changed yet */

    assert_missing(f, "shop");
    make(f, "shop");
    container_free(web);
}

static void overwrite(struct container *container, const char *name, const char *content)
{
    struct ct_error err = {0};
    assert_int_equal(
        ct_write_file_at(container->dir_fd, name, content, strlen(content), 0600, &err), 0);
}

static void a_torn_state_reads_as_exited_and_says_why(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    overwrite(web, "state.json", "{\"Status\":\"runn");

    assert_int_equal(container_reload(web, &err), 0);

    assert_string_equal(container_status(web), "exited");
    assert_int_equal(ct_json_integer(web->state, "ExitCode", 0), 255);
    assert_non_null(strstr(ct_json_string(web->state, "Error", ""), "its state was lost"));
    container_free(web);
}

static void a_missing_state_reads_as_exited(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    assert_int_equal(unlinkat(web->dir_fd, "state.json", 0), 0);

    assert_int_equal(container_reload(web, &err), 0);

    assert_string_equal(container_status(web), "exited");
    container_free(web);
}

static void a_torn_config_is_an_error_for_one_and_left_out_of_the_list(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *broken = create(f, "broken");
    make(f, "whole");
    overwrite(broken, "config.json", "{");

    const struct container **all = container_list(f->store, &err);
    struct container *found = container_find(f->store, broken->id, &err);

    assert_non_null(all);
    assert_string_equal(container_name(all[0]), "whole");
    assert_null(all[1]);
    assert_null(found);
    assert_int_equal(err.kind, CT_INVALID);
    container_list_free(all);
    container_free(broken);
}

static void a_living_monitor_is_known_by_its_lock_and_a_dead_one_is_not(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f, "web");
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(container_monitor(web), 0);

    pid_t child = fork();
    if (child == 0) {
        int result = container_become_monitor(web, &err);
        (void)!write(ready[1], result == 0 && container_monitor(web) == getpid() ? "y" : "n", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);

    assert_int_equal(byte, 'y');
    assert_int_equal(container_monitor(web), child);
    assert_int_equal(container_become_monitor(web, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(container_monitor(web), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    container_free(web);
}

static void places_are_made_below_two_absolute_roots(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct places places;
    CT_AUTO_FREE char *root = ct_join(f->base, "root/./x");
    CT_AUTO_FREE char *expected = ct_printf("%s/root/x/" PLACES_STAGE "/containers", f->base);
    struct stat made;

    assert_int_equal(places_open(&places, root, f->base, &err), 0);

    assert_string_equal(places.containers, expected);
    assert_int_equal(stat(expected, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);
    places_done(&places);
    assert_int_equal(places_open(&places, "relative", f->base, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
}

static void the_key_of_a_snapshot_begins_with_the_stage(void **state)
{
    (void)state;
    CT_AUTO_FREE char *key = places_snapshot_key("abc");
    assert_string_equal(key, "01-abc");
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_name_is_a_link_that_comes_and_goes_with_its_container),
        CASE(a_prefix_finds_its_one_container_and_is_refused_for_two),
        CASE(a_name_goes_before_an_id_prefix),
        CASE(of_many_who_race_for_one_name_one_gets_it),
        CASE(of_many_who_race_to_rename_every_name_has_one_holder),
        CASE(what_a_crash_left_in_the_trash_is_swept),
        CASE(the_trash_of_somebody_at_work_is_left_alone),
        CASE(a_dangling_name_is_free_again),
        CASE(a_name_that_a_crashed_rename_left_finds_nobody),
        CASE(a_torn_state_reads_as_exited_and_says_why),
        CASE(a_missing_state_reads_as_exited),
        CASE(a_torn_config_is_an_error_for_one_and_left_out_of_the_list),
        CASE(a_living_monitor_is_known_by_its_lock_and_a_dead_one_is_not),
        CASE(places_are_made_below_two_absolute_roots),
        CASE(the_key_of_a_snapshot_begins_with_the_stage),
    };
    return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
