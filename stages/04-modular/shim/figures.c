/*
 * figures.c - what a container uses, in containerd's messages.
 *
 * Room:       shim.   Called by: task_control.c (Stats).
 * Spec:       containerd/cgroups, stats/v1/metrics.proto and v2/stats/metrics.proto.
 *
 * libcontainer reads the control groups, in the form that runc's `events --stats` has; here each
 * figure gets its place in a message. A figure that this kernel does not have is 0.
 */
#define CT_LAYER "shim"
#include "figures.h"

#include "cgroups.h"

#include "cleanup.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

uint64_t figure_number(const json_t *figures, const char *path)
{
    json_int_t value = ct_json_integer(figures, path, 0);
    return value > 0 ? (uint64_t)value : 0;
}

void figure_fill(void *message, const json_t *figures, const struct figure *rows)
{
    for (; rows->path; rows++) {
        uint64_t value = figure_number(figures, rows->path);
        memcpy((char *)message + rows->offset, &value, sizeof(value));
    }
}

char *figure_text(struct pool *pool, const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        abort();
    }
    return pool_keep(pool, copy);
}

static void pack(const ProtobufCMessage *message, Google__Protobuf__Any *ret)
{
    size_t length = protobuf_c_message_get_packed_size(message);

    ret->value.data = malloc(length + 1);
    ret->type_url = strdup(message->descriptor->name);
    if (!ret->value.data || !ret->type_url) {
        abort();
    }
    ret->value.len = protobuf_c_message_pack(message, ret->value.data);
}

void any_done(Google__Protobuf__Any *any)
{
    free(any->type_url);
    free(any->value.data);
}

int figures_read(struct container *container, Google__Protobuf__Any *ret, struct ct_error *err)
{
    enum lc_cgroup_layout layout = LC_CGROUP_V1;
    struct pool pool = {0};

    if (!container->cgroup) {
        return ct_refuse(err, CT_NOT_FOUND, "read figures of '%.64s': it has no control groups",
                         container->id);
    }
    CT_AUTO_JSON json_t *figures = lc_cgroup_stats(container->cgroup, err);
    if (!figures || lc_cgroup_layout(&layout, err) < 0) {
        return -1;
    }
    pack(layout == LC_CGROUP_V2
             ? figures_v2(figures, lc_cgroup_oom_kills(container->cgroup), &pool)
             : figures_v1(figures, lc_cgroup_oom_kills(container->cgroup), &pool),
         ret);
    pool_done(&pool);
    return 0;
}
