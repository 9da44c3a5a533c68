/*
 * filter_reference.c - libseccomp's compiler, and an interpreter. See filter_reference.h.
 *
 * Built apart from the tests, where libcontainer's door of the same name hides <seccomp.h>.
 */
#include "filter_reference.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* EPERM where none is given. */
static uint32_t action_of(const json_t *object, const char *key, const char *errno_key)
{
    const json_t *code = json_object_get(object, errno_key);
    uint32_t data = code ? (uint32_t)json_integer_value(code) : EPERM;
    const struct {
        const char *name;
        uint32_t action;
    } table[] = {
        {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
        {"SCMP_ACT_LOG", SCMP_ACT_LOG},
        {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
        {"SCMP_ACT_KILL", SCMP_ACT_KILL},
        {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
        {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(data)},
        {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(data)},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, text_of(object, key)) == 0) {
            return table[i].action;
        }
    }
    fail_msg("the reference has no action '%s'", text_of(object, key));
    return 0;
}

static enum scmp_compare operator_of(const json_t *condition)
{
    static const char *const names[] = {NULL,          "SCMP_CMP_NE",       "SCMP_CMP_LT",
                                        "SCMP_CMP_LE", "SCMP_CMP_EQ",       "SCMP_CMP_GE",
                                        "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"};

    for (unsigned i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text_of(condition, "op")) == 0) {
            return (enum scmp_compare)i;
        }
    }
    fail_msg("the reference has no operator '%s'", text_of(condition, "op"));
    return SCMP_CMP_EQ;
}

/* A number that is more than a JSON integer was read as a real one. */
static uint64_t number_of(const json_t *condition, const char *key)
{
    const json_t *value = json_object_get(condition, key);

    return json_is_real(value) ? UINT64_MAX : (uint64_t)json_integer_value(value);
}

static uint32_t token_of(const char *arch)
{
    static const struct {
        const char *name;
        uint32_t token;
    } table[] = {
        {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},   {"SCMP_ARCH_X86", SCMP_ARCH_X86},
        {"SCMP_ARCH_X32", SCMP_ARCH_X32},         {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
        {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, arch) == 0) {
            return table[i].token;
        }
    }
    fail_msg("the reference has no architecture '%s'", arch);
    return 0;
}

/* All conditions in one rule, or, when two are on the same argument, a rule for each. */
static void add(scmp_filter_ctx filter, uint32_t action, int number, const json_t *args)
{
    struct scmp_arg_cmp compare[16];
    bool twice = false;
    unsigned seen = 0, n = 0;
    size_t i;
    json_t *one;

    json_array_foreach((json_t *)args, i, one)
    {
        unsigned argument = (unsigned)number_of(one, "index");
        compare[n++] = (struct scmp_arg_cmp){argument, operator_of(one), number_of(one, "value"),
                                             number_of(one, "valueTwo")};
        twice = twice || (seen & 1u << argument);
        seen |= 1u << argument;
    }
    for (unsigned k = 0; k < (twice ? n : 1); k++) {
        int result = seccomp_rule_add_array(filter, action, number, twice ? 1 : n, compare + k);
        assert_true(result == 0 || result == -EEXIST);
    }
}

struct sock_filter *reference_compile(const json_t *seccomp, size_t *ret_n)
{
    uint32_t default_action = action_of(seccomp, "defaultAction", "defaultErrnoRet");
    scmp_filter_ctx filter = seccomp_init(default_action);
    size_t i, k;
    json_t *entry, *name, *arch;

    assert_non_null(filter);
    json_array_foreach(json_object_get(seccomp, "architectures"), i, arch)
    {
        int result = seccomp_arch_add(filter, token_of(json_string_value(arch)));
        assert_true(result == 0 || result == -EEXIST);
    }
    json_array_foreach(json_object_get(seccomp, "syscalls"), i, entry)
    {
        uint32_t action = action_of(entry, "action", "errnoRet");
        json_array_foreach(json_object_get(entry, "names"), k, name)
        {
            int number = seccomp_syscall_resolve_name(json_string_value(name));
            if (number != __NR_SCMP_ERROR && action != default_action) {
                add(filter, action, number, json_object_get(entry, "args"));
            }
        }
    }
    struct sock_filter *program = calloc(BPF_MAXINSNS, sizeof(*program));
    int fd = memfd_create("program", MFD_CLOEXEC);
    assert_non_null(program);
    assert_int_equal(seccomp_export_bpf(filter, fd), 0);
    ssize_t bytes = pread(fd, program, BPF_MAXINSNS * sizeof(*program), 0);
    assert_true(bytes > 0);
    *ret_n = (size_t)bytes / sizeof(*program);
    (void)close(fd);
    seccomp_release(filter);
    return program;
}

int64_t reference_last(const json_t *seccomp, uint32_t token)
{
    int64_t last = -1;
    size_t i, k;
    json_t *entry, *name;

    json_array_foreach(json_object_get(seccomp, "syscalls"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "names"), k, name)
        {
            int number = seccomp_syscall_resolve_name_arch(token, json_string_value(name));
            last = number > last ? number : last;
        }
    }
    return last;
}

/* ---- the interpreter ------------------------------------------------------------------------ */

static size_t jump(const struct sock_filter *at, bool condition)
{
    return condition ? at->jt : at->jf;
}

/* One step: what is loaded changes, or the place. */
static size_t step(const struct sock_filter *at, const struct seccomp_data *data, uint32_t *loaded,
                   uint32_t memory[BPF_MEMWORDS])
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        assert_true(at->k % 4 == 0 && at->k < sizeof(*data));
        memcpy(loaded, (const char *)data + at->k, sizeof(*loaded));
        return 0;
    case BPF_LD | BPF_MEM:
        *loaded = memory[at->k];
        return 0;
    case BPF_ST:
        memory[at->k] = *loaded;
        return 0;
    case BPF_ALU | BPF_AND | BPF_K:
        *loaded &= at->k;
        return 0;
    case BPF_JMP | BPF_JA:
        return at->k;
    case BPF_JMP | BPF_JEQ | BPF_K:
        return jump(at, *loaded == at->k);
    case BPF_JMP | BPF_JGT | BPF_K:
        return jump(at, *loaded > at->k);
    case BPF_JMP | BPF_JGE | BPF_K:
        return jump(at, *loaded >= at->k);
    case BPF_JMP | BPF_JSET | BPF_K:
        return jump(at, (*loaded & at->k) != 0);
    default:
        fail_msg("there is no instruction %#x", at->code);
        return 0;
    }
}

uint32_t run_filter(const struct sock_filter *program, size_t n, const struct seccomp_data *data)
{
    uint32_t loaded = 0, memory[BPF_MEMWORDS] = {0};

    for (size_t i = 0; i < n; i++) {
        if (program[i].code == (BPF_RET | BPF_K)) {
            return program[i].k;
        }
        i += step(&program[i], data, &loaded, memory);
    }
    fail_msg("the program ends without an answer");
    return 0;
}
