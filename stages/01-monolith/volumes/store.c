/*
 * store.c - volumes on disk: making, filling, finding, listing, removing.
 *
 * Room:       volumes.   Called by: engine, resolve.c.
 *
 * A volume is a directory with _data and volume.json. It appears by rename when both are there; it
 * goes by rename to a name that cannot be a volume's, then removal: whole or absent at any time.
 */
#define CT_LAYER "volumes"
#include "volumes_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES   255
#define TEMPORARY_PREFIX "." /* no volume's name begins so */

struct volume_store {
    char *dir;
    int dir_fd;
};

struct volume_store *volume_store_open(const char *dir, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = ct_mkdirs(dir, 0700, err);
    struct volume_store *store = fd < 0 ? NULL : calloc(1, sizeof(*store));

    if (!store) {
        return fd < 0 ? NULL : ct_fail_null(err, ENOMEM, "open the volumes");
    }
    store->dir = ct_strdup(dir);
    store->dir_fd = ct_steal_fd(&fd);
    return store;
}

void volume_store_close(struct volume_store *store)
{
    if (store) {
        ct_cleanup_close(&store->dir_fd);
        free(store->dir);
        free(store);
    }
}

int volume_check_name(const char *name, struct ct_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);

    if (length < 2 || length > NAME_MAX_BYTES || !strchr(letters, name[0]) ||
        strspn(name, allowed) != length) {
        return ct_refuse(err, CT_INVALID,
                         "\"%.64s\" includes invalid characters for a local volume name, only "
                         "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed",
                         name);
    }
    return 0;
}

/* "type=tmpfs" style options of the local driver mount something else: other drivers will. */
static int check_options(const json_t *body, struct ct_error *err)
{
    const char *driver = ct_json_string(body, "Driver", "local");

    if (*driver && strcmp(driver, "local") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "volume driver '%.40s': there is only local", driver);
    }
    if (ct_json_count(json_object_get(body, "DriverOpts")) > 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use options of the volume driver local: volume drivers that take some "
                         "come as plugins");
    }
    return 0;
}

static json_t *make_record(const char *name, const json_t *body)
{
    char now[CT_TIME_TEXT];
    json_t *labels = json_object_get(body, "Labels");
    json_t *record = json_object();

    ct_json_set_string(record, "CreatedAt",
                       ct_time_format(ct_now_ns() / 1000000000 * 1000000000, now));
    ct_json_set_string(record, "Name", name);
    ct_json_set(record, "Labels", json_is_object(labels) ? json_deep_copy(labels) : json_object());
    return record;
}

/* Docker's Volume document, from what is on disk. */
static json_t *describe(const struct volume_store *store, const json_t *record)
{
    const char *name = ct_json_string(record, "Name", "");
    json_t *labels = json_object_get(record, "Labels");
    json_t *volume = json_object();

    ct_json_set_string(volume, "CreatedAt", ct_json_string(record, "CreatedAt", CT_TIME_ZERO));
    ct_json_set_string(volume, "Driver", "local");
    ct_json_set(volume, "Labels", labels ? json_incref(labels) : json_object());
    ct_json_set(volume, "Mountpoint", json_sprintf("%s/%s/_data", store->dir, name));
    ct_json_set_string(volume, "Name", name);
    ct_json_set(volume, "Options", json_null());
    ct_json_set_string(volume, "Scope", "local");
    return volume;
}

static int fill(int dir_fd, const char *name, const json_t *body, struct ct_error *err)
{
    CT_AUTO_JSON json_t *record = make_record(name, body);

    if (mkdirat(dir_fd, "_data", 0755) < 0 || fchmodat(dir_fd, "_data", 0755, 0) < 0) {
        return ct_fail(err, errno, "make volume '%s'", name);
    }
    return ct_json_save_at(dir_fd, "volume.json", record, err);
}

/* Returns 1 when this call made it, 0 when somebody else did, -1. */
static int make(struct volume_store *store, const char *name, const json_t *body,
                struct ct_error *err)
{
    char random[17];
    struct ct_error ignored = {0};
    ct_random_hex(random, 8);
    CT_AUTO_FREE char *temporary = ct_printf(TEMPORARY_PREFIX "new-%s", random);

    if (mkdirat(store->dir_fd, temporary, 0700) < 0) {
        return ct_fail(err, errno, "make volume '%s'", name);
    }
    CT_AUTO_CLOSE int fd = openat(store->dir_fd, temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? ct_fail(err, errno, "make volume '%s'", name) : fill(fd, name, body, err);
    /* The data's directory must be passable for users of the container, its parent is not for
     * others. */
    if (result == 0 &&
        renameat2(store->dir_fd, temporary, store->dir_fd, name, RENAME_NOREPLACE) < 0) {
        result = errno == EEXIST ? 0 : ct_fail(err, errno, "make volume '%s'", name);
    } else if (result == 0) {
        result = ct_sync_dir(store->dir_fd, err) < 0 ? -1 : 1;
    }
    if (result <= 0) {
        (void)ct_remove_tree(store->dir_fd, temporary, &ignored);
    }
    return result;
}

json_t *volume_find(struct volume_store *store, const char *name, struct ct_error *err)
{
    struct ct_error missing = {0};
    if (volume_check_name(name, &missing) < 0) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no such volume: %.64s", name);
    }
    CT_AUTO_FREE char *path = ct_printf("%s/volume.json", name);
    CT_AUTO_JSON json_t *record = ct_json_load_at(store->dir_fd, path, &missing);
    if (!record && missing.kind == CT_NOT_FOUND) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no such volume: %.64s", name);
    }
    if (!record) {
        *err = missing;
        return NULL;
    }
    ct_json_set_string(record, "Name", name);
    return describe(store, record);
}

json_t *volume_ensure(struct volume_store *store, const json_t *body, bool *ret_made,
                      struct ct_error *err)
{
    const char *asked = ct_json_string(body, "Name", "");
    struct ct_error missing = {0};
    char anonymous[65];

    ct_random_hex(anonymous, 32);
    const char *name = *asked ? asked : anonymous;
    json_t *volume = volume_find(store, name, &missing);
    *ret_made = false;
    if (volume) {
        return volume;
    }
    if (missing.kind != CT_NOT_FOUND) {
        *err = missing;
        return NULL;
    }
    int made = volume_check_name(name, err) < 0 || check_options(body, err) < 0
                   ? -1
                   : make(store, name, body, err);
    *ret_made = made == 1;
    return made < 0 ? NULL : volume_find(store, name, err);
}

json_t *volume_create(struct volume_store *store, const json_t *body, struct ct_error *err)
{
    bool made;
    return volume_ensure(store, body, &made, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(ct_json_string(*(json_t *const *)a, "Name", ""),
                  ct_json_string(*(json_t *const *)b, "Name", ""));
}

/* A json array sorted by a comparison of its elements. */
static json_t *sorted(json_t *array)
{
    size_t n = json_array_size(array);
    CT_AUTO_FREE json_t **items = calloc(n + 1, sizeof(json_t *));
    json_t *result = json_array();

    for (size_t i = 0; items && i < n; i++) {
        items[i] = json_array_get(array, i);
    }
    if (items) {
        qsort(items, n, sizeof(json_t *), by_name);
    }
    for (size_t i = 0; i < n; i++) {
        ct_json_append(result, json_incref(items ? items[i] : json_array_get(array, i)));
    }
    return result;
}

json_t *volume_list(struct volume_store *store, struct ct_error *err)
{
    int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    CT_AUTO_JSON json_t *list = json_array();

    if (!dir) {
        int saved = errno;
        ct_cleanup_close(&fd);
        return ct_fail_null(err, saved, "list volumes");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct ct_error unreadable = {0}; /* removed meanwhile, or not a volume */
        json_t *volume =
            entry->d_name[0] == '.' ? NULL : volume_find(store, entry->d_name, &unreadable);
        if (volume) {
            ct_json_append(list, volume);
        }
    }
    return sorted(list);
}

int volume_remove(struct volume_store *store, const char *name, bool force, struct ct_error *err)
{
    struct ct_error missing = {0};
    CT_AUTO_JSON json_t *volume = volume_find(store, name, &missing);
    char random[17];

    if (!volume && missing.kind == CT_NOT_FOUND && force) {
        return 0;
    }
    if (!volume && missing.kind != CT_INVALID) { /* a torn record must not keep a volume for ever */
        *err = missing;
        return -1;
    }
    ct_random_hex(random, 8);
    CT_AUTO_FREE char *temporary = ct_printf(TEMPORARY_PREFIX "old-%s", random);
    if (renameat(store->dir_fd, name, store->dir_fd, temporary) < 0) {
        return ct_fail(err, errno, "remove volume '%s'", name);
    }
    return ct_remove_tree(store->dir_fd, temporary, err) < 0
               ? ct_while(err, "remove volume '%s'", name)
               : 0;
}

long long volume_size(struct volume_store *store, const char *name, struct ct_error *err)
{
    if (volume_check_name(name, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *path = ct_printf("%s/_data", name);
    return ct_tree_size_bytes(store->dir_fd, path, err);
}

/* ---- what the image has at its place --------------------------------------------------------- */

/* Nothing in it yet: the only moment at which the image's files go in. */
static int is_empty(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int entries = 0;

    if (!dir) {
        ct_cleanup_close(&fd);
        return 0;
    }
    while (readdir(dir)) {
        entries++;
    }
    return entries <= 2;
}

int volume_populate(struct volume_store *store, const json_t *mount_point, int rootfs_fd,
                    volume_copy_fn copy, struct ct_error *err)
{
    struct ct_error none = {0};
    struct stat status;
    const char *name = ct_json_string(mount_point, "Name", "");
    const char *destination = ct_json_string(mount_point, "Destination", "");
    CT_AUTO_FREE char *path = ct_printf("%s/_data", name);

    if (volume_check_name(name, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int target = openat(store->dir_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0) {
        return ct_fail(err, errno, "open volume '%.64s'", name);
    }
    CT_AUTO_CLOSE int source =
        ct_root_openat(rootfs_fd, destination, O_PATH | O_DIRECTORY, 0, &none);
    if (ct_json_bool(mount_point, "NoCopy", false) || source < 0 || !is_empty(target)) {
        return 0;
    }
    if (copy(rootfs_fd, destination, target, "/", err) < 0) {
        return ct_while(err, "fill volume '%.64s' from the image", name);
    }
    if (fstat(source, &status) < 0 ||
        fchownat(target, "", status.st_uid, status.st_gid, AT_EMPTY_PATH) < 0 ||
        fchmodat(store->dir_fd, path, status.st_mode & 07777, 0) < 0) {
        return ct_fail(err, errno, "give volume '%.64s' the owner of the image's directory", name);
    }
    return 0;
}
