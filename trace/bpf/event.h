/*
 * event.h - what the BPF programs hand to the collector: one fixed struct for every kind of event.
 *
 * Room:       trace.   Included by: trace.bpf.c (kernel side), collector.c (our side).
 */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

enum trace_event_type {
    TRACE_FORK, /* arg[0]: the child's pid */
    TRACE_EXEC, /* text[0]: file; text[1]: argv, NUL-separated; arg[0]: depth of pid namespaces */
    TRACE_EXIT, /* arg[0]: the kernel's exit_code (as of waitpid) */
    TRACE_CALL, /* a system call: arg[0] its number, arg[1…]: arguments, text: strings behind them
                 */
    TRACE_CGROUP,     /* text[0]: path; arg[0]: the pid that was moved */
    TRACE_OFF_CPU,    /* arg[0]: number of the call it waited in, or -1; duration_ns: how long */
    TRACE_SPAN_BEGIN, /* arg[0]: id, arg[1]: parent; text: message, "role step", trace id */
    TRACE_SPAN_END,   /* arg[0]: id, arg[1]: kind; text[0]: error */
};

#define TRACE_TEXT_BYTES 256
#define TRACE_TEXTS      3
#define TRACE_ARGS       6

struct trace_event {
    unsigned long long ns;          /* CLOCK_MONOTONIC, at the begin */
    unsigned long long duration_ns; /* of a call or a wait */
    long long result;               /* of a call */
    unsigned int type;
    unsigned int pid; /* of the process, as the host numbers it */
    unsigned int tid;
    unsigned int text1_length; /* bytes of text[1] that are meant, for argv */
    unsigned long long arg[TRACE_ARGS];
    char comm[16];
    char text[TRACE_TEXTS][TRACE_TEXT_BYTES];
};

#endif
