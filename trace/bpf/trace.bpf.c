/*
 * trace.bpf.c - runs in the kernel: follows one process tree and tells what it does.
 *
 * Room:       trace.   Loaded by: collector.c.
 * Man:        bpf(2), bpf-helpers(7); kernel Documentation/bpf/libbpf/.
 *
 * How it works: the map `tracked` holds the processes that belong to the tree. A fork of one of
 * them adds the child; everything else is asked about first and ignored when it is not in the map.
 * A daemon is in no tree of a client's. Its thread joins by what the client's message brought
 * along: from the begin of a span with our trace id to that span's end, `joined` holds the thread.
 * Only raw tracepoints and user probes are used, which every kernel with BTF has (no kprobes).
 *
 * A system call is seen twice. At its entry the arguments are read, and kept by thread; at its exit
 * the result is added and the event goes into the ring buffer. An event that finds the buffer full
 * is counted in `lost`, never forgotten silently.
 */
#include <linux/bpf.h>

#include "calls.h"
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

#include "event.h"

char LICENSE[] SEC("license") =
    "Dual BSD/GPL"; /* the kernel lends some helpers only to GPL programs */

/* Waits shorter than this are not worth a line. Set by the collector before loading. */
const volatile unsigned long long wait_min_ns = 500000;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, unsigned int); /* tgid */
    __type(value, unsigned char);
} tracked SEC(".maps");

/* The recording's trace id, 32 hexadecimal digits. */
struct trace_id {
    char hex[32];
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct trace_id);
    __type(value, unsigned char);
} traces SEC(".maps");

/* Threads of other trees, and how many of their spans with our trace id are open. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, unsigned int); /* tid */
    __type(value, unsigned int);
} joined SEC(".maps");

/* All system calls by process, whether they are reported or not. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, unsigned int); /* tgid */
    __type(value, unsigned long long);
} calls SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 << 20);
} events SEC(".maps");

/* Calls that were entered and not left yet, by thread. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, unsigned int);
    __type(value, struct call);
} entered SEC(".maps");

/* The call each thread is in, also of the kinds that are not reported: the reason of a wait. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, unsigned int);
    __type(value, long long);
} current_call SEC(".maps");

/* Since when a thread is off the CPU. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, unsigned int);
    __type(value, unsigned long long);
} off_since SEC(".maps");

/* An event is larger than a BPF stack: it is built here. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, unsigned int);
    __type(value, struct call);
} scratch SEC(".maps");

unsigned long long lost; /* events for which there was no room */

static __always_inline int is_tracked(unsigned int tgid)
{
    return bpf_map_lookup_elem(&tracked, &tgid) != 0;
}

/* A thread of a process of the tree, or one that works for it at the moment. */
static __always_inline int is_followed(unsigned int tgid, unsigned int tid)
{
    return is_tracked(tgid) || bpf_map_lookup_elem(&joined, &tid) != 0;
}

static __always_inline int follows_current(void)
{
    unsigned long long id = bpf_get_current_pid_tgid();
    return is_followed(id >> 32, (unsigned int)id);
}

/* An empty event of the current thread; NULL only if the kernel is broken. */
static __always_inline struct trace_event *new_event(unsigned int type)
{
    unsigned int zero = 0;
    unsigned long long id = bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&scratch, &zero);

    if (!call) {
        return 0;
    }
    struct trace_event *event = &call->event;
    event->ns = bpf_ktime_get_ns();
    event->duration_ns = 0;
    event->result = 0;
    event->type = type;
    event->pid = id >> 32;
    event->tid = (unsigned int)id;
    event->text1_length = 0;
    for (int i = 0; i < TRACE_ARGS; i++) {
        event->arg[i] = 0;
    }
    for (int i = 0; i < TRACE_TEXTS; i++) {
        event->text[i][0] = 0;
        call->unread[i] = 0;
    }
    bpf_get_current_comm(event->comm, sizeof(event->comm));
    return event;
}

static __always_inline void submit(struct trace_event *event)
{
    if (bpf_ringbuf_output(&events, event, sizeof(*event), 0) < 0) {
        __sync_fetch_and_add(&lost, 1);
    }
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *parent = (void *)ctx->args[0], *child = (void *)ctx->args[1];
    unsigned int parent_id = BPF_CORE_READ(parent, tgid), child_id = BPF_CORE_READ(child, tgid);
    unsigned char one = 1;

    /* A thread is no new process. */
    if (parent_id == child_id || !is_followed(parent_id, BPF_CORE_READ(parent, pid))) {
        return 0;
    }
    bpf_map_update_elem(&tracked, &child_id, &one, BPF_ANY);
    struct trace_event *event = new_event(TRACE_FORK);
    if (event) {
        event->pid = parent_id;
        event->arg[0] = child_id;
        submit(event);
    }
    return 0;
}

/* Of the program that is now replaced: an exec is where one process takes another role. */
static __always_inline unsigned long long calls_so_far(unsigned int tgid)
{
    unsigned long long *count = bpf_map_lookup_elem(&calls, &tgid);
    return count ? *count : 0;
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (void *)ctx->args[0];
    struct linux_binprm *program = (void *)ctx->args[2];

    if (!follows_current()) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_EXEC);
    if (!event) {
        return 0;
    }
    unsigned long start = BPF_CORE_READ(task, mm, arg_start),
                  end = BPF_CORE_READ(task, mm, arg_end);
    unsigned long length = end - start;
    event->arg[0] = BPF_CORE_READ(task, thread_pid, level);
    event->arg[1] = calls_so_far(bpf_get_current_pid_tgid() >> 32);
    bpf_probe_read_kernel_str(event->text[0], TRACE_TEXT_BYTES, BPF_CORE_READ(program, filename));
    if (length > TRACE_TEXT_BYTES) {
        length = TRACE_TEXT_BYTES;
    }
    length &= 2 * TRACE_TEXT_BYTES - 1; /* the verifier wants to see the bound in the register */
    if (bpf_probe_read_user(event->text[1], length, (void *)start) == 0) {
        event->text1_length = length;
    }
    submit(event);
    return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *task = (void *)ctx->args[0];
    unsigned long long id = bpf_get_current_pid_tgid();
    unsigned int tgid = id >> 32, tid = (unsigned int)id;

    bpf_map_delete_elem(&current_call, &tid);
    bpf_map_delete_elem(&entered, &tid);
    bpf_map_delete_elem(&off_since, &tid);
    bpf_map_delete_elem(&joined, &tid);
    if (tgid != tid || !is_tracked(tgid)) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_EXIT);
    if (event) {
        event->arg[0] = BPF_CORE_READ(task, exit_code);
        submit(event);
    }
    bpf_map_delete_elem(&tracked, &tgid);
    return 0;
}

SEC("raw_tp/cgroup_attach_task")
int on_cgroup_attach(struct bpf_raw_tracepoint_args *ctx)
{
    const char *path = (const char *)ctx->args[1];
    struct task_struct *task = (void *)ctx->args[2];
    unsigned int moved = BPF_CORE_READ(task, tgid);

    if (!follows_current() && !is_tracked(moved)) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_CGROUP);
    if (event) {
        event->arg[0] = moved;
        bpf_probe_read_kernel_str(event->text[0], TRACE_TEXT_BYTES, path);
        submit(event);
    }
    return 0;
}

static __always_inline void count_call(unsigned int tgid)
{
    unsigned long long one = 1, *count = bpf_map_lookup_elem(&calls, &tgid);
    if (count) {
        __sync_fetch_and_add(count, 1);
    } else {
        bpf_map_update_elem(&calls, &tgid, &one, BPF_ANY);
    }
}

SEC("raw_tp/sys_enter")
int on_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
    struct pt_regs *regs = (struct pt_regs *)ctx->args[0];
    long long id = (long long)ctx->args[1];
    unsigned long long task = bpf_get_current_pid_tgid();
    unsigned int tid = (unsigned int)task;

    if (!is_followed(task >> 32, tid)) {
        return 0;
    }
    count_call(task >> 32);
    bpf_map_update_elem(&current_call, &tid, &id, BPF_ANY);
    enum reading reading = reading_of(id);
    if (reading == NOT_REPORTED ||
        (reading == WRITE && !order_file(PT_REGS_PARM1_CORE_SYSCALL(regs)))) {
        return 0; /* nearly all calls end here: they must be cheap */
    }
    struct trace_event *event = new_event(TRACE_CALL);
    if (!event) {
        return 0;
    }
    event->arg[0] = id;
    event->arg[1] = PT_REGS_PARM1_CORE_SYSCALL(regs);
    event->arg[2] = PT_REGS_PARM2_CORE_SYSCALL(regs);
    event->arg[3] = PT_REGS_PARM3_CORE_SYSCALL(regs);
    event->arg[4] = PT_REGS_PARM4_CORE_SYSCALL(regs);
    event->arg[5] = PT_REGS_PARM5_CORE_SYSCALL(regs);
    if (read_call(event, reading)) {
        bpf_map_update_elem(&entered, &tid, event, BPF_ANY);
    }
    return 0;
}

/* A program that was executed has its own event; one that could not be is told as a call. */
static __always_inline int was_executed(const struct trace_event *event)
{
    return event->result == 0 && (event->arg[0] == __NR_execve || event->arg[0] == __NR_execveat);
}

SEC("raw_tp/sys_exit")
int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
    unsigned int tid = (unsigned int)bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&entered, &tid);
    long long none = -1;

    if (call) {
        struct trace_event *event = &call->event;
        event->result = (long long)ctx->args[1];
        event->duration_ns = bpf_ktime_get_ns() - event->ns;
        if (!was_executed(event)) {
            read_late(call);
            submit(event);
        }
        bpf_map_delete_elem(&entered, &tid);
    }
    if (bpf_map_lookup_elem(&current_call, &tid)) {
        bpf_map_update_elem(&current_call, &tid, &none, BPF_EXIST);
    }
    return 0;
}

/* prev leaves the CPU, next comes back to it: what lies between was a wait of next's. */
SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
    struct task_struct *prev = (void *)ctx->args[1], *next = (void *)ctx->args[2];
    unsigned long long now = bpf_ktime_get_ns();
    unsigned int prev_id = BPF_CORE_READ(prev, tgid), prev_tid = BPF_CORE_READ(prev, pid);
    unsigned int next_tid = BPF_CORE_READ(next, pid);

    if (is_followed(prev_id, prev_tid)) {
        bpf_map_update_elem(&off_since, &prev_tid, &now, BPF_ANY);
    }
    unsigned long long *since = bpf_map_lookup_elem(&off_since, &next_tid);
    if (!since) {
        return 0;
    }
    unsigned long long began = *since;
    bpf_map_delete_elem(&off_since, &next_tid);
    if (now - began < wait_min_ns) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_OFF_CPU);
    if (!event) {
        return 0;
    }
    long long *call = bpf_map_lookup_elem(&current_call, &next_tid);
    event->ns = began;
    event->duration_ns = now - began;
    event->pid = BPF_CORE_READ(next, tgid);
    event->tid = next_tid;
    event->arg[0] = call ? *call : -1;
    submit(event);
    return 0;
}

/* True when the span is ours: of the tree, or of a thread that now works for it. */
static __always_inline int joins(const char *trace_id)
{
    unsigned long long task = bpf_get_current_pid_tgid();
    unsigned int tid = (unsigned int)task, first = 1, *open;
    struct trace_id id = {0};

    if (is_tracked(task >> 32)) {
        return 1;
    }
    open = bpf_map_lookup_elem(&joined, &tid);
    if (open) {
        (*open)++; /* the thread's own: nobody else writes it */
        return 1;
    }
    bpf_probe_read_user(&id, sizeof(id), trace_id);
    if (!bpf_map_lookup_elem(&traces, &id)) {
        return 0;
    }
    bpf_map_update_elem(&joined, &tid, &first, BPF_ANY);
    return 1;
}

/* Behind the end of its outermost span a thread works for others. */
static __always_inline void leave(void)
{
    unsigned int tid = (unsigned int)bpf_get_current_pid_tgid();
    unsigned int *open = bpf_map_lookup_elem(&joined, &tid);
    if (open && --*open == 0) {
        bpf_map_delete_elem(&joined, &tid);
    }
}

SEC("usdt")
int BPF_USDT(on_span_begin, unsigned long long id, unsigned long long parent, const char *role,
             const char *step, const char *message, const char *trace_id)
{
    if (!joins(trace_id)) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_SPAN_BEGIN);
    if (!event) {
        return 0;
    }
    event->arg[0] = id;
    event->arg[1] = parent;
    bpf_probe_read_user_str(event->text[0], TRACE_TEXT_BYTES, message);
    /* Two short words share one text: the role in its first half, the step in its second. */
    bpf_probe_read_user_str(event->text[1], TRACE_TEXT_BYTES / 2, role);
    bpf_probe_read_user_str(event->text[1] + TRACE_TEXT_BYTES / 2, TRACE_TEXT_BYTES / 2, step);
    bpf_probe_read_user_str(event->text[2], 33, trace_id);
    submit(event);
    return 0;
}

SEC("usdt")
int BPF_USDT(on_span_end, unsigned long long id, unsigned long long kind, const char *error)
{
    if (!follows_current()) {
        return 0;
    }
    struct trace_event *event = new_event(TRACE_SPAN_END);
    if (!event) {
        return 0;
    }
    event->arg[0] = id;
    event->arg[1] = kind;
    bpf_probe_read_user_str(event->text[0], TRACE_TEXT_BYTES, error);
    submit(event);
    leave();
    return 0;
}
