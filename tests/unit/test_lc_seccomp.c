/*
 * test_lc_seccomp.c - the filter of system calls: what is wrong in a profile is refused, and what
 * is right works in the kernel. What the program answers is in test_lc_seccomp_program.c.
 */
#define CT_LAYER "test"
#include "seccomp.h"

#include "cleanup.h"
#include "in_child.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static json_t *parse(const char *text)
{
    struct ct_error err = {0};
    json_t *document = ct_json_parse(text, strlen(text), &err);

    assert_non_null(document);
    return document;
}

static struct lc_seccomp compile(const json_t *document)
{
    struct lc_seccomp filter = {0};
    struct ct_error err = {0};
    char line[512];

    if (lc_seccomp_compile(document, &filter, &err) < 0) {
        fail_msg("%s", ct_error_render(&err, line, sizeof(line)));
    }
    return filter;
}

/* ---- what a profile says -------------------------------------------------------------------- */

#define ENTRY(more) "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{" more "}]}"
#define NAMES       "\"names\":[\"mkdir\"],"
#define ERRNO       "\"action\":\"SCMP_ACT_ERRNO\""
#define ARGS(more)  ENTRY(NAMES ERRNO ",\"args\":[{" more "}]")

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } table[] = {
        {"7", "linux.seccomp: it must be an object"},
        {"{}", "linux.seccomp.defaultAction: it must be there"},
        {"{\"defaultAction\":\"SCMP_ACT_MAYBE\"}",
         "linux.seccomp.defaultAction: 'SCMP_ACT_MAYBE' is none of 'SCMP_ACT_ALLOW' … "
         "'SCMP_ACT_TRAP'"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
         "linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW takes none"},
        {"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":65536}",
         "linux.seccomp.defaultErrnoRet: it must be a whole number from 0 to 65535"},
        {"{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/a\"}",
         "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default: the runtime needs "
         "some calls itself"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}",
         "linux.seccomp.architectures[0]: there is no 'SCMP_ARCH_Z80'"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_X\"]}",
         "linux.seccomp.flags[0]: 'SECCOMP_FILTER_FLAG_X' is none of 'SECCOMP_FILTER_FLAG_LOG' … "
         "'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":"
         "[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}",
         "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs SCMP_ACT_NOTIFY"},
        {"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerMetadata\":\"x\"}",
         "linux.seccomp: listenerMetadata needs listenerPath"},
        {ENTRY(ERRNO), "linux.seccomp.syscalls[0].names: it must be there"},
        {ENTRY("\"names\":[]," ERRNO), "linux.seccomp.syscalls[0].names: it must be there"},
        {ENTRY("\"names\":[7]," ERRNO), "linux.seccomp.syscalls[0].names[0]: it must be a string"},
        {ENTRY("\"names\":[\"mkdir\"]"), "linux.seccomp.syscalls[0].action: it must be there"},
        {ENTRY(NAMES "\"action\":\"SCMP_ACT_TRAP\",\"errnoRet\":1"),
         "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_TRAP takes none"},
        {ENTRY(NAMES "\"action\":\"SCMP_ACT_NOTIFY\""),
         "linux.seccomp: SCMP_ACT_NOTIFY needs listenerPath"},
        {ENTRY("\"names\":[\"mkdir\",\"write\"],\"action\":\"SCMP_ACT_NOTIFY\""),
         "linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY cannot be used for 'write', which the runtime "
         "needs"},
        {ENTRY("\"names\":[\"sendmsg\"],\"action\":\"SCMP_ACT_NOTIFY\""),
         "linux.seccomp.syscalls[0]: SCMP_ACT_NOTIFY cannot be used for 'sendmsg', which the "
         "runtime needs"},
        {ARGS("\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\""),
         "linux.seccomp.syscalls[0].args[0].index: it must be a whole number from 0 to 5"},
        {ARGS("\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\""),
         "linux.seccomp.syscalls[0].args[0].value: it must be a whole number from 0 to "
         "18446744073709551615"},
        {ARGS("\"index\":0,\"value\":0"), "linux.seccomp.syscalls[0].args[0].op: it must be there"},
        {ARGS("\"index\":0,\"value\":0,\"op\":\"==\""),
         "linux.seccomp.syscalls[0].args[0].op: '==' is none of 'SCMP_CMP_EQ' … 'SCMP_CMP_NE'"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        CT_AUTO_JSON json_t *document = json_loads(table[i].text, JSON_DECODE_ANY, NULL);
        struct lc_seccomp filter = {0};
        struct ct_error err = {0};
        assert_int_equal(lc_seccomp_compile(document, &filter, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].layer[0] == 'c' ? "config" : "seccomp",
                            err.frame[0].layer);
        assert_string_equal(err.frame[0].what, table[i].what);
        assert_null(filter.program);
    }
}

static void no_profile_is_no_filter(void **state)
{
    (void)state;
    struct lc_seccomp filter = compile(NULL);
    struct ct_error err = {0};
    int notify_fd = 7;

    assert_false(filter.is_set);
    assert_int_equal(lc_seccomp_load(&filter, &notify_fd, &err), 0);
    assert_int_equal(notify_fd, -1);
    lc_seccomp_done(&filter);
}

static void a_profile_longer_than_the_kernel_takes_is_refused(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *document =
        json_pack("{s:s,s:[]}", "defaultAction", "SCMP_ACT_ALLOW", "syscalls");
    struct lc_seccomp filter = {0};
    struct ct_error err = {0};

    for (int i = 0; i < 1000; i++) {
        ct_json_append(json_object_get(document, "syscalls"),
                       json_pack("{s:[s],s:s,s:[{s:i,s:i,s:s}]}", "names", "read", "action",
                                 "SCMP_ACT_ERRNO", "args", "index", 0, "value", i, "op",
                                 "SCMP_CMP_EQ"));
    }
    assert_int_equal(lc_seccomp_compile(document, &filter, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
    assert_non_null(strstr(err.frame[0].what, "the kernel takes 4096"));
}

/* ---- in the kernel -------------------------------------------------------------------------- */

/* For the children below: compiled before, loaded inside. */
static void load(void *filter)
{
    struct ct_error err = {0};
    int notify_fd = -1;

    CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHILD_DO(lc_seccomp_load(filter, &notify_fd, &err), &err);
    CHILD_CHECK(notify_fd == -1);
}

static int in_child_with(const char *profile, void (*work)(void *))
{
    CT_AUTO_JSON json_t *document = parse(profile);
    struct lc_seccomp filter = compile(document);
    int result = in_child(work, &filter);

    lc_seccomp_done(&filter);
    return result;
}

static void call_what_is_refused(void *filter)
{
    load(filter);
    CHILD_CHECK(syscall(SYS_mkdirat, AT_FDCWD, "/tmp", 0) < 0 && errno == 71);
    CHILD_CHECK(syscall(SYS_mknodat, AT_FDCWD, "/tmp", 0, 0) < 0 && errno == EPERM);
    CHILD_CHECK(syscall(SYS_openat, AT_FDCWD, "/", O_PATH) >= 0);
    CHILD_CHECK(syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY) < 0 && errno == EPERM);
    CHILD_CHECK(syscall(SYS_getppid) == 0); /* "done", without being done */
}

static void a_call_is_answered_by_the_errno_of_its_rule(void **state)
{
    (void)state;

    assert_int_equal(
        in_child_with("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":["
                      "{\"names\":[\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":71},"
                      "{\"names\":[\"mknodat\"],\"action\":\"SCMP_ACT_ERRNO\"},"
                      "{\"names\":[\"getppid\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":0},"
                      "{\"names\":[\"openat\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{"
                      "\"index\":2,\"op\":\"SCMP_CMP_MASKED_EQ\",\"value\":65536,"
                      "\"valueTwo\":65536}]}]}", /* O_DIRECTORY */
                      call_what_is_refused),
        0);
}

static void call_what_is_not_listed(void *filter)
{
    load(filter);
    CHILD_CHECK(syscall(SYS_getppid) < 0 && errno == 99);
    CHILD_CHECK(syscall(1000) < 0 && errno == ENOSYS);
    (void)syscall(SYS_exit_group, 0); /* what exit(3) does besides (sanitizers) is not listed */
}

static void the_default_has_its_own_errno(void **state)
{
    (void)state;

    assert_int_equal(
        in_child_with("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":99,\"syscalls\":"
                      "[{\"names\":[\"exit_group\",\"write\",\"openat2\"],"
                      "\"action\":\"SCMP_ACT_ALLOW\"}]}",
                      call_what_is_not_listed),
        0);
}

static void get_parent(void *filter)
{
    load(filter);
    (void)syscall(SYS_getppid);
}

static void call_after_catching(void *filter)
{
    (void)signal(SIGSYS, _exit);
    get_parent(filter);
}

#define FOR_GETPPID(action)                                                                    \
    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getppid\"],\"action\":" \
    "\"" action "\"}]}"

static void killing_and_trapping_actions_end_in_sigsys(void **state)
{
    (void)state;

    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_KILL_PROCESS"), get_parent), 128 + SIGSYS);
    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_KILL"), get_parent), 128 + SIGSYS);
    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_TRAP"), get_parent), 128 + SIGSYS);
    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_KILL"), call_after_catching),
                     128 + SIGSYS);
    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_TRAP"), call_after_catching), SIGSYS);
    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_LOG"), get_parent), 0);
}

static void every_flag_is_taken(void **state)
{
    (void)state;
    static const char *const flags[] = {
        "", "\"SECCOMP_FILTER_FLAG_LOG\"", "\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"",
        "\"SECCOMP_FILTER_FLAG_TSYNC\"",
        "\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_TSYNC\""};
    static const unsigned numbers[] = {0, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                                       SECCOMP_FILTER_FLAG_TSYNC,
                                       SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_TSYNC};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        CT_AUTO_FREE char *text =
            ct_printf("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[%s]}", flags[i]);
        CT_AUTO_JSON json_t *document = parse(text);
        struct lc_seccomp filter = compile(document);
        assert_int_equal(filter.flags, numbers[i]);
        assert_int_equal(in_child(load, &filter), 0);
        lc_seccomp_done(&filter);
    }
    CT_AUTO_JSON json_t *document = parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
    struct lc_seccomp filter = compile(document);
    assert_int_equal(filter.flags, SECCOMP_FILTER_FLAG_SPEC_ALLOW); /* as runc, when none is said */
    lc_seccomp_done(&filter);
}

static void load_without_rights(void *filter)
{
    struct ct_error err = {0};
    int notify_fd = -1;

    CHILD_CHECK(geteuid() != 0 || setresuid(4711, 4711, 4711) == 0);
    CHILD_CHECK(lc_seccomp_load(filter, &notify_fd, &err) == -1);
    CHILD_CHECK(err.sys == EACCES);
    CHILD_CHECK(strcmp(err.frame[0].what, "install the seccomp filter") == 0);
}

static void without_rights_and_no_new_privs_it_is_refused(void **state)
{
    (void)state;

    assert_int_equal(in_child_with(FOR_GETPPID("SCMP_ACT_LOG"), load_without_rights), 0);
}

#if defined(__x86_64__)
static long call_32_bit(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* A 32-bit program's socket(2) is behind socketcall(2), and has a number of its own as well. */
static void make_sockets_of_32_bit(void *filter)
{
    load(filter);
    CHILD_CHECK(call_32_bit(359, AF_UNIX, SOCK_STREAM, 0) == -EPERM);
    CHILD_CHECK(call_32_bit(102, 1, 0, 0) == -EPERM);  /* socket */
    CHILD_CHECK(call_32_bit(102, 2, 0, 0) == -EFAULT); /* bind: its arguments are at address 0 */
    CHILD_CHECK(call_32_bit(102, 5, 0, 0) == -EPERM);  /* accept, which has no number */
    CHILD_CHECK(call_32_bit(20, 0, 0, 0) == getpid());
    CHILD_CHECK(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
}

static void multiplexed_calls_are_found(void **state)
{
    (void)state;
    if (in_child_with("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", get_parent) != 0 ||
        access("/proc/sys/abi/vsyscall32", F_OK) < 0) {
        skip(); /* a kernel without 32-bit programs */
    }

    assert_int_equal(in_child_with("{\"defaultAction\":\"SCMP_ACT_ALLOW\","
                                   "\"architectures\":[\"SCMP_ARCH_X86\"],\"syscalls\":[{"
                                   "\"names\":[\"socket\",\"accept\"],"
                                   "\"action\":\"SCMP_ACT_ERRNO\"}]}",
                                   make_sockets_of_32_bit),
                     0);
}
#endif

/* ---- the listener --------------------------------------------------------------------------- */

/* The container's side: tells the number of its listener, and makes the call that is listened for.
 */
static void make_directory(const struct lc_seccomp *filter, int pipe_fd)
{
    struct ct_error err = {0};
    int notify_fd = -1;

    CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHILD_DO(lc_seccomp_load(filter, &notify_fd, &err), &err);
    CHILD_CHECK(fcntl(notify_fd, F_GETFD) == FD_CLOEXEC);
    CHILD_CHECK(write(pipe_fd, &notify_fd, sizeof(notify_fd)) == sizeof(notify_fd));
    CHILD_CHECK(syscall(SYS_mkdirat, AT_FDCWD, "/no/such", 0700) < 0 && errno == EDQUOT);
    _exit(0);
}

/* The agent's side: what was sent, and the descriptor that came along. */
static json_t *receive_state(int socket_fd, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char text[4096];
    struct iovec part = {text, sizeof(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct ct_error err = {0};

    ssize_t n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    assert_true(n > 0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    assert_non_null(header);
    if (header) { /* gcc does not see the line above */
        memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
    }
    json_t *state = ct_json_parse(text, (size_t)n, &err);
    assert_non_null(state);
    return state;
}

static void answer_call(int listener, pid_t pid)
{
    struct seccomp_notif call = {0};

    assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
    assert_int_equal(call.pid, pid);
    assert_int_equal(call.data.nr, SYS_mkdirat);
    struct seccomp_notif_resp response = {.id = call.id, .error = -EDQUOT};
    assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void an_agent_answers_for_the_kernel(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-seccomp-XXXXXX";
    struct ct_error err = {0};
    int pipe_fds[2], number = -1, received = -1, status = -1;

    assert_non_null(mkdtemp(dir));
    CT_AUTO_FREE char *path = ct_join(dir, "agent.sock");
    CT_AUTO_CLOSE int server = listen_at(path);
    CT_AUTO_JSON json_t *document = json_pack(
        "{s:s,s:s,s:s,s:[s],s:[{s:[s],s:s}]}", "defaultAction", "SCMP_ACT_ALLOW", "listenerPath",
        path, "listenerMetadata", "for the agent", "flags", "SECCOMP_FILTER_FLAG_TSYNC", "syscalls",
        "names", "mkdirat", "action", "SCMP_ACT_NOTIFY");
    CT_AUTO_JSON json_t *container = json_pack("{s:s,s:s}", "id", "web", "status", "creating");
    struct lc_seccomp filter = compile(document);
    assert_true(filter.notifies);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);

    pid_t child = fork();
    if (child == 0) {
        make_directory(&filter, pipe_fds[1]);
    }
    assert_int_equal(read(pipe_fds[0], &number, sizeof(number)), sizeof(number));
    CT_AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    CT_AUTO_CLOSE int taken = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    assert_int_equal(lc_seccomp_notify(document, taken, child, container, &err), 0);
    CT_AUTO_CLOSE int connection = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    CT_AUTO_JSON json_t *sent = receive_state(connection, &received);
    CT_AUTO_CLOSE int listener = received;
    answer_call(listener, child);

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    CT_AUTO_JSON json_t *expected =
        json_pack("{s:s,s:[s],s:i,s:s,s:O}", "ociVersion", "1.2.0", "fds", "seccompFd", "pid",
                  (int)child, "metadata", "for the agent", "state", container);
    assert_true(json_equal(sent, expected));
    lc_seccomp_done(&filter);
    assert_int_equal(close(pipe_fds[0]) | close(pipe_fds[1]), 0);
    assert_int_equal(ct_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void an_agent_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    char long_path[200];
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *container = json_object();
    CT_AUTO_JSON json_t *nowhere = json_pack("{s:s}", "listenerPath", "/no/such/agent.sock");

    assert_int_equal(lc_seccomp_notify(nowhere, 0, 1, container, &err), -1);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[0].what, "connect to the seccomp agent '/no/such/agent.sock'");

    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    CT_AUTO_JSON json_t *too_long = json_pack("{s:s}", "listenerPath", long_path);
    ct_error_clear(&err);
    assert_int_equal(lc_seccomp_notify(too_long, 0, 1, container, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
}

/* ---- features ------------------------------------------------------------------------------- */

static void assert_has(json_t *list, const char *name, size_t n)
{
    bool has = false;
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one)
    {
        has = has || strcmp(json_string_value(one), name) == 0;
    }
    assert_true(has);
    assert_int_equal(json_array_size(list), n);
    json_decref(list);
}

static void all_words_are_listed(void **state)
{
    (void)state;

    assert_has(lc_seccomp_actions(), "SCMP_ACT_NOTIFY", 9);
    assert_has(lc_seccomp_operators(), "SCMP_CMP_MASKED_EQ", 7);
    assert_has(lc_seccomp_archs(), "SCMP_ARCH_RISCV64", 23);
    assert_has(lc_seccomp_flags(), "SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(no_profile_is_no_filter),
        cmocka_unit_test(a_profile_longer_than_the_kernel_takes_is_refused),
#if defined(__x86_64__)
        cmocka_unit_test(multiplexed_calls_are_found),
#endif
        cmocka_unit_test(a_call_is_answered_by_the_errno_of_its_rule),
        cmocka_unit_test(the_default_has_its_own_errno),
        cmocka_unit_test(killing_and_trapping_actions_end_in_sigsys),
        cmocka_unit_test(every_flag_is_taken),
        cmocka_unit_test(without_rights_and_no_new_privs_it_is_refused),
        cmocka_unit_test(an_agent_answers_for_the_kernel),
        cmocka_unit_test(an_agent_that_is_not_there_is_an_error),
        cmocka_unit_test(all_words_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
