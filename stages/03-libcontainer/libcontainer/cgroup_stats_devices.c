/*
 * cgroup_stats_devices.c - the figures that are told by device or by size: block I/O, huge pages,
 * rdma.
 *
 * Room:       libcontainer.   Called by: cgroup_stats.c.
 * Spec:       runc's types/events.go; kernel Documentation/admin-guide/cgroup-v2.rst ("io.stat"),
 *             cgroup-v1/blkio-controller.rst, hugetlb.rst, rdma.rst.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(struct lc_group *group, const char *file)
{
    struct ct_error ignored = {0};

    return lc_group_read(group, group->path, file, &ignored);
}

/* ---- block I/O ------------------------------------------------------------------------------ */

static void add_entry(json_t *list, unsigned major, unsigned minor, const char *operation,
                      uint64_t value)
{
    json_t *entry = json_object();

    ct_json_set(entry, "major", json_integer(major));
    ct_json_set(entry, "minor", json_integer(minor));
    if (*operation) {
        ct_json_set_string(entry, "op", operation);
    }
    ct_json_set(entry, "value", json_integer((json_int_t)value));
    ct_json_append(list, entry);
}

/* v1: "8:0 Read 4096", or "8:0 4096" where there is one number a device; "Total 4096" at the end.
 */
static json_t *parse_v1(const char *text)
{
    json_t *list = json_array();

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        unsigned major = 0, minor = 0;
        char operation[16] = "";
        uint64_t value = 0;
        line += *line == '\n';
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "%u:%u %15[A-Za-z] %" SCNu64, &major, &minor, operation, &value) == 4) {
            add_entry(list, major, minor, operation, value);
            /* NOLINTNEXTLINE(cert-err34-c) */
        } else if (sscanf(line, "%u:%u %" SCNu64, &major, &minor, &value) == 3) {
            add_entry(list, major, minor, "", value);
        }
    }
    return list;
}

/* Who schedules keeps the figures: BFQ, formerly CFQ, or else the throttling layer. The first that
 * has any counts. */
static void add_blkio(json_t *stats, struct lc_group *group, const char *key,
                      const char *const files[static 4])
{
    for (size_t i = 0; i < 4 && files[i]; i++) {
        CT_AUTO_FREE char *text = text_of(group, files[i]);
        CT_AUTO_JSON json_t *list = parse_v1(text);
        if (json_array_size(list) > 0) {
            ct_json_set(stats, key, ct_steal(list));
            return;
        }
    }
}

static void add_io_v1(json_t *stats, struct lc_group *group)
{
    static const struct {
        const char *key;
        const char *files[4];
    } figures[] = {
        {"ioServiceBytesRecursive",
         {"blkio.bfq.io_service_bytes_recursive", "blkio.io_service_bytes_recursive",
          "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"}},
        {"ioServicedRecursive",
         {"blkio.bfq.io_serviced_recursive", "blkio.io_serviced_recursive",
          "blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"}},
        {"ioQueueRecursive", {"blkio.bfq.io_queued_recursive", "blkio.io_queued_recursive"}},
        {"ioServiceTimeRecursive",
         {"blkio.bfq.io_service_time_recursive", "blkio.io_service_time_recursive"}},
        {"ioWaitTimeRecursive",
         {"blkio.bfq.io_wait_time_recursive", "blkio.io_wait_time_recursive"}},
        {"ioMergedRecursive", {"blkio.bfq.io_merged_recursive", "blkio.io_merged_recursive"}},
        {"ioTimeRecursive", {"blkio.bfq.time_recursive", "blkio.time_recursive"}},
        {"sectorsRecursive", {"blkio.bfq.sectors_recursive", "blkio.sectors_recursive"}},
    };

    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        add_blkio(stats, group, figures[i].key, figures[i].files);
    }
}

/* v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0", one line a device. */
static void add_io_v2(json_t *stats, struct lc_group *group)
{
    CT_AUTO_FREE char *text = text_of(group, "io.stat");
    json_t *bytes = json_array(), *count = json_array();
    char *position = NULL;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        unsigned major = 0, minor = 0;
        uint64_t read = 0, written = 0, reads = 0, writes = 0;
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line,
                   "%u:%u rbytes=%" SCNu64 " wbytes=%" SCNu64 " rios=%" SCNu64 " wios=%" SCNu64,
                   &major, &minor, &read, &written, &reads, &writes) == 6) {
            add_entry(bytes, major, minor, "Read", read);
            add_entry(bytes, major, minor, "Write", written);
            add_entry(count, major, minor, "Read", reads);
            add_entry(count, major, minor, "Write", writes);
        }
    }
    lc_stats_set_list(stats, "ioServiceBytesRecursive", bytes);
    lc_stats_set_list(stats, "ioServicedRecursive", count);
}

/* ---- huge pages ----------------------------------------------------------------------------- */

/* What is reserved counts, as in the limits; what is in use where the kernel does not tell. */
static uint64_t page_number(struct lc_group *group, const char *size, const char *file)
{
    CT_AUTO_FREE char *reserved = ct_printf("hugetlb.%s.rsvd.%s", size, file);
    CT_AUTO_FREE char *used = ct_printf("hugetlb.%s.%s", size, file);
    uint64_t value = 0;

    (void)(lc_group_number(group, reserved, &value) || lc_group_number(group, used, &value));
    return value;
}

static json_t *page_entry(struct lc_group *group, const char *size)
{
    CT_AUTO_FREE char *events_file = ct_printf("hugetlb.%s.events", size);
    CT_AUTO_FREE char *events = group->v2 ? text_of(group, events_file) : NULL;
    uint64_t failcnt = group->v2 ? 0 : page_number(group, size, "failcnt");
    json_t *entry = json_object();

    (void)(events && lc_text_number(events, "max", &failcnt));
    uint64_t usage = page_number(group, size, group->v2 ? "current" : "usage_in_bytes");
    uint64_t max = group->v2 ? 0 : page_number(group, size, "max_usage_in_bytes");
    if (usage) {
        ct_json_set(entry, "usage", json_integer((json_int_t)usage));
    }
    if (max) {
        ct_json_set(entry, "max", json_integer((json_int_t)max));
    }
    ct_json_set(entry, "failcnt", json_integer((json_int_t)failcnt));
    return entry;
}

/* The sizes are in the names of the files. */
static json_t *hugetlb_stats(struct lc_group *group)
{
    json_t *stats = json_object();

    if (!group) {
        return stats;
    }
    const char *tail = group->v2 ? ".current" : ".usage_in_bytes";
    struct ct_error ignored = {0};
    int fd = lc_group_open(group, group->path, "", O_RDONLY | O_DIRECTORY, &ignored);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char size[16] = "", rest[32] = "";
        if (sscanf(e->d_name, "hugetlb.%15[0-9A-Z]%31s", size, rest) == 2 &&
            strcmp(rest, tail) == 0) {
            ct_json_set(stats, size, page_entry(group, size));
        }
    }
    return stats;
}

/* ---- rdma ----------------------------------------------------------------------------------- */

/* "mlx5_1 hca_handle=2 hca_object=max" */
static json_t *rdma_list(struct lc_group *group, const char *file)
{
    CT_AUTO_FREE char *text = text_of(group, file);
    json_t *list = json_array();
    char *position = NULL;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        char device[64] = "", handles[16] = "", objects[16] = "";
        if (sscanf(line, "%63s hca_handle=%15s hca_object=%15s", device, handles, objects) == 3) {
            json_t *entry = json_object();
            ct_json_set_string(entry, "device", device);
            ct_json_set(entry, "hca_handles",
                        json_integer(handles[0] == 'm' ? UINT32_MAX : strtoll(handles, NULL, 10)));
            ct_json_set(entry, "hca_objects",
                        json_integer(objects[0] == 'm' ? UINT32_MAX : strtoll(objects, NULL, 10)));
            ct_json_append(list, entry);
        }
    }
    return list;
}

void lc_stats_add_devices(json_t *stats, const struct lc_cgroup *cgroup)
{
    bool v2 = cgroup->layout == LC_CGROUP_V2;
    struct lc_group *io = lc_cgroup_of(cgroup, v2 ? "io" : "blkio");
    struct lc_group *rdma = lc_cgroup_of(cgroup, "rdma");
    json_t *blkio = json_object();

    if (io && v2) {
        add_io_v2(blkio, io);
        lc_stats_add_pressure(blkio, io, "io.pressure");
    } else if (io) {
        add_io_v1(blkio, io);
    }
    ct_json_set(stats, "blkio", blkio);
    ct_json_set(stats, "hugetlb", hugetlb_stats(lc_cgroup_of(cgroup, "hugetlb")));
    CT_AUTO_JSON json_t *current = rdma ? rdma_list(rdma, "rdma.current") : NULL;
    if (json_array_size(current) > 0) {
        json_t *entry = json_object();
        ct_json_set(entry, "current", ct_steal(current));
        ct_json_set(entry, "limit", rdma_list(rdma, "rdma.max"));
        ct_json_set(stats, "rdma", entry);
    }
}
