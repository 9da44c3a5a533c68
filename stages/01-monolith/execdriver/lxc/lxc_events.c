/*
 * lxc_events.c - what LXC tells of a container.
 *
 * Room:       execdriver/lxc.   Called by: see lxc_events.h.
 */
#define CT_LAYER "execdriver"
#include "lxc_events.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LXC_RUN "/run/lxc" /* where LXC 5 keeps its run-time files; compiled in */

enum { MESSAGE_STATE = 0, MESSAGE_EXIT_CODE = 2 };

struct message {
    int type;
    char name[256];
    int value;
};
_Static_assert(sizeof(struct message) == 264, "LXC 5 writes 264 bytes");

char *events_lxcpath(const char *id)
{
    return ct_printf("%s/%s", LXC_RUN, id);
}

/* The FIFO's directory: LXC puts the LXCPATH, an absolute path, behind its own. */
static char *fifo_dir(const char *id)
{
    return ct_printf("%s%s/%s", LXC_RUN, LXC_RUN, id);
}

static int make_dir(const char *path, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = ct_mkdirs(path, 0700, err);
    return fd < 0 ? -1 : 0;
}

/* O_RDWR: a FIFO without a writer would read as ended, and one without a reader loses messages. */
static int open_fifo(const char *path, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return ct_fail(err, errno, "open '%s'", path);
    }
    if (!S_ISFIFO(st.st_mode) || st.st_uid != geteuid()) {
        return ct_refuse(err, CT_DENIED, "open '%s': it is not a FIFO of ours", path);
    }
    return ct_steal_fd(&fd);
}

int events_create(const char *id, struct ct_error *err)
{
    CT_AUTO_FREE char *base = ct_printf("%s%s", LXC_RUN, LXC_RUN);
    CT_AUTO_FREE char *lxcpath = events_lxcpath(id);
    CT_AUTO_FREE char *dir = fifo_dir(id);
    CT_AUTO_FREE char *path = ct_join(dir, "monitor-fifo");

    /* LXC makes its own directories as 0755, and so does whoever comes first. */
    CT_AUTO_CLOSE int base_fd = ct_mkdirs(base, 0755, err);
    if (base_fd < 0) {
        return -1;
    }
    if (mkdir(lxcpath, 0700) < 0) {
        return ct_fail(err, errno, "make '%s'", lxcpath);
    }
    int fd = -1;
    if (make_dir(dir, err) == 0) {
        if (mkfifo(path, 0600) < 0) {
            (void)ct_fail(err, errno, "make '%s'", path);
        } else {
            fd = open_fifo(path, err);
        }
    }
    if (fd < 0) {
        events_delete(id);
    }
    return fd;
}

int events_open(const char *id, struct ct_error *err)
{
    CT_AUTO_FREE char *dir = fifo_dir(id);
    CT_AUTO_FREE char *path = ct_join(dir, "monitor-fifo");

    return open_fifo(path, err);
}

int events_read_status(int events_fd, int *ret_status, struct ct_error *err)
{
    struct message message;

    for (;;) {
        ssize_t n = read(events_fd, &message, sizeof(message));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return 0;
        }
        if (n < 0) {
            return ct_fail(err, errno, "read what LXC tells");
        }
        if (n != (ssize_t)sizeof(message)) { /* writes below PIPE_BUF arrive whole */
            return ct_refuse(err, CT_SYSTEM, "read what LXC tells: a message of %zd bytes", n);
        }
        if (message.type == MESSAGE_EXIT_CODE) {
            *ret_status = message.value;
            return 1;
        }
    }
}

/* Best effort throughout: what cannot be removed hurts nobody, and the caller has its own news.
 * Parents stay: another container's may be in the making there. */
void events_delete(const char *id)
{
    const char *parents[] = {LXC_RUN, LXC_RUN LXC_RUN, LXC_RUN "/lock" LXC_RUN};

    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        struct ct_error ignored = {0};
        CT_AUTO_CLOSE int fd = open(parents[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            (void)ct_remove_tree(fd, id, &ignored);
        }
    }
}
