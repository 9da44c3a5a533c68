/*
 * follow.c - what goes on for a while: waiting for an end, logs, events, archives of files.
 *
 * Room:       client.   Called by: cli, through engine_containers.h and engine_system.h.
 * Spec:       Docker Engine API 1.43.
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_containers.h"
#include "engine_system.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <stdlib.h>

/* ---- wait ----------------------------------------------------------------------------------- */

/* A request whose head has come and whose body comes when the container has ended. */
struct engine_wait {
    struct channel channel;
    struct transfer transfer;
    struct lines lines;
    int status;
    struct ct_error failure; /* what the daemon says of the end: kind CT_NONE when nothing */
};

static int take_end(void *context, const json_t *line, struct ct_error *err)
{
    struct engine_wait *wait = context;
    const char *message = ct_json_string(line, "Error.Message", "");

    (void)err;
    wait->status = (int)ct_json_integer(line, "StatusCode", 0);
    if (*message) {
        (void)ct_refuse(&wait->failure, CT_SYSTEM, "%.160s", message);
    }
    return 0;
}

static int begin_wait(struct engine_wait *wait, struct engine *engine, struct call *call,
                      struct ct_error *err)
{
    CT_AUTO_FREE char *url = call_url(call, err);
    if (!url) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_CLIENT, CT_STEP_REQUEST, "%s %s", rest_method(call->endpoint), call->path);
    struct transfer_request request = {.method = rest_method(call->endpoint), .url = url};
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = -1, .sink = sink_lines, .context = &wait->lines};
    int result =
        transfer_begin(&wait->transfer, engine, &wait->channel, &request, &streams, err) < 0
            ? -1
            : transfer_until_head(&wait->transfer, err);
    call_done(call);
    return result;
}

struct engine_wait *engine_wait_open(struct engine *engine, const char *ref, const char *condition,
                                     struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_WAIT, ref);
    struct engine_wait *wait = calloc(1, sizeof(*wait));

    if (!wait || channel_open(&wait->channel, err) < 0) {
        free(wait);
        call_done(&call);
        return ct_fail_null(err, ENOMEM, "wait for '%.64s'", ref);
    }
    wait->transfer.channel = &wait->channel;
    wait->lines = (struct lines){.take = take_end, .context = wait};
    call_text(&call, "condition", condition);
    if (begin_wait(wait, engine, &call, err) < 0) {
        engine_wait_close(wait);
        return NULL;
    }
    return wait;
}

int engine_wait_fd(const struct engine_wait *wait)
{
    return transfer_fd(&wait->transfer);
}

int engine_wait_result(struct engine_wait *wait, int *ret_status, struct ct_error *err)
{
    int over = wait->transfer.is_over ? 1 : transfer_go_on(&wait->transfer, err);
    if (over <= 0) {
        return over;
    }
    if (wait->failure.kind != CT_NONE) {
        *err = wait->failure;
        return -1;
    }
    *ret_status = wait->status;
    return 1;
}

void engine_wait_close(struct engine_wait *wait)
{
    if (!wait) {
        return;
    }
    transfer_done(&wait->transfer);
    channel_close(&wait->channel);
    lines_done(&wait->lines);
    free(wait);
}

/* ---- logs and events ------------------------------------------------------------------------ */

/* Who gives up following has seen what he wanted: that is no error. */
static int follow(struct call *call, const struct call_streams *streams, struct ct_error *err)
{
    if (call_stream(call, streams, err) < 0 && err->kind != CT_TIMEOUT) {
        return -1;
    }
    ct_error_clear(err);
    return 0;
}

int engine_container_logs(struct engine *engine, const char *ref, const struct engine_logs *query,
                          int out_fd, int cancel_fd, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_LOGS, ref);
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = cancel_fd, .sink = sink_to_fd, .context = &out_fd};

    call_bool(&call, "stdout", query->want_stdout);
    call_bool(&call, "stderr", query->want_stderr);
    call_bool(&call, "timestamps", query->timestamps);
    call_bool(&call, "details", query->details);
    call_bool(&call, "follow", query->follow);
    call_time(&call, "since", query->since_ns);
    call_time(&call, "until", query->until_ns);
    if (query->tail >= 0) {
        call_int(&call, "tail", query->tail);
    }
    return follow(&call, &streams, err);
}

struct event_taker {
    engine_event_fn report;
    void *context;
    bool stopped;
};

static int take_event(void *context, const json_t *event, struct ct_error *err)
{
    struct event_taker *taker = context;
    taker->stopped = taker->report(taker->context, event) != 0;
    return taker->stopped ? ct_refuse(err, CT_TIMEOUT, "seen enough") : 0;
}

int engine_events(struct engine *engine, const struct engine_events *query, engine_event_fn report,
                  void *context, int cancel_fd, struct ct_error *err)
{
    struct call call = call_new(engine, REST_EVENTS, NULL);
    struct event_taker taker = {.report = report, .context = context};
    struct lines lines = {.take = take_event, .context = &taker};
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = cancel_fd, .sink = sink_lines, .context = &lines};

    call_filters(&call, query->filters);
    call_time(&call, "since", query->since_ns);
    call_time(&call, "until", query->until_ns);
    int result = follow(&call, &streams, err);
    lines_done(&lines);
    return result;
}

/* ---- archives ------------------------------------------------------------------------------- */

static int stop_at_once(void *context, const char *bytes, size_t n, struct ct_error *err)
{
    (void)context;
    (void)bytes;
    (void)n;
    return ct_refuse(err, CT_TIMEOUT, "the answer was not expected");
}

/* An answer to HEAD has no body, so a refusal has no reason. GET tells it. */
static int ask_why(struct engine *engine, const char *ref, const char *path, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_ARCHIVE_GET, ref);
    struct call_streams streams = {.in_fd = -1, .cancel_fd = -1, .sink = stop_at_once};
    struct ct_error why = {0};

    call_text(&call, "path", path);
    if (call_stream(&call, &streams, &why) < 0 && why.kind != CT_TIMEOUT) {
        *err = why;
    }
    return -1;
}

int engine_container_stat_path(struct engine *engine, const char *ref, const char *path,
                               json_t **ret_stat, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_ARCHIVE_STAT, ref);
    call_text(&call, "path", path);
    if (call_stat(&call, ret_stat, err) < 0) {
        return err->kind == CT_UNREACHABLE ? -1 : ask_why(engine, ref, path, err);
    }
    return 0;
}

int engine_container_get_archive(struct engine *engine, const char *ref, const char *path,
                                 int out_fd, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_ARCHIVE_GET, ref);
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = -1, .sink = sink_to_fd, .context = &out_fd};
    call_text(&call, "path", path);
    return call_stream(&call, &streams, err);
}

int engine_container_put_archive(struct engine *engine, const char *ref, const char *path,
                                 bool no_overwrite_dir, int in_fd, struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_ARCHIVE_PUT, ref);
    struct call_streams streams = {.in_fd = in_fd, .cancel_fd = -1};
    call_text(&call, "path", path);
    call_bool(&call, "noOverwriteDirNonDir", no_overwrite_dir);
    return call_stream(&call, &streams, err);
}

int engine_container_export(struct engine *engine, const char *ref, int out_fd,
                            struct ct_error *err)
{
    struct call call = call_new(engine, REST_CONTAINER_EXPORT, ref);
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = -1, .sink = sink_to_fd, .context = &out_fd};
    return call_stream(&call, &streams, err);
}
