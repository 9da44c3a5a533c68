/*
 * containerd_internal.h - what the files of this room share.
 *
 * Room:       containerd; nobody else includes it.
 *
 * On disk:   ROOT/metadata.db                          schema.sql
 *            ROOT/content/blobs/sha256/<hex>           whole, verified blobs
 *            ROOT/content/ingest/<random>              blobs on their way in
 *            ROOT/snapshots/<snapshotter>/<id>/{fs,work}
 *            ROOT/io.containerd.runtime.v2.task/<namespace>/<id>/    of shims
 *            STATE/io.containerd.runtime.v2.task/<namespace>/<id>/   bundles
 */
#ifndef CONTAINERD_INTERNAL_H
#define CONTAINERD_INTERNAL_H

#define CT_LAYER "containerd"

#include "bus.h"
#include "cleanup.h"
#include "error.h"
#include "filter.h"
#include "grpc.h"
#include "path.h"
#include "pool.h"
#include "store.h"
#include "units.h"

struct bus;
struct collector;
struct tasks;

struct containerd {
    char *root, *state, *address; /* absolute */
    char uuid[37];
    int root_fd;
    struct store *store;
    struct bus *bus;
    struct collector *collector;
    struct tasks *tasks;
};

/* Of the call's server. */
static inline struct containerd *containerd_of(const struct grpc_call *call)
{
    return grpc_context(call);
}

/* The namespace that a call works in; "" where none is needed. Borrowed. */
const char *namespace_of(const struct grpc_call *call);
/* Makes the namespace's row, if it is not there: whoever uses a name has made it. */
int namespace_touch(struct store *store, const char *name, struct ct_error *err);

/* One table of methods a service; main.c has the list. */
extern const struct grpc_service version_service, introspection_service, namespaces_service,
    events_service;

#endif
