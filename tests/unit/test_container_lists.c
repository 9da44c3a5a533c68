/*
 * test_container_lists.c - lists of containers: what the store keeps between them is never stale.
 *
 * Needs no root: each test has a store of its own in a temporary directory. The clock is ours, as
 * the store trusts no file that has just been written, and no test waits until it does.
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

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the clock: it stands still, and an hour passes by one addition -------------------------- */

static _Atomic int64_t now_ns;
int64_t __real_ct_now_ns(void);
int64_t __wrap_ct_now_ns(void);

int64_t __wrap_ct_now_ns(void)
{
    return now_ns;
}

/* Then every file is old enough to be believed. */
static void an_hour_passes(void)
{
    now_ns = __real_ct_now_ns() + INT64_C(3600) * 1000000000;
}

/* Then no file is that is written from now on. */
static void the_clock_stands_still(void)
{
    now_ns = __real_ct_now_ns();
}

/* ---- stores and records ---------------------------------------------------------------------- */

struct fixture {
    char base[64];
    char *dir, *run_dir;
    struct container_store *store;
    struct container_store *other; /* the same one, as another process has it */
};

static int setup(void **state)
{
    static struct fixture f;
    struct ct_error err = {0};

    the_clock_stands_still();
    (void)snprintf(f.base, sizeof(f.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    f.dir = ct_join(f.base, "containers");
    f.run_dir = ct_join(f.base, "run");
    f.store = container_store_open(f.dir, f.run_dir, &err);
    f.other = container_store_open(f.dir, f.run_dir, &err);
    assert_true(f.store && f.other);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    container_store_close(f->store);
    container_store_close(f->other);
    free(f->dir);
    free(f->run_dir);
    assert_int_equal(ct_remove_tree(AT_FDCWD, f->base, &err), 0);
    return 0;
}

static void write_text(const char *dir, const char *name, const char *text)
{
    CT_AUTO_FREE char *path = ct_join(dir, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define SIXTY "000000000000000000000000000000000000000000000000000000000000"
#define WEB   SIXTY "abcd"

/* A record with an id of our choice, and not synced: two thousand of them would take a while. */
static void plant(struct fixture *f, const char *id, const char *name, const char *status)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *dir = ct_join(f->dir, id);
    CT_AUTO_CLOSE int fd = ct_mkdirs(dir, 0700, &err);
    CT_AUTO_FREE char *config =
        ct_printf("{\"Id\":\"%s\",\"Name\":\"/%s\",\"Created\":\"2026-01-01T00:00:00Z\","
                  "\"Config\":{},\"HostConfig\":{}}",
                  id, name);
    CT_AUTO_FREE char *state = ct_printf("{\"Status\":\"%s\"}", status);

    assert_true(fd >= 0);
    write_text(dir, "config.json", config);
    write_text(dir, "state.json", state);
}

static const struct container **list(struct fixture *f, size_t expected)
{
    struct ct_error err = {0};
    const struct container **all = container_list(f->store, &err);
    size_t n = 0;

    assert_non_null(all);
    while (all[n]) {
        n++;
    }
    assert_int_equal(n, expected);
    return all;
}

static void assert_listed(struct fixture *f, const char *name, const char *status)
{
    const struct container **all = list(f, 1);
    assert_string_equal(container_name(all[0]), name);
    assert_string_equal(container_status(all[0]), status);
    container_list_free(all);
}

/* One record that the store has read and believes to know. */
static void plant_known(struct fixture *f)
{
    plant(f, WEB, "web", "exited");
    an_hour_passes();
    assert_listed(f, "web", "exited");
}

/* As somebody else does it: the documents of his own, changed and saved. */
static void save_status(struct fixture *f, const char *status)
{
    struct ct_error err = {0};
    struct container *web = container_find(f->other, WEB, &err);
    assert_non_null(web);
    ct_json_set_string(web->state, "Status", status);
    assert_int_equal(container_save_state(web, &err), 0);
    container_free(web);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

static void a_record_that_is_the_same_is_not_read_again(void **state)
{
    struct fixture *f = *state;
    plant_known(f);

    const struct container **first = list(f, 1);
    const struct container **second = list(f, 1);

    assert_ptr_equal(first[0]->config, second[0]->config);
    assert_ptr_equal(first[0]->state, second[0]->state);
    container_list_free(first);
    container_list_free(second);
}

/* Within one tick of the file system's clock two changes can look alike. */
static void a_record_that_was_written_a_moment_ago_is_read_again(void **state)
{
    struct fixture *f = *state;
    plant(f, WEB, "web", "exited");

    const struct container **first = list(f, 1);
    const struct container **second = list(f, 1);

    assert_ptr_not_equal(first[0]->state, second[0]->state);
    container_list_free(first);
    container_list_free(second);
}

static void a_list_makes_nothing_and_holds_no_descriptor(void **state)
{
    struct fixture *f = *state;
    plant(f, WEB, "web", "exited");
    CT_AUTO_FREE char *run = ct_join(f->run_dir, WEB);

    const struct container **all = list(f, 1);

    assert_int_equal(access(run, F_OK), -1);
    assert_string_equal(all[0]->run_dir, run);
    assert_int_equal(all[0]->dir_fd, -1);
    assert_int_equal(all[0]->run_fd, -1);
    container_list_free(all);
}

static void a_memo_stays_as_long_as_the_record_is_the_same(void **state)
{
    struct fixture *f = *state;
    plant_known(f);

    const struct container **all = list(f, 1);
    assert_null(container_take_memo(all[0]));
    container_put_memo(all[0], json_string("first"));
    container_put_memo(all[0], json_string("second"));
    container_list_free(all);

    all = list(f, 1);
    CT_AUTO_JSON json_t *kept = container_take_memo(all[0]);
    assert_string_equal(json_string_value(kept), "second");
    assert_null(container_take_memo(all[0])); /* whoever has it has it alone */
    container_put_memo(all[0], json_incref(kept));
    container_list_free(all);

    save_status(f, "running");
    all = list(f, 1);
    assert_null(container_take_memo(all[0]));
    container_list_free(all);
}

/* ---- what changes ---------------------------------------------------------------------------- */

static void what_another_process_has_written_is_in_the_next_list(void **state)
{
    struct fixture *f = *state;
    plant_known(f);

    pid_t child = fork();
    if (child == 0) {
        save_status(f, "running");
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    assert_listed(f, "web", "running");
}

static void every_one_of_many_changes_is_seen_at_once(void **state)
{
    struct fixture *f = *state;
    static const char *const states[] = {"paused", "exited"}; /* of one length */
    plant_known(f);
    the_clock_stands_still();

    for (size_t i = 0; i < 20; i++) {
        save_status(f, states[i % 2]);
        assert_listed(f, "web", states[i % 2]);
    }
}

static void a_removed_container_is_in_no_list(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    plant_known(f);
    plant(f, SIXTY "0001", "stays", "exited");
    struct container *web = container_find(f->other, WEB, &err);
    assert_non_null(web);

    assert_int_equal(container_delete(f->other, web, &err), 0);

    assert_listed(f, "stays", "exited");
    container_free(web);
}

static void another_record_under_the_same_id_is_another(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    plant_known(f);
    struct container *web = container_find(f->other, WEB, &err);
    assert_non_null(web);
    assert_int_equal(container_delete(f->other, web, &err), 0);
    container_free(web);

    plant(f, WEB, "web", "running"); /* its files may well have the inodes of the old ones */

    assert_listed(f, "web", "running");
}

static void a_state_that_is_torn_is_exited_until_it_is_whole_again(void **state)
{
    struct fixture *f = *state;
    CT_AUTO_FREE char *dir = ct_join(f->dir, WEB);
    plant(f, WEB, "web", "running");
    an_hour_passes();
    assert_listed(f, "web", "running");

    write_text(dir, "state.json", "{\"Status\":\"runn"); /* in place, as a disk would do it */

    const struct container **all = list(f, 1);
    assert_string_equal(container_status(all[0]), "exited");
    assert_int_equal(ct_json_integer(all[0]->state, "ExitCode", 0), 255);
    container_list_free(all);
    save_status(f, "paused");
    assert_listed(f, "web", "paused");
}

static void a_state_that_is_missing_is_looked_for_each_time(void **state)
{
    struct fixture *f = *state;
    CT_AUTO_FREE char *path = ct_printf("%s/" WEB "/state.json", f->dir);
    plant_known(f);

    assert_int_equal(unlink(path), 0);

    const struct container **all = list(f, 1);
    assert_int_equal(ct_json_integer(all[0]->state, "ExitCode", 0), 255);
    container_list_free(all);
    save_status(f, "paused");
    assert_listed(f, "web", "paused");
}

/* ---- many ------------------------------------------------------------------------------------ */

static void limit_files(rlim_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void two_thousand_are_listed_with_few_open_files(void **state)
{
    struct fixture *f = *state;
    struct rlimit before;
    char id[65], name[16];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof(id), SIXTY "%04x", (unsigned)i);
        (void)snprintf(name, sizeof(name), "web%d", i);
        plant(f, id, name, "exited");
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);

    limit_files(32);
    an_hour_passes();
    const struct container **first = list(f, 2000);
    const struct container **second = list(f, 2000);
    limit_files(before.rlim_cur);

    assert_string_equal(container_name(first[0]), "web0"); /* of one age: by their ids */
    assert_ptr_equal(first[1999]->state, second[1999]->state);
    container_list_free(first);
    container_list_free(second);
}

static void without_any_file_left_the_list_fails_and_is_not_shorter(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct rlimit before;
    plant(f, WEB, "web", "exited");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    CT_AUTO_CLOSE int lowest_free = dup(STDIN_FILENO);

    limit_files((rlim_t)lowest_free + 2); /* DIR and the record's folder, but none of its files */
    const struct container **all = container_list(f->store, &err);
    limit_files(before.rlim_cur);

    assert_null(all);
    assert_int_equal(err.sys, EMFILE);
    assert_string_equal(err.hint, "raise the limit of open files (ulimit -n)");
}

#define CHANGES 30

struct race {
    struct container_store *store;
    atomic_int saved;
    atomic_int stale;
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
        if (!all || !all[0] || !all[1] ||
            ct_json_integer(all[1]->state, "RestartCount", -1) < saved) {
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
    plant(f, SIXTY "0001", "stays", "exited");
    plant(f, WEB, "web", "exited");
    an_hour_passes();
    container_list_free(list(f, 2));
    the_clock_stands_still();
    struct container *web = container_find(f->other, WEB, &err);
    assert_non_null(web);
    ct_json_set(web->state, "RestartCount", json_integer(0));
    assert_int_equal(container_save_state(web, &err), 0);

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

static void a_listed_container_has_the_monitor_that_lives(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    plant(f, WEB, "web", "running");
    struct container *web = container_find(f->other, WEB, &err);
    const struct container **all = list(f, 1);
    int ready[2];
    char byte;
    assert_true(web && pipe2(ready, O_CLOEXEC) == 0);
    assert_int_equal(container_monitor(all[0]), 0);

    pid_t child = fork();
    if (child == 0) {
        (void)!write(ready[1], container_become_monitor(web, &err) == 0 ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);

    assert_int_equal(container_monitor(all[0]), child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(container_monitor(all[0]), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    container_list_free(all);
    container_free(web);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_record_that_is_the_same_is_not_read_again),
        CASE(a_record_that_was_written_a_moment_ago_is_read_again),
        CASE(a_list_makes_nothing_and_holds_no_descriptor),
        CASE(a_memo_stays_as_long_as_the_record_is_the_same),
        CASE(what_another_process_has_written_is_in_the_next_list),
        CASE(every_one_of_many_changes_is_seen_at_once),
        CASE(a_removed_container_is_in_no_list),
        CASE(another_record_under_the_same_id_is_another),
        CASE(a_state_that_is_torn_is_exited_until_it_is_whole_again),
        CASE(a_state_that_is_missing_is_looked_for_each_time),
        CASE(two_thousand_are_listed_with_few_open_files),
        CASE(without_any_file_left_the_list_fails_and_is_not_shorter),
        CASE(threads_that_list_while_it_changes_see_nothing_stale),
        CASE(a_listed_container_has_the_monitor_that_lives),
    };
    return cmocka_run_group_tests_name("container_lists", tests, NULL, NULL);
}
