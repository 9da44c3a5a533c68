/*
 * networks.c - the contract of networks.h, with real traffic.
 *
 * Run on stage 01's room, and on stage 04's choice with a cutaway-containerd behind it. The host is
 * a network namespace of the test's own: nothing on the real one changes.
 */
#define CT_LAYER "test"
#include "networks_world.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void the_three_networks_are_there(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = network_list(world_store, &err);

    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(ct_json_string(json_array_get(list, 0), "Name", ""), "bridge");
    assert_string_equal(ct_json_string(json_array_get(list, 2), "Driver", ""), "null");
}

static void an_endpoint_is_reached_and_leaves_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox inside = sandbox_new();

    CT_AUTO_JSON json_t *endpoint = attach(&inside, "bridge", "{}", &err);
    assert_non_null(endpoint);
    CT_AUTO_CLOSE int listener = listen_in(inside.netns, 80);
    assert_true(device_exists("bridge"));
    assert_true(reaches(-1, ct_json_string(endpoint, "IPAddress", ""), 80));

    assert_int_equal(network_detach(world_store, endpoint, &err), 0);
    assert_false(device_exists("bridge"));
    assert_int_equal(network_detach(world_store, endpoint, &err), 0); /* twice is no error */
}

static void two_endpoints_reach_each_other_and_have_different_addresses(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox a = sandbox_new();
    AUTO_SANDBOX struct sandbox b = sandbox_new();
    CT_AUTO_JSON json_t *first = attach(&a, "bridge", "{}", &err);
    CT_AUTO_JSON json_t *second = attach(&b, "bridge", "{}", &err);
    CT_AUTO_CLOSE int listener = listen_in(b.netns, 80);

    assert_string_not_equal(ct_json_string(first, "IPAddress", ""),
                            ct_json_string(second, "IPAddress", ""));
    assert_true(reaches(a.netns, ct_json_string(second, "IPAddress", ""), 80));

    forget(&a);
    assert_true(device_exists("bridge"));
    forget(&b);
    assert_false(device_exists("bridge"));
}

static void a_container_is_on_a_network_once(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    CT_AUTO_JSON json_t *lost = attach(&inside, "bridge", "{}", &err);

    CT_AUTO_JSON json_t *again = attach(&inside, "bridge", "{}", &err);

    CT_AUTO_CLOSE int listener = listen_in(inside.netns, 80);
    assert_true(reaches(-1, ct_json_string(again, "IPAddress", ""), 80));
    assert_int_equal(network_detach(world_store, lost, &err), 0);
    assert_true(device_exists("bridge"));
    assert_int_equal(network_detach(world_store, again, &err), 0);
    assert_false(device_exists("bridge"));
}

static void a_published_port_is_reached_by_localhost_and_by_the_gateway(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    CT_AUTO_JSON json_t *endpoint =
        attach(&inside, "bridge", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"18080\"}]}", &err);
    assert_non_null(endpoint);
    AUTO_SANDBOX struct sandbox neighbour = sandbox_new();
    CT_AUTO_CLOSE int listener = listen_in(inside.netns, 80);

    assert_true(reaches(-1, "127.0.0.1", 18080));
    assert_false(port_is_free(18080));
    assert_true(reaches(-1, ct_json_string(endpoint, "Gateway", ""), 18080));

    CT_AUTO_JSON json_t *refused = attach(
        &neighbour, "bridge", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"18080\"}]}", &err);
    assert_null(refused);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_non_null(strstr(err.frame[0].what, "port is already allocated"));
    assert_string_equal(err.frame[0].layer, "networks");
    assert_int_equal(network_detach(world_store, endpoint, &err), 0);
    assert_true(port_is_free(18080));
}

static void networks_are_kept_apart(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *id = NULL;
    CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Name", "other");
    assert_int_equal(network_create(world_store, body, &id, &err), 0);
    AUTO_SANDBOX struct sandbox a = sandbox_new();
    AUTO_SANDBOX struct sandbox b = sandbox_new();
    CT_AUTO_JSON json_t *first = attach(&a, "bridge", "{}", &err);
    CT_AUTO_JSON json_t *second = attach(&b, "other", "{}", &err);
    CT_AUTO_CLOSE int listener = listen_in(b.netns, 80);
    CT_AUTO_CLOSE int client = stream_socket(a.netns);
    struct timeval brief = {.tv_usec = 300000};
    struct sockaddr_in address = address_of(ct_json_string(second, "IPAddress", ""), 80);
    assert_non_null(first);

    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);

    assert_int_equal(network_remove(world_store, "other", &err), -1);
    assert_string_equal(err.frame[0].what, "network other has active endpoints");
    forget(&a);
    forget(&b);
    assert_int_equal(network_remove(world_store, "other", &err), 0);
}

static void requests_that_cannot_work_are_refused(void **state)
{
    (void)state;
    need_root();
    static const struct {
        const char *body, *what;
    } cases[] = {
        {"{\"Name\":\"a/b\"}",
         "invalid network name 'a/b': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed"},
        {"{\"Name\":\"bridge\"}", "network with name bridge already exists"},
        {"{\"Name\":\"x\",\"Driver\":\"overlay\"}",
         "network driver 'overlay': there is only bridge"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.0.0.0/33\"}]}}",
         "invalid subnet '10.0.0.0/33': write it as 10.1.2.0/24, prefix 8 to 30"},
        {"{\"Name\":\"x\",\"IPAM\":{\"Config\":[{\"Subnet\":\"10.9.0.0/"
         "24\",\"Gateway\":\"10.8.0.1\"}]}}",
         "no matching subnet for gateway 10.8.0.1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ct_error err = {0};
        char *id = NULL;
        CT_AUTO_JSON json_t *body = ct_json_parse(cases[i].body, strlen(cases[i].body), &err);
        assert_int_equal(network_create(world_store, body, &id, &err), -1);
        assert_string_equal(err.frame[0].what, cases[i].what);
    }
}

static void what_a_container_has_on_a_network_is_taken_back_without_its_document(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    CT_AUTO_JSON json_t *lost = attach(&inside, "bridge", "{}", &err);
    assert_non_null(lost);

    assert_int_equal(network_leave(world_store, "bridge", inside.id, &err), 0);

    assert_false(device_exists("bridge"));
    assert_int_equal(network_leave(world_store, "bridge", inside.id, &err), 0);
    assert_int_equal(network_leave(world_store, "elsewhere", inside.id, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
}

static void what_is_asked_for_is_in_the_documents(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *id = NULL;
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:b,s:{s:[{s:s,s:s,s:s}]},s:{s:s}}", "Name", "inner", "Internal", 1, "IPAM",
                  "Config", "Subnet", "10.213.78.0/24", "IPRange", "10.213.78.128/25", "Gateway",
                  "10.213.78.9", "Labels", "a.b", "c");
    assert_int_equal(network_create(world_store, body, &id, &err), 0);

    CT_AUTO_JSON json_t *network = network_find(world_store, id, &err);
    assert_string_equal(ct_json_string(network, "Name", ""), "inner");
    assert_true(ct_json_bool(network, "Internal", false));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(network, "Labels"), "a.b")), "c");
    assert_true(json_equal(ct_json_get(network, "IPAM.Config"), ct_json_get(body, "IPAM.Config")));

    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    CT_AUTO_JSON json_t *aliases = json_pack("[s]", "db");
    CT_AUTO_JSON json_t *exposed = json_pack("{s:{},s:{}}", "80/tcp", "81/udp");
    CT_AUTO_JSON json_t *bindings =
        json_pack("{s:[{s:s,s:s}]}", "80/tcp", "HostIp", "127.0.0.1", "HostPort", "18082");
    struct network_request request = {.network = "inner",
                                      .container_id = inside.id,
                                      .container_name = "web",
                                      .mac = "02:42:ac:11:00:77",
                                      .address = "10.213.78.200",
                                      .aliases = aliases,
                                      .exposed_ports = exposed,
                                      .port_bindings = bindings};
    json_t *given = NULL;
    assert_int_equal(network_attach(world_store, &request, inside.netns, &given, &err), 0);
    CT_AUTO_JSON json_t *endpoint = given;
    CT_AUTO_JSON json_t *expected = json_pack(
        "{s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:o,s:{s:[{s:s,s:s}],s:n}}", "NetworkID",
        id, "EndpointID", ct_json_string(endpoint, "EndpointID", ""), "Gateway", "", "IPAddress",
        "10.213.78.200", "IPPrefixLen", 24, "IPv6Gateway", "", "GlobalIPv6Address", "",
        "GlobalIPv6PrefixLen", 0, "MacAddress", "02:42:ac:11:00:77", "Network", "inner",
        "Container", inside.id, "Name", "web", "Aliases", json_sprintf("%s", "x"), "Ports",
        "80/tcp", "HostIp", "127.0.0.1", "HostPort", "18082", "81/udp");
    ct_json_set(expected, "Aliases", json_pack("[s,o]", "db", json_sprintf("%.12s", inside.id)));
    assert_true(json_equal(endpoint, expected));

    forget(&inside);
    assert_int_equal(network_remove(world_store, "inner", &err), 0);
}

/* The question "web." of type A as a DNS message. */
static const unsigned char question[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                        "\x03web\x00\x00\x01\x00\x01";

static void a_container_is_found_by_its_name_as_it_is_now(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *id = NULL;
    unsigned char answer[NETWORK_DNS_UDP_MAX];
    CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Name", "named");
    assert_int_equal(network_create(world_store, body, &id, &err), 0);
    AUTO_SANDBOX struct sandbox inside = sandbox_new();
    CT_AUTO_JSON json_t *endpoint = attach(&inside, "named", "{}", &err);
    CT_AUTO_JSON json_t *endpoints = json_pack("{s:O}", "named", endpoint);
    struct in_addr address = address_of(ct_json_string(endpoint, "IPAddress", ""), 0).sin_addr;

    int n = network_resolver_answer(world_store, endpoints, question, sizeof(question) - 1, answer,
                                    sizeof(answer));
    assert_true(n > 4);
    assert_memory_equal(answer + n - 4, &address, 4);

    assert_int_equal(network_rename(world_store, inside.id, "other", &err), 0);
    assert_int_equal(network_resolver_answer(world_store, endpoints, question, sizeof(question) - 1,
                                             answer, sizeof(answer)),
                     0);
    assert_int_equal(
        network_resolver_answer(world_store, endpoints, question, 5, answer, sizeof(answer)), -1);
    forget(&inside);
    assert_int_equal(network_remove(world_store, "named", &err), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, network_world_init, network_world_done)
    const struct CMUnitTest tests[] = {
        TEST(the_three_networks_are_there),
        TEST(an_endpoint_is_reached_and_leaves_nothing),
        TEST(two_endpoints_reach_each_other_and_have_different_addresses),
        TEST(a_container_is_on_a_network_once),
        TEST(a_published_port_is_reached_by_localhost_and_by_the_gateway),
        TEST(networks_are_kept_apart),
        TEST(requests_that_cannot_work_are_refused),
        TEST(what_a_container_has_on_a_network_is_taken_back_without_its_document),
        TEST(what_is_asked_for_is_in_the_documents),
        TEST(a_container_is_found_by_its_name_as_it_is_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
