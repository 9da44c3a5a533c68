/*
 * memory.c - gives back what a long wait does not need: there is one of us for each container.
 *
 * Room:       monitor.   Called by: supervise.c, execs.c.
 */
#include "carrier.h"
#include "monitor_internal.h"

#define QUIET_NS 200000000LL

static void give_back(void *unused)
{
    (void)unused;
    carrier_give_memory_back();
}

void give_memory_back_soon(struct monitor *monitor)
{
    loop_arm(monitor->loop, &monitor->memory_timer, QUIET_NS, give_back, NULL);
}
