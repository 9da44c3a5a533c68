/*
 * images.c - engine_images.h over REST.
 *
 * Room:       client.   Called by: cli, through engine_images.h.
 * Spec:       Docker Engine API 1.43, "Image".
 */
#define CT_LAYER "client"
#include "client_internal.h"
#include "engine_images.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

int engine_image_list(struct engine *engine, bool all, const json_t *filters, json_t **ret_list,
                      struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_LIST, NULL);
    call_bool(&call, "all", all);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret_list, err);
}

int engine_image_inspect(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_INSPECT, ref);
    return call_json(&call, NULL, ret, err);
}

int engine_image_history(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_HISTORY, ref);
    return call_json(&call, NULL, ret, err);
}

int engine_image_remove(struct engine *engine, const char *ref, bool force, bool no_prune,
                        json_t **ret_deleted, struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_REMOVE, ref);
    call_bool(&call, "force", force);
    call_bool(&call, "noprune", no_prune);
    return call_json(&call, NULL, ret_deleted, err);
}

int engine_image_prune(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_PRUNE, NULL);
    call_filters(&call, filters);
    return call_json(&call, NULL, ret, err);
}

/* "registry:5000/name:tag": the tag is behind a colon that no slash follows. */
int engine_image_tag(struct engine *engine, const char *source, const char *target,
                     struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_TAG, source);
    const char *colon = strrchr(target, ':');
    bool has_tag = colon && !strchr(colon, '/') && !strchr(target, '@');
    CT_AUTO_FREE char *repository =
        ct_printf("%.*s", (int)(has_tag ? (size_t)(colon - target) : strlen(target)), target);

    call_text(&call, "repo", repository);
    call_text(&call, "tag", has_tag ? colon + 1 : NULL);
    return call_json(&call, NULL, NULL, err);
}

/* ---- transfers ------------------------------------------------------------------------------ */

/* What the daemon tells meanwhile; of an import, the last status is the result. */
struct progress {
    const struct engine_io *io;
    char *result;
};

static void pass_on(const struct engine_io *io, const json_t *message)
{
    if (io && io->progress) {
        io->progress(io->context, message);
    }
}

static int take_load(void *context, const json_t *line, struct ct_error *err)
{
    const struct progress *progress = context;
    (void)err;
    pass_on(progress->io, line);
    return 0;
}

static int take_import(void *context, const json_t *line, struct ct_error *err)
{
    struct progress *progress = context;
    const char *status = ct_json_string(line, "status", NULL);

    (void)err;
    if (status && !json_object_get(line, "progressDetail")) {
        free(progress->result);
        progress->result = ct_strdup(status);
        return 0;
    }
    pass_on(progress->io, line);
    return 0;
}

static int upload(struct call *call, int in_fd, int cancel_fd, struct lines *lines,
                  struct ct_error *err)
{
    struct call_streams streams = {
        .in_fd = in_fd, .cancel_fd = cancel_fd, .sink = sink_lines, .context = lines};
    int result = call_stream(call, &streams, err);
    lines_done(lines);
    return result;
}

int engine_image_load(struct engine *engine, int in_fd, const struct engine_io *io,
                      struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_LOAD, NULL);
    struct progress progress = {.io = io};
    struct lines lines = {.take = take_load, .context = &progress};

    call_text(&call, "quiet", io && io->progress && !io->quiet ? "0" : "1");
    return upload(&call, in_fd, io ? io->cancel_fd : -1, &lines, err);
}

int engine_image_import(struct engine *engine, const struct engine_import *how, int in_fd,
                        const struct engine_io *io, char **ret_id, struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_CREATE, NULL);
    struct progress progress = {.io = io};
    struct lines lines = {.take = take_import, .context = &progress};

    call_text(&call, "fromSrc", "-");
    call_text(&call, "repo", how->repository);
    call_text(&call, "tag", how->tag);
    call_text(&call, "message", how->message);
    call_text(&call, "platform", how->platform);
    call_list(&call, "changes", how->changes);
    if (upload(&call, in_fd, io ? io->cancel_fd : -1, &lines, err) < 0) {
        free(progress.result);
        return -1;
    }
    if (!progress.result) {
        return ct_refuse(err, CT_SYSTEM, "import: the daemon did not say what it made");
    }
    *ret_id = progress.result;
    return 0;
}

/* An archive on its way to a file; how long it will be is not said. */
#define RECEIVED_STEP (512 * 1024)

struct receiving {
    int out_fd;
    const struct engine_io *io;
    json_int_t bytes, told;
};

static void tell_received(struct receiving *receiving)
{
    CT_AUTO_JSON json_t *message =
        json_pack("{s:s,s:s,s:{s:I}}", "status", "Receiving", "id", "archive", "progressDetail",
                  "current", receiving->bytes);
    receiving->told = receiving->bytes;
    pass_on(receiving->io, message);
}

static int take_archive(void *context, const char *bytes, size_t n, struct ct_error *err)
{
    struct receiving *receiving = context;

    receiving->bytes += (json_int_t)n;
    if (receiving->bytes - receiving->told >= RECEIVED_STEP) {
        tell_received(receiving);
    }
    return sink_to_fd(&receiving->out_fd, bytes, n, err);
}

int engine_image_save(struct engine *engine, const char *const *refs, size_t n, int out_fd,
                      const struct engine_io *io, struct ct_error *err)
{
    struct call call = call_new(engine, REST_IMAGE_SAVE_MANY, NULL);
    struct receiving receiving = {.out_fd = out_fd, .io = io};
    struct call_streams streams = {.in_fd = -1,
                                   .cancel_fd = io ? io->cancel_fd : -1,
                                   .sink = take_archive,
                                   .context = &receiving};
    for (size_t i = 0; i < n; i++) {
        call_text(&call, "names", refs[i]);
    }
    int result = call_stream(&call, &streams, err);
    if (result == 0) {
        tell_received(&receiving);
    }
    return result;
}
