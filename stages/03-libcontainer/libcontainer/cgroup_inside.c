/*
 * cgroup_inside.c - what a container needs that has groups of its own inside, as with systemd in
 * it.
 *
 * Room:       libcontainer.   Called by: see cgroups.h.
 * Spec:       config-linux.md, "Cgroup ownership".
 * Man:        cgroups(7), "Cgroups delegation"; proc(5) (/proc/PID/cgroup).
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What the kernel lists there is what may be given away; the rest are limits of the container. */
static char *delegated_files(void)
{
    struct ct_error ignored = {0};
    char *text = NULL;

    return ct_read_file_at(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &text, &ignored) >= 0
               ? text
               : ct_strdup("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
}

int lc_cgroup_delegate(struct lc_cgroup *cgroup, uid_t uid, struct ct_error *err)
{
    struct lc_group *group = cgroup->layout == LC_CGROUP_V2 ? lc_cgroup_unified(cgroup) : NULL;
    CT_AUTO_FREE char *files = NULL;
    char *position = NULL;

    if (!group) {
        return 0; /* v1 is not safe to give away */
    }
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, err);
    if (fd < 0) {
        return -1;
    }
    if (fchown(fd, uid, (gid_t)-1) < 0) {
        return ct_fail(err, errno, "give group '/%.80s' to user %u", group->path, (unsigned)uid);
    }
    files = delegated_files();
    for (char *f = strtok_r(files, "\n", &position); f; f = strtok_r(NULL, "\n", &position)) {
        /* A kernel may list files of controllers that this group does not have. */
        if (fchownat(fd, f, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) {
            return ct_fail(err, errno, "give '%.60s' of group '/%.60s' to user %u", f, group->path,
                           (unsigned)uid);
        }
    }
    return 0;
}

/* "docker/web/init.scope" is "init.scope" below "docker/web". NULL: it is elsewhere. */
static const char *below(const char *path, const char *group_path)
{
    size_t length = strlen(group_path);

    if (strncmp(path, group_path, length) != 0 || (path[length] != '/' && path[length] != '\0')) {
        return NULL;
    }
    return path + length + (path[length] == '/');
}

char *lc_cgroup_sub_of(const struct lc_cgroup *cgroup, pid_t pid, struct ct_error *err)
{
    struct lc_group *group = cgroup->layout == LC_CGROUP_V2 ? lc_cgroup_unified(cgroup) : NULL;
    const struct lc_machine *machine = group ? lc_machine_get(true, err) : NULL;
    CT_AUTO_FREE char *file = ct_printf("/proc/%d/cgroup", (int)pid);
    CT_AUTO_FREE char *text = NULL;

    if (!group) {
        return ct_strdup("");
    }
    if (!machine || ct_read_file_at(AT_FDCWD, file, 1u << 20, &text, err) < 0) {
        return NULL;
    }
    CT_AUTO_FREE char *path = lc_membership(&machine->list[0], text);
    const char *sub = path ? below(path, group->path) : NULL;
    return sub ? ct_strdup(sub)
               : ct_refuse_null(err, CT_NOT_FOUND,
                                "find the group of process %d: it is not in '/%.80s'", (int)pid,
                                group->path);
}
