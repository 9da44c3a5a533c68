/*
 * setup.c - the last rights go, in the order in which they are needed.
 *
 * Room:       libcontainer.   Called by: see setup.h.
 */
#define CT_LAYER "setup"
#include "setup.h"

#include "labels.h"
#include "terminal.h"

#include "cleanup.h"
#include "exec.h"
#include "span.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SYS_ADMIN_BIT (UINT64_C(1) << CAP_SYS_ADMIN)

/* A key of the caller's session would be a way to the host. Kernels without keys have no such way.
 */
static int join_keyring(const char *name, struct ct_error *err)
{
    if (name && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) < 0 && errno != ENOSYS) {
        return ct_fail(err, errno, "make the session keyring '%.60s'", name);
    }
    return 0;
}

/*
 * A program that is not root opens /dev/stdout again, as many do: what it was given must be its
 * own. The null device is everybody's; what cannot be given away (a file of another's) stays as it
 * is.
 */
static void give_streams(uid_t uid)
{
    struct stat st;

    for (int i = 0; i < 3; i++) {
        bool is_null = fstat(i, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
        if (!is_null && st.st_uid != uid) {
            (void)fchown(i, uid, st.st_gid);
        }
    }
}

/* Groups first and the user last: after it the right to change the others is gone. */
static int become_user(const struct lc_program *program, struct ct_error *err)
{
    if (prctl(PR_SET_KEEPCAPS, 1) < 0) {
        return ct_fail(err, errno, "keep capabilities for a moment");
    }
    if (setgroups(program->n_groups, program->groups) < 0 &&
        !(errno == EPERM && program->n_groups == 0)) { /* denied to unprivileged users: then we
                                                          have none that could be taken away */
        return ct_fail(err, errno, "take %zu groups", program->n_groups);
    }
    if (setresgid(program->gid, program->gid, program->gid) < 0) {
        return ct_fail(err, errno, "become group %u", program->gid);
    }
    if (setresuid(program->uid, program->uid, program->uid) < 0) {
        return ct_fail(err, errno, "become user %u", program->uid);
    }
    if (prctl(PR_SET_KEEPCAPS, 0) < 0) {
        return ct_fail(err, errno, "keep no more capabilities");
    }
    return 0;
}

static bool filter_needs_admin(const struct lc_setup *setup)
{
    return setup->seccomp->is_set && !setup->program->no_new_privileges;
}

static int drop(const struct lc_setup *setup, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_HARDEN, "user %u:%u, %d capabilities",
            setup->program->uid, setup->program->gid,
            __builtin_popcountll(setup->program->caps.bounding));
    const struct lc_program *program = setup->program;
    struct ct_error ignored = {0};
    /* As root it may be reachable where it is not as the user; on a file system that root may not
     * read (NFS, FUSE) it is the other way round. */
    bool inside = ct_exec_enter_cwd(program->cwd, &ignored) == 0;

    if (program->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return ct_fail(err, errno, "give up new privileges");
    }
    if (lc_caps_limit(&program->caps, err) < 0 || become_user(program, err) < 0 ||
        (!inside && ct_exec_enter_cwd(program->cwd, err) < 0)) {
        return -1;
    }
    (void)umask(program->umask);
    return lc_caps_apply(&program->caps, filter_needs_admin(setup) ? SYS_ADMIN_BIT : 0, err);
}

static bool is_set(const char *text)
{
    return text && *text;
}

int lc_setup_drop(const struct lc_setup *setup, int procfs_fd, struct ct_error *err)
{
    const struct lc_program *program = setup->program;

    if (lc_program_streams(setup->stdio, setup->preserve_fds, err) < 0 ||
        (setup->control_terminal && lc_terminal_control(err) < 0) ||
        join_keyring(setup->keyring, err) < 0 ||
        lc_personality_apply(setup->personality, err) < 0 ||
        lc_scheduling_apply_inside(&program->scheduling, err) < 0) {
        return -1;
    }
    assert(procfs_fd >= 0 || !(is_set(program->apparmor) || is_set(program->selinux)));
    if (procfs_fd >= 0 &&
        lc_labels_apply(procfs_fd, program->apparmor, program->selinux, err) < 0) {
        return -1;
    }
    give_streams(program->uid);
    return drop(setup, err);
}

static int load_filter(const struct lc_setup *setup, lc_notify_fn notify, void *context,
                       struct ct_error *err)
{
    CT_AUTO_CLOSE int notify_fd = -1;

    if (!setup->seccomp->is_set) {
        return 0;
    }
    if (lc_seccomp_load(setup->seccomp, &notify_fd, err) < 0) {
        return -1;
    }
    return notify_fd < 0 ? 0 : notify(context, notify_fd, err);
}

int lc_setup_exec(const struct lc_setup *setup, lc_notify_fn notify, void *context,
                  struct ct_error *err)
{
    const struct lc_program *program = setup->program;

    ct_exec_reset_signals();
    if (load_filter(setup, notify, context, err) < 0 ||
        (filter_needs_admin(setup) && lc_caps_apply(&program->caps, 0, err) < 0)) {
        return -1;
    }
    return ct_exec((char *const *)program->args, (char *const *)program->env, err);
}
