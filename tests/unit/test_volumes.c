/*
 * test_volumes.c - volumes on disk, and what a request's mounts mean together.
 */
#define CT_LAYER "test"
#include "volumes.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-volumes-XXXXXX";
static struct volume_store *store;

static int open_store(void **state)
{
    (void)state;
    struct ct_error err = {0};
    memcpy(dir, "/tmp/test-volumes-XXXXXX", sizeof(dir));
    store = mkdtemp(dir) ? volume_store_open(dir, &err) : NULL;
    return store ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    struct ct_error err = {0};
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

static int count_copies;

static int copy(int from_root, const char *from, int to_root, const char *to, struct ct_error *err)
{
    (void)from_root, (void)from, (void)to, (void)err;
    count_copies++;
    return mkdirat(to_root, "copied", 0755);
}

static void an_empty_volume_is_filled_once(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *mounts = resolve("{\"Binds\":[\"data:/tmp\"]}", "null", &err);
    CT_AUTO_CLOSE int root = ct_root_open("/", &err);
    count_copies = 0;

    assert_int_equal(volume_populate(store, json_array_get(mounts, 0), root, copy, &err), 0);
    assert_int_equal(volume_populate(store, json_array_get(mounts, 0), root, copy, &err), 0);

    assert_int_equal(count_copies, 1);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
