/*
 * memory.c - gives back what a long wait does not need: there is one of us for each container.
 *
 * Room:       shim.   Called by: serve.c, when something has ended; task.c.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "memory.h"

#define QUIET_NS INT64_C(500000000)

static void give_back(void *unused)
{
    (void)unused;
    ct_memory_give_back();
}

void give_memory_back_soon(struct shim *shim)
{
    loop_arm(shim->loop, &shim->memory_timer, QUIET_NS, give_back, NULL);
}
