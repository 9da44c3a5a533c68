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
 *            ROOT/networks/<namespace>/, ROOT/volumes/<namespace>/   see networks.h, volumes.h
 *            STATE/networks/<namespace>/               endpoints
 *            STATE/io.containerd.runtime.v2.task/<namespace>/<id>/   bundles
 */
#ifndef CONTAINERD_INTERNAL_H
#define CONTAINERD_INTERNAL_H

#define CT_LAYER "containerd"

#include "bus.h"
#include "cleanup.h"
#include "digest.h"
#include "error.h"
#include "filter.h"
#include "garbage.h"
#include "grpc.h"
#include "path.h"
#include "pool.h"
#include "span.h"
#include "store.h"
#include "units.h"

struct spaces;
struct tasks;

struct containerd {
    char *root, *state, *address; /* absolute */
    char uuid[37];
    int root_fd, blobs_fd, ingest_fd, snapshots_fd; /* the last: of the snapshotter */
    struct store *store;
    struct bus *bus;
    struct collector *collector;
    struct tasks *tasks;
    struct spaces *spaces;
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

/* ---- containers.c, leases.c ---- */

typedef Containerd__Services__Containers__V1__Container Container;
/* In pool; NULL: CT_NOT_FOUND. */
Container *container_find(struct containerd *containerd, const char *space, const char *id,
                          struct pool *pool, struct ct_error *err);
/* In a transaction: the lease that the call names, if it does, holds this from now on. */
int lease_hold(struct grpc_call *call, const char *type, const char *id, struct ct_error *err);

/* ---- content.c, ingest.c ---- */

/* A verified blob that the call's namespace has, for reading; and its size. -1: CT_NOT_FOUND. */
int content_open(struct grpc_call *call, const char *digest, int64_t *ret_size,
                 struct ct_error *err);

struct ingest {
    int fd; /* locked */
    char *ref, *file;
    struct digest *digest;
    int64_t offset, total, started_at;
    char expected[DIGEST_SIZE];
};

/* Opens a reference, or goes on with it. ingest_close() in any case. CT_EXISTS: the expected
 * content is there; CT_UNREACHABLE: somebody else writes. */
int ingest_open(struct grpc_call *call, const char *ref, int64_t total, const char *expected,
                struct ingest *ret, struct ct_error *err);
int ingest_add(struct ingest *ingest, const void *data, size_t length, struct ct_error *err);
/* Empties it; takes into account what others wrote to its file. */
int ingest_reset(struct ingest *ingest, struct ct_error *err);
int ingest_rehash(struct ingest *ingest, struct ct_error *err);
/* It becomes content. CT_CONFLICT: other size (0: any) or digest ("": any); CT_EXISTS. */
int ingest_commit(struct grpc_call *call, struct ingest *ingest, int64_t total,
                  const char *expected, void *labels, size_t n_labels,
                  char digest[static DIGEST_SIZE], struct ct_error *err);
void ingest_close(struct ingest *ingest);

/* The methods of Content that are about ingests. */
int ingest_write(struct grpc_call *call, struct ct_error *err);
int ingest_status(struct grpc_call *call, const void *request, void *response,
                  struct ct_error *err);
int ingest_list(struct grpc_call *call, const void *request, void *response, struct ct_error *err);
int ingest_abort(struct grpc_call *call, const void *request, void *response, struct ct_error *err);

/* ---- snapshot_files.c ---- */

#define SNAPSHOTTER        "overlayfs"
#define SNAPSHOT_KIND      "snapshots/" SNAPSHOTTER /* of labels and leases */
#define SNAPSHOT_DEPTH_MAX 500                      /* the kernel's OVL_MAX_STACK */

/* In a transaction: its directories. parent 0: none. */
int snapshot_make(struct containerd *containerd, int64_t id, int64_t parent, struct ct_error *err);
/* Its row has gone. Gives the directory a name by which the collector finds and removes it. */
#define SNAPSHOT_GONE ".gone-"
void snapshot_discard(struct containerd *containerd, const char *name);
int snapshot_sync(struct containerd *containerd, int64_t id, struct ct_error *err);
/* How to mount it, in pool. parents: nearest first. */
Containerd__Types__Mount *snapshot_mount_of(const struct containerd *containerd, int64_t id,
                                            const int64_t *parents, size_t n, bool view,
                                            struct pool *pool);
int snapshot_usage(struct containerd *containerd, int64_t id, int64_t *ret_size,
                   int64_t *ret_inodes, struct ct_error *err);

/* ---- spaces.c: a namespace's networks and volumes ---- */

struct spaces *spaces_open(struct containerd *containerd);
void spaces_close(struct spaces *spaces); /* accepts NULL */
/* Of the call's namespace; opened when they are first asked for. Borrowed. */
struct network_store *networks_of(struct grpc_call *call, struct ct_error *err);
struct volume_store *volumes_of(struct grpc_call *call, struct ct_error *err);
/* Whoever makes something in a namespace has made the namespace. */
int space_touch(struct grpc_call *call, struct ct_error *err);
/* When tasks are known, and before anybody calls: ports of those that run are held again. */
void spaces_restore(struct containerd *containerd);
/* 1 when the namespace has any; -1 (err). */
int spaces_used(struct containerd *containerd, const char *space, struct ct_error *err);

/* ---- services ---- */

/* One table of methods a service; main.c has the list. */
extern const struct grpc_service version_service, introspection_service, namespaces_service,
    events_service, leases_service, images_service, containers_service, content_service,
    snapshots_service, diff_service, tasks_service, health_service, networks_service,
    volumes_service;

#endif
