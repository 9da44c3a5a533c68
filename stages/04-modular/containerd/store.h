/*
 * store.h - containerd's memory: one SQLite database.
 *
 * Room:       containerd.   Called by: all its services.
 * Spec:       schema.sql; sqlite.org, "Write-Ahead Logging", "Atomic Commit".
 *
 * All work is done in transactions, one at a time. One that is not committed is as if it had never
 * been, also after kill -9 and power loss.
 */
#ifndef CONTAINERD_STORE_H
#define CONTAINERD_STORE_H

#include "error.h"
#include "pool.h"

#include "containerd_api.h"
#include "message_parts.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

struct store *store_open(const char *path, struct ct_error *err);
void store_close(struct store *store);

/* ---- transactions --------------------------------------------------------------------------- */

struct transaction {
    struct store *store; /* NULL: ended */
};

/*
 * AUTO_TRANSACTION struct transaction work = store_begin(store);
 * …
 * return store_commit(&work, err);
 *
 * store_begin waits for its turn; what fails there is told by the first statement. Left without
 * store_commit(), everything is taken back. For reading, leaving is enough.
 */
struct transaction store_begin(struct store *store);
int store_commit(struct transaction *work, struct ct_error *err);
void store_leave(struct transaction *work);

#define AUTO_TRANSACTION __attribute__((cleanup(store_leave), unused))

/* ---- statements ----------------------------------------------------------------------------- */

/*
 * Values for the question marks, by letters: s text (NULL: none), i int64_t, b bytes (pointer and
 * size_t). Borrowed until the statement ends.
 *
 * store_run   - runs it to its end. Returns how many rows it changed; -1: CT_EXISTS (the key is
 *               in use), CT_SYSTEM (disk full, …).
 * store_query - a statement whose rows store_row() steps through: 1; 0 at the end; -1. Owned
 *               (AUTO_STATEMENT). NULL (err).
 */
int store_run(struct store *store, struct ct_error *err, const char *sql, const char *letters, ...);
sqlite3_stmt *store_query(struct store *store, struct ct_error *err, const char *sql,
                          const char *letters, ...);
int store_row(sqlite3_stmt *statement, struct ct_error *err);
/* Several statements without values. */
int store_script(struct store *store, const char *sql, struct ct_error *err);

/* Columns of the row, from 0. Text is copied into pool; NULL becomes "". */
char *store_text(sqlite3_stmt *statement, int column, struct pool *pool);
int64_t store_integer(sqlite3_stmt *statement, int column);
ProtobufCBinaryData store_blob(sqlite3_stmt *statement, int column, struct pool *pool);

static inline void statement_cleanup(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}
#define AUTO_STATEMENT __attribute__((cleanup(statement_cleanup)))

/* ---- labels and other maps of strings ------------------------------------------------------- */

/* As an update's mask has them: which fields are meant. NULL, or empty: all. */
typedef const Google__Protobuf__FieldMask *store_mask;

/* Whether field (or something below it) is to be changed. */
bool mask_has(store_mask mask, const char *field);
/* Refuses a mask that names anything but these (NULL-terminated) or something below them. */
int mask_check(store_mask mask, const char *const *fields, struct ct_error *err);

/*
 * labels_write - of one object, in the table labels. With a mask that has only some ("labels.a"),
 * those are set, and removed where they are missing or empty; else all are replaced. field: their
 * name in the mask. entries: a message's own array. CT_INVALID: key and value are over 4096 bytes.
 */
int labels_write(struct store *store, const char *namespace_, const char *kind, const char *object,
                 void *entries, size_t n, store_mask mask, const char *field, struct ct_error *err);
/* For a message: entries of the given type, in pool. Returns the array, *ret_n of them. NULL with
 * *ret_n 0 when there are none, or (err). */
void *labels_read(struct store *store, const char *namespace_, const char *kind, const char *object,
                  const ProtobufCMessageDescriptor *type, struct pool *pool, size_t *ret_n,
                  struct ct_error *err);
int labels_delete(struct store *store, const char *namespace_, const char *kind, const char *object,
                  struct ct_error *err);

/* ---- parts of messages ---------------------------------------------------------------------- */

/* More in message_parts.h. Another's, which may be any: "no time" of a shim in Go is the year 1,
 * too long ago for a number of nanoseconds. NULL stays NULL. */
Google__Protobuf__Timestamp *timestamp_copy(const Google__Protobuf__Timestamp *of,
                                            struct pool *pool);
/* NULL when type is "". */
Google__Protobuf__Any *any_of(char *type, ProtobufCBinaryData value, struct pool *pool);
/* containerd's names for things: [A-Za-z0-9] and single separators [._-] between them, at most 76.
 */
int check_identifier(const char *what, const char *id, struct ct_error *err);

#endif
