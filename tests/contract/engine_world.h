/*
 * engine_world.h - where the engine under contract comes from. One file an implementation.
 *
 * Called by:  engine.c (the suite); engine_world_*.c implement it.
 */
#ifndef ENGINE_WORLD_H
#define ENGINE_WORLD_H

#include "engine.h"

/* An engine with nothing in it but its own image and networks. Fails the test when there is none.
 */
struct engine *world_open(void);
/* Closes it and removes what it left; fails the test when something was left that must not be. */
void world_close(struct engine *engine);
/* What main() does before the tests: 0: go on; else the exit status + 1 of another role of the
 * program. */
int world_is_another_role(int argc, char **argv);

#endif
