/*
 * restart.c - whether, and after how long, a container that ended runs again.
 *
 * Room:       monitor.   Called by: supervise.c.
 * Spec:       Docker's restart policies: 100 ms, doubled each time up to a minute, from the
 *             beginning again after a run of ten seconds. "always" and "unless-stopped" differ only
 *             after a reboot, when a daemon starts containers; a stage without one does not.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"

#include "json.h"
#include "units.h"

#include <string.h>

#define MILLISECOND 1000000LL
#define BACKOFF_MIN (100 * MILLISECOND)
#define BACKOFF_MAX (60000 * MILLISECOND)
#define LIVED_LONG  (10000 * MILLISECOND)

static bool policy_wants(const struct container *container, int exit_code)
{
    const char *policy = ct_json_string(container->config, "HostConfig.RestartPolicy.Name", "");
    json_int_t limit =
        ct_json_integer(container->config, "HostConfig.RestartPolicy.MaximumRetryCount", 0);
    json_int_t count = ct_json_integer(container->state, "RestartCount", 0);

    if (strcmp(policy, "on-failure") == 0) {
        return exit_code != 0 && (limit == 0 || count < limit);
    }
    return strcmp(policy, "always") == 0 || strcmp(policy, "unless-stopped") == 0;
}

int64_t restart_delay(struct monitor *monitor, int exit_code)
{
    const struct container *container = monitor->container;

    if (ct_json_bool(container->state, "ManuallyStopped", false) ||
        !policy_wants(container, exit_code)) {
        return -1;
    }
    bool lived_long = ct_monotonic_ns() - monitor->started_ns >= LIVED_LONG;
    if (lived_long || monitor->backoff_ns == 0) {
        monitor->backoff_ns = BACKOFF_MIN;
    } else if (monitor->backoff_ns < BACKOFF_MAX) {
        monitor->backoff_ns *= 2;
    }
    return monitor->backoff_ns < BACKOFF_MAX ? monitor->backoff_ns : BACKOFF_MAX;
}

/* Who knew how long it was to wait is gone; how often it ran is recorded. */
int64_t restart_delay_again(struct monitor *monitor)
{
    json_int_t count = ct_json_integer(monitor->container->state, "RestartCount", 1);

    monitor->backoff_ns = BACKOFF_MIN;
    for (json_int_t i = 1; i < count && monitor->backoff_ns < BACKOFF_MAX; i++) {
        monitor->backoff_ns *= 2;
    }
    return monitor->backoff_ns < BACKOFF_MAX ? monitor->backoff_ns : BACKOFF_MAX;
}
