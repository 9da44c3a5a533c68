/*
 * test_lc_sync.c - the talk between the runtime and the container's first process: nothing that was
 * said is lost.
 */
#define CT_LAYER "test"
#include "sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

/* Two sides; the second one has failed, said so, and ended without a look at what came. */
static int talk_to_the_dead(bool word_on_its_way)
{
    struct ct_error err = {0}, failure = {0};
    int side[2];

    assert_int_equal(lc_sync_open(side, &err), 0);
    if (word_on_its_way) {
        assert_int_equal(lc_sync_send(side[0], LC_SYNC_MAPPED, -1, &err), 0);
    }
    (void)ct_fail(&failure, ENOSPC, "make it");
    lc_sync_send_error(side[1], &failure);
    assert_int_equal(close(side[1]), 0);
    return side[0];
}

static void assert_reason(const struct ct_error *err)
{
    assert_int_equal(err->sys, ENOSPC);
    assert_string_equal(err->frame[0].what, "make it");
}

static void the_reason_is_heard_though_our_word_was_not(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int side = talk_to_the_dead(true);

    assert_int_equal(lc_sync_receive(side, -1, NULL, &err), -1);

    assert_reason(&err);
    assert_int_equal(close(side), 0);
}

static void who_speaks_to_the_dead_hears_why(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int side = talk_to_the_dead(false);

    assert_int_equal(lc_sync_send(side, LC_SYNC_MAPPED, -1, &err), -1);

    assert_reason(&err);
    assert_int_equal(close(side), 0);
}

static void who_ended_without_a_word_has_ended(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int side[2];

    assert_int_equal(lc_sync_open(side, &err), 0);
    assert_int_equal(lc_sync_send(side[0], LC_SYNC_MAPPED, -1, &err), 0);
    assert_int_equal(close(side[1]), 0);

    assert_int_equal(lc_sync_receive(side[0], -1, NULL, &err), 0);
    assert_int_equal(lc_sync_send(side[0], LC_SYNC_MAPPED, -1, &err), -1);

    assert_int_equal(err.sys, EPIPE);
    assert_string_equal(err.frame[0].what, "tell the other side 'm'");
    assert_int_equal(close(side[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_is_heard_though_our_word_was_not),
        cmocka_unit_test(who_speaks_to_the_dead_hears_why),
        cmocka_unit_test(who_ended_without_a_word_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
