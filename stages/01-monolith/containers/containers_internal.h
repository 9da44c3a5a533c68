/*
 * containers_internal.h - the store's handle and what the files of this room share.
 *
 * Room:       containers; included by the files of this room only.
 */
#ifndef CONTAINERS_INTERNAL_H
#define CONTAINERS_INTERNAL_H

#include "containers.h"

#include <dirent.h>
#include <pthread.h>

/* copies.c: records as they were read, by id. Each is shared, and held by whoever has it. */
struct copy;
struct copies {
    struct copy **copy;
    size_t n, room;
};
void copies_done(struct copies *copies);

/* "names" and "trash" cannot be ids, which are 64 hex digits. */
struct container_store {
    char *dir;
    char *run_dir;
    int dir_fd;
    int run_fd;
    int names_fd;          /* DIR/names: one symlink for each name */
    int trash_fd;          /* DIR/trash: records that are not there yet, or no more */
    pthread_mutex_t mutex; /* guards known */
    struct copies known;   /* what the last list has read, by id */
};

/* containers.c: how long a change of the store (create, rename, delete) waits for another one. */
#define STORE_LOCK_TIMEOUT_MS 30000

bool is_container_id(const char *text);
/* lookup.c: DIR, to be read. Owned; entries that are ids are records. */
DIR *open_records(const struct container_store *store, struct ct_error *err);

/* names.c. CT_INVALID unless name is [a-zA-Z0-9][a-zA-Z0-9_.-]+, without '/'. */
int name_check(const char *name, struct ct_error *err);
/* Claims a name for an id; the caller holds the store's lock. CT_EXISTS names the holder. */
int name_claim(struct container_store *store, const char *name, const char *id,
               struct ct_error *err);
/* Claims a name of two words for an id. Owned. */
char *name_choose(struct container_store *store, const char *id, struct ct_error *err);
/* The id that a name stands for: true when that record exists and bears this name. */
bool name_resolve(struct container_store *store, const char *name, char ret_id[static 65]);
void name_release(struct container_store *store, const char *name);

/* record.c: the record of an id, its documents read. NULL: CT_NOT_FOUND, CT_INVALID, CT_SYSTEM. */
struct container *record_open(struct container_store *store, const char *id, struct ct_error *err);
/* An empty struct with the directories of id: DIR/<id> must be there, RUN/<id> is made. */
struct container *record_new(struct container_store *store, const char *id, struct ct_error *err);
json_t *record_fresh_state(void);
/* record.c: the documents of the record that stands in dir_fd. Owned. config is NULL when it is not
 * there or torn; a state that is, is replaced. */
json_t *record_read_config(int dir_fd, const char *id, struct ct_error *err);
json_t *record_read_state(int dir_fd, const char *id);
int64_t record_created_ns(const json_t *config);

#endif
