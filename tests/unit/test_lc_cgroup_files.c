/*
 * test_lc_cgroup_files.c - figures from, and values into, files that stand for a group's: what this
 * machine's own groups do not have is tested, too.
 */
#define CT_LAYER "test"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-lc-files-XXXXXX";
static struct lc_group group; /* DIR/web is its group */
static struct lc_cgroup cgroup;
static struct ct_error err;

static int make_group(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-lc-files-XXXXXX", sizeof(dir));
    err = (struct ct_error){0};
    if (!mkdtemp(dir)) {
        return -1;
    }
    /* An opened mount point is not asked again what it is. */
    group = (struct lc_group){.v2 = true,
                              .controllers = ct_strdup(""),
                              .mount_point = ct_strdup(dir),
                              .path = ct_strdup("web"),
                              .mount_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
                              .dir_fd = -1};
    cgroup = (struct lc_cgroup){.layout = LC_CGROUP_V2, .groups = &group, .n = 1};
    return mkdirat(group.mount_fd, "web", 0755);
}

static int remove_group(void **state)
{
    (void)state;
    lc_group_done(&group);
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

/* One group of all controllers stands for all hierarchies. */
static void be_v1(void)
{
    free(group.controllers);
    group.controllers = ct_strdup("cpu,cpuacct,cpuset,memory,blkio,pids,hugetlb,rdma");
    group.v2 = false;
    cgroup.layout = LC_CGROUP_V1;
}

static void put(const char *file, const char *text)
{
    CT_AUTO_FREE char *path = ct_printf("%s/web/%s", dir, file);
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ct_write_all(fd, text, strlen(text)), 0);
}

static void assert_file(const char *file, const char *expected)
{
    CT_AUTO_FREE char *path = ct_printf("%s/web/%s", dir, file);
    CT_AUTO_FREE char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &text, &err) >= 0);
    assert_string_equal(text, expected);
}

static void assert_json(const json_t *document, const char *path, const char *expected)
{
    CT_AUTO_JSON json_t *wanted = ct_json_parse(expected, strlen(expected), &err);
    CT_AUTO_FREE char *text = ct_json_text(ct_json_get(document, path));

    assert_non_null(wanted);
    if (!json_equal(wanted, ct_json_get(document, path))) {
        assert_string_equal(text, expected);
    }
}

static int set(const char *text)
{
    CT_AUTO_JSON json_t *document = ct_json_parse(text, strlen(text), &err);
    struct lc_resources resources;
    struct pool pool = {0};

    assert_non_null(document);
    assert_int_equal(lc_resources_parse(document, &pool, &resources, &err), 0);
    int result = lc_cgroup_set(&cgroup, &resources, &err);
    pool_done(&pool);
    return result;
}

/* ---- figures -------------------------------------------------------------------------------- */

static void figures_of_v2(void **state)
{
    (void)state;
    put("cpu.stat", "usage_usec 15\nuser_usec 10\nsystem_usec 5\nnr_periods 3\nnr_throttled 2\n"
                    "throttled_usec 7\n");
    put("cpu.pressure", "some avg10=0.50 avg60=0.00 avg300=0.00 total=12\n");
    put("cpuset.cpus.effective", "0-2,5\n");
    put("memory.stat", "anon 100\nfile 4096\n");
    put("memory.current", "1000\n");
    put("memory.max", "max\n");
    put("memory.peak", "2000\n");
    put("memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n");
    put("memory.swap.current", "50\n");
    put("memory.swap.max", "max\n");
    put("pids.current", "2\n");
    put("pids.max", "max\n");

    CT_AUTO_JSON json_t *stats = lc_cgroup_stats(&cgroup, &err);

    assert_non_null(stats);
    assert_json(stats, "cpu",
                "{\"usage\":{\"total\":15000,\"kernel\":5000,\"user\":10000},"
                "\"throttling\":{\"periods\":3,\"throttledPeriods\":2,\"throttledTime\":7000},"
                "\"psi\":{\"some\":{\"avg10\":0.5,\"avg60\":0.0,\"avg300\":0.0,\"total\":12}}}");
    assert_json(stats, "cpuset.cpus", "[0,1,2,5]");
    assert_json(stats, "memory.usage",
                "{\"limit\":9223372036854775807,\"usage\":1000,\"max\":2000,\"failcnt\":4}");
    assert_json(stats, "memory.swap",
                "{\"limit\":9223372036854775807,\"usage\":1050,\"failcnt\":0}");
    assert_json(stats, "memory.raw", "{\"anon\":100,\"file\":4096}");
    assert_int_equal(ct_json_integer(stats, "memory.cache", 0), 4096);
    assert_json(stats, "pids", "{\"current\":2}");
    assert_json(stats, "blkio", "{}");
    assert_null(json_object_get(stats, "rdma"));
    assert_int_equal(lc_cgroup_oom_kills(&cgroup), 1);
}

static void figures_by_device_of_v2(void **state)
{
    (void)state;
    put("io.stat", "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
                   "8:0 \n");
    put("hugetlb.2MB.current", "1\n");
    put("hugetlb.2MB.rsvd.current", "4194304\n");
    put("hugetlb.2MB.events", "max 3\n");
    put("hugetlb.1GB.current", "0\n");
    put("rdma.current", "mlx5_1 hca_handle=2 hca_object=10\n");
    put("rdma.max", "mlx5_1 hca_handle=3 hca_object=max\n");

    CT_AUTO_JSON json_t *stats = lc_cgroup_stats(&cgroup, &err);

    assert_json(stats, "blkio",
                "{\"ioServiceBytesRecursive\":["
                "{\"major\":8,\"minor\":16,\"op\":\"Read\",\"value\":1459200},"
                "{\"major\":8,\"minor\":16,\"op\":\"Write\",\"value\":314773504}],"
                "\"ioServicedRecursive\":["
                "{\"major\":8,\"minor\":16,\"op\":\"Read\",\"value\":192},"
                "{\"major\":8,\"minor\":16,\"op\":\"Write\",\"value\":353}]}");
    assert_json(stats, "hugetlb",
                "{\"2MB\":{\"usage\":4194304,\"failcnt\":3},\"1GB\":{\"failcnt\":0}}");
    assert_json(stats, "rdma",
                "{\"current\":[{\"device\":\"mlx5_1\",\"hca_handles\":2,\"hca_objects\":10}],"
                "\"limit\":[{\"device\":\"mlx5_1\",\"hca_handles\":3,"
                "\"hca_objects\":4294967295}]}");
}

static void figures_of_v1(void **state)
{
    (void)state;
    be_v1();
    put("cpuacct.usage", "300\n");
    put("cpuacct.usage_percpu", "100 200 \n");
    put("cpuacct.usage_all", "cpu user system\n0 60 40\n1 150 50\n");
    put("cpuacct.usage_sys", "90\n");
    put("cpuacct.usage_user", "210\n");
    put("cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 7\n");
    put("memory.stat", "cache 4096\nrss 100\n");
    put("memory.limit_in_bytes", "5000\n");
    put("memory.usage_in_bytes", "1000\n");
    put("memory.max_usage_in_bytes", "2000\n");
    put("memory.failcnt", "4\n");
    put("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n");
    put("blkio.bfq.io_service_bytes_recursive", "Total 0\n");
    put("blkio.throttle.io_service_bytes", "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n");
    put("blkio.bfq.sectors_recursive", "8:0 8\n");
    put("hugetlb.2MB.usage_in_bytes", "7\n");
    put("hugetlb.2MB.max_usage_in_bytes", "8\n");
    put("hugetlb.2MB.failcnt", "9\n");

    CT_AUTO_JSON json_t *stats = lc_cgroup_stats(&cgroup, &err);

    assert_json(stats, "cpu",
                "{\"usage\":{\"total\":300,\"percpu\":[100,200],\"percpu_kernel\":[40,50],"
                "\"percpu_user\":[60,150],\"kernel\":90,\"user\":210},"
                "\"throttling\":{\"periods\":3,\"throttledPeriods\":2,\"throttledTime\":7}}");
    assert_json(stats, "memory.usage",
                "{\"limit\":5000,\"usage\":1000,\"max\":2000,\"failcnt\":4}");
    assert_json(stats, "blkio",
                "{\"ioServiceBytesRecursive\":["
                "{\"major\":8,\"minor\":0,\"op\":\"Read\",\"value\":4096},"
                "{\"major\":8,\"minor\":0,\"op\":\"Total\",\"value\":4096}],"
                "\"sectorsRecursive\":[{\"major\":8,\"minor\":0,\"value\":8}]}");
    assert_json(stats, "hugetlb", "{\"2MB\":{\"usage\":7,\"max\":8,\"failcnt\":9}}");
    assert_int_equal(lc_cgroup_oom_kills(&cgroup), 6);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Memory and swap together is a new value of swap alone, from the limit of memory that is there. */
static void swap_alone_goes_by_the_limit_that_is_there(void **state)
{
    (void)state;
    put("memory.max", "1000\n");
    put("memory.swap.max", "");

    assert_int_equal(set("{\"memory\":{\"swap\":1500}}"), 0);
    assert_file("memory.swap.max", "500");

    put("memory.max", "max\n");
    assert_int_equal(set("{\"memory\":{\"swap\":1500}}"), -1);
    assert_int_equal(err.kind, CT_INVALID);
}

static void no_swap_is_so_where_the_kernel_does_not_count_it(void **state)
{
    (void)state;
    put("memory.max", "");
    put("cgroup.controllers", "memory\n");

    assert_int_equal(set("{\"memory\":{\"limit\":1000,\"swap\":1000}}"), 0);
    assert_int_equal(set("{\"memory\":{\"limit\":1000,\"swap\":1001}}"), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].what,
                        "use linux.resources.memory.swap: this kernel has no 'memory.swap.max'");
}

static void weights_are_of_bfq_or_else_converted(void **state)
{
    const char *weights = "{\"blockIO\":{\"weight\":500,\"weightDevice\":[{\"major\":8,"
                          "\"minor\":0,\"weight\":1000}]}}";
    (void)state;
    put("cgroup.controllers", "io\n");

    assert_int_equal(set(weights), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);

    put("io.weight", "");
    assert_int_equal(set(weights), 0);
    assert_file("io.weight", "8:0 10000");

    put("io.bfq.weight", "");
    assert_int_equal(set("{\"blockIO\":{\"weight\":500}}"), 0);
    assert_file("io.bfq.weight", "500");
}

/* The list of devices is written without a process losing what it keeps. */
static void only_what_differs_of_the_device_rules_is_written(void **state)
{
    (void)state;
    be_v1();
    free(group.controllers);
    group.controllers = ct_strdup("devices");
    put("devices.list", "c 1:3 rwm\nc 1:5 r\nb *:* m\n");
    put("devices.allow", "");
    put("devices.deny", "");

    assert_int_equal(
        set("{\"devices\":[{\"allow\":false},"
            "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"},"
            "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5,\"access\":\"rw\"},"
            "{\"allow\":true,\"type\":\"b\",\"access\":\"m\"}]}"),
        0);

    assert_file("devices.deny", "c 1:3 wm");
    assert_file("devices.allow", "c 1:5 w");
}

static void a_link_in_the_place_of_a_file_is_not_followed(void **state)
{
    (void)state;
    CT_AUTO_FREE char *path = ct_printf("%s/web/pids.max", dir);
    CT_AUTO_CLOSE int fd = openat(group.mount_fd, "elsewhere", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(symlink("../elsewhere", path), 0);
    put("cgroup.controllers", "pids\n");

    assert_int_equal(set("{\"pids\":{\"limit\":7}}"), -1);

    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_group, remove_group)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_of_v2),
        TEST(figures_by_device_of_v2),
        TEST(figures_of_v1),
        TEST(swap_alone_goes_by_the_limit_that_is_there),
        TEST(no_swap_is_so_where_the_kernel_does_not_count_it),
        TEST(weights_are_of_bfq_or_else_converted),
        TEST(only_what_differs_of_the_device_rules_is_written),
        TEST(a_link_in_the_place_of_a_file_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
