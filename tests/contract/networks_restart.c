/*
 * networks_restart.c - what only the process that holds the ports itself can be asked, and what
 * needs no store: the parts of networks.h that have one implementation.
 */
#define CT_LAYER "test"
#include "networks_world.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_container(void *context, const char *id)
{
    return strcmp(id, context) == 0;
}

static void the_next_process_holds_the_ports_again(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox a = sandbox_new();
    AUTO_SANDBOX struct sandbox b = sandbox_new();
    pid_t first = fork();
    if (first == 0) {
        json_t *one = attach(&a, "bridge", "{\"80/tcp\":[{\"HostPort\":\"18081\"}]}", &err);
        json_t *two = attach(&b, "bridge", "{\"80/udp\":[{\"HostPort\":\"\"}]}", &err);
        _exit(one && two ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_int_equal(status, 0);
    assert_true(port_is_free(18081));

    assert_int_equal(network_restore(world_store, is_container, a.id, &err), 0);

    CT_AUTO_CLOSE int listener = listen_in(a.netns, 80);
    assert_false(port_is_free(18081));
    assert_true(reaches(-1, "127.0.0.1", 18081));
    forget(&a); /* the other one is gone already */
    assert_false(device_exists("bridge"));
    assert_true(port_is_free(18081));
}

static void hosts_and_resolv_conf_take_words_only(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *good =
        json_pack("{s:[s],s:[s]}", "Dns", "9.9.9.9", "DnsSearch", "example.com");
    CT_AUTO_JSON json_t *evil = json_pack("{s:[s]}", "Dns", "9.9.9.9\nnameserver 6.6.6.6");
    CT_AUTO_JSON json_t *extra = json_pack("[s]", "db:10.1.2.3");

    CT_AUTO_FREE char *resolv = network_resolv_conf(good, false, &err);
    CT_AUTO_FREE char *hosts = network_hosts("box", NULL, NULL, extra, &err);

    assert_non_null(strstr(resolv, "nameserver 9.9.9.9\nsearch example.com\n"));
    assert_non_null(strstr(hosts, "10.1.2.3\tdb\n"));
    assert_null(network_resolv_conf(evil, false, &err));
    assert_int_equal(err.kind, CT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_process_holds_the_ports_again, network_world_init,
                                        network_world_done),
        cmocka_unit_test(hosts_and_resolv_conf_take_words_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
