/*
 * documents.c - what a container's two documents say from the beginning, wherever they are kept.
 *
 * Room:       containers.   Called by: the implementations of containers.h.
 */
#define CT_LAYER "containers"
#include "container_parts.h"

#include "json.h"
#include "log.h"
#include "units.h"

#include <string.h>

bool is_container_id(const char *text)
{
    return strlen(text) == (size_t)2 * CONTAINER_ID_BYTES &&
           strspn(text, "0123456789abcdef") == (size_t)2 * CONTAINER_ID_BYTES;
}

/* ---- config --------------------------------------------------------------------------------- */

int record_check(const json_t *config, struct ct_error *err)
{
    if (!json_is_object(json_object_get(config, "Config")) ||
        !json_is_object(json_object_get(config, "HostConfig"))) {
        return ct_refuse(err, CT_INVALID,
                         "create a container: 'Config' or 'HostConfig' is missing");
    }
    return 0;
}

/* A container that was given no host name is called by the first digits of its id. */
static void complete_hostname(json_t *config, const char *id)
{
    const char *mode = ct_json_string(config, "HostConfig.NetworkMode", "");
    if (!*ct_json_string(config, "Config.Hostname", "") && strcmp(mode, "host") != 0) {
        ct_json_set(json_object_get(config, "Config"), "Hostname", json_stringn(id, 12));
    }
}

void record_fill_in(json_t *config, const char *id, const char *name)
{
    char now[CT_TIME_TEXT];

    ct_json_set_string(config, "Id", id);
    ct_json_set_string(config, "Created", ct_time_format(ct_now_ns(), now));
    ct_json_set(config, "Name", json_sprintf("/%s", name));
    complete_hostname(config, id);
}

int64_t record_created_ns(const json_t *config)
{
    struct ct_error ignored = {0};
    int64_t ns = 0;
    (void)ct_time_parse(ct_json_string(config, "Created", CT_TIME_ZERO), &ns, &ignored);
    return ns;
}

/* ---- state ---------------------------------------------------------------------------------- */

json_t *record_fresh_state(void)
{
    json_t *state = json_object();

    ct_json_set_string(state, "Status", "created");
    ct_json_set(state, "Running", json_false());
    ct_json_set(state, "Paused", json_false());
    ct_json_set(state, "Restarting", json_false());
    ct_json_set(state, "OOMKilled", json_false());
    ct_json_set(state, "Dead", json_false());
    ct_json_set(state, "Pid", json_integer(0));
    ct_json_set(state, "ExitCode", json_integer(0));
    ct_json_set_string(state, "Error", "");
    ct_json_set_string(state, "StartedAt", CT_TIME_ZERO);
    ct_json_set_string(state, "FinishedAt", CT_TIME_ZERO);
    ct_json_set(state, "RestartCount", json_integer(0));
    ct_json_set(state, "ManuallyStopped", json_false());
    ct_json_set(state, "MonitorPid", json_integer(0));
    return state;
}

json_t *record_lost_state(const char *id, const struct ct_error *cause)
{
    char line[400];
    json_t *state = record_fresh_state();

    ct_warn("container %.12s: %s", id, ct_error_render(cause, line, sizeof(line)));
    ct_json_set_string(state, "Status", "exited");
    ct_json_set(state, "ExitCode", json_integer(255));
    ct_json_set(state, "Error", json_sprintf("its state was lost: %s", line));
    return state;
}
