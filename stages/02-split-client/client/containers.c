/*
 * containers.c - engine_containers.h over REST, but for what goes on for a while (follow.c).
 *
 * Room:       client.   Called by: cli, through engine_containers.h.
 * Spec:       Docker Engine API 1.43, "Container" and "Exec".
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

/* ---- create, list, inspect ------------------------------------------------------------------ */

int engine_container_create(struct engine *engine, const char *name, const json_t *body,
                            char **ret_id, json_t **ret_warnings, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_CREATE, NULL);
    CT_AUTO_JSON json_t *answer = NULL;

    call_text(&call, "name", name);
    if (call_json(&call, body, &answer, err) < 0) {
        return -1;
    }
    json_t *warnings = json_object_get(answer, "Warnings");
    *ret_id = ct_strdup(ct_json_string(answer, "Id", ""));
    *ret_warnings = json_is_array(warnings) ? json_incref(warnings) : json_array();
    return 0;
}

int engine_container_list(struct engine *engine, bool all, int limit, bool size,
                          const json_t *filters, json_t **ret_list, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_LIST, NULL);

    call_bool(&call, "all", all);
    call_bool(&call, "size", size);
    call_filters(&call, filters);
    if (limit > 0) {
        call_int(&call, "limit", limit);
    }
    return call_json(&call, NULL, ret_list, err);
}

int engine_container_inspect(struct engine *engine, const char *ref, bool size, json_t **ret,
                             struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_INSPECT, ref);
    call_bool(&call, "size", size);
    return call_json(&call, NULL, ret, err);
}

int engine_container_top(struct engine *engine, const char *ref, const char *ps_args, json_t **ret,
                         struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_TOP, ref);
    call_text(&call, "ps_args", ps_args);
    return call_json(&call, NULL, ret, err);
}

int engine_container_changes(struct engine *engine, const char *ref, json_t **ret,
                             struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_CHANGES, ref);
    if (call_json(&call, NULL, ret, err) < 0) {
        return -1;
    }
    if (json_is_null(*ret)) { /* dockerd: there are none */
        *ret = json_array();
    }
    return 0;
}

int engine_container_stats(struct engine *engine, const char *ref, bool one_shot, json_t **ret,
                           struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_STATS, ref);
    call_text(&call, "stream", "0");
    call_bool(&call, "one-shot", one_shot);
    return call_json(&call, NULL, ret, err);
}

/* ---- life ----------------------------------------------------------------------------------- */

int engine_container_start(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_START, ref);
    return call_json(&call, NULL, NULL, err);
}

static int stop_or_restart(struct engine *engine, enum rest_endpoint endpoint, const char *ref,
                           const char *signal, int timeout_s, struct ct_error *err)
{
    struct call call = call_new(engine, endpoint, ref);
    call_text(&call, "signal", signal);
    if (timeout_s >= 0) {
        call_int(&call, "t", timeout_s);
    }
    return call_json(&call, NULL, NULL, err);
}

int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int timeout_s,
                          struct ct_error *err)
{
    return stop_or_restart(engine, REST_CONTAINER_STOP, ref, signal, timeout_s, err);
}

int engine_container_restart(struct engine *engine, const char *ref, const char *signal,
                             int timeout_s, struct ct_error *err)
{
    return stop_or_restart(engine, REST_CONTAINER_RESTART, ref, signal, timeout_s, err);
}

int engine_container_kill(struct engine *engine, const char *ref, const char *signal,
                          struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_KILL, ref);
    call_text(&call, "signal", signal);
    return call_json(&call, NULL, NULL, err);
}

int engine_container_pause(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_PAUSE, ref);
    return call_json(&call, NULL, NULL, err);
}

int engine_container_unpause(struct engine *engine, const char *ref, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_UNPAUSE, ref);
    return call_json(&call, NULL, NULL, err);
}

int engine_container_rename(struct engine *engine, const char *ref, const char *name,
                            struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_RENAME, ref);
    call_text(&call, "name", name);
    return call_json(&call, NULL, NULL, err);
}

int engine_container_update(struct engine *engine, const char *ref, const json_t *body,
                            json_t **ret_warnings, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_UPDATE, ref);
    CT_AUTO_JSON json_t *answer = NULL;

    if (call_json(&call, body, &answer, err) < 0) {
        return -1;
    }
    json_t *warnings = json_object_get(answer, "Warnings");
    *ret_warnings = json_is_array(warnings) ? json_incref(warnings) : json_array();
    return 0;
}

int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes,
                            struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_REMOVE, ref);
    call_bool(&call, "force", force);
    call_bool(&call, "v", volumes);
    return call_json(&call, NULL, NULL, err);
}

int engine_container_prune(struct engine *engine, const json_t *filters, json_t **ret,
                           struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_PRUNE, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret, err);
}

int engine_container_commit(struct engine *engine, const char *ref, const struct engine_commit *how,
                            char **ret_id, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_COMMIT, NULL);
    CT_AUTO_JSON json_t *answer = NULL;

    call_text(&call, "container", ref);
    call_text(&call, "repo", how->repository);
    call_text(&call, "tag", how->tag);
    call_text(&call, "author", how->author);
    call_text(&call, "comment", how->comment);
    call_list(&call, "changes", how->changes);
    call_text(&call, "pause", how->pause ? "1" : "0");
    if (call_json(&call, NULL, &answer, err) < 0) {
        return -1;
    }
    *ret_id = ct_strdup(ct_json_string(answer, "Id", ""));
    return 0;
}

/* ---- streams -------------------------------------------------------------------------------- */

int engine_container_attach(struct engine *engine, const char *ref, const struct engine_attach *how,
                            int *ret_fd, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_ATTACH, ref);
    call_bool(&call, "stream", how->stream);
    call_bool(&call, "stdin", how->in);
    call_bool(&call, "stdout", how->out);
    call_bool(&call, "stderr", how->err);
    call_bool(&call, "logs", how->logs);
    call_text(&call, "detachKeys", how->detach_keys);
    return call_hijack(&call, NULL, ret_fd, err);
}

static int resize(struct call *call, unsigned height, unsigned width, struct ct_error *err)
{
    call_int(call, "h", height);
    call_int(call, "w", width);
    return call_json(call, NULL, NULL, err);
}

int engine_container_resize(struct engine *engine, const char *ref, unsigned height, unsigned width,
                            struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_RESIZE, ref);
    return resize(&call, height, width, err);
}

int engine_exec_create(struct engine *engine, const char *ref, const json_t *body, char **ret_id,
                       struct ct_error *err)
{
    struct call call = call_new(engine, REST_EXEC_CREATE, ref);
    CT_AUTO_JSON json_t *answer = NULL;

    if (call_json(&call, body, &answer, err) < 0) {
        return -1;
    }
    *ret_id = ct_strdup(ct_json_string(answer, "Id", ""));
    return 0;
}

/* The daemon frames what a program prints unless it is told here, once more, of the terminal. */
int engine_exec_start(struct engine *engine, const char *exec_id, int *ret_fd, struct ct_error *err)
{
    CT_AUTO_JSON json_t *exec = NULL;
    if (engine_exec_inspect(engine, exec_id, &exec, err) < 0) {
        return -1;
    }
    struct call call = call_new(engine, REST_EXEC_START, exec_id);
    CT_AUTO_JSON json_t *body = json_pack("{s:b,s:b}", "Detach", ret_fd == NULL, "Tty",
                                          ct_json_bool(exec, "ProcessConfig.tty", false));
    return ret_fd ? call_hijack(&call, body, ret_fd, err) : call_json(&call, body, NULL, err);
}

int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned height, unsigned width,
                       struct ct_error *err)
{
    struct call call = call_new(engine, REST_EXEC_RESIZE, exec_id);
    return resize(&call, height, width, err);
}

int engine_exec_inspect(struct engine *engine, const char *exec_id, json_t **ret,
                        struct ct_error *err)
{
    struct call call = call_new(engine, REST_EXEC_INSPECT, exec_id);
    return call_json(&call, NULL, ret, err);
}
