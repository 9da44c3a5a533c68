/*
 * configuration.c - the whole of config.json, section by section.
 *
 * Room:       libcontainer.   Called by: see configuration.h.
 * Spec:       config.md, config-linux.md; schema/config-schema.json.
 *
 * Each section is taken apart by the file that acts on it. Here is what stands between them: the
 * top, "linux", and what only makes sense together.
 */
#define CT_LAYER "config"
#include "configuration.h"

#include "fields.h"
#include "labels.h"
#include "sysctl.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "libcontainer.h"
#include "path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

/* Numbers over 2^63 ("no limit" as Go writes it) are no integers to jansson: it is asked to read
 * all numbers as real ones then, which fields.c takes back. */
static json_t *parse_text(const char *text, size_t length, struct ct_error *err)
{
    json_error_t why;
    json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);

    if (!document && json_error_code(&why) == json_error_numeric_overflow) {
        document = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &why);
    }
    if (!document) {
        return ct_refuse_null(err, CT_INVALID, "read line %d, column %d: %.100s", why.line,
                              why.column, why.text);
    }
    return document;
}

json_t *lc_read(const char *path, struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;
    ssize_t length = ct_read_file_at(AT_FDCWD, path, CT_JSON_FILE_MAX, &text, err);

    return length < 0 ? NULL : parse_text(text, (size_t)length, err);
}

json_t *lc_configuration_read(const char *bundle, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(bundle, "config.json");
    json_t *document = lc_read(path, err);

    return document ? document : ct_while_null(err, "read the bundle '%.120s'", bundle);
}

/* ---- sections ------------------------------------------------------------------------------- */

static int parse_version(const json_t *document, struct ct_error *err)
{
    const char *version = NULL;

    if (lc_field_string(document, "", "ociVersion", &version, err) < 0) {
        return -1;
    }
    if (!version) {
        return lc_field_missing("", "ociVersion", err);
    }
    if (strncmp(version, "1.", 2) != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "ociVersion: '%.40s' is not 1.x", version);
    }
    return 0;
}

static int parse_root(const char *bundle, struct lc_configuration *ret, struct ct_error *err)
{
    const json_t *root = NULL;
    const char *path = NULL;

    if (lc_field_object(ret->document, "", "root", &root, err) < 0) {
        return -1;
    }
    if (!root) {
        return lc_field_missing("", "root", err);
    }
    if (lc_field_string(root, "root", "path", &path, err) < 0 ||
        lc_field_bool(root, "root", "readonly", &ret->rootfs_readonly, err) < 0) {
        return -1;
    }
    if (!path || !*path) {
        return lc_field_missing("root", "path", err);
    }
    ret->rootfs = *path == '/' ? path : pool_keep(&ret->pool, ct_join(bundle, path));
    return 0;
}

static int parse_names(struct lc_configuration *ret, struct ct_error *err)
{
    const json_t *annotations = NULL;
    const char *key;
    json_t *value;

    if (lc_field_string(ret->document, "", "hostname", &ret->hostname, err) < 0 ||
        lc_field_string(ret->document, "", "domainname", &ret->domainname, err) < 0 ||
        lc_field_object(ret->document, "", "annotations", &annotations, err) < 0) {
        return -1;
    }
    json_object_foreach((json_t *)annotations, key, value)
    {
        if (!json_is_string(value)) {
            return ct_refuse(err, CT_INVALID, "annotations.%.60s: it must be a string", key);
        }
    }
    return 0;
}

/* What is for another system, and what is not honoured here. */
static int refuse_others(const json_t *document, const json_t *section, struct ct_error *err)
{
    static const char *const systems[] = {"windows", "solaris", "vm", "zos"};

    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (lc_field_refuse(document, "", systems[i], "it is not for Linux", err) < 0) {
            return -1;
        }
    }
    return lc_field_refuse(section, "linux", "intelRdt", "no resctrl groups are made here", err);
}

static int parse_propagation(const json_t *section, struct lc_configuration *ret,
                             struct ct_error *err)
{
    const char *word = NULL;

    if (lc_field_string(section, "linux", "rootfsPropagation", &word, err) < 0) {
        return -1;
    }
    if (!word || !*word) {
        return 0;
    }
    ret->rootfs_propagation = lc_propagation_of(word);
    return ret->rootfs_propagation > 0
               ? 0
               : ct_refuse(err, CT_INVALID, "linux.rootfsPropagation: '%.40s' is no propagation",
                           word);
}

static int check_time_offsets(const json_t *section, struct lc_configuration *ret,
                              struct ct_error *err)
{
    const char *clock;
    json_t *offset;
    int64_t seconds = 0, nanoseconds = 0;
    char where[LC_WHERE];

    if (lc_field_object(section, "linux", "timeOffsets", &ret->time_offsets, err) < 0) {
        return -1;
    }
    json_object_foreach((json_t *)ret->time_offsets, clock, offset)
    {
        (void)snprintf(where, sizeof(where), "linux.timeOffsets.%.40s", clock);
        if (strcmp(clock, "monotonic") != 0 && strcmp(clock, "boottime") != 0) {
            return ct_refuse(err, CT_INVALID, "%s: there is no such clock", where);
        }
        if (lc_field_is_object(offset, where, err) < 0 ||
            lc_field_integer(offset, where, "secs", INT64_MIN, INT64_MAX, &seconds, err) < 0 ||
            lc_field_integer(offset, where, "nanosecs", 0, 999999999, &nanoseconds, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int parse_paths(const json_t *section, struct lc_configuration *ret, struct ct_error *err)
{
    return lc_field_strings(section, "linux", "maskedPaths", &ret->pool, &ret->masked_paths, err) <
                       0 ||
                   lc_field_strings(section, "linux", "readonlyPaths", &ret->pool,
                                    &ret->readonly_paths, err) < 0 ||
                   lc_field_string(section, "linux", "mountLabel", &ret->mount_label, err) < 0 ||
                   lc_field_string(section, "linux", "cgroupsPath", &ret->cgroups_path, err) < 0
               ? -1
               : parse_propagation(section, ret, err);
}

static int parse_devices(const json_t *section, struct lc_configuration *ret, struct ct_error *err)
{
    const json_t *devices = NULL, *netdevs = NULL, *resources = NULL;

    if (lc_field_array(section, "linux", "devices", &devices, err) < 0 ||
        lc_field_object(section, "linux", "netDevices", &netdevs, err) < 0 ||
        lc_field_object(section, "linux", "resources", &resources, err) < 0 ||
        lc_devices_parse(devices, &ret->pool, &ret->devices, &ret->n_devices, err) < 0 ||
        lc_netdevs_parse(netdevs, &ret->pool, &ret->netdevs, &ret->n_netdevs, err) < 0) {
        return -1;
    }
    if (lc_resources_parse(resources, &ret->pool, &ret->resources, err) < 0) {
        return -1;
    }
    lc_devices_allow_standard(&ret->resources, &ret->pool);
    return 0;
}

static int parse_linux(struct lc_configuration *ret, struct ct_error *err)
{
    const json_t *section = NULL, *personality = NULL;

    if (lc_field_object(ret->document, "", "linux", &section, err) < 0 ||
        refuse_others(ret->document, section, err) < 0 ||
        lc_namespaces_parse(section, &ret->namespaces, err) < 0 ||
        lc_idmap_parse(section, "linux", &ret->pool, &ret->idmap, err) < 0 ||
        parse_devices(section, ret, err) < 0 || parse_paths(section, ret, err) < 0 ||
        check_time_offsets(section, ret, err) < 0 ||
        lc_field_object(section, "linux", "sysctl", &ret->sysctl, err) < 0 ||
        lc_field_object(section, "linux", "seccomp", &ret->seccomp, err) < 0 ||
        lc_field_object(section, "linux", "personality", &personality, err) < 0) {
        return -1;
    }
    return lc_personality_parse(personality, &ret->personality, err);
}

/* ---- what only makes sense together --------------------------------------------------------- */

/* One rule: a field, and the namespace without which it would change the host. */
static int needs(bool used, const char *field, enum lc_namespace which,
                 const struct lc_configuration *configuration, struct ct_error *err)
{
    if (!used || lc_namespaces_has(&configuration->namespaces, which)) {
        return 0;
    }
    (void)ct_refuse(err, CT_INVALID, "%s: it would change the host's", field);
    return ct_hint(err, "add the namespace '%s'", lc_namespace_name(which));
}

static int check_namespaces(const struct lc_configuration *c, struct ct_error *err)
{
    bool makes_user = c->namespaces.make & lc_namespace_flag(LC_NS_USER);

    if (needs(c->hostname && *c->hostname, "hostname", LC_NS_UTS, c, err) < 0 ||
        needs(c->domainname && *c->domainname, "domainname", LC_NS_UTS, c, err) < 0 ||
        needs(c->n_mounts > 0, "mounts", LC_NS_MOUNT, c, err) < 0 ||
        needs(c->masked_paths && *c->masked_paths, "linux.maskedPaths", LC_NS_MOUNT, c, err) < 0 ||
        needs(c->readonly_paths && *c->readonly_paths, "linux.readonlyPaths", LC_NS_MOUNT, c, err) <
            0 ||
        needs(c->rootfs_readonly, "root.readonly", LC_NS_MOUNT, c, err) < 0 ||
        needs(c->program.terminal, "process.terminal", LC_NS_MOUNT, c, err) < 0 ||
        needs(c->n_netdevs > 0, "linux.netDevices", LC_NS_NETWORK, c, err) < 0 ||
        needs(c->time_offsets != NULL, "linux.timeOffsets", LC_NS_TIME, c, err) < 0 ||
        needs(c->idmap.n_uids > 0, "linux.uidMappings", LC_NS_USER, c, err) < 0) {
        return -1;
    }
    if (makes_user && (c->idmap.n_uids == 0 || c->idmap.n_gids == 0)) {
        return ct_refuse(err, CT_INVALID, "linux.%s: a new user namespace needs mappings",
                         c->idmap.n_uids == 0 ? "uidMappings" : "gidMappings");
    }
    return 0;
}

/* Ids that nobody inside is mapped to cannot be taken (CVE-2024-40635 and its like). */
static int check_ids(const struct lc_configuration *c, struct ct_error *err)
{
    const struct lc_program *program = &c->program;

    if (lc_idmap_host_uid(&c->idmap, program->uid) == (uid_t)-1) {
        return ct_refuse(err, CT_INVALID, "process.user.uid: %u is not mapped", program->uid);
    }
    if (lc_idmap_host_gid(&c->idmap, program->gid) == (gid_t)-1) {
        return ct_refuse(err, CT_INVALID, "process.user.gid: %u is not mapped", program->gid);
    }
    for (size_t i = 0; i < program->n_groups; i++) {
        if (lc_idmap_host_gid(&c->idmap, program->groups[i]) == (gid_t)-1) {
            return ct_refuse(err, CT_INVALID, "process.user.additionalGids: %u is not mapped",
                             program->groups[i]);
        }
    }
    return 0;
}

static int parse(const char *bundle, struct lc_configuration *ret, struct ct_error *err)
{
    const json_t *mounts = NULL, *hooks = NULL, *process = NULL;

    if (lc_field_is_object(ret->document, "config.json", err) < 0 ||
        parse_version(ret->document, err) < 0 || parse_root(bundle, ret, err) < 0 ||
        parse_names(ret, err) < 0 ||
        lc_field_object(ret->document, "", "process", &process, err) < 0 ||
        lc_field_array(ret->document, "", "mounts", &mounts, err) < 0 ||
        lc_field_object(ret->document, "", "hooks", &hooks, err) < 0) {
        return -1;
    }
    if (!process) {
        return lc_field_missing("", "process", err);
    }
    if (lc_program_parse(process, "process", &ret->pool, &ret->program, err) < 0) {
        return -1;
    }
    /* execCPUAffinity "is not applicable to the container's init process". */
    ret->program.scheduling.has_initial_cpus = ret->program.scheduling.has_final_cpus = false;
    if (lc_mounts_parse(mounts, bundle, &ret->pool, &ret->mounts, &ret->n_mounts, err) < 0 ||
        lc_hooks_parse(hooks, &ret->pool, &ret->hooks, err) < 0 || parse_linux(ret, err) < 0) {
        return -1;
    }
    if (check_namespaces(ret, err) < 0 || check_ids(ret, err) < 0 ||
        lc_sysctl_check(ret->sysctl, &ret->namespaces, err) < 0) {
        return -1;
    }
    return lc_labels_check(ret->program.apparmor, ret->program.selinux, err);
}

int lc_configuration_parse(const json_t *document, const char *bundle, struct lc_configuration *ret,
                           struct ct_error *err)
{
    *ret = (struct lc_configuration){.document = json_incref((json_t *)document)};
    if (parse(bundle, ret, err) < 0) {
        lc_configuration_done(ret);
        return -1;
    }
    return 0;
}

void lc_configuration_done(struct lc_configuration *configuration)
{
    json_decref(configuration->document);
    pool_done(&configuration->pool);
    *configuration = (struct lc_configuration){0};
}
