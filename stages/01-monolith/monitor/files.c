/*
 * files.c - the three files that we write for a container: hosts, hostname, resolv.conf.
 *
 * Room:       monitor.   Called by: run.c (before the mounts, and when networks changed).
 *
 * They are bind-mounted, so a new content goes into the old inode: a rename would not be seen
 * inside. A reader may meet a half-written file for an instant, as with Docker.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1 << 20)

static int write_in_place(int dir_fd, const char *name, const char *content, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd =
        openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0 || ct_write_all(fd, content, strlen(content)) < 0) {
        return ct_fail(err, errno, "write '%s'", name);
    }
    return 0;
}

/* The host's own file, and --add-host's lines. */
static char *host_hosts(const json_t *extra, struct ct_error *err)
{
    CT_AUTO_FREE char *own = NULL;
    size_t i;
    json_t *entry;

    if (ct_read_file_at(AT_FDCWD, "/etc/hosts", FILE_MAX_BYTES, &own, err) < 0) {
        return NULL;
    }
    json_array_foreach((json_t *)extra, i, entry)
    { /* "name:address" */
        const char *text = json_string_value(entry) ? json_string_value(entry) : "";
        const char *colon = strchr(text, ':');
        if (colon) {
            char *longer = ct_printf("%s%s\t%.*s\n", own, colon + 1, (int)(colon - text), text);
            free(own);
            own = longer;
        }
    }
    return ct_steal(own);
}

/* Who answers the container's questions for names. networks: by name. */
static enum network_resolver choose_resolver(const json_t *record, const json_t *networks)
{
    const char *name;
    json_t *endpoint;

    if (spec_network_is(record, "host")) {
        return NETWORK_RESOLVER_HOST;
    }
    json_object_foreach((json_t *)networks, name, endpoint)
    {
        if (network_has_names(ct_json_string(endpoint, "Network", name))) {
            return NETWORK_RESOLVER_CONTAINERS;
        }
    }
    return NETWORK_RESOLVER_UPSTREAM;
}

static int write_ours(const struct container *container, const json_t *endpoints,
                      struct ct_error *err)
{
    const json_t *record = container->config;
    const json_t *host = json_object_get(record, "HostConfig");
    const json_t *extra = json_object_get(host, "ExtraHosts");
    bool host_network = spec_network_is(record, "host");
    const char *hostname = spec_hostname(record);
    enum network_resolver resolver =
        choose_resolver(record, endpoints ? endpoints : json_object_get(record, "Networks"));
    CT_AUTO_FREE char *resolv = network_resolv_conf(host, resolver, err);
    CT_AUTO_FREE char *hosts =
        !resolv        ? NULL
        : host_network ? host_hosts(extra, err)
                       : network_hosts(hostname, ct_json_string(record, "Config.Domainname", ""),
                                       endpoints, extra, err);
    CT_AUTO_FREE char *name = ct_printf("%s\n", hostname);

    if (!hosts || write_in_place(container->dir_fd, "resolv.conf", resolv, err) < 0 ||
        write_in_place(container->dir_fd, "hosts", hosts, err) < 0) {
        return -1;
    }
    return write_in_place(container->dir_fd, "hostname", name, err);
}

/* Of the container whose network is shared. */
static int copy_theirs(const struct monitor *monitor, const char *reference, struct ct_error *err)
{
    static const char *const names[] = {"resolv.conf", "hosts", "hostname"};
    struct container *other = container_find(monitor->containers, reference, err);
    int result = other ? 0 : -1;

    for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        CT_AUTO_FREE char *content = NULL;
        if (ct_read_file_at(other->dir_fd, names[i], FILE_MAX_BYTES, &content, err) < 0 ||
            write_in_place(monitor->container->dir_fd, names[i], content, err) < 0) {
            result = -1;
        }
    }
    container_free(other);
    return result;
}

int files_write(const struct monitor *monitor, const json_t *endpoints, struct ct_error *err)
{
    const char *joined = spec_joined(monitor->container->config);
    int result =
        joined ? copy_theirs(monitor, joined, err) : write_ours(monitor->container, endpoints, err);
    return result < 0 ? ct_while(err, "write the container's network files") : 0;
}
