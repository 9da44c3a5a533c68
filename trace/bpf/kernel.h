/*
 * kernel.h - the few fields of kernel structures that the programs read.
 *
 * Room:       trace.   Included by: trace.bpf.c only.
 *
 * preserve_access_index makes the loader (libbpf, CO-RE) look up where each field stands in the
 * kernel that runs, from its BTF. So these are not copies of the kernel's structures: order and
 * other fields do not matter, and the build needs no BTF of the machine it runs on.
 */
#ifndef TRACE_KERNEL_H
#define TRACE_KERNEL_H

#define __VMLINUX_H__ 1 /* tells bpf_tracing.h to use the kernel's own names of registers */

typedef _Bool bool;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pid {
    unsigned int level; /* how many pid namespaces deep */
};

struct mm_struct {
    unsigned long arg_start, arg_end; /* where the arguments stand in user memory */
};

struct super_block {
    unsigned long s_magic; /* which kind of file system, as of statfs(2) */
};

struct inode {
    struct super_block *i_sb;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct dentry *d_parent;
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct task_struct {
    int pid;  /* the thread's number */
    int tgid; /* the process's number */
    int exit_code;
    struct mm_struct *mm;
    struct files_struct *files;
    struct pid *thread_pid;
};

struct linux_binprm {
    const char *filename;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long di, si, dx, r10, r8, r9, orig_ax, ax, ip;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
    unsigned long long regs[31];
};
struct pt_regs {
    struct user_pt_regs user_regs;
    unsigned long long orig_x0;
};
#endif

#pragma clang attribute pop

#endif
