/*
 * test_diagnose.c - each reason why a program cannot be run gets its own, true sentence.
 *
 * The files are real and so are the failures: each test calls execve(2) on a file that cannot be
 * run, and asks with the errno that came of it.
 */
#define CT_LAYER "test"
#include "diagnose.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[32];

static int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/diagnose-XXXXXX", sizeof("/tmp/diagnose-XXXXXX"));
    return mkdtemp(dir) && chmod(dir, 0755) == 0 && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    struct ct_error err = {0};
    return chdir("/") == 0 ? ct_remove_tree(AT_FDCWD, dir, &err) : -1;
}

static void make_file(const char *name, const void *data, size_t length, mode_t mode)
{
    CT_AUTO_CLOSE int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ct_write_all(fd, data, length), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void make_script(const char *name, const char *text)
{
    make_file(name, text, strlen(text), 0755);
}

/* Runs path, which fails, and asks why. */
static void run(const char *path, struct ct_error *err)
{
    char *const argv[] = {(char *)(uintptr_t)path, NULL};
    char *const envp[] = {NULL};

    *err = (struct ct_error){0};
    assert_int_equal(execve(path, argv, envp), -1);
    assert_int_equal(diagnose_exec(path, errno, err), -1);
    assert_string_equal(err->frame[0].layer, "exec");
}

static void assert_told(const struct ct_error *err, enum ct_kind kind, int sys, const char *what)
{
    assert_string_equal(err->frame[0].what, what);
    assert_int_equal(err->kind, kind);
    assert_int_equal(err->sys, sys);
}

/* ---- the way to the file -------------------------------------------------------------------- */

static void a_missing_file_does_not_exist(void **state)
{
    (void)state;
    struct ct_error err;

    run("./nothing", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT, "run './nothing': it does not exist");
    assert_non_null(strstr(err.hint, "spelling"));
}

static void a_missing_directory_on_the_way_is_named(void **state)
{
    (void)state;
    struct ct_error err;

    run("./no/such/file", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "run './no/such/file': it is in './no', which does not exist");
}

static void a_file_on_the_way_is_not_a_directory(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("plain", "", 0, 0644);

    run("./plain/tool", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOTDIR,
                "run './plain/tool': it is in './plain', which is not a directory");
}

static void a_dangling_symlink_is_told_with_its_target(void **state)
{
    (void)state;
    struct ct_error err;
    assert_int_equal(symlink("/opt/gone", "link"), 0);

    run("./link", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "run './link': it is a symbolic link to '/opt/gone', which does not exist");
}

static void a_directory_that_may_not_be_entered_is_named(void **state)
{
    (void)state;
    struct ct_error err;
    assert_int_equal(mkdir("closed", 0700), 0);
    make_script("closed/tool", "#!/bin/sh\n");
    if (geteuid() != 0) {
        skip(); /* needs to become somebody else */
    }
    assert_int_equal(seteuid(65534), 0);

    run("./closed/tool", &err);

    assert_int_equal(seteuid(0), 0);
    assert_told(&err, CT_CANNOT_RUN, EACCES,
                "run './closed/tool': it is in './closed', which may not be entered by this user");
    assert_non_null(strstr(err.hint, "chmod a+x"));
}

/* ---- the file itself ------------------------------------------------------------------------ */

static void a_directory_is_not_a_program(void **state)
{
    (void)state;
    struct ct_error err;
    assert_int_equal(mkdir("folder", 0755), 0);

    run("./folder", &err);

    assert_told(&err, CT_CANNOT_RUN, EISDIR, "run './folder': it is a directory");
}

static void a_fifo_is_not_a_program(void **state)
{
    (void)state;
    struct ct_error err;
    assert_int_equal(mkfifo("pipe", 0755), 0);

    run("./pipe", &err);

    assert_told(&err, CT_CANNOT_RUN, EACCES, "run './pipe': it is not a regular file");
}

static void a_file_without_mode_bits_is_not_executable(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("data", "x", 1, 0644);

    run("./data", &err);

    assert_told(&err, CT_CANNOT_RUN, EACCES, "run './data': it is not executable (mode 0644)");
    assert_string_equal(err.hint, "chmod +x it in the image");
}

static void a_file_that_others_may_run_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("mine", "#!/bin/sh\n", 10, 0700);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(seteuid(65534), 0);

    run("./mine", &err);

    assert_int_equal(seteuid(0), 0);
    assert_told(&err, CT_CANNOT_RUN, EACCES,
                "run './mine': it is not executable by this user (mode 0700)");
}

static void a_file_on_a_noexec_mount_is_told_so(void **state)
{
    (void)state;
    struct ct_error err = {0};
    int report[2];
    if (geteuid() != 0) {
        skip(); /* needs to mount */
    }
    assert_int_equal(mkdir("mount", 0755), 0);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);

    pid_t child = fork(); /* in a mount namespace of its own: nothing is left of it */
    if (child == 0) {
        struct ct_error told;
        if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
            mount("none", "mount", "tmpfs", MS_NOEXEC, NULL) == 0) {
            make_script("mount/tool", "#!/bin/sh\n");
            run("./mount/tool", &told);
            (void)ct_error_send(report[1], &told);
        }
        _exit(0);
    }
    ct_cleanup_close(&report[1]);
    struct ct_error told = {0};
    assert_int_equal(ct_error_receive(report[0], &told, &err), 1);
    ct_cleanup_close(&report[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);

    assert_told(&told, CT_CANNOT_RUN, EACCES,
                "run './mount/tool': it is on a file system mounted noexec");
}

static void a_file_open_for_writing_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_script("busy", "#!/bin/sh\n");
    CT_AUTO_CLOSE int fd = open("busy", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);

    run("./busy", &err);

    assert_told(&err, CT_CANNOT_RUN, ETXTBSY, "run './busy': it is open for writing");
}

static void arguments_that_are_too_long_are_told_so(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *huge = malloc(300000);
    assert_non_null(huge);
    memset(huge, 'a', 299999);
    huge[299999] = 0;
    char *const argv[] = {(char[]){"true"}, huge, NULL};
    char *const envp[] = {NULL};

    assert_int_equal(execve("/bin/true", argv, envp), -1);
    assert_int_equal(diagnose_exec("/bin/true", errno, &err), -1);

    assert_told(&err, CT_CANNOT_RUN, E2BIG,
                "run '/bin/true': it was given arguments and environment that are too long for the "
                "kernel");
    assert_non_null(strstr(err.hint, "128 KiB"));
}

/* ---- scripts -------------------------------------------------------------------------------- */

static void a_script_with_a_missing_interpreter_names_it(void **state)
{
    (void)state;
    struct ct_error err;
    make_script("script", "#! /usr/bin/no-python -u\nprint(1)\n");

    run("./script", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "run './script': its interpreter '/usr/bin/no-python' does not exist");
    assert_non_null(strstr(err.hint, "install it in the image"));
}

static void a_script_with_windows_line_ends_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_script("script", "#!/bin/sh\r\necho hello\r\n");

    run("./script", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "run './script': it has Windows line ends: a carriage return follows '#!/bin/sh'");
    assert_non_null(strstr(err.hint, "dos2unix"));
}

static void a_script_whose_interpreter_is_not_executable_names_it(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("interpreter", "x", 1, 0644);
    CT_AUTO_FREE char *text = ct_printf("#!%s/interpreter\n", dir);
    make_script("script", text);

    run("./script", &err);

    CT_AUTO_FREE char *told = ct_printf(
        "run './script': its interpreter '%s/interpreter' is not executable (mode 0644)", dir);
    assert_told(&err, CT_CANNOT_RUN, EACCES, told);
}

static void a_script_without_an_interpreter_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_script("script", "#!\necho\n");

    run("./script", &err);

    assert_told(&err, CT_CANNOT_RUN, ENOEXEC,
                "run './script': it begins with '#!' but names no interpreter");
}

static void scripts_in_a_circle_end(void **state)
{
    (void)state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = ct_printf("#!%s/script\n", dir);
    make_script("script", text);

    run("./script", &err);

    assert_int_equal(err.kind, CT_CANNOT_RUN);
    assert_int_equal(err.sys, ELOOP);
    assert_non_null(strstr(err.frame[0].what, "leads through too many interpreters"));
}

static void a_text_without_a_first_line_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_script("script", "echo hello\n");

    run("./script", &err);

    assert_told(&err, CT_CANNOT_RUN, ENOEXEC,
                "run './script': it is a text file without a '#!' line");
    assert_string_equal(err.hint, "make '#!/bin/sh' its first line");
}

static void an_empty_file_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("empty", "", 0, 0755);

    run("./empty", &err);

    assert_told(&err, CT_CANNOT_RUN, ENOEXEC, "run './empty': it is an empty file");
}

static void bytes_of_no_format_are_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    make_file("bytes", "\x01\x02\x00\x03", 4, 0755);

    run("./bytes", &err);

    assert_told(&err, CT_CANNOT_RUN, ENOEXEC,
                "run './bytes': it is neither a program of this machine nor a script");
}

/* ---- ELF ------------------------------------------------------------------------------------ */

struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    char interpreter[64];
};

#if defined(__x86_64__)
#define OUR_MACHINE   EM_X86_64
#define OTHER_MACHINE EM_AARCH64
#define OTHER_TOLD    "run './elf': it is built for aarch64 (arm64), this machine is x86-64 (amd64)"
#else
#define OUR_MACHINE   EM_AARCH64
#define OTHER_MACHINE EM_X86_64
#define OTHER_TOLD    "run './elf': it is built for x86-64 (amd64), this machine is aarch64 (arm64)"
#endif

static struct image elf_image(unsigned short machine, const char *interpreter)
{
    struct image image = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = machine,
                   .e_version = EV_CURRENT,
                   .e_phoff = offsetof(struct image, segment),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_INTERP,
                    .p_offset = offsetof(struct image, interpreter),
                    .p_filesz = strlen(interpreter) + 1},
    };
    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    image.header.e_ident[EI_VERSION] = EV_CURRENT;
    memcpy(image.interpreter, interpreter, strlen(interpreter) + 1);
    return image;
}

static void a_program_of_another_machine_is_told_so(void **state)
{
    (void)state;
    struct ct_error err;
    struct image image = elf_image(OTHER_MACHINE, "/lib/ld.so");
    make_file("elf", &image, sizeof(image), 0755);

    run("./elf", &err);

    assert_told(&err, CT_CANNOT_RUN, ENOEXEC, OTHER_TOLD);
    assert_non_null(strstr(err.hint, "--platform"));
}

static void a_missing_elf_loader_is_named(void **state)
{
    (void)state;
    struct ct_error err;
    struct image image = elf_image(OUR_MACHINE, "/lib/ld-musl-nowhere.so.1");
    make_file("elf", &image, sizeof(image), 0755);

    run("./elf", &err);

    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "run './elf': it needs the ELF loader '/lib/ld-musl-nowhere.so.1', which does not "
                "exist");
    assert_non_null(strstr(err.hint, "libc"));
}

static void a_hostile_elf_file_is_read_with_care(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct image images[5];

    for (size_t i = 0; i < 5; i++) {
        images[i] = elf_image(OUR_MACHINE, "/lib/ld");
    }
    images[0].header.e_phoff = UINT64_MAX - 8; /* wraps around */
    images[1].segment.p_filesz = UINT64_MAX;
    images[2].segment.p_offset = UINT64_MAX;
    images[3].header.e_phentsize = 1;
    images[3].header.e_phnum = UINT16_MAX;
    images[4].segment.p_filesz = 0;
    for (size_t i = 0; i < 5; i++) {
        make_file("elf", &images[i], sizeof(images[i]), 0755);
        assert_int_equal(diagnose_exec("./elf", ENOENT, &err), -1);
        /* nothing found: the kernel's own word */
        assert_told(&err, CT_NO_PROGRAM, ENOENT, "run './elf'");
    }
}

/* ---- PATH and working directory ------------------------------------------------------------- */

static void a_name_in_no_directory_of_path_shows_path(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(diagnose_not_in_path("tool", "/bin:/sbin", &err), -1);

    assert_told(&err, CT_NO_PROGRAM, ENOENT, "run 'tool': no directory of PATH has such a program");
    assert_string_equal(err.hint, "PATH is '/bin:/sbin'");
}

static void a_working_directory_is_told_apart_from_the_program(void **state)
{
    (void)state;
    struct ct_error err = {0};

    assert_int_equal(diagnose_cwd("/work", ENOENT, &err), -1);
    assert_told(&err, CT_NO_PROGRAM, ENOENT,
                "enter the working directory '/work': it does not exist");

    assert_int_equal(diagnose_cwd("/work", ENOTDIR, &err), -1);
    assert_told(&err, CT_CANNOT_RUN, ENOTDIR,
                "enter the working directory '/work': it is not a directory");
}

static void a_long_path_does_not_push_the_reason_out(void **state)
{
    (void)state;
    struct ct_error err;
    char path[3000] = "./";
    memset(path + 2, 'x', 200);

    run(path, &err);

    assert_non_null(strstr(err.frame[0].what, "': it does not exist"));
}

#define DIR_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIR_TEST(a_missing_file_does_not_exist),
        DIR_TEST(a_missing_directory_on_the_way_is_named),
        DIR_TEST(a_file_on_the_way_is_not_a_directory),
        DIR_TEST(a_dangling_symlink_is_told_with_its_target),
        DIR_TEST(a_directory_that_may_not_be_entered_is_named),
        DIR_TEST(a_directory_is_not_a_program),
        DIR_TEST(a_fifo_is_not_a_program),
        DIR_TEST(a_file_without_mode_bits_is_not_executable),
        DIR_TEST(a_file_that_others_may_run_is_told_so),
        DIR_TEST(a_file_on_a_noexec_mount_is_told_so),
        DIR_TEST(a_file_open_for_writing_is_told_so),
        DIR_TEST(arguments_that_are_too_long_are_told_so),
        DIR_TEST(a_script_with_a_missing_interpreter_names_it),
        DIR_TEST(a_script_with_windows_line_ends_is_told_so),
        DIR_TEST(a_script_whose_interpreter_is_not_executable_names_it),
        DIR_TEST(a_script_without_an_interpreter_is_told_so),
        DIR_TEST(scripts_in_a_circle_end),
        DIR_TEST(a_text_without_a_first_line_is_told_so),
        DIR_TEST(an_empty_file_is_told_so),
        DIR_TEST(bytes_of_no_format_are_told_so),
        DIR_TEST(a_program_of_another_machine_is_told_so),
        DIR_TEST(a_missing_elf_loader_is_named),
        DIR_TEST(a_hostile_elf_file_is_read_with_care),
        DIR_TEST(a_name_in_no_directory_of_path_shows_path),
        DIR_TEST(a_working_directory_is_told_apart_from_the_program),
        DIR_TEST(a_long_path_does_not_push_the_reason_out),
    };
    return cmocka_run_group_tests_name("diagnose", tests, NULL, NULL);
}
