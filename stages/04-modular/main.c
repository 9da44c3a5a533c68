/*
 * main.c - cutawayd of stage 04: stage 02's daemon, and its monitors are threads of its own.
 *
 * Called by:  the user, systemd (cutaway.service, cutaway.socket).
 */
#include "daemon.h"
#include "monitors.h"

int main(int argc, char **argv)
{
    const struct daemon_rooms monitors = {.begin = monitors_begin, .end = monitors_end};
    return daemon_main(argc, argv, &monitors);
}
