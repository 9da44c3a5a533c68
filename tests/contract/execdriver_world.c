/*
 * execdriver_world.c - a world of its own for each test of the execdriver contract.
 *
 * Called by:  see execdriver_world.h.
 * BUSYBOX names a static busybox: the only program in the root file system.
 */
#define CT_LAYER "test"
#include "execdriver_world.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const default_env[] = {"PATH=/bin:/sbin", "HOME=/", NULL};

static const char *const applets[] = {
    "sh", "ls",   "cat",   "id",       "echo", "sleep", "true",   "env",      "pwd",   "ps",
    "dd", "tty",  "stat",  "mkdir",    "kill", "grep",  "chmod",  "hostname", "mount", "head",
    "wc", "tail", "touch", "readlink", "find", "xargs", "sysctl", "unshare",  "mknod", "ulimit"};

static void make_dir(const struct world *world, const char *name, mode_t mode)
{
    CT_AUTO_FREE char *path = ct_join(world->rootfs, name);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_rootfs(struct world *world)
{
    static const char *const dirs[] = {"bin", "dev", "proc", "sys", "etc", "sbin", "mnt"};
    const char *busybox = getenv("BUSYBOX") ? getenv("BUSYBOX") : "/bin/busybox";
    struct ct_error err = {0};

    assert_int_equal(mkdir(world->rootfs, 0755), 0);
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        make_dir(world, dirs[i], 0755);
    }
    make_dir(world, "tmp", 01777);
    CT_AUTO_FREE char *target = ct_join(world->rootfs, "bin/busybox");
    CT_AUTO_CLOSE int in = open(busybox, O_RDONLY | O_CLOEXEC);
    CT_AUTO_CLOSE int out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    assert_true(ct_copy_fd(in, out, &err) > 0);
    for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
        CT_AUTO_FREE char *link = ct_printf("%s/bin/%s", world->rootfs, applets[i]);
        assert_int_equal(symlink("busybox", link), 0);
    }
}

int world_init(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char dir[] = "/tmp/execdriver-XXXXXX";

    assert_non_null(world);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    world->dir = ct_strdup(dir);
    world->rootfs = ct_join(dir, "rootfs");
    world->state_dir = ct_join(dir, "state");
    assert_int_equal(mkdir(world->state_dir, 0700), 0);
    make_rootfs(world);
    ct_random_hex(world->id, 32);
    assert_int_equal(pipe2(world->output, O_CLOEXEC), 0);
    world->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    world->spec = (struct exec_spec){
        .id = world->id,
        .state_dir = world->state_dir,
        .rootfs = world->rootfs,
        .hostname = "box",
        .program = {.argv = world->argv,
                    .env = default_env,
                    .cwd = "/",
                    .stdio = {world->null_fd, world->output[1], world->output[1]}},
    };
    world_script(world, "true");
    *state = world;
    return 0;
}

/* No process, no control group, no file of the driver's may be left of this id. */
static void assert_nothing_left(const struct world *world)
{
    static const char *const places[] = {"/run/lxc", "/run/lxc/run/lxc", "/run/lxc/lock/run/lxc"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        CT_AUTO_FREE char *path = ct_join(places[i], world->id);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    CT_AUTO_DIR DIR *hierarchies = opendir("/sys/fs/cgroup");
    for (struct dirent *e = hierarchies ? readdir(hierarchies) : NULL; e;
         e = readdir(hierarchies)) {
        CT_AUTO_FREE char *path = ct_printf("/sys/fs/cgroup/%s/cutaway-%s", e->d_name, world->id);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    CT_AUTO_DIR DIR *files = opendir(world->state_dir);
    for (struct dirent *e = readdir(files); e; e = readdir(files)) {
        if (e->d_name[0] != '.') {
            fail_msg("the driver left '%s' in its directory", e->d_name);
        }
    }
    CT_AUTO_FILE FILE *mounts = fopen("/proc/self/mountinfo", "re");
    CT_AUTO_FREE char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, mounts) > 0) {
        assert_null(strstr(line, world->dir));
    }
}

int world_done(void **state)
{
    struct world *world = *state;
    struct ct_error err = {0};

    if (world->job && exec_delete(world->job, &err) < 0) {
        fail_msg("delete: %s", world_line(&err));
    }
    assert_nothing_left(world);
    ct_cleanup_close(&world->output[0]);
    ct_cleanup_close(&world->output[1]);
    ct_cleanup_close(&world->null_fd);
    if (ct_remove_tree(AT_FDCWD, world->dir, &err) < 0) {
        fail_msg("%s", world_line(&err));
    }
    free(world->dir);
    free(world->rootfs);
    free(world->state_dir);
    free(world);
    return 0;
}

void world_argv(struct world *world, ...)
{
    va_list arguments;
    size_t n = 0;

    va_start(arguments, world);
    do {
        assert_true(n < sizeof(world->argv) / sizeof(world->argv[0]));
        world->argv[n] = va_arg(arguments, const char *);
    } while (world->argv[n++]);
    va_end(arguments);
}

void world_script(struct world *world, const char *script)
{
    world_argv(world, "/bin/sh", "-c", script, NULL);
}

void world_file(const struct world *world, const char *path, const void *data, size_t length,
                unsigned mode)
{
    CT_AUTO_FREE char *full = ct_join(world->rootfs, path);
    CT_AUTO_CLOSE int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ct_write_all(fd, data, length), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

void world_create(struct world *world)
{
    struct ct_error err = {0};

    world->job = exec_create(&world->spec, WORLD_TIMEOUT_MS, &err);
    if (!world->job) {
        fail_msg("create: %s", world_line(&err));
    }
}

void world_start(struct world *world)
{
    struct ct_error err = {0};

    world_create(world);
    if (exec_start(world->job, WORLD_TIMEOUT_MS, &err) < 0) {
        fail_msg("start: %s", world_line(&err));
    }
}

void world_fail(struct world *world, struct ct_error *err)
{
    world->job = exec_create(&world->spec, WORLD_TIMEOUT_MS, err);
    if (world->job) {
        assert_int_equal(exec_start(world->job, WORLD_TIMEOUT_MS, err), -1);
    } else {
        assert_true(world_is_remote());
    }
}

bool world_is_remote(void)
{
    return strcmp(exec_driver_name(), "containerd") == 0;
}

int world_end(struct world *world)
{
    struct ct_error err = {0};
    int status = 0;

    assert_int_equal(ct_wait_readable(exec_wait_fd(world->job), -1, WORLD_TIMEOUT_MS, &err), 1);
    if (exec_result(world->job, &status, &err) < 0) {
        fail_msg("result: %s", world_line(&err));
    }
    return ct_exit_code(status);
}

/* Reads from fd until its end, or until text came. */
static char *read_until(int fd, const char *text)
{
    char *all = ct_strdup("");
    size_t length = 0;
    struct ct_error err = {0};

    for (;;) {
        char part[4096];
        if (ct_wait_readable(fd, -1, WORLD_TIMEOUT_MS, &err) != 1) {
            fail_msg("the output does not come; so far: %s", all);
        }
        ssize_t n = read(fd, part, sizeof(part));
        assert_true(n >= 0);
        char *longer = realloc(all, length + (size_t)n + 1);
        assert_non_null(longer);
        all = longer;
        memcpy(all + length, part, (size_t)n);
        length += (size_t)n;
        all[length] = 0;
        if (n == 0 || (text && strstr(all, text))) {
            return all;
        }
    }
}

void world_wait_for(struct world *world, const char *text)
{
    free(read_until(world->output[0], text));
}

char *world_output(struct world *world)
{
    ct_cleanup_close(&world->output[1]);
    world->output[1] = -1;
    return read_until(world->output[0], NULL);
}

char *world_run(struct world *world, int expected_code)
{
    world_start(world);
    char *text = world_output(world);
    int code = world_end(world);
    if (code != expected_code) {
        fail_msg("exit code %d, not %d; it wrote: %s", code, expected_code, text);
    }
    return text;
}

struct exec_program world_program(struct world *world, const char *script)
{
    static const char *argv[] = {"/bin/sh", "-c", NULL, NULL};

    argv[2] = script;
    return (struct exec_program){
        .argv = argv, .env = default_env, .cwd = "/", .stdio = {world->null_fd, -1, -1}};
}

char *world_exec(struct world *world, struct exec_program *program, int *ret_code)
{
    struct ct_error err = {0};
    int pipe_fds[2];
    int status = 0;

    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    program->stdio[1] = program->stdio[2] = pipe_fds[1];
    struct exec_process *process = exec_run(world->job, program, WORLD_TIMEOUT_MS, &err);
    ct_cleanup_close(&pipe_fds[1]);
    if (!process) {
        fail_msg("exec: %s", world_line(&err));
    }
    char *text = read_until(pipe_fds[0], NULL);
    ct_cleanup_close(&pipe_fds[0]);
    assert_int_equal(ct_wait_readable(exec_run_wait_fd(process), -1, WORLD_TIMEOUT_MS, &err), 1);
    if (exec_run_result(process, &status, &err) < 0) {
        fail_msg("exec's result: %s", world_line(&err));
    }
    *ret_code = ct_exit_code(status);
    return text;
}

const char *world_line(const struct ct_error *err)
{
    static char line[2048];
    return ct_error_render(err, line, sizeof(line));
}

void world_assert_has(const char *text, const char *part, const char *file, int line)
{
    if (!strstr(text, part)) {
        print_error("'%s' is not in:\n%s\n", part, text);
        _fail(file, line);
    }
}
