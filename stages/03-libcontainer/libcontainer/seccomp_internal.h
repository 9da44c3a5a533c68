/*
 * seccomp_internal.h - what the files of the system call filter share: rules, and the program that
 * is made of them.
 *
 * Room:       libcontainer. Called by: seccomp*.c only.
 */
#ifndef LC_SECCOMP_INTERNAL_H
#define LC_SECCOMP_INTERNAL_H

#include "error.h"
#include "fields.h"
#include "seccomp.h"
#include "syscall_numbers.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- words of a profile (seccomp_words.c) ---------------------------------------------------- */

/* SCMP_ACT_…: SECCOMP_RET_… */
extern const struct lc_word seccomp_actions[];
extern const size_t seccomp_n_actions;
/* SECCOMP_FILTER_FLAG_…: themselves */
extern const struct lc_word seccomp_flags[];
extern const size_t seccomp_n_flags;

enum seccomp_operator {
    SECCOMP_NE,
    SECCOMP_LT,
    SECCOMP_LE,
    SECCOMP_EQ,
    SECCOMP_GE,
    SECCOMP_GT,
    SECCOMP_MASKED_EQ
};
/* SCMP_CMP_…: enum seccomp_operator */
extern const struct lc_word seccomp_operators[];
extern const size_t seccomp_n_operators;

/* ---- rules (seccomp.c makes them, seccomp_program.c reads them) -------------------------------
 */

struct seccomp_condition {
    unsigned argument; /* 0 … 5 */
    enum seccomp_operator compare;
    uint64_t value;     /* of SECCOMP_MASKED_EQ the mask … */
    uint64_t value_two; /* … and what must be left under it */
};
#define SECCOMP_ARGUMENTS 6

/* For one number. */
struct seccomp_rule {
    uint32_t number;
    uint32_t action; /* SECCOMP_RET_… and its data */
    unsigned order;  /* place in the document */
    unsigned n_conditions;
    const struct seccomp_condition *conditions; /* all must be met */
};

/* Of one kind of program. */
struct seccomp_section {
    const struct lc_syscall_arch *arch;
    struct seccomp_rule *rules;
    size_t n_rules, room;
    uint32_t end; /* one more than the highest number that the profile names; 0: it names none */
};

struct seccomp_filter {
    uint32_t default_action;
    uint32_t above_last; /* the action for numbers higher than any that the profile names */
    struct seccomp_section *sections; /* our own kind of program first */
    size_t n_sections;
};

/* Sorts the rules, and translates all into a program for the kernel: owned, as reallocarray(3)
 * gives it. CT_UNSUPPORTED: it is longer than the kernel takes. */
int seccomp_assemble(struct seccomp_filter *filter, struct sock_filter **ret, size_t *ret_n,
                     struct ct_error *err);

#endif
