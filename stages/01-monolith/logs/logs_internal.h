/*
 * logs_internal.h - what the files of this room share.
 *
 * Room:       logs; included by the files of this room only.
 */
#ifndef LOGS_INTERNAL_H
#define LOGS_INTERNAL_H

#include "logs.h"

struct log_options {
    bool none;
    int64_t max_bytes; /* 0: no limit */
    int max_files;
};

/* "attrs", as text; more is refused when the container is created. */
#define LOG_ATTRIBUTES_MAX_BYTES 65536
/* The longest entry: a piece whose every byte is escaped, and the fields around it. */
#define LOG_ENTRY_MAX_BYTES (LOG_PIECE_BYTES * 6 + LOG_ATTRIBUTES_MAX_BYTES + 256)

int log_options_read(const json_t *log_config, struct log_options *ret, struct ct_error *err);

/* entry.c: what a reader gets of an entry ("log", "attrs") of that time. Owned; NULL: no memory. */
char *entry_text(const struct log_query *query, const json_t *entry, int64_t when_ns,
                 size_t *ret_length);

#endif
