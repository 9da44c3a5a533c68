/*
 * test_wire_status.c - errors as gRPC's codes and google.rpc.Status, and back; a message as a line.
 *
 * Room:       tests/unit. Covers wire/status.c and wire/words.c.
 */
#include "status.h"
#include "words.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void each_kind_has_a_code_that_a_caller_can_branch_on(void **state)
{
    (void)state;
    static const enum ct_kind exact[] = {CT_INVALID,     CT_NOT_FOUND, CT_EXISTS,
                                         CT_CONFLICT,    CT_DENIED,    CT_UNSUPPORTED,
                                         CT_UNREACHABLE, CT_TIMEOUT,   CT_SYSTEM};

    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        assert_int_equal(wire_kind_of_code((int)wire_code_of_kind(exact[i])), exact[i]);
    }
    assert_int_equal(wire_code_of_kind(CT_NOT_FOUND), 5);
    assert_int_equal(wire_code_of_kind(CT_CONFLICT), 9);
    assert_int_equal(wire_code_of_kind((enum ct_kind)99), 2);
    assert_int_equal(wire_kind_of_code(-1), CT_SYSTEM);
    assert_int_equal(wire_kind_of_code(17), CT_SYSTEM);
}

static void a_chain_crosses_with_all_its_frames(void **state)
{
    (void)state;
    struct ct_error sent = {0}, got = {0};
    (void)ct_error_set(&sent, "cgroup", CT_SYSTEM, 28, "create cgroup '%s'", "web");
    (void)ct_error_push(&sent, "shim", "start '%s'", "web");
    (void)ct_hint(&sent, "raise cgroup.max.descendants");

    Google__Rpc__Status *status = wire_status_new(&sent);
    assert_int_equal(wire_status_to_error(status, "peer", &got), -1);

    assert_int_equal(status->code, 2);
    assert_string_equal(status->message,
                        "start 'web': cgroup: create cgroup 'web': No space left on "
                        "device (ENOSPC); try: raise cgroup.max.descendants");
    assert_memory_equal(&got, &sent, sizeof(got));
    wire_status_free(status);
}

static void a_strangers_text_is_kept_whole_and_says_whose_it_is(void **state)
{
    (void)state;
    char line[4096];
    char text[] =
        "failed to create shim task: OCI runtime create failed: runc create failed: unable "
        "to start container process: exec: \"/a/long/path/to/a/program/that/is/not/there\": "
        "stat /a/long/path/to/a/program/that/is/not/there: no such file or directory: unknown";
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    struct ct_error err = {0};
    status.code = 5;
    status.message = text;

    assert_int_equal(wire_status_to_error(&status, "containerd", &err), -1);

    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[0].layer, "containerd");
    assert_true(err.depth > 1);
    assert_string_equal(ct_error_render(&err, line, sizeof(line)), text);
}

static void a_text_without_end_is_cut_and_nothing_is_no_text(void **state)
{
    (void)state;
    char text[8192];
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    struct ct_error err = {0};
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = ": "[i % 2];
    }
    text[sizeof(text) - 1] = '\0';
    status.code = 99;
    status.message = text;

    assert_int_equal(wire_status_to_error(&status, "shim", &err), -1);
    assert_int_equal(err.depth, CT_ERROR_DEPTH);
    assert_int_equal(err.kind, CT_SYSTEM);

    status.message = (char *)protobuf_c_empty_string;
    assert_int_equal(wire_status_to_error(&status, "shim", &err), -1);
    assert_string_equal(err.frame[0].what, "the call ended with code 99");
}

static void a_detail_that_is_no_error_of_ours_is_passed_over(void **state)
{
    (void)state;
    Google__Protobuf__Any detail = GOOGLE__PROTOBUF__ANY__INIT, *details[] = {&detail};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    struct ct_error err = {0};
    static const char *const values[] = {"{\"kind\":\"none\"}", "{", "[]", ""};
    detail.type_url = (char *)WIRE_ERROR_TYPE;
    status.code = 6;
    status.message = (char *)"it is there";
    status.details = details;
    status.n_details = 1;

    for (size_t i = 0; i < 4; i++) {
        detail.value = (ProtobufCBinaryData){strlen(values[i]), (uint8_t *)(uintptr_t)values[i]};
        assert_int_equal(wire_status_to_error(&status, "containerd", &err), -1);
        assert_int_equal(err.kind, CT_EXISTS);
        assert_string_equal(err.frame[0].what, "it is there");
    }
}

static void no_status_and_ok_are_no_error(void **state)
{
    (void)state;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    struct ct_error err = {0};

    assert_int_equal(wire_status_to_error(NULL, "shim", &err), 0);
    assert_int_equal(wire_status_to_error(&status, "shim", &err), 0);
    assert_int_equal(err.kind, CT_NONE);
}

static void a_messages_words_numbers_and_parts_are_told(void **state)
{
    (void)state;
    Containerd__Services__Tasks__V1__KillRequest kill =
        CONTAINERD__SERVICES__TASKS__V1__KILL_REQUEST__INIT;
    Containerd__Services__Containers__V1__Container web =
        CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
    Containerd__Services__Containers__V1__CreateContainerRequest create =
        CONTAINERD__SERVICES__CONTAINERS__V1__CREATE_CONTAINER_REQUEST__INIT;
    Google__Protobuf__Any packed = GOOGLE__PROTOBUF__ANY__INIT;
    char much[300];

    kill.container_id = (char *)"web";
    kill.signal = 9;
    kill.all = 1;
    memset(much, 'x', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    web.id = (char *)"web";
    web.image = much;
    packed.type_url = (char *)"a/b";
    web.spec = &packed;
    create.container = &web;

    CT_AUTO_FREE char *killed = wire_words("Tasks", "Kill", &kill.base);
    CT_AUTO_FREE char *created = wire_words("Containers", "Create", &create.base);
    assert_string_equal(killed, "Tasks/Kill container_id=web signal=9 all=true");
    assert_memory_equal(created, "Containers/Create container.id=web container.image=xxx", 54);
    assert_string_equal(created + strlen(created) - 4, "x…");
    assert_true(strlen(created) < 200);
    assert_null(strstr(created, "a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_a_code_that_a_caller_can_branch_on),
        cmocka_unit_test(a_chain_crosses_with_all_its_frames),
        cmocka_unit_test(a_strangers_text_is_kept_whole_and_says_whose_it_is),
        cmocka_unit_test(a_text_without_end_is_cut_and_nothing_is_no_text),
        cmocka_unit_test(a_detail_that_is_no_error_of_ours_is_passed_over),
        cmocka_unit_test(no_status_and_ok_are_no_error),
        cmocka_unit_test(a_messages_words_numbers_and_parts_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
