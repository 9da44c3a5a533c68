/*
 * attach.c - the requests that turn a connection into a program's streams: attach and exec.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43: "Attach to a container", "Exec".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"
#include "shape.h"

#include <stdlib.h>

static const char *detach_keys(const struct rest_request *request)
{
    const char *keys = query_text(request, "detachKeys");
    return keys && *keys ? keys : NULL;
}

static bool has_terminal(struct rest_request *request, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    return engine_container_inspect(request->engine, request->name, false, &document, err) == 0 &&
           ct_json_bool(document, "Config.Tty", false);
}

int post_container_attach(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    struct engine_attach how = {.in = query_bool(request, "stdin", false),
                                .out = query_bool(request, "stdout", false),
                                .err = query_bool(request, "stderr", false),
                                .logs = query_bool(request, "logs", false),
                                .stream = query_bool(request, "stream", false),
                                .detach_keys = detach_keys(request)};
    bool raw = has_terminal(request, err);
    int fd = -1;

    if (err->kind != CT_NONE) {
        return -1;
    }
    if (engine_container_attach(request->engine, request->name, &how, &fd, err) < 0) {
        return -1;
    }
    return reply_hijack(request, reply, fd, raw);
}

/* ---- exec ----------------------------------------------------------------------------------- */

int post_exec_create(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    const json_t *body = request_body(request, err);
    CT_AUTO_FREE char *id = NULL;

    if (!body || engine_exec_create(request->engine, request->name, body, &id, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_CREATED, json_pack("{s:s}", "Id", id));
}

int post_exec_start(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    static const struct ct_shape rows[] = {
        {"Detach", CT_BOOLEAN}, {"Tty", CT_BOOLEAN}, {NULL, CT_TEXT}};
    bool detached = ct_json_bool(request->body, "Detach", false);
    bool raw = ct_json_bool(request->body, "Tty", false);
    int fd = -1;

    if (ct_shape_check(request->body, rows, "", err) < 0 ||
        engine_exec_start(request->engine, request->name, detached ? NULL : &fd, err) < 0) {
        return -1;
    }
    return detached ? reply_empty(reply, MHD_HTTP_OK) : reply_hijack(request, reply, fd, raw);
}

int post_exec_resize(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    long long height, width;
    if (query_int(request, "h", 0, &height, err) < 0 ||
        query_int(request, "w", 0, &width, err) < 0 ||
        engine_exec_resize(request->engine, request->name, (unsigned)height, (unsigned)width, err) <
            0) {
        return -1;
    }
    return reply_empty(reply, MHD_HTTP_OK);
}

int get_exec(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *document = NULL;
    return engine_exec_inspect(request->engine, request->name, &document, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, document);
}
