/*
 * file.c - whole files: reading with a limit, atomic durable writing, locks, moving bytes.
 *
 * Room:       lib.   Called by: see file.h.
 */
#define WATCH_TICK_NS 50000000
#define CT_LAYER      "file"
#include "file.h"

#include "cleanup.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

ssize_t ct_read_file_at(int dir_fd, const char *name, size_t max, char **ret, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CT_AUTO_FREE char *text = NULL;
    size_t length = 0, size = 0;

    if (fd < 0) {
        return ct_fail(err, errno, "open '%s'", name);
    }
    for (;;) { /* files of /proc have no size, so it grows as it comes */
        if (length + 1 >= size) {
            size = size ? size * 2 : 4096;
            char *grown = realloc(text, size);
            if (!grown) {
                return ct_fail(err, ENOMEM, "read '%s'", name);
            }
            text = grown;
        }
        ssize_t n = read(fd, text + length, size - length - 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ct_fail(err, errno, "read '%s'", name);
        }
        if (n == 0) {
            break;
        }
        length += (size_t)n;
        if (length > max) {
            return ct_refuse(err, CT_INVALID, "read '%s': it is longer than %zu bytes", name, max);
        }
    }
    text[length] = '\0';
    *ret = ct_steal(text);
    return (ssize_t)length;
}

int ct_write_all(int fd, const void *data, size_t length)
{
    const char *bytes = data;
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

int ct_sync_dir(int dir_fd, struct ct_error *err)
{
    /* An O_PATH descriptor cannot be synced; "." opened below it can. */
    CT_AUTO_CLOSE int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return ct_fail(err, errno, "sync a directory");
    }
    return 0;
}

/* fsync of the directory that holds name, which may have slashes. */
static int sync_parent(int dir_fd, const char *name, struct ct_error *err)
{
    const char *slash = strrchr(name, '/');
    CT_AUTO_FREE char *parent =
        slash ? ct_printf("%.*s", slash == name ? 1 : (int)(slash - name), name) : ct_strdup(".");
    CT_AUTO_CLOSE int fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0) {
        return ct_fail(err, errno, "sync the directory of '%s'", name);
    }
    return 0;
}

/* A complete file, synced where it must outlive the boot, under a name that nobody else uses. Owned
 * name, NULL on failure. */
static char *write_temporary(int dir_fd, const char *name, const void *data, size_t length,
                             mode_t mode, bool durable, struct ct_error *err)
{
    char suffix[17];
    ct_random_hex(suffix, 8);
    CT_AUTO_FREE char *temporary = ct_printf("%s.tmp-%s", name, suffix);
    CT_AUTO_CLOSE int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0) {
        return ct_fail_null(err, errno, "write '%s'", name);
    }
    /* The umask must not decide who may read our state. */
    if (fchmod(fd, mode) < 0 || ct_write_all(fd, data, length) < 0 || (durable && fsync(fd) < 0)) {
        (void)ct_fail(err, errno, "write '%s'", name);
        (void)unlinkat(dir_fd, temporary, 0); /* best effort: err keeps the cause */
        return NULL;
    }
    return ct_steal(temporary);
}

static int replace(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                   bool durable, struct ct_error *err)
{
    CT_AUTO_FREE char *temporary = write_temporary(dir_fd, name, data, length, mode, durable, err);
    if (!temporary) {
        return -1;
    }
    if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
        (void)ct_fail(err, errno, "replace '%s'", name);
        (void)unlinkat(dir_fd, temporary, 0);
        return -1;
    }
    return durable ? sync_parent(dir_fd, name, err) : 0;
}

int ct_write_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                     struct ct_error *err)
{
    return replace(dir_fd, name, data, length, mode, true, err);
}

int ct_write_run_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                         struct ct_error *err)
{
    return replace(dir_fd, name, data, length, mode, false, err);
}

int ct_create_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                      struct ct_error *err)
{
    CT_AUTO_FREE char *temporary = write_temporary(dir_fd, name, data, length, mode, true, err);
    if (!temporary) {
        return -1;
    }
    int linked = linkat(dir_fd, temporary, dir_fd, name, 0); /* unlike rename, refuses to replace */
    int saved = errno;
    (void)unlinkat(dir_fd, temporary, 0);
    if (linked < 0) {
        return ct_fail(err, saved, "create '%s'", name);
    }
    return sync_parent(dir_fd, name, err);
}

long long ct_copy_fd(int in_fd, int out_fd, struct ct_error *err)
{
    CT_AUTO_FREE char *buffer = NULL;
    const size_t size = 256 * 1024;
    bool in_kernel = true;
    long long total = 0;

    for (;;) {
        ssize_t n = in_kernel ? copy_file_range(in_fd, NULL, out_fd, NULL, 1 << 30, 0) : -1;
        if (in_kernel && (n < 0 || (n == 0 && total == 0))) {
            in_kernel = false; /* pipes, sockets, /proc, other file systems: through a buffer */
            buffer = malloc(size);
            if (!buffer) {
                return ct_fail(err, ENOMEM, "copy");
            }
        }
        if (!in_kernel) {
            n = read(in_fd, buffer, size);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return ct_fail(err, errno, "copy: read");
            }
            if (n > 0 && ct_write_all(out_fd, buffer, (size_t)n) < 0) {
                return ct_fail(err, errno, "copy: write");
            }
        }
        if (n == 0) {
            return total;
        }
        total += n;
    }
}

int ct_lock_at(int dir_fd, const char *name, enum ct_lock_mode mode, int timeout_ms,
               struct ct_error *err)
{
    int operation = (mode == CT_LOCK_SHARED ? LOCK_SH : LOCK_EX) | (timeout_ms < 0 ? 0 : LOCK_NB);
    int64_t deadline = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    long pause_ns = 500000;
    CT_AUTO_CLOSE int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return ct_fail(err, errno, "open lock '%s'", name);
    }
    /* flock(2) has no deadline of its own, and an alarm would need a signal handler in a library.
     */
    while (flock(fd, operation) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return ct_fail(err, errno, "lock '%s'", name);
        }
        if (timeout_ms >= 0 && ct_monotonic_ns() >= deadline) {
            return ct_refuse(err, CT_TIMEOUT, "lock '%s': somebody else holds it", name);
        }
        struct timespec pause = {.tv_nsec = pause_ns};
        (void)nanosleep(&pause, NULL);
        pause_ns = pause_ns < 16000000 ? pause_ns * 2 : pause_ns;
    }
    return ct_steal_fd(&fd);
}

static int make_clock(struct ct_error *err)
{
    const struct itimerspec tick = {.it_interval.tv_nsec = WATCH_TICK_NS,
                                    .it_value.tv_nsec = WATCH_TICK_NS};
    CT_AUTO_CLOSE int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 || timerfd_settime(fd, 0, &tick, NULL) < 0 ? ct_fail(err, errno, "make a timer")
                                                             : ct_steal_fd(&fd);
}

int ct_watch(const char *path, uint32_t events, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        return make_clock(err);
    }
    return fd < 0 || inotify_add_watch(fd, path, events) < 0
               ? ct_fail(err, errno, "watch '%.120s'", path)
               : ct_steal_fd(&fd);
}

void ct_watch_drain(int watch_fd)
{
    char events[4096] __attribute__((aligned(8)));
    while (read(watch_fd, events, sizeof(events)) > 0) {
        /* what happened does not matter: the caller looks */
    }
}

void ct_random_hex(char *buffer, size_t n_bytes)
{
    static const char digits[] = "0123456789abcdef";
    /* The bytes first, in the second half: each is read before a digit is written over it. */
    const unsigned char *bytes = (const unsigned char *)buffer + n_bytes;

    while (getrandom(buffer + n_bytes, n_bytes, 0) != (ssize_t)n_bytes) {
        /* only EINTR before the pool is ready: try again */
    }
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = bytes[i];
        buffer[2 * i] = digits[byte >> 4];
        buffer[2 * i + 1] = digits[byte & 15];
    }
    buffer[2 * n_bytes] = '\0';
}
