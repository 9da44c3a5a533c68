/*
 * volumes.c - the contract of volumes.h: volumes on disk, and what a request's mounts mean
 * together.
 *
 * Run on stage 01's store, and on stage 04's choice with each containerd behind it.
 */
#define CT_LAYER "test"
#include "volumes.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "snapshots.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/contract-volumes-XXXXXX";
static struct volume_store *store;

static int open_store(void **state)
{
    (void)state;
    struct ct_error err = {0};
    memcpy(dir, "/tmp/contract-volumes-XXXXXX", sizeof(dir));
    store = mkdtemp(dir) ? volume_store_open(dir, &err) : NULL;
    return store ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *left = volume_list(store, &err); /* they need not be in dir */
    size_t i;
    json_t *volume;

    json_array_foreach(left, i, volume)
    {
        assert_int_equal(volume_remove(store, ct_json_string(volume, "Name", ""), false, &err), 0);
    }
    volume_store_close(store);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static json_t *resolve(const char *host_config, const char *image_volumes, struct ct_error *err)
{
    CT_AUTO_JSON json_t *host = ct_json_parse(host_config, strlen(host_config), err);
    CT_AUTO_JSON json_t *image = ct_json_parse(image_volumes, strlen(image_volumes), err);
    json_t *mounts = NULL;
    assert_non_null(host);
    return volume_resolve(store, host, image, &mounts, err) < 0 ? NULL : mounts;
}

static size_t count_volumes(void)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = volume_list(store, &err);
    return json_array_size(list);
}

static void a_volume_is_made_once_and_found_by_name(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *body = json_pack("{s:s,s:{s:s}}", "Name", "data", "Labels", "a", "b");

    CT_AUTO_JSON json_t *made = volume_create(store, body, &err);
    CT_AUTO_JSON json_t *again = volume_create(store, body, &err);
    CT_AUTO_JSON json_t *found = volume_find(store, "data", &err);

    assert_true(json_equal(made, again));
    assert_true(json_equal(made, found));
    assert_string_equal(ct_json_string(found, "Labels.a", ""), "b");
    assert_int_equal(access(ct_json_string(found, "Mountpoint", ""), F_OK), 0);
    assert_int_equal(count_volumes(), 1);
}

static void names_that_could_be_paths_are_refused(void **state)
{
    (void)state;
    const char *names[] = {"../x", "a/b", ".hidden", "-x", "a b", "x"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ct_error err = {0};
        CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Name", names[i]);
        assert_null(volume_create(store, body, &err));
        assert_int_equal(err.kind, CT_INVALID);
    }
    assert_int_equal(count_volumes(), 0);
}

static void a_removed_volume_is_gone_with_its_data(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Name", "data");
    CT_AUTO_JSON json_t *volume = volume_create(store, body, &err);

    assert_int_equal(volume_remove(store, "data", false, &err), 0);

    assert_int_equal(access(ct_json_string(volume, "Mountpoint", ""), F_OK), -1);
    assert_int_equal(volume_remove(store, "data", true, &err), 0);
    assert_int_equal(volume_remove(store, "data", false, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[0].what, "no such volume: data");
}

static void binds_are_paths_and_names_are_volumes(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts =
        resolve("{\"Binds\":[\"/tmp:/a:ro\",\"data:/b\",\"/c\"]}", "null", &err);

    assert_int_equal(json_array_size(mounts), 3);
    const json_t *bind = json_array_get(mounts, 0);
    assert_string_equal(ct_json_string(bind, "Type", ""), "bind");
    assert_string_equal(ct_json_string(bind, "Source", ""), "/tmp");
    assert_false(ct_json_bool(bind, "RW", true));
    assert_string_equal(ct_json_string(json_array_get(mounts, 1), "Name", ""), "data");
    assert_true(ct_json_bool(json_array_get(mounts, 1), "Created", false));
    assert_int_equal(strlen(ct_json_string(json_array_get(mounts, 2), "Name", "")), 64);
}

static void parents_are_mounted_before_what_is_inside_them(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts =
        resolve("{\"Binds\":[\"/tmp:/a/b/c\",\"/tmp:/a\"]}", "null", &err);

    assert_string_equal(ct_json_string(json_array_get(mounts, 0), "Destination", ""), "/a");
    assert_string_equal(ct_json_string(json_array_get(mounts, 1), "Destination", ""), "/a/b/c");
}

static void the_images_volumes_give_way_to_the_requests(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts =
        resolve("{\"Binds\":[\"/tmp:/data\"]}", "{\"/data\":{},\"/log\":{}}", &err);

    assert_int_equal(json_array_size(mounts), 2);
    assert_string_equal(ct_json_string(json_array_get(mounts, 0), "Type", ""), "bind");
    assert_string_equal(ct_json_string(json_array_get(mounts, 1), "Destination", ""), "/log");
}

static void a_failed_request_leaves_no_volume(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_null(resolve("{\"Binds\":[\"data:/a\"],\"Mounts\":[{\"Type\":\"bind\",\"Source\":"
                        "\"/no/such/place\",\"Target\":\"/z/z\"}]}",
                        "null", &err));

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "bind source path '/no/such/place'");
    assert_int_equal(count_volumes(), 0);
}

static void refused(const char *host_config, const char *what)
{
    struct ct_error err = {0};
    assert_null(resolve(host_config, "null", &err));
    assert_string_equal(err.frame[0].what, what);
}

static void requests_that_mean_nothing_are_refused(void **state)
{
    (void)state;

    refused("{\"Binds\":[\"a1:/x\",\"b1:/x\"]}", "duplicate mount point: /x");
    refused("{\"Binds\":[\"/tmp:/\"]}",
            "invalid volume specification: '/tmp:/': destination can't be '/'");
    refused("{\"Binds\":[\"/tmp:/x:purple\"]}", "invalid mode: purple");
    refused("{\"Tmpfs\":{\"/t\":\"size=1m,upperdir=/\"}}", "invalid tmpfs option \"upperdir=/\"");
    assert_int_equal(count_volumes(), 0);
}

/* A file of the volume; owned, NULL: it is not there. */
static char *file_in_volume(const char *volume_name, const char *file)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *volume = volume_find(store, volume_name, &err);
    CT_AUTO_FREE char *path = ct_join(ct_json_string(volume, "Mountpoint", "/none"), file);
    char *text = NULL;

    return ct_read_file_at(AT_FDCWD, path, 100, &text, &err) < 0 ? NULL : text;
}

/* An image with one file: ROOT/srv/<name>. */
static int image_with(const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *root = ct_join(dir, "rootfs");
    CT_AUTO_FREE char *srv = ct_join(root, "srv");
    CT_AUTO_CLOSE int made = ct_mkdirs(srv, 0755, &err);

    assert_int_equal(ct_write_file_at(made, name, "image's", 7, 0644, &err), 0);
    assert_int_equal(fchmod(made, 0711), 0);
    return ct_root_open(root, &err);
}

static void an_empty_volume_is_filled_once(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts = resolve("{\"Binds\":[\"data:/srv\"]}", "null", &err);
    const json_t *mount = json_array_get(mounts, 0);
    CT_AUTO_CLOSE int image = image_with("first");
    assert_int_equal(volume_populate(store, mount, image, snapshot_copy_tree, &err), 0);
    CT_AUTO_CLOSE int changed = image_with("second");

    assert_int_equal(volume_populate(store, mount, changed, snapshot_copy_tree, &err), 0);

    CT_AUTO_FREE char *first = file_in_volume("data", "first");
    assert_string_equal(first, "image's");
    assert_null(file_in_volume("data", "second"));
    struct stat status;
    assert_int_equal(stat(ct_json_string(mount, "Source", ""), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0711);
}

static void a_volume_where_the_image_has_nothing_stays_empty(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts =
        resolve("{\"Binds\":[\"data:/nowhere\",\"other:/srv:nocopy\"]}", "null", &err);
    CT_AUTO_CLOSE int image = image_with("file");

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            volume_populate(store, json_array_get(mounts, i), image, snapshot_copy_tree, &err), 0);
    }

    assert_null(file_in_volume("data", "file"));
    assert_null(file_in_volume("other", "file"));
    assert_true(volume_size(store, "data", &err) < 8192);
}

static void what_is_no_volume_is_not_filled(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mount = json_pack("{s:s,s:s}", "Name", "../x", "Destination", "/srv");
    CT_AUTO_CLOSE int image = image_with("file");

    assert_int_equal(volume_populate(store, mount, image, snapshot_copy_tree, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
}

static void drivers_and_options_that_there_are_not_are_refused_by_name(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *driver = json_pack("{s:s,s:s}", "Name", "data", "Driver", "nfs");
    CT_AUTO_JSON json_t *options =
        json_pack("{s:s,s:{s:s}}", "Name", "data", "DriverOpts", "type", "tmpfs");

    assert_null(volume_create(store, driver, &err));
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].layer, "volumes");
    assert_string_equal(err.frame[0].what, "volume driver 'nfs': there is only local");
    ct_error_clear(&err);
    assert_null(volume_create(store, options, &err));
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_int_equal(count_volumes(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest tests[] = {
        TEST(a_volume_is_made_once_and_found_by_name),
        TEST(names_that_could_be_paths_are_refused),
        TEST(a_removed_volume_is_gone_with_its_data),
        TEST(binds_are_paths_and_names_are_volumes),
        TEST(parents_are_mounted_before_what_is_inside_them),
        TEST(the_images_volumes_give_way_to_the_requests),
        TEST(a_failed_request_leaves_no_volume),
        TEST(requests_that_mean_nothing_are_refused),
        TEST(an_empty_volume_is_filled_once),
        TEST(a_volume_where_the_image_has_nothing_stays_empty),
        TEST(what_is_no_volume_is_not_filled),
        TEST(drivers_and_options_that_there_are_not_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
