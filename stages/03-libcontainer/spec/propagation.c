/*
 * propagation.c - mounts that others shall see, or that shall see others' mounts.
 *
 * Room:       spec (stage 03).   Called by: document.c, mounts_default.c.
 * Spec:       Docker's docker run(1), "bind propagation"; mount_namespaces(7), proc(5) mountinfo.
 *
 * A copy of a mount can only take part in what its original takes part in: "rshared" needs a source
 * that is shared on the host, "rslave" one that is shared or a slave. The kernel does not say so,
 * it only does nothing; hence the check.
 */
#define CT_LAYER "spec"
#include "spec_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *spec_propagation_of(const struct exec_mount *mount)
{
    static const char *const words[] = {"rprivate", "private", "rshared", "shared",
                                        "rslave",   "slave",   NULL};

    for (const char *const *word = words; *word; word++) {
        const char *at = strstr(mount->options, *word);
        size_t length = strlen(*word);
        if (at && (at == mount->options || at[-1] == ',') && (at[length] == ',' || !at[length])) {
            return *word;
        }
    }
    return NULL;
}

static bool is_kind(const char *propagation, const char *kind)
{
    return propagation && strstr(propagation, kind);
}

const char *spec_rootfs_propagation(const struct exec_spec *spec)
{
    const char *result = NULL;

    for (size_t i = 0; i < spec->n_mounts; i++) {
        const char *propagation = spec_propagation_of(&spec->mounts[i]);
        if (is_kind(propagation, "shared")) {
            return "shared";
        }
        result = is_kind(propagation, "slave") ? "rslave" : result;
    }
    return result;
}

/* The optional fields ("shared:1 master:2") of the mount with this id, into ret; "" for none. */
static int optional_fields(uint64_t id, char *ret, size_t size, struct ct_error *err)
{
    CT_AUTO_FILE FILE *list = fopen("/proc/self/mountinfo", "re");
    CT_AUTO_FREE char *line = NULL;
    size_t room = 0;

    *ret = '\0';
    if (!list) {
        return ct_fail(err, errno, "read the list of mounts");
    }
    while (getline(&line, &room, list) > 0) {
        int fields = 0; /* where they begin: behind six others */
        char *end = strstr(line, " - ");
        if (strtoull(line, NULL, 10) == id && end &&
            sscanf(line, "%*s %*s %*s %*s %*s %*s%n", &fields) == 0 && line + fields < end) {
            *end = '\0';
            (void)snprintf(ret, size, "%s", line + fields);
            break;
        }
    }
    return 0;
}

static int check_one(const struct exec_mount *mount, const char *propagation, struct ct_error *err)
{
    struct statx status = {0};
    char fields[128];

    if (statx(AT_FDCWD, mount->source, 0, STATX_MNT_ID, &status) < 0) {
        return ct_fail(err, errno, "mount '%.100s'", mount->source);
    }
    if (optional_fields(status.stx_mnt_id, fields, sizeof(fields), err) < 0) {
        return -1;
    }
    bool shared = strstr(fields, " shared:");
    bool slave = strstr(fields, " master:");
    if (shared || (slave && is_kind(propagation, "slave"))) {
        return 0;
    }
    (void)ct_refuse(err, CT_INVALID, "mount '%.100s' as %s: it does not lie on a shared mount%s",
                    mount->source, propagation,
                    is_kind(propagation, "slave") ? " or on a slave" : "");
    return ct_hint(err, "mount --make-shared what it lies on");
}

int spec_check_propagation(const struct exec_spec *spec, struct ct_error *err)
{
    for (size_t i = 0; i < spec->n_mounts; i++) {
        const char *propagation = spec_propagation_of(&spec->mounts[i]);
        bool takes_part = is_kind(propagation, "shared") || is_kind(propagation, "slave");
        if (takes_part && check_one(&spec->mounts[i], propagation, err) < 0) {
            return -1;
        }
    }
    return 0;
}
