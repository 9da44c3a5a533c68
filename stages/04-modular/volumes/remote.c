/*
 * remote.c - volumes that containerd keeps: each function is a call of cutaway.services.volumes.v1.
 *
 * Room:       volumes (stage 04).   Called by: front.c.
 * Spec:       api/own/cutaway/services/volumes/v1/volumes.proto.
 */
#define CT_LAYER "volumes"
#include "volumes_ops.h"

#include "connection.h"
#include "volume_messages.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define POPULATE_TIMEOUT_MS 600000 /* an image's directory may be large */

struct volume_backend { /* containerd has it all */
    char nothing;
};

static struct volume_backend *volume_remote_open(const char *dir, struct ct_error *err)
{
    struct volume_backend *store = calloc(1, sizeof(*store));

    (void)dir;
    return store ? store : ct_fail_null(err, ENOMEM, "open the volumes");
}

static void volume_remote_close(struct volume_backend *store)
{
    free(store);
}

static int call(const char *method, const void *request, ProtobufCMessage **ret,
                struct ct_error *err)
{
    return connection_call(VOLUMES_SERVICE, method, request, CONNECTION_TIMEOUT_MS, ret, err);
}

/* A volume that an answer must have. */
static json_t *document_of(const VolumeMessage *message, struct ct_error *err)
{
    return message ? volume_from_message(message)
                   : ct_refuse_null(err, CT_SYSTEM, "read containerd's answer: no volume is in it");
}

static json_t *volume_remote_ensure(struct volume_backend *store, const json_t *body,
                                    bool *ret_made, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_VOLUME, "Volumes/Create %s",
            ct_json_string(body, "Name", ""));
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct pool pool = {0};

    (void)store;
    int result = call("Create", volume_body_to_message(body, &pool), &answer, err);
    pool_done(&pool);
    if (result < 0) {
        return NULL;
    }
    const Cutaway__Services__Volumes__V1__CreateVolumeResponse *response = (void *)answer;
    *ret_made = response->created;
    return document_of(response->volume, err);
}

static json_t *volume_remote_find(struct volume_backend *store, const char *name,
                                  struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__GetVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__GET_VOLUME_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    (void)store;
    request.name = (char *)(uintptr_t)name;
    return call("Get", &request, &answer, err) < 0
               ? NULL
               : document_of(
                     ((const Cutaway__Services__Volumes__V1__GetVolumeResponse *)answer)->volume,
                     err);
}

static json_t *volume_remote_list(struct volume_backend *store, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__ListVolumesRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__LIST_VOLUMES_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    (void)store;
    if (call("List", &request, &answer, err) < 0) {
        return NULL;
    }
    const Cutaway__Services__Volumes__V1__ListVolumesResponse *response = (void *)answer;
    json_t *list = json_array();
    for (size_t i = 0; i < response->n_volumes; i++) {
        ct_json_append(list, volume_from_message(response->volumes[i]));
    }
    return list;
}

static int volume_remote_remove(struct volume_backend *store, const char *name, bool force,
                                struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "Volumes/Delete %s", name);
    Cutaway__Services__Volumes__V1__DeleteVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__DELETE_VOLUME_REQUEST__INIT;

    (void)store;
    request.name = (char *)(uintptr_t)name;
    request.force = force;
    return call("Delete", &request, NULL, err);
}

static long long volume_remote_size(struct volume_backend *store, const char *name,
                                    struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__VolumeUsageRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__VOLUME_USAGE_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    (void)store;
    request.name = (char *)(uintptr_t)name;
    return call("Usage", &request, &answer, err) < 0
               ? -1
               : ((const Cutaway__Services__Volumes__V1__VolumeUsageResponse *)answer)->size;
}

/* containerd copies, not copy(): the root file system is named to it as we have it open. */
static int volume_remote_populate(struct volume_backend *store, const json_t *mount_point,
                                  int rootfs_fd, volume_copy_fn copy, struct ct_error *err)
{
    const char *name = ct_json_string(mount_point, "Name", "");
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_VOLUME, "Volumes/Populate %s", name);
    Cutaway__Services__Volumes__V1__PopulateVolumeRequest request =
        CUTAWAY__SERVICES__VOLUMES__V1__POPULATE_VOLUME_REQUEST__INIT;
    char link[32], path[PATH_MAX];
    struct stat status;

    (void)store;
    (void)copy;
    if (ct_json_bool(mount_point, "NoCopy", false)) {
        return 0;
    }
    ssize_t length = readlink(ct_fd_path(rootfs_fd, link), path, sizeof(path) - 1);
    if (length < 0 || fstat(rootfs_fd, &status) < 0) {
        return ct_fail(err, errno, "fill volume '%.64s' from the image", name);
    }
    path[length] = '\0';
    request.name = (char *)(uintptr_t)name;
    request.destination = (char *)(uintptr_t)ct_json_string(mount_point, "Destination", "");
    request.rootfs = path;
    request.device = status.st_dev;
    request.inode = status.st_ino;
    return connection_call(VOLUMES_SERVICE, "Populate", &request, POPULATE_TIMEOUT_MS, NULL, err);
}

const struct volume_ops volume_remote_ops = {
    .open = volume_remote_open,
    .close = volume_remote_close,
    .ensure = volume_remote_ensure,
    .find = volume_remote_find,
    .list = volume_remote_list,
    .remove = volume_remote_remove,
    .size = volume_remote_size,
    .populate = volume_remote_populate,
};
