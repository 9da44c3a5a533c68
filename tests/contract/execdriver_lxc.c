/*
 * execdriver_lxc.c - what only a driver of real containers can promise: namespaces, mounts, users,
 * limits, and what a container may not do.
 *
 * Runs on:    execdriver/lxc, as root. PROBE names probe.c's program.
 */
#define CT_LAYER "test"
#include "execdriver_world.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const all[] = {"ALL", NULL};

static void add_probe(const struct world *world)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *program = NULL;
    ssize_t length = ct_read_file_at(AT_FDCWD, getenv("PROBE"), 8u << 20, &program, &err);

    assert_true(length > 0);
    world_file(world, "bin/probe", program, (size_t)length, 0755);
}

static void assert_refused(struct world *world, enum ct_kind kind, const char *part)
{
    struct ct_error err = {0};

    assert_null(exec_create(&world->spec, WORLD_TIMEOUT_MS, &err));
    assert_int_equal(err.kind, kind);
    assert_has(world_line(&err), part);
}

/* ---- user and power ------------------------------------------------------------------------- */

static void the_user_and_its_groups_are_set(void **state)
{
    struct world *world = *state;
    const gid_t groups[] = {20, 30};
    world->spec.program.uid = 1000;
    world->spec.program.gid = 1001;
    world->spec.program.groups = groups;
    world->spec.program.n_groups = 2;
    world_script(world, "id; echo again >/dev/stdout");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "uid=1000 gid=1001 groups=20,30\nagain\n");
}

static void a_user_without_any_capability_runs(void **state)
{
    struct world *world = *state;
    world->spec.program.uid = 1000;
    world->spec.program.gid = 1000;
    world->spec.cap_drop = all;
    world_script(world, "id -u; grep Cap /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "1000\n");
    assert_has(text, "CapPrm:\t0000000000000000\n");
    assert_has(text, "CapBnd:\t0000000000000000\n");
}

static void capabilities_are_dockers_by_default(void **state)
{
    struct world *world = *state;
    world_script(world, "grep -E 'Cap|NoNew' /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "CapInh:\t0000000000000000\n"); /* CVE-2022-24769 */
    assert_has(text, "CapPrm:\t00000000a80425fb\n");
    assert_has(text, "CapEff:\t00000000a80425fb\n");
    assert_has(text, "CapBnd:\t00000000a80425fb\n");
    assert_has(text, "CapAmb:\t0000000000000000\n");
    assert_has(text, "NoNewPrivs:\t0\n");
}

static void capabilities_are_added_and_dropped(void **state)
{
    struct world *world = *state;
    const char *const add[] = {"NET_ADMIN", "CAP_CHOWN", NULL};
    world->spec.cap_add = add;
    world->spec.cap_drop = all;
    world->spec.no_new_privileges = true;
    world_script(world, "grep -E 'Cap|NoNew' /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "CapEff:\t0000000000001001\n");
    assert_has(text, "CapBnd:\t0000000000001001\n");
    assert_has(text, "NoNewPrivs:\t1\n");
}

static void an_unknown_capability_is_refused(void **state)
{
    struct world *world = *state;
    const char *const add[] = {"FLY", NULL};
    world->spec.cap_add = add;

    assert_refused(world, CT_INVALID, "use the capability 'FLY': there is none of this name");
}

static void a_privileged_container_has_all_power(void **state)
{
    struct world *world = *state;
    add_probe(world);
    world->spec.privileged = true;
    world_script(world, "test -c /dev/kmsg && echo kmsg; probe mount unshare keyctl; echo 5 "
                        ">/proc/sys/vm/laptop_mode && echo rw; "
                        "echo 0 >/proc/sys/vm/laptop_mode; grep Seccomp: /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "kmsg\nmount ok\nunshare ok\nkeyctl ok\nrw\n");
    assert_has(text, "Seccomp:\t0\n");
}

/* ---- seccomp -------------------------------------------------------------------------------- */

static void system_calls_with_a_past_are_refused(void **state)
{
    struct world *world = *state;
    add_probe(world);
    world_script(
        world, "probe clone-user clone3 unshare setns mount pivot-root af-alg inet inet-32 keyctl "
               "add-key bpf perf userfaultfd io-uring kexec; "
               "grep Seccomp: /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "clone-user EPERM\nclone3 ENOSYS\nunshare EPERM\nsetns EPERM\n"
                              "mount EPERM\npivot-root EPERM\naf-alg EAFNOSUPPORT\ninet ok\n"
                              "inet-32 ok\nkeyctl EPERM\nadd-key EPERM\nbpf EPERM\nperf EPERM\n"
                              "userfaultfd EPERM\nio-uring EPERM\nkexec EPERM\nSeccomp:\t2\n");
}

static void an_exec_is_under_the_same_filter_and_capabilities(void **state)
{
    struct world *world = *state;
    int code = 0;
    add_probe(world);
    world_script(world, "sleep 1000");
    world_start(world);
    struct exec_program program = world_program(
        world, "probe keyctl unshare af-alg; grep -E 'Cap|Seccomp:' /proc/self/status");

    CT_AUTO_FREE char *text = world_exec(world, &program, &code);

    assert_has(text, "keyctl EPERM\nunshare EPERM\naf-alg EAFNOSUPPORT\n");
    assert_has(text, "CapInh:\t0000000000000000\n");
    assert_has(text, "CapEff:\t00000000a80425fb\n");
    assert_has(text, "CapBnd:\t00000000a80425fb\n");
    assert_has(text, "Seccomp:\t2\n");
}

static void seccomp_can_be_left_out(void **state)
{
    struct world *world = *state;
    add_probe(world);
    world->spec.seccomp = "unconfined";
    world_script(world, "probe keyctl; grep Seccomp: /proc/self/status");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "keyctl ok\nSeccomp:\t0\n");
}

static void another_seccomp_profile_is_refused_by_name(void **state)
{
    struct world *world = *state;
    world->spec.seccomp = "/etc/mine.json";

    assert_refused(world, CT_UNSUPPORTED, "03-libcontainer");
}

/* ---- what it sees --------------------------------------------------------------------------- */

static void names_are_its_own(void **state)
{
    struct world *world = *state;
    world->spec.hostname = "my-box";
    world->spec.domainname = "example.org";
    world_script(world, "hostname; cat /proc/sys/kernel/domainname");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "my-box\nexample.org\n");
}

static void a_line_end_in_a_name_does_not_become_configuration(void **state)
{
    struct world *world = *state;
    world->spec.hostname = "a\nlxc.cap.keep =";

    assert_refused(world, CT_INVALID, "set lxc.uts.name to 'a?lxc.cap.keep =': it has control");
}

/* Numbers of the kernel's first disk, whatever its name is and whether or not /dev shows it. */
static void find_disk(unsigned *ret_major, unsigned *ret_minor)
{
    CT_AUTO_FILE FILE *partitions = fopen("/proc/partitions", "re");

    assert_non_null(partitions);
    assert_int_equal(fscanf(partitions, "%*[^0-9]%u %u", ret_major, ret_minor), 2);
}

static void devices_are_the_usual_ones_and_no_other_can_be_used(void **state)
{
    struct world *world = *state;
    unsigned major = 0, minor = 0;
    CT_AUTO_FREE char *script = NULL;
    find_disk(&major, &minor);
    script =
        ct_printf("for d in null zero full random urandom tty ptmx; do test -c /dev/$d || echo "
                  "no $d; done; head -c 2 /dev/zero | wc -c; echo x >/dev/full; "
                  "mknod /dev/disk b %u %u && head -c 1 /dev/disk; "
                  "ls -d /dev/pts /dev/shm /dev/mqueue /dev/fd /dev/stdin",
                  major, minor);
    world_script(world, script);

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_null(strstr(text, "no "));
    assert_has(text, "2\n");
    assert_has(text, "No space left on device");
    assert_has(text, "/dev/disk: Operation not permitted");
    assert_has(text, "/dev/fd\n/dev/mqueue\n/dev/pts\n/dev/shm\n/dev/stdin\n");
}

static void a_device_is_given(void **state)
{
    struct world *world = *state;
    const char *const devices[] = {"/dev/kmsg:/dev/log/messages:r", NULL};
    world->spec.devices = devices;
    world_script(world, "test -c /dev/log/messages && echo there; "
                        "echo x 2>/dev/null >/dev/log/messages || echo not to be written");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "there\n");
    assert_has(text, "not to be written\n");
}

static void shared_memory_has_the_size_asked_for(void **state)
{
    struct world *world = *state;
    world->spec.shm_size_bytes = 3 << 20;
    world_script(world,
                 "grep ' /dev/shm ' /proc/mounts; dd if=/dev/zero of=/dev/shm/a bs=1M count=4");

    CT_AUTO_FREE char *text = world_run(world, 1);

    assert_has(text, "size=3072k");
    assert_has(text, "nosuid,nodev,noexec");
    assert_has(text, "No space left on device");
}

static void host_information_is_masked_and_kernel_settings_are_read_only(void **state)
{
    struct world *world = *state;
    world_script(
        world,
        "for f in /proc/kcore /proc/timer_list /proc/keys /proc/sched_debug; do "
        "test ! -e $f || wc -c <$f; done; ls /sys/firmware | wc -l; "
        "for f in /proc/sys/kernel/panic /proc/sys/net/ipv4/ip_forward /proc/irq/x "
        "/proc/bus/x /proc/fs/x /sys/kernel/mm/ksm/run; do echo 1 >$f && echo WRITTEN $f; done;"
        "if test -e /proc/sysrq-trigger; then echo h >/proc/sysrq-trigger && echo WRITTEN; fi; "
        "true");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_null(strstr(text, "WRITTEN"));
    assert_has(text, "can't create /proc/sys/kernel/panic: Read-only file system");
    assert_has(text, "can't create /sys/kernel/mm/ksm/run: Read-only file system");
    for (const char *line = text; line && *line == '0'; line = strchr(line, '\n') + 1) {
        assert_memory_equal(line, "0\n", 2); /* nothing to be read */
    }
}

static void a_read_only_root_cannot_be_written(void **state)
{
    struct world *world = *state;
    const struct exec_mount mounts[] = {
        {.source = "tmpfs", .target = "/tmp/t", .type = "tmpfs", .options = "size=1m,mode=1777"}};
    world->spec.rootfs_readonly = true;
    world->spec.mounts = mounts;
    world->spec.n_mounts = 1;
    world_script(world, "touch /etc/x; touch /tmp/t/y && ls /tmp/t; touch /dev/shm/z && echo shm");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "touch: /etc/x: Read-only file system\ny\nshm\n");
}

static void mounts_are_made_in_order_with_their_options(void **state)
{
    struct world *world = *state;
    CT_AUTO_FREE char *dir = ct_join(world->dir, "with blank #1");
    CT_AUTO_FREE char *file = ct_join(dir, "file");
    struct ct_error err = {0};
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(ct_create_file_at(AT_FDCWD, file, "inside\n", 7, 0644, &err), 0);
    const struct exec_mount mounts[] = {
        {.source = dir, .target = "/data", .type = "bind", .options = "ro"},
        {.source = "tmpfs", .target = "/work", .type = "tmpfs", .options = "size=64k,noexec"},
        {.source = dir, .target = "/work/deep/er", .type = "bind", .options = ""},
        {.source = file, .target = "/etc/one file", .type = "bind", .options = "ro"}};
    world->spec.mounts = mounts;
    world->spec.n_mounts = 4;
    world_script(world,
                 "cat /data/file; touch /data/x; touch /work/deep/er/new; cat '/etc/one file'; "
                 "grep ' /work ' /proc/mounts");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "inside\ntouch: /data/x: Read-only file system\ninside\n");
    assert_has(text, "noexec");
    assert_has(text, "size=64k");
    CT_AUTO_FREE char *made = ct_join(dir, "new");
    assert_int_equal(access(made, F_OK), 0);
}

static void a_mount_target_follows_symlinks_inside_the_root_only(void **state)
{
    struct world *world = *state;
    CT_AUTO_FREE char *absolute = ct_printf("%s/outside", world->rootfs);
    CT_AUTO_FREE char *up = ct_printf("%s/var", world->rootfs);
    assert_int_equal(symlink("/mnt", absolute), 0);
    assert_int_equal(symlink("../../../../../../etc", up), 0);
    const struct exec_mount mounts[] = {
        {.source = "tmpfs", .target = "/outside/a", .type = "tmpfs", .options = "size=4k"},
        {.source = "tmpfs", .target = "/var/b", .type = "tmpfs", .options = "size=4k"}};
    world->spec.mounts = mounts;
    world->spec.n_mounts = 2;
    world_script(world, "grep -c -E ' /(mnt/a|etc/b) tmpfs .*size=4k' /proc/mounts");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "2\n");
    assert_int_not_equal(access("/mnt/a", F_OK), 0); /* the host's own: untouched */
    assert_int_not_equal(access("/etc/b", F_OK), 0);
}

static void a_mount_without_source_is_refused(void **state)
{
    struct world *world = *state;
    const struct exec_mount mounts[] = {
        {.source = "/no/such", .target = "/data", .type = "bind", .options = ""}};
    world->spec.mounts = mounts;
    world->spec.n_mounts = 1;

    assert_refused(world, CT_NOT_FOUND, "mount '/no/such' on '/data': No such file");
}

static void a_terminal_is_the_controlling_one_and_has_a_name(void **state)
{
    struct world *world = *state;
    CT_AUTO_CLOSE int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    char name[64];
    assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
    CT_AUTO_CLOSE int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    world->spec.program.terminal = true;
    for (int i = 0; i < 3; i++) {
        world->spec.program.stdio[i] = slave;
    }
    world_script(world, "tty; echo to the terminal >/dev/tty; echo done");
    world_start(world);

    int code = world_end(world);

    char text[512] = "";
    size_t length = 0;
    while (!strstr(text, "done\r\n")) { /* each read gives what one write wrote */
        ssize_t n = read(master, text + length, sizeof(text) - 1 - length);
        assert_true(n > 0);
        length += (size_t)n;
    }
    assert_string_equal(text, "/dev/console\r\nto the terminal\r\ndone\r\n");
    assert_int_equal(code, 0);
}

/* ---- namespaces ----------------------------------------------------------------------------- */

static void namespaces_are_its_own_unless_shared(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"net", "pid", "ipc", "uts", "mnt", "cgroup"};
    world_script(world, "for n in net pid ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done");

    CT_AUTO_FREE char *text = world_run(world, 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char host[64] = "";
        CT_AUTO_FREE char *path = ct_printf("/proc/self/ns/%s", names[i]);
        assert_true(readlink(path, host, sizeof(host) - 1) > 0);
        assert_null(strstr(text, host));
    }
}

static void the_hosts_namespaces_are_shared_when_asked(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"net", "pid", "ipc", "uts"};
    world->spec.host_network = world->spec.host_pid = true;
    world->spec.host_ipc = world->spec.host_uts = true;
    world_script(world, "for n in net pid ipc uts; do readlink /proc/self/ns/$n; done");

    CT_AUTO_FREE char *text = world_run(world, 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char host[64] = "";
        CT_AUTO_FREE char *path = ct_printf("/proc/self/ns/%s", names[i]);
        assert_true(readlink(path, host, sizeof(host) - 1) > 0);
        assert_has(text, host);
    }
}

static void with_the_hosts_pids_everything_still_ends_together(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world->spec.host_pid = true;
    world_script(world, "sleep 1000 & echo up; wait");
    world_start(world);
    world_wait_for(world, "up");

    assert_int_equal(exec_delete(world->job, &err), 0);
    world->job = NULL;

    CT_AUTO_FREE char *rest = world_output(world); /* ends: the sleep holds it no longer */
    assert_string_equal(rest, "");
}

static void the_network_of_another_container_is_joined(void **state)
{
    struct world *world = *state;
    struct world *other = NULL;
    char wanted[64] = "";
    assert_int_equal(world_init((void **)&other), 0);
    world_script(other, "sleep 1000");
    world_start(other);
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/ns/net", (int)exec_pid(other->job));
    assert_true(readlink(path, wanted, sizeof(wanted) - 1) > 0);
    world->spec.join_network_of = path;
    world_script(world, "readlink /proc/self/ns/net");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, wanted);
    assert_int_equal(world_done((void **)&other), 0);
}

static void sysctls_of_its_namespaces_are_set_and_others_refused(void **state)
{
    struct world *world = *state;
    const char *const good[] = {"net.ipv4.ip_forward=1", "kernel.msgmax=4242", NULL};
    const char *const bad[] = {"kernel.panic=1", NULL};
    world->spec.sysctls = good;
    world_script(world, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_string_equal(text, "1\n4242\n");
    world->spec.sysctls = bad;
    world->spec.id = "another";
    assert_refused(world, CT_INVALID, "set the sysctl 'kernel.panic=1'");
}

static void its_own_control_group_is_seen_and_cannot_be_written(void **state)
{
    struct world *world = *state;
    world_script(world, "find /sys/fs/cgroup -name 'cutaway-*' | wc -l; "
                        "for f in $(find /sys/fs/cgroup -name cgroup.procs); do "
                        "mkdir ${f%cgroup.procs}x && echo made; done; true");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_memory_equal(text, "0\n", 2); /* nothing above it */
    assert_has(text, "Read-only file system");
    assert_null(strstr(text, "made"));
}

/* ---- limits --------------------------------------------------------------------------------- */

static void ulimits_are_set(void **state)
{
    struct world *world = *state;
    const struct exec_ulimit limits[] = {{"nofile", 123, 456}, {"core", 0, -1}};
    world->spec.ulimits = limits;
    world->spec.n_ulimits = 2;
    world_script(world, "grep -E 'open files|core file' /proc/self/limits");

    CT_AUTO_FREE char *text = world_run(world, 0);

    assert_has(text, "Max core file size        0                    unlimited");
    assert_has(text, "Max open files            123                  456");
}

static void memory_beyond_the_limit_ends_the_program_and_is_known(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    struct exec_stats stats = {0};
    add_probe(world);
    world->spec.limits.memory_max_bytes = 32 << 20;
    world->spec.limits.memory_swap_max_bytes = 32 << 20;
    world_argv(world, "/bin/probe", "memory", NULL);

    free(world_run(world, 137));

    assert_int_equal(exec_stats(world->job, &stats, &err), 0);
    assert_true(stats.oom_killed);
}

static void a_killed_program_is_not_taken_for_out_of_memory(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    struct exec_stats stats = {0};
    world_script(world, "sleep 1000");
    world_start(world);
    assert_int_equal(exec_signal(world->job, SIGKILL, &err), 0);
    assert_int_equal(world_end(world), 137);

    assert_int_equal(exec_stats(world->job, &stats, &err), 0);

    assert_false(stats.oom_killed);
}

static void limits_are_set_and_changed_while_it_runs(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    struct exec_stats stats = {0};
    world->spec.limits = (struct exec_limits){.memory_max_bytes = 64 << 20,
                                              .memory_swap_max_bytes = 128 << 20,
                                              .cpu_quota_us = 50000,
                                              .cpu_shares = 512,
                                              .cpuset_cpus = "0",
                                              .pids_max = 20};
    world_script(world, "echo up; sleep 1000");
    world_start(world);
    world_wait_for(world, "up");

    assert_int_equal(exec_stats(world->job, &stats, &err), 0);
    assert_int_equal(stats.memory_limit_bytes, 64 << 20);
    assert_int_equal(stats.pids_limit, 20);

    const struct exec_limits larger = {
        .memory_max_bytes = 256 << 20, .memory_swap_max_bytes = 512 << 20, .pids_max = 30};
    if (exec_update(world->job, &larger, &err) < 0) {
        fail_msg("%s", world_line(&err));
    }
    assert_int_equal(exec_stats(world->job, &stats, &err), 0);
    assert_int_equal(stats.memory_limit_bytes, 256 << 20);
    assert_int_equal(stats.pids_limit, 30);

    const struct exec_limits smaller = {.memory_max_bytes = 32 << 20,
                                        .memory_swap_max_bytes = 48 << 20};
    assert_int_equal(exec_update(world->job, &smaller, &err), 0);
    assert_int_equal(exec_stats(world->job, &stats, &err), 0);
    assert_int_equal(stats.memory_limit_bytes, 32 << 20);
    assert_int_equal(stats.pids_limit, 30);
}

static void too_many_processes_are_refused_by_the_kernel(void **state)
{
    struct world *world = *state;
    world->spec.limits.pids_max = 5;
    world_script(world, "i=0; while [ $i -lt 9 ]; do sleep 100 & i=$((i+1)); done; echo made");

    CT_AUTO_FREE char *text = world_run(world, 2);

    assert_has(text, "can't fork");
}

static void a_limit_that_makes_no_sense_is_refused(void **state)
{
    struct world *world = *state;
    world->spec.limits.cpuset_cpus = "0\nlxc.cap.keep =";

    assert_refused(world, CT_INVALID, "it is not a list such as 0-3,5");
}

/* ---- exec ----------------------------------------------------------------------------------- */

static void an_exec_runs_as_its_user_with_groups(void **state)
{
    struct world *world = *state;
    const gid_t groups[] = {7, 8};
    int code = 0;
    world_script(world, "sleep 1000");
    world_start(world);
    struct exec_program program = world_program(world, "id; grep Cap /proc/self/status");
    program.uid = 5;
    program.gid = 6;

    CT_AUTO_FREE char *without = world_exec(world, &program, &code);
    program.groups = groups;
    program.n_groups = 2;
    CT_AUTO_FREE char *with = world_exec(world, &program, &code);

    assert_has(without, "uid=5 gid=6\n");
    assert_has(without, "CapEff:\t0000000000000000\n");
    assert_has(with, "uid=5 gid=6 groups=7,8\n");
    assert_has(with, "CapEff:\t0000000000000000\n");
    assert_has(with, "CapInh:\t0000000000000000\n");
}

static void an_exec_with_groups_works_without_capabilities(void **state)
{
    struct world *world = *state;
    const gid_t groups[] = {7};
    int code = 0;
    world->spec.cap_drop = all;
    world_script(world, "sleep 1000");
    world_start(world);
    struct exec_program program = world_program(world, "id; grep Cap /proc/self/status");
    program.groups = groups;
    program.n_groups = 1;

    CT_AUTO_FREE char *text = world_exec(world, &program, &code);

    assert_has(text, "groups=7\n");
    assert_has(text, "CapPrm:\t0000000000000000\n");
    assert_has(text, "CapBnd:\t0000000000000000\n");
}

static void a_privileged_exec_has_all_capabilities(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int code = 0;
    world_script(world, "sleep 1000");
    world_start(world);
    struct exec_program program = world_program(world, "grep Cap /proc/self/status");
    program.cap_add = all;

    CT_AUTO_FREE char *text = world_exec(world, &program, &code);

    CT_AUTO_FREE char *status = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, "/proc/self/status", 8192, &status, &err) > 0);
    const char *ours = strstr(status, "CapBnd:"); /* nobody can have more than the host's root */
    CT_AUTO_FREE char *all_there_are = ct_printf("CapEff%.*s", 18, ours + 6);
    assert_has(text, all_there_are);
    assert_has(text, "CapInh:\t0000000000000000\n");
}

static void a_working_directory_through_a_descriptor_is_refused(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    world_script(world, "sleep 1000");
    world_start(world);

    for (int fd = 3; fd < 65; fd++) { /* CVE-2024-21626 */
        CT_AUTO_FREE char *cwd = ct_printf("/proc/self/fd/%d", fd);
        struct exec_program program = world_program(world, "pwd");
        program.cwd = cwd;
        program.stdio[1] = program.stdio[2] = world->null_fd;
        assert_null(exec_run(world->job, &program, WORLD_TIMEOUT_MS, &err));
        assert_true(err.kind == CT_NO_PROGRAM || err.kind == CT_CANNOT_RUN);
        assert_has(world_line(&err), "enter the working directory");
        ct_error_clear(&err);
    }
}

/* ---- LXC itself ----------------------------------------------------------------------------- */

static void a_missing_root_is_told_in_lxcs_own_words(void **state)
{
    struct world *world = *state;
    CT_AUTO_FREE char *nowhere = ct_join(world->dir, "nowhere");
    world->spec.rootfs = nowhere;

    assert_refused(world, CT_SYSTEM, "start LXC: lxc: ");
}

static void a_missing_lxc_is_told_with_the_way_to_get_it(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *path = ct_strdup(getenv("PATH"));
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);

    assert_null(exec_create(&world->spec, WORLD_TIMEOUT_MS, &err));

    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(err.kind, CT_UNSUPPORTED); /* not 127: that is for the container's program */
    assert_string_equal(err.hint, "install LXC: apt-get install lxc");
}

/* CVE-2019-5736: what newcomers run is never a file of the host's that could be overwritten. */
static void no_process_inside_shows_a_program_of_the_hosts(void **state)
{
    struct world *world = *state;
    int code = 0;
    const gid_t groups[] = {1}; /* lets sysinit stay longer */
    world->spec.privileged = true;
    world_script(world, "while :; do for p in /proc/[0-9]*; do readlink $p/exe; done; done");
    world_start(world);

    for (int i = 0; i < 10; i++) {
        struct exec_program program = world_program(world, "true");
        program.groups = groups;
        program.n_groups = 1;
        free(world_exec(world, &program, &code));
        assert_int_equal(code, 0);
    }

    struct ct_error err = {0};
    assert_int_equal(exec_kill_all(world->job, &err), 0);
    CT_AUTO_FREE char *text = world_output(world);
    char *position = NULL;
    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        if (strcmp(line, "/bin/busybox") != 0 && strncmp(line, "/memfd:", 7) != 0) {
            fail_msg("a process inside runs '%s'", line);
        }
    }
}

static pid_t parent_of(pid_t pid)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/stat", (int)pid);
    CT_AUTO_FREE char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &text, &err) > 0);
    return (pid_t)strtol(strrchr(text, ')') + 4, NULL, 10);
}

static void a_killed_lxc_start_takes_the_container_along_and_the_status_is_lost(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int status = 0;
    world_script(world, "sleep 1000");
    world_start(world);

    assert_int_equal(kill(parent_of(exec_pid(world->job)), SIGKILL), 0);

    assert_int_equal(ct_wait_readable(exec_wait_fd(world->job), -1, WORLD_TIMEOUT_MS, &err), 1);
    assert_int_equal(exec_result(world->job, &status, &err), -1);
    assert_int_equal(err.kind, CT_UNREACHABLE);
}

/* The process that holds the job is killed; the program runs on, and this one adopts it. */
static void a_job_survives_the_process_that_made_it(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    int tell[2], kept = -1, status = 0;
    world_script(world, "while :; do echo tick; sleep 0.05; done");
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t holder = fork();
    if (holder == 0) {
        exec_keep(world->output, 1);
        struct exec_job *job = exec_create(&world->spec, WORLD_TIMEOUT_MS, &err);
        if (!job || exec_start(job, WORLD_TIMEOUT_MS, &err) < 0) {
            _exit(1);
        }
        CT_AUTO_FREE char *saved = ct_json_text(exec_save(job));
        (void)ct_write_all(tell[1], saved, strlen(saved) + 1);
        (void)raise(SIGKILL);
    }
    char text[4096] = "";
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_true(WIFSIGNALED(status));
    assert_true(read(tell[0], text, sizeof(text) - 1) > 0);
    CT_AUTO_JSON json_t *saved = ct_json_parse(text, strlen(text), &err);
    ct_cleanup_close(&world->output[0]); /* ours goes: only lxc-start still holds the read end */
    ct_cleanup_close(&world->output[1]);

    world->job = exec_adopt(saved, &kept, 1, &err);
    if (!world->job) {
        fail_msg("adopt: %s", world_line(&err));
    }

    world->output[0] = kept;
    world->output[1] = -1;
    for (int i = 0; i < 3; i++) {
        world_wait_for(world, "tick\n");
    }
    assert_int_equal(exec_signal(world->job, SIGKILL, &err), 0);
    assert_int_equal(world_end(world), 137);
    ct_cleanup_close(&tell[0]);
    ct_cleanup_close(&tell[1]);
}

static void a_time_out_leaves_nothing_behind(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};

    assert_null(exec_create(&world->spec, 1, &err)); /* world_done() looks for what is left */

    assert_int_equal(err.kind, CT_TIMEOUT);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_init, world_done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_user_and_its_groups_are_set),
        WORLD_TEST(a_user_without_any_capability_runs),
        WORLD_TEST(capabilities_are_dockers_by_default),
        WORLD_TEST(capabilities_are_added_and_dropped),
        WORLD_TEST(an_unknown_capability_is_refused),
        WORLD_TEST(a_privileged_container_has_all_power),
        WORLD_TEST(system_calls_with_a_past_are_refused),
        WORLD_TEST(an_exec_is_under_the_same_filter_and_capabilities),
        WORLD_TEST(seccomp_can_be_left_out),
        WORLD_TEST(another_seccomp_profile_is_refused_by_name),
        WORLD_TEST(names_are_its_own),
        WORLD_TEST(a_line_end_in_a_name_does_not_become_configuration),
        WORLD_TEST(devices_are_the_usual_ones_and_no_other_can_be_used),
        WORLD_TEST(a_device_is_given),
        WORLD_TEST(shared_memory_has_the_size_asked_for),
        WORLD_TEST(host_information_is_masked_and_kernel_settings_are_read_only),
        WORLD_TEST(a_read_only_root_cannot_be_written),
        WORLD_TEST(mounts_are_made_in_order_with_their_options),
        WORLD_TEST(a_mount_target_follows_symlinks_inside_the_root_only),
        WORLD_TEST(a_mount_without_source_is_refused),
        WORLD_TEST(a_terminal_is_the_controlling_one_and_has_a_name),
        WORLD_TEST(namespaces_are_its_own_unless_shared),
        WORLD_TEST(the_hosts_namespaces_are_shared_when_asked),
        WORLD_TEST(with_the_hosts_pids_everything_still_ends_together),
        WORLD_TEST(the_network_of_another_container_is_joined),
        WORLD_TEST(sysctls_of_its_namespaces_are_set_and_others_refused),
        WORLD_TEST(its_own_control_group_is_seen_and_cannot_be_written),
        WORLD_TEST(ulimits_are_set),
        WORLD_TEST(memory_beyond_the_limit_ends_the_program_and_is_known),
        WORLD_TEST(a_killed_program_is_not_taken_for_out_of_memory),
        WORLD_TEST(limits_are_set_and_changed_while_it_runs),
        WORLD_TEST(too_many_processes_are_refused_by_the_kernel),
        WORLD_TEST(a_limit_that_makes_no_sense_is_refused),
        WORLD_TEST(an_exec_runs_as_its_user_with_groups),
        WORLD_TEST(an_exec_with_groups_works_without_capabilities),
        WORLD_TEST(a_privileged_exec_has_all_capabilities),
        WORLD_TEST(a_working_directory_through_a_descriptor_is_refused),
        WORLD_TEST(a_missing_lxc_is_told_with_the_way_to_get_it),
        WORLD_TEST(no_process_inside_shows_a_program_of_the_hosts),
        WORLD_TEST(a_missing_root_is_told_in_lxcs_own_words),
        WORLD_TEST(a_killed_lxc_start_takes_the_container_along_and_the_status_is_lost),
        WORLD_TEST(a_job_survives_the_process_that_made_it),
        WORLD_TEST(a_time_out_leaves_nothing_behind),
    };
    if (geteuid() != 0) {
        print_message("skipped: LXC needs root\n");
        return 77; /* meson: skipped */
    }
    return cmocka_run_group_tests_name("execdriver-lxc", tests, NULL, NULL);
}
