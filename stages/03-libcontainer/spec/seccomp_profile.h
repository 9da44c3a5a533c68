/*
 * seccomp_profile.h - a profile of the user's own, as Docker's --security-opt seccomp=FILE takes
 * it.
 *
 * Room:       spec (stage 03).
 * Called by:  document.c.
 * Spec:       docs.docker.com, "Seccomp security profiles for Docker"; moby, profiles/seccomp.
 *
 * Docker's format is OCI's and more: an entry may be for some architectures, capabilities and
 * kernels only, and archMap says which kinds of program go with the machine's own.
 */
#ifndef SPEC_SECCOMP_PROFILE_H
#define SPEC_SECCOMP_PROFILE_H

#include "error.h"

#include <jansson.h>
#include <stdint.h>

/*
 * spec_seccomp_profile - "linux.seccomp" for a container with these capabilities (the bounding set;
 * bit N is number N), on this machine and kernel. What it says of single calls is checked later, by
 * libcontainer.
 *
 * Returns the document, owned; a JSON null when the profile is empty and means "no filter"; NULL
 * with CT_INVALID, which names the field.
 */
json_t *spec_seccomp_profile(const json_t *profile, uint64_t caps, struct ct_error *err);

#endif
