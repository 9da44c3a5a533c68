/*
 * volume_service.c - the service Volumes: stage 01's room for those who ask by messages.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       api/own/cutaway/services/volumes/v1/volumes.proto.
 */
#include "containerd_internal.h"

#include "snapshots.h"
#include "volume_messages.h"
#include "volumes.h"

#include "json.h"

#include <errno.h>
#include <sys/stat.h>

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__CreateVolumeResponse *answer = response;
    CT_AUTO_JSON json_t *body = volume_body_from_message(request);
    struct volume_store *store = space_touch(call, err) < 0 ? NULL : volumes_of(call, err);
    bool made = false;
    CT_AUTO_JSON json_t *volume = store ? volume_ensure(store, body, &made, err) : NULL;

    if (!volume) {
        return -1;
    }
    answer->volume = volume_to_message(volume, grpc_pool(call));
    answer->created = made;
    return 0;
}

static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Cutaway__Services__Volumes__V1__GetVolumeRequest *ask = request;
    Cutaway__Services__Volumes__V1__GetVolumeResponse *answer = response;
    struct volume_store *store = volumes_of(call, err);
    CT_AUTO_JSON json_t *volume = store ? volume_find(store, ask->name, err) : NULL;

    answer->volume = volume ? volume_to_message(volume, grpc_pool(call)) : NULL;
    return volume ? 0 : -1;
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    Cutaway__Services__Volumes__V1__ListVolumesResponse *answer = response;
    struct volume_store *store = volumes_of(call, err);
    CT_AUTO_JSON json_t *volumes = store ? volume_list(store, err) : NULL;
    size_t i;
    json_t *volume;

    (void)request;
    json_array_foreach(volumes, i, volume)
    {
        list_add((void ***)&answer->volumes, &answer->n_volumes,
                 volume_to_message(volume, grpc_pool(call)), grpc_pool(call));
    }
    return volumes ? 0 : -1;
}

static int delete_volume(struct grpc_call *call, const void *request, void *response,
                         struct ct_error *err)
{
    const Cutaway__Services__Volumes__V1__DeleteVolumeRequest *ask = request;
    struct volume_store *store = volumes_of(call, err);

    (void)response;
    return store ? volume_remove(store, ask->name, ask->force, err) : -1;
}

static int usage(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Cutaway__Services__Volumes__V1__VolumeUsageRequest *ask = request;
    Cutaway__Services__Volumes__V1__VolumeUsageResponse *answer = response;
    struct volume_store *store = volumes_of(call, err);

    answer->size = store ? volume_size(store, ask->name, err) : -1;
    return answer->size < 0 ? -1 : 0;
}

/* Opened by its path, and compared with what the caller has open: a path that leads somewhere else
 * by now (a link in its way, another mount over it) must not be copied from. */
static int open_rootfs(const Cutaway__Services__Volumes__V1__PopulateVolumeRequest *ask,
                       struct ct_error *err)
{
    struct stat status;

    if (ask->rootfs[0] != '/') {
        return ct_refuse(err, CT_INVALID, "root file system '%.100s': the path must be absolute",
                         ask->rootfs);
    }
    CT_AUTO_CLOSE int fd = ct_root_open(ask->rootfs, err);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return fd < 0 ? -1 : ct_fail(err, errno, "look at '%.100s'", ask->rootfs);
    }
    if (status.st_dev != ask->device || status.st_ino != ask->inode) {
        return ct_refuse(err, CT_INVALID,
                         "root file system '%.100s': this is not the directory that is meant",
                         ask->rootfs);
    }
    return ct_steal_fd(&fd);
}

static int populate(struct grpc_call *call, const void *request, void *response,
                    struct ct_error *err)
{
    const Cutaway__Services__Volumes__V1__PopulateVolumeRequest *ask = request;
    CT_AUTO_JSON json_t *mount_point = json_object();
    struct volume_store *store = volumes_of(call, err);
    CT_AUTO_CLOSE int rootfs = store ? open_rootfs(ask, err) : -1;

    (void)response;
    if (rootfs < 0) {
        return ct_while(err, "fill volume '%.64s' from the image", ask->name);
    }
    ct_json_set_string(mount_point, "Name", ask->name);
    ct_json_set_string(mount_point, "Destination", ask->destination);
    return volume_populate(store, mount_point, rootfs, snapshot_copy_tree, err);
}

static const struct grpc_method methods[] = {
    {"Create", create, NULL},        {"Get", get, NULL},     {"List", list, NULL},
    {"Delete", delete_volume, NULL}, {"Usage", usage, NULL}, {"Populate", populate, NULL},
};

const struct grpc_service volumes_service = {VOLUMES_SERVICE, methods,
                                             sizeof(methods) / sizeof(methods[0])};
