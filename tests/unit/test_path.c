/*
 * test_path.c - paths that strangers control: nothing leaves the root, nothing follows a link out.
 */
#define CT_LAYER "test"
#include "path.h"

#include "cleanup.h"
#include "file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* home/secret stands beside home/root, which is the root file system. */
struct world {
    char home[32];
    int home_fd, root_fd;
};

static int setup(void **state)
{
    static struct world w;
    struct ct_error err = {0};

    (void)strcpy(w.home, "/tmp/ct-path-XXXXXX");
    assert_non_null(mkdtemp(w.home));
    w.home_fd = open(w.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ct_create_file_at(w.home_fd, "secret", "outside", 7, 0600, &err), 0);
    assert_int_equal(mkdirat(w.home_fd, "root", 0755), 0);
    CT_AUTO_FREE char *root = ct_join(w.home, "root");
    w.root_fd = ct_root_open(root, &err);
    assert_true(w.root_fd >= 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};

    assert_int_equal(ct_remove_tree(AT_FDCWD, w->home, &err), 0);
    assert_int_equal(close(w->root_fd), 0);
    assert_int_equal(close(w->home_fd), 0);
    return 0;
}

static void no_path_leaves_the_root(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    static const char *const paths[] = {"../secret", "/../../secret", "up/secret", "/absolute",
                                        "chain"};

    assert_int_equal(symlinkat("..", w->root_fd, "up"), 0);
    CT_AUTO_FREE char *target = ct_join(w->home, "secret");
    assert_int_equal(symlinkat(target, w->root_fd, "absolute"), 0);
    assert_int_equal(symlinkat("up/absolute", w->root_fd, "chain"), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ct_root_openat(w->root_fd, paths[i], O_RDONLY, 0, &err), -1);
        assert_int_equal(err.kind, CT_NOT_FOUND);
        ct_error_clear(&err);
    }
}

static void no_magic_link_is_followed(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int proc = ct_root_open("/proc/self", &err);
    char path[32];

    (void)snprintf(path, sizeof(path), "fd/%d", w->home_fd);
    assert_int_equal(ct_root_openat(proc, path, O_RDONLY, 0, &err), -1);
    assert_int_equal(err.sys, ELOOP);
}

static void a_link_inside_leads_inside(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *content = NULL;

    CT_AUTO_CLOSE int etc = ct_root_mkdirs(w->root_fd, "/usr/etc", 0755, 0, 0, &err);
    assert_int_equal(ct_create_file_at(w->root_fd, "usr/etc/f", "in", 2, 0644, &err), 0);
    assert_int_equal(symlinkat("/usr/etc", w->root_fd, "etc"), 0);
    CT_AUTO_CLOSE int fd = ct_root_openat(w->root_fd, "/etc/f", O_RDONLY, 0, &err);
    assert_true(fd >= 0);
    assert_int_equal(ct_read_file_at(fd, "", 10, &content, &err), -1);
    char text[3] = "";
    assert_int_equal(read(fd, text, 2), 2);
    assert_string_equal(text, "in");
}

static void the_parent_is_opened_without_the_last_component(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *name = NULL;
    char *none = NULL;

    assert_int_equal(symlinkat("/nowhere", w->root_fd, "link"), 0);
    CT_AUTO_CLOSE int parent = ct_root_parent(w->root_fd, "/./link", &name, &err);
    assert_true(parent >= 0);
    assert_string_equal(name, "link");
    assert_int_equal(ct_root_parent(w->root_fd, "/", &none, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    ct_error_clear(&err);
    assert_int_equal(ct_root_parent(w->root_fd, "/a/..", &none, &err), -1);
}

static void directories_are_made_where_the_container_would_make_them(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    struct stat st;

    assert_int_equal(symlinkat("/run", w->root_fd, "var"), 0);
    assert_int_equal(mkdirat(w->root_fd, "run", 0700), 0);
    CT_AUTO_CLOSE int made = ct_root_mkdirs(w->root_fd, "/var/lib/x", 0751, 7, 8, &err);
    assert_true(made >= 0);
    assert_int_equal(fstatat(w->root_fd, "run/lib/x", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_int_equal(st.st_uid, 7);
    assert_int_equal(st.st_gid, 8);
    assert_int_equal(fstatat(w->root_fd, "run", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    CT_AUTO_CLOSE int file = ct_root_touch(w->root_fd, "/var/lib/x/f", 0644, &err);
    assert_true(file >= 0);
    assert_int_equal(fstatat(w->root_fd, "run/lib/x/f", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void removing_a_tree_follows_no_link(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    struct stat st;

    CT_AUTO_CLOSE int deep = ct_root_mkdirs(w->root_fd, "/t/a/b/c", 0755, 0, 0, &err);
    assert_int_equal(symlinkat(w->home, w->root_fd, "t/a/out"), 0);
    assert_int_equal(ct_remove_tree(w->root_fd, "t", &err), 0);
    assert_int_equal(fstatat(w->root_fd, "t", &st, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(fstatat(w->home_fd, "secret", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(ct_remove_tree(w->root_fd, "t", &err), 0); /* gone: no error */
}

static void a_tree_is_measured_with_hard_links_once(void **state)
{
    struct world *w = *state;
    struct ct_error err = {0};
    static const char block[65536] = "x";

    assert_int_equal(ct_create_file_at(w->root_fd, "a", block, sizeof(block), 0600, &err), 0);
    long long one = ct_tree_size_bytes(w->home_fd, "root", &err);
    assert_true(one >= (long long)sizeof(block));
    assert_int_equal(linkat(w->root_fd, "a", w->root_fd, "b", 0), 0);
    assert_int_equal(ct_tree_size_bytes(w->home_fd, "root", &err), one);
}

static void a_path_is_cleaned_as_text(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", "/"},         {"/", "/"},          {"a", "/a"},  {"//a///b/", "/a/b"},
        {"a/./b", "/a/b"}, {"a/../../b", "/b"}, {"/..", "/"}, {"a/b/..", "/a"},
        {"...", "/..."},   {"a/..b", "/a/..b"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        CT_AUTO_FREE char *clean = ct_path_clean(pairs[i][0]);
        assert_string_equal(clean, pairs[i][1]);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_path_leaves_the_root),
        CASE(no_magic_link_is_followed),
        CASE(a_link_inside_leads_inside),
        CASE(the_parent_is_opened_without_the_last_component),
        CASE(directories_are_made_where_the_container_would_make_them),
        CASE(removing_a_tree_follows_no_link),
        CASE(a_tree_is_measured_with_hard_links_once),
        cmocka_unit_test(a_path_is_cleaned_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
