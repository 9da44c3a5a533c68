/*
 * test_monitor_spec.c - from Docker's documents to the exec driver's request; users; mount points.
 *
 * Needs no root: the root file system is a temporary directory of our own.
 */
#define CT_LAYER "test"
#include "containers.h"
#include "spec.h"
#include "user.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char base[64];
    struct container container;
    int rootfs;
};

static void put(const char *base, const char *path, const char *content)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *full = ct_join(base, path);
    char *slash = strrchr(full, '/');

    *slash = '\0';
    CT_AUTO_CLOSE int dir = ct_mkdirs(full, 0755, &err);
    assert_true(dir >= 0);
    assert_int_equal(ct_write_file_at(dir, slash + 1, content, strlen(content), 0644, &err), 0);
}

static int setup(void **state)
{
    static struct fixture f;
    struct ct_error err = {0};

    (void)snprintf(f.base, sizeof(f.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    put(f.base, "root/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:100:w:/home/web:/bin/sh\n"
        "broken\nhuge:x:4294967296:0::/:\nminus:x:-1:0::/:\n");
    put(f.base, "root/etc/group", "root:x:0:\nusers:x:100:\nlog:x:7:web,other\nbad:x:\n");
    CT_AUTO_FREE char *root = ct_join(f.base, "root");
    f.container =
        (struct container){.dir = ct_join(f.base, "container"), .run_fd = -1, .lock_fd = -1};
    f.rootfs = ct_root_open(root, &err);
    f.container.dir_fd = ct_mkdirs(f.container.dir, 0700, &err);
    assert_true(f.rootfs >= 0 && f.container.dir_fd >= 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    (void)close(f->rootfs);
    (void)close(f->container.dir_fd);
    free(f->container.dir);
    json_decref(f->container.config);
    assert_int_equal(ct_remove_tree(AT_FDCWD, f->base, &err), 0);
    return 0;
}

static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    json_t *json = ct_json_parse(text, strlen(text), &err);
    assert_non_null(json);
    return json;
}

/* A record whose Config and HostConfig are what the text says (with ' for "). */
static json_t *record(const char *config, const char *host)
{
    CT_AUTO_FREE char *text = ct_printf("{'Config':%s,'HostConfig':%s}", config, host);
    for (char *c = text; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return parse(text);
}

static int build(struct fixture *f, const char *config, const char *host, struct spec *ret,
                 struct ct_error *err)
{
    json_decref(f->container.config);
    f->container.config = record(config, host);
    return spec_build(&f->container, f->rootfs, ret, err);
}

static void refused(const char *config, const char *host, enum ct_kind kind, const char *text)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *asked = record(config, host);

    assert_int_equal(spec_check(asked, &err), -1);

    assert_int_equal(err.kind, kind);
    assert_string_equal(err.frame[0].what, text);
}

static void what_this_stage_has_not_is_refused_by_name(void **state)
{
    (void)state;
    refused("{}", "{'Init':true}", CT_UNSUPPORTED,
            "use HostConfig.Init: it comes with stage 04-modular");
    refused("{}", "{'BlkioWeight':10}", CT_UNSUPPORTED,
            "use HostConfig.BlkioWeight: it comes with stage 03-libcontainer, exec driver native");
    refused("{}", "{'Links':['a:b']}", CT_UNSUPPORTED,
            "use HostConfig.Links: use a network of your own instead");
    refused(
        "{}", "{'Runtime':'runc'}", CT_UNSUPPORTED,
        "use HostConfig.Runtime 'runc': it comes with stage 03-libcontainer, exec driver native");
    refused("{}", "{'PidMode':'container:x'}", CT_UNSUPPORTED,
            "use HostConfig.PidMode 'container:x': it comes with stage 03-libcontainer, exec "
            "driver native");
    refused("{}", "{'SecurityOpt':['seccomp={}']}", CT_UNSUPPORTED,
            "use a seccomp profile of your own: it comes with stage 03-libcontainer, exec driver "
            "native");
    refused("{}", "{'SecurityOpt':['label=type:x']}", CT_UNSUPPORTED,
            "use --security-opt 'label=type:x': no stage has it yet");
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    refused("{}", "{'CapAdd':['NET_ADMIN','NONSENSE']}", CT_INVALID,
            "invalid capability: 'NONSENSE'");
    refused("{}", "{'Ulimits':[{'Name':'nofile','Soft':9,'Hard':5}]}", CT_INVALID,
            "ulimit 'nofile': soft limit 9 is above hard limit 5");
    refused("{}", "{'Sysctls':{'kernel.core_pattern':'|/x'}}", CT_INVALID,
            "sysctl 'kernel.core_pattern' is not separate for a container");
    refused("{}", "{'NetworkMode':'host','Sysctls':{'net.ipv4.ip_forward':'1'}}", CT_INVALID,
            "sysctl 'net.ipv4.ip_forward' is not separate for a container");
    refused("{}", "{'OomScoreAdj':2000}", CT_INVALID,
            "use HostConfig.OomScoreAdj 2000: it must be in range -1000 to 1000");
    refused("{'Healthcheck':{'Test':['CMD']}}", "{}", CT_INVALID,
            "unknown type 'CMD' in Healthcheck");
    refused("{'Healthcheck':{'Test':['CMD','x'],'Interval':5}}", "{}", CT_INVALID,
            "Interval in Healthcheck cannot be less than 1ms");
    refused("{'Env':['=x']}", "{}", CT_INVALID, "invalid environment variable: '=x'");
    refused("{'User':'4294967296'}", "{}", CT_INVALID,
            "use user '4294967296': ids must be in range 0-2147483647");
    refused("{'User':'-1:0'}", "{}", CT_INVALID,
            "use user '-1': ids must be in range 0-2147483647");
    refused("{'Hostname':'x','Domainname':''}", "{'UTSMode':'host'}", CT_INVALID,
            "conflicting options: hostname and the UTS mode");
}

static void no_line_break_gets_into_a_configuration(void **state)
{
    (void)state;
    refused("{'Hostname':'a\\nlxc.hook=x'}", "{}", CT_INVALID,
            "use the host name 'a?lxc.hook=x': it has a character that is not allowed");
    refused("{}", "{'CpusetCpus':'0\\n1'}", CT_INVALID,
            "use HostConfig.CpusetCpus '0?1': it has a character that is not allowed");
    refused("{}", "{'Sysctls':{'net.x\\ny':'1'}}", CT_INVALID,
            "use the sysctl 'net.x?y': it has a character that is not allowed");
    refused("{}", "{'SecurityOpt':['apparmor=a\\nb']}", CT_INVALID,
            "use the AppArmor profile 'a?b': it has a character that is not allowed");
    refused("{}", "{'Devices':[{'PathOnHost':'/dev/x\\ny'}]}", CT_INVALID,
            "invalid device '/dev/x?y:/dev/x?y:rwm'");
}

static void what_docker_sends_for_a_plain_run_is_accepted(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *plain =
        record("{'Hostname':'','Domainname':'','User':'','Env':null,'Healthcheck':null}",
               "{'NetworkMode':'bridge','CapAdd':null,'CgroupnsMode':'private','Dns':[],"
               "'IpcMode':'private','Links':null,'OomScoreAdj':0,'PidMode':'','SecurityOpt':null,"
               "'UTSMode':'','ShmSize':67108864,'BlkioWeight':0,'Devices':[],"
               "'MemorySwappiness':-1,'OomKillDisable':false,'PidsLimit':0,'Ulimits':[],"
               "'MaskedPaths':null,'ReadonlyPaths':null,'Runtime':'','Isolation':''}");

    assert_int_equal(spec_check(plain, &err), 0);
    assert_int_equal(err.kind, CT_NONE);
}

static void the_command_is_entrypoint_and_cmd(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;

    assert_int_equal(build(f, "{'Entrypoint':['/init','-v'],'Cmd':['a b','']}", "{}", &spec, &err),
                     0);

    const char *const expected[] = {"/init", "-v", "a b", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(spec.exec.program.argv[i], expected[i]);
    }
    assert_null(spec.exec.program.argv[4]);
    assert_string_equal(spec.exec.program.cwd, "/");
    spec_done(&spec);
}

static void the_environment_is_dockers_then_the_records(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;

    assert_int_equal(build(f,
                           "{'Cmd':['x'],'Hostname':'h','Tty':true,'User':'web',"
                           "'Env':['A=1','PATH=/p','TERM','A=2']}",
                           "{}", &spec, &err),
                     0);

    const char *const expected[] = {"PATH=/p", "HOSTNAME=h", "A=2", "HOME=/home/web"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(spec.exec.program.env[i], expected[i]);
    }
    assert_null(spec.exec.program.env[4]);
    spec_done(&spec);
}

static void limits_follow_dockers_rules(void **state)
{
    (void)state;
    struct exec_limits limits;
    CT_AUTO_JSON json_t *twice = record("{}", "{'Memory':1000000000,'NanoCpus':1500000000}");
    CT_AUTO_JSON json_t *none =
        record("{}", "{'Memory':1000000000,'MemorySwap':-1,'CpuQuota':5000}");

    spec_limits(twice, &limits);
    assert_int_equal(limits.memory_swap_max_bytes, 2000000000);
    assert_int_equal(limits.cpu_period_us, 100000);
    assert_int_equal(limits.cpu_quota_us, 150000);
    spec_limits(none, &limits);
    assert_true(limits.memory_swap_max_bytes == UINT64_MAX);
    assert_int_equal(limits.cpu_quota_us, 5000);
    assert_int_equal(limits.cpu_period_us, 100000);
}

static void security_options_are_taken_apart(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;

    assert_int_equal(build(f, "{'Cmd':['x']}",
                           "{'SecurityOpt':['no-new-privileges:true','seccomp=unconfined',"
                           "'apparmor:mine','label=disable'],"
                           "'Devices':[{'PathOnHost':'/dev/null','PathInContainer':'/dev/n',"
                           "'CgroupPermissions':'r'}],'Sysctls':{'net.ipv4.ip_forward':'1'}}",
                           &spec, &err),
                     0);

    assert_true(spec.exec.no_new_privileges);
    assert_string_equal(spec.exec.seccomp, "unconfined");
    assert_string_equal(spec.exec.apparmor, "mine");
    assert_string_equal(spec.exec.devices[0], "/dev/null:/dev/n:r");
    assert_string_equal(spec.exec.sysctls[0], "net.ipv4.ip_forward=1");
    spec_done(&spec);
}

static void assert_user(struct fixture *f, const char *text, uid_t uid, gid_t gid, const char *home)
{
    struct ct_error err = {0};
    struct user user;

    assert_int_equal(user_resolve(f->rootfs, text, NULL, &user, &err), 0);
    assert_int_equal(user.uid, uid);
    assert_int_equal(user.gid, gid);
    assert_int_equal(user.groups[0], gid);
    assert_string_equal(user.home, home);
    user_done(&user);
}

static void users_are_found_by_name_and_by_number(void **state)
{
    struct fixture *f = *state;
    assert_user(f, "", 0, 0, "/root");
    assert_user(f, "web", 1000, 100, "/home/web");
    assert_user(f, "1000", 1000, 100, "/home/web");
    assert_user(f, "web:log", 1000, 7, "/home/web");
    assert_user(f, "web:8", 1000, 8, "/home/web");
    assert_user(f, "4242", 4242, 0, "/");
    assert_user(f, "2147483647:1", 2147483647, 1, "/");
}

static void a_user_is_in_the_groups_that_list_it(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct user user;
    CT_AUTO_JSON json_t *more = parse("[\"root\",\"55\"]");

    assert_int_equal(user_resolve(f->rootfs, "web", more, &user, &err), 0);

    const gid_t expected[] = {100, 7, 0, 55};
    assert_int_equal(user.n_groups, 4);
    assert_memory_equal(user.groups, expected, sizeof(expected));
    user_done(&user);
}

static void no_user(struct fixture *f, const char *text, enum ct_kind kind, const char *what)
{
    struct ct_error err = {0};
    struct user user;
    assert_int_equal(user_resolve(f->rootfs, text, NULL, &user, &err), -1);
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.frame[0].what, what);
}

static void assert_no_user(struct fixture *f, const char *text, enum ct_kind kind)
{
    struct ct_error err = {0};
    struct user user;

    if (user_resolve(f->rootfs, text, NULL, &user, &err) == 0) {
        fail_msg("'%s' is user %u, group %u", text, user.uid, user.gid);
    }
    assert_int_equal(err.kind, kind);
}

static void a_user_that_does_not_exist_cannot_run(void **state)
{
    struct fixture *f = *state;
    no_user(f, "nobody", CT_CANNOT_RUN,
            "unable to find user nobody: no matching entries in passwd file");
    no_user(f, "web:nogroup", CT_CANNOT_RUN,
            "unable to find group nogroup: no matching entries in group file");
}

static void a_number_that_wraps_round_to_root_is_refused(void **state)
{
    struct fixture *f = *state;
    no_user(f, "4294967296", CT_INVALID,
            "use user '4294967296': ids must be in range 0-2147483647");
    no_user(f, "0:4294967296", CT_INVALID,
            "use group '4294967296': ids must be in range 0-2147483647");
    no_user(f, "huge", CT_CANNOT_RUN,
            "unable to find user huge: no matching entries in passwd file");
    no_user(f, "minus", CT_CANNOT_RUN,
            "unable to find user minus: no matching entries in passwd file");
    no_user(f, "a:b:c", CT_INVALID, "use user 'a:b:c': more than one ':'");
}

/* Whoever is meant, it is nobody else (CVE-2026-30892: exec --user took a wrong one for root). */
static void a_user_is_who_is_named_or_nobody(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        uid_t uid;
        gid_t gid;
    } good[] = {
        {"0", 0, 0},
        {"00", 0, 0},
        {"root", 0, 0},
        {":", 0, 0},
        {"0:0", 0, 0},
        {":100", 0, 100},
        {":users", 0, 100},
        {"root:users", 0, 100},
        {"web", 1000, 100},
        {"web:", 1000, 100},
        {"web:0", 1000, 0},
        {"web:root", 1000, 0},
        {"1000:", 1000, 100},
        {"1000:7", 1000, 7},
        {"01000", 1000, 100},
        {"08", 8, 0},
        {"65534", 65534, 0},
        {"65536:65536", 65536, 65536},
        {"2147483647", 2147483647, 0},
    };
    static const char *const no_form[] = {
        "2147483648",   "4294967295",   "4294967296", "18446744073709551616",
        "-1",           "-0",           "+0",         "-4294967296",
        "1:2147483648", "1:4294967296", "1:-1",       "1:+1",
        "::",           "web::",        "web:log:",   " web",
        "web ",         "web web",      "web\n",      "\troot",
        "ro\x7fot",     " 0",           "0 ",
    };
    static const char *const no_one[] = {
        "0x0",   "0b0",     "1e3",         "1.0",     "0.",      "1000a",          "a1000", "Web",
        "ROOT",  "roo",     "roott",       "*",       "broken",  "huge",           "minus", "x",
        "/root", "web:0x0", "web:nogroup", "web:bad", "web:web", "root:users,log",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct user user;
        struct ct_error err = {0};
        assert_int_equal(user_resolve(f->rootfs, good[i].text, NULL, &user, &err), 0);
        assert_int_equal(user.uid, good[i].uid);
        assert_int_equal(user.gid, good[i].gid);
        assert_int_equal(user.groups[0], good[i].gid);
        user_done(&user);
    }
    for (size_t i = 0; i < sizeof(no_form) / sizeof(no_form[0]); i++) {
        assert_no_user(f, no_form[i], CT_INVALID);
    }
    for (size_t i = 0; i < sizeof(no_one) / sizeof(no_one[0]); i++) {
        assert_no_user(f, no_one[i], CT_CANNOT_RUN);
    }
}

static void a_passwd_that_is_a_fifo_does_not_hang(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlinkat(f->rootfs, "etc/passwd", 0), 0);
    assert_int_equal(mkfifoat(f->rootfs, "etc/passwd", 0600), 0);

    no_user(f, "web", CT_INVALID,
            "read '/etc/passwd' of the container: no regular file of at most 16 MiB");
}

static void a_passwd_that_links_to_the_host_reads_the_container(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(unlinkat(f->rootfs, "etc/passwd", 0), 0);
    assert_int_equal(symlinkat("/../../etc/shadow", f->rootfs, "etc/passwd"), 0);
    assert_user(f, "7", 7, 0, "/");
}

static void an_endless_line_is_skipped(void **state)
{
    struct fixture *f = *state;
    CT_AUTO_FREE char *line = malloc(200001);
    memset(line, 'x', 200000);
    line[200000] = '\0';
    CT_AUTO_FREE char *text = ct_printf("%s\nweb:x:5:6::/w:\n", line);
    CT_AUTO_FREE char *root = ct_join(f->base, "root");
    put(root, "etc/passwd", text);

    assert_user(f, "web", 5, 6, "/w");
}

static void a_working_directory_that_is_missing_is_made(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;
    struct stat made;

    assert_int_equal(build(f, "{'Cmd':['x'],'WorkingDir':'/srv/./app'}", "{}", &spec, &err), 0);

    assert_string_equal(spec.exec.program.cwd, "/srv/app");
    assert_int_equal(fstatat(f->rootfs, "srv/app", &made, 0), 0);
    spec_done(&spec);
}

static void a_working_directory_that_is_a_file_cannot_run(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;

    assert_int_equal(build(f, "{'Cmd':['x'],'WorkingDir':'/etc/passwd'}", "{}", &spec, &err), -1);

    assert_int_equal(err.kind, CT_CANNOT_RUN);
    assert_string_equal(err.frame[err.depth - 1].what, "make the working directory '/etc/passwd'");
}

static void mount_points_resolve_links_inside_the_root(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;
    struct stat made;
    assert_int_equal(mkdirat(f->rootfs, "run", 0755), 0);
    assert_int_equal(mkdirat(f->rootfs, "var", 0755), 0);
    assert_int_equal(symlinkat("../../../../run", f->rootfs, "var/run"), 0);
    put(f->container.dir, "hosts", "");
    json_decref(f->container.config);
    f->container.config =
        parse("{\"Config\":{\"Cmd\":[\"x\"]},\"HostConfig\":{},\"Mounts\":["
              "{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/var/run/x\",\"RW\":false},"
              "{\"Type\":\"tmpfs\",\"Destination\":\"/scratch\",\"Options\":\"size=1m\"},"
              "{\"Type\":\"bind\",\"Source\":\"/etc/passwd\",\"Destination\":\"/scratch/"
              "p\",\"RW\":true}]}");

    assert_int_equal(spec_build(&f->container, f->rootfs, &spec, &err), 0);

    assert_int_equal(spec.exec.n_mounts, 4);
    assert_string_equal(spec.exec.mounts[0].target, "/run/x");
    assert_string_equal(spec.exec.mounts[0].options, "ro");
    assert_int_equal(fstatat(f->rootfs, "run/x", &made, 0), 0);
    assert_string_equal(spec.exec.mounts[1].options, "nosuid,nodev,noexec,size=1m");
    assert_string_equal(spec.exec.mounts[2].target, "/scratch/p");
    assert_string_equal(spec.exec.mounts[3].target, "/etc/hosts");
    spec_done(&spec);
}

static void a_mount_inside_a_volume_gets_its_point_there(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;
    struct stat made;
    CT_AUTO_FREE char *volume = ct_join(f->base, "volume");
    CT_AUTO_CLOSE int dir = ct_mkdirs(volume, 0755, &err);
    assert_int_equal(symlinkat("/etc", dir, "out"), 0);
    assert_int_equal(mkdirat(dir, "etc", 0755), 0);
    CT_AUTO_FREE char *text =
        ct_printf("{\"Config\":{\"Cmd\":[\"x\"]},\"HostConfig\":{},\"Mounts\":["
                  "{\"Type\":\"volume\",\"Source\":\"%s\",\"Destination\":\"/v\"},"
                  "{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/v/out/deep\"}]}",
                  volume);
    json_decref(f->container.config);
    f->container.config = parse(text);

    assert_int_equal(spec_build(&f->container, f->rootfs, &spec, &err), 0);

    assert_string_equal(spec.exec.mounts[1].target, "/v/etc/deep");
    assert_int_equal(fstatat(dir, "etc/deep", &made, 0), 0);
    spec_done(&spec);
}

static void a_mount_on_the_root_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec spec;
    json_decref(f->container.config);
    f->container.config =
        parse("{\"Config\":{\"Cmd\":[\"x\"]},\"HostConfig\":{},\"Mounts\":["
              "{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/a/..\"}]}");

    assert_int_equal(spec_build(&f->container, f->rootfs, &spec, &err), -1);

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "mount on '/': the root itself cannot be a target");
}

static void an_exec_adds_to_the_containers_own(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct spec_program program;
    CT_AUTO_JSON json_t *own =
        record("{'Cmd':['x'],'Env':['A=1','B=2'],'User':'web','WorkingDir':'/w'}", "{}");
    CT_AUTO_JSON json_t *exec =
        parse("{\"Cmd\":[\"ls\",\"-l\"],\"Env\":[\"B=3\"],\"Privileged\":true,\"Tty\":true}");

    assert_int_equal(spec_build_program(own, exec, f->rootfs, &program, &err), 0);

    assert_string_equal(program.program.argv[0], "ls");
    assert_string_equal(program.program.cwd, "/w");
    assert_int_equal(program.program.uid, 1000);
    assert_true(program.program.terminal);
    assert_string_equal(program.program.cap_add[0], "ALL");
    const char *const expected[] = {"A=1", "B=3", "HOME=/home/web"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(program.program.env[i + 2], expected[i]);
    }
    spec_program_done(&program);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_this_stage_has_not_is_refused_by_name),
        CASE(what_makes_no_sense_is_refused),
        CASE(no_line_break_gets_into_a_configuration),
        CASE(what_docker_sends_for_a_plain_run_is_accepted),
        CASE(the_command_is_entrypoint_and_cmd),
        CASE(the_environment_is_dockers_then_the_records),
        CASE(limits_follow_dockers_rules),
        CASE(security_options_are_taken_apart),
        CASE(users_are_found_by_name_and_by_number),
        CASE(a_user_is_in_the_groups_that_list_it),
        CASE(a_user_that_does_not_exist_cannot_run),
        CASE(a_user_is_who_is_named_or_nobody),
        CASE(a_number_that_wraps_round_to_root_is_refused),
        CASE(a_passwd_that_is_a_fifo_does_not_hang),
        CASE(a_passwd_that_links_to_the_host_reads_the_container),
        CASE(an_endless_line_is_skipped),
        CASE(a_working_directory_that_is_missing_is_made),
        CASE(a_working_directory_that_is_a_file_cannot_run),
        CASE(mount_points_resolve_links_inside_the_root),
        CASE(a_mount_inside_a_volume_gets_its_point_there),
        CASE(a_mount_on_the_root_is_refused),
        CASE(an_exec_adds_to_the_containers_own),
    };
    return cmocka_run_group_tests_name("monitor spec", tests, NULL, NULL);
}
