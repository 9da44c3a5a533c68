/*
 * diagnose.h - why a program could not be run: the true cause behind an errno.
 *
 * Room:       lib. Uses nothing but libc and lib/error, so that it can be linked into what runs
 *             inside a container.
 * Called by:  exec.c, for everything that becomes a container's program.
 * Man:        execve(2), path_resolution(7), elf(5).
 *
 * execve(2) has one errno for many faults: ENOENT is a missing file, but also a missing interpreter
 * of '#!', a carriage return behind that interpreter's name, or a missing ELF loader. These
 * functions look again, where the program would have run and as who would have run it. What they
 * read was made by a stranger: they read little of it, and trust none of it.
 */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include "error.h"

/*
 * diagnose_exec - execve(path) failed with exec_errno. Fills err with one sentence, and a hint
 * where one helps. Always returns -1. The kind is CT_NO_PROGRAM (exit code 127) where something is
 * missing: the file, its interpreter, its loader; else CT_CANNOT_RUN (126).
 */
int diagnose_exec(const char *path, int exec_errno, struct ct_error *err);

/* A name without a slash was found in no directory of search_path. As above. */
int diagnose_not_in_path(const char *name, const char *search_path, struct ct_error *err);

/* chdir(cwd) failed with chdir_errno. As above. */
int diagnose_cwd(const char *cwd, int chdir_errno, struct ct_error *err);

#endif
