/*
 * images.c - images: each handler is one call of engine_images.h.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43, "Image". Progress is a stream of objects, each followed by
 *             CR LF; a failure after the header is out is such an object, too.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_images.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int get_images(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *list = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_image_list(request->engine, query_bool(request, "all", false), filters, &list, err) <
            0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, list);
}

int get_image(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *document = NULL;
    return engine_image_inspect(request->engine, request->name, &document, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, document);
}

int get_image_history(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *history = NULL;
    return engine_image_history(request->engine, request->name, &history, err) < 0
               ? -1
               : reply_json(reply, MHD_HTTP_OK, history);
}

int post_image_tag(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    const char *repository = query_text(request, "repo");
    const char *tag = query_text(request, "tag");

    if (!repository || !*repository) {
        return ct_refuse(err, CT_INVALID, "tag '%.64s': no repository was given", request->name);
    }
    CT_AUTO_FREE char *target =
        tag && *tag ? ct_printf("%s:%s", repository, tag) : ct_strdup(repository);
    return engine_image_tag(request->engine, request->name, target, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_CREATED);
}

int delete_image(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    json_t *deleted = NULL;
    if (engine_image_remove(request->engine, request->name, query_bool(request, "force", false),
                            query_bool(request, "noprune", false), &deleted, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, deleted);
}

int post_image_prune(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    json_t *pruned = NULL;
    if (query_filters(request, &filters, err) < 0 ||
        engine_image_prune(request->engine, filters, &pruned, err) < 0) {
        return -1;
    }
    return reply_json(reply, MHD_HTTP_OK, pruned);
}

/* ---- transfers ------------------------------------------------------------------------------ */

/* What a producer needs of its request, which ends before it does. */
struct transfer {
    struct engine *engine;
    int in_fd;
    bool quiet;
    char *repository, *tag, *message;
    char **list; /* names to save, or changes to apply */
};

static struct transfer *transfer_new(struct rest_request *request, const char *list_key,
                                     struct ct_error *err)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));
    if (!transfer) {
        return ct_fail_null(err, ENOMEM, "answer");
    }
    *transfer = (struct transfer){.engine = request->engine,
                                  .in_fd = request->in_fd,
                                  .quiet = query_bool(request, "quiet", true), /* as dockerd */
                                  .list = query_list(request, list_key)};
    request->in_fd = -1; /* the transfer's now */
    return transfer;
}

static void release_transfer(void *context)
{
    struct transfer *transfer = context;
    ct_cleanup_close(&transfer->in_fd);
    ct_cleanup_strv(&transfer->list);
    free(transfer->repository);
    free(transfer->tag);
    free(transfer->message);
    free(transfer);
}

/* The header is out: the failure is said in the stream, as Docker's clients expect it. */
static int send_failure(int out_fd, const struct ct_error *failure, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = rest_error_body(failure);
    const char *message = ct_json_string(body, "message", "");
    CT_AUTO_JSON json_t *line =
        json_pack("{s:{s:s},s:s,s:O}", "errorDetail", "message", message, "error", message,
                  "cutaway", json_object_get(body, "cutaway"));
    return write_line(out_fd, line, "\r\n", err);
}

static int produce_load(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct transfer *transfer = context;
    struct ct_error failure = {0};
    struct engine_io io = {.progress = write_progress,
                           .context = &out_fd,
                           .quiet = transfer->quiet,
                           .cancel_fd = cancel_fd};

    return engine_image_load(transfer->engine, transfer->in_fd, &io, &failure) < 0
               ? send_failure(out_fd, &failure, err)
               : 0;
}

int post_image_load(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    struct transfer *transfer = transfer_new(request, "names", err);
    return transfer
               ? reply_stream(reply, "application/json", produce_load, transfer, release_transfer)
               : -1;
}

static int produce_import(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct transfer *transfer = context;
    struct ct_error failure = {0};
    CT_AUTO_FREE char *id = NULL;
    struct engine_io io = {.progress = write_progress, .context = &out_fd, .cancel_fd = cancel_fd};
    struct engine_import how = {.repository = transfer->repository,
                                .tag = transfer->tag,
                                .message = transfer->message,
                                .changes = (const char *const *)transfer->list};

    if (engine_image_import(transfer->engine, &how, transfer->in_fd, &io, &id, &failure) < 0) {
        return send_failure(out_fd, &failure, err);
    }
    CT_AUTO_JSON json_t *line = json_pack("{s:s}", "status", id);
    return write_line(out_fd, line, "\r\n", err);
}

static char *text_or_null(const struct rest_request *request, const char *key)
{
    const char *text = query_text(request, key);
    return text && *text ? ct_strdup(text) : NULL;
}

/* One endpoint for two things: fromImage pulls, fromSrc imports. */
int post_image_create(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    const char *image = query_text(request, "fromImage");
    const char *source = query_text(request, "fromSrc");
    const char *platform = query_text(request, "platform");

    if (image && *image) {
        return ct_refuse(err, CT_UNSUPPORTED, "pull '%.100s': pulling comes with no stage yet",
                         image);
    }
    if (!source || strcmp(source, "-") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "import from '%.100s': only an upload (fromSrc=-) can be imported",
                         source ? source : "");
    }
    if (platform && *platform) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "import for platform '%.40s': it comes with no stage yet", platform);
    }
    struct transfer *transfer = transfer_new(request, "changes", err);
    if (!transfer) {
        return -1;
    }
    transfer->repository = text_or_null(request, "repo");
    transfer->tag = text_or_null(request, "tag");
    transfer->message = text_or_null(request, "message");
    return reply_stream(reply, "application/json", produce_import, transfer, release_transfer);
}

static int produce_save(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct transfer *transfer = context;
    struct engine_io io = {.cancel_fd = cancel_fd}; /* the body is the archive: nothing beside it */
    size_t n = 0;

    while (transfer->list[n]) {
        n++;
    }
    return engine_image_save(transfer->engine, (const char *const *)transfer->list, n, out_fd, &io,
                             err);
}

int get_image_archive(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    struct transfer *transfer = transfer_new(request, "names", err);
    if (!transfer) {
        return -1;
    }
    if (request->name) {
        CT_AUTO_JSON json_t *one = json_pack("[s]", request->name);
        ct_cleanup_strv(&transfer->list);
        transfer->list = ct_json_to_strv(one, err);
    }
    return reply_stream(reply, "application/x-tar", produce_save, transfer, release_transfer);
}
