/*
 * capabilities.h - the five sets of capabilities.
 *
 * Room:       libcontainer. Called by: program.c (parsing), setup.c (applying).
 * Spec:       config.md, "Linux Process", capabilities.
 * Man:        capabilities(7).
 */
#ifndef LC_CAPABILITIES_H
#define LC_CAPABILITIES_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A set: bit N is capability number N. */
struct lc_caps {
    uint64_t bounding, effective, inheritable, permitted, ambient;
};

/*
 * "process.capabilities" (may be NULL: none). One that this kernel or this library does not have,
 * and one that its set could not hold (effective needs permitted, inheritable needs bounding,
 * ambient needs permitted and inheritable), is left out with a warning, as the specification wants
 * and runc does: a list for a newer kernel still runs here. CT_INVALID: it is no list of names.
 */
int lc_caps_parse(const json_t *capabilities, const char *where, struct lc_caps *ret,
                  struct ct_error *err);

/* Drops from the bounding set what is not in it. Needs SETPCAP (CT_DENIED), unless nothing is to be
 * dropped. */
int lc_caps_limit(const struct lc_caps *caps, struct ct_error *err);
/* Sets the other four, exactly; extra: kept in permitted and effective for now (see setup.c). What
 * we do not have ourselves is left out with a warning. */
int lc_caps_apply(const struct lc_caps *caps, uint64_t extra, struct ct_error *err);

/* "CAP_CHOWN" -> 0; -1: no such capability. And back (static). */
int lc_cap_number(const char *name);
const char *lc_cap_name(int number);
/* How many this kernel has; those without a name here count. */
int lc_cap_count(void);

#endif
