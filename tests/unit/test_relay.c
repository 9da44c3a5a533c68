/*
 * test_relay.c - a client's connection and a program's stream, joined.
 */
#define CT_LAYER "test"
#include "relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* [0]: what the relay holds; [1]: the other end. */
static int client[2], program[2];

static int open_pairs(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client) < 0 ||
                   socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, program) < 0
               ? -1
               : 0;
}

static int close_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        (void)close(client[i]);
        (void)close(program[i]);
    }
    return 0;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_hears(int fd, const char *text)
{
    char heard[64] = "";
    assert_int_equal(recv(fd, heard, sizeof(heard) - 1, MSG_DONTWAIT), strlen(text));
    assert_string_equal(heard, text);
}

static void both_directions_arrive_and_the_program_ends_it(void **state)
{
    (void)state;
    say(client[1], "typed");
    say(program[1], "printed");
    assert_int_equal(shutdown(program[1], SHUT_WR), 0);

    ct_relay(client[0], program[0], -1);

    assert_hears(program[1], "typed");
    assert_hears(client[1], "printed");
    assert_hears(client[1], ""); /* and then its end */
}

static void a_client_that_types_no_more_still_gets_the_rest(void **state)
{
    (void)state;
    assert_int_equal(shutdown(client[1], SHUT_WR), 0);
    say(program[1], "printed");
    assert_int_equal(shutdown(program[1], SHUT_WR), 0);

    ct_relay(client[0], program[0], -1);

    assert_hears(client[1], "printed");
    assert_hears(program[1], ""); /* the end of its input */
}

static void what_was_printed_arrives_though_nobody_takes_the_input(void **state)
{
    (void)state;
    say(client[1], "typed");
    say(program[1], "printed");
    (void)close(program[1]); /* it has ended, and took nothing */
    program[1] = -1;

    ct_relay(client[0], program[0], -1);

    assert_hears(client[1], "printed");
    assert_hears(client[1], "");
}

static void a_client_that_is_gone_ends_it(void **state)
{
    (void)state;
    (void)close(client[1]);
    client[1] = -1;

    ct_relay(client[0], program[0], -1); /* returns */
}

static void who_gives_up_ends_it(void **state)
{
    (void)state;
    int cancel = eventfd(1, EFD_CLOEXEC);

    ct_relay(client[0], program[0], cancel); /* returns, though nobody has ended */

    (void)close(cancel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pairs, close_pairs)
    const struct CMUnitTest tests[] = {
        TEST(both_directions_arrive_and_the_program_ends_it),
        TEST(a_client_that_types_no_more_still_gets_the_rest),
        TEST(what_was_printed_arrives_though_nobody_takes_the_input),
        TEST(a_client_that_is_gone_ends_it),
        TEST(who_gives_up_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
