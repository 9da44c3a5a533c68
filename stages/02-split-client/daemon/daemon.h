/*
 * daemon.h - cutawayd, for the main() of each stage's.
 *
 * Room:       daemon.   Called by: main.c here (stages 02 and 03), main.c of stage 04.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "error.h"

/* What a stage's daemon has to do besides. begin: before it looks at its containers, when whatever
 * the exec driver asks runs. end: when nobody is served any more; also after a begin that failed,
 * or never came. */
struct daemon_rooms {
    int (*begin)(struct ct_error *err);
    void (*end)(void);
};

/* The whole program, from its command line to its exit code. rooms: NULL, nothing. */
int daemon_main(int argc, char **argv, const struct daemon_rooms *rooms);

#endif
