/*
 * seccomp_profile.c - a profile of the user's own, in Docker's format.
 *
 * Room:       spec (stage 03).   Called by: see seccomp_profile.h.
 */
#define CT_LAYER "spec"
#include "seccomp_profile.h"

#include "capabilities.h"

#include "cleanup.h"
#include "json.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* This machine, as Go and as libseccomp call it. */
#if defined(__x86_64__)
#define GO_ARCH   "amd64"
#define SCMP_ARCH "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define GO_ARCH   "arm64"
#define SCMP_ARCH "SCMP_ARCH_AARCH64"
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "say how profiles call this machine"
#endif

#define WHERE 64 /* bytes for the name of a field */

static int wrong(const char *where, const char *key, const char *expected, struct ct_error *err)
{
    return ct_refuse(err, CT_INVALID, "use the seccomp profile: %s.%s must be %s", where, key,
                     expected);
}

/* *ret is borrowed, NULL where there is none. */
static int get_array(const json_t *object, const char *where, const char *key, json_t **ret,
                     struct ct_error *err)
{
    json_t *value = json_object_get(object, key);

    *ret = json_is_null(value) ? NULL : value;
    return *ret && !json_is_array(*ret) ? wrong(where, key, "an array", err) : 0;
}

/* ---- for whom an entry is ---------------------------------------------------------------------
 */

static bool has_arch(const json_t *names)
{
    size_t i;
    json_t *name;

    json_array_foreach((json_t *)names, i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), GO_ARCH) == 0) {
            return true;
        }
    }
    return false;
}

/* How many of the names the container has. */
static size_t count_caps(const json_t *names, uint64_t caps)
{
    size_t i, n = 0;
    json_t *name;

    json_array_foreach((json_t *)names, i, name)
    {
        int number = json_is_string(name) ? lc_cap_number(json_string_value(name)) : -1;
        n += number >= 0 && (caps >> number & 1);
    }
    return n;
}

/* What a part of "includes" or "excludes" says of us. */
enum answer { NOT_ASKED, NO, YES };

static enum answer answer(bool asked, bool yes)
{
    return !asked ? NOT_ASKED : yes ? YES : NO;
}

/* "6.1.0-13-amd64": 6, 1, and the rest. */
static bool read_version(const char *text, unsigned long ret[2], const char **ret_rest)
{
    for (int i = 0; i < 2; i++) {
        char *end = NULL;
        if (!isdigit((unsigned char)*text)) {
            return false;
        }
        ret[i] = strtoul(text, &end, 10);
        text = end + (i == 0 && *end == '.');
    }
    *ret_rest = text;
    return true;
}

/* "4.8": whether this kernel is as new as that. */
static int ask_kernel(const json_t *object, const char *where, enum answer *ret,
                      struct ct_error *err)
{
    const json_t *value = json_object_get(object, "minKernel");
    const char *text = json_string_value(value);
    const char *rest = NULL;
    unsigned long wanted[2], ours[2];
    struct utsname name;

    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!text || !read_version(text, wanted, &rest) || *rest) {
        return wrong(where, "minKernel", "a version such as \"4.8\"", err);
    }
    if (uname(&name) < 0 || !read_version(name.release, ours, &rest)) {
        return ct_refuse(err, CT_SYSTEM, "find this kernel's version");
    }
    *ret = answer(true, ours[0] > wanted[0] || (ours[0] == wanted[0] && ours[1] >= wanted[1]));
    return 0;
}

struct condition {
    enum answer arch, all_caps, any_cap, kernel;
};

static int ask(const json_t *entry, const char *where, const char *key, uint64_t caps,
               struct condition *ret, struct ct_error *err)
{
    const json_t *object = json_object_get(entry, key);
    json_t *arches = NULL, *names = NULL;
    char name[WHERE];

    *ret = (struct condition){0};
    if (!object || json_is_null(object)) {
        return 0;
    }
    if (!json_is_object(object)) {
        return wrong(where, key, "an object", err);
    }
    (void)snprintf(name, sizeof(name), "%.40s.%s", where, key);
    if (get_array(object, name, "arches", &arches, err) < 0 ||
        get_array(object, name, "caps", &names, err) < 0) {
        return -1;
    }
    size_t n = json_array_size(names), n_ours = count_caps(names, caps);
    ret->arch = answer(json_array_size(arches) > 0, has_arch(arches));
    ret->all_caps = answer(n > 0, n_ours == n);
    ret->any_cap = answer(n > 0, n_ours > 0);
    return ask_kernel(object, name, &ret->kernel, err);
}

/* All that "includes" asks must be so, and nothing of what "excludes" asks. */
static int is_for_us(const json_t *entry, const char *where, uint64_t caps, bool *ret,
                     struct ct_error *err)
{
    struct condition in, ex;

    if (ask(entry, where, "includes", caps, &in, err) < 0 ||
        ask(entry, where, "excludes", caps, &ex, err) < 0) {
        return -1;
    }
    *ret = in.arch != NO && in.all_caps != NO && in.kernel != NO && ex.arch != YES &&
           ex.any_cap != YES && ex.kernel != YES;
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/* Copies what is there and not null. */
static void copy(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value && !json_is_null(value)) {
        ct_json_set(to, key, json_deep_copy(value));
    }
}

/* An older format has "name" with one. */
static int add_entry(json_t *syscalls, const json_t *entry, const char *where, struct ct_error *err)
{
    json_t *name = json_object_get(entry, "name");
    json_t *ours = json_object();

    ct_json_append(syscalls, ours);
    copy(ours, entry, "names");
    copy(ours, entry, "action");
    copy(ours, entry, "errnoRet");
    copy(ours, entry, "args");
    if (name && json_string_length(name) > 0) {
        if (json_array_size(json_object_get(entry, "names")) > 0) {
            return wrong(where, "name", "alone, without names", err);
        }
        ct_json_set(ours, "names", json_pack("[O]", name));
    }
    return 0;
}

static int add_entries(json_t *ours, const json_t *profile, uint64_t caps, struct ct_error *err)
{
    json_t *entries = NULL;
    json_t *syscalls = json_array();
    size_t i;
    json_t *entry;

    ct_json_set(ours, "syscalls", syscalls);
    if (get_array(profile, "profile", "syscalls", &entries, err) < 0) {
        return -1;
    }
    json_array_foreach(entries, i, entry)
    {
        char where[WHERE];
        bool wanted = false;
        (void)snprintf(where, sizeof(where), "syscalls[%zu]", i);
        if (!json_is_object(entry)) {
            return wrong("profile", where, "an object", err);
        }
        if (is_for_us(entry, where, caps, &wanted, err) < 0 ||
            (wanted && add_entry(syscalls, entry, where, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

/* ---- architectures ----------------------------------------------------------------------------
 */

/* "archMap": of the element for this machine, it and what goes with it. */
static int add_archs(json_t *ours, const json_t *profile, struct ct_error *err)
{
    json_t *archs = NULL, *map = NULL;
    size_t i;
    json_t *element;

    if (get_array(profile, "profile", "architectures", &archs, err) < 0 ||
        get_array(profile, "profile", "archMap", &map, err) < 0) {
        return -1;
    }
    if (json_array_size(archs) > 0 && json_array_size(map) > 0) {
        return wrong("profile", "archMap", "alone, without architectures", err);
    }
    copy(ours, profile, "architectures");
    json_array_foreach(map, i, element)
    {
        if (strcmp(ct_json_string(element, "architecture", ""), SCMP_ARCH) == 0) {
            json_t *list = json_pack("[s]", SCMP_ARCH);
            (void)json_array_extend(list, json_object_get(element, "subArchitectures"));
            ct_json_set(ours, "architectures", list);
            break;
        }
    }
    return 0;
}

json_t *spec_seccomp_profile(const json_t *profile, uint64_t caps, struct ct_error *err)
{
    static const char *const same[] = {"defaultAction", "defaultErrnoRet", "flags", "listenerPath",
                                       "listenerMetadata"};
    CT_AUTO_JSON json_t *ours = json_object();

    if (!json_is_object(profile)) {
        return ct_refuse_null(err, CT_INVALID, "use the seccomp profile: it must be an object");
    }
    if (!*ct_json_string(profile, "defaultAction", "") &&
        json_array_size(json_object_get(profile, "syscalls")) == 0) {
        return json_null();
    }
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        copy(ours, profile, same[i]);
    }
    if (add_archs(ours, profile, err) < 0 || add_entries(ours, profile, caps, err) < 0) {
        return NULL;
    }
    return ct_steal(ours);
}
