/*
 * filter.c - runs some tests of a program only: CMOCKA_TEST_FILTER='*limit*' build/tests/contract/…
 *
 * Called by: nobody; it is linked into each program of tests, and runs before main(). One pattern,
 * in which * is any text and ? any character; without it all tests run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose_tests(void)
{
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER")); /* keeps the pointer; NULL: all */
}
