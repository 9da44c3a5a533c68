/*
 * engine_world_local.c - the contract's engine is the local one, with the exec driver of its stage,
 * on a root of its own. Needs root.   Called by: engine.c.
 */
#define CT_LAYER "test"
#include "engine_containers.h"
#include "engine_networks.h"
#include "engine_world.h"
#include "monitor_main.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char home[32];

struct engine *world_open(void)
{
    struct ct_error err = {0};
    char line[512];

    (void)strcpy(home, "/tmp/ct-engine-XXXXXX");
    assert_non_null(mkdtemp(home));
    CT_AUTO_FREE char *root = ct_join(home, "root");
    CT_AUTO_FREE char *run = ct_join(home, "run");
    struct engine *engine = engine_open(&(struct engine_options){.root = root, .run = run}, &err);
    if (!engine) {
        fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
    }
    return engine;
}

static void remove_containers(struct engine *engine)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = NULL;
    json_t *item;
    size_t i;

    assert_int_equal(engine_container_list(engine, true, 0, false, NULL, &list, &err), 0);
    json_array_foreach(list, i, item)
    {
        const char *id = ct_json_string(item, "Id", "");
        assert_int_equal(engine_container_remove(engine, id, true, true, &err), 0);
    }
}

void world_close(struct engine *engine)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *mounts = NULL;

    remove_containers(engine);
    engine_close(engine);
    assert_true(ct_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 22, &mounts, &err) > 0);
    assert_null(strstr(mounts, home));
    assert_int_equal(ct_remove_tree(AT_FDCWD, home, &err), 0);
}

int world_is_another_role(int argc, char **argv)
{
    return monitor_is_wanted(argc, argv) ? 1 + monitor_main(argc, argv) : 0;
}
