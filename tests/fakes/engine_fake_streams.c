/*
 * engine_fake_streams.c - waits, logs and attached streams of the fake engine.
 *
 * Room:       tests/fakes.   Called by: as engine_fake.c.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_fake.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- waits ---------------------------------------------------------------------------------- */

struct engine_wait {
    struct engine *engine;
    json_t *record; /* held: it may be removed meanwhile */
    char condition[16];
    json_int_t exits_before;
    int fd; /* an eventfd */
    struct engine_wait *next;
};

void fake_notify(struct engine *engine)
{
    for (struct engine_wait *wait = fake(engine)->waits; wait; wait = wait->next) {
        (void)eventfd_write(wait->fd, 1); /* can only fail when it is readable already */
    }
}

struct engine_wait *engine_wait_open(struct engine *engine, const char *ref, const char *condition,
                                     struct ct_error *err)
{
    if (strcmp(condition, "not-running") != 0 && strcmp(condition, "next-exit") != 0 &&
        strcmp(condition, "removed") != 0) {
        return ct_refuse_null(err, CT_INVALID, "invalid condition: '%s'", condition);
    }
    json_t *record = fake_find(engine, ref, err);
    struct engine_wait *wait = record ? calloc(1, sizeof(*wait)) : NULL;
    if (!wait) {
        return record ? ct_fail_null(err, ENOMEM, "wait for '%.64s'", ref)
                      : ct_while_null(err, "wait for '%.64s'", ref);
    }
    wait->engine = engine;
    wait->record = json_incref(record);
    (void)strncpy(wait->condition, condition, sizeof(wait->condition) - 1);
    wait->exits_before = ct_json_integer(record, "Exits", 0);
    wait->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wait->next = fake(engine)->waits;
    fake(engine)->waits = wait;
    return wait;
}

int engine_wait_fd(const struct engine_wait *wait)
{
    return wait->fd;
}

int engine_wait_result(struct engine_wait *wait, int *ret_status, struct ct_error *err)
{
    bool removed = ct_json_bool(wait->record, "Removed", false);
    bool ended = ct_json_integer(wait->record, "Exits", 0) > wait->exits_before;
    bool running = ct_json_bool(wait->record, "State.Running", false);
    eventfd_t ignored;

    (void)err;
    (void)eventfd_read(wait->fd, &ignored);
    if (!removed && (strcmp(wait->condition, "removed") == 0 ||
                     (strcmp(wait->condition, "next-exit") == 0 && !ended) || running)) {
        return 0;
    }
    *ret_status = (int)ct_json_integer(wait->record, "State.ExitCode", 0);
    return 1;
}

void engine_wait_close(struct engine_wait *wait)
{
    if (!wait) {
        return;
    }
    struct engine_wait **slot = &fake(wait->engine)->waits;
    while (*slot != wait) {
        slot = &(*slot)->next;
    }
    *slot = wait->next;
    ct_cleanup_close(&wait->fd);
    json_decref(wait->record);
    free(wait);
}

/* ---- logs ----------------------------------------------------------------------------------- */

static int write_frame(int out_fd, const char *line, size_t length)
{
    unsigned char header[8] = {1}; /* standard output */
    uint32_t size = htonl((uint32_t)length);

    memcpy(header + 4, &size, sizeof(size));
    return ct_write_all(out_fd, header, sizeof(header)) < 0 ? -1
                                                            : ct_write_all(out_fd, line, length);
}

int engine_container_logs(struct engine *engine, const char *ref, const struct engine_logs *query,
                          int out_fd, int cancel_fd, struct ct_error *err)
{
    const json_t *record = fake_find(engine, ref, err);
    const char *line = ct_json_string(record, "Log", "");

    (void)cancel_fd; /* nothing here blocks */
    if (!record) {
        return ct_while(err, "read the logs of '%.64s'", ref);
    }
    if (query->timestamps || query->details || query->follow || query->since_ns ||
        query->until_ns || query->tail >= 0) {
        return fake_cannot(err, "read a part of the logs");
    }
    while (query->want_stdout && *line) {
        size_t length = strcspn(line, "\n") + 1;
        int result = ct_json_bool(record, "Config.Tty", false) ? ct_write_all(out_fd, line, length)
                                                               : write_frame(out_fd, line, length);
        if (result < 0) {
            return ct_fail(err, errno, "write the logs of '%.64s'", ref);
        }
        line += length;
    }
    return 0;
}

/* ---- attach --------------------------------------------------------------------------------- */

/* `cat`, or a program that reads its input and prints nothing. Ends with its input. */
struct acted {
    int fd;
    bool gives_back, raw;
};

static void *read_input(void *context)
{
    struct acted *program = context;
    char block[4096];
    ssize_t n;

    while ((n = read(program->fd, block, sizeof(block))) > 0) {
        int result = !program->gives_back ? 0
                     : program->raw       ? ct_write_all(program->fd, block, (size_t)n)
                                          : write_frame(program->fd, block, (size_t)n);
        if (result < 0) {
            break;
        }
    }
    (void)close(program->fd);
    free(program);
    return NULL;
}

/* Also before the start, as the contract says: nobody can tell when a `cat` has begun to read. */
int engine_container_attach(struct engine *engine, const char *ref, const struct engine_attach *how,
                            int *ret_fd, struct ct_error *err)
{
    const json_t *record = fake_find(engine, ref, err);
    struct acted *program = record ? calloc(1, sizeof(*program)) : NULL;
    pthread_t thread;
    int ends[2];

    if (record && (how->logs || !how->stream)) {
        free(program);
        return fake_cannot(err, "attach to the log");
    }
    if (!program || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        free(program);
        return record ? ct_fail(err, ENOMEM, "attach to '%.64s'", ref)
                      : ct_while(err, "attach to '%.64s'", ref);
    }
    const char *name = json_string_value(json_array_get(ct_json_get(record, "Config.Cmd"), 0));
    *program = (struct acted){.fd = ends[1],
                              .gives_back = how->out && name && strcmp(name, "cat") == 0,
                              .raw = ct_json_bool(record, "Config.Tty", false)};
    int result = pthread_create(&thread, NULL, read_input, program);
    if (result != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(program);
        return ct_fail(err, result, "attach to '%.64s'", ref);
    }
    (void)pthread_detach(thread);
    *ret_fd = ends[0];
    return 0;
}
