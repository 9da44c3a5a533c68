/*
 * members.c - an archive of images comes in, from a pipe as well as from a file.
 *
 * Room:       images.
 * Called by:  load.c.
 * Spec:       docker save's layout; OCI image-spec, image-layout.md.
 *
 * `docker save` writes the layers first and says only at the end what they are, and a pipe cannot
 * be read twice. So each layer goes three ways while its bytes pass by: into a file (the blob),
 * through the hash, and unpacked into the snapshots' scratch space; which layer of what it is, is
 * settled afterwards by two renames.
 */
#include "members.h"

#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS_MAX 20000 /* 500 layers with three files each, and room */
#define LINKS_MAX   8     /* docker save links a layer to the one that is the same */
#define PEEK        512   /* enough to tell a tar by its first header */

/* The descriptor of the archive, watched together with the caller's cancel fd. */
struct archive_source {
    struct fd_source fd;
    const struct image_io *io;
};

static ssize_t source_read(void *context, const void **ret_data, struct ct_error *err)
{
    struct archive_source *source = context;

    if (source->io && source->io->cancel_fd >= 0 &&
        ct_wait_readable(source->fd.fd, source->io->cancel_fd, -1, err) < 0) {
        return -1;
    }
    return fd_source_read(&source->fd, ret_data, err);
}

/* --- one member on its way ------------------------------------------------------------------ */

struct intake {
    struct members *members;
    struct member *member;
    snapshot_read_fn read; /* where its bytes come from */
    void *context;
    int fd;                /* its file in the scratch directory */
    struct digest *digest; /* NULL: the unpacker hashes the same bytes */
    char peek[PEEK];
    size_t peeked;
    bool peek_given;
    const char *rest; /* of the block that filled the peek */
    size_t n_rest;
    struct layer_progress progress; /* stays silent for what is no layer */
};

/* Keeps a block: to the file, to the hash, to the progress. */
static int keep(struct intake *intake, const void *data, size_t size, struct ct_error *err)
{
    if (ct_write_all(intake->fd, data, size) < 0) {
        return ct_fail(err, errno, "write '%s' into the store", intake->member->name + 1);
    }
    if (intake->digest) {
        digest_update(intake->digest, data, size);
    }
    intake->member->size += (int64_t)size;
    layer_progress_at(&intake->progress, intake->member->size);
    return 0;
}

/* snapshot_read_fn: the data of the archive's current entry. */
struct entry_source {
    struct layer_stream *stream;
    int64_t at;
};

static ssize_t entry_read(void *context, const void **ret_data, struct ct_error *err)
{
    struct entry_source *source = context;
    size_t size = 0;
    int64_t offset = 0;
    int more = stream_data(source->stream, ret_data, &size, &offset, err);

    if (more <= 0) {
        return more;
    }
    if (offset != source->at) { /* holes are for file systems; no tool makes them here */
        return ct_refuse(err, CT_INVALID, "archive entry is sparse");
    }
    source->at += (int64_t)size;
    return (ssize_t)size;
}

/* Looks at the first bytes, which come again from intake_read(). */
static int fill_peek(struct intake *intake, struct ct_error *err)
{
    while (intake->peeked < PEEK) {
        const void *data = NULL;
        ssize_t n = intake->read(intake->context, &data, err);
        if (n <= 0) {
            return (int)n;
        }
        size_t take = PEEK - intake->peeked;
        take = (size_t)n < take ? (size_t)n : take;
        (void)memcpy(intake->peek + intake->peeked, data, take);
        intake->peeked += take;
        intake->rest = (const char *)data + take;
        intake->n_rest = (size_t)n - take;
    }
    return 0;
}

/* snapshot_read_fn: the member's bytes, kept on their way. */
static ssize_t intake_read(void *context, const void **ret_data, struct ct_error *err)
{
    struct intake *intake = context;
    ssize_t n;

    if (!intake->peek_given) {
        intake->peek_given = true;
        *ret_data = intake->peek;
        n = (ssize_t)intake->peeked;
    } else if (intake->n_rest > 0) {
        *ret_data = intake->rest;
        n = (ssize_t)intake->n_rest;
        intake->n_rest = 0;
    } else {
        n = intake->read(intake->context, ret_data, err);
    }
    if (n <= 0) {
        return n;
    }
    return keep(intake, *ret_data, (size_t)n, err) < 0 ? -1 : n;
}

/* The media type's suffix for what the first bytes say; NULL: compressed in a way OCI does not
 * name. *plain: not compressed at all. */
static const char *compression(const struct intake *intake, bool *ret_plain)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *suffix;
    } known[] = {
        {"\x1f\x8b", 2, "+gzip"},
        {"\x28\xb5\x2f\xfd", 4, "+zstd"},
        {"BZh", 3, NULL},
        {"\xfd"
         "7zXZ\0",
         6, NULL},
    };

    *ret_plain = false;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (intake->peeked >= known[i].length &&
            memcmp(intake->peek, known[i].magic, known[i].length) == 0) {
            return known[i].suffix;
        }
    }
    *ret_plain = true;
    return "";
}

/* A plain tar begins with a header (or, empty, with zeros); documents begin with a bracket. */
static bool may_be_tar(const struct intake *intake)
{
    static const char zeros[PEEK];

    return intake->peeked == PEEK &&
           (memcmp(intake->peek + 257, "ustar", 5) == 0 || memcmp(intake->peek, zeros, PEEK) == 0);
}

static int drain(struct intake *intake, struct ct_error *err)
{
    const void *ignored = NULL;
    ssize_t n;

    do {
        n = intake_read(intake, &ignored, err);
    } while (n > 0);
    return n < 0 ? -1 : 0;
}

/* What a layer is called while it is on its way: nobody knows its digest yet, but its name has it.
 */
static void begin_progress(struct intake *intake, int64_t total)
{
    const char *name = intake->member->name + 1;

    name += strncmp(name, "blobs/sha256/", 13) == 0 ? 13 : 0;
    layer_progress_begin(&intake->progress, intake->members->io, name, total);
}

/*
 * Unpacks the member as a layer. A layer that is broken fails the load only if an image wants it:
 * archives may hold other things that merely look like one.
 */
static int take_layer(struct intake *intake, bool plain, struct ct_error *err)
{
    struct member *member = intake->member;
    AUTO_DIGEST struct digest *own = plain ? NULL : digest_new(err);

    if (!plain && !own) {
        return -1;
    }
    intake->digest = own;
    member->staged =
        snapshot_stage(intake->members->store->snapshots, intake_read, intake, &member->error);
    if (!member->staged && member->error.kind != CT_INVALID) {
        *err = member->error;
        return -1;
    }
    if (drain(intake, err) < 0) {
        return -1;
    }
    if (own) {
        (void)digest_final(own, member->digest);
    } else if (member->staged) { /* uncompressed, the layer's hash is the file's */
        (void)strcpy(member->digest, snapshot_staged_diff_id(member->staged));
    }
    return 0;
}

static int take_document(struct intake *intake, struct ct_error *err)
{
    AUTO_DIGEST struct digest *own = digest_new(err);

    intake->digest = own;
    if (!own || drain(intake, err) < 0) {
        return -1;
    }
    (void)digest_final(own, intake->member->digest);
    return 0;
}

/* total: what the member will have, in bytes; 0: unknown. */
static int take_file(struct members *members, struct member *member, snapshot_read_fn read,
                     void *context, int64_t total, struct ct_error *err)
{
    struct intake intake = {.members = members, .member = member, .read = read, .context = context};
    bool plain = false;

    member->file = ct_printf("%zu", members->n - 1);
    CT_AUTO_CLOSE int fd =
        openat(members->scratch, member->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return ct_fail(err, errno, "write '%s' into the store", member->name + 1);
    }
    intake.fd = fd;
    if (fill_peek(&intake, err) < 0) {
        return -1;
    }
    member->suffix = compression(&intake, &plain);
    bool is_layer = members->only_layers || !plain || may_be_tar(&intake);
    if (!is_layer) {
        return take_document(&intake, err);
    }
    begin_progress(&intake, total);
    if (take_layer(&intake, plain, err) < 0) {
        return -1;
    }
    layer_progress_end(&intake.progress, member->size);
    return 0;
}

/* --- all members ---------------------------------------------------------------------------- */

static struct member *find_exactly(const struct members *members, const char *clean)
{
    for (size_t i = 0; i < members->n; i++) {
        if (strcmp(members->items[i].name, clean) == 0) {
            return &members->items[i];
        }
    }
    return NULL;
}

static struct member *add_member(struct members *members, const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *clean = ct_path_clean(name ? name : "");

    if (find_exactly(members, clean)) {
        return ct_refuse_null(err, CT_INVALID, "archive has entry '%s' twice", clean + 1);
    }
    if (members->n == MEMBERS_MAX) {
        return ct_refuse_null(err, CT_INVALID, "archive has more than %d entries", MEMBERS_MAX);
    }
    if (members->n == members->size) {
        size_t size = members->size ? members->size * 2 : 32;
        struct member *grown = reallocarray(members->items, size, sizeof(*grown));
        if (!grown) {
            return ct_fail_null(err, ENOMEM, "read the archive");
        }
        members->items = grown;
        members->size = size;
    }
    struct member *member = &members->items[members->n++];
    *member = (struct member){.name = ct_steal(clean)};
    return member;
}

/* A link's target, from the archive's root: "../x/layer.tar" in "y/layer.tar" is "/x/layer.tar". */
static char *link_target(const char *name, const char *target)
{
    if (target[0] == '/') {
        return ct_path_clean(target);
    }
    CT_AUTO_FREE char *both = ct_printf("%s/../%s", name, target);
    return ct_path_clean(both);
}

static int take_entry(struct members *members, struct layer_stream *stream,
                      struct archive_entry *entry, struct ct_error *err)
{
    const char *hard = archive_entry_hardlink(entry);
    mode_t type = archive_entry_filetype(entry);

    if (type == AE_IFDIR && !hard) {
        return 0;
    }
    struct member *member = add_member(members, archive_entry_pathname(entry), err);
    if (!member) {
        return -1;
    }
    if (hard) {
        member->link = ct_path_clean(hard);
        return 0;
    }
    if (type == AE_IFLNK) {
        const char *target = archive_entry_symlink(entry);
        member->link = link_target(member->name, target ? target : "");
        return 0;
    }
    if (type != AE_IFREG) {
        return ct_refuse(err, CT_INVALID, "archive entry '%s' is neither file nor link",
                         member->name + 1);
    }
    struct entry_source source = {.stream = stream};
    return take_file(members, member, entry_read, &source, archive_entry_size(entry), err) < 0
               ? ct_while(err, "take '%s'", member->name + 1)
               : 0;
}

static int read_entries(struct members *members, struct archive_source *source,
                        struct ct_error *err)
{
    struct layer_stream *stream = stream_open(source_read, source, false, err);
    struct archive_entry *entry = NULL;
    char ignored[DIGEST_SIZE];
    int more = -1;

    while (stream && (more = stream_next(stream, &entry, err)) > 0) {
        if (take_entry(members, stream, entry, err) < 0) {
            more = -1;
            break;
        }
    }
    if (more == 0) {
        more = stream_finish(stream, ignored, err);
    }
    stream_close(stream);
    return more;
}

static int members_init(struct members *members, struct image_store *store,
                        const struct image_io *io, struct ct_error *err)
{
    *members = (struct members){.store = store, .io = io, .scratch = -1};
    members->scratch = scratch_make(store->fd, members->scratch_name, err);
    return members->scratch < 0 ? -1 : 0;
}

/* What is left of a file; 0 for a pipe, whose end nobody knows. */
static int64_t bytes_left(int fd)
{
    struct stat status;
    off_t at = lseek(fd, 0, SEEK_CUR);

    return at >= 0 && fstat(fd, &status) == 0 && status.st_size > at ? status.st_size - at : 0;
}

struct member *members_read_layer(struct members *members, struct image_store *store, int fd,
                                  const struct image_io *io, struct ct_error *err)
{
    struct archive_source source = {.fd = {.fd = fd}, .io = io};
    struct member *member = NULL;

    if (members_init(members, store, io, err) < 0) {
        return NULL;
    }
    members->only_layers = true;
    member = add_member(members, "layer", err);
    int result =
        member ? take_file(members, member, source_read, &source, bytes_left(fd), err) : -1;
    fd_source_done(&source.fd);
    if (result == 0 && !member->staged) {
        *err = member->error;
        result = -1;
    }
    return result < 0 ? ct_while_null(err, "read the layer") : member;
}

int members_read(struct members *members, struct image_store *store, int fd,
                 const struct image_io *io, struct ct_error *err)
{
    struct archive_source source = {.fd = {.fd = fd}, .io = io};

    if (members_init(members, store, io, err) < 0) {
        return -1;
    }
    void *locale = utf8_names_enter();
    int result = read_entries(members, &source, err);
    utf8_names_leave(locale);
    fd_source_done(&source.fd);
    return result < 0 ? ct_while(err, "read the archive") : 0;
}

void members_done(struct members *members)
{
    for (size_t i = 0; i < members->n; i++) {
        snapshot_abandon(members->items[i].staged);
        free(members->items[i].name);
        free(members->items[i].link);
        free(members->items[i].file);
    }
    free(members->items);
    scratch_remove(members->store->fd, members->scratch_name, &members->scratch);
}

struct member *members_find(const struct members *members, const char *name)
{
    CT_AUTO_FREE char *clean = ct_path_clean(name);
    struct member *member = find_exactly(members, clean);

    for (int i = 0; member && member->link; i++) {
        member = i < LINKS_MAX ? find_exactly(members, member->link) : NULL;
    }
    return member;
}

int member_open(const struct members *members, const struct member *member, struct ct_error *err)
{
    int fd = member->file ? openat(members->scratch, member->file, O_RDONLY | O_CLOEXEC)
                          : blob_open(members->store, member->digest, err);

    return fd < 0 && member->file ? ct_fail(err, errno, "open '%s'", member->name + 1) : fd;
}

ssize_t member_text(const struct members *members, const struct member *member, char **ret,
                    struct ct_error *err)
{
    ssize_t n = ct_read_file_at(members->scratch, member->file, CT_JSON_FILE_MAX, ret, err);

    return n < 0 ? ct_while(err, "read '%s'", member->name + 1) : n;
}

json_t *members_json(const struct members *members, const char *name, struct ct_error *err)
{
    const struct member *member = members_find(members, name);
    CT_AUTO_FREE char *text = NULL;

    if (!member || !member->file) {
        return ct_refuse_null(err, CT_INVALID, "archive has no '%s'", name);
    }
    ssize_t n = member_text(members, member, &text, err);
    json_t *json = n < 0 ? NULL : ct_json_parse(text, (size_t)n, err);
    return json ? json : ct_while_null(err, "read '%s'", name);
}

json_t *member_layer_descriptor(const struct member *layer, struct ct_error *err)
{
    if (!layer->suffix) {
        return ct_refuse_null(err, CT_UNSUPPORTED,
                              "layer '%s' is compressed by xz or bzip2; images have gzip or zstd",
                              layer->name + 1);
    }
    CT_AUTO_FREE char *type = ct_printf(MEDIA_LAYER "%s", layer->suffix);
    return make_descriptor(type, layer->digest, layer->size);
}

int member_place(struct members *members, struct member *member, struct ct_error *err)
{
    bool there = blob_size(members->store, member->digest) >= 0;

    if (!member->file) {
        return 0;
    }
    if (renameat(members->scratch, member->file, members->store->blobs,
                 digest_hex(member->digest)) < 0) {
        return ct_fail(err, errno, "place blob '%.19s'", member->digest);
    }
    free(ct_steal(member->file));
    return there ? 0 : 1;
}
