/*
 * copy_up.h - "tmpcopyup": what the image has below a tmpfs shows in it.
 *
 * Room:       libcontainer. Called by: mounting.c.
 * Spec:       config.md, "Linux mount options", tmpcopyup.
 */
#ifndef LC_COPY_UP_H
#define LC_COPY_UP_H

#include "error.h"

/* Copies what is in the folder from_fd into the folder to_fd: folders, files, symlinks, devices and
 * FIFOs, with owners and modes. Sockets are left out. Both may be O_PATH descriptors. */
int lc_copy_up(int from_fd, int to_fd, struct ct_error *err);

#endif
