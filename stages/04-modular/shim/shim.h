/*
 * shim.h - the process that stays with a container when everything above it is gone.
 *
 * Room:       shim. Knows one containerd and any OCI runtime; knows nothing of images or networks.
 * Called by:  main.c. containerd calls the program: runtime v2.
 * Spec:       containerd runtime/v2/README.md: `start` prints an address, `delete` cleans up after
 * a shim that has died; between them the service containerd.task.v2.Task is served there.
 *
 *   containerd --start--> shim start --fork--> shim (one thread, one loop)
 *                                                |  ttrpc: Create, Start, Kill, Delete …
 *                                                +--exec--> runc create, start, delete …
 *                                                +--parent of--> the container's processes
 *
 * The runtime leaves as soon as it has made the container; its processes become children of the
 * shim (PR_SET_CHILD_SUBREAPER), which therefore knows how they end. containerd may die and come
 * again: it finds the socket in the bundle and asks for the state.
 */
#ifndef SHIM_H
#define SHIM_H

#include "error.h"

#include <stdbool.h>

struct shim_options {
    const char *namespace;
    const char *id;             /* of the container; of the group in one that serves */
    const char *bundle;         /* a directory; NULL: the current one */
    const char *address;        /* containerd's gRPC socket */
    const char *publish_binary; /* containerd itself: publishes events where ttrpc cannot */
    bool debug;
};

/*
 * shim_start - leaves a serving shim behind and prints its address to standard output. Standard
 * input is the runtime's options (google.protobuf.Any). A container of a group that has a shim gets
 * that one's address.
 */
int shim_start(const struct shim_options *options, struct ct_error *err);

/* Serves on a listening socket (given away) until there is nothing left to do. */
int shim_serve(const struct shim_options *options, int listen_fd, struct ct_error *err);

/* Removes what a shim that was killed left behind, and prints a DeleteResponse to standard output.
 */
int shim_delete(const struct shim_options *options, struct ct_error *err);

#endif
