/*
 * hooks.c - programs that run at points of a container's life.
 *
 * Room:       libcontainer.   Called by: see hooks.h.
 *
 * Nobody sees a hook but through the error it causes: so its path, its end and its last words go
 * into that.
 */
#define CT_LAYER "hooks"
#include "hooks.h"

#include "cleanup.h"
#include "fields.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

#define LAST_WORDS  170  /* bytes: what one frame of an error holds */
#define KILL_WAIT   5000 /* ms for a killed hook to be gone; one that hangs in the kernel may not */
#define PIPE_CHUNKS 16   /* reads of 4096 bytes that empty a pipe */

static const char *const point_names[LC_HOOK_COUNT] = {
    [LC_HOOK_PRESTART] = "prestart",
    [LC_HOOK_CREATE_RUNTIME] = "createRuntime",
    [LC_HOOK_CREATE_CONTAINER] = "createContainer",
    [LC_HOOK_START_CONTAINER] = "startContainer",
    [LC_HOOK_POSTSTART] = "poststart",
    [LC_HOOK_POSTSTOP] = "poststop",
};

const char *lc_hook_point_name(enum lc_hook_point point)
{
    return point_names[point];
}

/* ---- reading the configuration ---- */

static int parse_hook(const json_t *object, const char *where, struct pool *pool,
                      struct lc_hook *ret, struct ct_error *err)
{
    static const char *const no_env[] = {NULL};
    int64_t seconds = 0;

    *ret = (struct lc_hook){.env = no_env};
    if (lc_field_is_object(object, where, err) < 0 ||
        lc_field_string(object, where, "path", &ret->path, err) < 0 ||
        lc_field_strings(object, where, "args", pool, &ret->args, err) < 0 ||
        lc_field_strings(object, where, "env", pool, &ret->env, err) < 0 ||
        lc_field_integer(object, where, "timeout", 1, INT_MAX / 1000, &seconds, err) < 0) {
        return -1;
    }
    if (!ret->path) {
        return lc_field_missing(where, "path", err);
    }
    if (ret->path[0] != '/') {
        return ct_refuse(err, CT_INVALID, "%s.path: '%s' must be absolute", where, ret->path);
    }
    if (!ret->args || !ret->args[0]) {
        const char **only_path = pool_array(pool, 2, sizeof(*only_path));
        only_path[0] = ret->path;
        ret->args = only_path;
    }
    ret->timeout_ms = seconds > 0 ? (int)seconds * 1000 : -1;
    return 0;
}

int lc_hooks_parse(const json_t *hooks, struct pool *pool, struct lc_hooks *ret,
                   struct ct_error *err)
{
    *ret = (struct lc_hooks){0};
    if (hooks && lc_field_is_object(hooks, "hooks", err) < 0) {
        return -1;
    }
    for (int point = 0; point < LC_HOOK_COUNT; point++) {
        const json_t *array = NULL;
        if (lc_field_array(hooks, "hooks", point_names[point], &array, err) < 0) {
            return -1;
        }
        size_t n = json_array_size(array);
        struct lc_hook *list = pool_array(pool, n, sizeof(*list));
        for (size_t i = 0; i < n; i++) {
            char where[LC_WHERE];
            (void)snprintf(where, sizeof(where), "hooks.%s[%zu]", point_names[point], i);
            if (parse_hook(json_array_get(array, i), where, pool, &list[i], err) < 0) {
                return -1;
            }
        }
        ret->at[point].list = list;
        ret->at[point].n = n;
    }
    return 0;
}

/* ---- what a hook reads and prints ---- */

/*
 * A descriptor, owned, to read text from. A file in memory and not a pipe: a hook that does not
 * read holds nobody up, and one that ends without reading sends no SIGPIPE.
 */
static int open_text(const char *text, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = memfd_create("state", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create("state", MFD_CLOEXEC); /* before Linux 6.3 */
    }
    if (fd < 0 || ct_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "give it the state");
    }
    return ct_steal_fd(&fd);
}

struct words {
    char text[LAST_WORDS];
    size_t length;
    bool is_cut;
};

static void hear(struct words *words, const char *said, size_t n)
{
    size_t kept = words->length;

    if (n > LAST_WORDS) {
        said += n - LAST_WORDS;
        n = LAST_WORDS;
        words->is_cut = true;
    }
    if (kept + n > LAST_WORDS) {
        kept = LAST_WORDS - n;
        memmove(words->text, words->text + words->length - kept, kept);
        words->is_cut = true;
    }
    memcpy(words->text + kept, said, n);
    words->length = kept + n;
}

/* One read: a hook that floods must not keep us from looking at the clock. 0: end of file; -1:
 * nothing is there now. */
static ssize_t listen_once(int fd, struct words *words)
{
    char chunk[4096];
    ssize_t n = read(fd, chunk, sizeof(chunk));

    if (n > 0) {
        hear(words, chunk, (size_t)n);
    }
    return n;
}

/* As one line of an error, a string of JSON: ends of lines become blanks, bytes that are no UTF-8
 * are replaced, and no character begins in its middle. */
static json_t *as_line(struct words *words)
{
    size_t start = 0;

    for (size_t i = 0; i < words->length; i++) {
        if ((unsigned char)words->text[i] <= ' ') {
            words->text[i] = ' ';
        }
    }
    while (words->length > 0 && words->text[words->length - 1] == ' ') {
        words->length--;
    }
    while (start < words->length &&
           (words->text[start] == ' ' || (words->is_cut && (words->text[start] & 0xC0) == 0x80))) {
        start++;
    }
    return ct_json_string_lossy(words->text + start, words->length - start);
}

/* ---- running one ---- */

/*
 * Until the hook has ended or its time is over. Its end is what the pidfd says, not the end of its
 * output: a process that it left behind may keep that open for ever. CT_TIMEOUT: it still runs.
 */
static int attend(int pidfd, int output_fd, int timeout_ms, struct words *words,
                  struct ct_error *err)
{
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = output_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns() + 999999) / 1000000;
        if (timeout_ms >= 0 && left_ms <= 0) {
            return ct_refuse(err, CT_TIMEOUT, "it was killed after %g s", timeout_ms / 1000.0);
        }
        if (poll(fds, 2, timeout_ms < 0 ? -1 : (int)left_ms) < 0 && errno != EINTR) {
            return ct_fail(err, errno, "wait for it");
        }
        if (fds[1].revents && listen_once(output_fd, words) == 0) {
            fds[1].fd = -1; /* poll(2) passes it over */
        }
        if (fds[0].revents) {
            return 0;
        }
    }
}

/* Fills err with how it ended. Returns 0 when that was well. */
static int judge(int status, struct ct_error *err)
{
    if (WIFSIGNALED(status)) {
        return ct_refuse(err, CT_SYSTEM, "it was killed by %s", ct_signal_name(WTERMSIG(status)));
    }
    return WEXITSTATUS(status) == 0
               ? 0
               : ct_refuse(err, CT_SYSTEM, "it ended with %d", WEXITSTATUS(status));
}

/* Puts what it said last inside of how it ended: "it ended with 3: no such device". */
static void quote(struct words *words, struct ct_error *err)
{
    struct ct_error how = *err;
    CT_AUTO_JSON json_t *line = as_line(words);

    if (json_string_length(line) > 0) {
        (void)ct_refuse(err, how.kind, "%s%s", words->is_cut ? "…" : "", json_string_value(line));
        (void)ct_while(err, "%s", how.frame[0].what);
    }
}

/*
 * Starts the hook as the leader of a session, and so of a process group, of its own. What execve(2)
 * says is less than what is known: a script whose interpreter is missing is "not found", too.
 */
static int start(const struct lc_hook *hook, int input_fd, int output_fd, struct ct_process *ret,
                 struct ct_error *err)
{
    const struct ct_spawn spawn = {.path = hook->path,
                                   .argv = hook->args,
                                   .envp = hook->env,
                                   .stdio = {input_fd, output_fd, output_fd},
                                   .new_session = true,
                                   .no_inheritable = true};

    if (ct_process_start(&spawn, ret, err) == 0) {
        return 0;
    }
    if (err->sys == ENOENT && access(hook->path, F_OK) == 0) {
        (void)ct_hint(err, "the file is there, the interpreter that it names is not: install that, "
                           "or remove a carriage return from its first line");
    } else if (err->sys == ENOEXEC) {
        (void)ct_hint(err, "a first line '#!/bin/sh', if it is a script");
    }
    err->kind = CT_SYSTEM; /* it is not the container's program that is missing */
    return -1;
}

static int run_hook(const struct lc_hook *hook, const char *state, struct ct_error *err)
{
    struct ct_process process = {.pidfd = -1};
    struct words words = {0};
    struct ct_error unheard = {0};
    int pipe_fds[2], status = 0;

    CT_AUTO_CLOSE int input = open_text(state, err);
    if (input < 0) {
        return -1;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe for its output");
    }
    CT_AUTO_CLOSE int output = pipe_fds[0];
    (void)fcntl(output, F_SETFL, O_NONBLOCK); /* our end; the hook's own blocks, as it expects */
    int result = start(hook, input, pipe_fds[1], &process, err);
    (void)close(pipe_fds[1]);
    if (result < 0) {
        return -1;
    }
    result = attend(process.pidfd, output, hook->timeout_ms, &words, err);
    if (result < 0) {
        (void)kill(-process.pid, SIGKILL); /* not reaped yet: the number of its group is its own */
        (void)ct_process_wait(&process, KILL_WAIT, &status, &unheard);
    } else {
        result = ct_process_wait(&process, -1, &status, err) < 0 ? -1 : judge(status, err);
    }
    ct_process_done(&process);
    if (result == 0) {
        return 0;
    }
    for (int i = 0; i < PIPE_CHUNKS && listen_once(output, &words) > 0; i++) {
        /* what is still in the pipe */
    }
    quote(&words, err);
    return -1;
}

/* Once the program runs, or is gone, nothing can be taken back: the others still have their turn.
 */
static bool failures_are_only_logged(enum lc_hook_point point)
{
    return point == LC_HOOK_POSTSTART || point == LC_HOOK_POSTSTOP;
}

int lc_hooks_run(const struct lc_hooks *hooks, enum lc_hook_point point, const json_t *state,
                 struct ct_error *err)
{
    size_t n = hooks->at[point].n;

    if (n == 0) {
        return 0;
    }
    CT_AUTO_FREE char *text = ct_json_text(state);
    if (!text) {
        return ct_fail(err, ENOMEM, "write the state for hooks");
    }
    for (size_t i = 0; i < n; i++) {
        const struct lc_hook *hook = &hooks->at[point].list[i];
        if (run_hook(hook, text, err) == 0) {
            continue;
        }
        (void)ct_while(err, "run hook %s[%zu] '%s'", point_names[point], i, hook->path);
        if (!failures_are_only_logged(point)) {
            return -1;
        }
        char line[1024];
        ct_warn("%s", ct_error_render(err, line, sizeof(line)));
        ct_error_clear(err);
    }
    return 0;
}
