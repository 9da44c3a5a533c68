/*
 * sysinit_bytes.h - the program sysinit, carried inside this one (sysinit_bytes.S).
 *
 * Room:       execdriver/lxc. Called by: launch.c.
 */
#ifndef LXC_SYSINIT_BYTES_H
#define LXC_SYSINIT_BYTES_H

extern const char sysinit_bytes[], sysinit_bytes_end[];

#endif
