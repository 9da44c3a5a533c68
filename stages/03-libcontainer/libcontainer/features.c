/*
 * features.c - what this library can, as a document.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h.
 * Spec:       features.md, features-linux.md.
 */
#include "libcontainer.h"

#include "capabilities.h"
#include "hooks.h"
#include "labels.h"
#include "mounting.h"
#include "namespaces.h"
#include "seccomp.h"

#include "json.h"

static json_t *hook_names(void)
{
    json_t *names = json_array();

    for (int i = 0; i < LC_HOOK_COUNT; i++) {
        ct_json_append(names, json_string(lc_hook_point_name((enum lc_hook_point)i)));
    }
    return names;
}

static json_t *namespace_names(void)
{
    json_t *names = json_array();

    for (int i = 0; i < LC_NS_COUNT; i++) {
        ct_json_append(names, json_string(lc_namespace_name((enum lc_namespace)i)));
    }
    return names;
}

static json_t *capability_names(void)
{
    json_t *names = json_array();

    for (int i = 0; i < lc_cap_count(); i++) {
        ct_json_append(names, json_string(lc_cap_name(i)));
    }
    return names;
}

static json_t *seccomp_features(void)
{
    return json_pack("{s:b, s:o, s:o, s:o, s:o}", "enabled", 1, "actions", lc_seccomp_actions(),
                     "operators", lc_seccomp_operators(), "archs", lc_seccomp_archs(), "knownFlags",
                     lc_seccomp_flags());
}

static json_t *linux_features(void)
{
    json_t *features = json_object();

    ct_json_set(features, "namespaces", namespace_names());
    ct_json_set(features, "capabilities", capability_names());
    ct_json_set(features, "cgroup",
                json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 0,
                          "systemdUser", 0, "rdma", 1));
    ct_json_set(features, "seccomp", seccomp_features());
    ct_json_set(features, "apparmor", json_pack("{s:b}", "enabled", lc_apparmor_is_on()));
    ct_json_set(features, "selinux", json_pack("{s:b}", "enabled", lc_selinux_is_on()));
    ct_json_set(features, "intelRdt", json_pack("{s:b}", "enabled", 0));
    ct_json_set(features, "mountExtensions", json_pack("{s:{s:b}}", "idmap", "enabled", 1));
    ct_json_set(features, "netDevices", json_pack("{s:b}", "enabled", 1));
    return features;
}

json_t *lc_features(void)
{
    json_t *features = json_object();

    ct_json_set_string(features, "ociVersionMin", "1.0.0");
    ct_json_set_string(features, "ociVersionMax", LC_OCI_VERSION);
    ct_json_set(features, "hooks", hook_names());
    ct_json_set(features, "mountOptions", lc_mount_option_names());
    ct_json_set(features, "linux", linux_features());
    return features;
}
