/*
 * shim_program.c - the shim as a program, and as a server: start, ask, delete.
 *
 * Room:       containerd.   Called by: task_life.c, task_service.c, tasks.c.
 * Spec:       containerd, runtime/v2/README.md, "Commands"; shim.proto.
 */
#include "tasks.h"

#include "file.h"
#include "json.h"
#include "process.h"
#include "words.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define START_MS   30000
#define DELETE_MS  10000
#define OUTPUT_MAX 65536
#define SERVICE    (&containerd__task__v2__task__descriptor)

extern char **environ;

/* ---- which program -------------------------------------------------------------------------- */

/* In PATH, then beside ourselves. */
static char *look_up(const char *name, struct ct_error *err)
{
    const char *path = getenv("PATH");
    CT_AUTO_FREE char *copy =
        ct_strdup(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    CT_AUTO_FREE char *self = ct_self_path(err);
    char *position = NULL;

    for (char *dir = strtok_r(copy, ":", &position); dir; dir = strtok_r(NULL, ":", &position)) {
        CT_AUTO_FREE char *candidate = ct_join(dir, name);
        if (ct_is_program(candidate)) {
            return ct_steal(candidate);
        }
    }
    if (self) {
        *strrchr(self, '/') = '\0';
        CT_AUTO_FREE char *candidate = ct_join(self, name);
        if (ct_is_program(candidate)) {
            return ct_steal(candidate);
        }
    }
    return ct_refuse_null(err, CT_NO_PROGRAM, "no shim '%.100s' in PATH", name);
}

char *shim_find(const char *runtime, struct ct_error *err)
{
    const char *version = strrchr(runtime, '.'), *kind = version;

    if (*runtime == '/') {
        return ct_is_program(runtime)
                   ? ct_strdup(runtime)
                   : ct_refuse_null(err, CT_NO_PROGRAM, "no shim '%.120s'", runtime);
    }
    while (kind && kind > runtime && kind[-1] != '.') {
        kind--;
    }
    if (!kind || kind == version || !version[1] || strchr(runtime, '/')) {
        return ct_refuse_null(err, CT_INVALID,
                              "'%.80s' is no runtime: io.containerd.NAME.VERSION, or a path",
                              runtime);
    }
    CT_AUTO_FREE char *name =
        ct_printf("containerd-shim-%.*s-%s", (int)(version - kind), kind, version + 1);
    return look_up(name, err);
}

/* ---- its command line ----------------------------------------------------------------------- */

/* Our own environment, and where the shim's events go. In pool. */
static const char **environment(const struct task *task, struct pool *pool)
{
    static const char *const own[] = {
        "GOMAXPROCS=",       "TTRPC_ADDRESS=", "GRPC_ADDRESS=",     "NAMESPACE=",
        "MAX_SHIM_VERSION=", "TRACEPARENT=",   "CUTAWAY_TRACE_FD=", "CUTAWAY_RUN="};
    const char *state = task->containerd->state;
    char context[56];
    size_t n = 0, kept = 0;

    while (environ[n]) {
        n++;
    }
    const char **result = pool_array(pool, n + 9, sizeof(*result));
    for (size_t i = 0; i < n; i++) {
        bool ours = false;
        for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++) {
            ours = ours || strncmp(environ[i], own[k], strlen(own[k])) == 0;
        }
        if (!ours) {
            result[kept++] = environ[i];
        }
    }
    result[kept++] = "GOMAXPROCS=2"; /* a shim in Go stays small */
    result[kept++] = "MAX_SHIM_VERSION=2";
    result[kept++] =
        pool_keep(pool, ct_printf("TTRPC_ADDRESS=%s.ttrpc", task->containerd->address));
    result[kept++] = pool_keep(pool, ct_printf("GRPC_ADDRESS=%s", task->containerd->address));
    result[kept++] = pool_keep(pool, ct_printf("NAMESPACE=%s", task->space));
    /* Where the recorders' files are, for spans without BPF; see main.c. */
    result[kept++] =
        pool_keep(pool, ct_printf("CUTAWAY_RUN=%.*s", (int)(strrchr(state, '/') - state), state));
    if (ct_span_context(context)) {
        result[kept++] = pool_keep(pool, ct_printf("TRACEPARENT=%s", context));
    }
    if (ct_span_fd() >= 0) {
        result[kept++] = pool_keep(pool, ct_printf("CUTAWAY_TRACE_FD=%d", ct_span_fd()));
    }
    return result;
}

/* A file in memory: a program that prints more than a pipe holds does not wait for us. */
static int memory_file(const void *data, size_t length, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = memfd_create("shim", MFD_CLOEXEC);

    if (fd < 0 || ct_write_all(fd, data, length) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "make a file in memory");
    }
    return ct_steal_fd(&fd);
}

/* What was written to it: owned, and its length. */
static char *written(int fd, size_t *ret_length)
{
    char *text = calloc(1, OUTPUT_MAX + 1);
    ssize_t n = text ? pread(fd, text, OUTPUT_MAX, 0) : -1;

    *ret_length = n > 0 ? (size_t)n : 0;
    return text;
}

struct run {
    const char *const *argv;
    int stdio[3];
    int timeout_ms;
};

/* 0 when it ended by exit(0); else the error says what it printed (on stderr of run). */
static int run_program(struct task *task, const struct run *run, struct ct_error *err)
{
    struct pool pool = {0};
    struct ct_process process;
    int status = 0, trace_fd = ct_span_fd();
    const struct ct_spawn spawn = {
        .path = task->program,
        .argv = run->argv,
        .envp = environment(task, &pool),
        .cwd = task->bundle,
        .stdio = {run->stdio[0], run->stdio[1], run->stdio[2]},
        .keep = &trace_fd,
        .n_keep = trace_fd >= 0 ? 1 : 0,
        .new_session = true,
    };
    int result = ct_process_start(&spawn, &process, err);

    pool_done(&pool);
    if (result < 0) {
        return -1;
    }
    result = ct_process_wait(&process, run->timeout_ms, &status, err);
    if (result < 0) {
        struct ct_error ignored = {0};
        (void)ct_pidfd_signal(process.pidfd, SIGKILL, &ignored);
        (void)ct_process_wait(&process, -1, &status, &ignored);
    }
    ct_process_done(&process);
    if (result == 0 && ct_exit_code(status) != 0) {
        size_t length;
        CT_AUTO_FREE char *text = written(run->stdio[2], &length);
        result = ct_error_set(err, "shim", CT_SYSTEM, 0, "%s", text && *text ? text : "failed");
        (void)ct_while(err, "run '%.100s', which ended with %d", task->program,
                       ct_exit_code(status));
    }
    return result;
}

/* ---- start ---------------------------------------------------------------------------------- */

/* "unix:///run/containerd/s/HEX", or the same as the "address" of a JSON document (containerd 2).
 * The path, owned. */
static char *read_address(const char *output, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document =
        *output == '{' ? ct_json_parse(output, strlen(output), err) : NULL;
    const char *address = document ? ct_json_string(document, "address", "") : output;
    size_t length = strcspn(address, "\r\n \t");

    if (strncmp(address, "unix:///", 8) != 0) {
        return ct_refuse_null(err, CT_UNSUPPORTED, "the shim's address is '%.100s', not unix:///…",
                              address);
    }
    return ct_printf("%.*s", (int)length - 7, address + 7);
}

static int pack_options(const Google__Protobuf__Any *options, struct ct_error *err)
{
    const Google__Protobuf__Any none = GOOGLE__PROTOBUF__ANY__INIT;
    const Google__Protobuf__Any *any = options ? options : &none;
    size_t size = google__protobuf__any__get_packed_size(any);
    CT_AUTO_FREE uint8_t *packed = malloc(size + 1);

    if (!packed) {
        return ct_fail(err, ENOMEM, "start a shim");
    }
    (void)google__protobuf__any__pack(any, packed);
    return memory_file(packed, options ? size : 0, err);
}

char *shim_start(struct task *task, const Google__Protobuf__Any *options, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_SPAWN_SHIM, "%s -namespace %s -id %s start",
            strrchr(task->program, '/') + 1, task->space, task->id);
    CT_AUTO_FREE char *self = ct_self_path(err);
    const char *level = getenv("CUTAWAY_LOG");
    bool debug = level && strcmp(level, "debug") == 0;
    const char *argv[] = {
        task->program,          "-namespace", task->space, "-address", task->containerd->address,
        "-publish-binary",      self,         "-id",       task->id,   debug ? "-debug" : "start",
        debug ? "start" : NULL, NULL};
    CT_AUTO_CLOSE int in = self ? pack_options(options, err) : -1;
    CT_AUTO_CLOSE int out = in < 0 ? -1 : memory_file("", 0, err);
    const struct run run = {argv, {in, out, out}, START_MS};
    size_t length;

    if (out < 0 || run_program(task, &run, err) < 0) {
        return NULL;
    }
    CT_AUTO_FREE char *text = written(out, &length);
    return text ? read_address(text, err) : ct_fail_null(err, ENOMEM, "start a shim");
}

/* ---- delete --------------------------------------------------------------------------------- */

int shim_delete(struct task *task, Containerd__Task__V2__DeleteResponse **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *self = ct_self_path(err);
    const char *argv[] = {
        task->program,     "-namespace", task->space, "-address", task->containerd->address,
        "-publish-binary", self,         "-id",       task->id,   "-bundle",
        task->bundle,      "delete",     NULL};
    CT_AUTO_CLOSE int out = memory_file("", 0, err);
    CT_AUTO_CLOSE int log = out < 0 ? -1 : memory_file("", 0, err);
    const struct run run = {argv, {-1, out, log}, DELETE_MS};
    size_t length;

    *ret = NULL;
    if (!self || log < 0 || run_program(task, &run, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *packed = written(out, &length);
    *ret = packed ? containerd__task__v2__delete_response__unpack(NULL, length, (uint8_t *)packed)
                  : NULL;
    return *ret ? 0 : ct_refuse(err, CT_SYSTEM, "the shim's `delete` printed no answer");
}

/* ---- asking --------------------------------------------------------------------------------- */

struct question {
    struct loop *loop;
    struct ct_error *err;
    const ProtobufCMessageDescriptor *type;
    ProtobufCMessage *answer;
    bool answered;
};

/* The answer is lent: kept as a copy, by way of its bytes. */
static void on_done(void *context, const void *response, const struct ct_error *error)
{
    struct question *question = context;

    question->answered = response != NULL;
    if (response) {
        size_t size = protobuf_c_message_get_packed_size(response);
        CT_AUTO_FREE uint8_t *packed = malloc(size + 1);
        if (!packed) {
            abort();
        }
        (void)protobuf_c_message_pack(response, packed);
        question->answer = protobuf_c_message_unpack(question->type, NULL, size, packed);
    } else {
        *question->err = *error;
    }
    loop_stop(question->loop);
}

static void on_cancel(void *context, uint32_t events)
{
    struct question *question = context;

    (void)events;
    (void)ct_refuse(question->err, CT_UNREACHABLE, "the caller left");
    loop_stop(question->loop);
}

static int ask_on(struct question *question, struct ttrpc_client *client,
                  const struct ttrpc_request *request, int cancel_fd, struct ct_error *err)
{
    struct loop_source *cancel = NULL;

    if (cancel_fd >= 0) {
        cancel = loop_watch(question->loop, cancel_fd, EPOLLIN, on_cancel, question, err);
        if (!cancel) {
            return -1;
        }
    }
    int result = ttrpc_begin(client, request, on_done, question, err);
    if (result == 0) {
        result = loop_run(question->loop, err);
    }
    loop_unwatch(cancel);
    return result < 0 || !question->answered ? -1 : 0;
}

int shim_ask(const struct task *task, const char *method, const void *request, int timeout_ms,
             int cancel_fd, ProtobufCMessage **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *words = ct_span_wanted() ? wire_words(SERVICE->name, method, request) : NULL;
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_REQUEST, "%s", words);
    const struct ttrpc_request call = {
        .service = SERVICE, .method = method, .message = request, .timeout_ms = timeout_ms};
    struct question question = {
        .loop = loop_new(err),
        .err = err,
        .type = protobuf_c_service_descriptor_get_method_by_name(SERVICE, method)->output};
    struct ttrpc_client *client = NULL;
    int result = -1;
    int fd = question.loop ? ttrpc_connect(task->socket, err) : -1;

    if (fd >= 0) {
        client = ttrpc_client_open(question.loop, fd, "shim", NULL, NULL, err);
    }
    if (client) {
        result = ask_on(&question, client, &call, cancel_fd, err);
    }
    ttrpc_client_close(client);
    loop_free(question.loop);
    if (result == 0 && ret) {
        *ret = ct_steal(question.answer);
    }
    if (question.answer) {
        protobuf_c_message_free_unpacked(question.answer, NULL);
    }
    return result;
}
