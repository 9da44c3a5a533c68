/*
 * ingest.c - how blobs come in: written piece by piece under a reference, verified, named.
 *
 * Room:       containerd.   Called by: content.c, by its table; diff.c.
 * Spec:       content.proto, "Write"; containerd, content/local/writer.go.
 *
 * What has been written stays when the writer goes away, or we are killed: who opens the same
 * reference again goes on where it ended. One writer at a time holds a flock(2) on the file.
 */
#include "containerd_internal.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLUMNS "ref, file, total, expected, started_at, updated_at"

typedef Containerd__Services__Content__V1__Status Status;
typedef Containerd__Services__Content__V1__WriteContentRequest Request;
typedef Containerd__Services__Content__V1__WriteContentResponse Response;

void ingest_close(struct ingest *ingest)
{
    ct_cleanup_close(&ingest->fd);
    digest_free(ingest->digest);
    free(ingest->ref);
    free(ingest->file);
    *ingest = (struct ingest){.fd = -1};
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The file's name and times; made when the reference is new. */
static int find_row(struct grpc_call *call, struct ingest *ingest, struct ct_error *err)
{
    struct store *store = containerd_of(call)->store;
    const char *space = namespace_of(call);
    AUTO_STATEMENT sqlite3_stmt *row =
        store_query(store, err, "SELECT " COLUMNS " FROM ingests WHERE namespace = ? AND ref = ?",
                    "ss", space, ingest->ref);
    int found = row ? store_row(row, err) : -1;

    if (found != 0) {
        if (found > 0) {
            ingest->file = ct_strdup(store_text(row, 1, grpc_pool(call)));
            ingest->started_at = store_integer(row, 4);
        }
        return found < 0 ? -1 : 0;
    }
    char name[33];
    ct_random_hex(name, 16);
    ingest->file = ct_strdup(name);
    ingest->started_at = ct_now_ns();
    const char *lease = grpc_metadata(call, "containerd-lease");
    return namespace_touch(store, space, err) < 0 ||
                   lease_hold(call, "ingests", ingest->ref, err) < 0 ||
                   store_run(store, err, "INSERT INTO ingests VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                             "sssissii", space, ingest->ref, ingest->file, ingest->total,
                             ingest->expected, lease ? lease : "", ingest->started_at,
                             ingest->started_at) < 0
               ? -1
               : 0;
}

/* What is there already belongs to the hash. */
int ingest_rehash(struct ingest *ingest, struct ct_error *err)
{
    CT_AUTO_FREE uint8_t *piece = malloc(1 << 20);
    ssize_t n;

    digest_free(ingest->digest);
    ingest->digest = digest_new(err);
    ingest->offset = 0;
    if (!piece || !ingest->digest) {
        return piece ? -1 : ct_fail(err, ENOMEM, "read an ingest");
    }
    while ((n = pread(ingest->fd, piece, 1 << 20, ingest->offset)) > 0) {
        digest_update(ingest->digest, piece, (size_t)n);
        ingest->offset += n;
    }
    return n < 0 ? ct_fail(err, errno, "read an ingest") : 0;
}

static int has_content(struct grpc_call *call, const char *digest, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        containerd_of(call)->store, err, "SELECT 1 FROM content WHERE namespace = ? AND digest = ?",
        "ss", namespace_of(call), digest);
    return row ? store_row(row, err) : -1;
}

static int refuse_existing(struct grpc_call *call, const char *expected, struct ct_error *err)
{
    if (!*expected) {
        return 0;
    }
    if (!digest_is_valid(expected)) {
        return ct_refuse(err, CT_INVALID, "'%.80s' is no sha256 digest", expected);
    }
    int has = has_content(call, expected, err);
    if (has > 0 && lease_hold(call, "content", expected, err) == 0) {
        return ct_refuse(err, CT_EXISTS, "content '%.80s' is there", expected);
    }
    return has < 0 || err->kind ? -1 : 0;
}

int ingest_open(struct grpc_call *call, const char *ref, int64_t total, const char *expected,
                struct ingest *ret, struct ct_error *err)
{
    struct containerd *containerd = containerd_of(call);

    *ret = (struct ingest){.fd = -1, .ref = ct_strdup(ref), .total = total};
    (void)snprintf(ret->expected, sizeof(ret->expected), "%.71s", expected);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    int refused = refuse_existing(call, expected, err);
    if (refused < 0 && err->kind == CT_EXISTS) {
        struct ct_error ignored = {0};
        (void)store_commit(&work, &ignored); /* the lease's hold, if there is one */
    }
    if (refused < 0 || find_row(call, ret, err) < 0 || store_commit(&work, err) < 0) {
        return -1;
    }
    ret->fd =
        openat(containerd->ingest_fd, ret->file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (ret->fd < 0) {
        return ct_fail(err, errno, "open ingest '%.100s'", ref);
    }
    if (flock(ret->fd, LOCK_EX | LOCK_NB) < 0) {
        return ct_refuse(err, CT_UNREACHABLE, "ingest '%.100s' has another writer", ref);
    }
    return ingest_rehash(ret, err);
}

/* ---- writing -------------------------------------------------------------------------------- */

int ingest_add(struct ingest *ingest, const void *data, size_t length, struct ct_error *err)
{
    if (ct_write_all(ingest->fd, data, length) < 0) {
        return ct_fail(err, errno, "write ingest '%.100s'", ingest->ref);
    }
    digest_update(ingest->digest, data, length);
    ingest->offset += (int64_t)length;
    return 0;
}

int ingest_reset(struct ingest *ingest, struct ct_error *err)
{
    if (ftruncate(ingest->fd, 0) < 0) {
        return ct_fail(err, errno, "empty ingest '%.100s'", ingest->ref);
    }
    return ingest_rehash(ingest, err);
}

/* ---- naming --------------------------------------------------------------------------------- */

static int forget(struct grpc_call *call, const char *ref, struct ct_error *err)
{
    struct store *store = containerd_of(call)->store;

    if (store_run(store, err,
                  "DELETE FROM lease_resources WHERE namespace = ? AND type = 'ingests' AND id = ?",
                  "ss", namespace_of(call), ref) < 0) {
        return -1;
    }
    return store_run(store, err, "DELETE FROM ingests WHERE namespace = ? AND ref = ?", "ss",
                     namespace_of(call), ref);
}

/* The bytes are complete and verified: from ingest/ to blobs/. Another namespace may have the same.
 */
static int place(struct containerd *containerd, const struct ingest *ingest, const char *digest,
                 struct ct_error *err)
{
    (void)fchmod(ingest->fd, 0400);
    if (renameat2(containerd->ingest_fd, ingest->file, containerd->blobs_fd, digest_hex(digest),
                  RENAME_NOREPLACE) < 0) {
        if (errno != EEXIST) {
            return ct_fail(err, errno, "place content '%.80s'", digest);
        }
        (void)unlinkat(containerd->ingest_fd, ingest->file, 0); /* else the collector takes it */
        return 0;
    }
    return ct_sync_dir(containerd->blobs_fd, err);
}

/*
 * In the transaction, so that the collector never sees a file without its row. Killed between the
 * two, we leave a file that nobody has, and the collector takes it.
 */
static int name_it(struct grpc_call *call, struct ingest *ingest, const char *digest, void *labels,
                   size_t n_labels, struct ct_error *err)
{
    struct containerd *containerd = containerd_of(call);
    const char *space = namespace_of(call);
    int64_t now = ct_now_ns();
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    int has = has_content(call, digest, err);

    if (has < 0 || lease_hold(call, "content", digest, err) < 0 ||
        forget(call, ingest->ref, err) < 0) {
        return -1;
    }
    if (has > 0) {
        (void)unlinkat(containerd->ingest_fd, ingest->file, 0);
        return store_commit(&work, err) < 0
                   ? -1
                   : ct_refuse(err, CT_EXISTS, "content '%.80s' is there", digest);
    }
    if (store_run(work.store, err, "INSERT INTO content VALUES (?, ?, ?, ?, ?)", "ssiii", space,
                  digest, ingest->offset, now, now) < 0 ||
        labels_write(work.store, space, "content", digest, labels, n_labels, NULL, "labels", err) <
            0 ||
        place(containerd, ingest, digest, err) < 0) {
        return -1;
    }
    return store_commit(&work, err);
}

int ingest_commit(struct grpc_call *call, struct ingest *ingest, int64_t total,
                  const char *expected, void *labels, size_t n_labels,
                  char digest[static DIGEST_SIZE], struct ct_error *err)
{
    if (total > 0 && total != ingest->offset) {
        return ct_refuse(err, CT_CONFLICT, "commit '%.80s': it has %lld bytes, expected %lld",
                         ingest->ref, (long long)ingest->offset, (long long)total);
    }
    (void)digest_so_far(ingest->digest, digest);
    if (*expected && strcmp(expected, digest) != 0) {
        return ct_refuse(err, CT_CONFLICT, "commit '%.40s': it is %s, expected %.71s", ingest->ref,
                         digest, expected);
    }
    if (fsync(ingest->fd) < 0) {
        return ct_fail(err, errno, "bring '%.100s' to the disk", ingest->ref);
    }
    return name_it(call, ingest, digest, labels, n_labels, err);
}

/* ---- the call Write ------------------------------------------------------------------------- */

/* One message, and its answer. */
static int step(struct grpc_call *call, struct ingest *ingest, const Request *ask, Response *answer,
                char digest[static DIGEST_SIZE], struct ct_error *err)
{
    const char *expected = *ask->expected ? ask->expected : ingest->expected;
    int64_t total = ask->total > 0 ? ask->total : ingest->total;
    bool commit = ask->action == CONTAINERD__SERVICES__CONTENT__V1__WRITE_ACTION__COMMIT;

    if (ask->action != CONTAINERD__SERVICES__CONTENT__V1__WRITE_ACTION__STAT) {
        if (ask->offset > 0 && ask->offset != ingest->offset) {
            return ct_refuse(err, CT_INVALID, "write '%.80s' at %lld: it has %lld bytes",
                             ingest->ref, (long long)ask->offset, (long long)ingest->offset);
        }
        if (ask->offset == 0 && ingest->offset > 0 && ingest_reset(ingest, err) < 0) {
            return -1;
        }
        if (ingest_add(ingest, ask->data.data, ask->data.len, err) < 0) {
            return -1;
        }
    }
    if (commit &&
        ingest_commit(call, ingest, total, expected, ask->labels, ask->n_labels, digest, err) < 0) {
        return -1;
    }
    answer->action = ask->action;
    answer->offset = ingest->offset;
    answer->total = total;
    answer->digest = digest_so_far(ingest->digest, digest);
    answer->started_at = timestamp_of(ingest->started_at, grpc_pool(call));
    answer->updated_at = timestamp_of(ct_now_ns(), grpc_pool(call));
    return commit ? 1 : 0;
}

static int converse(struct grpc_call *call, struct ingest *ingest, Request **ask,
                    struct ct_error *err)
{
    int more = 1, done = 0;

    while (more > 0 && !done) {
        Response answer = CONTAINERD__SERVICES__CONTENT__V1__WRITE_CONTENT_RESPONSE__INIT;
        char digest[DIGEST_SIZE];
        done = step(call, ingest, *ask, &answer, digest, err);
        if (done < 0 || grpc_send(call, &answer, err) < 0) {
            return -1;
        }
        containerd__services__content__v1__write_content_request__free_unpacked(*ask, NULL);
        *ask = NULL;
        more =
            done ? 0
                 : grpc_receive(
                       call, &containerd__services__content__v1__write_content_request__descriptor,
                       (ProtobufCMessage **)ask, err);
    }
    return more;
}

int ingest_write(struct grpc_call *call, struct ct_error *err)
{
    Request *ask = NULL;
    struct ingest ingest = {.fd = -1};
    int result =
        grpc_receive(call, &containerd__services__content__v1__write_content_request__descriptor,
                     (ProtobufCMessage **)&ask, err);

    if (result <= 0) {
        return result;
    }
    if (!*ask->ref || strlen(ask->ref) > 1024) {
        result = ct_refuse(err, CT_INVALID, "the first message must have a reference");
    } else {
        result = ingest_open(call, ask->ref, ask->total, ask->expected, &ingest, err);
    }
    if (result == 0) {
        result = converse(call, &ingest, &ask, err);
    }
    if (ask) {
        containerd__services__content__v1__write_content_request__free_unpacked(ask, NULL);
    }
    ingest_close(&ingest);
    return result;
}

/* ---- what is under way ---------------------------------------------------------------------- */

static Status *read_status(struct grpc_call *call, sqlite3_stmt *row)
{
    struct pool *pool = grpc_pool(call);
    Status *status = message_new(&containerd__services__content__v1__status__descriptor, pool);
    struct stat st;

    status->ref = store_text(row, 0, pool);
    if (fstatat(containerd_of(call)->ingest_fd, store_text(row, 1, pool), &st, 0) == 0) {
        status->offset = st.st_size;
    }
    status->total = store_integer(row, 2);
    status->expected = store_text(row, 3, pool);
    status->started_at = timestamp_of(store_integer(row, 4), pool);
    status->updated_at = timestamp_of(store_integer(row, 5), pool);
    return status;
}

int ingest_status(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Content__V1__StatusRequest *ask = request;
    Containerd__Services__Content__V1__StatusResponse *answer = response;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        work.store, err, "SELECT " COLUMNS " FROM ingests WHERE namespace = ? AND ref = ?", "ss",
        namespace_of(call), ask->ref);
    int found = row ? store_row(row, err) : -1;

    if (found == 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no ingest '%.100s'", ask->ref);
    }
    answer->status = found > 0 ? read_status(call, row) : NULL;
    return found < 0 ? -1 : 0;
}

int ingest_list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Content__V1__ListStatusesRequest *ask = request;
    Containerd__Services__Content__V1__ListStatusesResponse *answer = response;
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);

    if (!filter) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err, "SELECT " COLUMNS " FROM ingests WHERE namespace = ? ORDER BY ref", "s",
        namespace_of(call));
    while (rows && store_row(rows, err) > 0) {
        Status *status = read_status(call, rows);
        if (filter_matches(filter, &status->base)) {
            list_add((void ***)&answer->statuses, &answer->n_statuses, status, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

int ingest_abort(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Content__V1__AbortRequest *ask = request;
    struct containerd *containerd = containerd_of(call);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    AUTO_STATEMENT sqlite3_stmt *row =
        store_query(work.store, err, "SELECT file FROM ingests WHERE namespace = ? AND ref = ?",
                    "ss", namespace_of(call), ask->ref);
    int found = row ? store_row(row, err) : -1;

    (void)response;
    if (found <= 0) {
        return found < 0 ? -1 : ct_refuse(err, CT_NOT_FOUND, "no ingest '%.100s'", ask->ref);
    }
    if (unlinkat(containerd->ingest_fd, store_text(row, 0, grpc_pool(call)), 0) < 0 &&
        errno != ENOENT) {
        return ct_fail(err, errno, "abort ingest '%.100s'", ask->ref);
    }
    return forget(call, ask->ref, err) < 0 ? -1 : store_commit(&work, err);
}
