/*
 * monitors.h - the monitors of a daemon that carries them itself, each in a thread of its own.
 *
 * Room:       monitors (stage 04).   Called by: main.c of cutawayd.
 *
 * Up to stage 03 a monitor was a process, because somebody had to stay when the command or the
 * daemon went. Now that is the shim: it holds the streams and knows how the program ended. So a
 * monitor may go with its daemon, and the next daemon's takes over where it was. What a carrier
 * does: carrier.h.
 */
#ifndef MONITORS_H
#define MONITORS_H

#include "error.h"

/* Before the first monitor. Each holds some fourteen descriptors and 70 kB of memory, so from here
 * on the process may have as many as root lets it. */
int monitors_begin(struct ct_error *err);

/*
 * monitors_end - every monitor lets go of its container, which runs on, and ends. Called when no
 * request comes any more. What is under way in one is waited for: a start, or the cleaning up after
 * an end.
 */
void monitors_end(void);

#endif
