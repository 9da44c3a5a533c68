/*
 * host_config.c - what LXC's configuration cannot say, refused by the name Docker gives it.
 *
 * Room:       execdriver/lxc.   Called by: monitor/spec_check.c, through execdriver.h.
 * Spec:       Docker Engine API 1.43, "HostConfig".
 */
#define CT_LAYER "spec"
#include "execdriver.h"

#include "json.h"

#include <string.h>

#define NOT_IN_LXC "it comes with stage 03-libcontainer, exec driver native"

/* Fields that must be unset. */
static const char *const beyond[] = {
    "Annotations",        "CgroupParent",        "BlkioWeight",         "BlkioWeightDevice",
    "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps",
    "CpuRealtimePeriod",  "CpuRealtimeRuntime",  "DeviceCgroupRules",   "OomKillDisable",
};

/* Fields of a few words: the values that LXC can do; the list ends with NULL. */
static const struct {
    const char *field;
    const char *values[4];
} choices[] = {
    {"Runtime", {"", "lxc"}},
    {"CgroupnsMode", {"", "private"}},
    {"IpcMode", {"", "private", "host"}},
    {"PidMode", {"", "private", "host"}},
};

static int refuse(struct ct_error *err, const char *what)
{
    return ct_refuse(err, CT_UNSUPPORTED, "use %s: " NOT_IN_LXC, what);
}

static int check_fields(const json_t *host, struct ct_error *err)
{
    if (!ct_json_is_unset(json_object_get(host, "Init"))) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use HostConfig.Init: it comes with stage 04-modular");
    }
    for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        if (!ct_json_is_unset(json_object_get(host, beyond[i]))) {
            return ct_refuse(err, CT_UNSUPPORTED, "use HostConfig.%s: " NOT_IN_LXC, beyond[i]);
        }
    }
    if (ct_json_integer(host, "MemorySwappiness", -1) != -1) {
        return refuse(err, "HostConfig.MemorySwappiness");
    }
    /* An empty list is a wish, too: mask nothing. */
    return json_is_array(json_object_get(host, "MaskedPaths"))
               ? refuse(err, "HostConfig.MaskedPaths")
           : json_is_array(json_object_get(host, "ReadonlyPaths"))
               ? refuse(err, "HostConfig.ReadonlyPaths")
               : 0;
}

static int check_choices(const json_t *host, struct ct_error *err)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const char *value = ct_json_string(host, choices[i].field, "");
        size_t n = 0;
        while (n < 4 && choices[i].values[n] && strcmp(choices[i].values[n], value) != 0) {
            n++;
        }
        if (n == 4 || !choices[i].values[n]) {
            return ct_refuse(err, CT_UNSUPPORTED, "use HostConfig.%s '%.64s': " NOT_IN_LXC,
                             choices[i].field, value);
        }
    }
    return 0;
}

/* LXC has profiles, too, but of a format of its own. */
static int check_seccomp(const json_t *host, struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(host, "SecurityOpt"), i, value)
    {
        const char *text = json_string_value(value);
        if (text && strncmp(text, "seccomp", 7) == 0 && strcmp(text + 7, "=unconfined") != 0 &&
            strcmp(text + 7, ":unconfined") != 0) {
            return refuse(err, "a seccomp profile of your own");
        }
    }
    return 0;
}

/* What happens to a mount later stays on its side: LXC makes its own copy of the mount tree. */
static bool propagates(const char *mode)
{
    return mode && (strstr(mode, "shared") || strstr(mode, "slave"));
}

static int check_propagation(const json_t *host, struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach(json_object_get(host, "Binds"), i, value)
    {
        const char *text = json_string_value(value);
        const char *last = text ? strrchr(text, ':') : NULL;
        if (last && last[1] != '/' && propagates(last)) {
            return refuse(err, "mount propagation");
        }
    }
    json_array_foreach(json_object_get(host, "Mounts"), i, value)
    {
        if (propagates(ct_json_string(value, "BindOptions.Propagation", NULL))) {
            return refuse(err, "mount propagation");
        }
    }
    return 0;
}

int exec_driver_check(const json_t *host_config, struct ct_error *err)
{
    return check_fields(host_config, err) < 0 || check_choices(host_config, err) < 0 ||
                   check_seccomp(host_config, err) < 0 || check_propagation(host_config, err) < 0
               ? -1
               : 0;
}

bool exec_driver_has_terminals(void)
{
    return false;
}

int exec_driver_reach(const char *address, struct ct_error *err)
{
    return ct_refuse(err, CT_UNSUPPORTED,
                     "ask containerd at '%.100s': it comes with stage 04-modular", address);
}

int exec_driver_begin(const char *root, const char *run, struct ct_error *err)
{
    (void)root;
    (void)run;
    (void)err;
    return 0;
}

void exec_driver_end(void)
{
}
