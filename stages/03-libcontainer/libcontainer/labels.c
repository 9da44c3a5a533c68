/*
 * labels.c - AppArmor profiles and SELinux labels of what is executed next, and of keys.
 *
 * Room:       libcontainer.   Called by: see labels.h.
 * Man:        proc(5) (attr/exec, attr/keycreate), apparmor(7), selinux(8).
 */
#define CT_LAYER "labels"
#include "labels.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool lc_apparmor_is_on(void)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    return ct_read_file_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text,
                           &ignored) > 0 &&
           text[0] == 'Y';
}

bool lc_selinux_is_on(void)
{
    return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static bool is_set(const char *name)
{
    return name && *name;
}

static bool is_unconfined(const char *profile)
{
    return strcmp(profile, "unconfined") == 0;
}

int lc_labels_check(const char *apparmor, const char *selinux, struct ct_error *err)
{
    if (is_set(apparmor) && !is_unconfined(apparmor) && !lc_apparmor_is_on()) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use the AppArmor profile '%.80s': AppArmor is not enabled on this host",
                         apparmor);
    }
    if (is_set(selinux) && !lc_selinux_is_on()) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use the SELinux label '%.80s': SELinux is not enabled on this host",
                         selinux);
    }
    return 0;
}

/*
 * AppArmor has a directory of its own, so that the words cannot reach another security module that
 * answers in attr/exec. Whether it is on is not asked again: /sys is the container's by now.
 */
static int apply_apparmor(int procfs_fd, const char *profile, struct ct_error *err)
{
    CT_AUTO_FREE char *command = ct_printf("exec %s", profile);

    if (lc_procfs_write(procfs_fd, "thread-self/attr/apparmor/exec", command, err) == 0) {
        return 0;
    }
    if (is_unconfined(profile) && (err->kind == CT_NOT_FOUND || err->sys == EINVAL)) {
        ct_error_clear(err); /* there is no AppArmor, or it is switched off */
        return 0;
    }
    if (err->kind == CT_NOT_FOUND) {
        (void)ct_hint(err, "load the profile into the kernel first: apparmor_parser(8)");
    }
    return ct_while(err, "use the AppArmor profile '%.80s'", profile);
}

static int apply_selinux(int procfs_fd, const char *label, struct ct_error *err)
{
    if (lc_procfs_write(procfs_fd, "thread-self/attr/exec", label, err) < 0 ||
        lc_procfs_write(procfs_fd, "thread-self/attr/keycreate", label, err) < 0) {
        return ct_while(err, "use the SELinux label '%.80s'", label);
    }
    return 0;
}

int lc_labels_apply(int procfs_fd, const char *apparmor, const char *selinux, struct ct_error *err)
{
    if (is_set(apparmor) && apply_apparmor(procfs_fd, apparmor, err) < 0) {
        return -1;
    }
    return is_set(selinux) ? apply_selinux(procfs_fd, selinux, err) : 0;
}
