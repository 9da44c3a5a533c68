/*
 * copy.c - cp and export: tar streams between the engine and this side's files.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker cp(1): what SRC and DEST mean, slash by slash.
 * Library:    libarchive, for the tar of this side.
 *
 * On this side the user's own rights hold, and a tar that comes from a container is a stranger's:
 * it is unpacked below a directory descriptor, by libarchive's disk writer with its guards on
 * (no "..", no absolute names, no symbolic links followed).
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }
#define MODE_DIRECTORY (1u << 31) /* Go's FileMode */

/* "container:path"; a path with a slash before the colon, or "-", is this side's. */
static bool split_reference(const char *text, char **ret_container, const char **ret_path)
{
    const char *colon = strchr(text, ':');
    const char *slash = strchr(text, '/');
    if (!colon || colon == text || (slash && slash < colon)) {
        return false;
    }
    *ret_container = ct_printf("%.*s", (int)(colon - text), text);
    *ret_path = colon + 1;
    return true;
}

static bool ends_with_slash(const char *path)
{
    size_t length = strlen(path);
    return length > 0 && path[length - 1] == '/';
}

static bool means_contents(const char *path)
{
    size_t length = strlen(path);
    return strcmp(path, ".") == 0 || (length >= 2 && strcmp(path + length - 2, "/.") == 0);
}

/* The last component, or "" for "/" and "x/.". Owned. */
static char *base_name(const char *path)
{
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    return ct_strdup(strrchr(clean, '/') + 1);
}

static int refuse_archive(struct ct_error *err, struct archive *archive, const char *what)
{
    const char *said = archive_error_string(archive);
    return ct_refuse(err, CT_SYSTEM, "%s: %.120s", what, said ? said : "unknown error");
}

/* The name an entry gets here: its first component replaced by `as`. Owned; NULL: it has no place.
 */
static char *renamed(const char *name, const char *as)
{
    while (*name == '/' || strncmp(name, "./", 2) == 0) {
        name += *name == '/' ? 1 : 2;
    }
    if (!as) {
        return *name ? ct_strdup(name) : NULL;
    }
    const char *rest = strchr(name, '/');
    return ct_printf("%s%s", as, rest && rest[1] ? rest : "");
}

static int write_entry(struct archive *in, struct archive *disk, struct archive_entry *entry,
                       struct ct_error *err)
{
    const void *block;
    size_t size;
    la_int64_t offset;

    if (archive_write_header(disk, entry) < ARCHIVE_WARN) {
        return refuse_archive(err, disk, "write a copied file");
    }
    while (archive_entry_size(entry) > 0) {
        int code = archive_read_data_block(in, &block, &size, &offset);
        if (code == ARCHIVE_EOF) {
            break;
        }
        if (code < ARCHIVE_WARN) {
            return refuse_archive(err, in, "read the copy");
        }
        if (archive_write_data_block(disk, block, size, offset) < ARCHIVE_WARN) {
            return refuse_archive(err, disk, "write a copied file");
        }
    }
    return archive_write_finish_entry(disk) < ARCHIVE_WARN
               ? refuse_archive(err, disk, "write a copied file")
               : 0;
}

static int unpack_entries(struct archive *in, struct archive *disk, const char *as,
                          struct ct_error *err)
{
    struct archive_entry *entry;
    int code;

    while ((code = archive_read_next_header(in, &entry)) != ARCHIVE_EOF) {
        if (code < ARCHIVE_WARN) {
            return refuse_archive(err, in, "read the copy");
        }
        CT_AUTO_FREE char *name = renamed(archive_entry_pathname(entry), as);
        if (!name) {
            continue;
        }
        archive_entry_set_pathname(entry, name);
        if (archive_entry_hardlink(entry)) {
            CT_AUTO_FREE char *target = renamed(archive_entry_hardlink(entry), as);
            archive_entry_set_hardlink(entry, target ? target : name);
        }
        if (write_entry(in, disk, entry, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Unpacks a tar stream into directory (entered by the calling child process). as: see renamed(). */
static int unpack(int fd, const char *directory, const char *as, bool keep_owner,
                  struct ct_error *err)
{
    struct archive *in = archive_read_new();
    struct archive *disk = archive_write_disk_new();
    int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
                ARCHIVE_EXTRACT_UNLINK | (keep_owner ? ARCHIVE_EXTRACT_OWNER : 0);
    int result = -1;

    if (!in || !disk || chdir(directory) < 0) {
        (void)ct_fail(err, errno, "enter '%.200s'", directory);
    } else {
        (void)archive_read_support_format_tar(in);
        (void)archive_write_disk_set_options(disk, flags);
        result = archive_read_open_fd(in, fd, 65536) < ARCHIVE_WARN
                     ? refuse_archive(err, in, "read the copy")
                     : unpack_entries(in, disk, as, err);
    }
    if (disk && archive_write_close(disk) < ARCHIVE_WARN && result == 0) {
        result = refuse_archive(err, disk, "write a copied file");
    }
    (void)archive_write_free(disk);
    (void)archive_read_free(in);
    return result;
}

/* One file or tree of this side as a tar whose first component is `as` ("" : the contents). */
static int pack(int fd, const char *path, const char *as, bool follow, struct ct_error *err)
{
    struct archive *disk = archive_read_disk_new();
    struct archive *out = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    CT_AUTO_FREE char *clean = path[0] == '/' ? ct_path_clean(path) : NULL;
    const char *root = clean ? clean : path;
    size_t root_length = strlen(root);
    int result = 0, code;

    (void)archive_write_set_format_pax_restricted(out);
    (void)archive_write_set_bytes_per_block(out, 65536);
    /* A link that is named itself is followed with -L; those inside the tree never are. */
    (void)(follow ? archive_read_disk_set_symlink_hybrid(disk)
                  : archive_read_disk_set_symlink_physical(disk));
    (void)archive_read_disk_set_standard_lookup(disk);
    if (archive_write_open_fd(out, fd) < ARCHIVE_WARN ||
        archive_read_disk_open(disk, root) < ARCHIVE_WARN) {
        result = refuse_archive(err, disk, "read what is to be copied");
    }
    while (result == 0 && (code = archive_read_next_header2(disk, entry)) != ARCHIVE_EOF) {
        const char *name = archive_entry_pathname(entry);
        const char *rest = strlen(name) > root_length ? name + root_length : "";
        CT_AUTO_FREE char *inside = ct_printf("%s%s", as, *as ? rest : rest + (*rest == '/'));
        if (code < ARCHIVE_WARN) {
            result = refuse_archive(err, disk, "read what is to be copied");
            break;
        }
        (void)archive_read_disk_descend(disk);
        archive_entry_set_pathname(entry, *inside ? inside : ".");
        if (archive_write_header(out, entry) < ARCHIVE_WARN) {
            result = refuse_archive(err, out, "send the copy");
        }
        if (result == 0 && archive_entry_filetype(entry) == AE_IFREG &&
            archive_entry_size(entry) > 0) {
            const void *block;
            size_t size;
            la_int64_t offset;
            while ((code = archive_read_data_block(disk, &block, &size, &offset)) != ARCHIVE_EOF &&
                   result == 0) {
                if (code < ARCHIVE_WARN || archive_write_data(out, block, size) < 0) {
                    result = refuse_archive(err, code < ARCHIVE_WARN ? disk : out, "send the copy");
                }
            }
        }
    }
    if (archive_write_close(out) < ARCHIVE_WARN && result == 0) {
        result = refuse_archive(err, out, "send the copy");
    }
    archive_entry_free(entry);
    (void)archive_write_free(out);
    (void)archive_read_free(disk);
    return result;
}

/* What the child process does with its end of the pipe: one half of every copy. */
struct half {
    bool packs; /* this side is read, else written */
    const char *path, *as;
    bool follow, keep_owner;
};

/* Starts the half in a child. Its error comes back through *ret_report. */
static pid_t start_half(const struct half *half, int ends[2], int *ret_report, struct ct_error *err)
{
    int report[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        int saved = errno;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return ct_fail(err, saved, "make a pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct ct_error failure = {0};
        (void)close(ends[half->packs ? 0 : 1]);
        int result = half->packs
                         ? pack(ends[1], half->path, half->as, half->follow, &failure)
                         : unpack(ends[0], half->path, half->as, half->keep_owner, &failure);
        if (result < 0) {
            (void)ct_error_send(report[1], &failure);
        }
        _exit(result < 0);
    }
    (void)close(report[1]);
    (void)close(ends[half->packs ? 1 : 0]);
    *ret_report = report[0];
    return pid < 0 ? ct_fail(err, errno, "start a copier") : pid;
}

/* Waits for the child. Its error is told when our own half went well, or only failed for its sake.
 */
static int end_half(pid_t pid, int report, int result, struct ct_error *err)
{
    struct ct_error theirs = {0}, ignored = {0};
    int received = ct_error_receive(report, &theirs, &ignored);
    int status = 0;

    (void)close(report);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        /* again */
    }
    if (received > 0 && (result == 0 || err->sys == EPIPE)) {
        *err = theirs;
        return -1;
    }
    return result;
}

static int stat_in(struct cli *cli, const char *container, const char *path, json_t **ret,
                   struct ct_error *err)
{
    return engine_container_stat_path(cli->engine, container, path, ret, err);
}

static bool is_directory(const json_t *stat)
{
    return ((unsigned long long)ct_json_integer(stat, "mode", 0) & MODE_DIRECTORY) != 0;
}

/* Where a copy to this side goes: an existing directory takes it under its own name. */
static int local_target(const char *destination, const char *name, bool from_directory,
                        char **ret_dir, char **ret_as, struct ct_error *err)
{
    struct stat status;
    bool exists = stat(destination, &status) == 0;

    if (exists && S_ISDIR(status.st_mode)) {
        *ret_dir = ct_strdup(destination);
        *ret_as = ct_strdup(name);
        return 0;
    }
    if (exists && from_directory) {
        return ct_refuse(err, CT_INVALID, "cannot copy a directory to the file '%.200s'",
                         destination);
    }
    if (ends_with_slash(destination) && !from_directory) {
        return ct_refuse(err, CT_NOT_FOUND, "copy to '%.200s': there is no such directory",
                         destination);
    }
    CT_AUTO_FREE char *copy = ct_strdup(destination);
    while (ends_with_slash(copy) && copy[1]) {
        copy[strlen(copy) - 1] = '\0';
    }
    char *slash = strrchr(copy, '/');
    *ret_as = ct_strdup(slash ? slash + 1 : copy);
    *ret_dir =
        slash ? ct_printf("%.*s", slash == copy ? 1 : (int)(slash - copy), copy) : ct_strdup(".");
    return 0;
}

/* -L: the path that a link names instead of the link's own. Owned. */
static char *followed_path(const json_t *stat, const char *path)
{
    const char *target = ct_json_string(stat, "linkTarget", "");
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    char *slash = strrchr(clean, '/');

    if (!*target || *target == '/') {
        return ct_strdup(*target ? target : path);
    }
    slash[1] = '\0'; /* a relative target begins where the link stands */
    return ct_printf("%s%s", clean, target);
}

static int copy_out(struct cli *cli, const struct cli_args *args, const char *container,
                    const char *path, const char *destination, struct ct_error *err)
{
    CT_AUTO_JSON json_t *stat = NULL;
    CT_AUTO_FREE char *directory = NULL;
    CT_AUTO_FREE char *as = NULL;
    CT_AUTO_FREE char *name = base_name(path);
    int ends[2], report = -1;

    if (strcmp(destination, "-") == 0) {
        return engine_container_get_archive(cli->engine, container, path, STDOUT_FILENO, err);
    }
    if (stat_in(cli, container, path, &stat, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *source =
        args_bool(args, "follow-link") ? followed_path(stat, path) : ct_strdup(path);
    CT_AUTO_JSON json_t *followed = NULL;
    if (stat_in(cli, container, source, &followed, err) < 0 ||
        local_target(destination, name, is_directory(followed), &directory, &as, err) < 0) {
        return -1;
    }
    bool contents = means_contents(path) || !*name;
    struct half half = {
        .path = directory, .as = contents ? NULL : as, .keep_owner = args_bool(args, "archive")};
    if (contents && access(destination, F_OK) < 0 && mkdir(destination, 0755) < 0) {
        return ct_fail(err, errno, "make '%.200s'", destination);
    }
    if (contents) {
        half.path = destination;
    }
    pid_t pid = start_half(&half, ends, &report, err);
    if (pid < 0) {
        return -1;
    }
    int result = engine_container_get_archive(cli->engine, container, source, ends[1], err);
    (void)close(ends[1]);
    return end_half(pid, report, result, err);
}

/* Where a copy into the container goes: the directory to unpack in, and the name there. */
static int inner_target(struct cli *cli, const char *container, const char *path, const char *name,
                        bool from_directory, bool contents, char **ret_dir, char **ret_as,
                        struct ct_error *err)
{
    CT_AUTO_JSON json_t *stat = NULL;
    struct ct_error missing = {0};
    CT_AUTO_FREE char *with_slash = ct_printf("%s/", path); /* a link to a directory is one */
    int found = stat_in(cli, container, with_slash, &stat, &missing);

    if (found == 0 && is_directory(stat)) {
        *ret_dir = ct_strdup(path);
        *ret_as = ct_strdup(contents ? "" : name);
        return 0;
    }
    if (missing.kind != CT_NOT_FOUND && found < 0 && missing.sys != ENOTDIR) {
        *err = missing;
        return -1;
    }
    if (ends_with_slash(path) && !from_directory) {
        return ct_refuse(err, CT_NOT_FOUND, "copy to '%.64s:%.100s': there is no such directory",
                         container, path);
    }
    CT_AUTO_FREE char *clean = ct_path_clean(path);
    char *slash = strrchr(clean, '/');
    *ret_as = ct_strdup(slash + 1);
    *ret_dir = ct_printf("%.*s", slash == clean ? 1 : (int)(slash - clean), clean);
    return 0;
}

static int copy_in(struct cli *cli, const struct cli_args *args, const char *source,
                   const char *container, const char *path, struct ct_error *err)
{
    struct stat status;
    CT_AUTO_FREE char *directory = NULL;
    CT_AUTO_FREE char *as = NULL;
    CT_AUTO_FREE char *name = base_name(source);
    int ends[2], report = -1;

    if (strcmp(source, "-") == 0) {
        return engine_container_put_archive(cli->engine, container, path, true, STDIN_FILENO, err);
    }
    bool follow =
        args_bool(args, "follow-link") || ends_with_slash(source) || means_contents(source);
    if ((follow ? stat(source, &status) : lstat(source, &status)) < 0) {
        return ct_fail(err, errno, "copy '%.200s'", source);
    }
    if (inner_target(cli, container, path, name, S_ISDIR(status.st_mode), means_contents(source),
                     &directory, &as, err) < 0) {
        return -1;
    }
    struct half half = {.packs = true, .path = source, .as = as, .follow = follow};
    pid_t pid = start_half(&half, ends, &report, err);
    if (pid < 0) {
        return -1;
    }
    int result =
        engine_container_put_archive(cli->engine, container, directory, true, ends[0], err);
    (void)close(ends[0]);
    return end_half(pid, report, result, err);
}

static const struct cli_flag cp_flags[] = {
    {"archive", 'a', CLI_BOOL, NULL, "Archive mode (copy all uid/gid information)", NULL},
    {"follow-link", 'L', CLI_BOOL, NULL, "Always follow symbol link in SRC_PATH", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Suppress progress output during copy", NULL},
    END};
static const struct cli_flag *const cp_tables[] = {cp_flags, NULL};

static int run_cp(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_FREE char *from = NULL;
    CT_AUTO_FREE char *to = NULL;
    const char *from_path = NULL, *to_path = NULL;
    bool out = split_reference(args_at(args, 0), &from, &from_path);
    bool in = split_reference(args_at(args, 1), &to, &to_path);

    if (out && in) {
        return ct_refuse(err, CT_UNSUPPORTED, "copying between containers is not supported");
    }
    if (!out && !in) {
        return ct_refuse(err, CT_INVALID, "must specify at least one container source");
    }
    return out ? copy_out(cli, args, from, from_path, args_at(args, 1), err)
               : copy_in(cli, args, args_at(args, 0), to, to_path, err);
}

static const struct cli_flag export_flags[] = {
    {"output", 'o', CLI_TEXT, NULL, "Write to a file, instead of STDOUT", NULL}, END};
static const struct cli_flag *const export_tables[] = {export_flags, NULL};

static int run_export(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *path = args_text(args, "output", NULL);
    CT_AUTO_CLOSE int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;

    if (path && file < 0) {
        return ct_fail(err, errno, "write '%.200s'", path);
    }
    if (!path && isatty(STDOUT_FILENO)) {
        return ct_refuse(err, CT_INVALID,
                         "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    int result =
        engine_container_export(cli->engine, args_at(args, 0), path ? file : STDOUT_FILENO, err);
    if (result < 0 && path) {
        (void)unlink(path); /* half an archive is none */
    }
    return result;
}

const struct cli_command cli_container_cp = {
    "cp",
    "CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
    "Copy files/folders between a container and the local filesystem",
    2,
    2,
    cp_tables,
    false,
    false,
    1,
    run_cp};
const struct cli_command cli_container_export = {
    "export",  "CONTAINER", "Export a container's filesystem as a tar archive",
    1,         1,           export_tables,
    false,     false,       1,
    run_export};
