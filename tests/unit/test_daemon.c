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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_attached_stream_goes_both_ways_to_its_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_who_is_attached, setup, teardown),
        cmocka_unit_test_setup_teardown(who_takes_no_answer_leaves_no_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_text_is_refused_at_the_door, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
