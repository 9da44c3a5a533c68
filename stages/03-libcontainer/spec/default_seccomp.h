/*
 * default_seccomp.h - Docker's default filter of system calls.
 *
 * Room:       spec (stage 03).
 * Called by:  document.c.
 * Spec:       moby, profiles/seccomp/default.json, as of 2026.
 */
#ifndef SPEC_DEFAULT_SECCOMP_H
#define SPEC_DEFAULT_SECCOMP_H

#include <jansson.h>
#include <stdint.h>

/* "linux.seccomp" for a container with these capabilities (the bounding set; bit N is number N),
 * for the kinds of program that this machine can run. Owned. */
json_t *spec_default_seccomp(uint64_t caps);

#endif
