/*
 * records_internal.h - the store's handle and what the files of this room share.
 *
 * Room:       containers (stage 04); included by its own files only.
 *
 *   store.c    all records in memory, and what changes their number
 *   record.c   one of them: found, read again, saved, watched
 *   remote.c   the same in containerd: a record as a message
 */
#ifndef RECORDS_INTERNAL_H
#define RECORDS_INTERNAL_H

#include "container_parts.h"

#include <pthread.h>

/* One for each DIR, however often it is opened. */
struct container_store {
    struct container_store *next;
    unsigned holders;
    char *dir, *run_dir;
    char *label; /* DIR as text of a message: UTF-8 */
    int dir_fd, run_fd;
    int trash_fd;           /* DIR/trash: places of containers that are gone */
    pthread_mutex_t change; /* held while one is created, renamed or removed, calls included */
    pthread_mutex_t mutex;  /* guards known, never during a call */
    struct copies known;    /* all records, by id; containerd's, as we have read or written them */
};

/* ---- store.c -------------------------------------------------------------------------------- */

/* The record of an id as it is now; held. NULL: there is none. */
struct copy *store_hold(struct container_store *store, const char *id);
/* The documents of an id are these from now on (references taken; NULL: it stays as it is).
 * Nothing, if it was removed meanwhile. */
void store_replace(struct container_store *store, const char *id, json_t *config, json_t *state);
/* The record that has this name. False: nobody. */
bool store_find_name(struct container_store *store, const char *name, char ret_id[static 65]);

/* ---- record.c ------------------------------------------------------------------------------- */

/* Opens the record of an id; its place is made when it is missing. */
struct container *record_open(struct container_store *store, const char *id, struct ct_error *err);
/* Wakes up who watches it. */
void record_tell(const struct container *container);

/* ---- remote.c ------------------------------------------------------------------------------- */

int remote_create(const struct container_store *store, const char *id, const json_t *config,
                  const json_t *state, struct ct_error *err);
/* NULL: not this document. */
int remote_update(const char *id, const json_t *config, const json_t *state, struct ct_error *err);
/* Gone already is what was wanted. */
int remote_delete(const char *id, struct ct_error *err);
/* All of this store into its copies, unsorted. */
int remote_load(struct container_store *store, struct ct_error *err);

#endif
