/*
 * parse.c - the four ways a request names mounts: -v, --mount, --tmpfs, and the image's volumes.
 *
 * Room:       volumes.   Called by: resolve.c.
 * Spec:       Docker Engine API 1.43, HostConfig.Binds, .Mounts, .Tmpfs; Config.Volumes.
 */
#define CT_LAYER "volumes"
#include "volumes_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <string.h>

static json_t *new_mount(const char *type, const char *source, const char *name,
                         const char *destination, bool writable)
{
    CT_AUTO_FREE char *clean = ct_path_clean(destination);
    json_t *mount = json_object();

    ct_json_set_string(mount, "Type", type);
    if (name) {
        ct_json_set_string(mount, "Name", name);
    }
    ct_json_set_string(mount, "Source", source);
    ct_json_set_string(mount, "Destination", clean);
    if (strcmp(type, "volume") == 0) {
        ct_json_set_string(mount, "Driver", "local");
    }
    ct_json_set_string(mount, "Mode", "");
    ct_json_set(mount, "RW", json_boolean(writable));
    ct_json_set_string(mount, "Propagation", strcmp(type, "bind") == 0 ? "rprivate" : "");
    return mount;
}

static int check_destination(const char *destination, const char *request, struct ct_error *err)
{
    CT_AUTO_FREE char *clean = ct_path_clean(destination);

    if (destination[0] != '/') {
        return ct_refuse(err, CT_INVALID,
                         "invalid volume specification: '%.100s': invalid mount config: "
                         "mount path must be absolute",
                         request);
    }
    if (strcmp(clean, "/") == 0) {
        return ct_refuse(err, CT_INVALID,
                         "invalid volume specification: '%.100s': destination can't be '/'",
                         request);
    }
    return 0;
}

/* Which of them a container can have depends on the exec driver, and that says so. */
static bool is_propagation(const char *word)
{
    static const char *const words[] = {"rprivate", "private", "rshared", "shared",
                                        "rslave",   "slave",   NULL};
    const char *const *known = words;

    while (*known && strcmp(*known, word) != 0) {
        known++;
    }
    return *known;
}

/* The options behind the last colon of -v. Those that concern SELinux mean nothing without it, as
 * in Docker. */
static int apply_bind_options(json_t *mount, const char *options, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(options);
    char *position = NULL;

    ct_json_set_string(mount, "Mode", options);
    for (char *o = strtok_r(copy, ",", &position); o; o = strtok_r(NULL, ",", &position)) {
        if (strcmp(o, "ro") == 0 || strcmp(o, "readonly") == 0) {
            ct_json_set(mount, "RW", json_false());
        } else if (strcmp(o, "nocopy") == 0) {
            ct_json_set(mount, "NoCopy", json_true());
        } else if (is_propagation(o) && strcmp(ct_json_string(mount, "Type", ""), "bind") == 0) {
            ct_json_set_string(mount, "Propagation", o);
        } else if (strcmp(o, "rw") != 0 && strcmp(o, "z") != 0 && strcmp(o, "Z") != 0) {
            return ct_refuse(err, CT_INVALID, "invalid mode: %.40s", o);
        }
    }
    return 0;
}

/* "dst", "src:dst" or "src:dst:options": pieces of a copy, NULL where absent. */
static int split_bind(char *text, const char **source, const char **destination,
                      const char **options)
{
    char *parts[4] = {NULL};
    size_t n = 0;
    char *rest = text;

    while (rest && n < 4) {
        parts[n++] = strsep(&rest, ":");
    }
    if (rest || n > 3 || !*parts[0] || (n > 1 && !*parts[1]) || (n > 2 && !*parts[2])) {
        return -1;
    }
    *source = n > 1 ? parts[0] : NULL;
    *destination = n > 1 ? parts[1] : parts[0];
    *options = n > 2 ? parts[2] : "";
    return 0;
}

static json_t *parse_bind(const char *bind, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(bind);
    const char *source = NULL, *destination = NULL, *options = "";

    if (split_bind(copy, &source, &destination, &options) < 0) {
        return ct_refuse_null(err, CT_INVALID, "invalid volume specification: '%.100s'", bind);
    }
    if (check_destination(destination, bind, err) < 0) {
        return NULL;
    }
    bool is_path = source && source[0] == '/';
    if (source && !is_path && volume_check_name(source, err) < 0) {
        (void)ct_hint(err, "give an absolute path for a bind mount");
        return NULL;
    }
    CT_AUTO_JSON json_t *mount =
        is_path ? new_mount("bind", source, NULL, destination, true)
                : new_mount("volume", "", source ? source : "", destination, true);
    if (is_path) {
        ct_json_set(mount, "Create", json_true());
    }
    return apply_bind_options(mount, options, err) < 0 ? NULL : ct_steal(mount);
}

int mounts_from_binds(const json_t *binds, json_t *mounts, struct ct_error *err)
{
    size_t i;
    json_t *bind;

    json_array_foreach((json_t *)binds, i, bind)
    {
        json_t *mount = json_is_string(bind) ? parse_bind(json_string_value(bind), err) : NULL;
        if (!mount) {
            return json_is_string(bind)
                       ? -1
                       : ct_refuse(err, CT_INVALID,
                                   "read field 'Binds': element %zu is not a string", i);
        }
        ct_json_append(mounts, mount);
    }
    return 0;
}

/* Options of --mount that are not honoured, by path in the request, and why. */
static int check_mount_options(const json_t *request, struct ct_error *err)
{
    static const struct {
        const char *path, *reason;
    } refused[] = {
        {"BindOptions.ReadOnlyNonRecursive", "the API has it from 1.44 on"},
        {"BindOptions.ReadOnlyForceRecursive", "the API has it from 1.44 on"},
        {"VolumeOptions.Subpath", "the API has it from 1.45 on"},
        {"VolumeOptions.DriverConfig.Options", "volume drivers come as plugins"},
    };
    const char *propagation = ct_json_string(request, "BindOptions.Propagation", "");

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (!ct_json_is_unset(ct_json_get(request, refused[i].path))) {
            return ct_refuse(err, CT_UNSUPPORTED, "use mount option '%s': %s", refused[i].path,
                             refused[i].reason);
        }
    }
    if (*propagation && !is_propagation(propagation)) {
        return ct_refuse(err, CT_INVALID, "invalid propagation mode: '%.20s'", propagation);
    }
    /* "Consistency" is a hint to Docker Desktop: nothing to honour on Linux, as Docker has it. */
    return 0;
}

/* mount(8) options of a tmpfs from TmpfsOptions. */
static void add_tmpfs_options(json_t *mount, const json_t *options)
{
    json_int_t size = ct_json_integer(options, "SizeBytes", 0);
    json_int_t mode = ct_json_integer(options, "Mode", 01777);

    ct_json_set(mount, "Options",
                size > 0 ? json_sprintf("nosuid,nodev,noexec,mode=%o,size=%lld",
                                        (unsigned)mode & 07777u, (long long)size)
                         : json_sprintf("nosuid,nodev,noexec,mode=%o", (unsigned)mode & 07777u));
}

static json_t *parse_mount(const json_t *request, struct ct_error *err)
{
    const char *type = ct_json_string(request, "Type", "volume");
    const char *source = ct_json_string(request, "Source", "");
    const char *target = ct_json_string(request, "Target", "");
    bool writable = !ct_json_bool(request, "ReadOnly", false);

    if (check_destination(target, target, err) < 0 || check_mount_options(request, err) < 0) {
        return NULL;
    }
    if (strcmp(type, "tmpfs") == 0) {
        if (*source) {
            return ct_refuse_null(
                err, CT_INVALID,
                "invalid mount config for type \"tmpfs\": Source must not be specified");
        }
        json_t *mount = new_mount("tmpfs", "", NULL, target, writable);
        add_tmpfs_options(mount, json_object_get(request, "TmpfsOptions"));
        return mount;
    }
    if (strcmp(type, "bind") == 0) {
        if (source[0] != '/') {
            return ct_refuse_null(err, CT_INVALID,
                                  "invalid mount config for type \"bind\": invalid mount path: "
                                  "'%.100s' mount path must be absolute",
                                  source);
        }
        json_t *mount = new_mount("bind", source, NULL, target, writable);
        ct_json_set_string(mount, "Propagation",
                           ct_json_string(request, "BindOptions.Propagation", "rprivate"));
        if (ct_json_bool(request, "BindOptions.NonRecursive", false)) {
            ct_json_set(mount, "NonRecursive", json_true());
        }
        if (ct_json_bool(request, "BindOptions.CreateMountpoint", false)) {
            ct_json_set(mount, "Create", json_true());
        }
        return mount;
    }
    if (strcmp(type, "volume") != 0) {
        return ct_refuse_null(err, CT_UNSUPPORTED,
                              "mount type '%.20s': there are bind, volume and tmpfs", type);
    }
    if (*source && volume_check_name(source, err) < 0) {
        return NULL;
    }
    json_t *mount = new_mount("volume", "", source, target, writable);
    if (ct_json_bool(request, "VolumeOptions.NoCopy", false)) {
        ct_json_set(mount, "NoCopy", json_true());
    }
    json_t *labels = ct_json_get(request, "VolumeOptions.Labels");
    if (ct_json_count(labels) > 0) {
        ct_json_set(mount, "Labels", json_incref(labels));
    }
    return mount;
}

int mounts_from_mounts(const json_t *requests, json_t *mounts, struct ct_error *err)
{
    size_t i;
    json_t *request;

    json_array_foreach((json_t *)requests, i, request)
    {
        json_t *mount = parse_mount(request, err);
        if (!mount) {
            return -1;
        }
        ct_json_append(mounts, mount);
    }
    return 0;
}

/* What --tmpfs /dst:options may say: words that mount(2) of a tmpfs knows, so that nothing else
 * gets through. */
static bool is_tmpfs_option(const char *option)
{
    static const char *const words[] = {
        "rw",       "ro",          "exec",     "noexec",     "suid",       "nosuid",
        "dev",      "nodev",       "sync",     "async",      "atime",      "noatime",
        "size=",    "mode=",       "uid=",     "gid=",       "nr_inodes=", "nr_blocks=",
        "relatime", "strictatime", "diratime", "nodiratime", NULL};
    for (const char *const *word = words; *word; word++) {
        size_t length = strlen(*word);
        bool with_value = (*word)[length - 1] == '=';
        if (with_value ? strncmp(option, *word, length) == 0 && option[length]
                       : strcmp(option, *word) == 0) {
            return true;
        }
    }
    return false;
}

int mounts_from_tmpfs(const json_t *tmpfs, json_t *mounts, struct ct_error *err)
{
    const char *target;
    json_t *value;

    json_object_foreach((json_t *)tmpfs, target, value)
    {
        const char *options = json_string_value(value) ? json_string_value(value) : "";
        CT_AUTO_FREE char *copy = ct_strdup(options);
        char *position = NULL;
        if (check_destination(target, target, err) < 0) {
            return -1;
        }
        for (char *o = strtok_r(copy, ",", &position); o; o = strtok_r(NULL, ",", &position)) {
            if (!is_tmpfs_option(o)) {
                return ct_refuse(err, CT_INVALID, "invalid tmpfs option \"%.40s\"", o);
            }
        }
        json_t *mount = new_mount("tmpfs", "", NULL, target, true);
        ct_json_set(mount, "Options",
                    json_sprintf("nosuid,nodev,noexec%s%s", *options ? "," : "", options));
        ct_json_append(mounts, mount);
    }
    return 0;
}

int mounts_from_image(const json_t *volumes, json_t *mounts, struct ct_error *err)
{
    const char *target;
    json_t *value;

    json_object_foreach((json_t *)volumes, target, value)
    {
        /* A path of the image's: only a place inside the container, never one on the host
         * (CVE-2022-23648). */
        if (check_destination(target, target, err) < 0) {
            return -1;
        }
        ct_json_append(mounts, new_mount("volume", "", "", target, true));
    }
    return 0;
}
