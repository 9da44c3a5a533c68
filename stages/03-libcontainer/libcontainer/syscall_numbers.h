/*
 * syscall_numbers.h - system calls by name, for every kind of program that this machine can run.
 *
 * Room:       libcontainer. Called by: seccomp.c, seccomp_program.c.
 * Man:        syscall(2), seccomp_syscall_resolve_name(3).
 *
 * The names and numbers are libseccomp's; nothing else of it is used (seccomp_program.c says why).
 */
#ifndef LC_SYSCALL_NUMBERS_H
#define LC_SYSCALL_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a program can be compiled for. */
struct lc_syscall_arch {
    const char *name; /* as in a profile: "SCMP_ARCH_X86" */
    uint32_t token;   /* of libseccomp */
    uint32_t audit;   /* AUDIT_ARCH_…: what a filter sees. x32 has that of x86-64 … */
    uint32_t first;   /* … and this bit in all its numbers; else 0 */
    bool is_wide;     /* arguments have 64 bits, not 32 */
};

/* Those that this machine can run, its own first. */
const struct lc_syscall_arch *lc_syscall_archs(size_t *ret_n);
/* All that a profile may name, NULL-terminated, sorted; no program for the others exists here. */
const char *const *lc_syscall_arch_names(void);

struct lc_syscall {
    uint32_t number;
    int selector; /* the first argument that means this call and no other; -1: the number does */
};
#define LC_SYSCALL_WAYS 2 /* in which one call can be made: socketcall(2) or socket(2) */

/* How a program of this kind makes the call. 0: it cannot, or libseccomp does not know the name. */
size_t lc_syscall_ways(const struct lc_syscall_arch *arch, const char *name,
                       struct lc_syscall ret[LC_SYSCALL_WAYS]);

#endif
