/*
 * engine_world_rest.c - the contract's engine is a client, with a daemon of its own behind it.
 * Needs root.   Called by: engine.c. The environment variable CUTAWAYD says which program the
 * daemon is.
 */
#define CT_LAYER "test"
#include "engine_containers.h"
#include "engine_world.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS 20000
#define END_MS   20000

static char home[32];
static struct ct_process daemon_process;

static void start_daemon(const char *root, const char *run)
{
    struct ct_error err = {0};
    char line[512];
    const char *program = getenv("CUTAWAYD");
    const char *argv[] = {program, "--root", root, "--run", run, NULL};
    struct ct_spawn spawn = {
        .path = program, .argv = argv, .stdio = {-1, STDERR_FILENO, STDERR_FILENO}};

    assert_non_null(program);
    if (ct_process_start(&spawn, &daemon_process, &err) < 0) {
        fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
    }
}

static struct engine *connect_to_daemon(const char *run)
{
    char line[512];
    for (int waited_ms = 0;; waited_ms += 10) {
        struct ct_error err = {0};
        struct engine *engine = engine_open(&(struct engine_options){.run = run}, &err);
        if (engine) {
            return engine;
        }
        if (waited_ms > START_MS || err.kind != CT_UNREACHABLE) {
            fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
        }
        (void)usleep(10000);
    }
}

struct engine *world_open(void)
{
    (void)strcpy(home, "/tmp/ct-engine-XXXXXX");
    assert_non_null(mkdtemp(home));
    CT_AUTO_FREE char *root = ct_join(home, "root");
    CT_AUTO_FREE char *run = ct_join(home, "run");
    start_daemon(root, run);
    return connect_to_daemon(run);
}

static void remove_containers(struct engine *engine)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *list = NULL;
    json_t *item;
    size_t i;

    assert_int_equal(engine_container_list(engine, true, 0, false, NULL, &list, &err), 0);
    json_array_foreach(list, i, item)
    {
        const char *id = ct_json_string(item, "Id", "");
        assert_int_equal(engine_container_remove(engine, id, true, true, &err), 0);
    }
}

static void end_daemon(void)
{
    struct ct_error err = {0};
    int status = -1;

    assert_int_equal(ct_pidfd_signal(daemon_process.pidfd, SIGTERM, &err), 0);
    assert_int_equal(ct_process_wait(&daemon_process, END_MS, &status, &err), 0);
    assert_int_equal(status, 0);
    ct_process_done(&daemon_process);
}

void world_close(struct engine *engine)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *mounts = NULL;

    remove_containers(engine);
    engine_close(engine);
    end_daemon();
    assert_true(ct_read_file_at(AT_FDCWD, "/proc/self/mountinfo", 1 << 22, &mounts, &err) > 0);
    assert_null(strstr(mounts, home));
    assert_int_equal(ct_remove_tree(AT_FDCWD, home, &err), 0);
}

int world_is_another_role(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
