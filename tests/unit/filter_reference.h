/*
 * filter_reference.h - what a filter of system calls is compared with: libseccomp's own compiler,
 * used as runc uses it, and the kernel's interpreter in small.
 */
#ifndef FILTER_REFERENCE_H
#define FILTER_REFERENCE_H

#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Compiles "linux.seccomp". Owned (free). Asserts that all goes well. */
struct sock_filter *reference_compile(const json_t *seccomp, size_t *ret_n);

/* The highest number of a call that the profile names, for an architecture by its token; -1. */
int64_t reference_last(const json_t *seccomp, uint32_t token);

/* What the program answers. Asserts that it is one that the kernel would take. */
uint32_t run_filter(const struct sock_filter *program, size_t n, const struct seccomp_data *data);

#endif
