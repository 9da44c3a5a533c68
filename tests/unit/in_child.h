/*
 * in_child.h - a part of a test that changes its process for good, in a child of its own.
 *
 * cmocka's assertions jump back into the runner, of which a child would be a second one: there it
 * is CHILD_CHECK, which says what was not so and ends the child.
 */
#ifndef IN_CHILD_H
#define IN_CHILD_H

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_CHECK(condition)                                                           \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            (void)dprintf(STDERR_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                    \
        }                                                                                \
    } while (0)

/* The same for a call that fills err. */
#define CHILD_DO(call, err)                                                            \
    do {                                                                               \
        if ((call) < 0) {                                                              \
            char child_line_[512];                                                     \
            (void)dprintf(STDERR_FILENO, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                          ct_error_render((err), child_line_, sizeof(child_line_)));   \
            _exit(1);                                                                  \
        }                                                                              \
    } while (0)

/* Runs work in a child. Returns its exit code (0: all was so), or 128 + the signal that ended it.
 */
static inline int in_child(void (*work)(void *), void *context)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        /* cmocka catches these, and would go on with the next test. */
        static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
        for (unsigned i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
            (void)signal(caught[i], SIG_DFL);
        }
        work(context);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
