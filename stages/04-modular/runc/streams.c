/*
 * streams.c - standard streams, the terminal and further descriptors of create, run and exec.
 *
 * Room:       runc.   Called by: create.c, exec.c.
 * Spec:       docs/terminals.md of runc: who is given a console socket, and when.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "json.h"

#define PRESERVE_MAX 1024

int runc_streams_of(const struct runc_args *args, json_t *process, bool detach,
                    struct runc_streams *ret, struct ct_error *err)
{
    bool terminal = ct_json_bool(process, "terminal", false);
    int64_t preserve = runc_args_number(args, "preserve-fds", 0);

    *ret = (struct runc_streams){.detach = detach,
                                 .preserve_fds = (int)preserve,
                                 .console_socket = runc_args_text(args, "console-socket"),
                                 .pid_file = runc_args_text(args, "pid-file")};
    if (preserve < 0 || preserve > PRESERVE_MAX) {
        return ct_refuse(err, CT_INVALID, "use --preserve-fds %lld: it is 0 to %d",
                         (long long)preserve, PRESERVE_MAX);
    }
    if (detach && terminal && !ret->console_socket) {
        return ct_refuse(err, CT_INVALID,
                         "cannot allocate tty if " RUNC_NAME
                         " will detach without setting console socket");
    }
    if ((!detach || !terminal) && ret->console_socket) {
        return ct_refuse(err, CT_INVALID,
                         "cannot use console socket if " RUNC_NAME
                         " will not detach or allocate tty");
    }
    return 0;
}
