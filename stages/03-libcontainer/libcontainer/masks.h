/*
 * masks.h - paths that a container cannot read, and paths that it cannot write.
 *
 * Room:       libcontainer. Called by: rootfs.c.
 * Spec:       config-linux.md, "Masked Paths", "Readonly Paths".
 */
#ifndef LC_MASKS_H
#define LC_MASKS_H

#include "error.h"

/*
 * Both take NULL-terminated vectors (or NULL) and pass over what is not there. A mask is the null
 * device over a file, an empty tmpfs over a folder. null_fd: the host's /dev/null, opened and
 * checked by the caller: what the image calls /dev/null could be anything (CVE-2025-31133).
 */
int lc_mask_paths(int root_fd, const char *const *paths, int null_fd, struct ct_error *err);
int lc_readonly_paths(int root_fd, const char *const *paths, struct ct_error *err);

#endif
