/*
 * test_engine_request.c - a create request and an image's config become a record.
 */
#define CT_LAYER "test"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    json_t *json = ct_json_parse(text, strlen(text), &err);
    assert_non_null(json);
    return json;
}

static json_t *record_of(const char *body_text, const char *image_text, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = parse(body_text);
    CT_AUTO_JSON json_t *image = parse(image_text);
    return request_to_config(body, image, err);
}

static void assert_json(const json_t *record, const char *path, const char *expected)
{
    CT_AUTO_FREE char *text = ct_json_text(ct_json_get(record, path));
    assert_string_equal(text ? text : "nothing", expected);
}

static void the_request_wins_over_the_image_variable_by_variable(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record =
        record_of("{\"Env\":[\"A=mine\",\"C=3\"]}", "{\"Env\":[\"A=image\",\"B=2\"]}", &err);

    assert_json(record, "Config.Env", "[\"B=2\",\"A=mine\",\"C=3\"]");
}

static void an_own_entrypoint_makes_the_images_command_meaningless(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = record_of(
        "{\"Entrypoint\":[\"/bin/id\"]}", "{\"Entrypoint\":[\"/init\"],\"Cmd\":[\"serve\"]}", &err);

    assert_json(record, "Config.Entrypoint", "[\"/bin/id\"]");
    assert_json(record, "Config.Cmd", "null");
}

static void an_empty_entrypoint_removes_the_images(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record =
        record_of("{\"Entrypoint\":[\"\"],\"Cmd\":[\"ls\"]}", "{\"Entrypoint\":[\"/init\"]}", &err);

    assert_json(record, "Config.Entrypoint", "null");
    assert_json(record, "Config.Cmd", "[\"ls\"]");
}

static void an_own_command_keeps_the_images_entrypoint(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record =
        record_of("{\"Cmd\":[\"-v\"]}", "{\"Entrypoint\":[\"/app\"],\"Cmd\":[\"serve\"]}", &err);

    assert_json(record, "Config.Entrypoint", "[\"/app\"]");
    assert_json(record, "Config.Cmd", "[\"-v\"]");
}

static void a_command_may_be_one_string(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = record_of("{\"Cmd\":\"top\"}", "{}", &err);

    assert_json(record, "Config.Cmd", "[\"top\"]");
}

static void unknown_fields_are_dropped_and_wrong_types_refused_by_name(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = record_of("{\"Cmd\":[\"a\"],\"FutureField\":1}", "{}", &err);
    assert_null(ct_json_get(record, "Config.FutureField"));

    CT_AUTO_JSON json_t *refused = record_of("{\"HostConfig\":{\"Memory\":\"a lot\"}}", "{}", &err);

    assert_null(refused);
    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].layer, "engine");
    assert_string_equal(err.frame[0].what, "read field 'HostConfig.Memory': it is not an integer");
}

/* None of these is taken for nothing: who asks for a port must not get a container without it. */
static void a_wrong_type_is_named_however_deep_it_is(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"Labels\":{\"a\":1}}", "'Config.Labels.a': it is not a string"},
        {"{\"Env\":[\"A=1\",7]}", "'Config.Env[1]': it is not a string"},
        {"{\"Healthcheck\":{\"Test\":\"true\"}}", "'Config.Healthcheck.Test': it is not an array"},
        {"{\"HostConfig\":[]}", "'HostConfig': it is not an object"},
        {"{\"HostConfig\":{\"RestartPolicy\":{\"Name\":5}}}",
         "'HostConfig.RestartPolicy.Name': it is not a string"},
        {"{\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":8080}]}}}",
         "'HostConfig.PortBindings.80/tcp[0].HostPort': it is not a string"},
        {"{\"HostConfig\":{\"Mounts\":[{\"ReadOnly\":\"yes\"}]}}",
         "'HostConfig.Mounts[0].ReadOnly': it is not a boolean"},
        {"{\"HostConfig\":{\"Ulimits\":[{\"Soft\":\"1\"}]}}",
         "'HostConfig.Ulimits[0].Soft': it is not an integer"},
        {"{\"NetworkingConfig\":{\"EndpointsConfig\":{\"own\":5}}}",
         "'EndpointsConfig.own': it is not an object"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        CT_AUTO_JSON json_t *refused = record_of(wrong[i][0], "{}", &err);
        assert_null(refused);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what + strlen("read field "), wrong[i][1]);
    }
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *refused = record_of("{}", "{\"Cmd\":[5]}", &err);
    assert_null(refused);
    assert_string_equal(err.frame[0].what, "read field 'image.Config.Cmd[0]': it is not a string");
}

static void the_default_network_is_the_bridge(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record =
        record_of("{\"HostConfig\":{\"NetworkMode\":\"default\"}}", "{}", &err);

    assert_json(record, "HostConfig.NetworkMode", "\"bridge\"");
    assert_json(record, "Networks", "{\"bridge\":{}}");
}

static void a_log_driver_that_is_not_named_is_json_file(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = record_of(
        "{\"HostConfig\":{\"LogConfig\":{\"Type\":\"\",\"Config\":{\"env\":\"V\"}}}}", "{}", &err);

    assert_json(record, "HostConfig.LogConfig",
                "{\"Type\":\"json-file\",\"Config\":{\"env\":\"V\"}}");
}

/* Runs the checks over a record whose HostConfig is given; returns the refusal, "" when there is
 * none. */
static const char *refusal(const char *host_config, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = parse("{\"Cmd\":[\"true\"]}");
    CT_AUTO_JSON json_t *image = json_object();

    ct_error_clear(err);
    ct_json_set(body, "HostConfig", parse(host_config));
    CT_AUTO_JSON json_t *record = request_to_config(body, image, err);
    assert_non_null(record);
    return request_check(record, err) < 0 ? err->frame[0].what : "";
}

static void limits_that_cannot_work_are_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_string_equal(refusal("{\"Memory\":6291455}", &err),
                        "minimum memory limit allowed is 6MB");
    assert_string_equal(refusal("{\"Memory\":6291456}", &err), "");
    assert_string_equal(refusal("{\"Memory\":10485760,\"MemorySwap\":10485759}", &err),
                        "minimum memory-swap limit should be larger than memory limit");
    assert_string_equal(refusal("{\"NanoCpus\":1000000,\"CpuQuota\":1000}", &err),
                        "conflicting options: nano CPUs and CPU quota cannot both be set");
}

static void restart_policies_are_checked(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_string_equal(refusal("{\"RestartPolicy\":{\"Name\":\"sometimes\"}}", &err),
                        "invalid restart policy 'sometimes'");
    assert_string_equal(
        refusal("{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", &err),
        "can't create 'AutoRemove' container with restart policy");
    assert_string_equal(
        refusal("{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}}", &err), "");
}

static void a_container_without_a_command_is_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *record = record_of("{}", "{}", &err);

    assert_int_equal(request_check(record, &err), -1);

    assert_int_equal(err.kind, CT_INVALID);
    assert_string_equal(err.frame[0].what, "no command specified");
}

/* changes.c */

static const char *changed(const char *change, const char *path, char **ret)
{
    struct ct_error err = {0};
    const char *changes[] = {change, NULL};
    CT_AUTO_JSON json_t *config = parse("{\"Env\":[\"A=1\"],\"WorkingDir\":\"/srv\"}");

    free(*ret);
    *ret = NULL;
    if (changes_apply(config, changes, &err) < 0) {
        *ret = strdup(err.frame[0].what);
    } else {
        *ret = ct_json_text(ct_json_get(config, path));
    }
    return *ret;
}

static void dockerfile_instructions_change_the_config(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = NULL;

    assert_string_equal(changed("CMD [\"a\", \"b c\"]", "Cmd", &text), "[\"a\",\"b c\"]");
    assert_string_equal(changed("cmd echo hi", "Cmd", &text), "[\"/bin/sh\",\"-c\",\"echo hi\"]");
    assert_string_equal(changed("ENV A=2 B=\"x y\"", "Env", &text), "[\"A=2\",\"B=x y\"]");
    assert_string_equal(changed("ENV B the rest", "Env", &text), "[\"A=1\",\"B=the rest\"]");
    assert_string_equal(changed("EXPOSE 80 53/udp", "ExposedPorts", &text),
                        "{\"80/tcp\":{},\"53/udp\":{}}");
    assert_string_equal(changed("WORKDIR www", "WorkingDir", &text), "\"/srv/www\"");
    assert_string_equal(changed("LABEL a=b", "Labels", &text), "{\"a\":\"b\"}");
    assert_string_equal(changed("VOLUME [\"/data\"]", "Volumes", &text), "{\"/data\":{}}");
    assert_string_equal(changed("USER nobody", "User", &text), "\"nobody\"");
}

static void other_instructions_are_refused_by_name(void **state)
{
    (void)state;
    CT_AUTO_FREE char *text = NULL;

    assert_string_equal(changed("RUN rm -rf /", "Cmd", &text),
                        "'RUN' is not a valid change command");
    assert_string_equal(changed("CMD", "Cmd", &text), "'CMD' requires at least one argument");
    assert_string_equal(changed("ENV =x", "Env", &text), "read '=x': it is not NAME=VALUE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_wins_over_the_image_variable_by_variable),
        cmocka_unit_test(an_own_entrypoint_makes_the_images_command_meaningless),
        cmocka_unit_test(an_empty_entrypoint_removes_the_images),
        cmocka_unit_test(an_own_command_keeps_the_images_entrypoint),
        cmocka_unit_test(a_command_may_be_one_string),
        cmocka_unit_test(unknown_fields_are_dropped_and_wrong_types_refused_by_name),
        cmocka_unit_test(a_wrong_type_is_named_however_deep_it_is),
        cmocka_unit_test(the_default_network_is_the_bridge),
        cmocka_unit_test(a_log_driver_that_is_not_named_is_json_file),
        cmocka_unit_test(limits_that_cannot_work_are_refused),
        cmocka_unit_test(restart_policies_are_checked),
        cmocka_unit_test(a_container_without_a_command_is_refused),
        cmocka_unit_test(dockerfile_instructions_change_the_config),
        cmocka_unit_test(other_instructions_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
