/*
 * server.c - the containerd behind a daemon: started with it, unless somebody has started one.
 *
 * Room:       execdriver (stage 04).   Called by: main.c of cutawayd, through execdriver.h.
 * Man:        unix(7) (SO_PEERCRED).
 *
 * It is no part of the daemon: a daemon that is killed leaves it running, and the next one finds it
 * by its socket. A daemon that ends takes it along only when no container runs, for whoever waits
 * for a container's end waits there.
 *
 * One that dies is started again by a thread that waits for that: at once, and when it does not
 * live long, later each time. Containers do not notice, and calls wait a while for it
 * (connection.h).
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM        "cutaway-containerd"
#define START_LIMIT_MS 20000
#define END_LIMIT_MS   10000
#define PAUSE_NS       10000000L /* between two looks whether it answers */
#define PATIENCE_MS    15000     /* of calls, while it is started again */
#define LIVED_LONG_NS  10000000000LL
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS   10000

/* The one at our own address, whoever of us started it. */
static struct {
    char *run; /* the daemon's; NULL: it has not begun */
    bool is_ours;
    char *program, *root;
    struct rlimit files;       /* as we were started with: a container's limits come from there */
    struct ct_process process; /* the child of ours, or just somebody whose end we see */
    bool is_child;
    pthread_t keeper;
    int stop_fd; /* readable: the keeper is to end; -1: there is none */
} server = {.process = {.pidfd = -1}, .stop_fd = -1};

static bool answers(void)
{
    struct ct_error no = {0};
    CT_AUTO_FREE char *version = tasks_version(&no);
    return version != NULL;
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

/* Its log goes where ours goes. */
static int spawn(struct ct_error *err)
{
    CT_AUTO_FREE char *its_root = ct_join(server.root, "containerd");
    CT_AUTO_FREE char *its_state = ct_join(server.run, "containerd");
    const char *const argv[] = {PROGRAM, "--root", its_root, "--state", its_state, NULL};
    const struct ct_spawn spawn = {.path = server.program,
                                   .argv = argv,
                                   .cwd = "/",
                                   .stdio = {-1, -1, 2},
                                   .new_session = true};

    if (!server.program) {
        (void)ct_refuse(err, CT_UNREACHABLE, "start " PROGRAM ": there is none");
        return ct_hint(err, "name another one: --containerd /run/containerd/containerd.sock");
    }
    if (ct_process_start(&spawn, &server.process, err) < 0) {
        return -1;
    }
    server.is_child = true;
    (void)prlimit(server.process.pid, RLIMIT_NOFILE, &server.files, NULL);
    return 0;
}

/* Until it listens, or has ended. */
static int await_listening(struct ct_error *err)
{
    int64_t deadline_ns = ct_monotonic_ns() + START_LIMIT_MS * 1000000LL;
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct ct_error still_runs = {0};
    int status = 0;

    while (server_pid() == 0) {
        if (ct_process_wait(&server.process, 0, &status, &still_runs) == 0) {
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

static int start(struct ct_error *err)
{
    return spawn(err) < 0 || await_listening(err) < 0 ? -1 : 0;
}

/* One that runs already: only its end can be seen. */
static int watch_running(struct ct_error *err)
{
    pid_t pid = server_pid();

    server.is_child = false;
    server.process =
        (struct ct_process){.pid = pid, .pidfd = pid > 0 ? ct_pidfd_open(pid, err) : -1};
    if (server.process.pidfd >= 0 && server_pid() == pid) {
        return 0;
    }
    ct_process_done(&server.process);
    return ct_refuse(err, CT_NOT_FOUND, "watch " PROGRAM ": it has just ended");
}

/* ---- one that dies is started again --------------------------------------------------------- */

/* Takes the end of one that was our child, which would stay as a zombie. Says how, for the log. */
static char *take_end(void)
{
    struct ct_error unknown = {0};
    int status = 0;
    bool known = server.is_child && ct_process_wait(&server.process, 0, &status, &unknown) == 0;

    ct_process_done(&server.process);
    server.process.pidfd = -1;
    return !known                ? ct_strdup("it was another daemon's")
           : WIFSIGNALED(status) ? ct_printf("%s", ct_signal_name(WTERMSIG(status)))
                                 : ct_printf("exit code %d", ct_exit_code(status));
}

/* False: we are to end. */
static bool sleep_ms(int ms)
{
    struct ct_error stopped = {0};
    return ct_wait_readable(server.stop_fd, -1, ms, &stopped) == 0;
}

/* Until it listens again. False: we are to end before. */
static bool start_again(const char *how, int *delay_ms)
{
    char line[400], told[400] = ""; /* the same again is no news */

    for (;; *delay_ms = *delay_ms * 2 < DELAY_MAX_MS ? *delay_ms * 2 : DELAY_MAX_MS) {
        struct ct_error err = {0};
        if (!sleep_ms(*delay_ms)) {
            return false;
        }
        *delay_ms = *delay_ms > 0 ? *delay_ms : DELAY_FIRST_MS / 2;
        if (start(&err) == 0) {
            ct_warn(PROGRAM " died (%s): started again pid=%d", how, (int)server.process.pid);
            return true;
        }
        if (strcmp(ct_error_render(&err, line, sizeof(line)), told) != 0) {
            ct_warn(PROGRAM " died (%s), and goes on being started: %s", how, line);
            memcpy(told, line, sizeof(told));
        }
        if (server.process.pidfd >= 0) { /* it runs, and does not listen */
            (void)ct_pidfd_signal(server.process.pidfd, SIGKILL, &err);
            (void)ct_wait_readable(server.process.pidfd, -1, END_LIMIT_MS, &err);
            free(take_end());
        }
    }
}

static void *keep(void *unused)
{
    int delay_ms = 0;
    (void)unused;

    for (;;) {
        struct ct_error stopped = {0};
        int64_t began_ns = ct_monotonic_ns();
        if (ct_wait_readable(server.process.pidfd, server.stop_fd, -1, &stopped) < 0) {
            return NULL;
        }
        delay_ms = ct_monotonic_ns() - began_ns >= LIVED_LONG_NS ? 0 : delay_ms;
        CT_AUTO_FREE char *how = take_end();
        if (!start_again(how, &delay_ms)) {
            return NULL;
        }
    }
}

static int start_keeper(struct ct_error *err)
{
    server.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (server.stop_fd < 0) {
        return ct_fail(err, errno, "watch " PROGRAM);
    }
    int failure = pthread_create(&server.keeper, NULL, keep, NULL);
    if (failure) {
        ct_cleanup_close(&server.stop_fd);
        server.stop_fd = -1;
        return ct_fail(err, failure, "watch " PROGRAM);
    }
    connection_wait(PATIENCE_MS);
    return 0;
}

static void stop_keeper(void)
{
    if (server.stop_fd >= 0) {
        connection_wait(0);
        (void)eventfd_write(server.stop_fd, 1);
        (void)pthread_join(server.keeper, NULL);
        ct_cleanup_close(&server.stop_fd);
        server.stop_fd = -1;
    }
}

/* ---- the door ------------------------------------------------------------------------------- */

int exec_driver_begin(const char *root, const char *run, struct ct_error *err)
{
    CT_AUTO_FREE char *address = ct_printf("%s/containerd/containerd.sock", run);

    server.run = ct_strdup(run);
    if (getenv(TASKS_VARIABLE)) {
        return 0; /* another's */
    }
    if (setenv(TASKS_VARIABLE, address, 1) < 0) {
        return ct_fail(err, errno, "choose a containerd");
    }
    server.is_ours = true;
    server.program = tasks_server_program();
    server.root = ct_strdup(root);
    (void)getrlimit(RLIMIT_NOFILE, &server.files);
    bool runs = answers() && watch_running(err) == 0;
    ct_error_clear(err); /* it has ended between the two looks */
    return (runs || start(err) == 0) && start_keeper(err) == 0 ? 0 : -1;
}

static bool holds_tasks(void)
{
    Containerd__Services__Tasks__V1__ListTasksRequest request =
        CONTAINERD__SERVICES__TASKS__V1__LIST_TASKS_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct ct_error unknown = {0};

    if (tasks_call("List", &request, TASKS_TIMEOUT_MS, &answer, &unknown) < 0) {
        return true; /* in doubt it stays */
    }
    return ((const Containerd__Services__Tasks__V1__ListTasksResponse *)answer)->n_tasks > 0;
}

void exec_driver_end(void)
{
    struct ct_error ignored = {0};

    stop_keeper();
    pid_t pid = server.is_ours && !holds_tasks() ? server_pid() : 0;
    CT_AUTO_CLOSE int pidfd = pid > 0 ? ct_pidfd_open(pid, &ignored) : -1;
    if (pidfd >= 0 && ct_pidfd_signal(pidfd, SIGTERM, &ignored) == 0) {
        (void)ct_wait_readable(pidfd, -1, END_LIMIT_MS, &ignored);
    }
    ct_process_done(&server.process);
    free(server.program);
    free(server.root);
    free(server.run);
    server.run = NULL;
}

char *tasks_runtime_root(void)
{
    return server.run ? ct_join(server.run, "runc") : NULL;
}
