/*
 * leftover.h - what a slow client has not taken when its program has ended.
 *
 * Room:       monitor.   Called by: client.c.
 * Behind it:  leftover.c, a child process (stages 01 to 03); monitors/ of stage 04, a thread.
 */
#ifndef MONITOR_LEFTOVER_H
#define MONITOR_LEFTOVER_H

#include <sys/types.h>

struct leftover {
    int socket_fd;    /* the client */
    int spill_fd;     /* the file … */
    off_t head, tail; /* … from head to tail of which it gets */
};

/* Has it sent, and returns at once. The descriptors are given away. When nobody can be had who
 * sends it, it is lost: nothing is left that could keep it. */
void leftover_leave(struct leftover leftover);

/* Sends until all is sent, the client is gone, or it takes nothing for ten minutes. */
void leftover_send(struct leftover leftover);

#endif
