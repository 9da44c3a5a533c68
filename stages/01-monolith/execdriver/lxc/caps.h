/*
 * caps.h - which capabilities a container has: Docker's default, what is added, what is dropped.
 *
 * Room:       execdriver/lxc. Called by: hardening.c.
 * Man:        capabilities(7).
 */
#ifndef LXC_CAPS_H
#define LXC_CAPS_H

#include "execdriver.h"

#include <stdbool.h>
#include <stdint.h>

/* A set: bit N is capability number N. */
#define CAP_BIT(number) (UINT64_C(1) << (number))

/* The set that spec describes. Returns 0, or -1 (CT_INVALID: no such capability). */
int caps_of(const struct exec_spec *spec, uint64_t *ret, struct ct_error *err);

/* "chown dac_override …" as lxc.cap.keep takes it, "none" for the empty set. Owned. */
char *caps_text(uint64_t set);

/* True when it is all that this kernel has. */
bool caps_are_all(uint64_t set);

#endif
