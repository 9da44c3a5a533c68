/*
 * cgroup_filter.c - the device rules of cgroups v2: a small BPF program, put together here.
 *
 * Room:       libcontainer.   Called by: cgroup_devices.c.
 * Man:        bpf(2) (BPF_PROG_LOAD, BPF_PROG_ATTACH); kernel Documentation/bpf/standardization/
 *             instruction-set.rst and admin-guide/cgroup-v2.rst, "Device controller".
 *
 * v2 has no files for devices. Instead the kernel runs a program whenever a process of the group
 * opens or makes a device, and obeys what it leaves in register 0: 1 is yes, 0 is no. The program
 * is given, by a pointer in register 1,
 *
 *     struct bpf_cgroup_dev_ctx { u32 access_type;  (what is asked for << 16) | kind of device
 *                                 u32 major, minor; };
 *
 * Rules are tried from the last to the first: so a later rule wins. What a rule allows is taken off
 * the list of what is asked for; when nothing is left there, the answer is yes. The whole of
 * "deny all; allow c 1:3 rw" is
 *
 *     w2 = *(u32 *)(r1 + 0)      the kind
 *     w2 &= 0xffff
 *     w3 = *(u32 *)(r1 + 0)      what is asked for
 *     w3 >>= 16
 *     w4 = *(u32 *)(r1 + 4)      major
 *     w5 = *(u32 *)(r1 + 8)      minor
 *     if w2 != CHAR goto next    allow c 1:3 rw
 *     if w4 != 1 goto next
 *     if w5 != 3 goto next
 *     w3 &= ~(READ | WRITE)
 *     if w3 != 0 goto next
 *     w0 = 1
 *     exit
 * next:
 *     w0 = 0                     deny all
 *     exit
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the assembler -------------------------------------------------------------------------- */

enum reg { R_ANSWER = BPF_REG_0, R_CONTEXT, R_KIND, R_ASKED, R_MAJOR, R_MINOR };

struct program {
    struct bpf_insn *code;
    size_t n, room;
};

/* One instruction: operation, registers, offset (of a jump or of memory), number. */
static void emit(struct program *program, int operation, enum reg to, enum reg from, size_t offset,
                 uint32_t number)
{
    if (program->n == program->room) {
        program->room = program->room ? 2 * program->room : 64;
        program->code = reallocarray(program->code, program->room, sizeof(*program->code));
        if (!program->code) {
            abort();
        }
    }
    program->code[program->n++] = (struct bpf_insn){.code = (__u8)operation,
                                                    .dst_reg = to & 0xf,
                                                    .src_reg = from & 0xf,
                                                    .off = (__s16)offset,
                                                    .imm = (__s32)number};
}

/* to = *(u32 *)(context + offset) */
static void load(struct program *program, enum reg to, size_t offset)
{
    emit(program, BPF_LDX | BPF_MEM | BPF_W, to, R_CONTEXT, offset, 0);
}

/* to OPERATION= number: BPF_MOV, BPF_AND, BPF_RSH */
static void calculate(struct program *program, int operation, enum reg to, uint32_t number)
{
    emit(program, BPF_ALU | BPF_K | operation, to, R_ANSWER, 0, number);
}

/* if left CONDITION number goto next: BPF_JNE, BPF_JEQ. Where next is comes later (label_next()).
 */
static void jump_next_if(struct program *program, int condition, enum reg left, uint32_t number)
{
    emit(program, BPF_JMP32 | BPF_K | condition, left, R_ANSWER, 0, number);
}

static void answer(struct program *program, bool yes)
{
    calculate(program, BPF_MOV, R_ANSWER, yes);
    emit(program, BPF_JMP | BPF_EXIT, R_ANSWER, R_ANSWER, 0, 0);
}

/* "next:" is here: the jumps since start lead here. Offsets count from the instruction after. */
static void label_next(struct program *program, size_t start)
{
    for (size_t i = start; i < program->n; i++) {
        if ((program->code[i].code & 0x07) == BPF_JMP32) {
            program->code[i].off = (__s16)(program->n - i - 1);
        }
    }
}

/* ---- the rules ------------------------------------------------------------------------------ */

static uint32_t access_bits(const struct lc_device_rule *rule)
{
    return (rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0u) | (rule->read ? BPF_DEVCG_ACC_READ : 0u) |
           (rule->write ? BPF_DEVCG_ACC_WRITE : 0u);
}

/* Whether nothing can come past this rule. */
static bool is_for_all(const struct lc_device_rule *rule)
{
    return rule->type == 'a' && rule->major < 0 && rule->minor < 0 && rule->read && rule->write &&
           rule->mknod;
}

static void add_rule(struct program *program, const struct lc_device_rule *rule)
{
    size_t start = program->n;

    if (rule->type != 'a') {
        jump_next_if(program, BPF_JNE, R_KIND,
                     rule->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
    }
    if (rule->major >= 0) {
        jump_next_if(program, BPF_JNE, R_MAJOR, (uint32_t)rule->major);
    }
    if (rule->minor >= 0) {
        jump_next_if(program, BPF_JNE, R_MINOR, (uint32_t)rule->minor);
    }
    if (rule->allow) {
        calculate(program, BPF_AND, R_ASKED, ~access_bits(rule));
        jump_next_if(program, BPF_JNE, R_ASKED, 0);
    } else {
        emit(program, BPF_ALU | BPF_X | BPF_MOV, R_CONTEXT, R_ASKED, 0, 0); /* used up by now */
        calculate(program, BPF_AND, R_CONTEXT, access_bits(rule));
        jump_next_if(program, BPF_JEQ, R_CONTEXT, 0);
    }
    answer(program, rule->allow);
    label_next(program, start);
}

struct bpf_insn *lc_filter_assemble(const struct lc_device_rule *rules, size_t n, size_t *ret_n)
{
    struct program program = {0};

    load(&program, R_KIND, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    calculate(&program, BPF_AND, R_KIND, 0xffff);
    load(&program, R_ASKED, offsetof(struct bpf_cgroup_dev_ctx, access_type));
    calculate(&program, BPF_RSH, R_ASKED, 16);
    load(&program, R_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
    load(&program, R_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
    while (n > 0 && !is_for_all(&rules[n - 1])) {
        add_rule(&program, &rules[--n]);
    }
    /* The rule for all, if there is one; the kernel refuses instructions that nothing reaches. */
    answer(&program, n > 0 && rules[n - 1].allow);
    *ret_n = program.n;
    return program.code;
}

/* ---- loading and attaching ------------------------------------------------------------------ */

#define OLD_MAX 64 /* the kernel's own limit of programs of a group */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load_program(const struct lc_device_rule *rules, size_t n, struct ct_error *err)
{
    size_t length = 0;
    CT_AUTO_FREE struct bpf_insn *code = lc_filter_assemble(rules, n, &length);
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insns = (uintptr_t)code,
                           .insn_cnt = (uint32_t)length,
                           .license = (uintptr_t) "Apache-2.0",
                           .prog_name = "cutaway_devices"};
    int fd = bpf(BPF_PROG_LOAD, &attr);

    if (fd < 0) {
        (void)ct_fail(err, errno, "load the device filter of %zu rules", n);
        return err->sys == E2BIG ? ct_hint(err, "the kernel can check some 2000 rules at most")
                                 : -1;
    }
    return fd;
}

/* Ids of the filters that the group has itself; their number or -1. */
static ssize_t old_programs(int group_fd, uint32_t ids[static OLD_MAX], struct ct_error *err)
{
    union bpf_attr attr = {.query = {.target_fd = (uint32_t)group_fd,
                                     .attach_type = BPF_CGROUP_DEVICE,
                                     .prog_ids = (uintptr_t)ids,
                                     .prog_cnt = OLD_MAX}};

    return bpf(BPF_PROG_QUERY, &attr) < 0 ? ct_fail(err, errno, "look for device filters")
                                          : (ssize_t)attr.query.prog_cnt;
}

static int program_by_id(uint32_t id)
{
    union bpf_attr attr = {.prog_id = id};
    return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

/* old_fd -1: beside those that are there. A device is usable when all of them say yes. */
static int attach(int group_fd, int program_fd, int old_fd)
{
    union bpf_attr attr = {.target_fd = (uint32_t)group_fd,
                           .attach_bpf_fd = (uint32_t)program_fd,
                           .attach_type = BPF_CGROUP_DEVICE,
                           .attach_flags = BPF_F_ALLOW_MULTI | (old_fd < 0 ? 0 : BPF_F_REPLACE),
                           .replace_bpf_fd = old_fd < 0 ? 0 : (uint32_t)old_fd};
    return bpf(BPF_PROG_ATTACH, &attr);
}

static void detach(int group_fd, int program_fd)
{
    union bpf_attr attr = {.target_fd = (uint32_t)group_fd,
                           .attach_bpf_fd = (uint32_t)program_fd,
                           .attach_type = BPF_CGROUP_DEVICE};
    (void)bpf(BPF_PROG_DETACH, &attr); /* one too many only denies more */
}

/*
 * One old filter is exchanged in one step: there is no instant without, and none with two. Of more
 * (somebody else's, too) the new one comes first and the others go then.
 */
int lc_filter_attach(int group_fd, const struct lc_device_rule *rules, size_t n, bool is_new,
                     struct ct_error *err)
{
    uint32_t ids[OLD_MAX] = {0};
    ssize_t n_old = is_new ? 0 : old_programs(group_fd, ids, err);
    CT_AUTO_CLOSE int program_fd = n_old < 0 ? -1 : load_program(rules, n, err);

    if (program_fd < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int old_fd = n_old == 1 ? program_by_id(ids[0]) : -1;
    if (attach(group_fd, program_fd, old_fd) < 0) {
        return ct_fail(err, errno, "attach the device filter");
    }
    for (ssize_t i = 0; i < n_old && old_fd < 0; i++) {
        CT_AUTO_CLOSE int fd = program_by_id(ids[i]);
        if (fd >= 0) {
            detach(group_fd, fd);
        }
    }
    return 0;
}
