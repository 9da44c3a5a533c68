/*
 * test_networks.c - networks in a network namespace of the test's own, with real traffic.
 *
 * Each test runs in a child that has left the host's network namespace: nothing on the host
 * changes.
 */
#define CT_LAYER "test"
#include "networks.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEIGHBOUR "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static char dir[] = "/tmp/test-networks-XXXXXX";
static struct network_store *store;
static int host_ns = -1; /* where the test process came from */

static int open_store(void **state)
{
    struct ct_error err = {0};
    (void)state;
    if (geteuid() != 0) {
        return 0;
    }
    memcpy(dir, "/tmp/test-networks-XXXXXX", sizeof(dir));
    host_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (!mkdtemp(dir) || host_ns < 0 || unshare(CLONE_NEWNET) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *records = ct_join(dir, "records");
    CT_AUTO_FREE char *run = ct_join(dir, "run");
    CT_AUTO_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    store = network_store_open(records, run, &err);
    return store && network_loopback_up(here, &err) == 0 ? 0 : -1;
}

static int close_store(void **state)
{
    struct ct_error err = {0};
    (void)state;
    if (geteuid() != 0) {
        return 0;
    }
    network_store_close(store);
    (void)!setns(host_ns, CLONE_NEWNET);
    ct_cleanup_close(&host_ns);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

/* A new network namespace, as a container's would be. */
static int new_namespace(void)
{
    CT_AUTO_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(here, CLONE_NEWNET), 0);
    return fd;
}

static json_t *attach_as(const char *container, const char *network, int netns,
                         const char *bindings_text, struct ct_error *err)
{
    CT_AUTO_JSON json_t *bindings = ct_json_parse(bindings_text, strlen(bindings_text), err);
    struct network_request request = {.network = network,
                                      .container_id = container,
                                      .container_name = "web",
                                      .port_bindings = bindings};
    json_t *endpoint = NULL;
    return network_attach(store, &request, netns, &endpoint, err) < 0 ? NULL : endpoint;
}

static json_t *attach(const char *network, int netns, const char *bindings_text,
                      struct ct_error *err)
{
    return attach_as(CONTAINER, network, netns, bindings_text, err);
}

static int stream_socket(int netns)
{
    CT_AUTO_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (netns >= 0) {
        assert_int_equal(setns(netns, CLONE_NEWNET), 0);
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setns(here, CLONE_NEWNET), 0);
    struct timeval patience = {.tv_sec = 5};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static struct sockaddr_in address_of(const char *ip, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    return address;
}

/* A listener in the namespace, and whether a client elsewhere reaches it. */
static int listen_in(int netns, unsigned port)
{
    int fd = stream_socket(netns);
    struct sockaddr_in any = address_of("0.0.0.0", port);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static bool reaches(int netns, const char *ip, unsigned port)
{
    CT_AUTO_CLOSE int fd = stream_socket(netns);
    struct sockaddr_in address = address_of(ip, port);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool device_exists(const char *network)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = network_find(store, network, &err);
    CT_AUTO_FREE char *path =
        ct_printf("/proc/sys/net/ipv4/conf/ct-%.12s", ct_json_string(record, "Id", ""));
    return access(path, F_OK) == 0;
}

static void the_three_networks_are_there(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = network_list(store, &err);

    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(ct_json_string(json_array_get(list, 0), "Name", ""), "bridge");
    assert_string_equal(ct_json_string(json_array_get(list, 2), "Driver", ""), "null");
}

static void an_endpoint_is_reached_and_leaves_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int inside = new_namespace();

    CT_AUTO_JSON json_t *endpoint = attach("bridge", inside, "{}", &err);
    assert_non_null(endpoint);
    CT_AUTO_CLOSE int listener = listen_in(inside, 80);
    assert_true(device_exists("bridge"));
    assert_true(reaches(-1, ct_json_string(endpoint, "IPAddress", ""), 80));

    assert_int_equal(network_detach(store, endpoint, &err), 0);
    assert_false(device_exists("bridge"));
    assert_int_equal(network_detach(store, endpoint, &err), 0); /* twice is no error */
}

static void two_endpoints_reach_each_other_and_have_different_addresses(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int a = new_namespace();
    CT_AUTO_CLOSE int b = new_namespace();
    CT_AUTO_JSON json_t *first = attach("bridge", a, "{}", &err);
    CT_AUTO_JSON json_t *second = attach_as(NEIGHBOUR, "bridge", b, "{}", &err);
    CT_AUTO_CLOSE int listener = listen_in(b, 80);

    assert_string_not_equal(ct_json_string(first, "IPAddress", ""),
                            ct_json_string(second, "IPAddress", ""));
    assert_true(reaches(a, ct_json_string(second, "IPAddress", ""), 80));

    assert_int_equal(network_forget(store, CONTAINER, &err), 0);
    assert_true(device_exists("bridge"));
    assert_int_equal(network_forget(store, NEIGHBOUR, &err), 0);
    assert_false(device_exists("bridge"));
}

static void a_container_is_on_a_network_once(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int inside = new_namespace();
    CT_AUTO_JSON json_t *lost = attach("bridge", inside, "{}", &err);

    CT_AUTO_JSON json_t *again = attach("bridge", inside, "{}", &err);

    CT_AUTO_CLOSE int listener = listen_in(inside, 80);
    assert_true(reaches(-1, ct_json_string(again, "IPAddress", ""), 80));
    assert_int_equal(network_detach(store, lost, &err), 0);
    assert_true(device_exists("bridge"));
    assert_int_equal(network_detach(store, again, &err), 0);
    assert_false(device_exists("bridge"));
}

static bool port_is_free(unsigned port)
{
    CT_AUTO_CLOSE int fd = stream_socket(-1);
    struct sockaddr_in any = address_of("0.0.0.0", port);
    int one = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    return bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0;
}

static bool is_container(void *context, const char *id)
{
    (void)context;
    return strcmp(id, CONTAINER) == 0;
}

static void the_next_process_holds_the_ports_again(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int a = new_namespace();
    CT_AUTO_CLOSE int b = new_namespace();
    pid_t first = fork();
    if (first == 0) {
        json_t *one = attach("bridge", a, "{\"80/tcp\":[{\"HostPort\":\"18081\"}]}", &err);
        json_t *two = attach_as(NEIGHBOUR, "bridge", b, "{\"80/udp\":[{\"HostPort\":\"\"}]}", &err);
        _exit(one && two ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_int_equal(status, 0);
    assert_true(port_is_free(18081));

    assert_int_equal(network_restore(store, is_container, NULL, &err), 0);

    CT_AUTO_CLOSE int listener = listen_in(a, 80);
    assert_false(port_is_free(18081));
    assert_true(reaches(-1, "127.0.0.1", 18081));
    assert_int_equal(network_forget(store, CONTAINER, &err), 0); /* the other one is gone already */
    assert_false(device_exists("bridge"));
    assert_true(port_is_free(18081));
}

static void a_published_port_is_reached_by_localhost_and_by_the_gateway(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int inside = new_namespace();
    CT_AUTO_JSON json_t *endpoint =
        attach("bridge", inside, "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"18080\"}]}", &err);
    assert_non_null(endpoint);
    CT_AUTO_CLOSE int listener = listen_in(inside, 80);

    assert_true(reaches(-1, "127.0.0.1", 18080));
    assert_true(reaches(-1, ct_json_string(endpoint, "Gateway", ""), 18080));

    CT_AUTO_JSON json_t *refused =
        attach_as(NEIGHBOUR, "bridge", inside,
                  "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"18080\"}]}", &err);
    assert_null(refused);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_non_null(strstr(err.frame[0].what, "port is already allocated"));
    assert_int_equal(network_detach(store, endpoint, &err), 0);
}

static void networks_are_kept_apart(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_FREE char *id = NULL;
    CT_AUTO_JSON json_t *body = json_pack("{s:s}", "Name", "other");
    assert_int_equal(network_create(store, body, &id, &err), 0);
    CT_AUTO_CLOSE int a = new_namespace();
    CT_AUTO_CLOSE int b = new_namespace();
    CT_AUTO_JSON json_t *first = attach("bridge", a, "{}", &err);
    CT_AUTO_JSON json_t *second = attach("other", b, "{}", &err);
    CT_AUTO_CLOSE int listener = listen_in(b, 80);
    CT_AUTO_CLOSE int client = stream_socket(a);
    struct timeval brief = {.tv_usec = 300000};
    struct sockaddr_in address = address_of(ct_json_string(second, "IPAddress", ""), 80);
    assert_non_null(first);

    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);

    assert_int_equal(network_remove(store, "other", &err), -1);
    assert_string_equal(err.frame[0].what, "network other has active endpoints");
    assert_int_equal(network_forget(store, CONTAINER, &err), 0);
    assert_int_equal(network_remove(store, "other", &err), 0);
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
        assert_int_equal(network_create(store, body, &id, &err), -1);
        assert_string_equal(err.frame[0].what, cases[i].what);
    }
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)
    const struct CMUnitTest tests[] = {
        TEST(the_three_networks_are_there),
        TEST(an_endpoint_is_reached_and_leaves_nothing),
        TEST(two_endpoints_reach_each_other_and_have_different_addresses),
        TEST(a_container_is_on_a_network_once),
        TEST(the_next_process_holds_the_ports_again),
        TEST(a_published_port_is_reached_by_localhost_and_by_the_gateway),
        TEST(networks_are_kept_apart),
        TEST(requests_that_cannot_work_are_refused),
        cmocka_unit_test(hosts_and_resolv_conf_take_words_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
