/*
 * diagnose.c - why a program could not be run.
 *
 * Room:       lib.   Called by: see diagnose.h.   Man: execve(2), elf(5).
 *
 * One function for each errno that has several causes. A script is followed to its interpreter and
 * that one is looked at in the same way, because the kernel reports the interpreter's fault as the
 * script's.
 */
#define CT_LAYER "exec"
#include "diagnose.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define HEAD_BYTES   256 /* as much as the kernel looks at (BINPRM_BUF_SIZE) */
#define MAX_SCRIPTS  4   /* the kernel follows at most five interpreters */
#define MAX_SEGMENTS 64  /* program headers looked at; real programs have about a dozen */

/* A path in a message: cut, so that the reason behind it is never lost. */
#define SHOWN "'%.70s'"

/* A program, or the interpreter of a script, as it is looked at. */
struct subject {
    const char *path;
    const char *script; /* whose interpreter this is; NULL: this is the program itself */
    int depth;
};

static int look_into(const struct subject *subject, int exec_errno, struct ct_error *err);

__attribute__((format(printf, 5, 6))) static int tell(struct ct_error *err,
                                                      const struct subject *subject,
                                                      enum ct_kind kind, int sys,
                                                      const char *format, ...)
{
    char reason[160];
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, two lines above */
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (subject->script) {
        (void)ct_fail(err, sys, "run '%.40s': its interpreter '%.40s' %s", subject->script,
                      subject->path, reason);
    } else {
        (void)ct_fail(err, sys, "run " SHOWN ": it %s", subject->path, reason);
    }
    err->kind = kind;
    return -1;
}

/* ---- the way to the file -------------------------------------------------------------------- */

/* Finds the first directory of path that cannot be passed. Returns 0 and fills prefix, or -1. */
static int find_barrier(const char *path, char prefix[static PATH_MAX], int *ret_errno)
{
    struct stat st;
    size_t length = strlen(path);

    for (size_t i = 1; i < length && i < PATH_MAX; i++) {
        if (path[i] != '/' || path[i - 1] == '/') {
            continue;
        }
        memcpy(prefix, path, i);
        prefix[i] = 0;
        if (stat(prefix, &st) < 0) {
            *ret_errno = errno;
            return 0;
        }
        if (!S_ISDIR(st.st_mode)) {
            *ret_errno = ENOTDIR;
            return 0;
        }
        if (faccessat(AT_FDCWD, prefix, X_OK, AT_EACCESS) < 0) {
            *ret_errno = errno;
            return 0;
        }
    }
    return -1;
}

/* The file cannot even be looked at. */
static int tell_unreachable(const struct subject *subject, int stat_errno, struct ct_error *err)
{
    char text[PATH_MAX];
    char target[PATH_MAX];
    struct stat st;
    int barrier_errno = 0;
    bool missing = stat_errno == ENOENT || stat_errno == ENOTDIR;
    enum ct_kind kind = missing ? CT_NO_PROGRAM : CT_CANNOT_RUN;

    if (lstat(subject->path, &st) == 0 && S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(subject->path, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = 0;
        return tell(err, subject, kind, stat_errno, "is a symbolic link to '%.60s', which %s",
                    target, missing ? "does not exist" : "cannot be reached");
    }
    if (find_barrier(subject->path, text, &barrier_errno) == 0) {
        const char *fault = barrier_errno == ENOTDIR  ? "is not a directory"
                            : barrier_errno == ENOENT ? "does not exist"
                                                      : "may not be entered by this user";
        (void)tell(err, subject, kind, barrier_errno, "is in '%.60s', which %s", text, fault);
        if (barrier_errno == EACCES) {
            (void)ct_hint(err, "give the directory the x bit for this user (chmod a+x), or run as "
                               "another user");
        }
        return -1;
    }
    if (!missing) {
        return tell(err, subject, kind, stat_errno, "cannot be looked at");
    }
    (void)tell(err, subject, kind, stat_errno, "does not exist");
    if (subject->script) {
        return ct_hint(err, "install it in the image, or change the first line of the script");
    }
    return ct_hint(err, "check the spelling and that the image (or a volume over it) has the file");
}

/* ---- EACCES --------------------------------------------------------------------------------- */

static int tell_permission(const struct subject *subject, const struct stat *st,
                           struct ct_error *err)
{
    struct statvfs fs;

    if (S_ISDIR(st->st_mode)) {
        (void)tell(err, subject, CT_CANNOT_RUN, EISDIR, "is a directory");
        return ct_hint(err, "name a program in it");
    }
    if (!S_ISREG(st->st_mode)) {
        return tell(err, subject, CT_CANNOT_RUN, EACCES, "is not a regular file");
    }
    /* Before the mode bits: to access(2) a file on a noexec mount has none that count. */
    if (statvfs(subject->path, &fs) == 0 && (fs.f_flag & ST_NOEXEC)) {
        (void)tell(err, subject, CT_CANNOT_RUN, EACCES, "is on a file system mounted noexec");
        return ct_hint(err, "mount it without noexec, or copy the program elsewhere");
    }
    if (faccessat(AT_FDCWD, subject->path, X_OK, AT_EACCESS) < 0) {
        bool nobody = !(st->st_mode & 0111);
        (void)tell(err, subject, CT_CANNOT_RUN, EACCES, "is not executable%s (mode %04o)",
                   nobody ? "" : " by this user", (unsigned)st->st_mode & 07777);
        return ct_hint(err, nobody ? "chmod +x it in the image"
                                   : "chmod a+x it, or run as its "
                                     "owner");
    }
    return 0;
}

/* ---- ELF ------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OUR_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OUR_MACHINE EM_S390
#elif defined(__arm__)
#define OUR_MACHINE EM_ARM
#elif defined(__i386__)
#define OUR_MACHINE EM_386
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER ELFDATA2LSB
#else
#define OUR_ORDER ELFDATA2MSB
#endif

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86-64 (amd64)"},
        {EM_AARCH64, "aarch64 (arm64)"},
        {EM_386, "i386"},
        {EM_ARM, "32-bit arm"},
        {EM_RISCV, "riscv"},
        {EM_PPC64, "ppc64"},
        {EM_S390, "s390x"},
        {EM_MIPS, "mips"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].machine == machine) {
            return names[i].name;
        }
    }
    return "another machine";
}

static bool is_elf(const unsigned char *head, size_t length)
{
    return length >= sizeof(Elf32_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static unsigned elf_machine(const unsigned char *head)
{
    uint16_t machine = 0; /* at the same place in both classes */

    memcpy(&machine, head + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
    return head[EI_DATA] == OUR_ORDER ? machine : __builtin_bswap16(machine);
}

/* Where the program headers are, of either class. */
struct segments {
    uint64_t offset;
    size_t entry_bytes, count;
    bool wide;
};

static struct segments elf_segments(const unsigned char *head, size_t length)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;

    if (head[EI_CLASS] == ELFCLASS64 && length >= sizeof(wide)) {
        memcpy(&wide, head, sizeof(wide));
        return (struct segments){wide.e_phoff, wide.e_phentsize, wide.e_phnum, true};
    }
    memcpy(&narrow, head, sizeof(narrow));
    return (struct segments){narrow.e_phoff, narrow.e_phentsize, narrow.e_phnum, false};
}

/* Reads the i-th program header; true when it is PT_INTERP, with its place in the file. */
static bool elf_is_interp(int fd, const struct segments *segments, size_t i, uint64_t *ret_offset,
                          uint64_t *ret_bytes)
{
    union {
        Elf64_Phdr wide;
        Elf32_Phdr narrow;
    } header;
    size_t wanted = segments->wide ? sizeof(header.wide) : sizeof(header.narrow);
    uint64_t at = segments->offset + (uint64_t)i * segments->entry_bytes;

    if (segments->entry_bytes != wanted || at < segments->offset || at > INT64_MAX ||
        pread(fd, &header, wanted, (off_t)at) != (ssize_t)wanted) {
        return false;
    }
    *ret_offset = segments->wide ? header.wide.p_offset : header.narrow.p_offset;
    *ret_bytes = segments->wide ? header.wide.p_filesz : header.narrow.p_filesz;
    return (segments->wide ? header.wide.p_type : header.narrow.p_type) == PT_INTERP;
}

/* The path of the ELF loader that the program asks for. False: it asks for none (static). */
static bool elf_loader(int fd, const unsigned char *head, size_t length,
                       char loader[static HEAD_BYTES])
{
    struct segments segments = elf_segments(head, length);
    uint64_t offset = 0, bytes = 0;

    for (size_t i = 0; i < segments.count && i < MAX_SEGMENTS; i++) {
        if (!elf_is_interp(fd, &segments, i, &offset, &bytes)) {
            continue;
        }
        if (bytes == 0 || bytes >= HEAD_BYTES || offset > INT64_MAX ||
            pread(fd, loader, bytes, (off_t)offset) != (ssize_t)bytes) {
            return false;
        }
        loader[bytes] = 0;
        return true;
    }
    return false;
}

static int tell_elf(const struct subject *subject, int fd, const unsigned char *head, size_t length,
                    struct ct_error *err)
{
    char loader[HEAD_BYTES] = "";
    struct stat st;
    unsigned machine = elf_machine(head);

    if (machine != OUR_MACHINE || head[EI_DATA] != OUR_ORDER) {
        (void)tell(err, subject, CT_CANNOT_RUN, ENOEXEC, "is built for %s, this machine is %s",
                   machine_name(machine), machine_name(OUR_MACHINE));
        return ct_hint(err, "use an image for this machine's architecture (--platform)");
    }
    if (elf_loader(fd, head, length, loader) && stat(loader, &st) < 0) {
        (void)tell(err, subject, CT_NO_PROGRAM, errno, "needs the ELF loader '%.60s', which %s",
                   loader, errno == ENOENT ? "does not exist" : "cannot be reached");
        return ct_hint(err, "the program was built for another libc than the image has: link it "
                            "statically, or use an image with its libc");
    }
    return 0;
}

/* ---- scripts -------------------------------------------------------------------------------- */

/* Cuts the interpreter's path out of the first line. False: the line names none. */
static bool script_interpreter(const unsigned char *head, size_t length,
                               char interpreter[static HEAD_BYTES], bool *ret_cr)
{
    size_t at = 2, n = 0;

    while (at < length && (head[at] == ' ' || head[at] == '\t')) {
        at++;
    }
    while (at < length && !strchr(" \t\n", head[at]) && n < HEAD_BYTES - 1) {
        interpreter[n++] = (char)head[at++];
    }
    interpreter[n] = 0;
    *ret_cr = n > 0 && interpreter[n - 1] == '\r';
    return n > 0;
}

static int tell_script(const struct subject *subject, int exec_errno, const unsigned char *head,
                       size_t length, struct ct_error *err)
{
    char interpreter[HEAD_BYTES];
    bool carriage_return = false;

    if (!script_interpreter(head, length, interpreter, &carriage_return)) {
        return tell(err, subject, CT_CANNOT_RUN, ENOEXEC,
                    "begins with '#!' but names no interpreter");
    }
    if (carriage_return) {
        interpreter[strlen(interpreter) - 1] = 0;
        (void)tell(err, subject, CT_NO_PROGRAM, ENOENT,
                   "has Windows line ends: a carriage return follows '#!%.50s'", interpreter);
        return ct_hint(err, "convert the script with dos2unix (or: sed -i 's/\\r$//')");
    }
    struct subject next = {interpreter, subject->script ? subject->script : subject->path,
                           subject->depth + 1};
    if (next.depth > MAX_SCRIPTS) {
        return tell(err, subject, CT_CANNOT_RUN, ELOOP, "leads through too many interpreters");
    }
    return look_into(&next, exec_errno, err);
}

/* ---- the content ---------------------------------------------------------------------------- */

static bool is_text(const unsigned char *head, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (head[i] < 32 && !strchr("\t\n\r\f\v", head[i])) {
            return false;
        }
    }
    return length > 0;
}

static int tell_format(const struct subject *subject, const unsigned char *head, size_t length,
                       struct ct_error *err)
{
    if (length == 0) {
        (void)tell(err, subject, CT_CANNOT_RUN, ENOEXEC, "is an empty file");
        return ct_hint(err, "check how it got into the image");
    }
    if (is_text(head, length)) {
        (void)tell(err, subject, CT_CANNOT_RUN, ENOEXEC, "is a text file without a '#!' line");
        return ct_hint(err, "make '#!/bin/sh' its first line");
    }
    return tell(err, subject, CT_CANNOT_RUN, ENOEXEC,
                "is neither a program of this machine nor a script");
}

/* Reads the head of a regular file. False when we may not read it. */
static bool open_head(const char *path, int *ret_fd, unsigned char head[static HEAD_BYTES],
                      size_t *ret_length)
{
    struct stat st;
    /* Whatever stands there by now: a fifo does not block us, a terminal does not become ours. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    ssize_t n = -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        n = pread(fd, head, HEAD_BYTES, 0);
    }
    if (n < 0) {
        (void)close(fd);
        return false;
    }
    *ret_fd = fd;
    *ret_length = (size_t)n;
    return true;
}

/* What the file's own bytes explain: -1 and err, or 0 when they explain nothing. */
static int look_at_content(const struct subject *subject, int exec_errno, struct ct_error *err)
{
    unsigned char head[HEAD_BYTES] = {0};
    size_t length = 0;
    int fd = -1;
    int told = 0;

    if (!open_head(subject->path, &fd, head, &length)) {
        return 0;
    }
    if (length >= 2 && head[0] == '#' && head[1] == '!') {
        told = tell_script(subject, exec_errno, head, length, err);
    } else if (is_elf(head, length)) {
        told = tell_elf(subject, fd, head, length, err);
    } else if (exec_errno == ENOEXEC) {
        told = tell_format(subject, head, length, err);
    }
    (void)close(fd);
    return told;
}

/* Everything that can be found out about one file. 0: nothing is wrong with it that we can see. */
static int look_into(const struct subject *subject, int exec_errno, struct ct_error *err)
{
    struct stat st;

    if (stat(subject->path, &st) < 0) {
        return tell_unreachable(subject, errno, err);
    }
    if (exec_errno == EACCES && tell_permission(subject, &st, err) < 0) {
        return -1;
    }
    return look_at_content(subject, exec_errno, err);
}

/* ---- the door ------------------------------------------------------------------------------- */

int diagnose_exec(const char *path, int exec_errno, struct ct_error *err)
{
    struct subject subject = {.path = path};

    if (exec_errno == E2BIG) {
        (void)tell(err, &subject, CT_CANNOT_RUN, E2BIG,
                   "was given arguments and environment that "
                   "are too long for the kernel");
        return ct_hint(err, "one argument holds up to 128 KiB: pass long data in a file");
    }
    if (exec_errno == ETXTBSY) {
        (void)tell(err, &subject, CT_CANNOT_RUN, ETXTBSY, "is open for writing");
        return ct_hint(err, "wait until whoever writes the file has closed it");
    }
    if (look_into(&subject, exec_errno, err) < 0) {
        return -1;
    }
    /* Nothing to be seen: the kernel's own word, as it is. */
    (void)ct_fail(err, exec_errno, "run " SHOWN, path);
    err->kind = exec_errno == ENOENT || exec_errno == ENOTDIR ? CT_NO_PROGRAM : CT_CANNOT_RUN;
    return -1;
}

int diagnose_not_in_path(const char *name, const char *search_path, struct ct_error *err)
{
    if (!name[0]) {
        return ct_refuse(err, CT_NO_PROGRAM, "run a program without a name");
    }
    (void)ct_fail(err, ENOENT, "run " SHOWN ": no directory of PATH has such a program", name);
    err->kind = CT_NO_PROGRAM;
    return ct_hint(err, "PATH is '%.110s'", search_path);
}

int diagnose_cwd(const char *cwd, int chdir_errno, struct ct_error *err)
{
    const char *fault = chdir_errno == ENOENT    ? "does not exist"
                        : chdir_errno == ENOTDIR ? "is not a directory"
                        : chdir_errno == EACCES  ? "may not be entered by this user"
                                                 : "cannot be entered";

    (void)ct_fail(err, chdir_errno, "enter the working directory " SHOWN ": it %s", cwd, fault);
    err->kind = chdir_errno == ENOENT ? CT_NO_PROGRAM : CT_CANNOT_RUN;
    return ct_hint(err, chdir_errno == EACCES ? "give the directory the x bit for this user"
                                              : "make it in the image, or choose another (-w)");
}
