/*
 * netlink.c - one request to rtnetlink, and its answer.
 *
 * Room:       libcontainer.   Called by: see netlink.h.
 */
#define CT_LAYER "netlink"
#include "netlink.h"

#include "cleanup.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768 /* what the kernel puts into one datagram of a list at most */

int lc_netlink_open(struct ct_error *err)
{
    const int on = 1;
    CT_AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0) {
        return ct_fail(err, errno, "open a netlink socket");
    }
    /* A refusal with its reason in words, and without a copy of our request before them. Kernels
     * that cannot give no reason. */
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    return ct_steal_fd(&fd);
}

void lc_netlink_begin(struct lc_netlink *request, uint16_t type, uint16_t flags, const void *head,
                      size_t length)
{
    assert(length <= sizeof(request->body));
    *request = (struct lc_netlink){0};
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
    memcpy(request->body, head, length);
}

void lc_netlink_put(struct lc_netlink *request, uint16_t type, const void *data, size_t length)
{
    size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
    const struct rtattr attribute = {.rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(length)};

    assert(at + RTA_SPACE(length) <= sizeof(*request));
    memcpy((char *)request + at, &attribute, sizeof(attribute));
    memcpy((char *)request + at + RTA_LENGTH(0), data, length);
    request->header.nlmsg_len = (uint32_t)(at + RTA_LENGTH(length));
}

const struct rtattr *lc_netlink_find(const struct nlmsghdr *message, size_t head_length,
                                     uint16_t type)
{
    size_t at = NLMSG_SPACE(head_length);

    while (at + sizeof(struct rtattr) <= message->nlmsg_len) {
        const struct rtattr *attribute =
            (const struct rtattr *)(const void *)((const char *)message + at);
        if (attribute->rta_len < sizeof(*attribute) ||
            attribute->rta_len > message->nlmsg_len - at) {
            break;
        }
        if ((attribute->rta_type & NLA_TYPE_MASK) == type) {
            return attribute;
        }
        at += RTA_ALIGN(attribute->rta_len);
    }
    return NULL;
}

/* Of NLMSG_ERROR, which also says that all went well. */
static int judge(const struct nlmsghdr *message, struct ct_error *err)
{
    const struct nlmsgerr *answer = NLMSG_DATA(message);

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*answer))) {
        return ct_fail(err, EPROTO, "read the kernel's answer");
    }
    if (answer->error == 0) {
        return 0;
    }
    const struct rtattr *reason = message->nlmsg_flags & NLM_F_ACK_TLVS
                                      ? lc_netlink_find(message, sizeof(*answer), NLMSGERR_ATTR_MSG)
                                      : NULL;
    if (reason) {
        (void)ct_fail(err, -answer->error, "%.*s", (int)RTA_PAYLOAD(reason),
                      (const char *)RTA_DATA(reason));
    } else {
        (void)ct_fail(err, -answer->error, "the kernel refuses it");
    }
    err->kind = answer->error == -ENODEV ? CT_NOT_FOUND : err->kind;
    return -1;
}

/* A request, and what is done with its answer. */
struct exchange {
    const struct lc_netlink *request;
    lc_netlink_visit *visit;
    void *context;
    int changed; /* 1: what was listed is not of one moment */
};

/* The messages of one datagram that answer the request. Returns 1 when more must come. */
static int read_messages(struct exchange *exchange, const char *datagram, size_t length,
                         struct ct_error *err)
{
    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length;) {
        const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)(datagram + at);
        if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > length - at) {
            return ct_fail(err, EPROTO, "read the kernel's answer");
        }
        at += NLMSG_ALIGN(message->nlmsg_len);
        if (message->nlmsg_seq != exchange->request->header.nlmsg_seq) {
            continue;
        }
        if (message->nlmsg_flags & NLM_F_DUMP_INTR) {
            exchange->changed = 1;
        }
        if (message->nlmsg_type == NLMSG_ERROR) {
            return judge(message, err);
        }
        if (message->nlmsg_type == NLMSG_DONE) {
            return 0;
        }
        if (exchange->visit) {
            exchange->visit(message, exchange->context);
        }
    }
    return 1;
}

int lc_netlink_talk(int fd, struct lc_netlink *request, lc_netlink_visit *visit, void *context,
                    struct ct_error *err)
{
    static uint32_t serial;
    _Alignas(struct nlmsghdr) char datagram[ANSWER_BYTES];
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct exchange exchange = {request, visit, context, 0};

    request->header.nlmsg_flags |= NLM_F_ACK; /* a list has an end of its own, and sends none */
    request->header.nlmsg_seq = ++serial;
    if (sendto(fd, request, request->header.nlmsg_len, 0, (const struct sockaddr *)&kernel,
               sizeof(kernel)) < 0) {
        return ct_fail(err, errno, "ask the kernel");
    }
    for (;;) {
        struct sockaddr_nl sender = {0};
        socklen_t sender_size = sizeof(sender);
        /* The kernel has answered before sendto(2) came back: there is nothing to wait for. */
        ssize_t n = recvfrom(fd, datagram, sizeof(datagram), MSG_DONTWAIT | MSG_TRUNC,
                             (struct sockaddr *)&sender, &sender_size);
        if (n < 0 || (size_t)n > sizeof(datagram)) {
            return ct_fail(err, n < 0 ? errno : EMSGSIZE, "read the kernel's answer");
        }
        if (sender.nl_pid != 0) {
            continue; /* not from the kernel */
        }
        int more = read_messages(&exchange, datagram, (size_t)n, err);
        if (more <= 0) {
            return more < 0 ? -1 : exchange.changed;
        }
    }
}
