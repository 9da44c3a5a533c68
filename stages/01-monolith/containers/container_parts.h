/*
 * container_parts.h - what is the same wherever the documents of containers are kept.
 *
 * Room:       containers.
 * Called by:  the implementations of containers.h: the other files of this room (in DIR), and
 *             containers of stage 04 (in containerd).
 *
 *   container.c  a container's struct, its locks     documents.c  how its documents begin
 *   copy.c       shared copies of records, lists     words.c      names and references
 *   trash.c      directories on their way out
 *
 * What a file here needs of the implementation is declared as such.
 */
#ifndef CONTAINER_PARTS_H
#define CONTAINER_PARTS_H

#include "containers.h"

#include <stddef.h>

#define CONTAINER_ID_BYTES 32

/* How long a change of the store (create, rename, delete) waits for another one. */
#define STORE_LOCK_TIMEOUT_MS 30000

/* ---- container.c ---------------------------------------------------------------------------- */

/* A container without documents, descriptors and lock: dir and run_dir are those of the store. */
struct container *container_new(struct container_store *store, const char *dir, const char *run_dir,
                                const char *id, struct ct_error *err);
/* Of the implementation: whether its record still is the one that was opened. */
bool container_is_in_place(const struct container *container);
/* CT_NOT_FOUND when it is not. */
int container_check(const struct container *container, struct ct_error *err);

/* ---- documents.c ---------------------------------------------------------------------------- */

bool is_container_id(const char *text);
/* CT_INVALID: no config to create a container with. */
int record_check(const json_t *config, struct ct_error *err);
/* Id, Created, Name and Config.Hostname, see container_create(). */
void record_fill_in(json_t *config, const char *id, const char *name);
int64_t record_created_ns(const json_t *config);
json_t *record_fresh_state(void);
/* What to go on with when a state is lost: nothing runs that we know of. */
json_t *record_lost_state(const char *id, const struct ct_error *cause);

/* ---- words.c -------------------------------------------------------------------------------- */

#define NAME_MAX_BYTES 255 /* it may be a file name */

/* CT_INVALID unless name is [a-zA-Z0-9][a-zA-Z0-9_.-]+, without '/'. */
int name_check(const char *name, struct ct_error *err);
/* CT_EXISTS, naming the holder. */
int name_refuse_taken(const char *name, const char *holder, struct ct_error *err);
/* CT_INVALID when it is the one that it has; wanted without '/'. */
int name_check_new(const char *wanted, const char *now, struct ct_error *err);
/* Of the implementation: claims a name for an id; the caller keeps others from changing the store.
 * CT_EXISTS as above. */
int name_claim(struct container_store *store, const char *name, const char *id,
               struct ct_error *err);
/* Claims a name of two words for an id. Owned. */
char *name_choose(struct container_store *store, const char *id, struct ct_error *err);

/* Only hex digits can begin an id; the empty text would begin them all. */
bool reference_may_be_prefix(const char *reference);
/* What to say when so many ids begin with it: 0 CT_NOT_FOUND, else CT_INVALID. */
int reference_refuse(const char *reference, int matches, struct ct_error *err);

/* ---- trash.c -------------------------------------------------------------------------------- */

/* No directory is in it: what a sweep costs is known before the lock is taken. */
bool trash_is_empty(int trash_fd);
/* Empties it. The caller keeps others from changing the store, so nobody is at work there. */
void trash_sweep(int trash_fd);

/* ---- copy.c --------------------------------------------------------------------------------- */

/* A record as it was read, never changed. It is shared, and held by whoever has it. */
struct copy {
    struct container container; /* first, because a list hands out a pointer to it */
    atomic_uint holders;
};

/* size: of the struct that begins with the copy. Held once. NULL: memory is out. */
struct copy *copy_new(size_t size, const char *dir, const char *run_dir, const char *id);
struct copy *copy_hold(struct copy *copy);
void copy_release(struct copy *copy);

struct copies {
    struct copy **copy;
    size_t n, room;
};
/* The copy is given away. */
void copies_add(struct copies *copies, struct copy *given);
struct copies copies_hold(const struct copies *copies);
void copies_done(struct copies *copies);
/* By id, and then the copy of an id can be found: borrowed, NULL when there is none. */
void copies_sort(struct copies *copies);
struct copy **copies_find(const struct copies *copies, const char *id);
/* As container_list() gives them. The copies are given away, also on failure. */
const struct container **copies_list(struct copies *given, struct ct_error *err);

#endif
