/*
 * recover.c - what a daemon does with the containers that it finds: see recover.h.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 * Spec:       Docker, "Start containers automatically": restart policies.
 */
#define CT_LAYER "daemon"
#include "recover.h"

#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "units.h"

#include <string.h>

static bool comes_back(const json_t *document)
{
    const char *policy = ct_json_string(document, "HostConfig.RestartPolicy.Name", "no");
    json_int_t most = ct_json_integer(document, "HostConfig.RestartPolicy.MaximumRetryCount", 0);
    bool started =
        strcmp(ct_json_string(document, "State.StartedAt", CT_TIME_ZERO), CT_TIME_ZERO) != 0;

    if (!started || ct_json_bool(document, "State.Running", false)) {
        return false;
    }
    if (strcmp(policy, "unless-stopped") == 0) {
        return !ct_json_bool(document, "State.ManuallyStopped", false);
    }
    if (strcmp(policy, "on-failure") == 0) {
        return ct_json_integer(document, "State.ExitCode", 0) != 0 &&
               (most == 0 || ct_json_integer(document, "RestartCount", 0) < most);
    }
    return strcmp(policy, "always") == 0;
}

static void recover_one(struct engine *engine, const char *id)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *document = NULL;
    char line[512];

    if (engine_container_inspect(engine, id, false, &document, &err) < 0 || !comes_back(document)) {
        return;
    }
    if (engine_container_start(engine, id, &err) < 0 && err.kind != CT_UNCHANGED) {
        ct_warn("container=%.12s %s", id, ct_error_render(&err, line, sizeof(line)));
    }
}

int recover_containers(struct engine *engine, struct ct_error *err)
{
    CT_AUTO_JSON json_t *list = NULL;
    json_t *summary;
    size_t i;

    if (engine_container_list(engine, true, 0, false, NULL, &list, err) < 0) {
        return ct_while(err, "look at the containers");
    }
    json_array_foreach(list, i, summary)
    {
        recover_one(engine, ct_json_string(summary, "Id", ""));
    }
    return 0;
}
