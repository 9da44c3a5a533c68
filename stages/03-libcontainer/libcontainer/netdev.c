/*
 * netdev.c - network devices of the host that move into a container, and its loopback.
 *
 * Room:       libcontainer.   Called by: see netdev.h.
 *
 * Two sockets, one in each network namespace, do all of it: we ourselves are in the container's
 * only while the second one is opened.
 */
#define CT_LAYER "netdev"
#include "netdev.h"

#include "fields.h"
#include "netlink.h"

#include "cleanup.h"
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- the configuration ---- */

/* As the kernel has it (dev_valid_name()); and no '%', which asks for a number in its place. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    for (const char *c = name; *c; c++) {
        if (*c == '/' || *c == ':' || *c == '%' || isspace((unsigned char)*c) ||
            iscntrl((unsigned char)*c)) {
            return false;
        }
    }
    return true;
}

static int parse_device(const char *host_name, const json_t *value, struct lc_netdev *ret,
                        struct ct_error *err)
{
    char where[LC_WHERE];

    *ret = (struct lc_netdev){.host_name = host_name, .name = host_name};
    if (!is_name(host_name)) {
        return ct_refuse(err, CT_INVALID, "linux.netDevices: '%.40s' is no name of a device",
                         host_name);
    }
    (void)snprintf(where, sizeof(where), "linux.netDevices.%s", host_name);
    if (lc_field_is_object(value, where, err) < 0 ||
        lc_field_string(value, where, "name", &ret->name, err) < 0) {
        return -1;
    }
    if (!*ret->name) {
        ret->name = host_name;
    }
    if (!is_name(ret->name)) {
        return ct_refuse(err, CT_INVALID, "%s.name: '%.40s' is no name of a device", where,
                         ret->name);
    }
    return 0;
}

int lc_netdevs_parse(const json_t *net_devices, struct pool *pool, const struct lc_netdev **ret,
                     size_t *ret_n, struct ct_error *err)
{
    struct lc_netdev *devices = pool_array(pool, json_object_size(net_devices), sizeof(*devices));
    const char *host_name;
    json_t *value;
    size_t n = 0;

    if (net_devices && !json_is_object(net_devices)) {
        return ct_refuse(err, CT_INVALID, "linux.netDevices: it must be an object");
    }
    json_object_foreach((json_t *)net_devices, host_name, value)
    {
        if (parse_device(host_name, value, &devices[n], err) < 0) {
            return -1;
        }
        for (size_t i = 0; i < n; i++) {
            if (strcmp(devices[i].name, devices[n].name) == 0) {
                return ct_refuse(err, CT_INVALID,
                                 "linux.netDevices: '%s' and '%s' are both to be '%s'",
                                 devices[i].host_name, host_name, devices[n].name);
            }
        }
        n++;
    }
    *ret = devices;
    *ret_n = n;
    return 0;
}

/* ---- one side ---- */

/* A network namespace, and a socket in it. */
struct side {
    int netns, socket;
};

/* Requests that give a device its addresses, wherever it is; its number there is put in then. */
struct addresses {
    struct lc_netlink *list;
    size_t n, room;
    int index; /* of the device that is listened for */
};

static void visit_link(const struct nlmsghdr *message, void *context)
{
    if (message->nlmsg_type == RTM_NEWLINK) {
        memcpy(context, NLMSG_DATA(message), sizeof(struct ifinfomsg));
    }
}

/* Number and flags of the device with this name. */
static int find(const struct side *side, const char *name, struct ifinfomsg *ret,
                struct ct_error *err)
{
    const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
    struct lc_netlink request;

    lc_netlink_begin(&request, RTM_GETLINK, 0, &any, sizeof(any));
    lc_netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    return lc_netlink_talk(side->socket, &request, visit_link, ret, err) < 0 ? -1 : 0;
}

/* Keeps the permanent global ones: others came from the network, and will again. */
static void visit_address(const struct nlmsghdr *message, void *context)
{
    static const uint16_t kept[] = {IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY};
    const uint32_t wishes = IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR |
                            IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN; /* the rest is its state */
    struct addresses *addresses = context;
    struct ifaddrmsg head;

    if (message->nlmsg_type != RTM_NEWADDR) {
        return;
    }
    memcpy(&head, NLMSG_DATA(message), sizeof(head));
    const struct rtattr *all_flags = lc_netlink_find(message, sizeof(head), IFA_FLAGS);
    uint32_t flags = head.ifa_flags;
    if (all_flags) {
        memcpy(&flags, RTA_DATA(all_flags), sizeof(flags));
    }
    if ((int)head.ifa_index != addresses->index || !(flags & IFA_F_PERMANENT) ||
        head.ifa_scope != RT_SCOPE_UNIVERSE) {
        return;
    }
    if (addresses->n == addresses->room) {
        addresses->room = addresses->room ? 2 * addresses->room : 4;
        addresses->list = reallocarray(addresses->list, addresses->room, sizeof(*addresses->list));
        if (!addresses->list) {
            abort(); /* as lib does */
        }
    }
    struct lc_netlink *again = &addresses->list[addresses->n++];
    head.ifa_flags = 0; /* IFA_FLAGS has them all */
    flags &= wishes;
    lc_netlink_begin(again, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
    lc_netlink_put(again, IFA_FLAGS, &flags, sizeof(flags));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        const struct rtattr *attribute = lc_netlink_find(message, sizeof(head), kept[i]);
        if (attribute && RTA_PAYLOAD(attribute) <= sizeof(struct in6_addr)) {
            lc_netlink_put(again, kept[i], RTA_DATA(attribute), RTA_PAYLOAD(attribute));
        }
    }
}

static int read_addresses(const struct side *side, int index, struct addresses *ret,
                          struct ct_error *err)
{
    const struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
    struct lc_netlink request;
    int again = 1;

    ret->index = index;
    while (again > 0) {
        ret->n = 0;
        lc_netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any));
        again = lc_netlink_talk(side->socket, &request, visit_address, ret, err);
    }
    return again;
}

static int add_addresses(const struct side *side, int index, struct addresses *addresses,
                         struct ct_error *err)
{
    for (size_t i = 0; i < addresses->n; i++) {
        struct ifaddrmsg *head = (struct ifaddrmsg *)(void *)addresses->list[i].body;
        head->ifa_index = (unsigned)index;
        if (lc_netlink_talk(side->socket, &addresses->list[i], NULL, NULL, err) < 0) {
            return ct_while(err, "add an address");
        }
    }
    return 0;
}

static int set_up(const struct side *side, int index, struct ct_error *err)
{
    const struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct lc_netlink request;

    lc_netlink_begin(&request, RTM_NEWLINK, 0, &up, sizeof(up));
    return lc_netlink_talk(side->socket, &request, NULL, NULL, err) < 0
               ? ct_while(err, "switch it on")
               : 0;
}

/* The kernel switches it off and takes its addresses and routes away. */
static int send_to(const struct side *from, const struct side *to, int index, const char *name,
                   struct ct_error *err)
{
    const struct ifinfomsg head = {.ifi_index = index};
    struct lc_netlink request;

    lc_netlink_begin(&request, RTM_NEWLINK, 0, &head, sizeof(head));
    lc_netlink_put(&request, IFLA_NET_NS_FD, &to->netns, sizeof(to->netns));
    lc_netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    return lc_netlink_talk(from->socket, &request, NULL, NULL, err) < 0 ? -1 : 0;
}

/* ---- from one side to the other ---- */

/* A device on its way. */
struct journey {
    const struct lc_netdev *device;
    bool has_begun, has_arrived;
    struct ifinfomsg before;
    struct addresses addresses;
};

static int move(struct journey *journey, const struct side *home, const struct side *away,
                struct ct_error *err)
{
    const struct lc_netdev *device = journey->device;
    struct ifinfomsg after = {0};

    if (find(home, device->host_name, &journey->before, err) < 0 ||
        read_addresses(home, journey->before.ifi_index, &journey->addresses, err) < 0) {
        return -1;
    }
    journey->has_begun = true;
    if (send_to(home, away, journey->before.ifi_index, device->name, err) < 0) {
        return -1;
    }
    journey->has_arrived = true;
    if (find(away, device->name, &after, err) < 0 ||
        add_addresses(away, after.ifi_index, &journey->addresses, err) < 0 ||
        set_up(away, after.ifi_index, err) < 0) {
        return -1;
    }
    return 0;
}

/*
 * Undoes move(), as far as it came. When the name was taken inside, the kernel has moved the device
 * before it says so, and left it its old name.
 */
static int bring_back(struct journey *journey, const struct side *home, const struct side *away,
                      struct ct_error *err)
{
    const struct lc_netdev *device = journey->device;
    struct ifinfomsg now = {0};
    bool is_home = !journey->has_arrived && find(home, device->host_name, &now, err) == 0;

    if (!is_home &&
        (find(away, journey->has_arrived ? device->name : device->host_name, &now, err) < 0 ||
         send_to(away, home, now.ifi_index, device->host_name, err) < 0 ||
         find(home, device->host_name, &now, err) < 0)) {
        return -1;
    }
    if (add_addresses(home, now.ifi_index, &journey->addresses, err) < 0) {
        return -1;
    }
    return journey->before.ifi_flags & IFF_UP ? set_up(home, now.ifi_index, err) : 0;
}

static int move_all(struct journey *journeys, size_t n, const struct side *home,
                    const struct side *away, struct ct_error *err)
{
    size_t i = 0;

    while (i < n && move(&journeys[i], home, away, err) == 0) {
        i++;
    }
    if (i == n) {
        return 0;
    }
    (void)ct_while(err, "move network device '%s' into the container as '%s'",
                   journeys[i].device->host_name, journeys[i].device->name);
    for (size_t back = i + 1; back-- > 0;) {
        struct ct_error lost = {0};
        char line[512];
        if (journeys[back].has_begun && bring_back(&journeys[back], home, away, &lost) < 0) {
            ct_warn("bring network device '%s' back: %s", journeys[back].device->host_name,
                    ct_error_render(&lost, line, sizeof(line)));
        }
    }
    return -1;
}

/* A socket in the container's namespace. We are home again when this returns. */
static int open_away(const struct side *home, struct side *away, struct ct_error *err)
{
    if (setns(away->netns, CLONE_NEWNET) < 0) {
        return ct_fail(err, errno, "enter the container's network namespace");
    }
    away->socket = lc_netlink_open(err);
    if (setns(home->netns, CLONE_NEWNET) < 0) {
        abort(); /* going on in a stranger's network namespace would be worse */
    }
    return away->socket < 0 ? -1 : 0;
}

static int open_sides(pid_t pid, struct side *home, struct side *away, struct ct_error *err)
{
    struct stat ours, theirs;
    char path[48];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    home->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    away->netns = open(path, O_RDONLY | O_CLOEXEC);
    if (home->netns < 0 || away->netns < 0 || fstat(home->netns, &ours) < 0 ||
        fstat(away->netns, &theirs) < 0) {
        return ct_fail(err, errno, "open the network namespaces");
    }
    if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) {
        return ct_refuse(err, CT_INVALID,
                         "use linux.netDevices: the container has no network namespace of its own");
    }
    home->socket = lc_netlink_open(err);
    return home->socket < 0 ? -1 : open_away(home, away, err);
}

static void close_side(const struct side *side)
{
    ct_cleanup_close(&side->socket);
    ct_cleanup_close(&side->netns);
}

int lc_netdevs_move(const struct lc_netdev *devices, size_t n, pid_t pid, struct ct_error *err)
{
    struct side home = {-1, -1}, away = {-1, -1};

    if (n == 0) {
        return 0;
    }
    struct journey *journeys = calloc(n, sizeof(*journeys));
    if (!journeys) {
        return ct_fail(err, ENOMEM, "move network devices");
    }
    for (size_t i = 0; i < n; i++) {
        journeys[i].device = &devices[i];
    }
    int result = open_sides(pid, &home, &away, err);
    result = result < 0 ? -1 : move_all(journeys, n, &home, &away, err);
    for (size_t i = 0; i < n; i++) {
        free(journeys[i].addresses.list);
    }
    free(journeys);
    close_side(&away);
    close_side(&home);
    return result;
}

int lc_loopback_up(struct ct_error *err)
{
    struct ifreq request = {.ifr_name = "lo"};
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* any family will do */

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
        return ct_fail(err, errno, "find the network device 'lo'");
    }
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) {
        return ct_fail(err, errno, "switch on the network device 'lo'");
    }
    return 0;
}
