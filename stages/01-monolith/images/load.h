/*
 * load.h - the images that an archive holds: planned and checked first, then made.
 *
 * Room:       images.
 * Called by:  load.c, plan.c.
 */
#ifndef IMAGES_LOAD_H
#define IMAGES_LOAD_H

#include "members.h"

struct planned {
    char *manifest; /* its text, as it will be stored */
    char digest[DIGEST_SIZE];
    char *media_type;
    json_t *config;
    struct member *config_member;
    struct member **layers; /* borrowed, lowest first */
    size_t n_layers;
    json_t *tags; /* full references */
};

struct plan {
    struct members *members; /* borrowed */
    struct planned *images;
    size_t n;
};

/* Reads what the archive says it holds and checks all of it. plan_done() in any case. */
int plan_make(struct plan *plan, struct members *members, struct ct_error *err);
void plan_done(struct plan *plan);

#endif
