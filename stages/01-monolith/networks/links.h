/*
 * links.h - being in another network namespace for a moment, and sockets of rtnetlink there.
 *
 * Room:       networks; included by link.c, namespace.c and resolver.c only.
 */
#ifndef NETWORKS_LINKS_H
#define NETWORKS_LINKS_H

#include "error.h"

struct nl_sock;

/*
 * netns_enter - from here to netns_leave() the calling thread is in that network namespace. Returns
 * the way home, for netns_leave(), which never fails.
 */
int netns_enter(int netns_fd, struct ct_error *err);
void netns_leave(int home_fd);

/* Owned (nl_socket_free). netns_fd -1: where we are. */
struct nl_sock *netlink_open(int netns_fd, struct ct_error *err);
int link_set_up(struct nl_sock *sock, const char *name, struct ct_error *err);

#endif
