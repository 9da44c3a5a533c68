/*
 * abandon.c - lets go of a container without ending it, for a carrier that outlives its monitors.
 *
 * Room:       monitor.   Called by: monitors/ of stage 04. A monitor that is a process just ends.
 */
#define CT_LAYER "monitor"
#include "carrier.h"
#include "monitor_internal.h"

#include "log.h"

#include <signal.h>
#include <stdlib.h>

void monitor_kill(struct monitor *monitor)
{
    struct ct_error err = {0};
    char line[400];

    if (supervise_signal(monitor, SIGKILL, true, &err) < 0) {
        ct_warn("kill %.12s: %s", monitor->container->id,
                ct_error_render(&err, line, sizeof(line)));
    }
}

/* The record stays as it is: running, or waiting for its next run. */
void monitor_abandon(struct monitor *monitor)
{
    health_end(monitor); /* a test that is under way would have nobody to tell its result */
    serve_close(monitor);
    serve_drop(monitor);
    execs_release(monitor);
    loop_disarm(&monitor->restart_timer);
    loop_disarm(&monitor->kill_timer);
    loop_disarm(&monitor->record_timer);
    run_release(monitor);
}

void monitor_free(struct monitor *monitor)
{
    if (!monitor) {
        return;
    }
    serve_drop(monitor);
    loop_disarm(&monitor->memory_timer);
    container_free(monitor->container);
    container_store_close(monitor->containers);
    places_done(&monitor->places);
    loop_free(monitor->loop);
    free(monitor);
}
