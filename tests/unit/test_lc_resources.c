/*
 * test_lc_resources.c - "linux.resources" taken apart: what is read, and what is refused by name.
 */
#define CT_LAYER "test"
#include "linux_resources.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What one test holds; the document lives as long as what was parsed from it. */
static json_t *document;
static struct pool pool;
static struct lc_resources resources;
static struct ct_error err;

static int release(void **state)
{
    (void)state;
    json_decref(document);
    document = NULL;
    pool_done(&pool);
    err = (struct ct_error){0};
    return 0;
}

static int parse(const char *text)
{
    document = ct_json_parse(text, strlen(text), &err);
    assert_non_null(document);
    return lc_resources_parse(document, &pool, &resources, &err);
}

static void assert_refused(const char *text, const char *what)
{
    assert_int_equal(parse(text), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].layer, "config");
    assert_string_equal(err.frame[0].what, what);
    (void)release(NULL);
}

static void assert_set(struct lc_optional optional, int64_t value)
{
    assert_true(optional.is_set);
    assert_int_equal(optional.value, value);
}

static void nothing_given_is_nothing_set(void **state)
{
    (void)state;

    assert_int_equal(lc_resources_parse(NULL, &pool, &resources, &err), 0);
    assert_false(resources.memory.limit.is_set);

    assert_int_equal(parse("{\"memory\":{},\"cpu\":{\"cpus\":\"\"},\"devices\":[],\"pids\":null}"),
                     0);
    assert_false(resources.memory.limit.is_set);
    assert_null(resources.cpu.cpus);
    assert_int_equal(resources.n_devices, 0);
}

static void memory_has_its_numbers_and_switches(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"memory\":{\"limit\":536870912,\"reservation\":-1,\"swap\":536870912,"
                           "\"kernelTCP\":4096,\"swappiness\":0,\"disableOOMKiller\":true,"
                           "\"useHierarchy\":false,\"checkBeforeUpdate\":true}}"),
                     0);

    assert_set(resources.memory.limit, 536870912);
    assert_set(resources.memory.reservation, -1);
    assert_set(resources.memory.swap, 536870912);
    assert_set(resources.memory.kernel_tcp, 4096);
    assert_set(resources.memory.swappiness, 0);
    assert_false(resources.memory.kernel.is_set);
    assert_true(resources.memory.disable_oom_killer);
    assert_true(resources.memory.has_use_hierarchy);
    assert_false(resources.memory.use_hierarchy);
    assert_true(resources.memory.check_before_update);
}

static void zero_is_not_set_where_it_makes_no_sense(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"memory\":{\"limit\":0,\"swap\":0},\"pids\":{\"limit\":0},"
                           "\"cpu\":{\"shares\":0,\"quota\":0,\"idle\":0,\"burst\":0,"
                           "\"realtimeRuntime\":0},\"network\":{\"classID\":0},"
                           "\"blockIO\":{\"weight\":0}}"),
                     0);

    assert_false(resources.memory.limit.is_set);
    assert_false(resources.memory.swap.is_set);
    assert_false(resources.pids_limit.is_set);
    assert_false(resources.cpu.shares.is_set);
    assert_false(resources.cpu.quota.is_set);
    assert_false(resources.io.weight.is_set);
    assert_set(resources.cpu.idle, 0);
    assert_set(resources.cpu.burst, 0);
    assert_set(resources.cpu.realtime_runtime, 0);
    assert_set(resources.network.class_id, 0);
}

/* A number over 2^63 comes as a real one (fields.h). */
static void swappiness_of_all_bits_is_not_set(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"memory\":{\"swappiness\":18446744073709551615.0}}"), 0);
    assert_false(resources.memory.swappiness.is_set);
}

static void cpu_has_its_numbers_and_lists(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"cpu\":{\"shares\":1024,\"quota\":1000000,\"burst\":1000000,"
                           "\"period\":500000,\"realtimeRuntime\":950000,"
                           "\"realtimePeriod\":1000000,\"cpus\":\"2-3,5\",\"mems\":\"0-7\","
                           "\"idle\":1},\"pids\":{\"limit\":-1}}"),
                     0);

    assert_set(resources.cpu.shares, 1024);
    assert_set(resources.cpu.quota, 1000000);
    assert_set(resources.cpu.burst, 1000000);
    assert_set(resources.cpu.period, 500000);
    assert_set(resources.cpu.realtime_runtime, 950000);
    assert_set(resources.cpu.realtime_period, 1000000);
    assert_string_equal(resources.cpu.cpus, "2-3,5");
    assert_string_equal(resources.cpu.mems, "0-7");
    assert_set(resources.cpu.idle, 1);
    assert_set(resources.pids_limit, -1);
}

static void a_device_rule_that_names_nothing_is_for_all(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\","
                           "\"major\":10,\"minor\":229,\"access\":\"rw\"}]}"),
                     0);

    assert_int_equal(resources.n_devices, 2);
    const struct lc_device_rule *all = &resources.devices[0], *one = &resources.devices[1];
    assert_true(!all->allow && all->read && all->write && all->mknod);
    assert_int_equal(all->type, 'a');
    assert_int_equal(all->major, -1);
    assert_int_equal(all->minor, -1);
    assert_true(one->allow && one->read && one->write && !one->mknod);
    assert_int_equal(one->type, 'c');
    assert_int_equal(one->major, 10);
    assert_int_equal(one->minor, 229);
}

static void block_io_has_weights_and_rates(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"blockIO\":{\"weight\":10,\"leafWeight\":20,\"weightDevice\":["
                           "{\"major\":8,\"minor\":16,\"leafWeight\":300}],"
                           "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":600}],"
                           "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":1,"
                           "\"rate\":18446744073709551615.0}]}}"),
                     0);

    assert_set(resources.io.weight, 10);
    assert_set(resources.io.leaf_weight, 20);
    assert_int_equal(resources.io.n_weights, 1);
    assert_int_equal(resources.io.weights[0].device.minor, 16);
    assert_false(resources.io.weights[0].weight.is_set);
    assert_set(resources.io.weights[0].leaf_weight, 300);
    assert_int_equal(resources.io.read_bps.n, 1);
    assert_int_equal(resources.io.read_bps.list[0].rate, 600);
    assert_int_equal(resources.io.write_bps.n, 0);
    assert_true(resources.io.write_iops.list[0].rate == UINT64_MAX);
}

static void what_has_names_of_its_own_stays_in_the_document(void **state)
{
    (void)state;

    assert_int_equal(parse("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":209715200}],"
                           "\"network\":{\"classID\":1048577,\"priorities\":["
                           "{\"name\":\"eth0\",\"priority\":500}]},"
                           "\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}},"
                           "\"unified\":{\"memory.high\":\"max\"}}"),
                     0);

    assert_int_equal(json_array_size(resources.hugepages), 1);
    assert_set(resources.network.class_id, 1048577);
    assert_int_equal(json_array_size(resources.network.priorities), 1);
    assert_non_null(json_object_get(resources.rdma, "mlx5_1"));
    assert_non_null(json_object_get(resources.unified, "memory.high"));
}

static void values_out_of_range_are_refused_by_name(void **state)
{
    (void)state;

    assert_refused("{\"memory\":{\"limit\":-2}}",
                   "linux.resources.memory.limit: it must be a whole number from -1 to "
                   "9223372036854775807");
    assert_refused("{\"memory\":{\"swappiness\":101}}",
                   "linux.resources.memory.swappiness: it must be from 0 to 100");
    assert_refused("{\"memory\":{\"limit\":2000,\"swap\":1000}}",
                   "linux.resources.memory.swap: it is memory plus swap, so not less than limit");
    assert_refused("{\"memory\":{\"limit\":-1,\"swap\":1000}}",
                   "linux.resources.memory.swap: it is memory plus swap, so not less than limit");
    assert_refused("{\"cpu\":{\"shares\":1}}",
                   "linux.resources.cpu.shares: it must be from 2 to 262144");
    assert_refused("{\"cpu\":{\"idle\":2}}",
                   "linux.resources.cpu.idle: it must be a whole number from 0 to 1");
    assert_refused("{\"cpu\":{\"quota\":1000,\"burst\":2000}}",
                   "linux.resources.cpu.burst: it must not be larger than quota");
    assert_refused("{\"blockIO\":{\"weight\":9}}",
                   "linux.resources.blockIO.weight: it must be from 10 to 1000");
    assert_refused("{\"network\":{\"classID\":4294967296}}",
                   "linux.resources.network.classID: it must be a whole number from 0 to "
                   "4294967295");
}

static void wrong_types_and_missing_fields_are_refused_by_name(void **state)
{
    (void)state;

    assert_refused("[]", "linux.resources: it must be an object");
    assert_refused("{\"memory\":[]}", "linux.resources.memory: it must be an object");
    assert_refused("{\"devices\":[{\"type\":\"c\"}]}",
                   "linux.resources.devices[0].allow: it must be there");
    assert_refused("{\"devices\":[{\"allow\":true,\"type\":\"u\"}]}",
                   "linux.resources.devices[0].type: 'u' is none of 'a' … 'c'");
    assert_refused("{\"devices\":[{\"allow\":true,\"access\":\"rx\"}]}",
                   "linux.resources.devices[0].access: 'rx' is not made of r, w and m");
    assert_refused("{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}}",
                   "linux.resources.blockIO.weightDevice[0]: it must have weight or leafWeight");
    assert_refused("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"rate\":1}]}}",
                   "linux.resources.blockIO.throttleReadBpsDevice[0].minor: it must be there");
    assert_refused("{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1}]}}",
                   "linux.resources.blockIO.throttleReadBpsDevice[0].rate: it must be there");
    assert_refused("{\"rdma\":{\"mlx5_1\":{}}}",
                   "linux.resources.rdma.mlx5_1: it must have hcaHandles or hcaObjects");
}

/* What is written into a group is one file and one line, whatever a name has in it. */
static void names_that_would_be_another_file_or_line_are_refused(void **state)
{
    (void)state;

    assert_refused("{\"unified\":{\"../x.y\":\"1\"}}",
                   "linux.resources.unified: '../x.y' is no file such as memory.high");
    assert_refused("{\"unified\":{\"..\":\"1\"}}",
                   "linux.resources.unified: '..' is no file such as memory.high");
    assert_refused("{\"unified\":{\"memory.high\":1}}",
                   "linux.resources.unified.memory.high: it must be a string");
    assert_refused("{\"hugepageLimits\":[{\"pageSize\":\"2MB/../x\",\"limit\":1}]}",
                   "linux.resources.hugepageLimits[0].pageSize: '2MB/../x' is not a size such as "
                   "2MB");
    assert_refused("{\"network\":{\"priorities\":[{\"name\":\"a b\",\"priority\":1}]}}",
                   "linux.resources.network.priorities[0].name: 'a b' is no name of a device");
    assert_refused("{\"rdma\":{\"a\\nb\":{\"hcaHandles\":1}}}",
                   "linux.resources.rdma: 'a?b' is no name of a device");
    assert_refused("{\"cpu\":{\"cpus\":\"0\\n1\"}}",
                   "linux.resources.cpu.cpus: '0?1' is not a list such as 0-3,5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_given_is_nothing_set, release),
        cmocka_unit_test_teardown(memory_has_its_numbers_and_switches, release),
        cmocka_unit_test_teardown(zero_is_not_set_where_it_makes_no_sense, release),
        cmocka_unit_test_teardown(swappiness_of_all_bits_is_not_set, release),
        cmocka_unit_test_teardown(cpu_has_its_numbers_and_lists, release),
        cmocka_unit_test_teardown(a_device_rule_that_names_nothing_is_for_all, release),
        cmocka_unit_test_teardown(block_io_has_weights_and_rates, release),
        cmocka_unit_test_teardown(what_has_names_of_its_own_stays_in_the_document, release),
        cmocka_unit_test_teardown(values_out_of_range_are_refused_by_name, release),
        cmocka_unit_test_teardown(wrong_types_and_missing_fields_are_refused_by_name, release),
        cmocka_unit_test_teardown(names_that_would_be_another_file_or_line_are_refused, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
