/*
 * relay.h - joins a client's connection and a program's stream.
 *
 * Room:       lib.   Called by: daemon (connections that stop being HTTP), engine (attach behind a
 *             log).
 * Man:        shutdown(2): the end of one direction is passed on, and the other goes on.
 */
#ifndef CT_RELAY_H
#define CT_RELAY_H

/*
 * ct_relay - passes bytes on, both ways, until the program's side has ended and all of it is sent,
 * the client is gone, or cancel_fd (-1: none) is readable. Two sockets, which stay the caller's. A
 * client that does not read makes the program's side wait; a program that does not read loses what
 * the client sends when it has closed, and never keeps the client from what it prints.
 */
void ct_relay(int client_fd, int program_fd, int cancel_fd);

#endif
