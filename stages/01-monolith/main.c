/*
 * main.c - stage 01: one binary, one process per command.
 *
 * The same binary is the command line and, started under another name, the monitor that stays
 * with a running container. All rooms are linked into it; every arrow between them is a call.
 */
#include "cli.h"
#include "monitor_main.h"

int main(int argc, char **argv)
{
    return monitor_is_wanted(argc, argv) ? monitor_main(argc, argv) : cli_main(argc, argv);
}
