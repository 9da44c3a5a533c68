/*
 * daemon.c - the daemon's life: it opens the engine, listens, and ends when it is told to.
 *
 * Room:       daemon.   Called by: main.c of each stage's cutawayd.
 *
 * Containers go on when the daemon ends or is killed, and the next one finds them.
 */
#define CT_LAYER "daemon"
#include "daemon.h"

#include "execdriver.h"
#include "listen.h"
#include "options.h"
#include "recover.h"
#include "server.h"
#include "systemd.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one daemon a root ---------------------------------------------------------------------- */

static int lock_root(const char *root, struct ct_error *err)
{
    CT_AUTO_CLOSE int root_fd = ct_mkdirs(root, 0700, err);
    CT_AUTO_FREE char *name = ct_printf("%s/daemon.lock", engine_stage());

    if (root_fd < 0) {
        return -1;
    }
    int fd = ct_lock_at(root_fd, name, CT_LOCK_EXCLUSIVE, 0, err);
    if (fd < 0 && err->kind == CT_TIMEOUT) {
        ct_error_clear(err);
        (void)ct_refuse(err, CT_EXISTS, "start: another cutawayd works on '%.100s'", root);
        return ct_hint(err, "use that one, or choose another --root");
    }
    return fd;
}

/* ---- sockets -------------------------------------------------------------------------------- */

struct daemon {
    struct options options;
    const char *run; /* borrowed, absolute */
    struct engine *engine;
    const struct daemon_rooms *rooms; /* or NULL */
    bool began;                       /* exec_driver_begin() */
    struct server *servers[HOSTS_MAX];
    size_t n_servers;
    char *unix_paths[HOSTS_MAX]; /* to be removed at the end */
};

static int check_tcp(const struct options *options, const struct rest_host *host,
                     struct ct_error *err)
{
    if (options->verify) {
        return 0;
    }
    if (!rest_host_is_loopback(host)) {
        (void)ct_refuse(err, CT_DENIED,
                        "listen on tcp://%.60s:%u without TLS: whoever connects would be root",
                        host->name, host->port);
        return ct_hint(err, "add --tlsverify --tlscacert --tlscert --tlskey");
    }
    if (!options->insecure) {
        (void)ct_refuse(err, CT_DENIED, "listen on tcp://%.60s:%u without TLS", host->name,
                        host->port);
        return ct_hint(err, "add --insecure-loopback if every user of this machine may be root");
    }
    return 0;
}

static int serve(struct daemon *daemon, int listen_fd, bool secured, struct ct_error *err)
{
    const struct server_tls *tls = secured ? &daemon->options.tls : NULL;
    struct server *server = server_open(daemon->engine, listen_fd, tls, err);

    if (!server) {
        return -1;
    }
    daemon->servers[daemon->n_servers++] = server;
    return 0;
}

static bool lies_in(const char *path, const char *dir)
{
    size_t length = strlen(dir);
    return strncmp(path, dir, length) == 0 && path[length] == '/' &&
           !strchr(path + length + 1, '/');
}

static int serve_unix(struct daemon *daemon, const char *path, struct ct_error *err)
{
    const char *group = daemon->options.group;

    if (lies_in(path, daemon->run) && listen_let_pass(daemon->run, group, err) < 0) {
        return -1;
    }
    int fd = listen_unix(path, group, err);
    if (fd < 0) {
        return -1;
    }
    daemon->unix_paths[daemon->n_servers] = ct_strdup(path);
    return serve(daemon, fd, false, err);
}

static int serve_host(struct daemon *daemon, const char *text, struct ct_error *err)
{
    struct rest_host host;
    int result = -1;

    if (rest_host_parse(text, &host, err) < 0) {
        return -1;
    }
    if (host.is_unix) {
        result = serve_unix(daemon, host.path, err);
    } else if (check_tcp(&daemon->options, &host, err) == 0) {
        int fd = listen_tcp(&host, err);
        result = fd < 0 ? -1 : serve(daemon, fd, daemon->options.verify, err);
    }
    rest_host_done(&host);
    return result;
}

/* What systemd hands over stands to the same conditions as what we would open ourselves. */
static int serve_inherited(struct daemon *daemon, int fd, struct ct_error *err)
{
    struct rest_host host;
    int result = -1;

    if (listen_look(fd, &host, err) == 0) {
        bool allowed = host.is_unix || check_tcp(&daemon->options, &host, err) == 0;
        bool secured = !host.is_unix && daemon->options.verify;
        result = allowed ? serve(daemon, ct_steal_fd(&fd), secured, err) : -1;
        rest_host_done(&host);
    }
    ct_cleanup_close(&fd);
    return result;
}

static int check_options(const struct options *options, int n_inherited, struct ct_error *err)
{
    if (options->verify &&
        (!options->tls.ca_file || !options->tls.certificate_file || !options->tls.key_file)) {
        return ct_refuse(err, CT_INVALID, "--tlsverify needs --tlscacert, --tlscert and --tlskey");
    }
    if ((size_t)n_inherited + options->n_hosts > HOSTS_MAX) {
        return ct_refuse(err, CT_INVALID, "listen on %zu sockets: at most %d",
                         (size_t)n_inherited + options->n_hosts, HOSTS_MAX);
    }
    return 0;
}

static int serve_all(struct daemon *daemon, int n_inherited, struct ct_error *err)
{
    const struct options *options = &daemon->options;

    if (check_options(options, n_inherited, err) < 0) {
        return -1;
    }
    for (int i = 0; i < n_inherited; i++) {
        if (serve_inherited(daemon, SYSTEMD_FD_MIN + i, err) < 0) {
            return ct_while(err, "serve socket %d of systemd", i + 1);
        }
    }
    if (options->n_hosts == 0 && n_inherited == 0) {
        CT_AUTO_FREE char *host = ct_printf("unix://%s/" REST_SOCKET, daemon->run);
        return serve_host(daemon, host, err);
    }
    for (size_t i = 0; i < options->n_hosts; i++) {
        if (serve_host(daemon, options->hosts[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

static void stop_serving(struct daemon *daemon)
{
    for (size_t i = 0; i < HOSTS_MAX; i++) {
        if (daemon->unix_paths[i]) {
            (void)unlink(
                daemon->unix_paths[i]); /* so that clients see at once that nobody is here */
            free(daemon->unix_paths[i]);
        }
    }
    for (size_t i = 0; i < daemon->n_servers; i++) {
        server_close(daemon->servers[i]);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Blocked before any thread is there; SIGTERM and SIGINT then come to wait_for_end(). */
static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigprocmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* nothing is configured in a file that could be read again */
}

/* As engine_open() chooses it. Owned. */
static char *directory(const char *given, const char *variable, const char *fallback,
                       struct ct_error *err)
{
    const char *text = given ? given : getenv(variable);
    return ct_path_absolute(text && *text ? text : fallback, err);
}

/* For clients that trace without BPF: a daemon is in no process tree of theirs. */
static void collect_spans(const char *run)
{
    struct ct_error err = {0};
    if (ct_span_collect(run, &err) < 0) {
        ct_warn("spans for clients are not collected: %s", err.frame[0].what);
    }
}

static int run_daemon(struct daemon *daemon, int n_inherited, struct ct_error *err)
{
    CT_AUTO_FREE char *root =
        directory(daemon->options.engine.root, "CUTAWAY_ROOT", "/var/lib/cutaway", err);
    CT_AUTO_FREE char *run =
        directory(daemon->options.engine.run, "CUTAWAY_RUN", "/run/cutaway", err);
    sigset_t signals;
    int number;

    block_signals(&signals);
    const struct options *options = &daemon->options;
    if ((options->exec_driver && exec_driver_use(options->exec_driver, err) < 0) ||
        (options->containerd && exec_driver_reach(options->containerd, err) < 0)) {
        return -1;
    }
    daemon->run = run;
    daemon->engine = root && run ? engine_open(&daemon->options.engine, err) : NULL;
    CT_AUTO_CLOSE int lock = daemon->engine ? lock_root(root, err) : -1;
    if (lock < 0) {
        return -1;
    }
    collect_spans(run);
    if (exec_driver_begin(root, run, err) < 0) {
        return -1;
    }
    daemon->began = true;
    if (daemon->rooms && daemon->rooms->begin(err) < 0) {
        return -1;
    }
    if (recover_containers(daemon->engine, err) < 0 || serve_all(daemon, n_inherited, err) < 0) {
        return -1;
    }
    ct_info("listening stage=%s", engine_stage());
    systemd_tell("READY=1");
    (void)sigwait(&signals, &number);
    systemd_tell("STOPPING=1");
    ct_info("ending signal=%d", number);
    return 0;
}

int daemon_main(int argc, char **argv, const struct daemon_rooms *rooms)
{
    struct daemon daemon = {.rooms = rooms};
    struct ct_error err = {0};

    int n_inherited = systemd_begin(); /* before anything is opened or started */
    options_parse(argc, argv, &daemon.options);
    /* What one thread has read another one frees. With an arena for each, as is the C library's
     * habit, several times the memory would be held that is in use. */
    (void)mallopt(M_ARENA_MAX, 2);
    int result = run_daemon(&daemon, n_inherited, &err);
    stop_serving(&daemon);
    if (rooms) {
        rooms->end();
    }
    if (daemon.began) {
        exec_driver_end();
    }
    engine_close(daemon.engine);
    if (result < 0) {
        ct_error_print(stderr, "cutawayd", &err);
        return 1;
    }
    return 0;
}
