/*
 * recover.h - what a daemon does with the containers that it finds.
 *
 * Room:       daemon.   Called by: main.c of cutawayd, before it listens.
 */
#ifndef DAEMON_RECOVER_H
#define DAEMON_RECOVER_H

#include "engine.h"

/*
 * recover_containers - makes every record true (a container whose monitor died is adopted, or its
 * end recorded) and starts again what its restart policy brings back with the daemon: "always";
 * "unless-stopped" when nobody stopped it; "on-failure" when it failed. One that cannot be started
 * is logged and hinders nobody. -1 only when the containers cannot be listed.
 */
int recover_containers(struct engine *engine, struct ct_error *err);

#endif
