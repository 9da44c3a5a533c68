/*
 * test_lc_cgroup_parts.c - the parts of cgroups that need no groups: finding hierarchies,
 * converting values, device rules.
 */
#define CT_LAYER "test"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- hierarchies ---------------------------------------------------------------------------- */

static bool parse_mounts(const char *text, struct lc_machine *ret)
{
    CT_AUTO_FREE char *copy = ct_strdup(text);
    return lc_machine_parse(copy, ret);
}

static void v2_alone_is_one_hierarchy(void **state)
{
    struct lc_machine machine;
    (void)state;

    assert_true(parse_mounts("22 1 0:5 / /proc rw - proc proc rw\n"
                             "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
                             "rw,nsdelegate,memory_recursiveprot\n",
                             &machine));

    assert_int_equal(machine.layout, LC_CGROUP_V2);
    assert_int_equal(machine.n, 1);
    assert_true(machine.list[0].v2);
    assert_string_equal(machine.list[0].mount_point, "/sys/fs/cgroup");
    assert_string_equal(machine.list[0].root, "/");
    lc_machine_done(&machine);
}

static void hybrid_has_controllers_by_hierarchy_and_v2_beside(void **state)
{
    struct lc_machine machine;
    (void)state;

    assert_true(parse_mounts(
        "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
        "rw,xattr,release_agent=/lib/systemd/a,name=systemd\n"
        "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup none rw,cpuset,cpuset_v2_mode\n"
        "35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        &machine));

    assert_int_equal(machine.layout, LC_CGROUP_HYBRID);
    assert_int_equal(machine.n, 4);
    assert_string_equal(machine.list[0].controllers, "cpu,cpuacct");
    assert_string_equal(machine.list[1].controllers, "name=systemd");
    assert_string_equal(machine.list[2].controllers, "cpuset");
    assert_string_equal(machine.list[3].controllers, "");
    assert_true(machine.list[3].v2);
    lc_machine_done(&machine);
}

static void a_v1_hierarchy_without_controllers_beside_v2_does_not_count(void **state)
{
    struct lc_machine machine;
    (void)state;

    assert_true(parse_mounts("30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n"
                             "33 31 0:30 / /run/systemd rw - cgroup cgroup rw,name=systemd\n",
                             &machine));

    assert_int_equal(machine.layout, LC_CGROUP_V2);
    assert_int_equal(machine.n, 1);
    assert_string_equal(machine.list[0].mount_point, "/cg");
    lc_machine_done(&machine);
}

static void of_several_mounts_the_first_that_shows_all_counts(void **state)
{
    struct lc_machine machine;
    (void)state;

    assert_true(parse_mounts("30 23 0:26 /part /one rw - cgroup cgroup rw,memory\n"
                             "31 23 0:26 / /the\\040two rw - cgroup cgroup rw,memory\n"
                             "32 23 0:26 / /three rw - cgroup cgroup rw,memory\n",
                             &machine));

    assert_int_equal(machine.layout, LC_CGROUP_V1);
    assert_int_equal(machine.n, 1);
    assert_string_equal(machine.list[0].mount_point, "/the two");
    lc_machine_done(&machine);
}

static void lines_that_are_not_of_cgroups_are_passed_over(void **state)
{
    struct lc_machine machine;
    (void)state;

    assert_false(parse_mounts("", &machine));
    assert_false(parse_mounts("30 23 0:26 / / rw - cgroupfs x rw\n30 - cgroup \n - cgroup2\n"
                              "1 2 3 - cgroup cgroup rw,cpu\n"
                              "30 23 0:26 / /a - cgroup rw\n",
                              &machine));
}

static void membership_is_what_the_mount_shows(void **state)
{
    struct lc_hierarchy memory = {.controllers = (char[]){"memory"}, .root = (char[]){"/"}};
    struct lc_hierarchy v2 = {.v2 = true, .controllers = (char[]){""}, .root = (char[]){"/a"}};
    const char *text = "9:name=systemd:/s\n4:memory:/a/b:c\n3:memory,x:/no\n0::/a/d\n";
    (void)state;
    CT_AUTO_FREE char *first = lc_membership(&memory, text);
    CT_AUTO_FREE char *second = lc_membership(&v2, text);
    assert_string_equal(first, "a/b:c");
    assert_string_equal(second, "d");
    assert_null(lc_membership(&v2, "0::/ab\n"));             /* beside, not below */
    assert_null(lc_membership(&memory, "4:memory:/../x\n")); /* outside of our namespace */
    assert_null(lc_membership(&v2, "4:memory:/a\n"));        /* not there at all */
}

/* ---- conversion ----------------------------------------------------------------------------- */

static void shares_and_weights_meet_at_both_ends_and_in_the_middle(void **state)
{
    (void)state;

    assert_int_equal(lc_v2_cpu_weight(2), 1);
    assert_int_equal(lc_v2_cpu_weight(1024), 100);
    assert_int_equal(lc_v2_cpu_weight(262144), 10000);
    for (int64_t shares = 2; shares < 262144; shares += 7) {
        assert_true(lc_v2_cpu_weight(shares) <= lc_v2_cpu_weight(shares + 7));
    }
    assert_int_equal(lc_v2_io_weight(10), 1);
    assert_int_equal(lc_v2_io_weight(1000), 10000);
    assert_int_equal(lc_v2_io_weight(500), 4950);
}

/* The settings of a document, of v1 or v2, as lines "file=value"; '?': it may lack. */
static char *settings_of(const char *text, bool v2, struct ct_error *err)
{
    struct lc_group nowhere = {.v2 = v2,
                               .controllers = (char[]){""},
                               .mount_point = (char[]){"/nowhere"},
                               .path = (char[]){"none"},
                               .mount_fd = -1,
                               .dir_fd = -1};
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), err);
    struct lc_settings settings = {0};
    struct lc_resources resources;
    struct pool pool = {0};
    char *lines = ct_strdup("");

    assert_non_null(document);
    assert_int_equal(lc_resources_parse(document, &pool, &resources, err), 0);
    int result = v2 ? lc_v2_settings(&nowhere, &resources, &settings, err)
                    : lc_v1_settings(&resources, &settings, err);
    for (size_t i = 0; i < settings.n; i++) {
        const struct lc_setting *s = &settings.list[i];
        char *longer =
            ct_printf("%s%s=%s%s%s%s%s%s\n", lines, s->file, s->value, s->may_lack ? "?" : "",
                      s->other_file ? " or " : "", s->other_file ? s->other_file : "",
                      s->other_file ? "=" : "", s->other_file ? s->other_value : "");
        free(lines);
        lines = longer;
    }
    lc_settings_done(&settings);
    pool_done(&pool);
    if (result < 0) {
        free(lines);
        return NULL;
    }
    return lines;
}

static void assert_settings(const char *document, bool v2, const char *expected)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *lines = settings_of(document, v2, &err);

    assert_non_null(lines);
    assert_string_equal(lines, expected);
}

static void assert_refused(const char *document, bool v2, enum ct_kind kind, const char *what)
{
    struct ct_error err = {0};

    assert_null(settings_of(document, v2, &err));
    assert_int_equal(err.kind, kind);
    assert_string_equal(err.frame[0].layer, "cgroup");
    assert_string_equal(err.frame[0].what, what);
}

static void memory_of_both_versions(void **state)
{
    const char *limits = "{\"memory\":{\"limit\":1000,\"swap\":1500,\"reservation\":-1}}";
    (void)state;

    assert_settings(limits, false,
                    "memory.limit_in_bytes=1000\nmemory.memsw.limit_in_bytes=1500\n"
                    "memory.soft_limit_in_bytes=-1\n");
    assert_settings(limits, true, "memory.max=1000\nmemory.low=max\nmemory.swap.max=500\n");
}

static void memory_without_limit_lifts_that_of_swap(void **state)
{
    (void)state;

    assert_settings("{\"memory\":{\"limit\":-1}}", false,
                    "memory.limit_in_bytes=-1\nmemory.memsw.limit_in_bytes=-1?\n");
    assert_settings("{\"memory\":{\"limit\":-1}}", true, "memory.max=max\nmemory.swap.max=max?\n");
    assert_settings("{\"memory\":{\"limit\":1000,\"swap\":-1}}", true,
                    "memory.max=1000\nmemory.swap.max=max?\n");
    assert_settings("{\"memory\":{\"limit\":1000,\"swap\":1000}}", true,
                    "memory.max=1000\nmemory.swap.max=0?\n");
}

static void cpu_of_both_versions(void **state)
{
    const char *limits = "{\"cpu\":{\"shares\":1024,\"quota\":5000,\"period\":10000,\"burst\":0,"
                         "\"idle\":1,\"cpus\":\"0-1\",\"mems\":\"0\"},\"pids\":{\"limit\":-1}}";
    (void)state;

    assert_settings(limits, false,
                    "cpu.shares=1024\ncpu.cfs_period_us=10000\ncpu.cfs_quota_us=5000\n"
                    "cpu.cfs_burst_us=0\ncpu.idle=1\ncpuset.cpus=0-1\ncpuset.mems=0\n"
                    "pids.max=max\n");
    assert_settings(limits, true,
                    "cpu.weight=100\ncpu.max=5000 10000\ncpu.max.burst=0\ncpu.idle=1\n"
                    "cpuset.cpus=0-1\ncpuset.mems=0\npids.max=max\n");
    assert_settings("{\"cpu\":{\"quota\":-1}}", true, "cpu.max=max\n");
    assert_settings("{\"cpu\":{\"realtimeRuntime\":1,\"realtimePeriod\":2}}", false,
                    "cpu.rt_period_us=2\ncpu.rt_runtime_us=1\n");
}

static void io_of_both_versions(void **state)
{
    const char *limits = "{\"blockIO\":{\"weight\":1000,\"throttleReadBpsDevice\":[{\"major\":8,"
                         "\"minor\":0,\"rate\":600}],\"throttleWriteIOPSDevice\":[{\"major\":8,"
                         "\"minor\":16,\"rate\":0}]}}";
    (void)state;

    assert_settings(limits, false,
                    "blkio.bfq.weight=1000 or blkio.weight=1000\n"
                    "blkio.throttle.read_bps_device=8:0 600\n"
                    "blkio.throttle.write_iops_device=8:16 0\n");
    assert_settings(
        limits, true,
        "io.bfq.weight=1000 or io.weight=10000\nio.max=8:0 rbps=600\nio.max=8:16 wiops=max\n");
}

static void each_rate_has_its_file(void **state)
{
    const char *rates = "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,"
                        "\"rate\":1}],\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,"
                        "\"rate\":2}],\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,"
                        "\"rate\":3}],\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,"
                        "\"rate\":4}]}}";
    (void)state;

    assert_settings(
        rates, false,
        "blkio.throttle.read_bps_device=8:0 1\nblkio.throttle.write_bps_device=8:0 2\n"
        "blkio.throttle.read_iops_device=8:0 3\nblkio.throttle.write_iops_device=8:0 4\n");
    assert_settings(
        rates, true,
        "io.max=8:0 rbps=1\nio.max=8:0 wbps=2\nio.max=8:0 riops=3\nio.max=8:0 wiops=4\n");
}

static void version_1_has_what_version_2_cannot(void **state)
{
    (void)state;

    assert_settings("{\"memory\":{\"kernelTCP\":1000,\"swappiness\":60,"
                    "\"disableOOMKiller\":true,\"useHierarchy\":true}}",
                    false,
                    "memory.kmem.tcp.limit_in_bytes=1000\nmemory.swappiness=60\n"
                    "memory.oom_control=1\n");
    assert_settings("{\"blockIO\":{\"leafWeight\":20,\"weightDevice\":[{\"major\":8,"
                    "\"minor\":0,\"weight\":30,\"leafWeight\":40}]}}",
                    false,
                    "blkio.leaf_weight=20\n"
                    "blkio.bfq.weight_device=8:0 30 or blkio.weight_device=8:0 30\n"
                    "blkio.leaf_weight_device=8:0 40\n");
}

static void the_rest_of_both_versions(void **state)
{
    const char *limits = "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}],"
                         "\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10000},"
                         "\"mlx4_0\":{\"hcaObjects\":1}}}";
    (void)state;

    assert_settings(
        limits, false,
        "hugetlb.2MB.limit_in_bytes=4194304\nhugetlb.2MB.rsvd.limit_in_bytes=4194304?\n"
        "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nrdma.max=mlx4_0 hca_object=1\n");
    assert_settings(
        limits, true,
        "hugetlb.2MB.max=4194304\nhugetlb.2MB.rsvd.max=4194304?\n"
        "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nrdma.max=mlx4_0 hca_object=1\n");
    assert_settings("{\"network\":{\"classID\":1048577,\"priorities\":[{\"name\":\"eth0\","
                    "\"priority\":5}]}}",
                    false, "net_cls.classid=1048577\nnet_prio.ifpriomap=eth0 5\n");
    assert_settings("{\"unified\":{\"memory.high\":\"5\",\"cgroup.max.depth\":\"3\"}}", true,
                    "memory.high=5\ncgroup.max.depth=3\n");
}

static void what_a_version_cannot_is_refused_by_name(void **state)
{
    (void)state;

    assert_refused("{\"unified\":{\"memory.high\":\"5\"}}", false, CT_INVALID,
                   "use linux.resources.unified: this machine has version 1 of cgroups");
    assert_refused("{\"memory\":{\"kernel\":1000}}", false, CT_UNSUPPORTED,
                   "use linux.resources.memory.kernel: kernels count their memory as the "
                   "container's; limit that");
    assert_refused("{\"memory\":{\"swappiness\":60}}", true, CT_UNSUPPORTED,
                   "use linux.resources.memory.swappiness: version 2 of cgroups has none for a "
                   "group");
    assert_refused("{\"memory\":{\"disableOOMKiller\":true}}", true, CT_UNSUPPORTED,
                   "use linux.resources.memory.disableOOMKiller: version 2 of cgroups cannot");
    assert_refused("{\"memory\":{\"swap\":1000}}", true, CT_INVALID,
                   "use linux.resources.memory.swap: it needs a limit of memory that is not "
                   "larger");
    assert_refused("{\"cpu\":{\"realtimeRuntime\":1}}", true, CT_UNSUPPORTED,
                   "use linux.resources.cpu.realtimeRuntime: version 2 of cgroups has no realtime "
                   "for groups");
    assert_refused("{\"network\":{\"classID\":1}}", true, CT_UNSUPPORTED,
                   "use linux.resources.network.classID: version 2 of cgroups has no controller "
                   "for it");
    assert_refused("{\"blockIO\":{\"leafWeight\":10}}", true, CT_UNSUPPORTED,
                   "use linux.resources.blockIO.leafWeight: version 2 of cgroups has no weights "
                   "for leaves");
    assert_settings("{\"memory\":{\"kernel\":-1,\"kernelTCP\":-1,\"disableOOMKiller\":false,"
                    "\"useHierarchy\":true}}",
                    true, "");
}

/* ---- device rules in v1's form -------------------------------------------------------------- */

#define ALL                                                                               \
    {                                                                                     \
        .type = 'a', .major = -1, .minor = -1, .read = true, .write = true, .mknod = true \
    }

static void a_rule_for_all_begins_anew(void **state)
{
    struct lc_device_rule rules[] = {
        {.allow = true, .type = 'c', .major = 1, .minor = 3, .read = true},
        ALL,
        {.allow = true, .type = 'c', .major = 1, .minor = 5, .read = true},
        {.allow = true, .type = 'c', .major = 1, .minor = 5, .mknod = true},
    };
    struct lc_device_list list = {0};
    struct ct_error err = {0};
    (void)state;

    assert_int_equal(lc_device_list_make(rules, 4, &list, &err), 0);
    assert_false(list.allow);
    assert_int_equal(list.n, 1);
    assert_true(list.rules[0].minor == 5 && list.rules[0].read && list.rules[0].mknod &&
                !list.rules[0].write);
    free(list.rules);
}

/* v1's kernel, and so runc, take "a" as everything whatever stands behind it. */
static void a_narrow_rule_for_both_kinds_stays_narrow(void **state)
{
    struct lc_device_rule rule = {
        .allow = true, .type = 'a', .major = 1, .minor = 3, .read = true, .write = true};
    struct lc_device_list list = {0};
    struct ct_error err = {0};
    (void)state;

    assert_int_equal(lc_device_list_make(&rule, 1, &list, &err), 0);
    assert_false(list.allow);
    assert_int_equal(list.n, 2);
    assert_true(list.rules[0].type == 'b' && list.rules[1].type == 'c');
    assert_true(list.rules[1].major == 1 && list.rules[1].minor == 3 && !list.rules[1].mknod);
    free(list.rules);
}

static void a_later_rule_takes_away_what_it_covers(void **state)
{
    struct lc_device_rule rules[] = {
        {.allow = true, .type = 'c', .major = 1, .minor = 3, .read = true, .write = true},
        {.allow = true, .type = 'c', .major = 2, .minor = 3, .read = true},
        {.allow = true, .type = 'b', .major = 1, .minor = 3, .read = true},
        {.allow = false, .type = 'c', .major = -1, .minor = 3, .read = true},
    };
    struct lc_device_list list = {0};
    struct ct_error err = {0};
    (void)state;

    assert_int_equal(lc_device_list_make(rules, 4, &list, &err), 0);
    assert_int_equal(list.n, 2);
    assert_true(list.rules[0].major == 1 && list.rules[0].write && !list.rules[0].read);
    assert_int_equal(list.rules[1].type, 'b');
    free(list.rules);
}

static void a_hole_in_a_wider_rule_is_refused(void **state)
{
    struct lc_device_rule rules[] = {
        {.allow = true, .type = 'c', .major = 1, .minor = -1, .read = true, .write = true},
        {.allow = false, .type = 'c', .major = 1, .minor = 3, .write = true},
    };
    struct lc_device_list list = {0};
    struct ct_error err = {0};
    (void)state;

    assert_int_equal(lc_device_list_make(rules, 2, &list, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].what,
                        "use linux.resources.devices: version 1 of cgroups cannot except 'c 1:3 "
                        "w' from 'c 1:* rw'");
}

/* ---- the filter's program ------------------------------------------------------------------- */

static void the_filter_of_the_comment_is_what_is_assembled(void **state)
{
    struct lc_device_rule rules[] = {
        ALL,
        {.allow = true, .type = 'c', .major = 1, .minor = 3, .read = true, .write = true},
    };
    size_t n = 0;
    CT_AUTO_FREE struct bpf_insn *code = lc_filter_assemble(rules, 2, &n);
    (void)state;

    assert_int_equal(n, 15);
    assert_int_equal(code[6].code, BPF_JMP32 | BPF_JNE | BPF_K);
    assert_int_equal(code[6].imm, BPF_DEVCG_DEV_CHAR);
    assert_int_equal(6 + 1 + code[6].off, 13); /* next: */
    assert_int_equal(code[9].imm, ~(BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
    assert_int_equal(code[11].imm, 1);
    assert_int_equal(code[12].code, BPF_JMP | BPF_EXIT);
    assert_int_equal(code[13].imm, 0);
    assert_int_equal(code[14].code, BPF_JMP | BPF_EXIT);
}

/* The kernel refuses a program with instructions that cannot be reached. */
static void what_stands_before_a_rule_for_all_is_left_out(void **state)
{
    struct lc_device_rule rules[] = {
        {.allow = false, .type = 'c', .major = 1, .minor = 3, .read = true},
        ALL,
    };
    size_t n = 0;
    rules[1].allow = true;
    CT_AUTO_FREE struct bpf_insn *code = lc_filter_assemble(rules, 2, &n);
    (void)state;

    assert_int_equal(n, 8);
    assert_int_equal(code[6].imm, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v2_alone_is_one_hierarchy),
        cmocka_unit_test(hybrid_has_controllers_by_hierarchy_and_v2_beside),
        cmocka_unit_test(a_v1_hierarchy_without_controllers_beside_v2_does_not_count),
        cmocka_unit_test(of_several_mounts_the_first_that_shows_all_counts),
        cmocka_unit_test(lines_that_are_not_of_cgroups_are_passed_over),
        cmocka_unit_test(membership_is_what_the_mount_shows),
        cmocka_unit_test(shares_and_weights_meet_at_both_ends_and_in_the_middle),
        cmocka_unit_test(memory_of_both_versions),
        cmocka_unit_test(memory_without_limit_lifts_that_of_swap),
        cmocka_unit_test(cpu_of_both_versions),
        cmocka_unit_test(io_of_both_versions),
        cmocka_unit_test(each_rate_has_its_file),
        cmocka_unit_test(version_1_has_what_version_2_cannot),
        cmocka_unit_test(the_rest_of_both_versions),
        cmocka_unit_test(what_a_version_cannot_is_refused_by_name),
        cmocka_unit_test(a_rule_for_all_begins_anew),
        cmocka_unit_test(a_narrow_rule_for_both_kinds_stays_narrow),
        cmocka_unit_test(a_later_rule_takes_away_what_it_covers),
        cmocka_unit_test(a_hole_in_a_wider_rule_is_refused),
        cmocka_unit_test(the_filter_of_the_comment_is_what_is_assembled),
        cmocka_unit_test(what_stands_before_a_rule_for_all_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
