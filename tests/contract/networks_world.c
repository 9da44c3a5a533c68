/*
 * networks_world.c - a host and its sockets for the contract of networks.h: see networks_world.h.
 */
#define CT_LAYER "test"
#include "networks_world.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct network_store *world_store;
static char dir[] = "/tmp/contract-networks-XXXXXX";

int network_world_init(void **state)
{
    struct ct_error err = {0};
    (void)state;
    if (geteuid() != 0) {
        return 0;
    }
    memcpy(dir, "/tmp/contract-networks-XXXXXX", sizeof(dir));
    if (!mkdtemp(dir) || world_enter_host() < 0) {
        return -1;
    }
    CT_AUTO_FREE char *records = ct_join(dir, "records");
    CT_AUTO_FREE char *run = ct_join(dir, "run");
    CT_AUTO_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    world_store = network_store_open(records, run, &err);
    return world_store && network_loopback_up(here, &err) == 0 ? 0 : -1;
}

int network_world_done(void **state)
{
    struct ct_error err = {0};
    (void)state;
    if (geteuid() != 0) {
        return 0;
    }
    network_store_close(world_store);
    return world_leave_host() < 0 ? -1 : ct_remove_tree(AT_FDCWD, dir, &err);
}

void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

json_t *attach(const struct sandbox *sandbox, const char *network, const char *bindings,
               struct ct_error *err)
{
    CT_AUTO_JSON json_t *parsed = ct_json_parse(bindings, strlen(bindings), err);
    struct network_request request = {.network = network,
                                      .container_id = sandbox->id,
                                      .container_name = "web",
                                      .port_bindings = parsed};
    json_t *endpoint = NULL;
    return network_attach(world_store, &request, sandbox->netns, &endpoint, err) < 0 ? NULL
                                                                                     : endpoint;
}

void forget(const struct sandbox *sandbox)
{
    struct ct_error err = {0};
    assert_int_equal(network_forget(world_store, sandbox->id, &err), 0);
}

int stream_socket(int netns)
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

struct sockaddr_in address_of(const char *ip, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    return address;
}

int listen_in(int netns, unsigned port)
{
    int fd = stream_socket(netns);
    struct sockaddr_in any = address_of("0.0.0.0", port);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

bool reaches(int netns, const char *ip, unsigned port)
{
    CT_AUTO_CLOSE int fd = stream_socket(netns);
    struct sockaddr_in address = address_of(ip, port);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

bool port_is_free(unsigned port)
{
    CT_AUTO_CLOSE int fd = stream_socket(-1);
    struct sockaddr_in any = address_of("0.0.0.0", port);
    int one = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    return bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0;
}

bool device_exists(const char *network)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = network_find(world_store, network, &err);
    CT_AUTO_FREE char *path =
        ct_printf("/proc/sys/net/ipv4/conf/ct-%.12s", ct_json_string(record, "Id", ""));
    return access(path, F_OK) == 0;
}
