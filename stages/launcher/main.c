/*
 * main.c - `cutaway`: becomes the program of one stage, or the tracer.
 *
 * Room:       launcher.
 * Called by:  users, scripts, cutaway-trace.
 * Man:        execv(3).
 */
#define CT_LAYER "launcher"
#include "launcher.h"

#include "cleanup.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Returns only when it failed. */
static int become_chosen_program(int argc, char **argv, struct ct_error *err)
{
    CT_AUTO_FREE char *self = ct_self_path(err);
    struct launcher_choice choice;

    if (!self || launcher_choose(self, getenv("CUTAWAY_STAGE"), argc, (const char *const *)argv,
                                 &choice, err) < 0) {
        return -1;
    }
    /* What runs below us, under the tracer for one, shall mean the same stage by `cutaway`. */
    if (choice.stage && setenv("CUTAWAY_STAGE", choice.stage, 1) < 0) {
        (void)ct_fail(err, errno, "set CUTAWAY_STAGE");
        goto undo_choice;
    }
    argv += choice.first_arg - 1;
    argv[0] = (char[]){"cutaway"}; /* the stage need not know that it was launched */
    (void)execv(choice.program, argv);
    (void)ct_fail(err, errno, "run '%s'", choice.program);

undo_choice:
    launcher_choice_done(&choice);
    return -1;
}

int main(int argc, char **argv)
{
    struct ct_error err = {0};

    (void)become_chosen_program(argc, argv, &err);
    ct_error_print(stderr, "cutaway", &err);
    return ct_kind_exit_code(err.kind);
}
