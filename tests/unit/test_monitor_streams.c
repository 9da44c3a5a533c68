/*
 * test_monitor_streams.c - what the monitor moves: bytes between a program and its clients, and
 * messages on its socket.
 *
 * Needs no root and no container: the test itself plays the program, on the program's ends.
 */
#define CT_LAYER "test"
#include "detach.h"
#include "logs.h"
#include "streams.h"
#include "wire.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "loop.h"
#include "path.h"
#include "units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define MILLISECOND 1000000LL

struct fixture {
    char base[64];
    int dir_fd;
    struct loop *loop;
    struct streams *streams;
    int program[3]; /* the program's ends, in our hands */
};

static int setup(void **state)
{
    static struct fixture f;
    struct ct_error err = {0};

    (void)signal(SIGPIPE, SIG_IGN);
    f = (struct fixture){.program = {-1, -1, -1}};
    (void)snprintf(f.base, sizeof(f.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    f.dir_fd = open(f.base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f.loop = loop_new(&err);
    assert_non_null(f.loop);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    streams_free(f->streams);
    loop_free(f->loop);
    for (size_t i = 0; i < 3; i++) {
        ct_cleanup_close(&f->program[i]);
    }
    (void)close(f->dir_fd);
    assert_int_equal(ct_remove_tree(AT_FDCWD, f->base, &err), 0);
    return 0;
}

static void stop_loop(void *context)
{
    loop_stop(context);
}

/* Lets everything happen that is about to happen. */
static void spin(struct fixture *f)
{
    struct loop_timer timer = {0};
    struct ct_error err = {0};

    loop_arm(f->loop, &timer, 20 * MILLISECOND, stop_loop, f->loop);
    assert_int_equal(loop_run(f->loop, &err), 0);
}

/* Streams that have begun; the program's ends are copied to f->program first. */
static void begin(struct fixture *f, struct streams_config config)
{
    struct ct_error err = {0};
    int ends[3];

    config.loop = f->loop;
    config.spill_dir = f->dir_fd;
    f->streams = streams_new(&config, &err);
    assert_non_null(f->streams);
    streams_program_ends(f->streams, ends);
    for (size_t i = 0; i < 3; i++) {
        f->program[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        assert_true(f->program[i] >= 0);
    }
    assert_int_equal(streams_begin(f->streams, &err), 0);
}

/* Attaches; returns the client's end. */
static int attach(struct fixture *f, struct streams_client client)
{
    struct ct_error err = {0};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    client.fd = ends[1];
    assert_int_equal(streams_attach(f->streams, &client, &err), 0);
    return ends[0];
}

static void print(const struct fixture *f, int fd, const char *text)
{
    assert_int_equal(ct_write_all(f->program[fd], text, strlen(text)), 0);
}

static void end_program(struct fixture *f)
{
    for (size_t i = 0; i < 3; i++) {
        ct_cleanup_close(&f->program[i]);
        f->program[i] = -1;
    }
}

static void assert_received(int fd, const void *expected, size_t length)
{
    CT_AUTO_FREE char *got = malloc(length + 1);
    assert_int_equal(recv(fd, got, length + 1, MSG_DONTWAIT), length);
    assert_memory_equal(got, expected, length);
}

static bool is_open(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
}

static void output_comes_in_frames_that_name_the_stream(void **state)
{
    struct fixture *f = *state;
    begin(f, (struct streams_config){0});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.out = true, .err = true});

    print(f, 1, "out\n");
    spin(f);
    print(f, 2, "err\n");
    spin(f);

    static const char expected[] = "\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n";
    assert_received(client, expected, sizeof(expected) - 1);
}

static void a_client_gets_only_the_streams_that_it_wants(void **state)
{
    struct fixture *f = *state;
    begin(f, (struct streams_config){0});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.err = true});

    print(f, 1, "out\n");
    print(f, 2, "err\n");
    spin(f);

    static const char expected[] = "\2\0\0\0\0\0\0\4err\n";
    assert_received(client, expected, sizeof(expected) - 1);
}

static void a_terminals_output_is_raw(void **state)
{
    struct fixture *f = *state;
    begin(f, (struct streams_config){.terminal = true, .open_stdin = true});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.in = true, .out = true});

    print(f, 1, "hi");
    spin(f);

    assert_received(client, "hi", 2);
}

static void input_reaches_the_program_and_ends_with_the_client(void **state)
{
    struct fixture *f = *state;
    char text[16];
    begin(f, (struct streams_config){.open_stdin = true, .stdin_once = true});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.in = true, .out = true});

    assert_int_equal(send(client, "abc", 3, 0), 3);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    spin(f);

    assert_int_equal(read(f->program[0], text, sizeof(text)), 3);
    assert_int_equal(read(f->program[0], text, sizeof(text)), 0);
    print(f, 1, "x"); /* the other direction goes on */
    spin(f);
    static const char expected[] = "\1\0\0\0\0\0\0\1x";
    assert_received(client, expected, sizeof(expected) - 1);
}

static void input_stays_open_for_the_next_client_unless_asked(void **state)
{
    struct fixture *f = *state;
    char text[16];
    begin(f, (struct streams_config){.open_stdin = true});
    int first = attach(f, (struct streams_client){.in = true});
    assert_int_equal(send(first, "a", 1, 0), 1);
    (void)close(first);
    spin(f);

    CT_AUTO_CLOSE int second = attach(f, (struct streams_client){.in = true});
    assert_int_equal(send(second, "b", 1, 0), 1);
    spin(f);

    assert_int_equal(read(f->program[0], text, sizeof(text)), 2);
    assert_memory_equal(text, "ab", 2);
}

static void what_a_client_sent_before_it_hung_up_arrives(void **state)
{
    struct fixture *f = *state;
    enum { TOTAL = 300000 };
    CT_AUTO_FREE char *sent = malloc(TOTAL);
    CT_AUTO_FREE char *got = malloc(TOTAL);
    size_t n_sent = 0, n_got = 0;
    for (size_t i = 0; i < TOTAL; i++) {
        sent[i] = (char)(i * 7 / 3);
    }
    begin(f, (struct streams_config){.open_stdin = true, .stdin_once = true});
    int client = attach(f, (struct streams_client){.in = true});

    (void)fcntl(f->program[0], F_SETFL, O_NONBLOCK);
    while (n_got < TOTAL) {
        ssize_t n = n_sent < TOTAL ? send(client, sent + n_sent, TOTAL - n_sent, MSG_DONTWAIT) : -1;
        n_sent += n > 0 ? (size_t)n : 0;
        if (n_sent == TOTAL && client >= 0) {
            ct_cleanup_close(&client); /* gone at once, with much on the way */
            client = -1;
        }
        spin(f);
        n = read(f->program[0], got + n_got, TOTAL - n_got);
        assert_true(n > 0 || errno == EAGAIN);
        n_got += n > 0 ? (size_t)n : 0;
    }

    assert_memory_equal(got, sent, TOTAL);
    spin(f);
    assert_int_equal(read(f->program[0], got, 1), 0);
}

static void without_open_stdin_the_program_reads_nothing(void **state)
{
    struct fixture *f = *state;
    char byte;
    begin(f, (struct streams_config){0});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.in = true});
    assert_int_equal(send(client, "x", 1, 0), 1);
    spin(f);
    assert_int_equal(read(f->program[0], &byte, 1), 0);
}

static void detach_keys_let_the_client_go_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    char text[16];
    struct termios raw;
    begin(f, (struct streams_config){.terminal = true, .open_stdin = true, .stdin_once = true});
    assert_int_equal(tcgetattr(f->program[0], &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(f->program[0], TCSANOW, &raw), 0);
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.in = true, .out = true});

    assert_int_equal(send(client, "a\x10x\x10\x11", 5, 0), 5);
    spin(f);

    assert_false(is_open(client));
    (void)fcntl(f->program[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(f->program[0], text, sizeof(text)), 0 + 3);
    assert_memory_equal(text, "a\x10x", 3);
    CT_AUTO_CLOSE int again = attach(f, (struct streams_client){.out = true});
    print(f, 1, "y");
    spin(f);
    assert_received(again, "y", 1);
}

static void a_terminal_is_resized(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct winsize size;
    begin(f, (struct streams_config){.terminal = true});

    assert_int_equal(streams_resize(f->streams, 30, 100, &err), 0);

    assert_int_equal(ioctl(f->program[1], TIOCGWINSZ, &size), 0);
    assert_int_equal(size.ws_row, 30);
    assert_int_equal(size.ws_col, 100);
}

static void a_pipe_is_not_resized(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    begin(f, (struct streams_config){0});
    assert_int_equal(streams_resize(f->streams, 30, 100, &err), -1);
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_string_equal(err.frame[0].what, "resize: there is no terminal");
}

/* A program that prints more than any socket takes. Returns the bytes. */
static size_t print_much(struct fixture *f, size_t megabytes)
{
    static char block[1 << 16];
    size_t total = megabytes << 20;

    (void)fcntl(f->program[1], F_SETFL, O_NONBLOCK);
    for (size_t sent = 0; sent < total;) {
        ssize_t n = write(f->program[1], block, sizeof(block));
        assert_true(n > 0 || errno == EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        struct loop_timer timer = {0};
        struct ct_error err = {0};
        loop_arm(f->loop, &timer, 0, stop_loop, f->loop);
        assert_int_equal(loop_run(f->loop, &err), 0);
    }
    return total;
}

/* Payload bytes of frames, read until the end. */
static size_t count_payload(int fd)
{
    unsigned char header[8];
    CT_AUTO_FREE char *payload = malloc(1 << 16);
    size_t total = 0;

    while (recv(fd, header, 8, MSG_WAITALL) == 8) {
        size_t length =
            (size_t)header[4] << 24 | (size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7];
        assert_true(header[0] == 1 && length > 0 && length <= 1 << 16);
        assert_int_equal(recv(fd, payload, length, MSG_WAITALL), length);
        total += length;
    }
    return total;
}

static void a_client_that_does_not_read_stops_neither_program_nor_others(void **state)
{
    struct fixture *f = *state;
    begin(f, (struct streams_config){0});
    CT_AUTO_CLOSE int slow = attach(f, (struct streams_client){.out = true});
    CT_AUTO_CLOSE int other = attach(f, (struct streams_client){.err = true});

    size_t total = print_much(f, 8);
    print(f, 2, "err\n");
    spin(f);

    static const char expected[] = "\2\0\0\0\0\0\0\4err\n";
    assert_received(other, expected, sizeof(expected) - 1);
    end_program(f);
    streams_finish(f->streams, 1000);
    streams_free(f->streams); /* the rest is sent by a process that outlives the streams */
    f->streams = NULL;
    assert_int_equal(count_payload(slow), total);
}

static void only_a_client_that_is_far_behind_makes_the_program_wait(void **state)
{
    struct fixture *f = *state;
    char block[4096] = {0};
    ssize_t n = 0;
    begin(f, (struct streams_config){0});
    CT_AUTO_CLOSE int slow = attach(f, (struct streams_client){.out = true});

    (void)print_much(f, STREAMS_BEHIND_MAX >> 20);
    spin(f);
    for (int i = 0; i < 1000 && n >= 0; i++) {
        n = write(f->program[1], block, sizeof(block));
        spin(f);
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, EAGAIN);

    (void)close(ct_steal_fd(&slow)); /* it goes: nothing to wait for any more */
    for (int i = 0; i < 100 && n < 0; i++) {
        spin(f);
        n = write(f->program[1], block, sizeof(block));
    }
    assert_int_equal(n, sizeof(block));
}

static void the_last_output_is_in_the_log_and_with_the_client(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:s,s:{}}", "Type", "json-file", "Config");
    struct log_writer *log = log_writer_open(f->base, "abc", config, NULL, &err);
    assert_non_null(log);
    begin(f, (struct streams_config){.log = log});
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.out = true});

    print(f, 1, "last words, no newline");
    end_program(f);
    streams_finish(f->streams, 1000); /* the loop did not run once */

    assert_int_equal(log_writer_close(log, &err), 0);
    assert_true(is_open(client)); /* the end is recorded first */
    static const char expected[] = "\1\0\0\0\0\0\0\x16last words, no newline";
    assert_received(client, expected, sizeof(expected) - 1);
    CT_AUTO_FREE char *path = log_path(f->base, "abc", config);
    CT_AUTO_FREE char *text = NULL;
    assert_true(ct_read_file_at(AT_FDCWD, path, 4096, &text, &err) > 0);
    assert_non_null(strstr(text, "last words, no newline"));
    streams_free(f->streams);
    f->streams = NULL;
    assert_false(is_open(client));
}

static void who_has_the_log_gets_what_is_not_in_there_yet(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config = json_pack("{s:s,s:{}}", "Type", "json-file", "Config");
    struct log_writer *log = log_writer_open(f->base, "abc", config, NULL, &err);
    assert_non_null(log);
    begin(f, (struct streams_config){.log = log});
    print(f, 1, "whole\nhal");
    print(f, 2, "oth");
    spin(f);

    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.out = true, .unfinished = true});
    CT_AUTO_CLOSE int other = attach(f, (struct streams_client){.out = true, .err = true});
    print(f, 1, "f\n");
    spin(f);

    assert_received(client, "\1\0\0\0\0\0\0\3hal\1\0\0\0\0\0\0\2f\n", 21);
    assert_received(other, "\1\0\0\0\0\0\0\2f\n", 10); /* from now on, as it always was */
    assert_int_equal(log_writer_close(log, &err), 0);
    streams_free(f->streams);
    f->streams = NULL;
}

static void who_holds_the_pipe_after_the_end_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    begin(f, (struct streams_config){0});
    int64_t from = ct_monotonic_ns();

    streams_finish(f->streams, 50); /* our copies of the program's ends are still open */

    int64_t took = ct_monotonic_ns() - from;
    assert_true(took >= 45 * MILLISECOND && took < 2000 * MILLISECOND);
}

static void what_was_kept_is_read_on(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    int kept[STREAMS_KEPT_MAX], copies[STREAMS_KEPT_MAX];
    begin(f, (struct streams_config){0});
    assert_int_equal(streams_kept(f->streams, kept), 2);
    for (size_t i = 0; i < 2; i++) {
        copies[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 3);
    }
    streams_free(f->streams); /* the monitor is killed */
    print(f, 1, "while nobody listened\n");

    struct streams_config config = {.loop = f->loop, .spill_dir = f->dir_fd};
    f->streams = streams_adopt(&config, copies, &err);
    assert_non_null(f->streams);
    CT_AUTO_CLOSE int client = attach(f, (struct streams_client){.out = true});
    assert_int_equal(streams_begin(f->streams, &err), 0);
    spin(f);

    static const char expected[] = "\1\0\0\0\0\0\0\x16while nobody listened\n";
    assert_received(client, expected, sizeof(expected) - 1);
}

static void unknown_detach_keys_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"ctrl-", "ctrl-p,", "ctrl-1",
                                      "foo",   ",",       "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct detach keys;
        struct ct_error err = {0};
        assert_int_equal(detach_parse(bad[i], &keys, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
    }
}

static void detach_keys_of_ones_own_are_found_across_reads(void **state)
{
    (void)state;
    struct detach keys;
    struct ct_error err = {0};
    unsigned char out[64];
    size_t length = 0;
    assert_int_equal(detach_parse("ctrl-a,x", &keys, &err), 0);

    assert_false(detach_filter(&keys, (const unsigned char *)"hi\1", 3, out, &length));
    assert_int_equal(length, 2);
    assert_false(detach_filter(&keys, (const unsigned char *)"\1", 1, out, &length));
    assert_int_equal(length, 1); /* the first ctrl-a was none of it, the second may be */
    assert_true(detach_filter(&keys, (const unsigned char *)"xyz", 3, out, &length));
    assert_int_equal(length, 0);
}

static void a_message_takes_not_one_byte_of_what_follows(void **state)
{
    (void)state;
    int ends[2];
    char rest[8];
    struct ct_error err = {0};
    CT_AUTO_FREE char *buffer = NULL;
    size_t length = 0;
    CT_AUTO_JSON json_t *got = NULL;
    CT_AUTO_JSON json_t *sent = json_pack("{s:s}", "do", "attach");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(wire_receive(ends[1], &buffer, &length, &got, &err), 0);

    assert_int_equal(wire_send(ends[0], sent, 1000, &err), 0);
    assert_int_equal(send(ends[0], "stream", 6, 0), 6);

    assert_int_equal(wire_receive(ends[1], &buffer, &length, &got, &err), 1);
    assert_true(json_equal(got, sent));
    assert_int_equal(recv(ends[1], rest, sizeof(rest), 0), 6);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_message_without_end_is_refused(void **state)
{
    (void)state;
    int ends[2];
    struct ct_error err = {0};
    CT_AUTO_FREE char *buffer = NULL;
    CT_AUTO_FREE char *block = calloc(1, 4096);
    size_t length = 0;
    json_t *got = NULL;
    int result = 0;
    memset(block, ' ', 4096);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);

    for (int i = 0; i < 300 && result == 0; i++) {
        assert_int_equal(send(ends[0], block, 4096, 0), 4096);
        result = wire_receive(ends[1], &buffer, &length, &got, &err);
    }

    assert_int_equal(result, -1);
    assert_int_equal(err.kind, CT_INVALID);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_peer_that_goes_away_is_unreachable(void **state)
{
    (void)state;
    int ends[2];
    struct ct_error err = {0};
    CT_AUTO_FREE char *buffer = NULL;
    size_t length = 0;
    json_t *got = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    (void)close(ends[0]);

    assert_int_equal(wire_receive(ends[1], &buffer, &length, &got, &err), -1);

    assert_int_equal(err.kind, CT_UNREACHABLE);
    (void)close(ends[1]);
}

static void descriptors_come_with_their_line_and_only_to_who_wants_them(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int ends[2], pipes[2];
    CT_AUTO_FREE char *buffer = NULL, *second_buffer = NULL;
    size_t length = 0, second_length = 0;
    CT_AUTO_JSON json_t *sent = json_pack("{s:i}", "a", 1);
    CT_AUTO_JSON json_t *got = NULL, *again = NULL;
    struct wire_fds came = {.n = 0};
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);

    assert_int_equal(wire_send_fds(ends[0], sent, pipes, 2, 1000, &err), 0);
    assert_int_equal(wire_send_fds(ends[0], sent, pipes, 2, 1000, &err), 0);
    assert_int_equal(wire_receive_fds(ends[1], &buffer, &length, &got, &came, &err), 1);
    assert_int_equal(wire_receive(ends[1], &second_buffer, &second_length, &again, &err), 1);

    assert_true(json_equal(got, sent) && json_equal(again, sent));
    assert_int_equal(came.n, 2);
    assert_int_equal(fcntl(came.fds[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(came.fds[1], "x", 1), 1); /* it is the pipe's writing end */
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    for (size_t i = 0; i < 2; i++) {
        (void)close(came.fds[i]);
        (void)close(pipes[i]);
        (void)close(ends[i]);
    }
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(output_comes_in_frames_that_name_the_stream),
        CASE(a_client_gets_only_the_streams_that_it_wants),
        CASE(a_terminals_output_is_raw),
        CASE(input_reaches_the_program_and_ends_with_the_client),
        CASE(input_stays_open_for_the_next_client_unless_asked),
        CASE(what_a_client_sent_before_it_hung_up_arrives),
        CASE(without_open_stdin_the_program_reads_nothing),
        CASE(detach_keys_let_the_client_go_and_nothing_else),
        CASE(a_terminal_is_resized),
        CASE(a_pipe_is_not_resized),
        CASE(a_client_that_does_not_read_stops_neither_program_nor_others),
        CASE(only_a_client_that_is_far_behind_makes_the_program_wait),
        CASE(the_last_output_is_in_the_log_and_with_the_client),
        CASE(who_has_the_log_gets_what_is_not_in_there_yet),
        CASE(who_holds_the_pipe_after_the_end_is_not_waited_for),
        CASE(what_was_kept_is_read_on),
        CASE(unknown_detach_keys_are_refused),
        CASE(detach_keys_of_ones_own_are_found_across_reads),
        CASE(a_message_takes_not_one_byte_of_what_follows),
        CASE(descriptors_come_with_their_line_and_only_to_who_wants_them),
        CASE(a_message_without_end_is_refused),
        CASE(a_peer_that_goes_away_is_unreachable),
    };
    return cmocka_run_group_tests_name("monitor streams", tests, NULL, NULL);
}
