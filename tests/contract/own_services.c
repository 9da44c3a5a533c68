/*
 * own_services.c - requests to cutaway-containerd's own services that the daemon would never send.
 *
 * Called by:  meson.build here, with a cutaway-containerd underneath (CUTAWAY_CONTAINERD).
 */
#define CT_LAYER "test"
#include "connection.h"
#include "message_parts.h"
#include "volume_messages.h"

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

static char dir[] = "/tmp/contract-services-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/contract-services-XXXXXX", sizeof(dir));
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct ct_error err = {0};
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static void they_are_offered_by_name(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(connection_offers("volumes", &err), 1);
    assert_int_equal(connection_offers("tasks", &err), 1);
    assert_int_equal(connection_offers("cakes", &err), 0);
}

/* ---- volumes -------------------------------------------------------------------------------- */

static int create_volume(const char *name, const char *label, struct ct_error *err)
{
    struct pool pool = {0};
    CT_AUTO_JSON json_t *body = json_pack("{s:{s:s}}", "Labels", "key", "value");
    CreateVolumeMessage *request = volume_body_to_message(body, &pool);

    request->name = (char *)(uintptr_t)name;
    request->labels[0]->key = (char *)(uintptr_t)label;
    int result =
        connection_call(VOLUMES_SERVICE, "Create", request, CONNECTION_TIMEOUT_MS, NULL, err);
    pool_done(&pool);
    return result;
}

static json_t *get_volume(const char *name, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__GetVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__GET_VOLUME_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.name = (char *)(uintptr_t)name;
    if (connection_call(VOLUMES_SERVICE, "Get", &request, CONNECTION_TIMEOUT_MS, &answer, err) <
        0) {
        return NULL;
    }
    return volume_from_message(
        ((const Cutaway__Services__Volumes__V1__GetVolumeResponse *)answer)->volume);
}

static int delete_volume(const char *name, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__DeleteVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__DELETE_VOLUME_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    return connection_call(VOLUMES_SERVICE, "Delete", &request, CONNECTION_TIMEOUT_MS, NULL, err);
}

static void a_text_that_is_not_utf8_is_kept_as_one_that_is(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(create_volume("data", "\xff\xfe", &err), 0);

    CT_AUTO_JSON json_t *volume = get_volume("data", &err);
    assert_string_equal(ct_json_string(volume, "Labels.\xef\xbf\xbd\xef\xbf\xbd", ""), "value");
    assert_int_equal(delete_volume("data", &err), 0);
}

static void a_name_is_never_a_path(void **state)
{
    (void)state;
    static const char *const names[] = {"..",   "../x",         "a/b",     ".",
                                        "/etc", "data/../../x", "\xff\xff"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ct_error err = {0};
        assert_int_equal(create_volume(names[i], "key", &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].layer, "volumes");
        ct_error_clear(&err);
        assert_null(get_volume(names[i], &err));
        assert_int_equal(err.kind, CT_NOT_FOUND);
        ct_error_clear(&err);
        assert_int_equal(delete_volume(names[i], &err), -1);
        assert_int_equal(err.kind, CT_NOT_FOUND);
    }
}

static int populate(const char *rootfs, const struct stat *meant, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__PopulateVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__POPULATE_VOLUME_REQUEST__INIT;

    request.name = (char *)"data";
    request.destination = (char *)"/srv";
    request.rootfs = (char *)(uintptr_t)rootfs;
    request.device = meant->st_dev;
    request.inode = meant->st_ino;
    return connection_call(VOLUMES_SERVICE, "Populate", &request, CONNECTION_TIMEOUT_MS, NULL, err);
}

static void assert_refused(const char *rootfs, const struct stat *meant, const char *what)
{
    struct ct_error err = {0};

    assert_int_equal(populate(rootfs, meant, &err), -1);
    assert_string_equal(err.frame[0].what, what);
}

static void a_volume_is_filled_from_the_directory_that_is_meant_or_not_at_all(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct stat meant;
    CT_AUTO_FREE char *rootfs = ct_join(dir, "rootfs");
    CT_AUTO_FREE char *refusal =
        ct_printf("root file system '%s': this is not the directory that is meant", rootfs);
    assert_int_equal(create_volume("data", "key", &err), 0);
    assert_int_equal(mkdir(rootfs, 0700), 0);
    assert_int_equal(stat(rootfs, &meant), 0);
    assert_int_equal(populate(rootfs, &meant, &err), 0);

    assert_refused("rootfs", &meant, "root file system 'rootfs': the path must be absolute");
    assert_int_equal(rmdir(rootfs), 0);
    assert_int_equal(symlink("/", rootfs), 0);
    assert_refused(rootfs, &meant, refusal);

    assert_int_equal(delete_volume("data", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_offered_by_name),
        cmocka_unit_test(a_text_that_is_not_utf8_is_kept_as_one_that_is),
        cmocka_unit_test(a_name_is_never_a_path),
        cmocka_unit_test_setup_teardown(
            a_volume_is_filled_from_the_directory_that_is_meant_or_not_at_all, make_dir,
            remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
