/*
 * test_lc_sysctl.c - only parameters of the container's own namespaces are set, and they are set.
 */
#define CT_LAYER "test"
#include "sysctl.h"

#include "cleanup.h"
#include "in_child.h"
#include "path.h"
#include "process.h"
#include "procfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define OWN_ALL ((struct lc_namespaces){.make = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET})

static int check(const char *name, const char *value, struct lc_namespaces namespaces,
                 struct ct_error *err)
{
    CT_AUTO_JSON json_t *sysctl = json_pack("{s:s}", name, value);
    return lc_sysctl_check(sysctl, &namespaces, err);
}

static void parameters_of_namespaces_are_allowed(void **state)
{
    (void)state;
    static const char *const names[] = {
        "net.ipv4.ip_forward",   "net/ipv4/ip_forward", "net.ipv4.conf.eth0/100.forwarding",
        "kernel.msgmax",         "kernel.sem",          "kernel.shm_rmid_forced",
        "fs.mqueue.queues_max",  "fs/mqueue/msg_max",   "kernel.domainname",
        "net/ipv4/conf/a.b/x.y",
    };
    struct ct_error err = {0};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(check(names[i], "1", OWN_ALL, &err), 0);
    }
    assert_int_equal(lc_sysctl_check(NULL, &OWN_ALL, &err), 0);
}

static void what_would_change_the_host_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "kernel.core_pattern",
        "kernel/core_pattern",
        "vm.overcommit_memory",
        "kernel.sem_next_id",
        "kernel.semx",
        "kernel.hostname",
        "kernel.domainname.x",
        "fs.mqueue",
        "fs.file-max",
        "net",
        "network.x",
        "net/../kernel/core_pattern",
        "net/ipv4/../../kernel/core_pattern",
        "net/./../kernel/core_pattern",
        "net.//.kernel.core_pattern", /* "net/../kernel/core_pattern" */
        "kernel/msg/../core_pattern",
        "net/",
        "net.",
        "net..x",
        "net//x",
        "net/ipv4/..",
        "/net/x",
        ".net.x",
        "../net/x",
        "",
        ".",
        "/",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ct_error err = {0};
        assert_int_equal(check(names[i], "1", OWN_ALL, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        CT_AUTO_FREE char *expected =
            ct_printf("linux.sysctl: '%s' is of no namespace: it would change the host", names[i]);
        assert_string_equal(err.frame[0].what, expected);
        assert_string_equal(err.hint,
                            strcmp(names[i], "kernel.hostname") == 0 ? "the field 'hostname'" : "");
    }
}

static void a_namespace_that_is_the_hosts_is_not_touched(void **state)
{
    (void)state;
    static const struct {
        const char *name, *namespace;
        unsigned make;
    } cases[] = {
        {"net.core.somaxconn", "network", CLONE_NEWIPC | CLONE_NEWUTS},
        {"kernel.shmmax", "ipc", CLONE_NEWNET | CLONE_NEWUTS},
        {"fs.mqueue.msg_max", "ipc", CLONE_NEWNET | CLONE_NEWUTS},
        {"kernel.domainname", "uts", CLONE_NEWIPC | CLONE_NEWNET},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ct_error err = {0};
        struct lc_namespaces namespaces = {.make = cases[i].make};
        assert_int_equal(check(cases[i].name, "1", namespaces, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        CT_AUTO_FREE char *expected =
            ct_printf("linux.sysctl: '%s' needs a %s namespace of the container's own",
                      cases[i].name, cases[i].namespace);
        assert_string_equal(err.frame[0].what, expected);
    }
}

static void values_are_strings_of_one_line(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *number = json_pack("{s:i}", "net.core.somaxconn", 1);
    CT_AUTO_JSON json_t *array = json_array();

    assert_int_equal(lc_sysctl_check(number, &OWN_ALL, &err), -1);
    assert_string_equal(err.frame[0].what, "linux.sysctl.net.core.somaxconn: it must be a string");
    assert_int_equal(lc_sysctl_check(array, &OWN_ALL, &err), -1);
    assert_string_equal(err.frame[0].what, "linux.sysctl: it must be an object");
    assert_int_equal(check("kernel.domainname", "a\nb", OWN_ALL, &err), -1);
    assert_string_equal(err.frame[0].what,
                        "linux.sysctl: the value of 'kernel.domainname' has several lines");
    assert_int_equal(check("kernel.domainname", "a\r", OWN_ALL, &err), -1);
}

/* The content of a file below /proc/sys, without its end of line. */
static const char *now(int procfs, const char *path, char text[static 128])
{
    struct ct_error err = {0};
    int fd = lc_procfs_openat(procfs, path, O_RDONLY, &err);
    ssize_t n = read(fd, text, 127);
    CHILD_CHECK(n >= 0);
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void)close(fd);
    return text;
}

static void set_some(void *context)
{
    struct ct_error err = {0};
    char text[128];
    (void)context;

    CHILD_CHECK(unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0);
    int procfs = lc_procfs_open(&err);
    CHILD_CHECK(procfs >= 0);
    const char *const add[] = {"ip", "link", "add", "a.b", "type", "bridge", NULL};
    int status = -1;
    CHILD_DO(ct_process_run(add, 10000, 0, NULL, &status, &err), &err);
    CHILD_CHECK(status == 0);
    json_t *sysctl =
        json_pack("{s:s,s:s,s:s,s:s,s:s}", "net.ipv4.ip_local_reserved_ports", "8080,9000",
                  "net/ipv4/conf/lo/forwarding", "1", "net.ipv4.conf.a/b.forwarding", "1",
                  "kernel.msgmax", "4242", "kernel.domainname", "example.test");
    CHILD_DO(lc_sysctl_check(sysctl, &OWN_ALL, &err), &err);
    CHILD_DO(lc_sysctl_apply(sysctl, procfs, &err), &err);
    CHILD_CHECK(!strcmp(now(procfs, "sys/net/ipv4/ip_local_reserved_ports", text), "8080,9000"));
    CHILD_CHECK(!strcmp(now(procfs, "sys/net/ipv4/conf/lo/forwarding", text), "1"));
    CHILD_CHECK(!strcmp(now(procfs, "sys/net/ipv4/conf/a.b/forwarding", text), "1"));
    CHILD_CHECK(!strcmp(now(procfs, "sys/kernel/msgmax", text), "4242"));
    CHILD_CHECK(!strcmp(now(procfs, "sys/kernel/domainname", text), "example.test"));
    /* An empty value is one. */
    json_t *empty = json_pack("{s:s}", "net.ipv4.ip_local_reserved_ports", "");
    CHILD_DO(lc_sysctl_apply(empty, procfs, &err), &err);
    CHILD_CHECK(!strcmp(now(procfs, "sys/net/ipv4/ip_local_reserved_ports", text), ""));
    json_decref(empty);
    json_decref(sysctl);
}

static void parameters_are_set_in_their_namespaces(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct utsname before, after;
    assert_int_equal(uname(&before), 0);
    assert_int_equal(in_child(set_some, NULL), 0);
    assert_int_equal(uname(&after), 0);
    assert_string_equal(before.domainname, after.domainname);
}

static void set_in_vain(void *context)
{
    struct ct_error err = {0};
    (void)context;

    CHILD_CHECK(unshare(CLONE_NEWNET) == 0);
    int procfs = lc_procfs_open(&err);
    json_t *unknown = json_pack("{s:s}", "net.ipv4.no_such_thing", "1");
    CHILD_CHECK(lc_sysctl_apply(unknown, procfs, &err) == -1);
    CHILD_CHECK(err.kind == CT_NOT_FOUND && *err.hint);
    CHILD_CHECK(!strcmp(err.frame[1].what, "set sysctl 'net.ipv4.no_such_thing'"));
    json_decref(unknown);
    json_t *wrong = json_pack("{s:s}", "net.ipv4.ip_forward", "many");
    CHILD_CHECK(lc_sysctl_apply(wrong, procfs, &err) == -1);
    CHILD_CHECK(err.sys == EINVAL);
    CHILD_CHECK(!strcmp(err.frame[1].what, "set sysctl 'net.ipv4.ip_forward'"));
    json_decref(wrong);
    json_t *leaving = json_pack("{s:s}", "net/../kernel/msgmax", "1");
    CHILD_CHECK(lc_sysctl_apply(leaving, procfs, &err) == -1);
    CHILD_CHECK(err.kind == CT_INVALID);
    json_decref(leaving);
}

static void what_the_kernel_refuses_is_named(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(set_in_vain, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_of_namespaces_are_allowed),
        cmocka_unit_test(what_would_change_the_host_is_refused),
        cmocka_unit_test(a_namespace_that_is_the_hosts_is_not_touched),
        cmocka_unit_test(values_are_strings_of_one_line),
        cmocka_unit_test(parameters_are_set_in_their_namespaces),
        cmocka_unit_test(what_the_kernel_refuses_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
