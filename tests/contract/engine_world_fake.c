/*
 * engine_world_fake.c - the contract's engine is the fake.   Called by: engine.c.
 */
#define CT_LAYER "test"
#include "engine_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct engine *world_open(void)
{
    struct ct_error err = {0};
    struct engine *engine = engine_open(NULL, &err);
    assert_non_null(engine);
    return engine;
}

void world_close(struct engine *engine)
{
    engine_close(engine);
}

int world_is_another_role(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
