/*
 * document.c - an OCI configuration from the exec driver's request.
 *
 * Room:       spec (stage 03).   Called by: see document.h.
 *
 * The request is Docker's view (privileged, cap-add, ports of a network), the document the kernel's
 * (five sets of capabilities, namespaces, rules for devices). What stands in neither is Docker's
 * default.
 */
#define CT_LAYER "spec"
#include "spec_internal.h"

#include "caps.h"
#include "default_seccomp.h"
#include "defaults.h"
#include "seccomp_profile.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <string.h>

/* Bytes that are no UTF-8 are allowed in arguments and variables: they stay what they are. */
static json_t *words(const char *const *list)
{
    json_t *array = json_array();

    for (; list && *list; list++) {
        ct_json_append(array, json_string_nocheck(*list));
    }
    return array;
}

/* ---- process -------------------------------------------------------------------------------- */

static json_t *user(const struct exec_program *program)
{
    json_t *one = json_object();
    json_t *groups = json_array();

    for (size_t i = 0; i < program->n_groups; i++) {
        ct_json_append(groups, json_integer(program->groups[i]));
    }
    ct_json_set(one, "uid", json_integer(program->uid));
    ct_json_set(one, "gid", json_integer(program->gid));
    ct_json_set(one, "additionalGids", groups);
    return one;
}

/* What is the same for the first program and for others. */
static json_t *process(const struct exec_program *program, uint64_t caps)
{
    json_t *one = json_object();

    ct_json_set(one, "user", user(program));
    ct_json_set(one, "args", words(program->argv));
    ct_json_set(one, "env", words(program->env));
    ct_json_set(one, "cwd", json_string_nocheck(program->cwd ? program->cwd : "/"));
    ct_json_set(one, "capabilities", spec_capabilities(caps, program->uid == 0));
    return one;
}

static json_t *rlimits(const struct exec_spec *spec)
{
    json_t *list = json_array();

    for (size_t i = 0; i < spec->n_ulimits; i++) {
        const struct exec_ulimit *ulimit = &spec->ulimits[i];
        CT_AUTO_FREE char *type = ct_printf("RLIMIT_%s", ulimit->name);
        for (char *c = type; *c; c++) {
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        }
        /* -1 is RLIM_INFINITY: as a real number, since it is more than a JSON integer here holds.
         */
        json_t *soft =
            ulimit->soft < 0 ? json_real(18446744073709551615.0) : json_integer(ulimit->soft);
        json_t *hard =
            ulimit->hard < 0 ? json_real(18446744073709551615.0) : json_integer(ulimit->hard);
        ct_json_append(list,
                       json_pack("{s:s, s:o, s:o}", "type", type, "soft", soft, "hard", hard));
    }
    return list;
}

static bool is_named(const char *text)
{
    return text && *text && strcmp(text, "unconfined") != 0;
}

static json_t *first_process(const struct exec_spec *spec, uint64_t caps)
{
    json_t *one = process(&spec->program, caps);

    ct_json_set(one, "noNewPrivileges", json_boolean(spec->no_new_privileges));
    ct_json_set(one, "oomScoreAdj", json_integer(spec->oom_score_adj));
    ct_json_set(one, "rlimits", rlimits(spec));
    if (is_named(spec->apparmor)) {
        ct_json_set_string(one, "apparmorProfile", spec->apparmor);
    }
    return one;
}

json_t *spec_process(const struct exec_program *program, const json_t *container,
                     struct ct_error *err)
{
    static const char *const inherited[] = {"noNewPrivileges", "oomScoreAdj", "rlimits",
                                            "apparmorProfile", "selinuxLabel"};
    const json_t *first = json_object_get(container, "process");
    const json_t *bounding = ct_json_get(first, "capabilities.bounding");
    bool privileged = program->cap_add && program->cap_add[0];
    const struct exec_spec all = {.privileged = true};
    uint64_t caps = spec_caps_of_names(bounding);

    if (privileged && caps_of(&all, &caps, err) < 0) {
        return NULL;
    }
    json_t *one = process(program, caps);
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
        json_t *value = json_object_get(first, inherited[i]);
        if (value) {
            ct_json_set(one, inherited[i], json_incref(value));
        }
    }
    return one;
}

/* ---- linux ---------------------------------------------------------------------------------- */

static void add_namespace(json_t *list, const char *type, bool shared, const char *path)
{
    if (shared) {
        return;
    }
    json_t *one = json_pack("{s:s}", "type", type);
    if (path) {
        ct_json_set(one, "path", json_string_nocheck(path));
    }
    ct_json_append(list, one);
}

static json_t *namespaces(const struct exec_spec *spec)
{
    json_t *list = json_array();

    add_namespace(list, "mount", false, NULL);
    add_namespace(list, "cgroup", spec_host_is(spec, "CgroupnsMode", "host"), NULL);
    add_namespace(list, "network", spec->host_network, spec->join_network_of);
    add_namespace(list, "pid", spec->host_pid, spec->join_pid_of);
    add_namespace(list, "ipc", spec->host_ipc, spec->join_ipc_of);
    add_namespace(list, "uts", spec->host_uts, NULL);
    return list;
}

static json_t *sysctls(const struct exec_spec *spec)
{
    json_t *object = json_object();

    for (const char *const *setting = spec->sysctls; setting && *setting; setting++) {
        CT_AUTO_FREE char *name = ct_strdup(*setting);
        char *equals = strchr(name, '=');
        if (equals) {
            *equals = '\0';
            ct_json_set(object, name, json_string_nocheck(equals + 1));
        }
    }
    return object;
}

static int add_seccomp(const struct exec_spec *spec, uint64_t caps, json_t *section,
                       struct ct_error *err)
{
    if (spec->privileged || (spec->seccomp && strcmp(spec->seccomp, "unconfined") == 0)) {
        return 0;
    }
    if (!spec->seccomp) {
        ct_json_set(section, "seccomp", spec_default_seccomp(caps));
        return 0;
    }
    /* Docker's clients read the file and send what is in it. */
    CT_AUTO_JSON json_t *profile = ct_json_parse(spec->seccomp, strlen(spec->seccomp), err);
    json_t *filter = profile ? spec_seccomp_profile(profile, caps, err) : NULL;
    if (!filter) {
        return ct_while(err, "read the seccomp profile");
    }
    ct_json_set(section, "seccomp", filter);
    return 0;
}

json_t *spec_resources(const struct exec_limits *limits, struct ct_error *err)
{
    json_t *resources = json_object();

    if (spec_add_limits(resources, limits, err) < 0) {
        json_decref(resources);
        return NULL;
    }
    return resources;
}

static json_t *linux_section(const struct exec_spec *spec, uint64_t caps, struct ct_error *err)
{
    CT_AUTO_JSON json_t *section = json_object();
    json_t *resources = spec_resources(&spec->limits, err);
    json_t *devices = NULL;
    json_t *rules = json_array();

    if (!resources) {
        json_decref(rules);
        return NULL;
    }
    ct_json_set(section, "resources", resources);
    ct_json_set(resources, "devices", rules);
    if (spec_devices(spec, rules, &devices, err) < 0) {
        return NULL;
    }
    spec_add_device_rules(spec, rules);
    ct_json_set(section, "devices", devices);
    ct_json_set(section, "namespaces", namespaces(spec));
    ct_json_set(section, "sysctl", sysctls(spec));
    ct_json_set(section, "cgroupsPath", spec_cgroups_path(spec));
    ct_json_set_string(section, "rootfsPropagation", spec_rootfs_propagation(spec));
    spec_add_protected_paths(spec, section);
    return add_seccomp(spec, caps, section, err) < 0 ? NULL : ct_steal(section);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_names(const struct exec_spec *spec, json_t *document)
{
    if (!spec->host_uts && spec->hostname && *spec->hostname) {
        ct_json_set_string(document, "hostname", spec->hostname);
    }
    if (!spec->host_uts && spec->domainname && *spec->domainname) {
        ct_json_set_string(document, "domainname", spec->domainname);
    }
}

json_t *spec_document(const struct exec_spec *spec, struct ct_error *err)
{
    json_t *document = json_object();
    json_t *root = json_object();
    uint64_t caps = 0;

    json_t *section = caps_of(spec, &caps, err) < 0 || spec_check_propagation(spec, err) < 0
                          ? NULL
                          : linux_section(spec, caps, err);
    if (!section) {
        json_decref(document);
        json_decref(root);
        return NULL;
    }
    ct_json_set_string(document, "ociVersion", "1.0.2");
    ct_json_set(root, "path", json_string_nocheck(spec->rootfs));
    ct_json_set(root, "readonly", json_boolean(spec->rootfs_readonly));
    ct_json_set(document, "root", root);
    add_names(spec, document);
    ct_json_set(document, "process", first_process(spec, caps));
    ct_json_set(document, "mounts", spec_mounts(spec));
    ct_json_set(document, "linux", section);
    spec_add_annotations(spec, document);
    return document;
}
