/*
 * networks.c - networks: each handler is one call of engine_networks.h.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43, "Network".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_networks.h"

#include "cleanup.h"
#include "json.h"
#include "shape.h"

#include <stdlib.h>

int get_networks(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *list = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_network_list(request->engine, filters, &list, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, list);
}

int get_network(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *document = NULL;
    return engine_network_inspect(request->engine, request->name, &document, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, document);
}

int post_network_create(struct rest_request *request, struct rest_reply *reply,
                        struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    CT_AUTO_FREE char *id = NULL;

    if (!body || engine_network_create(request->engine, body, &id, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_CREATED, json_pack("{s:s,s:s}", "Id", id, "Warning", ""));
}

/* Which container, of connect and disconnect. NULL: none, or not a name. */
static const char *read_container(const json_t *body, struct ct_error *err)
{
    static const struct ct_shape rows[] = {
        {"Container", CT_TEXT}, {"Force", CT_BOOLEAN}, {NULL, CT_TEXT}};
    const char *name = ct_json_string(body, "Container", "");

    if (!body || ct_shape_check(body, rows, "", err) < 0) {
        return NULL;
    }
    return *name ? name
                 : ct_refuse_null(err, CT_INVALID, "read the request: it names no container");
}

int post_network_connect(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    const char *container = read_container(body, err);

    if (!container || engine_network_connect(request->engine, request->name, container,
                                             json_object_get(body, "EndpointConfig"), err) < 0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_OK);
}

int post_network_disconnect(struct rest_request *request, struct rest_reply *reply,
                            struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    const char *container = read_container(body, err);

    if (!container || engine_network_disconnect(request->engine, request->name, container,
                                                ct_json_bool(body, "Force", false), err) < 0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_OK);
}

int delete_network(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    return engine_network_remove(request->engine, request->name, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_NO_CONTENT);
}

int post_network_prune(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *pruned = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_network_prune(request->engine, filters, &pruned, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, pruned);
}
