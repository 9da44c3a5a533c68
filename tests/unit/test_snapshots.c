/*
 * test_snapshots.c - layers and writable snapshots, with both drivers; hostile layers.
 *
 * Room:       tests.
 * Spec:       OCI image-spec, layer.md.
 *
 * Needs root (owners, device nodes, mounts); without it each test is skipped by name. Everything
 * happens below one temporary directory. Beside the store lies a canary: a tree that no layer may
 * read, change or link to.
 */
#define CT_LAYER "test"
#include "snapshots.h"

#include "cleanup.h"
#include "digest.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "scratch.h"
#include "tar_maker.h"

#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64];
static struct snapshot_store *store;
static struct stat canary[2]; /* the directory and the file in it, as they were made */

static char *at(const char *name)
{
    return ct_join(base, name);
}

static void write_file(const char *path, const char *text)
{
    struct ct_error err = {0};
    assert_int_equal(ct_write_file_at(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
}

static int open_store(const char *driver)
{
    struct ct_error err = {0};

    if (geteuid() != 0) {
        return 0; /* each test skips itself */
    }
    (void)strcpy(base, "/tmp/test-snapshots-XXXXXX");
    assert_non_null(mkdtemp(base));
    CT_AUTO_FREE char *dir = at("canary");
    CT_AUTO_FREE char *file = at("canary/secret");
    CT_AUTO_FREE char *snapshots = at("snapshots");
    CT_AUTO_FREE char *mnt = at("mnt");
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(mnt, 0700), 0);
    write_file(file, "secret");
    assert_int_equal(stat(dir, &canary[0]), 0);
    assert_int_equal(stat(file, &canary[1]), 0);
    if (driver) {
        (void)setenv("CUTAWAY_SNAPSHOTTER", driver, 1);
    }
    store = snapshot_store_open(snapshots, &err);
    (void)unsetenv("CUTAWAY_SNAPSHOTTER");
    return store ? 0 : -1;
}

static int with_overlay(void **state)
{
    (void)state;
    return open_store(NULL);
}

static int with_copies(void **state)
{
    (void)state;
    return open_store("copy");
}

static int close_store(void **state)
{
    (void)state;
    struct ct_error err = {0};

    if (geteuid() != 0) {
        return 0;
    }
    CT_AUTO_FREE char *mnt = at("mnt");
    (void)snapshot_unmount(mnt, &err);
    snapshot_store_close(store);
    return ct_remove_tree(AT_FDCWD, base, &err);
}

static void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

static void need_overlay(void)
{
    need_root();
    if (strcmp(snapshot_driver(store), "overlay") != 0) {
        skip(); /* /tmp here is a file system that overlayfs does not take */
    }
}

/* Nobody came near it: not even its change time moved, so no chmod, link or write touched it. */
static void assert_canary_unharmed(void)
{
    CT_AUTO_FREE char *dir = at("canary");
    CT_AUTO_FREE char *file = at("canary/secret");
    struct stat now;

    assert_int_equal(stat(dir, &now), 0);
    assert_int_equal(now.st_mode, canary[0].st_mode);
    assert_int_equal(now.st_ctim.tv_sec, canary[0].st_ctim.tv_sec);
    assert_int_equal(now.st_ctim.tv_nsec, canary[0].st_ctim.tv_nsec);
    assert_int_equal(stat(file, &now), 0);
    assert_int_equal(now.st_nlink, 1);
    assert_int_equal(now.st_size, 6);
    assert_int_equal(now.st_ctim.tv_sec, canary[1].st_ctim.tv_sec);
    assert_int_equal(now.st_ctim.tv_nsec, canary[1].st_ctim.tv_nsec);
}

/* Neither a layer nor anything under way is left. */
static void assert_nothing_kept(size_t layers)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = snapshot_layers(store, &err);
    CT_AUTO_FREE char *tmp = at("snapshots/tmp");

    assert_int_equal(json_array_size(list), layers);
    assert_int_equal(rmdir(tmp), 0); /* works only when it is empty */
    assert_int_equal(mkdir(tmp, 0700), 0);
}

/* Unpacks a finished archive over parent; returns the chain id (owned), or NULL with err. */
static char *unpack(const char *parent, struct tar_maker *maker, struct ct_error *err)
{
    size_t size = 0;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
    CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
    char diff_id[DIGEST_SIZE];

    assert_non_null(digest_of(bytes, size, diff_id, err));
    return snapshot_unpack(store, parent, diff_id, fd, err) < 0
               ? NULL
               : snapshot_chain_id(parent, diff_id);
}

static char *unpack_well(const char *parent, struct tar_maker *maker)
{
    struct ct_error err = {0};
    char *chain = unpack(parent, maker, &err);
    char text[1024];

    if (!chain) {
        fail_msg("%s", ct_error_render(&err, text, sizeof(text)));
    }
    return chain;
}

/* A path inside a layer on disk. */
static char *in_layer(const char *chain, const char *path)
{
    return ct_printf("%s/snapshots/layers/%s/fs/%s", base, digest_hex(chain), path);
}

static struct stat stat_in_layer(const char *chain, const char *path)
{
    CT_AUTO_FREE char *full = in_layer(chain, path);
    struct stat status;

    assert_int_equal(lstat(full, &status), 0);
    return status;
}

/* Prepares and mounts the chain; the path of something in it. */
static char *mounted(const char *key, const char *chain, const char *path)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *mnt = at("mnt");
    char text[1024];

    if (snapshot_prepare(store, key, chain, &err) < 0 && err.kind != CT_EXISTS) {
        fail_msg("%s", ct_error_render(&err, text, sizeof(text)));
    }
    ct_error_clear(&err);
    if (snapshot_mount(store, key, mnt, &err) < 0) {
        fail_msg("%s", ct_error_render(&err, text, sizeof(text)));
    }
    return ct_join(mnt, path);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static bool mount_has(const char *name)
{
    CT_AUTO_FREE char *mnt = at("mnt");
    CT_AUTO_FREE char *path = ct_join(mnt, name);
    return exists(path);
}

static void unmount(void)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *mnt = at("mnt");
    assert_int_equal(snapshot_unmount(mnt, &err), 0);
}

/* --- what a layer holds ----------------------------------------------------------------------- */

static void every_kind_of_file_arrives_with_owner_mode_and_time(void **state)
{
    (void)state;
    need_root();
    struct tar_maker *maker = tar_new(0);
    tar_next_time(maker, 1000);
    tar_add(maker, S_IFDIR | 01777, "dir", NULL);
    tar_next_owner(maker, 1234, 5678);
    tar_next_time(maker, 2000);
    tar_add(maker, S_IFREG | 04755, "dir/setuid", "program");
    tar_next_owner(maker, 3000000000, 4000000000);
    tar_add(maker, S_IFLNK | 0777, "dir/link", "../over/there");
    tar_add_hard_link(maker, "dir/again", "dir/setuid");
    tar_next_device(maker, 1, 3);
    tar_add(maker, S_IFCHR | 0666, "null", NULL);
    tar_add(maker, S_IFIFO | 0600, "pipe", NULL);
    tar_next_xattr(maker, "user.note", "kept");
    tar_next_xattr(maker, "trusted.overlay.redirect", "/etc");
    tar_add(maker, S_IFREG | 0640, "noted", "x");

    CT_AUTO_FREE char *chain = unpack_well("", maker);

    struct stat dir = stat_in_layer(chain, "dir");
    assert_int_equal(dir.st_mode, S_IFDIR | 01777);
    assert_int_equal(dir.st_mtime, 1000); /* though files were made in it afterwards */
    struct stat program = stat_in_layer(chain, "dir/setuid");
    assert_int_equal(program.st_mode, S_IFREG | 04755);
    assert_int_equal(program.st_uid, 1234);
    assert_int_equal(program.st_gid, 5678);
    assert_int_equal(program.st_mtime, 2000);
    assert_int_equal(program.st_nlink, 2);
    struct stat link = stat_in_layer(chain, "dir/link");
    assert_int_equal(link.st_uid, 3000000000);
    assert_int_equal(link.st_gid, 4000000000);
    struct stat node = stat_in_layer(chain, "null");
    assert_int_equal(node.st_rdev, makedev(1, 3));
    assert_int_equal(node.st_mode, S_IFCHR | 0666);
    assert_true(S_ISFIFO(stat_in_layer(chain, "pipe").st_mode));
    CT_AUTO_FREE char *noted = in_layer(chain, "noted");
    char value[16] = "";
    assert_int_equal(getxattr(noted, "user.note", value, sizeof(value)), 4);
    assert_int_equal(getxattr(noted, "trusted.overlay.redirect", value, sizeof(value)), -1);
    struct ct_error err = {0};
    assert_int_equal(snapshot_layer_size(store, chain, &err), 8);
}

static void long_and_foreign_names_arrive(void **state)
{
    (void)state;
    need_root();
    char deep[1300] = "";
    for (int i = 0; i < 40; i++) {
        (void)strcat(deep, "a-rather-long-directory-name/");
    }
    (void)strcat(deep, "file");
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0644, deep, "deep");
    tar_add(maker, S_IFREG | 0644,
            "gr\xc3\xbc\xc3\x9f"
            "e",
            "utf-8");
    tar_add(maker, S_IFREG | 0644, "latin\xe9", "not utf-8");

    CT_AUTO_FREE char *chain = unpack_well("", maker);

    assert_int_equal(stat_in_layer(chain, deep).st_size, 4);
    assert_int_equal(stat_in_layer(chain, "gr\xc3\xbc\xc3\x9f"
                                          "e")
                         .st_size,
                     5);
    assert_int_equal(stat_in_layer(chain, "latin\xe9").st_size, 9);
}

static void compressed_layers_unpack_to_the_same_layer(void **state)
{
    (void)state;
    need_root();
    static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
                                  ARCHIVE_FILTER_BZIP2};
    struct tar_maker *plain = tar_new(0);
    tar_add(plain, S_IFREG | 0644, "file", "the same");
    size_t plain_size = 0;
    CT_AUTO_FREE char *plain_bytes = tar_finish(plain, &plain_size);
    char diff_id[DIGEST_SIZE];
    struct ct_error err = {0};
    assert_non_null(digest_of(plain_bytes, plain_size, diff_id, &err));

    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
        struct tar_maker *maker = tar_new(filters[i]);
        tar_add(maker, S_IFREG | 0644, "file", "the same");
        size_t size = 0;
        CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
        CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
        assert_int_equal(snapshot_unpack(store, "", diff_id, fd, &err), 0);
        assert_true(snapshot_has(store, diff_id));
        assert_int_equal(snapshot_remove_layer(store, diff_id, &err), 0);
        assert_false(snapshot_has(store, diff_id));
    }
}

static void a_wrong_digest_names_both_and_keeps_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0644, "file", "x");
    size_t size = 0;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
    CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
    char actual[DIGEST_SIZE];
    assert_non_null(digest_of(bytes, size, actual, &err));
    static const char wanted[] =
        "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    assert_int_equal(snapshot_unpack(store, "", wanted, fd, &err), -1);

    CT_AUTO_FREE char *text = ct_printf("layer is %s, expected %s", actual, wanted);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].layer, "snapshots");
    assert_string_equal(err.frame[0].what, text);
    assert_nothing_kept(0);
}

static void a_truncated_layer_keeps_nothing(void **state)
{
    (void)state;
    need_root();
    struct tar_maker *maker = tar_new(0);
    char data[5000] = {1};
    tar_add_bytes(maker, "file", data, sizeof(data));
    size_t size = 0;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);

    for (size_t cut = 1; cut < 5600; cut += 700) {
        struct ct_error err = {0};
        char diff_id[DIGEST_SIZE];
        CT_AUTO_CLOSE int fd = memory_fd(bytes, cut);
        assert_non_null(digest_of(bytes, cut, diff_id, &err));
        assert_int_equal(snapshot_unpack(store, "", diff_id, fd, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
    assert_nothing_kept(0);
}

/* --- hostile layers --------------------------------------------------------------------------- */

static char canary_path[96]; /* absolute, of the canary's directory */
static char canary_up[160];  /* relative, with more ".." than any layer is deep */

static void aim_at_canary(void)
{
    (void)snprintf(canary_path, sizeof(canary_path), "%s/canary", base);
    (void)snprintf(canary_up, sizeof(canary_up), "../../../../../../../../../..%s", canary_path);
}

static void dot_dot(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "../x", "out");
}

static void dot_dot_inside(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "a/../../x", "out");
}

static void absolute_name(struct tar_maker *maker)
{
    CT_AUTO_FREE char *name = ct_join(canary_path, "secret");
    tar_add(maker, S_IFREG | 0666, name, "overwritten");
}

static void absolute_link_then_write(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_path);
    tar_add(maker, S_IFREG | 0666, "door/secret", "overwritten");
}

static void relative_link_then_write(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_up);
    tar_add(maker, S_IFREG | 0666, "door/secret", "overwritten");
}

static void link_then_write_over_it(struct tar_maker *maker)
{
    CT_AUTO_FREE char *secret = ct_join(canary_path, "secret");
    tar_add(maker, S_IFLNK | 0777, "file", secret);
    tar_add(maker, S_IFREG | 0666, "file", "overwritten");
}

static void link_then_directory_over_it(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_path);
    tar_next_owner(maker, 7, 7);
    tar_add(maker, S_IFDIR | 0777, "door", NULL);
    tar_add(maker, S_IFREG | 0666, "door/secret", "overwritten");
}

static void link_then_whiteout_through_it(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_path);
    tar_add(maker, S_IFREG | 0666, "door/.wh.secret", "");
    tar_add(maker, S_IFREG | 0666, "door/.wh..wh..opq", "");
}

static void hard_link_to_the_host(struct tar_maker *maker)
{
    CT_AUTO_FREE char *secret = ct_join(canary_path, "secret");
    tar_add_hard_link(maker, "stolen", secret);
}

static void hard_link_upwards(struct tar_maker *maker)
{
    CT_AUTO_FREE char *secret = ct_join(canary_up, "secret");
    tar_add_hard_link(maker, "stolen", secret);
}

static void hard_link_through_a_link(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_path);
    tar_add_hard_link(maker, "stolen", "door/secret");
}

static void hard_link_to_a_link_then_write(struct tar_maker *maker)
{
    CT_AUTO_FREE char *secret = ct_join(canary_path, "secret");
    tar_add(maker, S_IFLNK | 0777, "one", secret);
    tar_add_hard_link(maker, "two", "one");
    tar_add(maker, S_IFREG | 0666, "two", "overwritten");
}

static void device_through_a_link(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", canary_path);
    tar_next_device(maker, 1, 1);
    tar_add(maker, S_IFCHR | 0666, "door/mem", NULL);
}

static void whiteout_of_dot_dot(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "a/.wh...", "");
}

static void whiteout_of_dot(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "a/.wh..", "");
}

static void whiteout_of_nothing(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "a/.wh.", "");
}

static void file_in_a_whiteout(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, ".wh.x/y", "");
}

static void the_root_as_a_link(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "./", canary_path);
}

static void impossible_owner(struct tar_maker *maker)
{
    tar_next_owner(maker, 4294967295, 0);
    tar_add(maker, S_IFREG | 0644, "file", "x");
}

static void link_to_itself(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "loop", "loop");
    tar_add(maker, S_IFREG | 0644, "loop/file", "x");
}

static void hard_link_onto_itself(struct tar_maker *maker)
{
    tar_add(maker, S_IFREG | 0644, "file", "kept");
    tar_add_hard_link(maker, "file", "./file");
}

static void magic_link(struct tar_maker *maker)
{
    tar_add(maker, S_IFLNK | 0777, "door", "/proc/self/cwd");
    tar_add(maker, S_IFREG | 0644, "door/file", "x");
}

struct hostile {
    const char *name;
    void (*fill)(struct tar_maker *maker);
    const char *refused; /* words of the error; NULL: taken, and harmless */
};

static const struct hostile corpus[] = {
    {"dot_dot", dot_dot, "layer entry '../x' leaves the layer"},
    {"dot_dot_inside", dot_dot_inside, "layer entry 'a/../../x' leaves the layer"},
    {"absolute_name", absolute_name, NULL},
    {"absolute_link_then_write", absolute_link_then_write, "make directory"},
    {"relative_link_then_write", relative_link_then_write, "make directory"},
    {"link_then_write_over_it", link_then_write_over_it, NULL},
    {"link_then_directory_over_it", link_then_directory_over_it, NULL},
    {"link_then_whiteout_through_it", link_then_whiteout_through_it, "make directory"},
    {"hard_link_to_the_host", hard_link_to_the_host, "open '"},
    {"hard_link_upwards", hard_link_upwards, "leaves the layer"},
    {"hard_link_through_a_link", hard_link_through_a_link, "open '"},
    {"hard_link_to_a_link_then_write", hard_link_to_a_link_then_write, NULL},
    {"device_through_a_link", device_through_a_link, "make directory"},
    {"whiteout_of_dot_dot", whiteout_of_dot_dot, "layer entry '.wh...' leaves the layer"},
    {"whiteout_of_dot", whiteout_of_dot, "layer entry '.wh..' leaves the layer"},
    {"whiteout_of_nothing", whiteout_of_nothing, "layer entry '.wh.' leaves the layer"},
    {"file_in_a_whiteout", file_in_a_whiteout, "lies inside a whiteout"},
    {"the_root_as_a_link", the_root_as_a_link, "would replace the root directory"},
    {"impossible_owner", impossible_owner, "has an impossible owner 4294967295:0"},
    {"link_to_itself", link_to_itself, "loop"},
    {"hard_link_onto_itself", hard_link_onto_itself, NULL},
    {"magic_link", magic_link, "make directory"},
};

static void no_hostile_layer_reaches_outside_itself(void **state)
{
    (void)state;
    need_root();
    aim_at_canary();

    for (size_t i = 0; i < sizeof(corpus) / sizeof(*corpus); i++) {
        struct ct_error err = {0};
        struct tar_maker *maker = tar_new(0);
        corpus[i].fill(maker);
        CT_AUTO_FREE char *chain = unpack("", maker, &err);
        assert_canary_unharmed();
        if (!corpus[i].refused) {
            if (!chain) {
                fail_msg("%s: %s", corpus[i].name, err.frame[0].what);
            }
            assert_int_equal(snapshot_remove_layer(store, chain, &err), 0);
        } else if (chain || !strstr(err.frame[0].what, corpus[i].refused)) {
            fail_msg("%s: %s", corpus[i].name, chain ? "was taken" : err.frame[0].what);
        }
    }
    assert_nothing_kept(0);
}

static void links_of_the_layer_itself_are_followed_inside_it(void **state)
{
    (void)state;
    need_root();
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFDIR | 0755, "usr/lib", NULL);
    tar_add(maker, S_IFLNK | 0777, "lib", "/usr/lib");
    tar_add(maker, S_IFREG | 0644, "lib/libc.so", "code");

    CT_AUTO_FREE char *chain = unpack_well("", maker);

    assert_int_equal(stat_in_layer(chain, "usr/lib/libc.so").st_size, 4);
    assert_true(S_ISLNK(stat_in_layer(chain, "lib").st_mode));
}

/* --- layers over layers ----------------------------------------------------------------------- */

static char *lower_layer(void)
{
    struct tar_maker *maker = tar_new(0);

    tar_next_owner(maker, 42, 43);
    tar_next_time(maker, 1111);
    tar_add(maker, S_IFDIR | 0750, "etc", NULL);
    tar_add(maker, S_IFREG | 0644, "etc/old", "old");
    tar_add(maker, S_IFREG | 0644, "etc/kept", "kept");
    tar_add(maker, S_IFDIR | 0755, "opt", NULL);
    tar_add(maker, S_IFREG | 0644, "opt/a", "a");
    tar_add(maker, S_IFREG | 0644, "opt/b", "b");
    tar_add(maker, S_IFDIR | 0755, "var", NULL);
    tar_add(maker, S_IFREG | 0644, "var/gone", "x");
    tar_add(maker, S_IFREG | 0644, "file-to-dir", "x");
    return unpack_well("", maker);
}

static void whiteouts_and_opaque_directories_hide_what_is_below(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *below = lower_layer();
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0644, "etc/.wh.old", "");
    tar_add(maker, S_IFREG | 0644, "etc/new", "new");
    tar_add(maker, S_IFDIR | 0755, "opt", NULL);
    tar_add(maker, S_IFREG | 0644, "opt/.wh..wh..opq", "");
    tar_add(maker, S_IFREG | 0644, "opt/c", "c");
    tar_add(maker, S_IFREG | 0644, ".wh.var", "");
    tar_add(maker, S_IFREG | 0644, ".wh.never-there", "");
    CT_AUTO_FREE char *chain = unpack_well(below, maker);

    CT_AUTO_FREE char *etc = mounted("k", chain, "etc");

    assert_false(mount_has("etc/old"));
    assert_true(mount_has("etc/kept"));
    assert_true(mount_has("etc/new"));
    assert_false(mount_has("opt/a"));
    assert_false(mount_has("opt/b"));
    assert_true(mount_has("opt/c"));
    assert_false(mount_has("var"));
    struct stat status; /* the layer above did not name etc/, so it looks as below */
    assert_int_equal(stat(etc, &status), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 0750);
    assert_int_equal(status.st_uid, 42);
    assert_int_equal(status.st_gid, 43);
    unmount();
}

static void a_whiteout_and_a_new_directory_of_the_same_name_are_both_meant(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *below = lower_layer();

    for (int whiteout_first = 0; whiteout_first < 2; whiteout_first++) {
        struct tar_maker *maker = tar_new(0);
        if (whiteout_first) {
            tar_add(maker, S_IFREG | 0644, ".wh.opt", "");
        }
        tar_add(maker, S_IFREG | 0644, "opt/c", "c");
        if (!whiteout_first) {
            tar_add(maker, S_IFREG | 0644, ".wh.opt", "");
        }
        tar_add(maker, S_IFDIR | 0755, "file-to-dir", NULL);
        tar_add(maker, S_IFREG | 0644, "file-to-dir/x", "x");
        CT_AUTO_FREE char *chain = unpack_well(below, maker);
        CT_AUTO_FREE char *path =
            mounted(whiteout_first ? "first" : "last", chain, "file-to-dir/x");
        assert_true(exists(path));
        assert_true(mount_has("opt/c"));
        assert_false(mount_has("opt/a"));
        unmount();
    }
}

static void a_hundred_and_twenty_layers_can_be_mounted(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_FREE char *chain = ct_strdup("");
    char name[16];

    for (int i = 0; i < 120; i++) {
        struct tar_maker *maker = tar_new(0);
        (void)snprintf(name, sizeof(name), "file-%d", i);
        tar_add(maker, S_IFREG | 0644, name, "x");
        CT_AUTO_FREE char *below = chain;
        chain = unpack_well(below, maker);
    }
    CT_AUTO_FREE char *first = mounted("deep", chain, "file-0");

    assert_true(exists(first));
    assert_true(mount_has("file-119"));
    unmount();
}

static void a_layer_in_use_is_not_removed(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *below = lower_layer();
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0644, "x", "x");
    CT_AUTO_FREE char *chain = unpack_well(below, maker);
    assert_int_equal(snapshot_prepare(store, "user", chain, &err), 0);

    assert_int_equal(snapshot_remove_layer(store, below, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    ct_error_clear(&err);
    assert_int_equal(snapshot_remove_layer(store, chain, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_non_null(strstr(err.frame[0].what, "'user' stands on it"));

    ct_error_clear(&err);
    assert_int_equal(snapshot_remove(store, "user", &err), 0);
    assert_int_equal(snapshot_remove_layer(store, chain, &err), 0);
    assert_int_equal(snapshot_remove_layer(store, below, &err), 0);
    assert_int_equal(snapshot_remove_layer(store, below, &err), 0); /* missing: no error */
    assert_nothing_kept(0);
}

/* --- writable snapshots ----------------------------------------------------------------------- */

static void a_snapshot_is_made_once_and_mounted_once(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *chain = lower_layer();
    CT_AUTO_FREE char *mnt = at("mnt");
    CT_AUTO_FREE char *elsewhere = at("elsewhere");
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    CT_AUTO_FREE char *kept = mounted("k", chain, "etc/kept");
    assert_true(exists(kept));

    assert_int_equal(snapshot_prepare(store, "k", chain, &err), -1);
    assert_int_equal(err.kind, CT_EXISTS);
    ct_error_clear(&err);
    assert_int_equal(snapshot_mount(store, "k", mnt, &err), 0); /* again: no error */
    assert_int_equal(snapshot_mount(store, "k", elsewhere, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    ct_error_clear(&err);
    assert_int_equal(snapshot_remove(store, "k", &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);

    ct_error_clear(&err);
    unmount();
    unmount(); /* nothing mounted: no error */
    assert_false(mount_has("etc/kept"));
    assert_int_equal(snapshot_remove(store, "k", &err), 0);
    assert_int_equal(snapshot_remove(store, "k", &err), 0);
}

static void keys_that_could_be_paths_are_refused(void **state)
{
    (void)state;
    need_root();
    static const char *const keys[] = {"", ".", "..", "a/b", "../x", "a b"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        struct ct_error err = {0};
        assert_int_equal(snapshot_prepare(store, keys[i], "", &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
}

static void a_missing_chain_cannot_be_prepared(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};

    assert_int_equal(
        snapshot_prepare(store, "k",
                         "sha256:0000000000000000000000000000000000000000000000000000000000000000",
                         &err),
        -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_nothing_kept(0);
}

static int list_change(void *context, int kind, const char *path, struct ct_error *err)
{
    char *list = context;
    (void)err;
    (void)sprintf(list + strlen(list), "%c %s\n", "CAD"[kind], path);
    return 0;
}

/* What a container might do. */
static void change_things(const char *mnt)
{
    CT_AUTO_FREE char *new = ct_join(mnt, "etc/new");
    CT_AUTO_FREE char *old = ct_join(mnt, "etc/old");
    CT_AUTO_FREE char *kept = ct_join(mnt, "etc/kept");
    CT_AUTO_FREE char *opt = ct_join(mnt, "opt");
    CT_AUTO_FREE char *opt_a = ct_join(mnt, "opt/a");
    CT_AUTO_FREE char *opt_b = ct_join(mnt, "opt/b");
    CT_AUTO_FREE char *opt_n = ct_join(mnt, "opt/n");
    struct ct_error err = {0};

    write_file(new, "four");
    assert_int_equal(unlink(old), 0);
    assert_int_equal(chmod(kept, 0600), 0);
    assert_int_equal(unlink(opt_a), 0);
    assert_int_equal(unlink(opt_b), 0);
    assert_int_equal(rmdir(opt), 0);
    assert_int_equal(mkdir(opt, 0755), 0); /* overlayfs makes this one opaque */
    write_file(opt_n, "n");
    CT_AUTO_CLOSE int dir = open(mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ct_remove_tree(dir, "var", &err), 0);
}

static void the_diff_lists_what_was_changed_added_and_deleted(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    char list[4096] = "";
    CT_AUTO_FREE char *chain = lower_layer();
    CT_AUTO_FREE char *mnt = mounted("k", chain, "");
    assert_int_equal(snapshot_diff(store, "k", list_change, list, &err), 0);
    assert_string_equal(list, "");

    change_things(mnt);
    assert_int_equal(snapshot_diff(store, "k", list_change, list, &err), 0);

    assert_string_equal(list, "C /etc\nC /etc/kept\nA /etc/new\nD /etc/old\nC /opt\nD /opt/a\n"
                              "D /opt/b\nA /opt/n\nD /var\n");
    assert_int_equal(snapshot_size(store, "k", &err), 4 + 4 + 1); /* kept, new, n */
    unmount();
}

static void the_diff_as_a_layer_gives_the_same_tree_again(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *chain = lower_layer();
    CT_AUTO_FREE char *mnt = mounted("k", chain, "");
    change_things(mnt);
    CT_AUTO_FREE char *diff_id = NULL;
    CT_AUTO_CLOSE int fd = memory_fd("", 0);

    assert_int_equal(snapshot_diff_tar(store, "k", fd, &diff_id, &err), 0);
    unmount();
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(snapshot_unpack(store, chain, diff_id, fd, &err), 0);
    CT_AUTO_FREE char *next = snapshot_chain_id(chain, diff_id);
    CT_AUTO_FREE char *kept = mounted("again", next, "etc/kept");

    struct stat status;
    assert_int_equal(stat(kept, &status), 0);
    assert_int_equal(status.st_mode, S_IFREG | 0600);
    assert_true(mount_has("etc/new"));
    assert_false(mount_has("etc/old"));
    assert_false(mount_has("opt/a"));
    assert_true(mount_has("opt/n"));
    assert_false(mount_has("var"));
    unmount();
}

static void describing_a_snapshot_names_its_directories(void **state)
{
    (void)state;
    need_overlay();
    struct ct_error err = {0};
    CT_AUTO_FREE char *chain = lower_layer();
    assert_int_equal(snapshot_prepare(store, "k", chain, &err), 0);

    CT_AUTO_JSON json_t *described = snapshot_describe(store, "k", "/somewhere", &err);

    CT_AUTO_FREE char *lower = ct_printf("%s/snapshots/layers/%s/fs", base, digest_hex(chain));
    CT_AUTO_FREE char *upper = at("snapshots/active/k/fs");
    assert_string_equal(ct_json_string(described, "Name", ""), "overlay2");
    assert_string_equal(ct_json_string(described, "Data.LowerDir", ""), lower);
    assert_string_equal(ct_json_string(described, "Data.UpperDir", ""), upper);
    assert_string_equal(ct_json_string(described, "Data.MergedDir", ""), "/somewhere");
}

/* --- the store -------------------------------------------------------------------------------- */

static void what_a_crash_left_is_removed_and_what_is_alive_stays(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *dead = at("snapshots/tmp/dead");
    CT_AUTO_FREE char *inside = at("snapshots/tmp/dead/fs");
    CT_AUTO_FREE char *snapshots = at("snapshots");
    CT_AUTO_FREE char *tmp = at("snapshots/tmp");
    assert_int_equal(mkdir(dead, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    int wire[2];
    assert_int_equal(pipe2(wire, O_CLOEXEC), 0);
    pid_t child = fork(); /* a process in the middle of unpacking */
    if (child == 0) {
        char name[SCRATCH_NAME];
        CT_AUTO_CLOSE int root = open(snapshots, O_RDONLY | O_DIRECTORY);
        int held = scratch_make(root, name, &err);
        (void)!write(wire[1], name, sizeof(name));
        (void)pause();
        _exit(held < 0);
    }
    char name[SCRATCH_NAME];
    assert_int_equal(read(wire[0], name, sizeof(name)), sizeof(name));
    CT_AUTO_FREE char *alive = ct_join(tmp, name);

    struct snapshot_store *second = snapshot_store_open(snapshots, &err);
    assert_non_null(second);
    snapshot_store_close(second);
    bool dead_is_gone = !exists(dead);
    bool alive_is_there = exists(alive);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    second = snapshot_store_open(snapshots, &err);
    snapshot_store_close(second);

    assert_true(dead_is_gone);
    assert_true(alive_is_there);
    assert_false(exists(alive)); /* its maker was killed meanwhile */
    (void)close(wire[0]);
    (void)close(wire[1]);
}

static void two_processes_unpacking_one_layer_both_succeed(void **state)
{
    (void)state;
    need_root();
    pid_t children[3];

    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct ct_error err = {0};
            struct tar_maker *maker = tar_new(0);
            char data[100000] = {7};
            for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
                tar_add_bytes(maker, name, data, sizeof(data));
            }
            char *chain = unpack("", maker, &err);
            _exit(chain ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_nothing_kept(1);
}

static void the_recorded_driver_stays(void **state)
{
    (void)state;
    need_overlay();
    struct ct_error err = {0};
    CT_AUTO_FREE char *snapshots = at("snapshots");

    (void)setenv("CUTAWAY_SNAPSHOTTER", "copy", 1);
    struct snapshot_store *second = snapshot_store_open(snapshots, &err);
    (void)unsetenv("CUTAWAY_SNAPSHOTTER");

    assert_null(second);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_string_equal(err.hint, "unset CUTAWAY_SNAPSHOTTER, or use another --root");
}

static void a_full_disk_is_told_and_keeps_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *small = at("mnt");
    assert_int_equal(mount("tmpfs", small, "tmpfs", 0, "size=2m"), 0);
    struct snapshot_store *full = snapshot_store_open(small, &err);
    struct snapshot_store *other = store;
    struct tar_maker *maker = tar_new(0);
    size_t size = 4 << 20;
    CT_AUTO_FREE char *data = calloc(1, size);
    assert_non_null(data);
    (void)memset(data, 7, size);
    tar_add_bytes(maker, "big", data, size);

    store = full;
    CT_AUTO_FREE char *chain = full ? unpack("", maker, &err) : NULL;
    store = other;

    assert_non_null(full);
    assert_null(chain);
    assert_int_equal(err.sys, ENOSPC);
    assert_string_equal(err.frame[0].what, "write 'big'");
    CT_AUTO_JSON json_t *layers = snapshot_layers(full, &err);
    assert_int_equal(json_array_size(layers), 0);
    CT_AUTO_FREE char *tmp = ct_join(small, "tmp");
    assert_int_equal(rmdir(tmp), 0);
    snapshot_store_close(full);
    unmount();
}

/* --- archives of trees (cp, export) ----------------------------------------------------------- */

static int tree_root(const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *path = at(name);
    (void)mkdir(path, 0755);
    return ct_root_open(path, &err);
}

static void a_tree_survives_the_way_through_a_tar(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *chain = lower_layer();
    CT_AUTO_FREE char *layer = in_layer(chain, "");
    CT_AUTO_CLOSE int from = ct_root_open(layer, &err);
    CT_AUTO_CLOSE int to = tree_root("to");
    CT_AUTO_CLOSE int tar = memory_fd("", 0);

    assert_int_equal(snapshot_tar(from, "/etc", "renamed", tar, &err), 0);
    assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
    assert_int_equal(snapshot_untar(to, "/", tar, true, &err), 0);

    CT_AUTO_FREE char *dir = at("to/renamed");
    CT_AUTO_FREE char *file = at("to/renamed/kept");
    struct stat status;
    assert_int_equal(stat(dir, &status), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 0750);
    assert_int_equal(status.st_uid, 42);
    assert_int_equal(status.st_mtime, 1111);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_size, 4);
}

static void a_sparse_file_stays_sparse(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int from = tree_root("from");
    CT_AUTO_CLOSE int to = tree_root("to");
    CT_AUTO_CLOSE int tar = memory_fd("", 0);
    CT_AUTO_FREE char *path = at("from/sparse");
    CT_AUTO_CLOSE int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(file, (off_t)1 << 40), 0);
    assert_int_equal(pwrite(file, "middle", 6, (off_t)1 << 39), 6);

    assert_int_equal(snapshot_tar(from, "/", "", tar, &err), 0);
    assert_int_equal(lseek(tar, 0, SEEK_SET), 0);
    assert_int_equal(snapshot_untar(to, "/", tar, false, &err), 0);

    CT_AUTO_FREE char *copy_path = at("to/sparse");
    CT_AUTO_CLOSE int copy = open(copy_path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char text[7] = "";
    assert_int_equal(fstat(copy, &status), 0);
    assert_int_equal(status.st_size, (off_t)1 << 40);
    assert_true(status.st_blocks < 1000);
    assert_int_equal(pread(copy, text, 6, (off_t)1 << 39), 6);
    assert_string_equal(text, "middle");
}

static void untar_follows_links_inside_the_root_only(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    aim_at_canary();
    CT_AUTO_CLOSE int root = tree_root("root");
    CT_AUTO_FREE char *door = at("root/door");
    CT_AUTO_FREE char *up = at("root/up");
    CT_AUTO_FREE char *secret_link = at("root/secret");
    CT_AUTO_FREE char *secret = at("canary/secret");
    assert_int_equal(symlink(canary_path, door), 0);
    assert_int_equal(symlink(canary_up, up), 0);
    assert_int_equal(symlink(secret, secret_link), 0);
    static const char *const names[] = {"door/secret", "up/secret", "secret"};

    for (size_t i = 0; i < 3; i++) {
        struct tar_maker *maker = tar_new(0);
        tar_add(maker, S_IFREG | 0666, names[i], "overwritten");
        size_t size = 0;
        CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
        CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
        (void)snapshot_untar(root, "/", fd, false, &err);
        assert_canary_unharmed();
    }
    struct ct_error missing = {0};
    CT_AUTO_CLOSE int tar = memory_fd("", 0);
    assert_int_equal(snapshot_tar(root, "/door/", "x", tar, &missing), -1);
    assert_int_equal(missing.kind, CT_NOT_FOUND); /* the canary's path means nothing in there */
}

/* Exchanges root/dir and root/link, a symlink to the canary, until it is killed. */
static pid_t start_swapping(void)
{
    pid_t child = fork();

    if (child == 0) {
        CT_AUTO_FREE char *dir = at("root/dir");
        CT_AUTO_FREE char *link = at("root/link");
        for (;;) {
            (void)renameat2(AT_FDCWD, dir, AT_FDCWD, link, RENAME_EXCHANGE);
        }
    }
    return child;
}

static void a_directory_swapped_for_a_link_meanwhile_leads_nowhere(void **state)
{
    (void)state;
    need_root();
    aim_at_canary();
    CT_AUTO_CLOSE int root = tree_root("root");
    CT_AUTO_FREE char *dir = at("root/dir");
    CT_AUTO_FREE char *link = at("root/link");
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(symlink(canary_path, link), 0);
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0666, "dir/secret", "overwritten");
    tar_next_device(maker, 1, 3);
    tar_add(maker, S_IFCHR | 0666, "dir/null", NULL);
    tar_add(maker, S_IFLNK | 0777, "dir/new", "x");
    size_t size = 0;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
    pid_t swapper = start_swapping();

    for (int i = 0; i < 1500; i++) { /* CVE-2018-15664: each try may win or lose the race */
        struct ct_error err = {0};
        CT_AUTO_CLOSE int in = memory_fd(bytes, size);
        CT_AUTO_CLOSE int out = memory_fd("", 0);
        char found[8192] = "";
        (void)snapshot_untar(root, "/", in, false, &err);
        (void)snapshot_tar(root, "/dir/", "", out, &err);
        ssize_t n = pread(out, found, sizeof(found) - 1, 0);
        /* a header's name may be "secret"; the canary's contents would stand after one */
        assert_true(n < 1024 || memcmp(found + 512, "secret", 6) != 0);
    }

    assert_int_equal(kill(swapper, SIGKILL), 0);
    assert_int_equal(waitpid(swapper, NULL, 0), swapper);
    assert_canary_unharmed();
}

static void untar_refuses_to_swap_directories_and_files_when_asked(void **state)
{
    (void)state;
    need_root();
    CT_AUTO_CLOSE int root = tree_root("root");
    CT_AUTO_FREE char *dir = at("root/dir");
    CT_AUTO_FREE char *file = at("root/file");
    assert_int_equal(mkdir(dir, 0755), 0);
    write_file(file, "x");
    static const struct {
        mode_t mode;
        const char *name, *error;
    } rows[] = {
        {S_IFREG | 0644, "dir", "cannot overwrite directory 'dir' with non-directory"},
        {S_IFDIR | 0755, "file", "cannot overwrite non-directory 'file' with directory"},
    };

    for (size_t i = 0; i < 2; i++) {
        struct ct_error err = {0};
        struct tar_maker *maker = tar_new(0);
        tar_add(maker, rows[i].mode, rows[i].name, "x");
        size_t size = 0;
        CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
        CT_AUTO_CLOSE int fd = memory_fd(bytes, size);
        assert_int_equal(snapshot_untar(root, "/", fd, true, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, rows[i].error);
        CT_AUTO_CLOSE int again = memory_fd(bytes, size);
        ct_error_clear(&err);
        assert_int_equal(snapshot_untar(root, "/", again, false, &err), 0);
    }
}

static void untar_takes_whiteouts_as_plain_names(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int root = tree_root("root");
    struct tar_maker *maker = tar_new(0);
    tar_add(maker, S_IFREG | 0644, "x", "x");
    tar_add(maker, S_IFREG | 0644, ".wh.x", "just a name");
    size_t size = 0;
    CT_AUTO_FREE char *bytes = tar_finish(maker, &size);
    CT_AUTO_CLOSE int fd = memory_fd(bytes, size);

    assert_int_equal(snapshot_untar(root, "/", fd, false, &err), 0);

    CT_AUTO_FREE char *x = at("root/x");
    CT_AUTO_FREE char *whiteout = at("root/.wh.x");
    assert_true(exists(x));
    assert_true(exists(whiteout));
}

static void a_copied_tree_keeps_links_owners_and_times(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    struct tar_maker *maker = tar_new(0);
    tar_next_owner(maker, 9, 9);
    tar_next_time(maker, 4444);
    tar_add(maker, S_IFDIR | 0711, "data", NULL);
    tar_add(maker, S_IFREG | 0644, "data/one", "12345");
    tar_add_hard_link(maker, "data/two", "data/one");
    tar_add(maker, S_IFLNK | 0777, "data/away", "/etc/passwd");
    CT_AUTO_FREE char *chain = unpack_well("", maker);
    CT_AUTO_FREE char *layer = in_layer(chain, "");
    CT_AUTO_CLOSE int from = ct_root_open(layer, &err);
    CT_AUTO_CLOSE int to = tree_root("volume");

    assert_int_equal(snapshot_copy_tree(from, "/data", to, "/", &err), 0);

    CT_AUTO_FREE char *volume = at("volume");
    CT_AUTO_FREE char *two = at("volume/two");
    CT_AUTO_FREE char *away = at("volume/away");
    struct stat status;
    assert_int_equal(stat(volume, &status), 0);
    assert_int_equal(status.st_mode, S_IFDIR | 0711);
    assert_int_equal(status.st_uid, 9);
    assert_int_equal(status.st_mtime, 4444);
    assert_int_equal(stat(two, &status), 0);
    assert_int_equal(status.st_nlink, 2);
    char target[32] = "";
    assert_int_equal(readlink(away, target, sizeof(target) - 1), 11);
    assert_string_equal(target, "/etc/passwd");
}

#define BOTH(test)                                               \
    {#test " (overlay)", test, with_overlay, close_store, NULL}, \
    {                                                            \
#test " (copy)", test, with_copies, close_store, NULL    \
    }
#define ONCE(test) cmocka_unit_test_setup_teardown(test, with_overlay, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONCE(every_kind_of_file_arrives_with_owner_mode_and_time),
        ONCE(long_and_foreign_names_arrive),
        ONCE(compressed_layers_unpack_to_the_same_layer),
        ONCE(a_wrong_digest_names_both_and_keeps_nothing),
        ONCE(a_truncated_layer_keeps_nothing),
        BOTH(no_hostile_layer_reaches_outside_itself),
        ONCE(links_of_the_layer_itself_are_followed_inside_it),
        BOTH(whiteouts_and_opaque_directories_hide_what_is_below),
        BOTH(a_whiteout_and_a_new_directory_of_the_same_name_are_both_meant),
        BOTH(a_hundred_and_twenty_layers_can_be_mounted),
        ONCE(a_layer_in_use_is_not_removed),
        BOTH(a_snapshot_is_made_once_and_mounted_once),
        ONCE(keys_that_could_be_paths_are_refused),
        ONCE(a_missing_chain_cannot_be_prepared),
        BOTH(the_diff_lists_what_was_changed_added_and_deleted),
        BOTH(the_diff_as_a_layer_gives_the_same_tree_again),
        ONCE(describing_a_snapshot_names_its_directories),
        ONCE(what_a_crash_left_is_removed_and_what_is_alive_stays),
        ONCE(two_processes_unpacking_one_layer_both_succeed),
        ONCE(the_recorded_driver_stays),
        ONCE(a_full_disk_is_told_and_keeps_nothing),
        ONCE(a_tree_survives_the_way_through_a_tar),
        ONCE(a_sparse_file_stays_sparse),
        ONCE(untar_follows_links_inside_the_root_only),
        ONCE(a_directory_swapped_for_a_link_meanwhile_leads_nowhere),
        ONCE(untar_refuses_to_swap_directories_and_files_when_asked),
        ONCE(untar_takes_whiteouts_as_plain_names),
        ONCE(a_copied_tree_keeps_links_owners_and_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
