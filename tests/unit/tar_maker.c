/*
 * tar_maker.c - small tar archives in memory.
 *
 * Room:       tests.
 */
#include "tar_maker.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct tar_maker {
    struct archive *archive;
    struct archive_entry *entry; /* the next one */
    char *bytes;
    size_t size;
};

static la_ssize_t grow(struct archive *archive, void *context, const void *data, size_t size)
{
    struct tar_maker *maker = context;

    (void)archive;
    maker->bytes = realloc(maker->bytes, maker->size + size + 1);
    assert_non_null(maker->bytes);
    (void)memcpy(maker->bytes + maker->size, data, size);
    maker->size += size;
    return (la_ssize_t)size;
}

/* Not archive_write_add_filter(): its table would link every filter there is. */
static int add_filter(struct archive *archive, int filter)
{
    switch (filter) {
    case ARCHIVE_FILTER_GZIP:
        return archive_write_add_filter_gzip(archive);
    case ARCHIVE_FILTER_BZIP2:
        return archive_write_add_filter_bzip2(archive);
    case ARCHIVE_FILTER_XZ:
        return archive_write_add_filter_xz(archive);
    case ARCHIVE_FILTER_ZSTD:
        return archive_write_add_filter_zstd(archive);
    default:
        return ARCHIVE_OK;
    }
}

struct tar_maker *tar_new(int filter)
{
    struct tar_maker *maker = calloc(1, sizeof(*maker));

    assert_non_null(maker);
    maker->archive = archive_write_new();
    maker->entry = archive_entry_new();
    assert_int_equal(archive_write_set_format_pax_restricted(maker->archive), ARCHIVE_OK);
    assert_int_equal(
        archive_write_set_format_option(maker->archive, "pax", "xattrheader", "SCHILY"),
        ARCHIVE_OK);
    assert_int_equal(add_filter(maker->archive, filter), ARCHIVE_OK);
    assert_int_equal(archive_write_set_bytes_in_last_block(maker->archive, 1), ARCHIVE_OK);
    assert_int_equal(archive_write_open(maker->archive, maker, NULL, grow, NULL), ARCHIVE_OK);
    return maker;
}

static void put(struct tar_maker *maker, const void *data, size_t size)
{
    assert_true(archive_write_header(maker->archive, maker->entry) >= ARCHIVE_WARN);
    if (size > 0) {
        assert_int_equal(archive_write_data(maker->archive, data, size), size);
    }
    archive_entry_clear(maker->entry);
}

void tar_add(struct tar_maker *maker, mode_t mode, const char *name, const char *text)
{
    size_t size = S_ISREG(mode) && text ? strlen(text) : 0;

    archive_entry_set_pathname(maker->entry, name);
    archive_entry_set_mode(maker->entry, mode);
    archive_entry_set_size(maker->entry, (la_int64_t)size);
    if (S_ISLNK(mode)) {
        archive_entry_set_symlink(maker->entry, text);
    }
    put(maker, text, size);
}

void tar_add_bytes(struct tar_maker *maker, const char *name, const void *data, size_t size)
{
    archive_entry_set_pathname(maker->entry, name);
    archive_entry_set_mode(maker->entry, S_IFREG | 0644);
    archive_entry_set_size(maker->entry, (la_int64_t)size);
    put(maker, data, size);
}

void tar_add_hard_link(struct tar_maker *maker, const char *name, const char *target)
{
    archive_entry_set_pathname(maker->entry, name);
    archive_entry_set_mode(maker->entry, S_IFREG | 0644);
    archive_entry_set_hardlink(maker->entry, target);
    put(maker, NULL, 0);
}

void tar_next_owner(struct tar_maker *maker, long long uid, long long gid)
{
    archive_entry_set_uid(maker->entry, uid);
    archive_entry_set_gid(maker->entry, gid);
}

void tar_next_time(struct tar_maker *maker, time_t mtime)
{
    archive_entry_set_mtime(maker->entry, mtime, 0);
}

void tar_next_device(struct tar_maker *maker, unsigned major, unsigned minor)
{
    archive_entry_set_rdevmajor(maker->entry, major);
    archive_entry_set_rdevminor(maker->entry, minor);
}

void tar_next_xattr(struct tar_maker *maker, const char *name, const char *value)
{
    archive_entry_xattr_add_entry(maker->entry, name, value, strlen(value));
}

char *tar_finish(struct tar_maker *maker, size_t *ret_size)
{
    assert_int_equal(archive_write_close(maker->archive), ARCHIVE_OK);
    assert_int_equal(archive_write_free(maker->archive), ARCHIVE_OK);
    archive_entry_free(maker->entry);
    char *bytes = maker->bytes;
    *ret_size = maker->size;
    free(maker);
    return bytes;
}

int memory_fd(const void *data, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}
