/*
 * systemd.h - what a service manager hands over, and what it wants to be told.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 * Man:        sd_listen_fds(3), sd_notify(3): both are a few lines of environment and socket, so
 *             that no library is needed.
 */
#ifndef DAEMON_SYSTEMD_H
#define DAEMON_SYSTEMD_H

/*
 * systemd_begin - takes over what the environment says of us, before anything else is opened or
 * started: nothing of it is for our children. Returns how many sockets were handed over; they are
 * descriptors SYSTEMD_FD_MIN and on.
 */
int systemd_begin(void);
#define SYSTEMD_FD_MIN 3

/* "READY=1", "STOPPING=1". Nobody to be told, or who does not listen: no error. */
void systemd_tell(const char *what);

#endif
