/*
 * test_lc_netdev.c - devices move into a container with their addresses, or stay as they were.
 *
 * Each test that needs devices runs in a child with a network namespace of its own as "host"; the
 * container is a child of that, in another one.
 */
#define CT_LAYER "test"
#include "netdev.h"

#include "cleanup.h"
#include "in_child.h"
#include "json.h"
#include "log.h"
#include "netlink.h"
#include "path.h"
#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

struct parsed {
    json_t *document;
    struct pool pool;
    const struct lc_netdev *devices;
    size_t n;
};

static int parse(const char *text, struct parsed *ret, struct ct_error *err)
{
    *ret = (struct parsed){.document = ct_json_parse(text, strlen(text), err)};
    assert_non_null(ret->document);
    return lc_netdevs_parse(ret->document, &ret->pool, &ret->devices, &ret->n, err);
}

static void done(struct parsed *parsed)
{
    json_decref(parsed->document);
    pool_done(&parsed->pool);
}

static void devices_keep_their_names_or_get_others(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct parsed parsed;

    assert_int_equal(parse("{\"eth0\":{\"name\":\"net0\"},\"eth1\":{},\"eth2\":{\"name\":\"\"},"
                           "\"fifteen-bytes15\":{\"name\":\"ä\"}}",
                           &parsed, &err),
                     0);
    assert_int_equal(parsed.n, 4);
    assert_string_equal(parsed.devices[0].host_name, "eth0");
    assert_string_equal(parsed.devices[0].name, "net0");
    assert_string_equal(parsed.devices[1].name, "eth1");
    assert_string_equal(parsed.devices[2].name, "eth2");
    assert_string_equal(parsed.devices[3].name, "ä");
    done(&parsed);
    assert_int_equal(lc_netdevs_parse(NULL, &parsed.pool, &parsed.devices, &parsed.n, &err), 0);
    assert_int_equal(parsed.n, 0);
    assert_int_equal(lc_netdevs_move(parsed.devices, parsed.n, getpid(), &err), 0);
    pool_done(&parsed.pool);
}

static void hostile_names_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        ".",
        "..",
        "a/b",
        "../../x",
        "a:1",
        "a b",
        "a\tb",
        "a\nb",
        "a%d",
        "a\x01",
        "a\x7f",
        "sixteen-bytes-16",
        "a-name-that-is-much-too-long-for-a-device",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ct_error err = {0};
        struct pool pool = {0};
        const struct lc_netdev *devices;
        size_t n;
        CT_AUTO_JSON json_t *outside = json_pack("{s:{}}", names[i]);
        CT_AUTO_JSON json_t *inside = json_pack("{s:{s:s}}", "eth0", "name", names[i]);

        assert_int_equal(lc_netdevs_parse(outside, &pool, &devices, &n, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "is no name of a device"));
        assert_int_equal(lc_netdevs_parse(inside, &pool, &devices, &n, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "linux.netDevices.eth0.name: '"));
        pool_done(&pool);
    }
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"[]", "linux.netDevices: it must be an object"},
        {"{\"\":{}}", "linux.netDevices: '' is no name of a device"},
        {"{\"eth0\":\"x\"}", "linux.netDevices.eth0: it must be an object"},
        {"{\"eth0\":{\"name\":1}}", "linux.netDevices.eth0.name: it must be a string"},
        {"{\"a\":{\"name\":\"x\"},\"b\":{},\"c\":{\"name\":\"x\"}}",
         "linux.netDevices: 'a' and 'c' are both to be 'x'"},
        {"{\"a\":{\"name\":\"b\"},\"b\":{}}", "linux.netDevices: 'a' and 'b' are both to be 'b'"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        struct parsed parsed;

        assert_int_equal(parse(wrong[i][0], &parsed, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
        done(&parsed);
    }
}

/* ---- a host and a container ---- */

static struct {
    int host_netns;
    pid_t pid; /* of the container */
} world;

/* What `sh -c script` prints, here. Owned. */
static char *shell(const char *script)
{
    struct ct_error err = {0};
    const char *const argv[] = {"sh", "-ec", script, NULL};
    char *output = NULL;
    int status = -1;

    CHILD_DO(ct_process_run(argv, 20000, 65536, &output, &status, &err), &err);
    if (status != 0) {
        (void)dprintf(STDERR_FILENO, "%s: %s\n", script, output);
        _exit(1);
    }
    return output;
}

static void run(const char *script)
{
    free(shell(script));
}

/* Enters the container's network namespace, or the host's again. */
static void go_inside(bool inside)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/ns/net", (int)world.pid);
    CT_AUTO_CLOSE int netns = open(path, O_RDONLY | O_CLOEXEC);
    CHILD_CHECK(setns(inside ? netns : world.host_netns, CLONE_NEWNET) == 0);
}

/* In a child of the test: a new host, and a container with nothing but its loopback. */
static void new_world(void)
{
    int ready[2];
    char byte = 0;

    CHILD_CHECK(unshare(CLONE_NEWNET) == 0 && pipe2(ready, O_CLOEXEC) == 0);
    world.host_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    world.pid = fork();
    if (world.pid == 0) {
        /* Ends with the test, whatever happens to that. */
        CHILD_CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && unshare(CLONE_NEWNET) == 0);
        CHILD_CHECK(write(ready[1], &byte, 1) == 1);
        (void)pause();
        _exit(0);
    }
    CHILD_CHECK(world.host_netns >= 0 && world.pid > 0 && read(ready[0], &byte, 1) == 1);
}

/* Whether `ip -o addr` of a device has the text. */
static bool has(const char *device, const char *text)
{
    CT_AUTO_FREE char *script =
        ct_printf("ip -o addr show dev %s; ip -o link show dev %s", device, device);
    CT_AUTO_FREE char *output = shell(script);
    return strstr(output, text) != NULL;
}

static bool exists(const char *device)
{
    return if_nametoindex(device) > 0;
}

/* A device that is up, with addresses of all kinds. */
static void make_device(const char *name, int number)
{
    CT_AUTO_FREE char *script = ct_printf(
        "ip link add %s type veth peer name peer%d; ip link set %s up; ip link set peer%d up;"
        "ip addr add 10.1.%d.2/24 brd + dev %s; ip addr add 10.1.%d.3/24 dev %s;"
        "ip addr add 10.9.%d.1 peer 10.9.%d.2/32 dev %s; ip addr add 10.2.%d.4/24 scope link dev "
        "%s; ip addr add 10.3.%d.5/24 valid_lft 1000 preferred_lft 1000 dev %s;"
        "ip addr add 2001:db8:%d::2/64 nodad dev %s noprefixroute",
        name, number, name, number, number, name, number, name, number, number, name, number, name,
        number, name, number, name);
    run(script);
}

static void check_addresses(const char *name, int number)
{
    CT_AUTO_FREE char *first =
        ct_printf("inet 10.1.%d.2/24 brd 10.1.%d.255 scope global %s\\", number, number, name);
    CT_AUTO_FREE char *second =
        ct_printf("inet 10.1.%d.3/24 scope global secondary %s", number, name);
    CT_AUTO_FREE char *peer = ct_printf("inet 10.9.%d.1 peer 10.9.%d.2/32", number, number);
    CT_AUTO_FREE char *six =
        ct_printf("inet6 2001:db8:%d::2/64 scope global nodad noprefixroute", number);
    CHILD_CHECK(has(name, first));
    CHILD_CHECK(has(name, second));
    CHILD_CHECK(has(name, peer));
    CHILD_CHECK(has(name, six));
    CHILD_CHECK(has(name, "UP,LOWER_UP"));
}

static void move_two(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev devices[] = {{"veth1", "net0"}, {"veth2", "veth2"}};
    (void)context;

    new_world();
    make_device("veth1", 1);
    make_device("veth2", 2);
    /* A number that is taken inside: there the device gets another one. */
    unsigned taken = if_nametoindex("veth2");
    go_inside(true);
    CT_AUTO_FREE char *script = ct_printf("ip link add other index %u type bridge", taken);
    run(script);
    go_inside(false);

    CHILD_DO(lc_netdevs_move(devices, 2, world.pid, &err), &err);

    CHILD_CHECK(err.kind == CT_NONE);
    CHILD_CHECK(!exists("veth1") && !exists("veth2") && exists("peer1"));
    go_inside(true);
    CHILD_CHECK(if_nametoindex("veth2") != taken);
    check_addresses("net0", 1);
    check_addresses("veth2", 2);
    /* Not what is of the link only, or for a time, or of another device. */
    CHILD_CHECK(!has("net0", "10.2.1.4") && !has("net0", "10.3.1.5") && !has("net0", "10.1.2.2"));
}

static int as_root(void (*work)(void *))
{
    if (geteuid() != 0) {
        skip();
    }
    return in_child(work, NULL);
}

static void devices_move_with_their_addresses(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_two), 0);
}

static void move_onto_a_taken_name(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev devices[] = {{"veth1", "net0"}, {"veth2", "net1"}, {"veth3", "net2"}};
    (void)context;

    new_world();
    make_device("veth1", 1);
    make_device("veth2", 2);
    make_device("veth3", 3);
    run("ip link set veth2 down");
    go_inside(true);
    run("ip link add net1 type bridge");
    go_inside(false);

    CHILD_CHECK(lc_netdevs_move(devices, 3, world.pid, &err) == -1);

    CHILD_CHECK(err.kind == CT_EXISTS && err.sys == EEXIST);
    CHILD_CHECK(strcmp(err.frame[err.depth - 1].what,
                       "move network device 'veth2' into the container as 'net1'") == 0);
    check_addresses("veth1", 1); /* was moved already */
    check_addresses("veth3", 3); /* was not touched */
    CHILD_CHECK(has("veth2", "10.1.2.2/24") && has("veth2", "state DOWN"));
    go_inside(true);
    CHILD_CHECK(exists("net1") && !exists("net0") && !exists("veth2") && !exists("net2"));
}

static void after_a_failure_all_is_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_onto_a_taken_name), 0);
}

static void move_a_missing_one(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev devices[] = {{"veth1", "net0"}, {"nothing", "net1"}};
    (void)context;

    new_world();
    make_device("veth1", 1);
    go_inside(true);
    run("ip link add nothing type veth peer name other"); /* the container's, not ours to bring back
                                                           */
    go_inside(false);
    CHILD_CHECK(lc_netdevs_move(devices, 2, world.pid, &err) == -1);
    CHILD_CHECK(err.kind == CT_NOT_FOUND && err.sys == ENODEV);
    check_addresses("veth1", 1);
    CHILD_CHECK(!exists("nothing"));
}

static void a_device_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_a_missing_one), 0);
}

static void move_the_loopback(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev loopback = {"lo", "lo1"};
    char line[1024];
    (void)context;

    new_world();
    run("ip addr add 10.5.5.5/32 dev lo; ip link set lo up");
    int log = memfd_create("log", MFD_CLOEXEC);
    ct_log_to(log);
    CHILD_CHECK(lc_netdevs_move(&loopback, 1, world.pid, &err) == -1);
    CHILD_CHECK(err.sys == EINVAL && has("lo", "10.5.5.5/32") && has("lo", "UP,LOWER_UP"));
    CHILD_CHECK(strstr(ct_error_render(&err, line, sizeof(line)),
                       "move network device 'lo' into the container as 'lo1': netlink: "));
    CHILD_CHECK(lseek(log, 0, SEEK_END) == 0); /* nothing went wrong on the way back */
}

static void a_device_that_cannot_move_stays(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_the_loopback), 0);
}

static void send_nonsense(void *context)
{
    struct ct_error err = {0};
    struct lc_netlink request;
    const struct ifinfomsg loopback = {.ifi_index = 1};
    (void)context;

    CHILD_CHECK(unshare(CLONE_NEWNET) == 0);
    int fd = lc_netlink_open(&err);
    lc_netlink_begin(&request, RTM_NEWLINK, 0, &loopback, sizeof(loopback));
    lc_netlink_put(&request, IFLA_MTU, "", 1); /* too short */
    CHILD_CHECK(lc_netlink_talk(fd, &request, NULL, NULL, &err) == -1);
    CHILD_CHECK(err.sys > 0 && strstr(err.frame[0].what, "policy validation"));
}

static void a_refusal_has_the_kernels_own_words(void **state)
{
    (void)state;
    assert_int_equal(as_root(send_nonsense), 0);
}

static void move_nowhere(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev device = {"veth1", "net0"};
    (void)context;

    new_world();
    make_device("veth1", 1);
    CHILD_CHECK(lc_netdevs_move(&device, 1, getpid(), &err) == -1);
    CHILD_CHECK(err.kind == CT_INVALID);
    check_addresses("veth1", 1);
    ct_error_clear(&err);
    CHILD_CHECK(kill(world.pid, SIGKILL) == 0 && waitpid(world.pid, NULL, 0) == world.pid);
    CHILD_CHECK(lc_netdevs_move(&device, 1, world.pid, &err) == -1);
    CHILD_CHECK(err.kind == CT_NOT_FOUND);
}

static void without_a_namespace_of_its_own_nothing_moves(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_nowhere), 0);
}

static size_t open_descriptors(void)
{
    CT_AUTO_DIR DIR *fds = opendir("/proc/self/fd");
    size_t n = 0;
    CHILD_CHECK(fds);
    while (readdir(fds)) {
        n++;
    }
    return n;
}

static void move_and_look_where_we_are(void *context)
{
    struct ct_error err = {0};
    const struct lc_netdev device = {"veth1", "net0"};
    struct stat before, after;
    (void)context;

    new_world();
    make_device("veth1", 1);
    size_t open_before = open_descriptors();
    CHILD_CHECK(stat("/proc/self/ns/net", &before) == 0);
    CHILD_DO(lc_netdevs_move(&device, 1, world.pid, &err), &err);
    CHILD_CHECK(stat("/proc/self/ns/net", &after) == 0 && before.st_ino == after.st_ino);
    CHILD_CHECK(open_descriptors() == open_before);
}

static void the_runtime_stays_at_home_and_keeps_nothing_open(void **state)
{
    (void)state;
    assert_int_equal(as_root(move_and_look_where_we_are), 0);
}

/* ---- loopback ---- */

static void switch_loopback_on(void *context)
{
    struct ct_error err = {0};
    (void)context;

    CHILD_CHECK(unshare(CLONE_NEWNET) == 0);
    CHILD_CHECK(!has("lo", "UP"));
    CHILD_DO(lc_loopback_up(&err), &err);
    CHILD_CHECK(has("lo", "LOOPBACK,UP,LOWER_UP") && has("lo", "127.0.0.1/8"));
    CHILD_DO(lc_loopback_up(&err), &err);
}

static void the_loopback_is_switched_on(void **state)
{
    (void)state;
    assert_int_equal(as_root(switch_loopback_on), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_keep_their_names_or_get_others),
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(devices_move_with_their_addresses),
        cmocka_unit_test(after_a_failure_all_is_as_it_was),
        cmocka_unit_test(a_device_that_is_not_there_is_named),
        cmocka_unit_test(a_device_that_cannot_move_stays),
        cmocka_unit_test(a_refusal_has_the_kernels_own_words),
        cmocka_unit_test(without_a_namespace_of_its_own_nothing_moves),
        cmocka_unit_test(the_runtime_stays_at_home_and_keeps_nothing_open),
        cmocka_unit_test(the_loopback_is_switched_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
