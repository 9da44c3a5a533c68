/*
 * fuzz_ttrpc.c - any bytes as ttrpc, to the server and to the client.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * One input goes both ways: as what a client sends to the shim, and as what containerd answers to
 * it. Whatever comes, each call that was begun ends once, and each that was taken is answered.
 */
#define CT_LAYER "fuzz"
#include "fuzz.h"
#include "ttrpc.h"

#include "containerd_api.h"

#include "file.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_MAX 65536 /* what a socket takes without being read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static int n_done, n_lost;

static void handle(struct ttrpc_call *call, const void *request)
{
    Containerd__Task__V2__ConnectResponse answer = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
    struct ct_error err = {0};
    const Containerd__Task__V2__ConnectRequest *asked = request;

    if (*asked->id) {
        (void)ct_refuse(&err, CT_NOT_FOUND, "find container '%s'", asked->id);
        must_be_told(&err);
        ttrpc_refuse(call, &err);
        return;
    }
    (void)ttrpc_metadata(call, "containerd-namespace-ttrpc");
    ttrpc_reply(call, &answer);
}

static const struct ttrpc_method methods[] = {{"Connect", handle}};
static const struct ttrpc_service service = {&containerd__task__v2__task__descriptor, methods, 1};

static void round_over(void *unused)
{
    (void)unused;
    loop_stop(loop);
}

static void do_a_round(void)
{
    struct loop_timer timer = {0};
    struct ct_error err = {0};

    loop_arm(loop, &timer, 0, round_over, NULL);
    (void)loop_run(loop, &err);
}

/* One end, from which the input comes, and then nothing any more. */
static int sender(const uint8_t *data, size_t size, int *ret_end)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ||
        ct_write_all(ends[0], data, size) < 0 || shutdown(ends[0], SHUT_WR) < 0) {
        abort();
    }
    *ret_end = ends[1];
    return ends[0];
}

static void to_the_server(const uint8_t *data, size_t size)
{
    struct ct_error err = {0};
    int theirs = -1;
    CT_AUTO_CLOSE int ours = sender(data, size, &theirs);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)!bind(listener, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t));
    (void)!listen(listener, 1);
    struct ttrpc_server *server = ttrpc_server_open(loop, listener, &service, NULL, &err);

    if (!server || ttrpc_server_add(server, theirs, &err) < 0) {
        abort();
    }
    while (ttrpc_server_peers(server) > 0) {
        do_a_round();
    }
    ttrpc_server_close(server);
}

static void done(void *context, const void *response, const struct ct_error *error)
{
    (void)context;
    n_done++;
    if (!response) {
        must_be_told(error);
    }
}

static void lost(void *context, const struct ct_error *error)
{
    (void)context;
    must_be_told(error);
    n_lost++;
}

static void to_the_client(const uint8_t *data, size_t size)
{
    struct ct_error err = {0};
    int theirs = -1;
    CT_AUTO_CLOSE int ours = sender(data, size, &theirs);
    struct ttrpc_client *client = ttrpc_client_open(loop, theirs, "shim", lost, NULL, &err);
    Containerd__Task__V2__ConnectRequest message = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
    const struct ttrpc_request request = {
        .service = service.descriptor, .method = "Connect", .message = &message, .timeout_ms = -1};

    n_done = n_lost = 0;
    if (!client || ttrpc_begin(client, &request, done, NULL, &err) < 0 ||
        ttrpc_begin(client, &request, done, NULL, &err) < 0) {
        abort();
    }
    while (n_lost == 0) {
        do_a_round();
    }
    ttrpc_client_close(client);
    if (n_done != 2 || n_lost != 1) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ct_error err = {0};

    loop = loop_new(&err);
    if (!loop || size > INPUT_MAX) {
        loop_free(loop);
        return -1;
    }
    to_the_server(data, size);
    to_the_client(data, size);
    loop_free(loop);
    return 0;
}
