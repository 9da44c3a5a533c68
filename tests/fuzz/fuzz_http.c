/*
 * fuzz_http.c - any bytes as connections to the daemon, with the fake engine behind it.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * Random bytes are seldom a request. So the first byte of an input says what the rest is:
 *   r  the bytes of one connection, as they are
 *   d  requests with documents, separated by an empty line: "METHOD TARGET", a line break, the
 * body; each on a connection of its own, with the headers that it needs u  the same, and each asks
 * for the connection (Upgrade: tcp) p  the same as d, and the body is a tar A capital letter waits
 * for an answer before it says that no more will come: a stream is then sent, where a client that
 * is gone would have it cancelled.
 */
#include "engine_containers.h"
#include "fuzz.h"
#include "server.h"

#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "path.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATIENCE_MS  10
#define REQUESTS_MAX 8

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listen_fd;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", fuzz_home());
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listen_fd, 16) < 0) {
        abort();
    }
    return 0;
}

/* ---- the engine and its server -------------------------------------------------------------- */

static void add_container(struct engine *engine, const char *name, json_t *command)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:o,s:b}", "Image", "busybox", "Cmd", command, "OpenStdin", 1);
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_FREE char *id = NULL;

    if (engine_container_create(engine, name, body, &id, &warnings, &err) < 0 ||
        engine_container_start(engine, name, &err) < 0) {
        abort();
    }
}

/* As it was before the last input, so that each crash can be had again. */
static struct server *open_server(struct engine **ret_engine)
{
    struct ct_error err = {0};
    struct engine *engine = engine_open(NULL, &err);
    int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 0); /* the server closes what it is given */

    if (!engine || fd < 0) {
        abort();
    }
    add_container(engine, "cat", json_pack("[s]", "cat"));
    add_container(engine, "web", json_pack("[ss]", "sleep", "1000"));
    add_container(engine, "done", json_pack("[sss]", "echo", "hello", "world"));
    struct server *server = server_open(engine, fd, NULL, &err);
    if (!server) {
        ct_error_print(stderr, "fuzz_http", &err);
        abort();
    }
    *ret_engine = engine;
    return server;
}

/* ---- one connection ------------------------------------------------------------------------- */

/* All that comes back, looked at as far as the status. */
static void read_answer(int fd)
{
    char answer[65536];
    size_t have = 0;
    ssize_t n;

    while ((n = read(fd, answer + have, sizeof(answer) - have - 1)) > 0) {
        have = have + (size_t)n < sizeof(answer) - 1 ? have + (size_t)n : have;
    }
    answer[have] = '\0';
    /* No request is the daemon's own failure. */
    if (have > 0 && (strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 500", 4) == 0)) {
        (void)fprintf(stderr, "the answer is:\n%s\n", answer);
        abort();
    }
}

static void converse(const char *bytes, size_t n, bool patient)
{
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd answer = {.fd = fd, .events = POLLIN};

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        abort();
    }
    (void)ct_write_all(fd, bytes, n); /* who is refused early may be cut off */
    if (patient) {
        (void)poll(&answer, 1, PATIENCE_MS);
    }
    (void)shutdown(fd, SHUT_WR);
    read_answer(fd);
}

/* "METHOD TARGET\nBODY". */
static void ask(const char *text, size_t length, char kind)
{
    const char *line_end = memchr(text, '\n', length);
    size_t line = line_end ? (size_t)(line_end - text) : length;
    size_t rest = line_end ? length - line - 1 : 0;
    char head[4096];
    int n =
        snprintf(head, sizeof(head),
                 "%.*s HTTP/1.1\r\nHost: d\r\nConnection: %s\r\n%sContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 (int)(line < 3000 ? line : 3000), text, tolower(kind) == 'u' ? "Upgrade" : "close",
                 tolower(kind) == 'u' ? "Upgrade: tcp\r\n" : "",
                 tolower(kind) == 'p' ? "application/x-tar" : "application/json", rest);
    size_t head_length = (size_t)n;
    CT_AUTO_FREE char *request = malloc(head_length + rest + 1);

    if (!request) {
        return;
    }
    memcpy(request, head, head_length);
    memcpy(request + head_length, line_end ? line_end + 1 : "", rest);
    converse(request, head_length + rest, isupper(kind));
}

static void ask_each(const char *text, size_t length, char kind)
{
    for (int i = 0; i < REQUESTS_MAX && length > 0; i++) {
        const char *next = memmem(text, length, "\n\n", 2);
        size_t n = next ? (size_t)(next - text) : length;
        ask(text, n, kind);
        text += next ? n + 2 : n;
        length -= next ? n + 2 : n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct engine *engine;

    if (size < 2) {
        return 0;
    }
    struct server *server = open_server(&engine);
    if (tolower(data[0]) == 'r') {
        converse(text + 1, size - 1, isupper(data[0]));
    } else {
        ask_each(text + 1, size - 1, text[0]);
    }
    server_close(server);
    engine_close(engine);
    return 0;
}
