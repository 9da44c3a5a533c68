/*
 * error.h - one error for everything: what failed, where, why, and what to try.
 *
 * Room:       lib. Uses nothing of ours.
 * Called by:  everybody. The top of each program renders it once; rooms only fill it.
 *
 * The struct has no pointers and needs no malloc, so that it works after fork, when memory is
 * out, and crosses a pipe in one write(2). Frame [0] is the innermost: the layer that failed.
 */
#ifndef CT_ERROR_H
#define CT_ERROR_H

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define CT_ERROR_DEPTH 8

/* What a caller can act on. One table (error.c) maps each to a name, an HTTP status and an exit
 * code. */
enum ct_kind {
    CT_NONE = 0,
    CT_INVALID,     /* the request itself is wrong */
    CT_NOT_FOUND,   /* the named thing does not exist */
    CT_EXISTS,      /* the name or id is in use */
    CT_CONFLICT,    /* the thing is in a state that does not allow this */
    CT_UNCHANGED,   /* nothing to do: it is so already */
    CT_DENIED,      /* rights are missing */
    CT_UNSUPPORTED, /* this stage, driver or kernel cannot */
    CT_UNREACHABLE, /* the answer was lost: whether the work was done is unknown */
    CT_TIMEOUT,     /* the deadline passed, or the caller's cancel fd fired */
    CT_CANNOT_RUN,  /* the container's program exists but cannot be run (exit code 126) */
    CT_NO_PROGRAM,  /* the container's program, or what it needs, is missing (exit code 127) */
    CT_SYSTEM,      /* the kernel or the machine refused; see sys */
};

struct ct_error {
    enum ct_kind kind;
    int sys;        /* errno for people; 0 when the refusal is our own decision */
    int depth;      /* frames in use */
    char hint[160]; /* what to try; may be empty */
    struct {
        char layer[16]; /* "cgroup"; also "lxc", "runc" when a foreign part failed */
        char what[176]; /* operation and object: "create cgroup 'web'" */
    } frame[CT_ERROR_DEPTH];
};

/*
 * ct_fail, ct_refuse, ct_while, ct_hint: the four verbs. Each .c file defines CT_LAYER before
 * including this header. Messages: lower case, verb first, object in single quotes, no full stop.
 *
 * ct_fail    a system call failed: errno_value is kept, and the kind is derived from it
 *            (ENOENT -> CT_NOT_FOUND, EEXIST -> CT_EXISTS, EACCES/EPERM -> CT_DENIED, else
 * CT_SYSTEM). ct_refuse  our own decision, of the given kind. ct_while   adds an outer frame to an
 * error that is already filled. ct_hint    sets what to try (the first hint stays: the inner layer
 * knows best).
 *
 * All return -1, so that `return ct_fail(…)` reads well; ct_fail_null and friends return NULL.
 * A message that is too long is cut with "…"; a chain that is too deep keeps its innermost
 * frames and the newest outermost one. Control characters and what is not UTF-8 become '?'.
 */
#define ct_fail(err, errno_value, ...) \
    ct_error_set((err), CT_LAYER, ct_kind_of_errno(errno_value), (errno_value), __VA_ARGS__)
#define ct_refuse(err, kind_, ...)          ct_error_set((err), CT_LAYER, (kind_), 0, __VA_ARGS__)
#define ct_while(err, ...)                  ct_error_push((err), CT_LAYER, __VA_ARGS__)
#define ct_fail_null(err, errno_value, ...) ((void)ct_fail((err), (errno_value), __VA_ARGS__), NULL)
#define ct_refuse_null(err, kind_, ...)     ((void)ct_refuse((err), (kind_), __VA_ARGS__), NULL)
#define ct_while_null(err, ...)             ((void)ct_while((err), __VA_ARGS__), NULL)

int ct_error_set(struct ct_error *err, const char *layer, enum ct_kind kind, int sys,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
int ct_error_push(struct ct_error *err, const char *layer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int ct_hint(struct ct_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Empties *err, for reuse. */
void ct_error_clear(struct ct_error *err);

/* The kind that fits an errno. */
enum ct_kind ct_kind_of_errno(int errno_value);

/* Kind by number to text ("not-found"), HTTP status (404) and the program's exit code (125, 126,
 * 127, 1). */
const char *ct_kind_name(enum ct_kind kind);
int ct_kind_http_status(enum ct_kind kind);
int ct_kind_exit_code(enum ct_kind kind);

/*
 * ct_error_render - the one line for the user, without a newline:
 *   start 'web': cgroup: create cgroup 'web': No space left on device (ENOSPC); try: raise …
 * Outermost frame first; a frame's layer is printed only where it differs from the frame before
 * and is not the outermost. Returns buffer. Never fails; cuts at size.
 */
char *ct_error_render(const struct ct_error *err, char *buffer, size_t size);

/* Prints "PROGRAM: LINE\n" to stream; with CUTAWAY_DEBUG=1 also one line a frame. */
void ct_error_print(FILE *stream, const char *program, const struct ct_error *err);

/*
 * The error as a message. To JSON: {"kind","errno","hint","frames":[{"layer","what"}]} (owned by
 * the caller). From JSON or from a pipe the peer is not trusted: depth and strings are checked;
 * returns 0, or -1 when *err was filled with "the peer's error is malformed" instead.
 */
json_t *ct_error_to_json(const struct ct_error *err);
int ct_error_from_json(const json_t *json, struct ct_error *err);

/* One write(2) of the whole struct (< PIPE_BUF, so atomic). Returns 0 or -1 with errno set. */
int ct_error_send(int fd, const struct ct_error *sent);
/* Reads one struct. Returns 1: an error was received into *ret; 0: end of file; -1: *err filled. */
int ct_error_receive(int fd, struct ct_error *ret, struct ct_error *err);

#endif
