/*
 * spec_internal.h - the parts of a document, a file each.
 *
 * Room:       spec (stage 03), and nobody else.
 */
#ifndef SPEC_INTERNAL_H
#define SPEC_INTERNAL_H

#include "document.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends {"destination","type","source","options"} to mounts. options: "ro,size=64m", may be "".
 */
void spec_add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
                    const char *options);
json_t *spec_mounts(const struct exec_spec *spec);

/* "linux.devices" into *ret_devices, and their rules into rules. */
int spec_devices(const struct exec_spec *spec, json_t *rules, json_t **ret_devices,
                 struct ct_error *err);

/* {"bounding":[…],…}: all five, from one set. Without root nothing but the bounding one. */
json_t *spec_capabilities(uint64_t caps, bool is_root);
/* And back: bit N is capability number N. */
uint64_t spec_caps_of_names(const json_t *list);

int spec_add_limits(json_t *resources, const struct exec_limits *limits, struct ct_error *err);

#endif
