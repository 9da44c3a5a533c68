/*
 * talks.c - what goes on longer than a call: followed logs, events, attached streams.
 *
 * Room:       daemon.   Called by: stream.c, hijack.c; server.c ends them all.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct talk *talks;

int talk_begin(struct talk *talk, struct ct_error *err)
{
    talk->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (talk->cancel_fd < 0) {
        return ct_fail(err, errno, "make a stream");
    }
    (void)pthread_mutex_lock(&lock);
    talk->next = talks;
    talk->slot = &talks;
    if (talks) {
        talks->slot = &talk->next;
    }
    talks = talk;
    (void)pthread_mutex_unlock(&lock);
    return 0;
}

void talk_cancel(struct talk *talk)
{
    (void)eventfd_write(talk->cancel_fd, 1); /* fails only when it is readable already */
}

void talk_end(struct talk *talk)
{
    (void)pthread_mutex_lock(&lock);
    *talk->slot = talk->next;
    if (talk->next) {
        talk->next->slot = talk->slot;
    }
    (void)pthread_mutex_unlock(&lock);
    ct_cleanup_close(&talk->cancel_fd);
}

void talks_cancel_all(void)
{
    (void)pthread_mutex_lock(&lock);
    for (struct talk *talk = talks; talk; talk = talk->next) {
        talk_cancel(talk);
    }
    (void)pthread_mutex_unlock(&lock);
}
