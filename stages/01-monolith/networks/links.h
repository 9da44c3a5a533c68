/*
 * links.h - what link.c shares with namespace.c: sockets of rtnetlink in a given namespace.
 *
 * Room:       networks; included by link.c and namespace.c only.
 */
#ifndef NETWORKS_LINKS_H
#define NETWORKS_LINKS_H

#include "error.h"

struct nl_sock;

/* Owned (nl_socket_free). netns_fd -1: where we are. */
struct nl_sock *netlink_open(int netns_fd, struct ct_error *err);
int link_set_up(struct nl_sock *sock, const char *name, struct ct_error *err);

#endif
