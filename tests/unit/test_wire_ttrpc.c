/*
 * test_wire_ttrpc.c - ttrpc: calls and answers over a socket pair, and what hostile peers send.
 *
 * Room:       tests/unit. Covers wire/ttrpc*.c. Server and client share one loop; a raw peer is the
 *             other end of a socket pair that the test itself writes to and reads.
 */
#define CT_LAYER "test"
#include "ttrpc_internal.h"

#include "containerd_api.h"

#include "cleanup.h"
#include "file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TASK (&containerd__task__v2__task__descriptor)

struct world {
    struct loop *loop;
    struct ttrpc_server *server;
    struct ttrpc_client *client;
    struct ttrpc_call *kept[2]; /* calls of Wait: answered later */
    size_t n_kept;
    int raw; /* a peer that writes bytes; -1: none */
    /* What came back. */
    int n_done;
    uint32_t pid;
    struct ct_error error;
    char metadata[64];
    int left_ms;
    bool lost;
};

/* ---- the server's methods ------------------------------------------------------------------- */

static void handle_connect(struct ttrpc_call *call, const void *request)
{
    struct world *world = ttrpc_context(call);
    const Containerd__Task__V2__ConnectRequest *asked = request;
    Containerd__Task__V2__ConnectResponse answer = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
    const char *metadata = ttrpc_metadata(call, "containerd-namespace-ttrpc");

    (void)snprintf(world->metadata, sizeof(world->metadata), "%s", metadata ? metadata : "");
    world->left_ms = ttrpc_time_left_ms(call);
    answer.task_pid = (uint32_t)strlen(asked->id);
    ttrpc_reply(call, &answer);
}

static void handle_pause(struct ttrpc_call *call, const void *request)
{
    struct ct_error err = {0};
    (void)request;

    (void)ct_refuse(&err, CT_NOT_FOUND, "find container 'web'");
    (void)ct_while(&err, "pause 'web'");
    ttrpc_refuse(call, &err);
}

static void handle_wait(struct ttrpc_call *call, const void *request)
{
    struct world *world = ttrpc_context(call);
    (void)request;
    world->kept[world->n_kept++] = call;
    loop_stop(world->loop);
}

static const struct ttrpc_method methods[] = {
    {"Connect", handle_connect}, {"Pause", handle_pause}, {"Wait", handle_wait}};
static const struct ttrpc_service service = {&containerd__task__v2__task__descriptor, methods, 3};

/* ---- the world ------------------------------------------------------------------------------ */

static void make_pair(int ret[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), 0);
}

static void client_lost(void *context, const struct ct_error *error)
{
    struct world *world = context;
    world->lost = true;
    world->error = *error;
    loop_stop(world->loop);
}

static int set_up(void **state)
{
    static struct world world;
    struct ct_error err = {0};
    int ends[2];

    memset(&world, 0, sizeof(world));
    world.raw = -1;
    world.loop = loop_new(&err);
    /* Nobody connects to the listener; each connection of a test is one of a pair. */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)),
                     0);
    assert_int_equal(listen(listener, 1), 0);
    world.server = ttrpc_server_open(world.loop, listener, &service, &world, &err);
    assert_non_null(world.server);
    make_pair(ends);
    assert_int_equal(ttrpc_server_add(world.server, ends[0], &err), 0);
    world.client = ttrpc_client_open(world.loop, ends[1], "shim", client_lost, &world, &err);
    assert_non_null(world.client);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < world->n_kept; i++) {
        Containerd__Task__V2__WaitResponse answer = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
        if (world->kept[i]) {
            ttrpc_reply(world->kept[i], &answer);
        }
    }
    ttrpc_client_close(world->client);
    ttrpc_server_close(world->server);
    ct_cleanup_close(&world->raw);
    loop_free(world->loop);
    return 0;
}

static void connected(void *context, const void *response, const struct ct_error *error)
{
    struct world *world = context;

    world->n_done++;
    if (response) {
        world->pid = ((const Containerd__Task__V2__ConnectResponse *)response)->task_pid;
    } else {
        world->error = *error;
    }
    loop_stop(world->loop);
}

/* Begins a call; what its message says does not matter to the method but for Connect. */
static void begin(struct world *world, const char *method, int timeout_ms)
{
    struct ct_error err = {0};
    Containerd__Task__V2__ConnectRequest message = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
    const struct ttrpc_header header = {"containerd-namespace-ttrpc", "moby"};
    struct ttrpc_request request = {.service = TASK,
                                    .method = method,
                                    .message = &message,
                                    .headers = &header,
                                    .n_headers = 1,
                                    .timeout_ms = timeout_ms};

    message.id = (char *)"seventeen-letters";
    assert_int_equal(ttrpc_begin(world->client, &request, connected, world, &err), 0);
}

static void run(struct world *world)
{
    struct ct_error err = {0};
    assert_int_equal(loop_run(world->loop, &err), 0);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void a_call_brings_its_message_and_metadata_and_gets_its_answer(void **state)
{
    struct world *world = *state;

    begin(world, "Connect", 5000);
    run(world);

    assert_int_equal(world->n_done, 1);
    assert_int_equal(world->error.kind, CT_NONE);
    assert_int_equal(world->pid, strlen("seventeen-letters"));
    assert_string_equal(world->metadata, "moby");
    assert_in_range(world->left_ms, 1, 5000);
}

static void an_error_crosses_with_its_chain(void **state)
{
    struct world *world = *state;

    begin(world, "Pause", -1);
    run(world);

    assert_int_equal(world->error.kind, CT_NOT_FOUND);
    assert_int_equal(world->error.depth, 2);
    assert_string_equal(world->error.frame[0].what, "find container 'web'");
    assert_string_equal(world->error.frame[1].what, "pause 'web'");
}

static void what_is_not_served_is_unsupported(void **state)
{
    struct world *world = *state;

    begin(world, "Stats", -1);
    run(world);

    assert_int_equal(world->error.kind, CT_UNSUPPORTED);
    assert_string_equal(world->error.frame[0].what,
                        "call method 'Stats' of containerd.task.v2.Task: there is none");
}

static void answers_come_in_any_order(void **state)
{
    struct world *world = *state;
    begin(world, "Wait", -1);
    run(world);

    begin(world, "Connect", -1);
    run(world);
    assert_int_equal(world->n_done, 1);
    Containerd__Task__V2__WaitResponse answer = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
    ttrpc_reply(world->kept[0], &answer);
    world->kept[0] = NULL;
    run(world);

    assert_int_equal(world->n_done, 2);
    assert_int_equal(world->error.kind, CT_NONE);
}

static void a_deadline_ends_the_call_on_both_sides(void **state)
{
    struct world *world = *state;
    begin(world, "Wait", 50);
    run(world);

    run(world);

    assert_int_equal(world->n_done, 1);
    assert_int_equal(world->error.kind, CT_TIMEOUT);
    assert_int_equal(ttrpc_time_left_ms(world->kept[0]), 0);
}

static void a_lost_connection_ends_all_calls(void **state)
{
    struct world *world = *state;
    begin(world, "Wait", -1);
    run(world);

    ttrpc_server_close(world->server);
    world->server = NULL;
    run(world);
    if (!world->lost) {
        run(world);
    }

    assert_int_equal(world->n_done, 1);
    assert_int_equal(world->error.kind, CT_UNREACHABLE);
    assert_string_equal(world->error.frame[0].layer, "shim");
    assert_true(world->lost);
}

/* ---- hostile peers -------------------------------------------------------------------------- */

static void add_raw_peer(struct world *world)
{
    struct ct_error err = {0};
    int ends[2];

    make_pair(ends);
    assert_int_equal(ttrpc_server_add(world->server, ends[0], &err), 0);
    world->raw = ends[1];
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(world->raw, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* The loop gets a round for each frame by a call of the good client behind it. */
static void let_the_server_work(struct world *world)
{
    begin(world, "Connect", -1);
    run(world);
    begin(world, "Connect", -1);
    run(world);
}

static void send_raw(struct world *world, struct ttrpc_header_fields fields, const void *bytes,
                     size_t n)
{
    uint8_t header[TTRPC_HEADER_BYTES];
    ttrpc_header_write(&fields, header);
    assert_int_equal(ct_write_all(world->raw, header, sizeof(header)), 0);
    assert_int_equal(ct_write_all(world->raw, bytes, n), 0);
    let_the_server_work(world);
}

/* The code that the server answers with in this stream. */
static int read_code(struct world *world, uint32_t stream)
{
    uint8_t header[TTRPC_HEADER_BYTES], bytes[4096];

    assert_int_equal(recv(world->raw, header, sizeof(header), MSG_WAITALL), sizeof(header));
    struct ttrpc_header_fields fields = ttrpc_header_read(header);
    assert_int_equal(fields.stream, stream);
    assert_int_equal(fields.type, TTRPC_RESPONSE);
    assert_in_range(fields.length, 0, sizeof(bytes));
    assert_int_equal(recv(world->raw, bytes, fields.length, MSG_WAITALL), fields.length);
    Ttrpc__Response *response = ttrpc__response__unpack(NULL, fields.length, bytes);
    assert_non_null(response);
    int code = response->status ? response->status->code : 0;
    ttrpc__response__free_unpacked(response, NULL);
    return code;
}

static void a_frame_that_is_too_long_is_skipped_and_refused(void **state)
{
    struct world *world = *state;
    static uint8_t zeros[8192];
    size_t left = TTRPC_MESSAGE_MAX + 1;
    add_raw_peer(world);

    send_raw(world, (struct ttrpc_header_fields){(uint32_t)left, 1, TTRPC_REQUEST, 0}, "", 0);
    while (left > 0) {
        size_t n = left < sizeof(zeros) ? left : sizeof(zeros);
        assert_int_equal(ct_write_all(world->raw, zeros, n), 0);
        let_the_server_work(world);
        left -= n;
    }

    assert_int_equal(read_code(world, 1), 3);
    send_raw(world, (struct ttrpc_header_fields){0, 3, TTRPC_REQUEST, 0}, "", 0);
    assert_int_equal(read_code(world, 3), 12); /* the connection still works: no service '' */
}

static void what_is_no_request_is_refused(void **state)
{
    struct world *world = *state;
    add_raw_peer(world);

    send_raw(world, (struct ttrpc_header_fields){3, 1, TTRPC_REQUEST, 0}, "\xff\xff\xff", 3);
    assert_int_equal(read_code(world, 1), 3);
    send_raw(world, (struct ttrpc_header_fields){0, 2, TTRPC_REQUEST, 0}, "", 0);
    assert_int_equal(read_code(world, 2), 3); /* even streams are not the client's */
    send_raw(world, (struct ttrpc_header_fields){0, 5, TTRPC_REQUEST, 2}, "", 0);
    assert_int_equal(read_code(world, 5), 12); /* a stream of messages */
}

static void a_wrong_payload_is_refused_by_name(void **state)
{
    struct world *world = *state;
    uint8_t bytes[256];
    Ttrpc__Request request = TTRPC__REQUEST__INIT;
    add_raw_peer(world);
    request.service = (char *)"containerd.task.v2.Task";
    request.method = (char *)"Connect";
    request.payload.data = (uint8_t *)(char *)"\x0a\x7f";
    request.payload.len = 2;
    size_t n = ttrpc__request__pack(&request, bytes);

    send_raw(world, (struct ttrpc_header_fields){(uint32_t)n, 7, TTRPC_REQUEST, 0}, bytes, n);

    assert_int_equal(read_code(world, 7), 3);
}

static void unknown_types_are_ignored_and_half_frames_are_no_harm(void **state)
{
    struct world *world = *state;
    add_raw_peer(world);

    send_raw(world, (struct ttrpc_header_fields){2, 1, TTRPC_DATA, 0}, "xx", 2);
    send_raw(world, (struct ttrpc_header_fields){4 << 20, 1, TTRPC_REQUEST, 0}, "half", 4);
    (void)close(world->raw);
    world->raw = -1;
    let_the_server_work(world);

    assert_int_equal(ttrpc_server_peers(world->server), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_call_brings_its_message_and_metadata_and_gets_its_answer),
        TEST(an_error_crosses_with_its_chain),
        TEST(what_is_not_served_is_unsupported),
        TEST(answers_come_in_any_order),
        TEST(a_deadline_ends_the_call_on_both_sides),
        TEST(a_lost_connection_ends_all_calls),
        TEST(a_frame_that_is_too_long_is_skipped_and_refused),
        TEST(what_is_no_request_is_refused),
        TEST(a_wrong_payload_is_refused_by_name),
        TEST(unknown_types_are_ignored_and_half_frames_are_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
