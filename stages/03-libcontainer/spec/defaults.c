/*
 * defaults.c - what Docker gives and takes when nobody says otherwise.
 *
 * Room:       spec (stage 03).   Called by: see defaults.h.
 */
#include "defaults.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define PROCESSORS "/sys/devices/system/cpu"

const char *const spec_default_caps[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
    NULL,
};

/* These are not in a namespace: they tell of the host, or change it. */
const char *const spec_default_masked_paths[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts", /* when somebody types (GHSA-6fw5-f8r9-fgfm) */
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap", /* what a calculation draws (CVE-2020-8694, PLATYPUS) */
    "/sys/firmware",
    NULL,
};

const char *const spec_default_readonly_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

/* How warm a processor gets tells what others do on it (GHSA-6fw5-f8r9-fgfm). */
static void add_thermal_paths(json_t *paths)
{
    CT_AUTO_DIR DIR *processors = opendir(PROCESSORS);
    struct dirent *entry;

    while (processors && (entry = readdir(processors))) {
        CT_AUTO_FREE char *name = ct_printf("%s/thermal_throttle", entry->d_name);
        if (strncmp(entry->d_name, "cpu", 3) == 0 &&
            faccessat(dirfd(processors), name, F_OK, 0) == 0) {
            ct_json_append(paths, json_sprintf(PROCESSORS "/%s", name));
        }
    }
}

json_t *spec_masked_paths(void)
{
    json_t *paths = ct_json_from_strv(spec_default_masked_paths, SIZE_MAX);

    add_thermal_paths(paths);
    return paths;
}
