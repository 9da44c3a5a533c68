/*
 * monitor_main.h - the monitor as a process of its own: for the main() of programs that start some.
 *
 * Room:       monitor.   Called by: main.c of stages 01 and 02 (and so 03).
 *
 * The same binary, started as
 *
 *   cutaway-monitor --root DIR --run DIR --id ID --report FD --timeout MS
 *                   --lock FD [--adopt] [--stream FD:[i][o][e]:KEYS]…
 */
#ifndef MONITOR_MAIN_H
#define MONITOR_MAIN_H

#include <stdbool.h>

#define MONITOR_NAME "cutaway-monitor"

/* True when argv[0] says that this process is to be a monitor; main() then returns monitor_main().
 */
bool monitor_is_wanted(int argc, char **argv);
int monitor_main(int argc, char **argv);

#endif
