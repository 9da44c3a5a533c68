/*
 * places.h - where everything of one instance lives: the only file that knows the layout.
 *
 * Room:       containers (its smallest part, without a store).
 * Called by:  engine, monitor.
 *
 *   ROOT/images  ROOT/snapshots                             shared by the stages
 *   ROOT/<stage>/{containers,networks,volumes,events}       each stage's own, lasting
 *   RUN/<stage>/{containers,networks}                       each stage's own, until reboot
 *   RUN/trace                                               see lib/span.h
 *
 * Two instances with different roots never meet.
 */
#ifndef PLACES_H
#define PLACES_H

#include "error.h"

/* Which stage this is. A later stage that takes these rooms defines its own name. */
#ifndef PLACES_STAGE
#define PLACES_STAGE "01-monolith"
#endif

struct places { /* absolute paths, owned */
    char *root;
    char *run;
    char *images;
    char *snapshots;
    char *state; /* ROOT/<stage> */
    char *containers;
    char *networks;
    char *volumes;
    char *events;
    char *run_containers;
    char *run_networks;
};

/*
 * places_open - fills in *ret and makes every directory that is missing, mode 0700. root and run
 * must be absolute (CT_INVALID). On failure *ret holds nothing; directories that were made stay.
 */
int places_open(struct places *ret, const char *root, const char *run, struct ct_error *err);
void places_done(struct places *places);

/* A container's key in the snapshot store, which the stages share: "01-<id>". Owned. */
char *places_snapshot_key(const char *container_id);

#endif
