/*
 * test_upper.c - an overlay's upper directory from a layer and back, without a store.
 *
 * Room:       tests/unit. Covers snapshots/upper.c. As root: whiteouts are device nodes.
 */
#include "cleanup.h"
#include "error.h"
#include "path.h"
#include "stream.h"
#include "tar_maker.h"
#include "upper.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <archive.h>
#include <cmocka.h>

struct world {
    char dir[32];
    int lower, upper;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct ct_error err = {0};

    *state = world;
    if (geteuid() != 0) {
        return 0; /* each test skips itself */
    }
    (void)strcpy(world->dir, "/tmp/upper-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    CT_AUTO_FREE char *lower = ct_join(world->dir, "lower"), *upper = ct_join(world->dir, "upper");
    assert_int_equal(mkdir(lower, 0755), 0);
    assert_int_equal(mkdir(upper, 0755), 0);
    world->lower = ct_root_open(lower, &err);
    world->upper = ct_root_open(upper, &err);
    assert_int_equal(mkdirat(world->lower, "etc", 0700), 0);
    assert_int_equal(fchmodat(world->lower, "etc", 01750, 0), 0);
    assert_int_equal(fchownat(world->lower, "etc", 12, 34, 0), 0);
    assert_int_equal(mknodat(world->lower, "etc/old", S_IFREG | 0644, 0), 0);
    assert_int_equal(mknodat(world->lower, "etc/kept", S_IFREG | 0644, 0), 0);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};

    if (*world->dir) {
        (void)close(world->lower);
        (void)close(world->upper);
        assert_int_equal(ct_remove_tree(AT_FDCWD, world->dir, &err), 0);
    }
    free(world);
    return 0;
}

static const struct world *root_world(void **state)
{
    if (geteuid() != 0) {
        skip();
    }
    return *state;
}

static int fill(const struct world *world, struct tar_maker *maker,
                char diff_id[static DIGEST_SIZE], int64_t *ret_size, struct ct_error *err)
{
    const struct upper upper = {world->upper, &world->lower, 1};
    size_t size;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
    CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
    struct fd_source source = {.fd = fd};
    int result = upper_fill(&upper, fd_source_read, &source, diff_id, ret_size, err);

    fd_source_done(&source);
    return result;
}

static void a_layer_becomes_marks_and_files(void **state)
{
    const struct world *world = root_world(state);
    struct tar_maker *maker = tar_new(ARCHIVE_FILTER_GZIP);
    char diff_id[DIGEST_SIZE];
    int64_t size = 0;
    struct stat st;
    struct ct_error err = {0};
    tar_add(maker, S_IFREG | 0644, "etc/new", "hello");
    tar_add(maker, S_IFREG | 0644, "etc/.wh.old", "");

    assert_int_equal(fill(world, maker, diff_id, &size, &err), 0);

    assert_true(digest_is_valid(diff_id));
    assert_int_equal(size % 512, 0);
    assert_true(size >= 2048);
    assert_int_equal(fstatat(world->upper, "etc/old", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0));
    /* The tar did not name etc: it looks as below. */
    assert_int_equal(fstatat(world->upper, "etc", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 01750);
    assert_int_equal(st.st_uid, 12);
    assert_int_equal(st.st_gid, 34);
}

static void what_was_changed_comes_out_as_it_went_in(void **state)
{
    const struct world *world = root_world(state);
    const struct upper upper = {world->upper, &world->lower, 1};
    struct tar_maker *maker = tar_new(0);
    char in[DIGEST_SIZE], out[DIGEST_SIZE], again[DIGEST_SIZE];
    int64_t size = 0;
    struct ct_error err = {0};
    tar_add(maker, S_IFREG | 0644, "etc/new", "hello");
    tar_add(maker, S_IFREG | 0644, "etc/.wh.old", "");
    assert_int_equal(fill(world, maker, in, &size, &err), 0);
    CT_AUTO_CLOSE int fd = memory_fd("", 0);

    assert_int_equal(upper_tar(&upper, fd, out, &err), 0);

    assert_true(lseek(fd, 0, SEEK_SET) == 0);
    struct fd_source source = {.fd = fd};
    struct layer_stream *stream = stream_open(fd_source_read, &source, true, &err);
    struct archive_entry *entry = NULL;
    static const char *const names[] = {"etc/", "etc/new", "etc/.wh.old"};
    bool seen[3] = {false};
    while (stream_next(stream, &entry, &err) > 0) {
        for (size_t i = 0; i < 3; i++) {
            seen[i] = seen[i] || strcmp(archive_entry_pathname(entry), names[i]) == 0;
        }
    }
    assert_int_equal(stream_finish(stream, again, &err), 0);
    assert_string_equal(again, out);
    assert_true(seen[0] && seen[1] && seen[2]);
    stream_close(stream);
    fd_source_done(&source);
}

/* Each of these leads to the canary beside the upper directory, or is meant to. */
static void no_name_or_link_of_a_layer_leads_out(void **state)
{
    const struct world *world = root_world(state);
    CT_AUTO_FREE char *canary = ct_join(world->dir, "lower/etc/kept");
    CT_AUTO_FREE char *lower = ct_join(world->dir, "lower");
    struct stat before, after;
    assert_int_equal(stat(canary, &before), 0);

    for (int i = 0; i < 5; i++) {
        struct tar_maker *maker = tar_new(0);
        char diff_id[DIGEST_SIZE];
        int64_t size = 0;
        struct ct_error err = {0};
        CT_AUTO_FREE char *up = ct_printf("../lower/etc/%s", i == 0 ? "kept" : ".wh.kept");
        if (i < 2) {
            tar_add(maker, S_IFREG | 0600, up, "overwritten");
        } else if (i == 2) {
            tar_add(maker, S_IFLNK | 0777, "link", lower);
            tar_add(maker, S_IFREG | 0600, "link/etc/kept", "overwritten");
        } else if (i == 3) {
            tar_add(maker, S_IFLNK | 0777, "link2", "../lower/etc");
            tar_add(maker, S_IFREG | 0600, "link2/.wh.kept", "");
        } else {
            tar_add_hard_link(maker, "hard", canary);
        }
        (void)fill(world, maker, diff_id, &size, &err); /* refused, or kept inside */

        assert_int_equal(stat(canary, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
        assert_int_equal(after.st_nlink, before.st_nlink);
        assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
        assert_int_equal(after.st_mode, before.st_mode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_layer_becomes_marks_and_files, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_comes_out_as_it_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(no_name_or_link_of_a_layer_leads_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
