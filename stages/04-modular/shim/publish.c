/*
 * publish.c - tells containerd what happens, in order, and again until it has heard.
 *
 * Room:       shim.   Called by: task*.c, tasks.c, oom.c.
 * Spec:       containerd.services.events.ttrpc.v1.Events/Forward, on the socket that TTRPC_ADDRESS
 *             names; without one, the program that -publish-binary names does it.
 *
 * containerd may be away for a while. What happens meanwhile waits here; who comes back asks for
 * the state of each container first, so what is too much (QUEUE_MAX) may be forgotten, the oldest
 * first.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUEUE_MAX      2048
#define FORWARD_MS     5000
#define PROGRAM_NS     INT64_C(10000000000)
#define RETRY_FIRST_NS INT64_C(100000000)
#define RETRY_LAST_NS  INT64_C(2000000000)
#define EVENTS         (&containerd__services__events__ttrpc__v1__events__descriptor)

struct item { /* an event that waits */
    char *topic;
    const char *type; /* the descriptor's */
    int64_t when_ns;
    uint8_t *bytes;
    size_t length;
    struct item *next;
};

struct publisher {
    struct loop *loop;
    const struct shim_options *options;
    char *socket_path; /* of TTRPC_ADDRESS; NULL: by the program */
    struct ttrpc_client *client;
    struct item *first, *last;
    size_t n;
    bool sending;
    pid_t program; /* one of ours that publishes; 0: none */
    struct loop_timer program_timer;
    struct loop_timer retry;
    int64_t retry_ns;
    struct loop_timer finish_timer;
    void (*finished)(void *context);
    void *finished_context;
};

static void send_first(struct publisher *publisher);

static void free_item(struct item *item)
{
    free(item->topic);
    free(item->bytes);
    free(item);
}

static void drop_first(struct publisher *publisher)
{
    struct item *item = publisher->first;

    publisher->first = item->next;
    publisher->last = item->next ? publisher->last : NULL;
    publisher->n--;
    free_item(item);
}

/* ---- the end of an attempt ------------------------------------------------------------------ */

static void now_finished(void *context)
{
    struct publisher *publisher = context;
    publisher->finished(publisher->finished_context);
}

static void published(struct publisher *publisher)
{
    publisher->sending = false;
    publisher->retry_ns = RETRY_FIRST_NS;
    drop_first(publisher);
    if (publisher->first) {
        send_first(publisher);
    } else if (publisher->finished) {
        loop_arm(publisher->loop, &publisher->finish_timer, 0, now_finished, publisher);
    }
}

static void try_again(void *context)
{
    struct publisher *publisher = context;
    if (publisher->first && !publisher->sending) {
        send_first(publisher);
    }
}

static void not_published(struct publisher *publisher)
{
    publisher->sending = false;
    loop_arm(publisher->loop, &publisher->retry, publisher->retry_ns, try_again, publisher);
    publisher->retry_ns =
        publisher->retry_ns * 2 < RETRY_LAST_NS ? publisher->retry_ns * 2 : RETRY_LAST_NS;
}

/* ---- by ttrpc ------------------------------------------------------------------------------- */

static void connection_lost(void *context, const struct ct_error *error)
{
    struct publisher *publisher = context;
    (void)error;

    ttrpc_client_close(publisher->client);
    publisher->client = NULL;
}

static void forwarded(void *context, const void *response, const struct ct_error *error)
{
    struct publisher *publisher = context;
    bool again = error && (error->kind == CT_UNREACHABLE || error->kind == CT_TIMEOUT);

    if (response || (error->kind != CT_UNSUPPORTED && !again)) {
        if (!response) { /* it would be refused each time */
            ct_warn("event refused topic=%s why=%s", publisher->first->topic, error->frame[0].what);
        }
        published(publisher);
        return;
    }
    if (!again) { /* there is no such service: the program knows another way */
        free(ct_steal(publisher->socket_path));
    }
    not_published(publisher);
}

static int forward(struct publisher *publisher, struct ct_error *err)
{
    const struct item *item = publisher->first;
    const struct ttrpc_header header = {"containerd-namespace-ttrpc",
                                        publisher->options->namespace};
    Google__Protobuf__Timestamp when = timestamp_of(item->when_ns);
    Google__Protobuf__Any event = GOOGLE__PROTOBUF__ANY__INIT;
    Containerd__Services__Events__Ttrpc__V1__Envelope envelope =
        CONTAINERD__SERVICES__EVENTS__TTRPC__V1__ENVELOPE__INIT;
    Containerd__Services__Events__Ttrpc__V1__ForwardRequest request =
        CONTAINERD__SERVICES__EVENTS__TTRPC__V1__FORWARD_REQUEST__INIT;

    event.type_url = (char *)(uintptr_t)item->type;
    event.value.data = item->bytes;
    event.value.len = item->length;
    envelope.timestamp = &when;
    envelope.namespace_ = (char *)(uintptr_t)publisher->options->namespace;
    envelope.topic = item->topic;
    envelope.event = &event;
    request.envelope = &envelope;
    return ttrpc_begin(publisher->client,
                       &(struct ttrpc_request){.service = EVENTS,
                                               .method = "Forward",
                                               .message = &request,
                                               .headers = &header,
                                               .n_headers = 1,
                                               .timeout_ms = FORWARD_MS},
                       forwarded, publisher, err);
}

static int send_by_ttrpc(struct publisher *publisher, struct ct_error *err)
{
    if (!publisher->client) {
        int fd = ttrpc_connect(publisher->socket_path, err);
        publisher->client = fd < 0 ? NULL
                                   : ttrpc_client_open(publisher->loop, fd, "containerd",
                                                       connection_lost, publisher, err);
    }
    return publisher->client ? forward(publisher, err) : -1;
}

/* ---- by the program ------------------------------------------------------------------------- */

static int event_file(const struct item *item, struct ct_error *err)
{
    Google__Protobuf__Any event = GOOGLE__PROTOBUF__ANY__INIT;
    CT_AUTO_CLOSE int fd = memfd_create("event", MFD_CLOEXEC);

    event.type_url = (char *)(uintptr_t)item->type;
    event.value.data = item->bytes;
    event.value.len = item->length;
    size_t length = google__protobuf__any__get_packed_size(&event);
    CT_AUTO_FREE uint8_t *packed = malloc(length + 1);
    if (!packed) {
        abort();
    }
    (void)google__protobuf__any__pack(&event, packed);
    if (fd < 0 || ct_write_all(fd, packed, length) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "hand an event over");
    }
    return ct_steal_fd(&fd);
}

static void program_hangs(void *context)
{
    struct publisher *publisher = context;
    (void)kill(publisher->program, SIGKILL); /* not reaped yet, so the pid is still its own */
}

static int send_by_program(struct publisher *publisher, struct ct_error *err)
{
    const struct shim_options *options = publisher->options;
    const char *const argv[] = {
        options->publish_binary, "--address",   options->address,   "publish", "--topic",
        publisher->first->topic, "--namespace", options->namespace, NULL};
    CT_AUTO_CLOSE int event = event_file(publisher->first, err);
    struct ct_process process = {.pidfd = -1};

    if (event < 0 || ct_process_start(&(struct ct_spawn){.argv = argv, .stdio = {event, -1, -1}},
                                      &process, err) < 0) {
        return -1;
    }
    publisher->program = process.pid;
    ct_process_done(&process); /* SIGCHLD tells */
    loop_arm(publisher->loop, &publisher->program_timer, PROGRAM_NS, program_hangs, publisher);
    return 0;
}

bool publisher_ended(struct publisher *publisher, pid_t pid, int status)
{
    if (pid != publisher->program) {
        return false;
    }
    publisher->program = 0;
    loop_disarm(&publisher->program_timer);
    if (ct_exit_code(status) == 0) {
        published(publisher);
    } else {
        not_published(publisher);
    }
    return true;
}

/* ---- the door ------------------------------------------------------------------------------- */

static void send_first(struct publisher *publisher)
{
    struct ct_error err = {0};

    loop_disarm(&publisher->retry);
    publisher->sending = true;
    if ((publisher->socket_path ? send_by_ttrpc(publisher, &err)
                                : send_by_program(publisher, &err)) < 0) {
        ct_debug("event waits topic=%s why=%s", publisher->first->topic, err.frame[0].what);
        not_published(publisher);
    }
}

void publish(struct publisher *publisher, const char *topic, const ProtobufCMessage *event)
{
    struct item *item = calloc(1, sizeof(*item));
    size_t length = protobuf_c_message_get_packed_size(event);

    if (!item || !(item->bytes = malloc(length + 1))) {
        abort();
    }
    item->topic = ct_strdup(topic);
    item->type = event->descriptor->name;
    item->when_ns = ct_now_ns();
    item->length = protobuf_c_message_pack(event, item->bytes);
    if (publisher->last) {
        publisher->last->next = item;
    } else {
        publisher->first = item;
    }
    publisher->last = item;
    if (++publisher->n > QUEUE_MAX && !publisher->sending) {
        ct_warn("event forgotten topic=%s", publisher->first->topic);
        drop_first(publisher);
    }
    if (!publisher->sending && !publisher->retry.loop) {
        send_first(publisher);
    }
}

struct publisher *publisher_new(struct loop *loop, const struct shim_options *options)
{
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    const char *address = getenv("TTRPC_ADDRESS");

    if (!publisher) {
        abort();
    }
    *publisher = (struct publisher){.loop = loop, .options = options, .retry_ns = RETRY_FIRST_NS};
    if (address && *address) {
        publisher->socket_path =
            ct_strdup(strncmp(address, "unix://", 7) == 0 ? address + 7 : address);
    }
    return publisher;
}

void publisher_hurry(struct publisher *publisher)
{
    publisher->retry_ns = RETRY_FIRST_NS;
    try_again(publisher);
}

void publisher_finish(struct publisher *publisher, int timeout_ms, void (*done)(void *context),
                      void *context)
{
    publisher->finished = done;
    publisher->finished_context = context;
    loop_arm(publisher->loop, &publisher->finish_timer,
             publisher->first ? timeout_ms * INT64_C(1000000) : 0, now_finished, publisher);
}

void publisher_free(struct publisher *publisher)
{
    if (!publisher) {
        return;
    }
    while (publisher->first) {
        drop_first(publisher);
    }
    loop_disarm(&publisher->retry);
    loop_disarm(&publisher->finish_timer);
    loop_disarm(&publisher->program_timer);
    ttrpc_client_close(publisher->client);
    free(publisher->socket_path);
    free(publisher);
}
