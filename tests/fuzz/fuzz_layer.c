/*
 * fuzz_layer.c - any bytes as a layer: unpacked inside its directory, or refused.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz), as root.
 *
 * Random bytes hardly ever pass a tar header's checksum. So an input that begins with an odd byte
 * is a little program: each four bytes make one entry of a kind, with a name and a target from
 * short lists that hold what hurts (links, "..", whiteouts, the canary's own path). Other inputs
 * are taken as they are. A canary beside the store must never change.
 */
#include "snapshots.h"

#include "cleanup.h"
#include "error.h"
#include "path.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char base[] = "/dev/shm/fuzz-layer-XXXXXX";
static char canary_path[64];
static struct snapshot_store *store;
static struct stat canary;

static void clean_up(void)
{
    struct ct_error err = {0};
    snapshot_store_close(store);
    (void)ct_remove_tree(AT_FDCWD, base, &err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct ct_error err = {0};
    (void)argc;
    (void)argv;
    if (!mkdtemp(base)) {
        abort();
    }
    CT_AUTO_FREE char *dir = ct_join(base, "store");
    (void)snprintf(canary_path, sizeof(canary_path), "%s/canary", base);
    if (mkdir(canary_path, 0700) < 0 || stat(canary_path, &canary) < 0) {
        abort();
    }
    store = snapshot_store_open(dir, &err);
    if (!store) {
        ct_error_print(stderr, "fuzz_layer", &err);
        abort();
    }
    (void)atexit(clean_up);
    return 0;
}

struct memory {
    const char *data;
    size_t left;
};

static ssize_t read_memory(void *context, const void **ret_data, struct ct_error *err)
{
    struct memory *memory = context;
    size_t n = memory->left;

    (void)err;
    *ret_data = memory->data;
    memory->left = 0;
    return (ssize_t)n;
}

static const char *const names[] = {
    "a",
    "b",
    "a/b",
    "a/b/c",
    "b/a",
    "./",
    ".",
    "..",
    "a/.",
    "a/..",
    ".wh.a",
    "a/.wh.b",
    ".wh...",
    ".wh..",
    ".wh.",
    ".wh..wh..opq",
    "//",
    "a//b/",
    "b/c",
    ".wh.a/b",
    "a/b/.wh..wh..opq",
    "/a",
    "c",
    NULL,
};

static const char *name_for(uint8_t byte)
{
    const char *name = names[byte % (sizeof(names) / sizeof(*names))];
    return name ? name : canary_path;
}

static void add_entry(struct archive *archive, const uint8_t step[4])
{
    static const mode_t types[] = {AE_IFREG, AE_IFDIR, AE_IFLNK, AE_IFCHR, AE_IFIFO, AE_IFREG};
    struct archive_entry *entry = archive_entry_new();
    unsigned kind = step[0] / 2 % 6;

    archive_entry_set_pathname(entry, name_for(step[1]));
    archive_entry_set_mode(entry, types[kind] | (step[3] & 07) | 0600);
    archive_entry_set_size(entry, kind == 0 ? 3 : 0);
    if (kind == 2) {
        archive_entry_set_symlink(entry, name_for(step[2]));
    } else if (kind == 5) {
        archive_entry_set_hardlink(entry, name_for(step[2]));
    }
    if (archive_write_header(archive, entry) >= ARCHIVE_WARN && kind == 0) {
        (void)archive_write_data(archive, "abc", 3);
    }
    archive_entry_free(entry);
}

/* The tar of a program; its bytes in buffer. */
static size_t run_program(const uint8_t *data, size_t size, char *buffer, size_t room)
{
    struct archive *archive = archive_write_new();
    size_t used = 0;

    (void)archive_write_set_format_pax_restricted(archive);
    (void)archive_write_open_memory(archive, buffer, room, &used);
    for (size_t i = 0; i + 4 <= size && i < 64 * 4; i += 4) {
        add_entry(archive, data + i);
    }
    (void)archive_write_close(archive);
    (void)archive_write_free(archive);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buffer[1 << 19];
    struct memory memory = {.data = (const char *)data, .left = size};
    struct ct_error err = {0};
    struct stat now;

    if (size > 0 && data[0] % 2 == 1) {
        memory.data = buffer;
        memory.left = run_program(data + 1, size - 1, buffer, sizeof(buffer));
    }
    snapshot_abandon(snapshot_stage(store, read_memory, &memory, &err));

    if (stat(canary_path, &now) < 0 || now.st_ctim.tv_nsec != canary.st_ctim.tv_nsec ||
        now.st_ctim.tv_sec != canary.st_ctim.tv_sec) {
        abort(); /* somebody touched it */
    }
    return 0;
}
