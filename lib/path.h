/*
 * path.h - paths that strangers control: everything inside a root file system goes through here.
 *
 * Room:       lib. Called by: snapshots, volumes, engine (cp, export), execdriver (diagnosis).
 * Man:        openat2(2). The kernel resolves below root_fd with RESOLVE_IN_ROOT and
 *             RESOLVE_NO_MAGICLINKS: no "..", absolute symlink or /proc link can leave it, also
 *             while somebody renames directories (CVE-2018-15664, CVE-2021-30465).
 */
#ifndef CT_PATH_H
#define CT_PATH_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Opens a directory for use as root_fd: O_PATH | O_DIRECTORY | O_CLOEXEC. -1: CT_NOT_FOUND, … */
int ct_root_open(const char *path, struct ct_error *err);

/* As open(2) inside the root; path is taken as absolute whatever it starts with. O_CLOEXEC is
 * added. */
int ct_root_openat(int root_fd, const char *path, int flags, mode_t mode, struct ct_error *err);

/*
 * ct_root_parent - opens the directory that holds the last component of path, for *at() calls
 * that must not follow that component. ret_name (owned by the caller) is the component, never
 * "", "." or ".."; for "/" itself it is CT_INVALID. Returns an O_PATH descriptor or -1.
 */
int ct_root_parent(int root_fd, const char *path, char **ret_name, struct ct_error *err);

/*
 * ct_root_mkdirs - makes path and missing parents (mode as given, owner uid:gid for those made).
 * Existing directories are left as they are. Symlinks are followed inside the root, as the
 * container itself would follow them. Returns an O_PATH descriptor of the last, or -1.
 */
int ct_root_mkdirs(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                   struct ct_error *err);

/* Makes an empty file at path if nothing is there (for bind targets). Returns an O_PATH fd or -1.
 */
int ct_root_touch(int root_fd, const char *path, mode_t mode, struct ct_error *err);

/* mkdir -p on the host, for our own directories: new ones get mode. Returns an O_RDONLY directory
 * fd. */
int ct_mkdirs(const char *path, mode_t mode, struct ct_error *err);

/*
 * ct_remove_tree - rm -rf of name below dir_fd. Never follows symlinks, never crosses into
 * another mount (CT_CONFLICT instead: something is mounted there). A missing name is no error.
 */
int ct_remove_tree(int dir_fd, const char *name, struct ct_error *err);

/* The sum of allocated bytes below name (hard links once), not crossing mounts. -1 on failure. */
long long ct_tree_size_bytes(int dir_fd, const char *name, struct ct_error *err);

/* "/a/b" + "c" -> "/a/b/c"; printf into a fresh string. Owned by the caller; abort when memory is
 * out. */
char *ct_join(const char *a, const char *b);
char *ct_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *ct_strdup(const char *text);

/* Lexically cleaned absolute path as Go's path.Clean("/" + path): no ".", "..", "//". Owned. */
char *ct_path_clean(const char *path);

/* The same for a path that may be relative to the current directory. Owned; NULL: there is none. */
char *ct_path_absolute(const char *path, struct ct_error *err);

/* "/proc/self/fd/N" for calls that take only a path (mount(2), exec). buffer holds 32 bytes. */
const char *ct_fd_path(int fd, char buffer[static 32]);

#endif
