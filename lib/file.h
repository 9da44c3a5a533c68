/*
 * file.h - whole files: reading with a limit, atomic durable writing, locks, moving bytes.
 *
 * Room:       lib. Called by: every room that keeps state.
 * Man:        rename(2), fsync(2), flock(2), copy_file_range(2), sendfile(2).
 */
#ifndef CT_FILE_H
#define CT_FILE_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole file of at most max bytes. *ret is owned and NUL-terminated. Returns the length or
 * -1. */
ssize_t ct_read_file_at(int dir_fd, const char *name, size_t max, char **ret, struct ct_error *err);

/*
 * ct_write_file_at - replaces name by data, atomically and durably: a temporary file in the same
 * directory, fsync, rename, fsync of the directory. After power loss the old or the new content
 * is there, whole. On failure nothing is left behind. Returns 0 or -1.
 */
int ct_write_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                     struct ct_error *err);

/* The same for a file that does not outlive the boot: whole at any time, also when we are killed,
 * but not synced. On a /run that is no tmpfs, five syncs are longer than the start of a container.
 */
int ct_write_run_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                         struct ct_error *err);

/* Creates name with the content; CT_EXISTS when something is there. Durable as above. */
int ct_create_file_at(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                      struct ct_error *err);

/* fsync of a directory given by fd (also an O_PATH one). */
int ct_sync_dir(int dir_fd, struct ct_error *err);

/* All of data, through short writes and EINTR. Returns 0, or -1 with errno set. */
int ct_write_all(int fd, const void *data, size_t length);

/* Copies everything until end of file, by the cheapest call the kernel offers. Returns bytes or -1
 * (err). */
long long ct_copy_fd(int in_fd, int out_fd, struct ct_error *err);

/*
 * ct_lock_at - takes flock(2) on a file below dir_fd (made when missing), waiting up to timeout_ms
 * (-1: for ever; 0: not at all). Returns the descriptor, which the caller closes to unlock; -1 with
 * CT_TIMEOUT when somebody else holds it. The lock ends with the process: kill -9 leaves none
 * behind.
 */
enum ct_lock_mode { CT_LOCK_SHARED, CT_LOCK_EXCLUSIVE };
int ct_lock_at(int dir_fd, const char *name, enum ct_lock_mode mode, int timeout_ms,
               struct ct_error *err);

/*
 * ct_watch - a descriptor that turns readable when one of events (inotify(7)) happens to path.
 * Owned. A user has few of these (fs.inotify.max_user_instances, 128 by default): when there are no
 * more, it is a clock that ticks twenty times a second. So what changed is never said; callers
 * look.
 */
int ct_watch(const char *path, uint32_t events, struct ct_error *err);
/* Not readable any more, until the next event. */
void ct_watch_drain(int watch_fd);

/* n random bytes as 2n lower-case hex digits and a NUL, from getrandom(2). */
void ct_random_hex(char *buffer, size_t n_bytes);

#endif
