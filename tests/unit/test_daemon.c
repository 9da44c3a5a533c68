/*
 * test_daemon.c - the daemon's server in front of the fake engine: what comes in wrong is told in
 * one exact line, and nothing is left when it closes.
 */
#define CT_LAYER "test"
#include "server.h"

#include "engine_containers.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char home[32];
static struct sockaddr_un address;
static struct engine *engine;
static struct server *server;
static struct ct_error err;

static void create(const char *name, const char *program)
{
    CT_AUTO_JSON json_t *body =
        json_pack("{s:s,s:[ss],s:b}", "Image", "busybox", "Cmd", program, "1000", "OpenStdin", 1);
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_FREE char *id = NULL;

    assert_int_equal(engine_container_create(engine, name, body, &id, &warnings, &err), 0);
    assert_int_equal(engine_container_start(engine, name, &err), 0);
}

static int setup(void **state)
{
    (void)state;
    (void)strcpy(home, "/tmp/ct-daemon-XXXXXX");
    assert_non_null(mkdtemp(home));
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", home);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    err = (struct ct_error){0};
    engine = engine_open(NULL, &err);
    create("cat", "cat");
    server = server_open(engine, fd, NULL, &err);
    assert_non_null(server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server) {
        server_close(server);
    }
    engine_close(engine);
    assert_int_equal(ct_remove_tree(AT_FDCWD, home, &err), 0);
    return 0;
}

/* ---- a client ------------------------------------------------------------------------------- */

static int connect_to_server(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    (void)ct_write_all(fd, text, strlen(text)); /* who is refused early may be cut off */
}

/* Until the end, or the text has come. Borrowed until the next call. */
static const char *receive(int fd, const char *until)
{
    static char text[65536];
    size_t have = 0;
    ssize_t n;

    text[0] = '\0';
    while (!(until && strstr(text, until)) &&
           (n = read(fd, text + have, sizeof(text) - have - 1)) > 0) {
        have += (size_t)n;
        text[have] = '\0';
    }
    return text;
}

/* Sends a request as it is; status and message of the answer must be these. */
static void assert_answer_to(const char *request, int status, const char *message)
{
    CT_AUTO_CLOSE int fd = connect_to_server();
    struct ct_error wrong = {0};

    send_text(fd, request);
    (void)shutdown(fd, SHUT_WR);
    const char *answer = receive(fd, NULL);
    assert_true(strncmp(answer, "HTTP/1.", 7) == 0);
    assert_int_equal(atoi(answer + 9), status);
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    CT_AUTO_JSON json_t *document = ct_json_parse(body, strlen(body), &wrong);
    assert_string_equal(ct_json_string(document, "message", body), message);
}

#define HEAD(target) "GET " target " HTTP/1.1\r\nHost: d\r\n\r\n"
#define ATTACH_TO(name)                                                                  \
    "POST /containers/" name "/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n" \
    "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

/* ---- tests ---------------------------------------------------------------------------------- */

static void an_attached_stream_goes_both_ways_to_its_end(void **state)
{
    (void)state;
    CT_AUTO_CLOSE int fd = connect_to_server();

    send_text(fd, ATTACH_TO("cat"));
    assert_non_null(strstr(receive(fd, "\r\n\r\n"), "HTTP/1.1 101 "));
    send_text(fd, "hello\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    const char *output = receive(fd, NULL);
    assert_memory_equal(output, "\1\0\0\0\0\0\0\6hello\n", 15);
}

static void closing_does_not_wait_for_who_is_attached(void **state)
{
    for (int i = 0; i < 20; i++) {
        CT_AUTO_CLOSE int fd = connect_to_server();
        send_text(fd, ATTACH_TO("cat"));
        assert_non_null(strstr(receive(fd, "\r\n\r\n"), "HTTP/1.1 101 "));
        server_close(server);
        server = NULL;
        assert_string_equal(receive(fd, NULL), ""); /* told that it is over */
        (void)teardown(state);
        (void)setup(state);
    }
}

static size_t count_descriptors(void)
{
    CT_AUTO_DIR DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        n++;
    }
    return n;
}

static void who_takes_no_answer_leaves_no_stream(void **state)
{
    (void)state;
    size_t before = count_descriptors();

    for (int i = 0; i < 50; i++) {
        CT_AUTO_CLOSE int fd = connect_to_server();
        assert_int_equal(shutdown(fd, SHUT_RD), 0); /* the answer cannot be sent */
        send_text(fd, ATTACH_TO("cat"));
        struct pollfd end = {.fd = fd};
        assert_int_equal(poll(&end, 1, 10000), 1); /* hung up */
    }
    /* The streams end in threads of their own, whose end is no event for us. */
    for (int i = 0; i < 5000 && count_descriptors() > before; i++) {
        (void)usleep(1000);
    }
    assert_int_equal(count_descriptors(), before);
}

static void what_is_no_text_is_refused_at_the_door(void **state)
{
    (void)state;
    assert_answer_to(HEAD("/containers/json?filters=%ff"), 400,
                     "read parameter 'filters': it is not UTF-8");
    assert_answer_to(HEAD("/containers/json?%c3=1"), 400,
                     "read the query: a parameter's name is not UTF-8");
    assert_answer_to(HEAD("/containers/%e2%82/json"), 400,
                     "read the path of the request: it is not UTF-8");
    assert_answer_to(HEAD("/containers/%e2%82%ac/json"), 404, "No such container: \u20ac");
}

#define JSON_HEAD(target, length) \
    "POST " target                \
    " HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: " length "\r\n\r\n"

static void a_document_that_is_wrong_is_told_in_one_line(void **state)
{
    (void)state;
    assert_answer_to(JSON_HEAD("/containers/create", "9") "{\"Image\":", 400,
                     "read the request: json: parse JSON: line 1, column 9: unexpected token near "
                     "end of file");
    assert_answer_to(JSON_HEAD("/containers/create", "2") "[]", 400,
                     "read the request: it is not an object");
    assert_answer_to(JSON_HEAD("/containers/create", "0"), 400,
                     "read the request: it has no document; try: send JSON with 'Content-Type: "
                     "application/json'");
    assert_answer_to("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: text/plain\r\n"
                     "Content-Length: 2\r\n\r\n{}",
                     400,
                     "unsupported Content-Type header (text/plain): must be 'application/json'");
    assert_answer_to("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}",
                     400, "unsupported Content-Type header (none): must be 'application/json'");
    assert_answer_to(JSON_HEAD("/networks/bridge/connect", "15") "{\"Container\":5}", 400,
                     "read field 'Container': it is not a string");
    assert_answer_to(JSON_HEAD("/networks/bridge/connect", "2") "{}", 400,
                     "read the request: it names no container");
}

/* Sends all of a request whose body is so long, of one byte again and again. */
static void a_document_that_is_too_large_or_too_deep_is_refused(void **state)
{
    (void)state;
    size_t length = (8u << 20) + 1;
    CT_AUTO_FREE char *request = malloc(length + 512);
    int head = snprintf(request, 512, JSON_HEAD("/containers/create", "%zu"), length);

    memset(request + head, ' ', length);
    request[(size_t)head + length] = '\0';
    assert_answer_to(request, 400, "read the request: it has more than 8388608 bytes");

    head = snprintf(request, 512, JSON_HEAD("/containers/create", "65"));
    memset(request + head, '[', 65);
    request[head + 65] = '\0';
    assert_answer_to(request, 400, "read the request: json: parse JSON: it nests deeper than 64");
}

static void a_version_that_we_do_not_speak_is_named_with_those_that_we_do(void **state)
{
    (void)state;
    assert_answer_to(HEAD("/v1.99/version"), 400,
                     "client version 1.99 is too new. Maximum supported API version is 1.43");
    assert_answer_to(HEAD("/v1.2/version"), 400,
                     "client version 1.2 is too old. Minimum supported API version is 1.24, please "
                     "upgrade your client to a newer version");
    assert_answer_to(HEAD("/v2.0/version"), 404, "page not found");
    assert_answer_to(HEAD("/v1.43"), 404, "page not found");
}

static void dots_in_a_path_are_names_and_lead_nowhere(void **state)
{
    (void)state;
    assert_answer_to(HEAD("/containers/../json"), 404, "No such container: ..");
    assert_answer_to(HEAD("/containers/../../etc/passwd/json"), 404, "page not found");
    assert_answer_to(HEAD("/containers/%2e%2e%2f%2e%2e/json"), 404, "page not found");
    assert_answer_to(HEAD("/volumes/.."), 404, "no such volume: ..");
    assert_answer_to(HEAD("/volumes/..%2f..%2fetc"), 404, "page not found");
}

static void a_parameter_that_is_wrong_is_named(void **state)
{
    (void)state;
    assert_answer_to(HEAD("/containers/json?filters=%7B%22x%22"), 400,
                     "read parameter 'filters': json: parse JSON: line 1, column 4: ':' expected "
                     "near end of file");
    assert_answer_to(HEAD("/containers/json?filters=%5B%5D"), 400,
                     "read parameter 'filters': it is not an object");
    assert_answer_to(HEAD("/containers/json?filters=%7B%22x%22:%5B%22y%22%5D%7D"), 400,
                     "list containers: invalid filter 'x'");
    assert_answer_to(HEAD("/containers/json?limit=many"), 400,
                     "read parameter 'limit': 'many' is not a number");
    assert_answer_to(HEAD("/events?since=yesterday"), 400,
                     "read parameter 'since': units: invalid time 'yesterday': it is not RFC 3339, "
                     "seconds, or a duration");
}

static void what_is_not_here_says_where_it_is(void **state)
{
    (void)state;
    assert_answer_to(HEAD("/no/such/page"), 404, "page not found");
    assert_answer_to("PATCH /version HTTP/1.1\r\nHost: d\r\n\r\n", 404, "page not found");
    assert_answer_to("POST /build HTTP/1.1\r\nHost: d\r\n\r\n", 501,
                     "build images: it is not in fake, it comes with no stage yet");
}

/* The library answers these itself, before a request is there; a status is all that is ours. */
static void assert_status_of(const char *request, int status)
{
    CT_AUTO_CLOSE int fd = connect_to_server();

    send_text(fd, request);
    (void)shutdown(fd, SHUT_WR);
    const char *answer = receive(fd, NULL);
    assert_int_equal(*answer ? atoi(answer + 9) : 0, status); /* 0: closed without a word */
}

static void bytes_that_are_no_http_end_their_connection_and_nothing_else(void **state)
{
    (void)state;
    static char large[100000];
    memset(large, 'x', sizeof(large) - 1);
    CT_AUTO_FREE char *long_header =
        ct_printf("GET /version HTTP/1.1\r\nHost: d\r\nX: %s\r\n\r\n", large);
    CT_AUTO_FREE char *long_line = ct_printf("GET /%s HTTP/1.1\r\nHost: d\r\n\r\n", large);

    assert_status_of("GARBAGE\r\n\r\n", 0);
    assert_status_of("GET / HTTP/9.9\r\n\r\n", 505);
    assert_status_of("\1\2\3\4", 0);
    assert_status_of("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: -1\r\n\r\n{}",
                     400);
    assert_status_of("POST /containers/create HTTP/1.1\r\nHost: d\r\n"
                     "Content-Length: 99999999999999999999\r\n\r\n{}",
                     413);
    assert_status_of("POST /containers/create HTTP/1.1\r\nHost: d\r\n"
                     "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
                     413);
    assert_status_of("GET /version HTTP/1.1\r\nno colon\r\n\r\n", 400);
    assert_status_of(long_header, 431);
    assert_status_of(long_line, 414);
    assert_status_of("GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n", 200);
}

int main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_attached_stream_goes_both_ways_to_its_end),
        CASE(closing_does_not_wait_for_who_is_attached),
        CASE(who_takes_no_answer_leaves_no_stream),
        CASE(what_is_no_text_is_refused_at_the_door),
        CASE(a_document_that_is_wrong_is_told_in_one_line),
        CASE(a_document_that_is_too_large_or_too_deep_is_refused),
        CASE(a_version_that_we_do_not_speak_is_named_with_those_that_we_do),
        CASE(dots_in_a_path_are_names_and_lead_nowhere),
        CASE(a_parameter_that_is_wrong_is_named),
        CASE(what_is_not_here_says_where_it_is),
        CASE(bytes_that_are_no_http_end_their_connection_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
