/*
 * netlink.h - asking the kernel for network devices and addresses: one request, and its answer.
 *
 * Room:       libcontainer. Called by: netdev.c.
 * Man:        netlink(7), rtnetlink(7).
 *
 * By the kernel's own macros and no library: libmnl has no static archive in Debian, and libnl
 * brings getaddrinfo(3) into a static program, half as much memory again for every container.
 */
#ifndef LC_NETLINK_H
#define LC_NETLINK_H

#include "error.h"

#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/* A request that is being put together. May be copied. */
struct lc_netlink {
    struct nlmsghdr header;
    char body[496];
};

/* A rtnetlink socket of the current network namespace, owned: what it is asked later is asked in
 * that one, wherever the caller is then. */
int lc_netlink_open(struct ct_error *err);

/* Begins one: type is RTM_…, flags NLM_F_… besides NLM_F_REQUEST; head is the struct that belongs
 * to the type. */
void lc_netlink_begin(struct lc_netlink *request, uint16_t type, uint16_t flags, const void *head,
                      size_t length);
/* Adds an attribute. All that is put must fit: it is of few and known sizes. */
void lc_netlink_put(struct lc_netlink *request, uint16_t type, const void *data, size_t length);

typedef void lc_netlink_visit(const struct nlmsghdr *message, void *context);

/*
 * Sends it and reads the whole answer; visit (may be NULL) sees each message of it. Returns 0; 1:
 * what was listed has changed meanwhile, the list may be wrong: ask again; -1 with the kernel's
 * errno and, where it gives one, its reason in words. ENODEV is CT_NOT_FOUND.
 */
int lc_netlink_talk(int fd, struct lc_netlink *request, lc_netlink_visit *visit, void *context,
                    struct ct_error *err);

/* An attribute of a message whose type's struct has head_length bytes; NULL: it has none. */
const struct rtattr *lc_netlink_find(const struct nlmsghdr *message, size_t head_length,
                                     uint16_t type);

#endif
