/*
 * main.c - cutawayd of stages 02 and 03.
 *
 * Room:       daemon.
 * Called by:  the user, systemd (cutaway.service, cutaway.socket).
 *
 * The same binary is, started under another name, the monitor that stays with a running container.
 */
#include "daemon.h"
#include "monitor_main.h"

#include <stddef.h>

int main(int argc, char **argv)
{
    return monitor_is_wanted(argc, argv) ? monitor_main(argc, argv) : daemon_main(argc, argv, NULL);
}
