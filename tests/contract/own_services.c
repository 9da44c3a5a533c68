/*
 * own_services.c - requests to cutaway-containerd's own services that the daemon would never send.
 *
 * Called by:  meson.build here, with a cutaway-containerd underneath (CUTAWAY_CONTAINERD).
 */
#define CT_LAYER "test"
#include "connection.h"
#include "execdriver_world.h"
#include "message_parts.h"
#include "network_messages.h"
#include "networks_world.h"
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

    assert_int_equal(connection_offers("networks", &err), 1);
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

/* ---- networks ------------------------------------------------------------------------------- */

static int attach_task(const char *id, uint64_t netns, struct ct_error *err)
{
    struct network_request wanted = {
        .network = "bridge", .container_id = id, .container_name = "x"};
    struct pool pool = {0};
    int result =
        connection_call(NETWORKS_SERVICE, "Attach", attach_to_message(&wanted, netns, &pool),
                        CONNECTION_TIMEOUT_MS, NULL, err);
    pool_done(&pool);
    return result;
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return status.st_ino;
}

static void an_interface_goes_into_the_namespace_of_that_task_alone(void **state)
{
    (void)state;
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    AUTO_SANDBOX struct sandbox other = sandbox_new();
    CT_AUTO_CLOSE int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const uint64_t wrong[] = {inode_of(other.netns), inode_of(host), 0};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(attach_task(inside.id, wrong[i], &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "is in another network namespace"));
        ct_error_clear(&err);
    }
    assert_int_equal(attach_task("nobody", inode_of(inside.netns), &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    ct_error_clear(&err);
    assert_int_equal(attach_task("../../etc", inode_of(inside.netns), &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

static void a_task_in_the_hosts_network_gets_no_interface(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    CT_AUTO_CLOSE int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    world->spec.host_network = true;
    world_script(world, "exit 0");
    world_create(world);

    assert_int_equal(attach_task(world->id, inode_of(host), &err), -1);

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "the container is in the host's network");
}

static int detach_ids(const char *network, const char *endpoint, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__DetachRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__DETACH_REQUEST__INIT;

    request.network_id = (char *)(uintptr_t)network;
    request.endpoint_id = (char *)(uintptr_t)endpoint;
    return connection_call(NETWORKS_SERVICE, "Detach", &request, CONNECTION_TIMEOUT_MS, NULL, err);
}

static int resolve_on(const char *network, size_t query_bytes, struct ct_error *err)
{
    ResolveMessage request = CUTAWAY__SERVICES__NETWORKS__V1__RESOLVE_REQUEST__INIT;
    Cutaway__Services__Networks__V1__NetworkName name =
        CUTAWAY__SERVICES__NETWORKS__V1__NETWORK_NAME__INIT;
    Cutaway__Services__Networks__V1__NetworkName *names[] = {&name};
    uint8_t query[100] = {0};

    name.id = (char *)(uintptr_t)network;
    name.name = (char *)"n";
    request.networks = names;
    request.n_networks = 1;
    request.query.data = query;
    request.query.len = query_bytes;
    request.size = UINT32_MAX;
    return connection_call(NETWORKS_SERVICE, "Resolve", &request, CONNECTION_TIMEOUT_MS, NULL, err);
}

static void an_id_is_an_id_and_nothing_else(void **state)
{
    (void)state;
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char *const names[] = {"", "../../../../etc/passwd", "bridge", "0123"};
    struct ct_error err = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(detach_ids(names[i], id, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
        assert_int_equal(detach_ids(id, names[i], &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
        assert_int_equal(resolve_on(names[i], 0, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        ct_error_clear(&err);
    }
    assert_int_equal(detach_ids(id, id, &err), 0); /* gone is no error */
    assert_int_equal(resolve_on(id, 100, &err), 0);
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
        cmocka_unit_test(an_interface_goes_into_the_namespace_of_that_task_alone),
        cmocka_unit_test_setup_teardown(a_task_in_the_hosts_network_gets_no_interface, world_init,
                                        world_done),
        cmocka_unit_test(an_id_is_an_id_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
