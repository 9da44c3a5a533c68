/*
 * collector.c - loads the BPF programs, attaches them, reads the ring buffer.
 *
 * Room:       trace.   Called by: record.c.
 * Library:    libbpf; the skeleton trace.skel.h is made from bpf/trace.bpf.c at build time.
 */
#define CT_LAYER "trace"
#include "collector.h"

#include "trace.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 64

struct collector {
    struct trace_bpf *programs;
    struct ring_buffer *ring;
    struct bpf_link *links[LINKS_MAX];
    size_t n_links;
    collector_fn fn;
    void *context;
    char said[256]; /* libbpf's last complaint: the only place where the true reason stands */
};

static struct collector *speaking; /* libbpf's callback has no context */

static int on_print(enum libbpf_print_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static int on_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
    if (level == LIBBPF_WARN && speaking && !speaking->said[0]) {
        (void)vsnprintf(speaking->said, sizeof(speaking->said), format, arguments);
        speaking->said[strcspn(speaking->said, "\n")] = '\0';
    }
    return 0;
}

static int on_sample(void *context, void *data, size_t size)
{
    struct collector *collector = context;
    if (size >= sizeof(struct trace_event)) {
        collector->fn(collector->context, data);
    }
    return 0;
}

static int refuse_load(struct collector *collector, int code, struct ct_error *err)
{
    if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "this kernel has no BTF (/sys/kernel/btf/vmlinux)");
        return ct_hint(err, "use a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's is");
    }
    if (code == -EPERM || code == -EACCES) {
        (void)ct_refuse(err, CT_DENIED, "the kernel does not let this user load BPF programs");
        return ct_hint(err, "run it as root");
    }
    (void)ct_fail(err, -code, "load the BPF programs: %.120s", collector->said);
    return -1;
}

static int keep_link(struct collector *collector, struct bpf_link *link, const char *what,
                     struct ct_error *err)
{
    if (!link) {
        return ct_fail(err, errno, "attach to %s: %.120s", what, collector->said);
    }
    if (collector->n_links == LINKS_MAX) {
        (void)bpf_link__destroy(link);
        return ct_refuse(err, CT_INVALID, "attach to %s: too many binaries", what);
    }
    collector->links[collector->n_links++] = link;
    return 0;
}

/* Every process that runs the binary fires the probe; the program asks whether it is one of ours.
 */
static int attach_spans(struct collector *collector, const char *binary, struct ct_error *err)
{
    const struct {
        struct bpf_program *program;
        const char *probe;
    } probes[] = {{collector->programs->progs.on_span_begin, "span_begin"},
                  {collector->programs->progs.on_span_end, "span_end"}};

    for (size_t i = 0; i < 2; i++) {
        struct bpf_link *link = bpf_program__attach_usdt(probes[i].program, -1, binary, "cutaway",
                                                         probes[i].probe, NULL);
        if (!link && (errno == ENOENT || errno == EINVAL || errno == ENOTSUP)) {
            collector->said[0] = '\0';
            return 0; /* no probes of ours in this one */
        }
        if (keep_link(collector, link, binary, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int attach_kernel(struct collector *collector, struct ct_error *err)
{
    struct bpf_program *program;

    bpf_object__for_each_program(program, collector->programs->obj)
    {
        if (bpf_program__type(program) != BPF_PROG_TYPE_RAW_TRACEPOINT) {
            continue;
        }
        if (keep_link(collector, bpf_program__attach(program), bpf_program__name(program), err) <
            0) {
            return -1;
        }
    }
    return 0;
}

static int load(struct collector *collector, struct ct_error *err)
{
    collector->programs = trace_bpf__open();
    if (!collector->programs) {
        return refuse_load(collector, -errno, err);
    }
    int code = trace_bpf__load(collector->programs);
    if (code < 0) {
        return refuse_load(collector, code, err);
    }
    collector->ring =
        ring_buffer__new(bpf_map__fd(collector->programs->maps.events), on_sample, collector, NULL);
    return collector->ring ? 0 : ct_fail(err, errno, "open the ring buffer");
}

struct collector *collector_open(const char *const *binaries, collector_fn fn, void *context,
                                 struct ct_error *err)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    if (!collector) {
        return ct_fail_null(err, ENOMEM, "start tracing");
    }
    collector->fn = fn;
    collector->context = context;
    speaking = collector;
    (void)libbpf_set_print(on_print);
    int result = load(collector, err) < 0 ? -1 : attach_kernel(collector, err);
    for (; result == 0 && *binaries; binaries++) {
        result = attach_spans(collector, *binaries, err);
    }
    if (result < 0) {
        collector_close(collector);
        return NULL;
    }
    return collector;
}

int collector_follow(struct collector *collector, pid_t pid, const char *trace_id,
                     struct ct_error *err)
{
    unsigned int key = (unsigned int)pid;
    unsigned char one = 1;
    if (bpf_map_update_elem(bpf_map__fd(collector->programs->maps.tracked), &key, &one, BPF_ANY) <
            0 ||
        bpf_map_update_elem(bpf_map__fd(collector->programs->maps.traces), trace_id, &one,
                            BPF_ANY) < 0) {
        return ct_fail(err, errno, "follow process %d", (int)pid);
    }
    return 0;
}

int collector_poll(struct collector *collector, int timeout_ms, struct ct_error *err)
{
    int n = ring_buffer__poll(collector->ring, timeout_ms);
    return n < 0 && n != -EINTR ? ct_fail(err, -n, "read the ring buffer") : n < 0 ? 0 : n;
}

unsigned long long collector_lost(const struct collector *collector)
{
    return collector->programs->bss->lost;
}

int collector_alive(struct collector *collector)
{
    int map = bpf_map__fd(collector->programs->maps.tracked);
    unsigned int key = 0, next = 0;
    int n = 0;
    for (void *from = NULL; bpf_map_get_next_key(map, from, &next) == 0 && n < 100000;
         from = &key) {
        key = next;
        n++;
    }
    return n;
}

void collector_counts(struct collector *collector, collector_count_fn fn, void *context)
{
    int map = bpf_map__fd(collector->programs->maps.calls);
    unsigned int pid = 0;
    unsigned long long calls;

    for (void *from = NULL; bpf_map_get_next_key(map, from, &pid) == 0; from = &pid) {
        if (bpf_map_lookup_elem(map, &pid, &calls) == 0) {
            fn(context, (pid_t)pid, calls);
        }
    }
}

void collector_close(struct collector *collector)
{
    if (!collector) {
        return;
    }
    while (collector->n_links > 0) {
        (void)bpf_link__destroy(collector->links[--collector->n_links]);
    }
    ring_buffer__free(collector->ring);
    trace_bpf__destroy(collector->programs);
    speaking = NULL;
    free(collector);
}
