/*
 * execdriver_world.h - what the execdriver contract's tests share: a world of their own for each
 * test, and short ways to run a program in it and to read what it wrote.
 *
 * Called by:  execdriver.c, execdriver_lxc.c.
 */
#ifndef EXECDRIVER_WORLD_H
#define EXECDRIVER_WORLD_H

#include "error.h"
#include "execdriver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WORLD_TIMEOUT_MS 20000

struct world {
    char *dir;    /* everything is below it; removed by world_done() */
    char *rootfs; /* busybox and its usual directories */
    char *state_dir;
    char id[65];
    int output[2]; /* a pipe: the program's stdout and stderr; [1] is closed by world_output() */
    int null_fd;
    struct exec_spec spec; /* a default one, for the test to change */
    const char *argv[16];
    struct exec_job *job;
};

/* cmocka's setup and teardown. The teardown deletes the job and asserts that nothing is left. */
int world_init(void **state);
int world_done(void **state);

/* The program of the default spec: /bin/sh -c SCRIPT; or the arguments themselves, up to NULL. */
void world_script(struct world *world, const char *script);
void world_argv(struct world *world, ...);

/* Makes a file in the root file system. */
void world_file(const struct world *world, const char *path, const void *data, size_t length,
                unsigned mode);

/* create and start, asserting that both work; create alone. */
/* The program cannot be started: err says why. A runtime may find that out when it is created. */
void world_fail(struct world *world, struct ct_error *err);
/* The driver asks another program, whose runtime has words of its own. */
bool world_is_remote(void);
void world_start(struct world *world);
void world_create(struct world *world);

/* Waits for the end and returns the exit code as a shell has it. */
int world_end(struct world *world);

/* Reads the output up to its end. Owned by the caller (free). */
char *world_output(struct world *world);

/* Reads the output until text came. */
void world_wait_for(struct world *world, const char *text);

/* All of it: start, end, output; asserts the exit code. */
char *world_run(struct world *world, int expected_code);

/* An exec: the program's output, and its exit code. */
char *world_exec(struct world *world, struct exec_program *program, int *ret_code);

/* A program as exec_run() takes it: /bin/sh -c SCRIPT. Borrows from world. */
struct exec_program world_program(struct world *world, const char *script);

/* The error as one line, static. */
const char *world_line(const struct ct_error *err);

#define assert_has(text, part) world_assert_has((text), (part), __FILE__, __LINE__)
void world_assert_has(const char *text, const char *part, const char *file, int line);

#endif
