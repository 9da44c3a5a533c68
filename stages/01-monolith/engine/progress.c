/*
 * progress.c - from the image store's progress to the messages that Docker's clients draw.
 *
 * Room:       engine.   Called by: images.c (load, save, import), commit.c.
 * Spec:       Docker Engine API 1.43, "CreateImageInfo" and "ProgressDetail".
 */
#define CT_LAYER "engine"
#include "engine_images.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>

static void report(void *context, const char *id, const char *status, int64_t current,
                   int64_t total)
{
    const struct engine_io *io = context;
    CT_AUTO_JSON json_t *message = json_object();
    json_t *detail = json_object();

    ct_json_set(detail, "current", json_integer(current));
    if (total > 0) {
        ct_json_set(detail, "total", json_integer(total));
    }
    ct_json_set_string(message, "status", status);
    /* Cut from a name in a stranger's archive, perhaps in the middle of a letter. */
    ct_json_set(message, "id", ct_json_string_lossy(id, strlen(id)));
    ct_json_set(message, "progressDetail", detail);
    io->progress(io->context, message);
}

struct image_io engine_image_io(const struct engine_io *io, const char *status)
{
    bool wanted = io && io->progress && !io->quiet;

    return (struct image_io){.progress = wanted ? report : NULL,
                             .context = (void *)io,
                             .status = status,
                             .cancel_fd = io ? io->cancel_fd : -1};
}

void engine_say(const struct engine_io *io, const char *text)
{
    CT_AUTO_JSON json_t *message = json_object();

    if (io && io->progress) {
        ct_json_set_string(message, "stream", text);
        io->progress(io->context, message);
    }
}
