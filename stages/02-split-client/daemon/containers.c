/*
 * containers.c - containers: each handler is one call of engine_containers.h.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43, "Container".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* ---- create, list, inspect ------------------------------------------------------------------ */

int post_container_create(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_FREE char *id = NULL;
    const char *platform = query_text(request, "platform");

    if (!body) {
        return -1;
    }
    if (platform && *platform) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "create for platform '%.40s': it comes with no stage yet", platform);
    }
    if (engine_container_create(request->engine, query_text(request, "name"), body, &id, &warnings,
                                err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_CREATED,
                      json_pack("{s:s,s:O}", "Id", id, "Warnings", warnings));
}

int get_containers(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    bool all = query_bool(request, "all", false);
    bool size = query_bool(request, "size", false);
    json_t *list = NULL;
    long long limit;

    if (query_filters(request, &filters, err) < 0 ||
        query_int(request, "limit", 0, &limit, err) < 0 ||
        engine_container_list(request->engine, all, limit > 0 ? (int)limit : 0, size, filters,
                              &list, err) < 0) {
        return -1;
    }
    return size ? reply_json(reply, MHD_HTTP_OK, list) /* measured now, not what is kept */
                : reply_summaries(reply, list, all && !filters && limit <= 0, err);
}

int get_container(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *document = NULL;
    if (engine_container_inspect(request->engine, request->name, query_bool(request, "size", false),
                                 &document, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, document);
}

int get_container_top(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *table = NULL;
    return engine_container_top(request->engine, request->name, query_text(request, "ps_args"),
                                &table, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, table);
}

int get_container_changes(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    json_t *changes = NULL;
    return engine_container_changes(request->engine, request->name, &changes, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, changes);
}

/* ---- life ----------------------------------------------------------------------------------- */

int post_container_start(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    return engine_container_start(request->engine, request->name, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

/* stop and restart: "t" are seconds; absent: what the container says. */
static int read_stop(const struct rest_request *request, const char **ret_signal,
                     int *ret_timeout_s, struct ct_error *err)
{
    long long timeout_s;
    if (query_int(request, "t", -1, &timeout_s, err) < 0) {
        return -1;
    }
    *ret_signal = query_text(request, "signal");
    *ret_timeout_s = timeout_s > 1000000 ? 1000000 : (int)timeout_s;
    return 0;
}

int post_container_stop(struct rest_request *request, struct rest_reply *reply,
                        struct ct_error *err)
{
    const char *signal;
    int timeout_s;
    if (read_stop(request, &signal, &timeout_s, err) < 0 ||
        engine_container_stop(request->engine, request->name, signal, timeout_s, err) < 0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_restart(struct rest_request *request, struct rest_reply *reply,
                           struct ct_error *err)
{
    const char *signal;
    int timeout_s;
    if (read_stop(request, &signal, &timeout_s, err) < 0 ||
        engine_container_restart(request->engine, request->name, signal, timeout_s, err) < 0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_kill(struct rest_request *request, struct rest_reply *reply,
                        struct ct_error *err)
{
    const char *signal = query_text(request, "signal");
    return engine_container_kill(request->engine, request->name, signal && *signal ? signal : NULL,
                                 err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_pause(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    return engine_container_pause(request->engine, request->name, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_unpause(struct rest_request *request, struct rest_reply *reply,
                           struct ct_error *err)
{
    return engine_container_unpause(request->engine, request->name, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_rename(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    const char *name = query_text(request, "name");
    if (!name || !*name) {
        return ct_refuse(err, CT_INVALID, "rename '%.64s': no name was given", request->name);
    }
    return engine_container_rename(request->engine, request->name, name, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_update(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    json_t *warnings = NULL;
    if (!body ||
        engine_container_update(request->engine, request->name, body, &warnings, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, json_pack("{s:o}", "Warnings", warnings));
}

int delete_container(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    if (query_bool(request, "link", false)) {
        return ct_refuse(err, CT_UNSUPPORTED, "remove a link: links come with no stage");
    }
    return engine_container_remove(request->engine, request->name,
                                   query_bool(request, "force", false),
                                   query_bool(request, "v", false), err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_container_prune(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *pruned = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_container_prune(request->engine, filters, &pruned, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, pruned);
}

int post_container_resize(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    long long height, width;
    if (query_int(request, "h", 0, &height, err) < 0 ||
        query_int(request, "w", 0, &width, err) < 0 ||
        engine_container_resize(request->engine, request->name, (unsigned)height, (unsigned)width,
                                err) < 0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_OK);
}

int post_commit(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_STRV char **changes = query_list(request, "changes");
    CT_AUTO_FREE char *id = NULL;
    const char *container = query_text(request, "container");
    struct engine_commit how = {.repository = query_text(request, "repo"),
                                .tag = query_text(request, "tag"),
                                .author = query_text(request, "author"),
                                .comment = query_text(request, "comment"),
                                .changes = (const char *const *)changes,
                                .pause = query_bool(request, "pause", true)};

    if (!container || !*container) {
        return ct_refuse(err, CT_INVALID, "commit: no container was named");
    }
    if (engine_container_commit(request->engine, container, &how, &id, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_CREATED, json_pack("{s:s}", "Id", id));
}
