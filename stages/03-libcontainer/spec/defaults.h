/*
 * defaults.h - what Docker gives and takes when nobody says otherwise: capabilities and paths.
 *
 * Room:       spec (stage 03).
 * Called by:  document.c.
 * Spec:       moby, oci/caps/defaults.go and oci/defaults.go, as of 2026.
 */
#ifndef SPEC_DEFAULTS_H
#define SPEC_DEFAULTS_H

#include <jansson.h>

/* All NULL-terminated. */
extern const char *const spec_default_caps[];
extern const char *const spec_default_readonly_paths[];
/* The same on every machine; spec_masked_paths() has also those of this one. */
extern const char *const spec_default_masked_paths[];

/* The paths above, and each processor's thermal_throttle where there is one: an array of strings,
 * owned. */
json_t *spec_masked_paths(void);

#endif
