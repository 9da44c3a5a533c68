/*
 * fuzz_grpc.c - any bytes as a connection to a gRPC server.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * Random bytes are seldom HTTP/2. So the first byte of an input says what the rest is:
 *   r  the bytes of one connection, as they are
 *   f  frames after the preface and the settings
 *   m  the body of a call (length-prefixed messages) whose headers are right
 */
#include "fuzz.h"
#include "grpc.h"

#include "containerd_api.h"

#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONTENT (&containerd__services__content__v1__content__descriptor)

static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* ---- the server ----------------------------------------------------------------------------- */

static int info(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Content__V1__InfoRequest *ask = request;
    Containerd__Services__Content__V1__InfoResponse *answer = response;

    (void)call;
    if (!*ask->digest) {
        return ct_error_set(err, "fuzz", CT_INVALID, 0, "no digest in '%s'", "");
    }
    answer->info = NULL;
    return 0;
}

static int echo(struct grpc_call *call, struct ct_error *err)
{
    ProtobufCMessage *message = NULL;
    int more;

    while ((more = grpc_receive(
                call, &containerd__services__content__v1__write_content_request__descriptor,
                &message, err)) > 0) {
        Containerd__Services__Content__V1__WriteContentResponse answer =
            CONTAINERD__SERVICES__CONTENT__V1__WRITE_CONTENT_RESPONSE__INIT;
        int sent = grpc_send(call, &answer, err);
        protobuf_c_message_free_unpacked(message, NULL);
        if (sent < 0) {
            return -1;
        }
    }
    return more;
}

static const struct grpc_method methods[] = {{"Info", info, NULL}, {"Write", NULL, echo}};
static const struct grpc_service service = {CONTENT, methods, 2};
static const struct grpc_service *const services[] = {&service};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct ct_error err = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)argc;
    (void)argv;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", fuzz_home());
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0 ||
        !grpc_server_open(fd, services, 1, NULL, NULL, &err)) {
        abort();
    }
    return 0;
}

/* ---- one connection ------------------------------------------------------------------------- */

static void send_all(int fd, const void *data, size_t size)
{
    (void)!send(fd, data, size, MSG_NOSIGNAL); /* what does not fit the server has cut off */
}

static void begin_frames(int fd)
{
    static const uint8_t settings[] = {0, 0, 0, NGHTTP2_SETTINGS, 0, 0, 0, 0, 0};
    send_all(fd, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    send_all(fd, settings, sizeof(settings));
}

/* A frame of at most 16384 bytes. */
static void send_frame(int fd, uint8_t type, uint8_t flags, const void *data, size_t size)
{
    uint8_t header[9] = {0, (uint8_t)(size >> 8), (uint8_t)size, type, flags, 0, 0, 0, 1};
    send_all(fd, header, sizeof(header));
    send_all(fd, data, size);
}

/* HPACK, literal fields that nobody adds to a table. */
static size_t put_field(uint8_t *at, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    at[0] = 0;
    at[1] = (uint8_t)n;
    memcpy(at + 2, name, n);
    at[2 + n] = (uint8_t)v;
    memcpy(at + 3 + n, value, v);
    return 3 + n + v;
}

static void send_call(int fd, const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"/containerd.services.content.v1.Content/Info",
                                        "/containerd.services.content.v1.Content/Write"};
    uint8_t block[256];
    size_t n = put_field(block, ":method", "POST");

    n += put_field(block + n, ":scheme", "http");
    n += put_field(block + n, ":path", paths[size % 2]);
    n += put_field(block + n, ":authority", "x");
    n += put_field(block + n, "content-type", "application/grpc");
    send_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, block, n);
    send_frame(fd, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, data, size < 16384 ? size : 16384);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[4096];
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (size < 1 || size > 32768 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return -1;
    }
    if (data[0] != 'r') {
        begin_frames(fd);
    }
    if (data[0] == 'm') {
        send_call(fd, data + 1, size - 1);
    } else {
        send_all(fd, data + 1, size - 1);
    }
    (void)shutdown(fd, SHUT_WR);
    while (read(fd, answer, sizeof(answer)) > 0) {
    }
    return 0;
}
