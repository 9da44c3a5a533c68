/*
 * tar_maker.h - small tar archives in memory, honest and hostile, for tests.
 *
 * Room:       tests.
 * Called by:  test_snapshots.c, test_images.c, test_upper.c.
 */
#ifndef TAR_MAKER_H
#define TAR_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tar_maker; /* opaque */

/* filter: 0, or an ARCHIVE_FILTER_* of libarchive. Every call asserts that it works. */
struct tar_maker *tar_new(int filter);

/* One entry of any type (S_IFREG …) with any name; text: contents, or where a symlink points. */
void tar_add(struct tar_maker *maker, mode_t mode, const char *name, const char *text);
void tar_add_bytes(struct tar_maker *maker, const char *name, const void *data, size_t size);
void tar_add_hard_link(struct tar_maker *maker, const char *name, const char *target);
/* The next entry only: owner, time, device, xattr. */
void tar_next_owner(struct tar_maker *maker, long long uid, long long gid);
void tar_next_time(struct tar_maker *maker, time_t mtime);
void tar_next_device(struct tar_maker *maker, unsigned major, unsigned minor);
void tar_next_xattr(struct tar_maker *maker, const char *name, const char *value);

/* Ends the archive and gives its bytes (owned by the caller). */
char *tar_finish(struct tar_maker *maker, size_t *ret_size);

/* A descriptor of a memory file with these bytes, at its beginning. */
int memory_fd(const void *data, size_t size);

#endif
