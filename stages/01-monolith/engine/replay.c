/*
 * replay.c - a log and the stream that follows it, as one stream.
 *
 * Room:       engine.   Called by: streams.c (attach with logs).
 * Man:        socketpair(2), pthread_sigmask(3).
 *
 * Whoever attached may read slowly, and the log may be long: a thread of its own writes it, and
 * then passes on what comes. It knows nothing of the engine's handle and ends with the client or
 * with the program. Meanwhile the monitor keeps what the program prints (see monitor/streams.h).
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

struct replaying {
    struct replay replay;
    int client;
};

static void done(struct replaying *replaying)
{
    log_past_close(&replaying->replay.past);
    ct_cleanup_close(&replaying->replay.program);
    ct_cleanup_close(&replaying->client);
    free(replaying);
}

static void *run(void *context)
{
    struct replaying *replaying = context;
    const struct replay *replay = &replaying->replay;
    struct ct_error gone = {0}; /* a client that reads no more: nobody is left to tell */

    if (log_past_read(&replay->past, &replay->query, replay->raw, replaying->client, &gone) == 0 &&
        replay->program >= 0) {
        ct_relay(replaying->client, replay->program, -1);
    }
    done(replaying);
    return NULL;
}

/* The thread leaves signals to the others, SIGPIPE of a client that is gone included. */
static int start(struct replaying *replaying, struct ct_error *err)
{
    sigset_t all, before;
    pthread_t thread;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, NULL, run, replaying);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result != 0) {
        return ct_fail(err, result, "start a thread");
    }
    (void)pthread_detach(thread);
    return 0;
}

int replay_begin(struct replay *replay, int *ret_fd, struct ct_error *err)
{
    struct replaying *replaying = calloc(1, sizeof(*replaying));
    int ends[2];

    if (!replaying || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        int saved = replaying ? errno : ENOMEM;
        log_past_close(&replay->past);
        ct_cleanup_close(&replay->program);
        free(replaying);
        return ct_fail(err, saved, "make a stream");
    }
    *replaying = (struct replaying){.replay = *replay, .client = ends[1]};
    if (start(replaying, err) < 0) {
        done(replaying);
        (void)close(ends[0]);
        return -1;
    }
    *ret_fd = ends[0];
    return 0;
}
