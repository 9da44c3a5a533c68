/*
 * test_spec_host_config.c - HostConfig's kernel facilities: what makes no sense is refused by name,
 * the rest arrives in the OCI document where the specification has it.
 */
#define CT_LAYER "test"
#include "document.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

/* With ' for ". */
static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *copy = ct_strdup(text);
    for (char *c = copy; *c; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    json_t *json = ct_json_parse(copy, strlen(copy), &err);
    assert_non_null(json);
    return json;
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{'BlkioWeight':5}", "use HostConfig.BlkioWeight 5: it must be in range 10 to 1000"},
        {"{'MemorySwappiness':101}",
         "use HostConfig.MemorySwappiness 101: it must be in range 0 to 100"},
        {"{'CpuRealtimePeriod':100,'CpuRealtimeRuntime':200}",
         "use HostConfig.CpuRealtimeRuntime 200: it must be in range 1 to 100"},
        {"{'PidMode':'container:'}", "use HostConfig.PidMode 'container:': there is no such mode"},
        {"{'IpcMode':'nonsense'}", "use HostConfig.IpcMode 'nonsense': there is no such mode"},
        {"{'CgroupnsMode':'container:x'}",
         "use HostConfig.CgroupnsMode 'container:x': there is no such mode"},
        {"{'MaskedPaths':['proc']}", "use HostConfig.MaskedPaths: 'proc' is no absolute path"},
        {"{'BlkioWeightDevice':[{'Path':'/dev/x','Weight':1001}]}",
         "use HostConfig.BlkioWeightDevice: '/dev/x' with Weight 1001"},
        {"{'BlkioDeviceReadBps':[{'Path':'x','Rate':1}]}",
         "use HostConfig.BlkioDeviceReadBps: 'x' with Rate 1"},
        {"{'DeviceCgroupRules':['c 1:3']}", "invalid device cgroup rule format: 'c 1:3'"},
        {"{'DeviceCgroupRules':['d 1:3 rwm']}", "invalid device cgroup rule format: 'd 1:3 rwm'"},
        {"{'DeviceCgroupRules':['c 1*:3 rwm']}", "invalid device cgroup rule format: 'c 1*:3 rwm'"},
        {"{'DeviceCgroupRules':['c 1:3 rwm ']}", "invalid device cgroup rule format: 'c 1:3 rwm '"},
        {"{'CgroupParent':'a/../../b'}",
         "use HostConfig.CgroupParent 'a/../../b': it is no path below /sys/fs/cgroup"},
        {"{'SecurityOpt':['seccomp={']}", "read the seccomp profile"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        CT_AUTO_JSON json_t *host = parse(wrong[i][0]);
        assert_int_equal(spec_check_host(host, &err), -1);
        assert_string_equal(err.frame[err.depth - 1].what, wrong[i][1]);
    }
}

static json_t *document_of(json_t *host, struct ct_error *err)
{
    static const char *const argv[] = {"true", NULL};
    static const char *const env[] = {NULL};
    const struct exec_spec spec = {.id = "ab",
                                   .rootfs = "/",
                                   .hostname = "x",
                                   .program = {.argv = argv, .env = env, .cwd = "/"},
                                   .limits = {.host_config = host},
                                   .join_pid_of = "/proc/7/ns/pid",
                                   .host_config = host};
    return spec_document(&spec, err);
}

static void assert_at(const json_t *document, const char *path, const char *wanted)
{
    CT_AUTO_JSON json_t *value = parse(wanted);
    if (!json_equal(ct_json_get(document, path), value)) {
        CT_AUTO_FREE char *text = ct_json_text(ct_json_get(document, path));
        fail_msg("%s is %s", path, text);
    }
}

static void each_arrives_where_oci_has_it(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *host =
        parse("{'BlkioWeight':100,'MemorySwappiness':0,'OomKillDisable':true,"
              "'CpuRealtimePeriod':1000,'CpuRealtimeRuntime':500,'CgroupParent':'p/q',"
              "'CgroupnsMode':'host','Annotations':{'a':'b'},'MaskedPaths':[],"
              "'ReadonlyPaths':['/x'],'DeviceCgroupRules':['b *:3 rw']}");
    assert_int_equal(spec_check_host(host, &err), 0);

    CT_AUTO_JSON json_t *document = document_of(host, &err);

    assert_non_null(document);
    assert_at(document, "linux.resources.blockIO", "{'weight':100}");
    assert_at(document, "linux.resources.memory", "{'swappiness':0,'disableOOMKiller':true}");
    assert_at(document, "linux.resources.cpu", "{'realtimePeriod':1000,'realtimeRuntime':500}");
    assert_at(document, "annotations", "{'a':'b'}");
    assert_at(document, "linux.maskedPaths", "[]");
    assert_at(document, "linux.readonlyPaths", "['/x']");
    assert_string_equal(ct_json_string(document, "linux.cgroupsPath", ""), "/p/q/cutaway-ab");
    assert_at(document, "linux.namespaces",
              "[{'type':'mount'},{'type':'network'},{'type':'pid','path':'/proc/7/ns/pid'},"
              "{'type':'ipc'},{'type':'uts'}]");
    const json_t *rules = ct_json_get(document, "linux.resources.devices");
    CT_AUTO_JSON json_t *rule = parse("{'allow':true,'type':'b','minor':3,'access':'rw'}");
    assert_true(json_equal(json_array_get(rules, json_array_size(rules) - 1), rule));
}

static void a_limit_of_what_is_no_block_device_is_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *host = parse("{'BlkioDeviceReadBps':[{'Path':'/dev/null','Rate':1}]}");

    CT_AUTO_JSON json_t *document = document_of(host, &err);

    assert_null(document);
    assert_string_equal(err.frame[0].what,
                        "limit the block device '/dev/null': it is not a block device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_no_sense_is_refused_by_name),
        cmocka_unit_test(each_arrives_where_oci_has_it),
        cmocka_unit_test(a_limit_of_what_is_no_block_device_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
