/*
 * progress.c - tells how far a layer is, in steps that a terminal can show.
 *
 * Room:       images.
 * Called by:  members.c (load, import, commit), save.c.
 */
#include "images_internal.h"

#include <string.h>

#define STEP_MAX (512 * 1024) /* bytes; Docker's step, too, and 1 % where that is less */

void layer_progress_begin(struct layer_progress *progress, const struct image_io *io,
                          const char *name, int64_t total)
{
    *progress = (struct layer_progress){.total = total};
    if (io && io->progress) {
        progress->io = io;
        (void)strncpy(progress->id, name, sizeof(progress->id) - 1);
    }
}

static void tell(struct layer_progress *progress, int64_t current)
{
    const struct image_io *io = progress->io;

    progress->told = current;
    io->progress(io->context, progress->id, io->status, current, progress->total);
}

void layer_progress_at(struct layer_progress *progress, int64_t current)
{
    int64_t step = progress->total > 0 ? progress->total / 100 : STEP_MAX;

    if (progress->io && current - progress->told >= (step < STEP_MAX ? step : STEP_MAX)) {
        tell(progress, current);
    }
}

void layer_progress_end(struct layer_progress *progress, int64_t current)
{
    if (progress->io && current != progress->told) {
        tell(progress, current);
    }
}
