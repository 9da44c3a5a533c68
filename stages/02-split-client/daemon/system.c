/*
 * system.c - the engine itself: ping, version, info, events, disk usage.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43, "System".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_system.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int get_ping(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    (void)err;
    /* HEAD has no body: a byte behind the headers would be read as the next answer. */
    return reply_pong(reply, request->endpoint == REST_PING);
}

int get_version(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *version = NULL;
    return engine_version(request->engine, &version, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, version);
}

int get_info(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *info = NULL;
    return engine_info(request->engine, &info, err) < 0 ? -1 : reply_json(reply, MHD_HTTP_OK, info);
}

int get_disk_usage(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *usage = NULL;
    return engine_disk_usage(request->engine, &usage, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, usage);
}

/* There is no builder, so there is no cache of one. `docker system prune` asks all the same. */
int post_build_prune(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    (void)request;
    (void)err;
    return reply_json(reply, MHD_HTTP_OK,
                      json_pack("{s:[],s:i}", "CachesDeleted", "SpaceReclaimed", 0));
}

/* ---- events --------------------------------------------------------------------------------- */

struct event_stream {
    struct engine *engine;
    struct engine_events query;
    json_t *filters;
    int out_fd;
};

static int send_event(void *context, const json_t *event)
{
    const struct event_stream *stream = context;
    struct ct_error gone = {0};
    return write_line(stream->out_fd, event, "\n", &gone); /* -1 stops the engine, too */
}

static int produce_events(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    struct event_stream *stream = context;
    stream->out_fd = out_fd;
    return engine_events(stream->engine, &stream->query, send_event, stream, cancel_fd, err);
}

static void release_events(void *context)
{
    struct event_stream *stream = context;
    json_decref(stream->filters);
    free(stream);
}

static int ignore_event(void *context, const json_t *event)
{
    (void)context;
    (void)event;
    return 1;
}

int get_events(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    struct engine_events query = {0};
    CT_AUTO_JSON json_t *filters = NULL;

    if (query_filters(request, &filters, err) < 0 ||
        query_time(request, "since", &query.since_ns, err) < 0 ||
        query_time(request, "until", &query.until_ns, err) < 0) {
        return -1;
    }
    /* Asked for nothing first: what is wrong with the filters is told with a status. */
    struct engine_events nothing = {.since_ns = 1, .until_ns = 1, .filters = filters};
    if (engine_events(request->engine, &nothing, ignore_event, NULL, -1, err) < 0) {
        return -1;
    }
    struct event_stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        return ct_fail(err, ENOMEM, "follow events");
    }
    stream->engine = request->engine;
    stream->query = query;
    stream->filters = ct_steal(filters);
    stream->query.filters = stream->filters;
    reply->prompt = true;
    return reply_stream(reply, "application/json", produce_events, stream, release_events);
}
