/*
 * diff.c - the service Diff: layers into snapshots, and what snapshots changed back into layers.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       diff.proto; OCI image-spec, layer.md.
 *
 * Nothing is mounted: a layer goes straight into the overlay's upper directory, and what is there
 * is the difference. So only mounts as our own snapshotter describes them are taken.
 */
#include "containerd_internal.h"

#include "file.h"
#include "stream.h"
#include "upper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"

/* ---- mounts as directories ------------------------------------------------------------------ */

struct place {
    struct upper upper;
    int roots[SNAPSHOT_DEPTH_MAX];
};

static void place_done(struct place *place)
{
    ct_cleanup_close(&place->upper.root);
    while (place->upper.n_lower > 0) {
        (void)close(place->roots[--place->upper.n_lower]);
    }
}

/* Below our snapshots, by name: a client's path is not followed anywhere else. */
static int open_ours(const struct containerd *containerd, const char *path, struct ct_error *err)
{
    CT_AUTO_FREE char *prefix = ct_printf("%s/snapshots/" SNAPSHOTTER "/", containerd->root);
    size_t length = strlen(prefix), digits;

    if (strncmp(path, prefix, length) != 0 || (digits = strspn(path + length, "0123456789")) == 0 ||
        strcmp(path + length + digits, "/fs") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "'%.120s' is no directory of snapshotter " SNAPSHOTTER, path);
    }
    return ct_root_open(path, err);
}

static const char *option_of(const Containerd__Types__Mount *mount, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < mount->n_options; i++) {
        if (strncmp(mount->options[i], name, length) == 0 && mount->options[i][length] == '=') {
            return mount->options[i] + length + 1;
        }
    }
    return NULL;
}

static int open_lower(const struct containerd *containerd, const char *paths, struct place *ret,
                      struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(paths);
    char *rest = copy;

    for (char *path; (path = strsep(&rest, ":"));) {
        if (ret->upper.n_lower == SNAPSHOT_DEPTH_MAX) {
            return ct_refuse(err, CT_UNSUPPORTED, "more than %d layers", SNAPSHOT_DEPTH_MAX);
        }
        int root = open_ours(containerd, path, err);
        if (root < 0) {
            return -1;
        }
        ret->roots[ret->upper.n_lower++] = root;
    }
    return 0;
}

/* Zeroed by the caller but for root -1; place_done() in any case. */
static int open_place(const struct containerd *containerd, Containerd__Types__Mount *const *mounts,
                      size_t n, struct place *ret, struct ct_error *err)
{
    const Containerd__Types__Mount *mount = n == 1 ? mounts[0] : NULL;
    const char *upper = NULL, *lower = NULL;

    ret->upper.lower = ret->roots;
    if (mount && strcmp(mount->type, "bind") == 0) {
        upper = mount->source;
    } else if (mount && strcmp(mount->type, "overlay") == 0) {
        upper = option_of(mount, "upperdir");
        lower = option_of(mount, "lowerdir");
    }
    if (!upper) {
        return ct_refuse(err, CT_UNSUPPORTED, "%zu mounts of type '%.20s': one overlay or bind", n,
                         mount ? mount->type : "");
    }
    ret->upper.root = open_ours(containerd, upper, err);
    return ret->upper.root < 0 || (lower && open_lower(containerd, lower, ret, err) < 0) ? -1 : 0;
}

/* ---- Apply ---------------------------------------------------------------------------------- */

/* The compression is seen in the bytes; the type says only that it is a layer that we can read. */
static int check_type(const char *type, struct ct_error *err)
{
    static const char *const known[] = {
        MEDIA_LAYER,
        MEDIA_LAYER "+gzip",
        MEDIA_LAYER "+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(type, known[i]) == 0) {
            return 0;
        }
    }
    return ct_refuse(err, CT_UNSUPPORTED, "layers of type '%.100s'", type);
}

static int apply_layer(struct grpc_call *call,
                       const Containerd__Services__Diff__V1__ApplyRequest *ask,
                       Containerd__Types__Descriptor *applied, struct ct_error *err)
{
    struct place place = {.upper = {.root = -1}};
    char diff_id[DIGEST_SIZE];
    int64_t size;
    CT_AUTO_CLOSE int fd = content_open(call, ask->diff->digest, &size, err);
    struct fd_source source = {.fd = fd};

    int result =
        fd < 0 ? -1 : open_place(containerd_of(call), ask->mounts, ask->n_mounts, &place, err);
    if (result == 0) {
        result = upper_fill(&place.upper, fd_source_read, &source, diff_id, &applied->size, err);
    }
    fd_source_done(&source);
    place_done(&place);
    if (result == 0) {
        applied->digest = pool_keep(grpc_pool(call), ct_strdup(diff_id));
        applied->media_type = (char *)MEDIA_LAYER;
    }
    return result;
}

static int apply(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Diff__V1__ApplyRequest *ask = request;
    Containerd__Services__Diff__V1__ApplyResponse *answer = response;
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_UNPACK, "apply %s",
            ask->diff ? ask->diff->digest : "");

    if (!ask->diff) {
        return ct_refuse(err, CT_INVALID, "apply a layer: none is given");
    }
    if (ask->n_payloads > 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "apply a layer through a processor");
    }
    answer->applied = message_new(&containerd__types__descriptor__descriptor, grpc_pool(call));
    if (check_type(ask->diff->media_type, err) < 0 ||
        apply_layer(call, ask, answer->applied, err) < 0) {
        return ct_while(err, "apply layer '%.71s'", ask->diff->digest);
    }
    return 0;
}

/* ---- Diff ----------------------------------------------------------------------------------- */

/* The left side must be what lies below the right side's upper directory: the same directories. */
static int check_sides(const struct containerd *containerd,
                       const Containerd__Services__Diff__V1__DiffRequest *ask,
                       const struct place *right, struct ct_error *err)
{
    struct place left = {.upper = {.root = -1}};
    const Containerd__Types__Mount *mount = ask->n_left == 1 ? ask->left[0] : NULL;
    bool overlay = mount && strcmp(mount->type, "overlay") == 0;
    struct stat a, b;
    int result = 0;

    if (ask->n_left == 0) {
        return right->upper.n_lower == 0
                   ? 0
                   : ct_refuse(err, CT_UNSUPPORTED, "compare a snapshot with nothing");
    }
    /* A view of several layers has no upper directory: all of it is below. */
    if (overlay && option_of(mount, "lowerdir")) {
        result = open_lower(containerd, option_of(mount, "lowerdir"), &left, err);
    } else {
        result = open_place(containerd, ask->left, ask->n_left, &left, err);
        if (result == 0) {
            left.roots[left.upper.n_lower++] = ct_steal_fd(&left.upper.root);
        }
    }
    bool same = result == 0 && left.upper.n_lower == right->upper.n_lower;
    for (size_t i = 0; same && i < left.upper.n_lower; i++) {
        same = fstat(left.roots[i], &a) == 0 && fstat(right->roots[i], &b) == 0 &&
               a.st_ino == b.st_ino && a.st_dev == b.st_dev;
    }
    place_done(&left);
    if (result == 0 && !same) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "compare snapshots of which one is not the other's "
                         "parent");
    }
    return result;
}

/* The tar goes into an ingest, so that it is content like any other. */
static int write_diff(struct grpc_call *call, const struct place *right, struct ingest *ingest,
                      const Containerd__Services__Diff__V1__DiffRequest *ask,
                      Containerd__Types__Descriptor *ret, struct ct_error *err)
{
    char diff_id[DIGEST_SIZE], digest[DIGEST_SIZE];

    if (ingest_reset(ingest, err) < 0 || upper_tar(&right->upper, ingest->fd, diff_id, err) < 0 ||
        ingest_rehash(ingest, err) < 0) {
        return -1;
    }
    int result = ingest_commit(call, ingest, 0, diff_id, ask->labels, ask->n_labels, digest, err);
    if (result < 0 && err->kind == CT_EXISTS) { /* the same change has been written before */
        ct_error_clear(err);
        result = 0;
    }
    ret->digest = pool_keep(grpc_pool(call), ct_strdup(diff_id));
    ret->size = ingest->offset;
    ret->media_type = (char *)MEDIA_LAYER;
    return result;
}

static int compare(struct grpc_call *call, const Containerd__Services__Diff__V1__DiffRequest *ask,
                   Containerd__Types__Descriptor *ret, struct ct_error *err)
{
    struct containerd *containerd = containerd_of(call);
    struct place right = {.upper = {.root = -1}};
    struct ingest ingest = {.fd = -1};
    char random[33];

    ct_random_hex(random, 16);
    CT_AUTO_FREE char *ref = *ask->ref ? ct_strdup(ask->ref) : ct_printf("diff-%s", random);
    int result = open_place(containerd, ask->right, ask->n_right, &right, err);
    if (result == 0) {
        result = check_sides(containerd, ask, &right, err);
    }
    if (result == 0) {
        result = ingest_open(call, ref, 0, "", &ingest, err);
    }
    if (result == 0) {
        result = write_diff(call, &right, &ingest, ask, ret, err);
    }
    ingest_close(&ingest);
    place_done(&right);
    return result;
}

static int diff(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Diff__V1__DiffRequest *ask = request;
    Containerd__Services__Diff__V1__DiffResponse *answer = response;

    /* The type is a wish in containerd, too: the answer says what has been made. */
    if (*ask->media_type && strcmp(ask->media_type, MEDIA_LAYER) != 0 &&
        strcmp(ask->media_type, MEDIA_LAYER "+gzip") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "write a layer of type '%.100s'", ask->media_type);
    }
    answer->diff = message_new(&containerd__types__descriptor__descriptor, grpc_pool(call));
    return compare(call, ask, answer->diff, err) < 0 ? ct_while(err, "compare snapshots") : 0;
}

static const struct grpc_method methods[] = {{"Apply", apply, NULL}, {"Diff", diff, NULL}};

const struct grpc_service diff_service = {&containerd__services__diff__v1__diff__descriptor,
                                          methods, 2};
