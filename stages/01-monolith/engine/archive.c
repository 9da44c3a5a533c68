/*
 * archive.c - files in and out of a container: cp, export, diff.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Get an archive …", "Extract an archive …", "Export".
 *
 * Every path is the container's, and is resolved below its root by descriptor (lib/path.h): what
 * the container does to its own links meanwhile can never lead outside (CVE-2018-15664).
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a path leads: the container's root, or for a stopped one a volume that would be mounted
 * there. */
struct place {
    struct container *container;
    struct rootfs_view view;
    int root_fd; /* borrowed from view, or volume_fd */
    int volume_fd;
    char *path; /* inside root_fd */
    bool writable;
};

static void close_place(struct place *place)
{
    ct_cleanup_close(&place->volume_fd);
    rootfs_close(&place->view);
    container_free(place->container);
    free(place->path);
}

static bool is_below(const char *path, const char *mount)
{
    size_t length = strlen(mount);
    return strncmp(path, mount, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The mount that covers the path: the longest destination that is a prefix of it. */
static const json_t *covering_mount(const struct container *container, const char *path)
{
    const json_t *best = NULL;
    size_t i;
    json_t *mount;

    json_array_foreach(json_object_get(container->config, "Mounts"), i, mount)
    {
        const char *destination = ct_json_string(mount, "Destination", "");
        if (is_below(path, destination) &&
            strlen(destination) >= strlen(ct_json_string(best, "Destination", ""))) {
            best = mount;
        }
    }
    return best;
}

/* A stopped container's volumes are not mounted: the path goes to where they come from. */
static int enter_volume(struct place *place, const char *path, struct ct_error *err)
{
    const json_t *mount = covering_mount(place->container, path);
    const char *source = ct_json_string(mount, "Source", "");
    struct stat status;

    if (!mount || !*source) {
        return 0;
    }
    if (stat(source, &status) < 0) {
        return ct_fail(err, errno, "open '%s'", source);
    }
    const char *rest = path + strlen(ct_json_string(mount, "Destination", ""));
    char *slash = strrchr(source, '/');
    bool file = !S_ISDIR(status.st_mode);
    CT_AUTO_FREE char *directory =
        file ? strndup(source, slash == source ? 1 : (size_t)(slash - source)) : ct_strdup(source);
    place->volume_fd = ct_root_open(directory, err);
    if (place->volume_fd < 0) {
        return -1;
    }
    free(place->path);
    place->path = file ? ct_strdup(slash) : ct_printf("/%s", *rest == '/' ? rest + 1 : rest);
    place->root_fd = place->volume_fd;
    place->writable = ct_json_bool(mount, "RW", true);
    return 0;
}

static int open_place(struct engine *engine, const char *ref, const char *path, struct place *ret,
                      struct ct_error *err)
{
    *ret = (struct place){.view = {.fd = -1}, .volume_fd = -1, .writable = true};
    ret->container = engine_lock_container(engine, ref, err);
    if (!ret->container || rootfs_open(engine, ret->container, &ret->view, err) < 0) {
        container_free(ret->container);
        return -1;
    }
    ret->root_fd = ret->view.fd;
    ret->path = ct_strdup(path);
    if (!ret->view.mounted) {
        container_unlock(ret->container); /* a long copy must not keep a stop or rm waiting */
        return 0;
    }
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    ret->writable = !ct_json_bool(ret->container->config, "HostConfig.ReadonlyRootfs", false);
    if (enter_volume(ret, clean, err) < 0) {
        close_place(ret);
        return -1;
    }
    return 0;
}

/* Go's os.FileMode, as the API sends it: permissions, and its own bits for the type. */
static json_int_t go_file_mode(mode_t mode)
{
    static const struct {
        mode_t bit, mask;
        unsigned go;
    } types[] = {{S_IFDIR, S_IFMT, 1u << 31},  {S_IFLNK, S_IFMT, 1u << 27},
                 {S_IFIFO, S_IFMT, 1u << 25},  {S_IFSOCK, S_IFMT, 1u << 24},
                 {S_IFBLK, S_IFMT, 1u << 26},  {S_IFCHR, S_IFMT, 1u << 26 | 1u << 21},
                 {S_ISUID, S_ISUID, 1u << 23}, {S_ISGID, S_ISGID, 1u << 22},
                 {S_ISVTX, S_ISVTX, 1u << 20}};
    unsigned go = mode & 0777;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((mode & types[i].mask) == types[i].bit) {
            go |= types[i].go;
        }
    }
    return (json_int_t)go;
}

static int describe_path(const struct place *place, const char *asked, json_t **ret,
                         struct ct_error *err)
{
    struct stat status;
    char link[4096] = "";
    char time[CT_TIME_TEXT];
    /* A trailing slash asks for the directory behind a link, as in the shell. */
    size_t length = strlen(asked);
    int follow = length > 1 && asked[length - 1] == '/' ? 0 : O_NOFOLLOW;
    CT_AUTO_CLOSE int fd = ct_root_openat(place->root_fd, place->path, O_PATH | follow, 0, err);

    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0) {
        return ct_fail(err, errno, "stat '%s'", asked);
    }
    if (S_ISLNK(status.st_mode)) {
        ssize_t n = readlinkat(fd, "", link, sizeof(link) - 1);
        link[n > 0 ? n : 0] = '\0';
    }
    CT_AUTO_FREE char *clean = ct_path_clean(asked);
    const char *name = strrchr(clean, '/');
    int64_t mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    *ret = json_object();
    ct_json_set(*ret, "name",
                ct_json_string_lossy(name[1] ? name + 1 : "/", strlen(name[1] ? name + 1 : "/")));
    ct_json_set(*ret, "size", json_integer(status.st_size));
    ct_json_set(*ret, "mode", json_integer(go_file_mode(status.st_mode)));
    ct_json_set_string(*ret, "mtime", ct_time_format(mtime_ns, time));
    ct_json_set(*ret, "linkTarget", ct_json_string_lossy(link, strlen(link)));
    return 0;
}

int engine_container_stat_path(struct engine *engine, const char *ref, const char *path,
                               json_t **ret_stat, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_stat_path(%s:%s)", ref, path);
    struct place place;
    if (open_place(engine, ref, path, &place, err) < 0) {
        return ct_while(err, "look at '%.64s:%.100s'", ref, path);
    }
    int result = describe_path(&place, path, ret_stat, err);
    close_place(&place);
    return result < 0 ? ct_while(err, "look at '%.64s:%.100s'", ref, path) : 0;
}

/* The name of the first entry: the last component of what was asked for ("." and "/" mean the
 * contents). */
static char *entry_name(const char *path)
{
    size_t length = strlen(path);
    bool contents = length >= 2 && strcmp(path + length - 2, "/.") == 0;
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    const char *name = strrchr(clean, '/') + 1;

    return ct_strdup(contents || !*name ? "" : name);
}

int engine_container_get_archive(struct engine *engine, const char *ref, const char *path,
                                 int out_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_REPLY, "engine_container_get_archive(%s:%s)", ref, path);
    struct place place;
    if (open_place(engine, ref, path, &place, err) < 0) {
        return ct_while(err, "copy from '%.64s:%.100s'", ref, path);
    }
    CT_AUTO_FREE char *name = entry_name(path);
    int result = snapshot_tar(place.root_fd, place.path, name, out_fd, err);
    if (result == 0) {
        engine_container_event(engine, place.container, "archive-path", NULL, NULL);
    }
    close_place(&place);
    return result < 0 ? ct_while(err, "copy from '%.64s:%.100s'", ref, path) : 0;
}

int engine_container_put_archive(struct engine *engine, const char *ref, const char *path,
                                 bool no_overwrite_dir, int in_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_UNPACK, "engine_container_put_archive(%s:%s)", ref, path);
    struct place place;
    if (open_place(engine, ref, path, &place, err) < 0) {
        return ct_while(err, "copy to '%.64s:%.100s'", ref, path);
    }
    int result =
        place.writable ? 0 : ct_refuse(err, CT_DENIED, "container rootfs is marked read-only");
    if (result == 0) {
        result = snapshot_untar(place.root_fd, place.path, in_fd, no_overwrite_dir, err);
    }
    if (result == 0) {
        engine_container_event(engine, place.container, "extract-to-dir", NULL, NULL);
    }
    close_place(&place);
    return result < 0 ? ct_while(err, "copy to '%.64s:%.100s'", ref, path) : 0;
}

/* The root file system without volumes, as docker export: the snapshot itself is what is read. */
int engine_container_export(struct engine *engine, const char *ref, int out_fd,
                            struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_REPLY, "engine_container_export(%s)", ref);
    struct container *container = engine_lock_container(engine, ref, err);
    struct rootfs_view view = {.fd = -1};
    int result = -1;

    if (container && container_is_running(container)) {
        CT_AUTO_FREE char *mounted = ct_join(container->dir, "rootfs");
        view.fd = ct_root_open(mounted, err);
        result = view.fd < 0 ? -1 : 0;
    } else if (container) {
        result = rootfs_open(engine, container, &view, err);
    }
    if (result == 0) {
        result = snapshot_tar(view.fd, "/", "", out_fd, err);
    }
    if (result == 0) {
        engine_container_event(engine, container, "export", NULL, NULL);
    }
    rootfs_close(&view);
    container_free(container);
    return result < 0 ? ct_while(err, "export '%.64s'", ref) : 0;
}

static int add_change(void *context, int kind, const char *path, struct ct_error *err)
{
    (void)err;
    json_t *change = json_object();
    ct_json_set(change, "Path", ct_json_string_lossy(path, strlen(path)));
    ct_json_set(change, "Kind", json_integer(kind));
    ct_json_append(context, change);
    return 0;
}

int engine_container_changes(struct engine *engine, const char *ref, json_t **ret,
                             struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_changes(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    struct snapshot_store *snapshots = container ? engine_snapshots(engine, err) : NULL;
    CT_AUTO_JSON json_t *changes = json_array();
    int result = -1;

    if (snapshots) {
        CT_AUTO_FREE char *key = places_snapshot_key(container->id);
        result = snapshot_diff(snapshots, key, add_change, changes, err);
    }
    container_free(container);
    *ret = result == 0 ? ct_steal(changes) : NULL;
    return result < 0 ? ct_while(err, "compare '%.64s' with its image", ref) : 0;
}
