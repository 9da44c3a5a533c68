/*
 * devices_default.c - which devices a container may use: Docker's list, and those that were asked
 * for.
 *
 * Room:       spec (stage 03).   Called by: document.c.
 * Spec:       moby, oci/defaults.go; Docker Engine API 1.43, "DeviceMapping".
 */
#define CT_LAYER "spec"
#include "spec_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Making any node is allowed (CAP_MKNOD permitting), using it is not. -1: any number. */
static const struct {
    const char *type;
    int major_number, minor_number;
    const char *access;
} allowed[] = {
    {"c", -1, -1, "m"},    {"b", -1, -1, "m"},                     /* mknod */
    {"c", 1, 3, "rwm"},    {"c", 1, 5, "rwm"},                     /* null, zero */
    {"c", 1, 7, "rwm"},    {"c", 1, 8, "rwm"}, {"c", 1, 9, "rwm"}, /* full, random, urandom */
    {"c", 5, 0, "rwm"},    {"c", 5, 1, "rwm"}, {"c", 5, 2, "rwm"}, /* tty, console, ptmx */
    {"c", 136, -1, "rwm"},                                         /* pts */
};

static json_t *rule(bool allow, const char *type, int major_number, int minor_number,
                    const char *access)
{
    json_t *one = json_object();

    ct_json_set(one, "allow", json_boolean(allow));
    if (type) {
        ct_json_set_string(one, "type", type);
    }
    if (major_number >= 0) {
        ct_json_set(one, "major", json_integer(major_number));
    }
    if (minor_number >= 0) {
        ct_json_set(one, "minor", json_integer(minor_number));
    }
    ct_json_set_string(one, "access", access);
    return one;
}

static json_t *node(const char *path, const struct stat *st)
{
    json_t *device = json_object();

    ct_json_set(device, "path", json_string_nocheck(path));
    ct_json_set_string(device, "type", S_ISCHR(st->st_mode) ? "c" : "b");
    ct_json_set(device, "major", json_integer(major(st->st_rdev)));
    ct_json_set(device, "minor", json_integer(minor(st->st_rdev)));
    ct_json_set(device, "fileMode", json_integer(st->st_mode & 07777));
    ct_json_set(device, "uid", json_integer(st->st_uid));
    ct_json_set(device, "gid", json_integer(st->st_gid));
    return device;
}

/* "host[:container][:rwm]"; parts that are missing take their defaults. */
static int add_device(const char *text, json_t *rules, json_t *devices, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(text);
    char *position = NULL;
    const char *host = strtok_r(copy, ":", &position);
    const char *inside = strtok_r(NULL, ":", &position);
    const char *rights = strtok_r(NULL, ":", &position);
    struct stat st;

    if (inside && !rights && strspn(inside, "rwm") == strlen(inside)) {
        rights = inside; /* "host:rwm" */
        inside = NULL;
    }
    inside = inside ? inside : host;
    rights = rights ? rights : "rwm";
    if (!host || host[0] != '/' || inside[0] != '/' || strspn(rights, "rwm") != strlen(rights)) {
        return ct_refuse(err, CT_INVALID, "give the device '%.80s': it is not host:container:rwm",
                         text);
    }
    if (stat(host, &st) < 0) {
        return ct_fail(err, errno, "give the device '%s'", host);
    }
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return ct_refuse(err, CT_INVALID, "give '%s': it is not a device", host);
    }
    ct_json_append(devices, node(inside, &st));
    ct_json_append(rules, rule(true, S_ISCHR(st.st_mode) ? "c" : "b", (int)major(st.st_rdev),
                               (int)minor(st.st_rdev), rights));
    return 0;
}

/* Names in /dev that every container has, or that are the host's own terminal. */
static bool is_made_already(const char *name)
{
    static const char *const names[] = {"null",    "zero", "full", "random",
                                        "urandom", "tty",  "ptmx", "console"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* All devices that stand in the host's /dev, as Docker gives them to a privileged container. */
static void add_host_devices(json_t *devices)
{
    CT_AUTO_DIR DIR *dir = opendir("/dev");
    struct stat st;

    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        bool is_device = e->d_type == DT_CHR || e->d_type == DT_BLK;
        if (is_device && !is_made_already(e->d_name) &&
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            CT_AUTO_FREE char *path = ct_join("/dev", e->d_name);
            ct_json_append(devices, node(path, &st));
        }
    }
}

int spec_devices(const struct exec_spec *spec, json_t *rules, json_t **ret_devices,
                 struct ct_error *err)
{
    CT_AUTO_JSON json_t *devices = json_array();

    ct_json_append(rules, rule(spec->privileged, NULL, -1, -1, "rwm"));
    for (size_t i = 0; !spec->privileged && i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        ct_json_append(rules, rule(true, allowed[i].type, allowed[i].major_number,
                                   allowed[i].minor_number, allowed[i].access));
    }
    if (spec->privileged) {
        add_host_devices(devices);
    }
    for (size_t i = 0; spec->devices && spec->devices[i]; i++) {
        if (add_device(spec->devices[i], rules, devices, err) < 0) {
            return -1;
        }
    }
    *ret_devices = json_incref(devices);
    return 0;
}
