/*
 * test_file.c - whole files: replaced or not at all, made once, locked, copied.
 */
#define CT_LAYER "test"
#include "file.h"

#include "cleanup.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char home[32];
static int home_fd;

static int setup(void **state)
{
    (void)state;
    (void)strcpy(home, "/tmp/ct-file-XXXXXX");
    assert_non_null(mkdtemp(home));
    home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return home_fd < 0;
}

static int teardown(void **state)
{
    struct ct_error err = {0};
    (void)state;
    assert_int_equal(close(home_fd), 0);
    return ct_remove_tree(AT_FDCWD, home, &err);
}

static size_t entries(void)
{
    size_t n = 0;
    CT_AUTO_DIR DIR *dir = opendir(home);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    }
    return n;
}

static void assert_content(const char *name, const char *expected)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *content = NULL;
    assert_int_equal(ct_read_file_at(home_fd, name, 1000, &content, &err), strlen(expected));
    assert_string_equal(content, expected);
}

static void a_file_is_replaced_whole_and_nothing_else_is_left(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct stat st;

    assert_int_equal(ct_write_file_at(home_fd, "f", "old and longer", 14, 0600, &err), 0);
    assert_int_equal(ct_write_file_at(home_fd, "f", "new", 3, 0640, &err), 0);
    assert_content("f", "new");
    assert_int_equal(fstatat(home_fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(entries(), 1);
}

static void a_write_that_fails_leaves_the_old_file_alone(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(mkdirat(home_fd, "dir", 0700), 0);
    assert_int_equal(ct_write_file_at(home_fd, "dir", "x", 1, 0600, &err), -1);
    assert_int_not_equal(err.kind, CT_NONE);
    assert_int_equal(entries(), 1);
}

static void what_exists_is_not_created_again(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(ct_create_file_at(home_fd, "f", "first", 5, 0600, &err), 0);
    assert_int_equal(ct_create_file_at(home_fd, "f", "second", 6, 0600, &err), -1);
    assert_int_equal(err.kind, CT_EXISTS);
    assert_content("f", "first");
    assert_int_equal(entries(), 1);
}

static void a_file_that_is_too_long_is_not_read(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char *content = NULL;

    assert_int_equal(ct_create_file_at(home_fd, "f", "12345", 5, 0600, &err), 0);
    assert_int_equal(ct_read_file_at(home_fd, "f", 4, &content, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    ct_error_clear(&err);
    assert_int_equal(ct_read_file_at(home_fd, "f", 5, &content, &err), 5);
    free(content);
}

static void a_lock_excludes_and_ends_with_its_holder(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)ct_lock_at(home_fd, "lock", CT_LOCK_EXCLUSIVE, 0, &err);
        (void)write(ready[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(ct_lock_at(home_fd, "lock", CT_LOCK_SHARED, 0, &err), -1);
    assert_int_equal(err.kind, CT_TIMEOUT);
    ct_error_clear(&err);
    assert_int_equal(ct_lock_at(home_fd, "lock", CT_LOCK_SHARED, 50, &err), -1);
    ct_error_clear(&err);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    CT_AUTO_CLOSE int lock = ct_lock_at(home_fd, "lock", CT_LOCK_SHARED, 0, &err);
    CT_AUTO_CLOSE int other = ct_lock_at(home_fd, "lock", CT_LOCK_SHARED, 0, &err);
    assert_true(lock >= 0 && other >= 0);
    assert_int_equal(close(ready[0]), 0);
    assert_int_equal(close(ready[1]), 0);
}

static void everything_is_copied_between_any_descriptors(void **state)
{
    (void)state;
    struct ct_error err = {0};
    static char data[300000];
    int ends[2];

    memset(data, 'a', sizeof(data));
    assert_int_equal(ct_create_file_at(home_fd, "in", data, sizeof(data), 0600, &err), 0);
    CT_AUTO_CLOSE int in = openat(home_fd, "in", O_RDONLY | O_CLOEXEC);
    CT_AUTO_CLOSE int out = openat(home_fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ct_copy_fd(in, out, &err), sizeof(data));
    CT_AUTO_FREE char *copied = NULL;
    assert_int_equal(ct_read_file_at(home_fd, "out", sizeof(data), &copied, &err), sizeof(data));
    assert_memory_equal(copied, data, sizeof(data));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    assert_int_equal(close(ends[1]), 0);
    CT_AUTO_CLOSE int again = openat(home_fd, "again", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ct_copy_fd(ends[0], again, &err), 5);
    assert_int_equal(close(ends[0]), 0);
    assert_content("again", "piped");
}

static void random_names_differ(void **state)
{
    (void)state;
    char first[65], second[65];

    ct_random_hex(first, 32);
    ct_random_hex(second, 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 64);
    assert_int_equal(strlen(first), 64);
    assert_string_not_equal(first, second);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_is_replaced_whole_and_nothing_else_is_left),
        CASE(a_write_that_fails_leaves_the_old_file_alone),
        CASE(what_exists_is_not_created_again),
        CASE(a_file_that_is_too_long_is_not_read),
        CASE(a_lock_excludes_and_ends_with_its_holder),
        CASE(everything_is_copied_between_any_descriptors),
        cmocka_unit_test(random_names_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
