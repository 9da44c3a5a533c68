/*
 * test_wire_grpc.c - remote calls: a server and a client in one process, over a real socket.
 *
 * Room:       tests/unit. Covers wire/grpc*.c. The services are containerd's, the answers are made
 *             up.
 */
#include "cleanup.h"
#include "grpc.h"
#include "grpc_parts.h"
#include "path.h"

#include "containerd_api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSION (&containerd__services__version__v1__version__descriptor)
#define CONTENT (&containerd__services__content__v1__content__descriptor)
#define EVENTS  (&containerd__services__events__v1__events__descriptor)

/* ---- a server ------------------------------------------------------------------------------- */

struct world {
    char dir[32];
    char *path;
    struct grpc_server *server;
    struct grpc_client *client;
    int gate;  /* readable: who waits in Subscribe may go on */
    int ended; /* an eventfd: counts calls of Subscribe that were cancelled */
};

static int version(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    Containerd__Services__Version__V1__VersionResponse *answer = response;
    const char *name = grpc_metadata(call, "containerd-namespace");

    (void)request;
    if (name && strcmp(name, "bad") == 0) {
        (void)ct_error_set(err, "disk", CT_NOT_FOUND, 2, "open '%s'", "größe %");
        return ct_error_push(err, "store", "look up '%s'", "x");
    }
    answer->version = pool_keep(grpc_pool(call), ct_strdup(name ? name : "none"));
    return 0;
}

/* Sends back what it gets, with its length as the offset. */
static int echo(struct grpc_call *call, struct ct_error *err)
{
    ProtobufCMessage *message = NULL;
    int more;

    while ((more = grpc_receive(
                call, &containerd__services__content__v1__write_content_request__descriptor,
                &message, err)) > 0) {
        Containerd__Services__Content__V1__WriteContentRequest *got = (void *)message;
        Containerd__Services__Content__V1__WriteContentResponse answer =
            CONTAINERD__SERVICES__CONTENT__V1__WRITE_CONTENT_RESPONSE__INIT;
        answer.offset = (int64_t)got->data.len;
        answer.digest = got->ref;
        int sent = grpc_send(call, &answer, err);
        protobuf_c_message_free_unpacked(message, NULL);
        if (sent < 0) {
            return -1;
        }
    }
    return more;
}

/* Waits for the gate, or for its caller to leave. */
static int wait_for_gate(struct grpc_call *call, struct ct_error *err)
{
    struct world *world = grpc_context(call);
    struct pollfd fds[] = {{.fd = world->gate, .events = POLLIN},
                           {.fd = grpc_cancel_fd(call, err), .events = POLLIN}};
    uint64_t one = 1;

    if (poll(fds, 2, 30000) > 0 && fds[1].revents) {
        (void)!write(world->ended, &one, sizeof(one));
        return ct_error_set(err, "test", CT_UNREACHABLE, 0, "the caller left");
    }
    return 0;
}

static int refuse(struct grpc_call *call, struct ct_error *err)
{
    const char *name = grpc_metadata(call, "containerd-namespace");
    return name && strcmp(name, "refused") == 0
               ? ct_error_set(err, "test", CT_CONFLICT, 0, "namespace is required")
               : 0;
}

static const struct grpc_method version_methods[] = {{"Version", version, NULL}};
static const struct grpc_method content_methods[] = {{"Write", NULL, echo}};
static const struct grpc_method events_methods[] = {{"Subscribe", NULL, wait_for_gate}};
static const struct grpc_service version_service = {VERSION, version_methods, 1};
static const struct grpc_service content_service = {CONTENT, content_methods, 1};
static const struct grpc_service events_service = {EVENTS, events_methods, 1};
static const struct grpc_service *const services[] = {&version_service, &content_service,
                                                      &events_service};

static void serve(struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ct_error err = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)strcpy(address.sun_path, world->path);
    (void)unlink(world->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 64), 0);
    world->server = grpc_server_open(fd, services, 3, refuse, world, &err);
    assert_non_null(world->server);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct ct_error err = {0};

    (void)strcpy(world->dir, "/tmp/grpc-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    world->path = ct_join(world->dir, "s");
    world->gate = eventfd(0, EFD_CLOEXEC);
    world->ended = eventfd(0, EFD_CLOEXEC);
    serve(world);
    world->client = grpc_client_open(world->path, "peer", &err);
    assert_non_null(world->client);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    grpc_client_close(world->client);
    grpc_server_close(world->server);
    (void)unlink(world->path);
    (void)rmdir(world->dir);
    (void)close(world->gate);
    (void)close(world->ended);
    free(world->path);
    free(world);
    return 0;
}

/* The answer of Version in a namespace (NULL: none), or NULL (err). Owned. */
static char *ask_version(struct world *world, const char *name, struct ct_error *err)
{
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    const struct grpc_header headers[] = {{"containerd-namespace", name}};
    ProtobufCMessage *message = NULL;

    if (grpc_unary(world->client, VERSION, "Version", headers, name ? 1 : 0, 20000, &request,
                   &message, err) < 0) {
        return NULL;
    }
    char *text =
        ct_strdup(((Containerd__Services__Version__V1__VersionResponse *)message)->version);
    protobuf_c_message_free_unpacked(message, NULL);
    return text;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void a_call_crosses_with_its_metadata(void **state)
{
    struct ct_error err = {0};

    for (int i = 0; i < 300; i++) {
        CT_AUTO_FREE char *name = ct_printf("space-%d", i);
        CT_AUTO_FREE char *got = ask_version(*state, name, &err);
        assert_non_null(got);
        assert_string_equal(got, name);
    }
}

static void an_error_comes_back_with_its_whole_chain(void **state)
{
    struct ct_error err = {0};

    assert_null(ask_version(*state, "bad", &err));

    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_int_equal(err.sys, 2);
    assert_int_equal(err.depth, 2);
    assert_string_equal(err.frame[0].layer, "disk");
    assert_string_equal(err.frame[0].what, "open 'größe %'");
    assert_string_equal(err.frame[1].what, "look up 'x'");
}

static void what_is_asked_before_each_call_can_refuse_it(void **state)
{
    struct ct_error err = {0};

    assert_null(ask_version(*state, "refused", &err));

    assert_int_equal(err.kind, CT_CONFLICT);
    assert_string_equal(err.frame[0].what, "namespace is required");
}

static void unknown_services_and_methods_are_named(void **state)
{
    struct world *world = *state;
    Google__Protobuf__Empty request = GOOGLE__PROTOBUF__EMPTY__INIT;
    ProtobufCMessage *message = NULL;
    struct ct_error err = {0};

    assert_int_equal(
        grpc_unary(world->client, CONTENT, "Abort", NULL, 0, 20000, &request, &message, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_string_equal(err.frame[0].what,
                        "unknown method Abort for service containerd.services.content.v1.Content");

    assert_int_equal(grpc_unary(world->client,
                                &containerd__services__leases__v1__leases__descriptor, "Create",
                                NULL, 0, 20000, &request, &message, &err),
                     -1);
    assert_string_equal(err.frame[0].what,
                        "unknown service containerd.services.leases.v1.Leases/Create");
}

static void nobody_there_is_unreachable_and_a_new_server_is_found(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *before = ask_version(world, NULL, &err);
    assert_string_equal(before, "none");

    grpc_server_close(world->server);
    (void)unlink(world->path);
    assert_null(ask_version(world, NULL, &err));
    assert_int_equal(err.kind, CT_UNREACHABLE);

    serve(world);
    CT_AUTO_FREE char *after = ask_version(world, NULL, &err);
    assert_string_equal(after, "none");
}

/* ---- streams -------------------------------------------------------------------------------- */

static struct grpc_call *begin_write(struct world *world)
{
    struct ct_error err = {0};
    struct grpc_call *call = grpc_begin(world->client, CONTENT, "Write", NULL, 0, 60000, &err);

    assert_non_null(call);
    return call;
}

static int send_bytes(struct grpc_call *call, size_t length, struct ct_error *err)
{
    Containerd__Services__Content__V1__WriteContentRequest message =
        CONTAINERD__SERVICES__CONTENT__V1__WRITE_CONTENT_REQUEST__INIT;
    CT_AUTO_FREE uint8_t *data = calloc(1, length + 1);

    message.ref = (char *)"r";
    message.data = (ProtobufCBinaryData){length, data};
    return grpc_send(call, &message, err);
}

/* The offset of the next answer; -1: there is none. */
static int64_t next_offset(struct grpc_call *call)
{
    ProtobufCMessage *message = NULL;
    struct ct_error err = {0};
    int64_t offset = -1;

    if (grpc_receive(call, &containerd__services__content__v1__write_content_response__descriptor,
                     &message, &err) > 0) {
        offset = ((Containerd__Services__Content__V1__WriteContentResponse *)message)->offset;
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return offset;
}

static void messages_of_all_sizes_go_both_ways_in_order(void **state)
{
    static const size_t sizes[] = {0, 1, 16379, 16384, 70000, 1 << 20, (16 << 20) - 64};
    struct grpc_call *call = begin_write(*state);
    struct ct_error err = {0};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(send_bytes(call, sizes[i], &err), 0);
        assert_int_equal(next_offset(call), sizes[i]);
    }
    grpc_send_end(call);
    assert_int_equal(next_offset(call), -1);
    assert_int_equal(grpc_end(call, &err), 0);
}

/* Two megabytes of answers wait while nobody reads; then all of them are there. */
static void who_does_not_read_makes_the_other_wait_and_loses_nothing(void **state)
{
    struct grpc_call *slow = begin_write(*state), *quick;
    struct ct_error err = {0};

    for (int i = 0; i < 5000; i++) {
        assert_int_equal(send_bytes(slow, 400, &err), 0);
    }
    quick = begin_write(*state);
    assert_int_equal(send_bytes(quick, 7, &err), 0);
    assert_int_equal(next_offset(quick), 7);
    grpc_abort(quick);
    grpc_send_end(slow);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(next_offset(slow), 400);
    }
    assert_int_equal(grpc_end(slow, &err), 0);
}

static void a_message_over_the_limit_is_refused_by_both_sides(void **state)
{
    struct grpc_call *call = begin_write(*state);
    struct ct_error err = {0};
    size_t length;
    uint8_t header[FRAME_HEADER];
    struct bytes bytes = {0};

    assert_int_equal(send_bytes(call, GRPC_MESSAGE_MAX, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    grpc_abort(call);

    frame_header(header, GRPC_MESSAGE_MAX + 1);
    bytes_add(&bytes, header, sizeof(header));
    assert_int_equal(frame_look(&bytes, GRPC_MESSAGE_MAX, &length, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    bytes_done(&bytes);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static struct grpc_call *begin_wait(struct world *world, int timeout_ms)
{
    struct ct_error err = {0};
    struct grpc_call *call =
        grpc_begin(world->client, EVENTS, "Subscribe", NULL, 0, timeout_ms, &err);

    assert_non_null(call);
    grpc_send_end(call);
    return call;
}

static void calls_that_wait_hold_nobody_up(void **state)
{
    struct world *world = *state;
    struct grpc_call *waiting[100];
    struct ct_error err = {0};
    uint64_t one = 1;

    for (int i = 0; i < 100; i++) {
        waiting[i] = begin_wait(world, -1);
    }
    CT_AUTO_FREE char *got = ask_version(world, "a", &err);
    assert_string_equal(got, "a");
    assert_int_equal(write(world->gate, &one, sizeof(one)), sizeof(one));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(grpc_end(waiting[i], &err), 0);
    }
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
    struct world *world = *state;
    struct grpc_call *call = begin_wait(world, 50);
    struct ct_error err = {0};
    uint64_t count = 0;

    assert_int_equal(grpc_end(call, &err), -1);

    assert_int_equal(err.kind, CT_TIMEOUT);
    assert_int_equal(read(world->ended, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 1);
}

static void a_server_that_closes_cancels_what_waits(void **state)
{
    struct world *world = *state;
    struct grpc_call *call = begin_wait(world, -1);
    struct ct_error err = {0};
    free(ask_version(world, "a", &err)); /* so the call has arrived, too */

    grpc_server_close(world->server);
    assert_int_equal(grpc_end(call, &err), -1);

    assert_int_equal(err.kind, CT_UNREACHABLE);
    serve(world);
}

/* ---- strangers ------------------------------------------------------------------------------ */

static void bytes_that_are_no_http2_end_their_connection_alone(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ct_error err = {0};
    char answer[256];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)strcpy(address.sun_path, world->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);

    assert_true(write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) == 27);
    while (read(fd, answer, sizeof(answer)) > 0) { /* its settings, then the end */
    }
    (void)close(fd);

    CT_AUTO_FREE char *got = ask_version(world, "a", &err);
    assert_string_equal(got, "a");
}

static void headers_over_the_limit_end_their_call_alone(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *value = malloc(GRPC_HEADERS_MAX + 1);
    memset(value, 'a', GRPC_HEADERS_MAX);
    value[GRPC_HEADERS_MAX] = '\0';

    assert_null(ask_version(world, value, &err));
    assert_int_equal(err.kind, CT_UNREACHABLE);
    CT_AUTO_FREE char *got = ask_version(world, "a", &err);
    assert_string_equal(got, "a");
}

/* ---- values of headers ---------------------------------------------------------------------- */

static void timeouts_are_read_in_all_units(void **state)
{
    (void)state;
    char text[16];

    assert_int_equal(timeout_parse("29999888u"), 29999888000);
    assert_int_equal(timeout_parse("5S"), 5000000000);
    assert_int_equal(timeout_parse("99999999H"), INT64_MAX / 2);
    assert_int_equal(timeout_parse("0n"), 0);
    assert_int_equal(timeout_parse(""), -1);
    assert_int_equal(timeout_parse("5"), -1);
    assert_int_equal(timeout_parse("S"), -1);
    assert_int_equal(timeout_parse("-5S"), -1);
    assert_int_equal(timeout_parse("123456789S"), -1);
    assert_int_equal(timeout_parse("5Sx"), -1);
    assert_string_equal(timeout_text(20000, text), "20000m");
    assert_string_equal(timeout_text(200000000, text), "200000S");
}

static void texts_and_bytes_come_back_as_they_were(void **state)
{
    (void)state;
    uint8_t data[64];
    size_t length = 0;
    CT_AUTO_FREE char *encoded = percent_encode("50 % größe\n");
    CT_AUTO_FREE char *decoded = percent_decode(encoded);
    CT_AUTO_FREE char *broken = percent_decode("a%0zb%c3%00%");

    assert_string_equal(encoded, "50 %25 gr%C3%B6%C3%9Fe%0A");
    assert_string_equal(decoded, "50 % größe\n");
    assert_string_equal(broken, "a%0zb\xc3%00%");
    for (size_t n = 0; n < sizeof(data); n++) {
        data[n] = (uint8_t)(n * 37 + 200);
        CT_AUTO_FREE char *text = base64_encode(data, n);
        CT_AUTO_FREE uint8_t *back = base64_decode(text, &length);
        assert_non_null(back);
        assert_int_equal(length, n);
        assert_memory_equal(back, data, n);
    }
    CT_AUTO_FREE uint8_t *padded = base64_decode("YQ==", &length);
    assert_int_equal(length, 1);
    assert_int_equal(padded[0], 'a');
    assert_null(base64_decode("YQ=x", &length));
    assert_null(base64_decode("Y", &length));
    assert_null(base64_decode("Y*==", &length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_crosses_with_its_metadata, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_comes_back_with_its_whole_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_asked_before_each_call_can_refuse_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unknown_services_and_methods_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_unreachable_and_a_new_server_is_found,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(messages_of_all_sizes_go_both_ways_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_makes_the_other_wait_and_loses_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_over_the_limit_is_refused_by_both_sides, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(calls_that_wait_hold_nobody_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_ends_the_call_on_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_closes_cancels_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_http2_end_their_connection_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(headers_over_the_limit_end_their_call_alone, setup,
                                        teardown),
        cmocka_unit_test(timeouts_are_read_in_all_units),
        cmocka_unit_test(texts_and_bytes_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
