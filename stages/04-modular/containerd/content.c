/*
 * content.c - the service Content: blobs by the digest of their bytes. Their way in is ingest.c.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below; diff.c.
 * Spec:       content.proto; OCI image-spec, descriptor.md.
 *
 * A blob is a file that never changes. Its rows say which namespaces have it; the file goes when
 * the last row has gone (collector.c).
 */
#include "containerd_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND       "content"
#define PIECE      (1 << 20) /* bytes of a message of Read */
#define LIST_PIECE 100       /* entries of a message of List */
#define COLUMNS    "digest, size, created_at, updated_at"

typedef Containerd__Services__Content__V1__Info Info;

/* ---- reading rows --------------------------------------------------------------------------- */

static Info *read_info(struct grpc_call *call, sqlite3_stmt *row, struct ct_error *err)
{
    struct pool *pool = grpc_pool(call);
    Info *info = message_new(&containerd__services__content__v1__info__descriptor, pool);

    info->digest = store_text(row, 0, pool);
    info->size = store_integer(row, 1);
    info->created_at = timestamp_of(store_integer(row, 2), pool);
    info->updated_at = timestamp_of(store_integer(row, 3), pool);
    info->labels = labels_read(containerd_of(call)->store, namespace_of(call), KIND, info->digest,
                               &containerd__services__content__v1__info__labels_entry__descriptor,
                               pool, &info->n_labels, err);
    return info;
}

static Info *find_info(struct grpc_call *call, const char *digest, struct ct_error *err)
{
    if (!digest_is_valid(digest)) {
        return ct_refuse_null(err, CT_INVALID, "'%.80s' is no sha256 digest", digest);
    }
    AUTO_STATEMENT sqlite3_stmt *row =
        store_query(containerd_of(call)->store, err,
                    "SELECT " COLUMNS " FROM content WHERE namespace = ? AND digest = ?", "ss",
                    namespace_of(call), digest);
    int found = row ? store_row(row, err) : -1;
    if (found == 0) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no content '%.80s'", digest);
    }
    Info *info = found > 0 ? read_info(call, row, err) : NULL;
    return err->kind ? NULL : info;
}

int content_open(struct grpc_call *call, const char *digest, int64_t *ret_size,
                 struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    Info *info = find_info(call, digest, err);

    if (!info) {
        return -1;
    }
    *ret_size = info->size;
    int fd = openat(containerd_of(call)->blobs_fd, digest_hex(digest), O_RDONLY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open content '%.80s'", digest) : fd;
}

static int info(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Content__V1__InfoRequest *ask = request;
    Containerd__Services__Content__V1__InfoResponse *answer = response;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    answer->info = find_info(call, ask->digest, err);
    return answer->info ? 0 : -1;
}

/* All that match, in the call's pool. */
static int collect(struct grpc_call *call, struct filter *filter, Info ***ret, size_t *ret_n,
                   struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err, "SELECT " COLUMNS " FROM content WHERE namespace = ? ORDER BY digest", "s",
        namespace_of(call));

    while (rows && store_row(rows, err) > 0) {
        Info *item = read_info(call, rows, err);
        if (filter_matches(filter, &item->base)) {
            list_add((void ***)ret, ret_n, item, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

static int list(struct grpc_call *call, struct ct_error *err)
{
    Containerd__Services__Content__V1__ListContentRequest *ask = NULL;
    Info **infos = NULL;
    size_t n = 0;
    int got =
        grpc_receive(call, &containerd__services__content__v1__list_content_request__descriptor,
                     (ProtobufCMessage **)&ask, err);

    if (got <= 0) {
        return got < 0 ? -1 : ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);
    containerd__services__content__v1__list_content_request__free_unpacked(ask, NULL);
    if (!filter || collect(call, filter, &infos, &n, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i += LIST_PIECE) {
        Containerd__Services__Content__V1__ListContentResponse message =
            CONTAINERD__SERVICES__CONTENT__V1__LIST_CONTENT_RESPONSE__INIT;
        message.info = infos + i;
        message.n_info = n - i < LIST_PIECE ? n - i : LIST_PIECE;
        if (grpc_send(call, &message, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- reading bytes -------------------------------------------------------------------------- */

static int send_bytes(struct grpc_call *call, int fd, int64_t offset, int64_t size,
                      struct ct_error *err)
{
    CT_AUTO_FREE uint8_t *piece = malloc(PIECE);

    while (piece && size > 0) {
        Containerd__Services__Content__V1__ReadContentResponse message =
            CONTAINERD__SERVICES__CONTENT__V1__READ_CONTENT_RESPONSE__INIT;
        ssize_t n = pread(fd, piece, size < PIECE ? (size_t)size : PIECE, offset);
        if (n <= 0) {
            return ct_fail(err, n < 0 ? errno : EIO, "read content");
        }
        message.offset = offset;
        message.data = (ProtobufCBinaryData){(size_t)n, piece};
        if (grpc_send(call, &message, err) < 0) {
            return -1;
        }
        offset += n;
        size -= n;
    }
    return piece ? 0 : ct_fail(err, ENOMEM, "read content");
}

static int read_asked(struct grpc_call *call,
                      const Containerd__Services__Content__V1__ReadContentRequest *ask,
                      struct ct_error *err)
{
    int64_t size = 0;
    CT_AUTO_CLOSE int fd = content_open(call, ask->digest, &size, err);

    if (fd < 0) {
        return -1;
    }
    if (ask->offset < 0 || ask->size < 0 || ask->offset > size || ask->size > size - ask->offset) {
        return ct_refuse(err, CT_INVALID, "read %lld bytes at %lld of content of %lld bytes",
                         (long long)ask->size, (long long)ask->offset, (long long)size);
    }
    return send_bytes(call, fd, ask->offset, ask->size ? ask->size : size - ask->offset, err);
}

static int read_content(struct grpc_call *call, struct ct_error *err)
{
    Containerd__Services__Content__V1__ReadContentRequest *ask = NULL;
    int got =
        grpc_receive(call, &containerd__services__content__v1__read_content_request__descriptor,
                     (ProtobufCMessage **)&ask, err);

    if (got <= 0) {
        return got < 0 ? -1 : ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    int result = read_asked(call, ask, err);
    containerd__services__content__v1__read_content_request__free_unpacked(ask, NULL);
    return result;
}

/* ---- changing ------------------------------------------------------------------------------- */

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    static const char *const fields[] = {"labels", NULL};
    const Containerd__Services__Content__V1__UpdateRequest *ask = request;
    Containerd__Services__Content__V1__UpdateResponse *answer = response;
    const Info *wanted = ask->info;

    if (!wanted || mask_check(ask->update_mask, fields, err) < 0) {
        return wanted ? -1 : ct_refuse(err, CT_INVALID, "update content: no info is given");
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (!find_info(call, wanted->digest, err) ||
        labels_write(work.store, namespace_of(call), KIND, wanted->digest, wanted->labels,
                     wanted->n_labels, ask->update_mask, "labels", err) < 0 ||
        store_run(work.store, err,
                  "UPDATE content SET updated_at = ? WHERE namespace = ? AND digest = ?", "iss",
                  ct_now_ns(), namespace_of(call), wanted->digest) < 0 ||
        !(answer->info = find_info(call, wanted->digest, err)) || store_commit(&work, err) < 0) {
        return ct_while(err, "update content '%.80s'", wanted->digest);
    }
    return 0;
}

static int delete_content(struct grpc_call *call, const void *request, void *response,
                          struct ct_error *err)
{
    const Containerd__Services__Content__V1__DeleteContentRequest *ask = request;
    const char *space = namespace_of(call);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    if (!find_info(call, ask->digest, err) ||
        store_run(work.store, err, "DELETE FROM content WHERE namespace = ? AND digest = ?", "ss",
                  space, ask->digest) < 0 ||
        labels_delete(work.store, space, KIND, ask->digest, err) < 0 ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "delete content '%.80s'", ask->digest);
    }
    Containerd__Events__ContentDelete event = CONTAINERD__EVENTS__CONTENT_DELETE__INIT;
    event.digest = ask->digest;
    bus_publish(containerd_of(call)->bus, space, "/content/delete", &event.base);
    collector_note(containerd_of(call)->collector);
    return 0;
}

static const struct grpc_method methods[] = {
    {"Info", info, NULL},
    {"Update", update, NULL},
    {"List", NULL, list},
    {"Delete", delete_content, NULL},
    {"Read", NULL, read_content},
    {"Status", ingest_status, NULL},
    {"ListStatuses", ingest_list, NULL},
    {"Write", NULL, ingest_write},
    {"Abort", ingest_abort, NULL},
};

const struct grpc_service content_service = {
    &containerd__services__content__v1__content__descriptor, methods,
    sizeof(methods) / sizeof(methods[0])};
