/*
 * leftover.c - a thread that sends a slow client the rest.
 *
 * Room:       monitors (stage 04).   Called by: see leftover.h.
 */
#define CT_LAYER "monitors"
#include "leftover.h"

#include "monitors_internal.h"

#include "cleanup.h"
#include "log.h"

#include <stdlib.h>

static void leftover_free(struct leftover *leftover)
{
    ct_cleanup_close(&leftover->socket_fd);
    ct_cleanup_close(&leftover->spill_fd);
    free(leftover);
}

static void *work(void *context)
{
    struct leftover *leftover = context;

    leftover_send(*leftover);
    leftover_free(leftover);
    threads_leave();
    return NULL;
}

void leftover_leave(struct leftover given)
{
    struct leftover *leftover = malloc(sizeof(*leftover));
    struct ct_error err = {0};

    if (!leftover) {
        abort();
    }
    *leftover = given;
    if (threads_start(work, leftover, &err) < 0) {
        ct_warn("let a slow client go: %s", err.frame[0].what);
        leftover_free(leftover);
    }
}
