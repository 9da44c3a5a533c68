/*
 * filter.h - containerd's filters: which objects of a list, which events of a stream.
 *
 * Room:       containerd.   Called by: every service that lists.
 * Spec:       containerd, filters/filter.go: selectors field==value, field!=value, field~=regexp,
 * or field alone (it is there); "," means and, several strings mean or, none means all.
 *
 * Fields are those of the message itself, found by its descriptor: target.digest, labels."a.b",
 * event.container_id. So each service's filters need no code of their own.
 */
#ifndef CONTAINERD_FILTER_H
#define CONTAINERD_FILTER_H

#include "error.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct filter;

/* Owned. NULL: CT_INVALID, with what is wrong and where. */
struct filter *filter_new(char *const *texts, size_t n, struct ct_error *err);
bool filter_matches(const struct filter *filter, const ProtobufCMessage *message);
void filter_free(struct filter *filter);

static inline void filter_cleanup(struct filter **filter)
{
    filter_free(*filter);
}
#define AUTO_FILTER __attribute__((cleanup(filter_cleanup)))

#endif
