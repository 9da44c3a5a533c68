/*
 * threads.c - threads that come and go by themselves, and are counted.
 *
 * Room:       monitors (stage 04).   Called by: monitors.c, leftover.c.
 * Man:        pthread_attr_setstacksize(3), madvise(2), pthread_getattr_np(3).
 */
#define CT_LAYER "monitors"
#include "monitors_internal.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Address space, of which only what is used is memory: the deepest that we have seen is a start. */
#define STACK_BYTES ((size_t)512 << 10)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fewer = PTHREAD_COND_INITIALIZER;
static size_t n_threads;

int threads_start(void *(*work)(void *context), void *context, struct ct_error *err)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_mutex_lock(&lock);
    int failure = pthread_create(&thread, &attributes, work, context);
    n_threads += failure ? 0 : 1;
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_attr_destroy(&attributes);
    return failure ? ct_fail(err, failure, "make a thread") : 0;
}

void threads_leave(void)
{
    (void)pthread_mutex_lock(&lock);
    n_threads--;
    (void)pthread_cond_broadcast(&fewer);
    (void)pthread_mutex_unlock(&lock);
}

size_t threads_await(int timeout_ms)
{
    struct timespec deadline;
    int late = 0;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    (void)pthread_mutex_lock(&lock);
    while (n_threads > 0 && late == 0) {
        late = pthread_cond_timedwait(&fewer, &lock, &deadline);
    }
    size_t left = n_threads;
    (void)pthread_mutex_unlock(&lock);
    return left;
}

/* Below where we are now nothing is in use; a page more for what this function itself calls. */
void threads_give_stack_back(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    (void)pthread_attr_getstack(&attributes, &lowest, &size);
    (void)pthread_attr_destroy(&attributes);
    if (here - 2 * page > (uintptr_t)lowest) { /* a refusal costs memory, nothing else */
        (void)madvise(lowest, here - 2 * page - (uintptr_t)lowest, MADV_DONTNEED);
    }
}
