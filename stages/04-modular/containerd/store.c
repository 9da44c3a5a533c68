/*
 * store.c - the database: opening, transactions, statements.
 *
 * Room:       containerd.   Called by: see store.h.
 */
#include "containerd_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct store {
    sqlite3 *db;
    pthread_mutex_t lock; /* held from store_begin() to store_leave() */
};

extern const char containerd_schema[]; /* schema.sql */

/* ---- errors --------------------------------------------------------------------------------- */

static int fail(sqlite3 *db, const char *what, struct ct_error *err)
{
    int code = sqlite3_extended_errcode(db);

    switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
        return ct_refuse(err, CT_EXISTS, "it exists already");
    case SQLITE_FULL:
        return ct_fail(err, ENOSPC, "%s", what);
    case SQLITE_NOMEM:
        return ct_fail(err, ENOMEM, "%s", what);
    case SQLITE_IOERR:
        return ct_fail(err, sqlite3_system_errno(db) ? sqlite3_system_errno(db) : EIO, "%s", what);
    default:
        return ct_refuse(err, CT_SYSTEM, "%s: %s", what, sqlite3_errmsg(db));
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static int prepare_database(struct store *store, const char *path, struct ct_error *err)
{
    /* FULL: what a client was told to be there is there after power loss, too. */
    static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                                   "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;

    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK) {
        return store->db ? fail(store->db, "open the database", err)
                         : ct_fail(err, ENOMEM, "open the database");
    }
    (void)sqlite3_busy_timeout(store->db, 10000); /* somebody looks with sqlite3(1) */
    if (sqlite3_exec(store->db, settings, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, containerd_schema, NULL, NULL, NULL) != SQLITE_OK) {
        return fail(store->db, "prepare the database", err);
    }
    return 0;
}

struct store *store_open(const char *path, struct ct_error *err)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store) {
        return ct_fail_null(err, ENOMEM, "open the database");
    }
    (void)pthread_mutex_init(&store->lock, NULL);
    if (prepare_database(store, path, err) < 0) {
        store_close(store);
        return ct_while_null(err, "open '%.120s'", path);
    }
    return store;
}

void store_close(struct store *store)
{
    if (store) {
        (void)sqlite3_close(store->db);
        (void)pthread_mutex_destroy(&store->lock);
        free(store);
    }
}

/* ---- transactions --------------------------------------------------------------------------- */

struct transaction store_begin(struct store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    (void)sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL);
    return (struct transaction){store};
}

void store_leave(struct transaction *work)
{
    if (work->store) {
        (void)sqlite3_exec(work->store->db, "ROLLBACK", NULL, NULL, NULL);
        (void)pthread_mutex_unlock(&work->store->lock);
        work->store = NULL;
    }
}

int store_commit(struct transaction *work, struct ct_error *err)
{
    int result = 0;

    if (sqlite3_exec(work->store->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        result = fail(work->store->db, "commit to the database", err);
        store_leave(work);
        return result;
    }
    (void)pthread_mutex_unlock(&work->store->lock);
    work->store = NULL;
    return 0;
}

/* ---- statements ----------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(struct store *store, const char *sql, const char *letters,
                             va_list values, struct ct_error *err)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        (void)fail(store->db, "read the database", err);
        return NULL;
    }
    for (int i = 0; letters[i]; i++) {
        const void *data;
        switch (letters[i]) {
        case 's':
            (void)sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1,
                                    SQLITE_STATIC);
            break;
        case 'i':
            (void)sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
            break;
        default: /* b */
            data = va_arg(values, const void *);
            (void)sqlite3_bind_blob64(statement, i + 1, data ? data : "", va_arg(values, size_t),
                                      SQLITE_STATIC);
        }
    }
    return statement;
}

sqlite3_stmt *store_query(struct store *store, struct ct_error *err, const char *sql,
                          const char *letters, ...)
{
    va_list values;

    va_start(values, letters);
    sqlite3_stmt *statement = prepare(store, sql, letters, values, err);
    va_end(values);
    return statement;
}

int store_row(sqlite3_stmt *statement, struct ct_error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return fail(sqlite3_db_handle(statement), "use the database", err);
    }
}

int store_run(struct store *store, struct ct_error *err, const char *sql, const char *letters, ...)
{
    va_list values;
    int more;

    va_start(values, letters);
    AUTO_STATEMENT sqlite3_stmt *statement = prepare(store, sql, letters, values, err);
    va_end(values);
    if (!statement) {
        return -1;
    }
    while ((more = store_row(statement, err)) > 0) {
    }
    return more < 0 ? -1 : sqlite3_changes(store->db);
}

int store_script(struct store *store, const char *sql, struct ct_error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : fail(store->db, "run a script", err);
}

char *store_text(sqlite3_stmt *statement, int column, struct pool *pool)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return pool_keep(pool, ct_strdup(text ? text : ""));
}

int64_t store_integer(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

ProtobufCBinaryData store_blob(sqlite3_stmt *statement, int column, struct pool *pool)
{
    const void *data = sqlite3_column_blob(statement, column);
    size_t length = (size_t)sqlite3_column_bytes(statement, column);
    uint8_t *copy = pool_array(pool, length + 1, 1);

    if (length > 0) {
        memcpy(copy, data, length);
    }
    return (ProtobufCBinaryData){length, copy};
}
