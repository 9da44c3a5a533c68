/*
 * server.c - the containerd behind a daemon: started with it, unless somebody has started one.
 *
 * Room:       execdriver (stage 04).   Called by: main.c of cutawayd, through execdriver.h.
 * Man:        unix(7) (SO_PEERCRED).
 *
 * It is no part of the daemon: a daemon that is killed leaves it running, and the next one finds it
 * by its socket. A daemon that ends takes it along only when no container is left, for whoever
 * waits for a container's end waits there.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM        "cutaway-containerd"
#define START_LIMIT_MS 20000
#define END_LIMIT_MS   10000
#define PAUSE_NS       10000000L /* between two looks whether it answers */

static bool is_ours; /* the one at our own address, whoever of us started it */

static bool answers(void)
{
    struct ct_error no = {0};
    CT_AUTO_FREE char *version = tasks_version(&no);
    return version != NULL;
}

/* Its log goes where ours goes. */
static int spawn(const char *program, const char *root, const char *run, struct ct_process *ret,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *its_root = ct_join(root, "containerd");
    CT_AUTO_FREE char *its_state = ct_join(run, "containerd");
    const char *const argv[] = {PROGRAM, "--root", its_root, "--state", its_state, NULL};
    const struct ct_spawn spawn = {
        .path = program, .argv = argv, .cwd = "/", .stdio = {-1, -1, 2}, .new_session = true};

    return ct_process_start(&spawn, ret, err);
}

static int await_answer(struct ct_process *process, struct ct_error *err)
{
    int64_t deadline_ns = ct_monotonic_ns() + START_LIMIT_MS * 1000000LL;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct ct_error still_runs = {0};
    int status = 0;

    while (!answers()) {
        if (ct_process_wait(process, 0, &status, &still_runs) == 0) {
            return ct_refuse(err, CT_UNREACHABLE, "start " PROGRAM ": it ended with %d",
                             ct_exit_code(status));
        }
        ct_error_clear(&still_runs);
        if (ct_monotonic_ns() > deadline_ns) {
            return ct_refuse(err, CT_TIMEOUT, "start " PROGRAM ": it does not answer");
        }
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

int exec_driver_begin(const char *root, const char *run, struct ct_error *err)
{
    CT_AUTO_FREE char *address = ct_printf("%s/containerd/containerd.sock", run);
    CT_AUTO_FREE char *program = tasks_server_program();
    struct ct_process process = {.pidfd = -1};

    if (getenv(TASKS_VARIABLE)) {
        return 0; /* another's */
    }
    if (setenv(TASKS_VARIABLE, address, 1) < 0) {
        return ct_fail(err, errno, "choose a containerd");
    }
    is_ours = true;
    if (answers()) {
        return 0;
    }
    if (!program) {
        (void)ct_refuse(err, CT_UNREACHABLE, "start " PROGRAM ": there is none");
        return ct_hint(err, "name another one: --containerd /run/containerd/containerd.sock");
    }
    int result = spawn(program, root, run, &process, err);
    if (result == 0) {
        result = await_answer(&process, err);
        ct_process_done(&process);
    }
    return result;
}

/* Who listens there. 0: nobody. */
static pid_t server_pid(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv(TASKS_VARIABLE);
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || !path || strlen(path) >= sizeof(address.sun_path)) {
        return 0;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
               ? peer.pid
               : 0;
}

static bool holds_containers(void)
{
    Containerd__Services__Containers__V1__ListContainersRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__LIST_CONTAINERS_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct ct_error unknown = {0};

    if (containers_call("List", &request, TASKS_TIMEOUT_MS, &answer, &unknown) < 0) {
        return true; /* in doubt it stays */
    }
    return ((const Containerd__Services__Containers__V1__ListContainersResponse *)answer)
               ->n_containers > 0;
}

void exec_driver_end(void)
{
    struct ct_error ignored = {0};
    pid_t pid = is_ours && !holds_containers() ? server_pid() : 0;
    CT_AUTO_CLOSE int pidfd = pid > 0 ? ct_pidfd_open(pid, &ignored) : -1;

    if (pidfd >= 0 && ct_pidfd_signal(pidfd, SIGTERM, &ignored) == 0) {
        (void)ct_wait_readable(pidfd, -1, END_LIMIT_MS, &ignored);
    }
}
