/*
 * driver.c - the exec driver of stage 04: what runs a container is another program, containerd.
 *
 * Room:       execdriver (stage 04).   Called by: see execdriver.h.
 *
 * Where stage 03 calls libcontainer, this driver sends a message. containerd starts a shim, the
 * shim a runtime, and the runtime makes the container; each can be Docker's own part or ours.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "document.h"

#include "cleanup.h"
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int exec_driver_use(const char *name, struct ct_error *err)
{
    return strcmp(name, "containerd") == 0
               ? 0
               : ct_refuse(err, CT_INVALID, "use the exec driver '%.40s': there is containerd",
                           name);
}

int exec_driver_reach(const char *address, struct ct_error *err)
{
    /* For the monitors, too. */
    return setenv(TASKS_VARIABLE, address, 1) < 0 ? ct_fail(err, errno, "choose a containerd") : 0;
}

const char *exec_driver_name(void)
{
    return "containerd";
}

char *exec_driver_version(struct ct_error *err)
{
    return tasks_version(err);
}

/* HostConfig.Runtime names an OCI runtime: a program in PATH, or by its path. */
static int check_runtime(const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *program = *name && !strchr(name, '/') ? tasks_in_path(name) : NULL;
    bool there = !*name || program || (name[0] == '/' && access(name, X_OK) == 0);

    return there ? 0
                 : ct_refuse(err, CT_INVALID,
                             "use HostConfig.Runtime '%.64s': there is no such runtime", name);
}

int exec_driver_check(const json_t *host_config, struct ct_error *err)
{
    CT_AUTO_FREE char *init = tasks_init_program();

    if (!ct_json_is_unset(json_object_get(host_config, "Init")) && !init) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "use HostConfig.Init: there is no init to run");
        return ct_hint(err, "install cutaway-init or tini");
    }
    return check_runtime(ct_json_string(host_config, "Runtime", ""), err) < 0
               ? -1
               : spec_check_host(host_config, err);
}

bool exec_driver_has_terminals(void)
{
    return true;
}
