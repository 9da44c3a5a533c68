/*
 * networks_world_task.c - a container is a task of the containerd underneath: see networks_world.h.
 *
 * The host is the network namespace that this program and its containerd were started in
 * (with-containerd, OWN_NETWORK).
 */
#define CT_LAYER "test"
#include "execdriver_world.h"
#include "networks_world.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <string.h>

int world_enter_host(void)
{
    return 0;
}

int world_leave_host(void)
{
    return 0;
}

struct sandbox sandbox_new(void)
{
    struct sandbox sandbox = {0};
    struct world *world = NULL;

    assert_int_equal(world_init((void **)&world), 0);
    world_script(world, "exit 0"); /* never started */
    world_create(world);
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/ns/net", (int)exec_pid(world->job));
    sandbox.netns = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(sandbox.netns >= 0);
    (void)strcpy(sandbox.id, world->id);
    sandbox.rest = world;
    return sandbox;
}

void sandbox_delete(struct sandbox *sandbox)
{
    ct_cleanup_close(&sandbox->netns);
    (void)world_done(&sandbox->rest);
}
