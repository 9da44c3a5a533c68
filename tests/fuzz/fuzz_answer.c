/*
 * fuzz_answer.c - any bytes as a daemon's answer to our client.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * The first byte of an input says what is asked (see `questions`), the rest is the whole answer,
 * head and body; then the connection ends. A thread plays the daemon. Whatever it says, the client
 * ends with a result or with an error that can be told.
 */
#include "cli_internal.h"
#include "engine_containers.h"
#include "engine_images.h"
#include "engine_system.h"
#include "fuzz.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the daemon ----------------------------------------------------------------------------- */

#define PING_ANSWER \
    "HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static struct engine *engine;
static int null_fd;

/* Written before a question is asked, read by the thread that has accepted its connection. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *answer = PING_ANSWER;
static size_t answer_length = sizeof(PING_ANSWER) - 1;

static void set_answer(const char *bytes, size_t length)
{
    (void)pthread_mutex_lock(&lock);
    answer = bytes;
    answer_length = length;
    (void)pthread_mutex_unlock(&lock);
}

/* The head of the request is all that it reads before it answers. */
static void read_head(int fd)
{
    char head[8192] = "";
    size_t have = 0;
    ssize_t n;

    while (!strstr(head, "\r\n\r\n") && (n = read(fd, head + have, sizeof(head) - have - 1)) > 0) {
        have += (size_t)n;
        head[have] = '\0';
    }
}

static void *play_daemon(void *context)
{
    const int *listen_fd = context;
    char rest[8192];

    for (;;) {
        CT_AUTO_CLOSE int fd = accept4(*listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            return NULL;
        }
        read_head(fd);
        (void)pthread_mutex_lock(&lock);
        (void)ct_write_all(fd, answer, answer_length); /* the client may have seen enough */
        (void)pthread_mutex_unlock(&lock);
        (void)shutdown(fd, SHUT_WR);
        /* Not to the end: a client that keeps its connection would keep us from its next one. */
        while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {
        }
    }
}

static void start_daemon(const char *path)
{
    static int listen_fd;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listen_fd, 16) < 0 || pthread_create(&thread, NULL, play_daemon, &listen_fd) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

/* What the program printed would go to our standard streams: libFuzzer keeps copies for itself. */
static void keep_output_away(int *argc, char ***argv)
{
    static char flag[] = "-close_fd_mask=3";
    static char *longer[64];

    if (*argc + 1 < (int)(sizeof(longer) / sizeof(*longer))) {
        memcpy(longer, *argv, (size_t)*argc * sizeof(*longer));
        longer[(*argc)++] = flag;
        *argv = longer;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct ct_error err = {0};

    keep_output_away(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        abort();
    }
    CT_AUTO_FREE char *path = ct_join(fuzz_home(), "s");
    CT_AUTO_FREE char *host = ct_printf("unix://%s", path);
    start_daemon(path);
    engine = engine_open(&(struct engine_options){.host = host}, &err);
    if (!engine) {
        ct_error_print(stderr, "fuzz_answer", &err);
        abort();
    }
    return 0;
}

/* ---- the questions -------------------------------------------------------------------------- */

static int ask_inspect(struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    return engine_container_inspect(engine, "web", false, &document, err);
}

static int ask_create(struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = json_object();
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_FREE char *id = NULL;
    return engine_container_create(engine, "web", body, &id, &warnings, err);
}

static int ask_stat(struct ct_error *err)
{
    CT_AUTO_JSON json_t *stat = NULL;
    return engine_container_stat_path(engine, "web", "/etc", &stat, err);
}

static int ask_logs(struct ct_error *err)
{
    const struct engine_logs all = {.want_stdout = true, .follow = true, .tail = -1};
    return engine_container_logs(engine, "web", &all, null_fd, -1, err);
}

static int take_event(void *context, const json_t *event)
{
    int *left = context;
    (void)event;
    return --*left == 0;
}

static int ask_events(struct ct_error *err)
{
    const struct engine_events all = {0};
    int left = 3;
    return engine_events(engine, &all, take_event, &left, -1, err);
}

static int ask_wait(struct ct_error *err)
{
    struct engine_wait *wait = engine_wait_open(engine, "web", "not-running", err);
    int status, over = wait ? 0 : -1;

    while (over == 0) {
        struct pollfd fd = {.fd = engine_wait_fd(wait), .events = POLLIN};
        (void)poll(&fd, 1, 100);
        over = engine_wait_result(wait, &status, err);
    }
    engine_wait_close(wait);
    return over < 0 ? -1 : 0;
}

/* The stream's frames to standard output and error; raw: its bytes. */
static int show(int fd, bool raw, struct ct_error *err)
{
    int result = stream_copy_frames(fd, raw, err);
    (void)close(fd);
    return result;
}

static int ask_attach(struct ct_error *err)
{
    const struct engine_attach all = {.stream = true, .in = true, .out = true, .err = true};
    int fd = -1;
    return engine_container_attach(engine, "web", &all, &fd, err) < 0 ? -1 : show(fd, false, err);
}

static int ask_exec(struct ct_error *err)
{
    int fd = -1;
    return engine_exec_start(engine, "0123", &fd, err) < 0 ? -1 : show(fd, true, err);
}

static void take_progress(void *context, const json_t *message)
{
    (void)context;
    (void)message;
}

static int ask_load(struct ct_error *err)
{
    const struct engine_io io = {.progress = take_progress, .cancel_fd = -1};
    return engine_image_load(engine, null_fd, &io, err);
}

static const struct {
    char letter;
    int (*ask)(struct ct_error *err);
} questions[] = {
    {'i', ask_inspect}, {'c', ask_create}, {'s', ask_stat}, {'l', ask_logs}, {'e', ask_events},
    {'w', ask_wait},    {'a', ask_attach}, {'x', ask_exec}, {'p', ask_load},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ct_error err = {0};

    for (size_t i = 0; size > 0 && i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (questions[i].letter == data[0]) {
            set_answer((const char *)data + 1, size - 1);
            if (questions[i].ask(&err) < 0) {
                must_be_told(&err);
            }
            set_answer("", 0); /* the bytes are libFuzzer's again */
            return 0;
        }
    }
    return -1; /* not to be kept */
}
