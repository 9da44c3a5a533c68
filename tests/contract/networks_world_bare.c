/*
 * networks_world_bare.c - the host is a network namespace that the test makes, and so are the
 * containers: see networks_world.h. Nothing on the real host changes.
 */
#define CT_LAYER "test"
#include "networks_world.h"

#include "cleanup.h"
#include "file.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static int home = -1; /* where the test process came from */

int world_enter_host(void)
{
    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return home < 0 || unshare(CLONE_NEWNET) < 0 ? -1 : 0;
}

int world_leave_host(void)
{
    int result = setns(home, CLONE_NEWNET);
    ct_cleanup_close(&home);
    return result;
}

struct sandbox sandbox_new(void)
{
    struct sandbox sandbox = {0};
    CT_AUTO_CLOSE int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    ct_random_hex(sandbox.id, 32);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    sandbox.netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(here, CLONE_NEWNET), 0);
    return sandbox;
}

void sandbox_delete(struct sandbox *sandbox)
{
    ct_cleanup_close(&sandbox->netns);
}
