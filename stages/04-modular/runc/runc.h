/*
 * runc.h - cutaway-runc's command line: the OCI runtime's commands over libcontainer.
 *
 * Room:       runc. Translates words into calls of libcontainer.h, and what comes back into words.
 * Called by:  main.c; tests of the command line.
 * Spec:       the command line of runc 1.1, which containerd, Docker, podman and buildah call.
 */
#ifndef RUNC_H
#define RUNC_H

/*
 * runc_main - runs one command line. Returns the exit code: 0; 1 when something failed, which is
 * then told on standard error and in the log; 3 for a command that does not exist; of `run` and
 * `exec` in the foreground the program's own, and 255 when `exec` itself failed.
 */
int runc_main(int argc, char **argv);

#endif
