/*
 * volumes.c - volumes: each handler is one call of engine_volumes.h.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43, "Volume".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_volumes.h"

#include "cleanup.h"

int get_volumes(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *list = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_volume_list(request->engine, filters, &list, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, list);
}

int get_volume(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *document = NULL;
    return engine_volume_inspect(request->engine, request->name, &document, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, document);
}

int post_volume_create(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    json_t *document = NULL;
    if (!body || engine_volume_create(request->engine, body, &document, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_CREATED, document);
}

int delete_volume(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    return engine_volume_remove(request->engine, request->name, query_bool(request, "force", false),
                                err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_volume_prune(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *pruned = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_volume_prune(request->engine, filters, &pruned, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, pruned);
}
