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

/* host_config.c: HostConfig's fields that the request carries along. */
#define SPEC_CGROUP_PREFIX \
    "cutaway-" /* flat: a parent of all would stay behind when the last one goes */
bool spec_host_is(const struct exec_spec *spec, const char *field, const char *value);
json_t *spec_cgroups_path(const struct exec_spec *spec);
void spec_add_protected_paths(const struct exec_spec *spec, json_t *section);
void spec_add_device_rules(const struct exec_spec *spec, json_t *rules);
void spec_add_annotations(const struct exec_spec *spec, json_t *document);
int spec_add_host_limits(json_t *resources, const json_t *host, struct ct_error *err);

/* propagation.c: the word among the mount's options, or NULL. */
const char *spec_propagation_of(const struct exec_mount *mount);
/* "linux.rootfsPropagation" that the mounts need, or NULL; and whether their sources can give it.
 */
const char *spec_rootfs_propagation(const struct exec_spec *spec);
int spec_check_propagation(const struct exec_spec *spec, struct ct_error *err);

int spec_add_limits(json_t *resources, const struct exec_limits *limits, struct ct_error *err);

#endif
