/*
 * launcher.h - which program a command line of `cutaway` is meant for.
 *
 * Room:       launcher. Knows the names of the stages and where their programs stand; nothing else.
 * Called by:  main.c of the launcher.
 *
 * `cutaway [--stage N] ARGS…` becomes the program of stage N (else of CUTAWAY_STAGE, else of the
 * newest stage that is built); `cutaway [--stage N] trace ARGS…` becomes cutaway-trace. Programs
 * are looked for next to the launcher, so that a build tree and an installed tree both work
 * wherever they are moved to:
 *
 *     build/cutaway       build/stages/01-monolith/cutaway-01-monolith   build/trace/cutaway-trace
 *     PREFIX/bin/cutaway  PREFIX/libexec/cutaway/cutaway-01-monolith     PREFIX/bin/cutaway-trace
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include "error.h"

struct launcher_choice {
    char *program;     /* path of what to exec; owned: launcher_choice_done() */
    const char *stage; /* "01-monolith"; NULL: none was named, and none is needed (trace) */
    int first_arg;     /* argv[first_arg …] is passed on as it is */
};

/*
 * launcher_choose - decides; runs nothing.
 *
 * @self   path of the launcher's own binary; the programs are found relative to it.
 * @stage  value of CUTAWAY_STAGE, or NULL; `--stage` as the first argument goes before it. Both
 * take "1", "01" or "01-monolith".
 *
 * Returns 0 and fills *ret, or -1 with CT_INVALID (--stage without value, no such stage) or
 * CT_UNSUPPORTED (a stage or tool that is not built, by name; the hint lists what is).
 */
int launcher_choose(const char *self, const char *stage, int argc, const char *const *argv,
                    struct launcher_choice *ret, struct ct_error *err);

void launcher_choice_done(struct launcher_choice *choice);

#endif
