/*
 * containers_internal.h - the store in a directory, and what its files share.
 *
 * Room:       containers; included by the files of this room only.
 */
#ifndef CONTAINERS_INTERNAL_H
#define CONTAINERS_INTERNAL_H

#include "container_parts.h"

#include <dirent.h>
#include <pthread.h>

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

/* lookup.c: DIR, to be read. Owned; entries that are ids are records. */
DIR *open_records(const struct container_store *store, struct ct_error *err);

/* names.c. The id that a name stands for: true when that record exists and bears this name. */
bool name_resolve(struct container_store *store, const char *name, char ret_id[static 65]);
void name_release(struct container_store *store, const char *name);

/* record.c: the record of an id, its documents read. NULL: CT_NOT_FOUND, CT_INVALID, CT_SYSTEM. */
struct container *record_open(struct container_store *store, const char *id, struct ct_error *err);
/* record.c: the documents of the record that stands in dir_fd. Owned. config is NULL when it is not
 * there or torn; a state that is, is replaced. */
json_t *record_read_config(int dir_fd, const char *id, struct ct_error *err);
json_t *record_read_state(int dir_fd, const char *id);

#endif
