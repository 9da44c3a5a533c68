/*
 * spec.c - builds the exec driver's request from a container's record.
 *
 * Room:       monitor.   Called by: run.c, execs.c, health.c.
 * Spec:       Docker Engine API 1.43, "Create a container", "Exec".
 */
#define CT_LAYER "spec"
#include "spec.h"

#include "containers.h"
#include "mounts.h"
#include "user.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define CPU_PERIOD_US 100000ULL /* the kernel's and Docker's default */

bool spec_network_is(const json_t *record, const char *mode)
{
    return strcmp(ct_json_string(record, "HostConfig.NetworkMode", ""), mode) == 0;
}

const char *spec_joined(const json_t *record)
{
    const char *mode = ct_json_string(record, "HostConfig.NetworkMode", "");
    return strncmp(mode, "container:", 10) == 0 ? mode + 10 : NULL;
}

const char *spec_hostname(const json_t *record)
{
    bool host = strcmp(ct_json_string(record, "HostConfig.UTSMode", ""), "host") == 0;
    return host ? "" : ct_json_string(record, "Config.Hostname", "");
}

/* Index of the variable that text ("NAME=value" or "NAME") names, or n. */
static size_t find_variable(const char *const *env, size_t n, const char *text)
{
    size_t length = strcspn(text, "=");
    for (size_t i = 0; i < n; i++) {
        if (strncmp(env[i], text, length) == 0 && env[i][length] == '=') {
            return i;
        }
    }
    return n;
}

/* Later ones replace earlier ones in place; a name without '=' takes the variable away. */
static size_t set_variables(const char **env, size_t n, const json_t *wanted)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)wanted, i, value)
    {
        const char *text = json_string_value(value);
        if (!text) {
            continue; /* refused at create time */
        }
        size_t at = find_variable(env, n, text);
        if (strchr(text, '=')) {
            env[at] = text;
            n += at == n ? 1 : 0;
        } else if (at < n) {
            memmove(&env[at], &env[at + 1], (n - at - 1) * sizeof(*env));
            n--;
        }
    }
    return n;
}

/* Docker's environment: its own variables first, then the record's, then the exec's; HOME last. */
static const char *const *build_environment(const json_t *record, const json_t *exec, bool terminal,
                                            const char *home, struct pool *pool)
{
    const json_t *own = ct_json_get(record, "Config.Env");
    const json_t *more = json_object_get(exec, "Env");
    const char **env = pool_array(pool, 5 + ct_json_count(own) + ct_json_count(more), sizeof(*env));
    const char *hostname = spec_hostname(record);
    size_t n = 0;

    env[n++] = DEFAULT_PATH;
    if (*hostname) {
        env[n++] = pool_keep(pool, ct_printf("HOSTNAME=%s", hostname));
    }
    if (terminal) {
        env[n++] = "TERM=xterm";
    }
    n = set_variables(env, n, own);
    n = set_variables(env, n, more);
    if (find_variable(env, n, "HOME") == n) {
        env[n++] = pool_keep(pool, ct_printf("HOME=%s", home));
    }
    env[n] = NULL;
    return env;
}

/* The strings of two arrays, one after the other. */
static const char *const *join_words(const json_t *first, const json_t *second, struct pool *pool)
{
    const json_t *arrays[] = {first, second};
    const char **words =
        pool_array(pool, ct_json_count(first) + ct_json_count(second) + 1, sizeof(*words));
    size_t n = 0, i;
    json_t *value;

    for (size_t a = 0; a < 2; a++) {
        json_array_foreach((json_t *)arrays[a], i, value)
        {
            const char *text = json_string_value(value);
            if (text) {
                words[n++] = text;
            }
        }
    }
    return words;
}

static int set_user(const char *text, const json_t *group_add, int rootfs_fd,
                    struct exec_program *program, const char **ret_home, struct pool *pool,
                    struct ct_error *err)
{
    struct user user;

    if (user_resolve(rootfs_fd, text, group_add, &user, err) < 0) {
        return -1;
    }
    program->uid = user.uid;
    program->gid = user.gid;
    program->groups = pool_keep(pool, user.groups);
    program->n_groups = user.n_groups;
    *ret_home = pool_keep(pool, user.home);
    return 0;
}

static const char *text_or(const json_t *object, const char *key, const char *fallback)
{
    const char *text = ct_json_string(object, key, "");
    return *text ? text : fallback;
}

/* exec NULL: the container's own program. */
static int build_program(const json_t *record, const json_t *exec, int rootfs_fd,
                         struct exec_program *ret, struct pool *pool, struct ct_error *err)
{
    static const char *const all_capabilities[] = {"ALL", NULL};
    const json_t *config = json_object_get(record, "Config");
    const json_t *source = exec ? exec : config;
    const char *home = "/";

    *ret = (struct exec_program){.stdio = {-1, -1, -1}};
    ret->terminal = ct_json_bool(source, "Tty", false);
    ret->argv = join_words(exec ? NULL : json_object_get(config, "Entrypoint"),
                           json_object_get(source, "Cmd"), pool);
    if (!ret->argv[0] || !*ret->argv[0]) {
        return ct_refuse(err, CT_NO_PROGRAM, "run the program: its name is empty");
    }
    if (set_user(text_or(exec, "User", text_or(config, "User", "")),
                 ct_json_get(record, "HostConfig.GroupAdd"), rootfs_fd, ret, &home, pool,
                 err) < 0) {
        return -1;
    }
    ret->cwd = pool_keep(
        pool, ct_path_clean(text_or(exec, "WorkingDir", text_or(config, "WorkingDir", "/"))));
    ret->env = build_environment(record, exec, ret->terminal, home, pool);
    ret->cap_add = ct_json_bool(exec, "Privileged", false) ? all_capabilities : NULL;
    return 0;
}

static uint64_t unsigned_field(const json_t *host, const char *field)
{
    json_int_t value = ct_json_integer(host, field, 0);
    return value > 0 ? (uint64_t)value : 0;
}

/* MemorySwap 0 with a limit means twice the limit, -1 no limit: Docker's rule. */
static uint64_t swap_limit(const json_t *host, uint64_t memory)
{
    json_int_t swap = ct_json_integer(host, "MemorySwap", 0);
    if (swap < 0) {
        return UINT64_MAX;
    }
    return swap > 0 ? (uint64_t)swap : 2 * memory;
}

void spec_limits(const json_t *record, struct exec_limits *ret)
{
    const json_t *host = json_object_get(record, "HostConfig");
    uint64_t nano_cpus = unsigned_field(host, "NanoCpus");
    const char *cpus = ct_json_string(host, "CpusetCpus", "");
    const char *mems = ct_json_string(host, "CpusetMems", "");

    *ret = (struct exec_limits){.memory_max_bytes = unsigned_field(host, "Memory"),
                                .memory_low_bytes = unsigned_field(host, "MemoryReservation"),
                                .cpu_quota_us = unsigned_field(host, "CpuQuota"),
                                .cpu_period_us = unsigned_field(host, "CpuPeriod"),
                                .cpu_shares = unsigned_field(host, "CpuShares"),
                                .cpuset_cpus = *cpus ? cpus : NULL,
                                .cpuset_mems = *mems ? mems : NULL,
                                .pids_max = ct_json_integer(host, "PidsLimit", 0),
                                .host_config = host};
    ret->memory_swap_max_bytes = swap_limit(host, ret->memory_max_bytes);
    if (nano_cpus > 0) {
        ret->cpu_period_us = CPU_PERIOD_US;
        ret->cpu_quota_us = nano_cpus * CPU_PERIOD_US / 1000000000ULL;
    } else if (ret->cpu_quota_us > 0 && ret->cpu_period_us == 0) {
        ret->cpu_period_us = CPU_PERIOD_US;
    }
}

static void set_ulimits(const json_t *ulimits, struct exec_spec *exec, struct pool *pool)
{
    struct exec_ulimit *list = pool_array(pool, ct_json_count(ulimits), sizeof(*list));
    size_t i;
    json_t *ulimit;

    json_array_foreach((json_t *)ulimits, i, ulimit)
    {
        json_int_t soft = ct_json_integer(ulimit, "Soft", 0);
        list[exec->n_ulimits++] =
            (struct exec_ulimit){.name = ct_json_string(ulimit, "Name", ""),
                                 .soft = soft,
                                 .hard = ct_json_integer(ulimit, "Hard", soft)};
    }
    exec->ulimits = list;
}

static void set_devices(const json_t *devices, struct exec_spec *exec, struct pool *pool)
{
    const char **list = pool_array(pool, ct_json_count(devices) + 1, sizeof(*list));
    size_t i;
    json_t *device;

    json_array_foreach((json_t *)devices, i, device)
    {
        const char *host = ct_json_string(device, "PathOnHost", "");
        list[i] =
            pool_keep(pool, ct_printf("%s:%s:%s", host, text_or(device, "PathInContainer", host),
                                      text_or(device, "CgroupPermissions", "rwm")));
    }
    exec->devices = list;
}

static void set_sysctls(const json_t *sysctls, struct exec_spec *exec, struct pool *pool)
{
    const char **list = pool_array(pool, ct_json_count(sysctls) + 1, sizeof(*list));
    size_t n = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)sysctls, name, value)
    {
        list[n++] = pool_keep(pool, ct_printf("%s=%s", name, json_string_value(value)));
    }
    exec->sysctls = list;
}

/* What spec_check() let pass. */
static void set_security(const json_t *options, struct exec_spec *exec)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)options, i, value)
    {
        const char *text = json_string_value(value) ? json_string_value(value) : "";
        if (strncmp(text, "no-new-privileges", 17) == 0) {
            exec->no_new_privileges =
                strcmp(text + 17, "=false") != 0 && strcmp(text + 17, ":false") != 0;
        } else if (strncmp(text, "seccomp", 7) == 0) {
            exec->seccomp = text + 8;
        } else if (strncmp(text, "apparmor", 8) == 0) {
            exec->apparmor = text + 9;
        }
    }
}

static void set_host_options(const json_t *record, struct exec_spec *exec, struct pool *pool)
{
    const json_t *host = json_object_get(record, "HostConfig");

    exec->host_config = host;
    exec->rootfs_readonly = ct_json_bool(host, "ReadonlyRootfs", false);
    exec->cap_add = join_words(json_object_get(host, "CapAdd"), NULL, pool);
    exec->cap_drop = join_words(json_object_get(host, "CapDrop"), NULL, pool);
    exec->privileged = ct_json_bool(host, "Privileged", false);
    exec->shm_size_bytes = unsigned_field(host, "ShmSize");
    exec->host_network = spec_network_is(record, "host");
    exec->host_pid = strcmp(ct_json_string(host, "PidMode", ""), "host") == 0;
    exec->host_ipc = strcmp(ct_json_string(host, "IpcMode", ""), "host") == 0;
    exec->host_uts = strcmp(ct_json_string(host, "UTSMode", ""), "host") == 0;
    exec->oom_score_adj = (int)ct_json_integer(host, "OomScoreAdj", 0);
    spec_limits(record, &exec->limits);
    set_ulimits(json_object_get(host, "Ulimits"), exec, pool);
    set_devices(json_object_get(host, "Devices"), exec, pool);
    set_sysctls(json_object_get(host, "Sysctls"), exec, pool);
    set_security(json_object_get(host, "SecurityOpt"), exec);
}

/* Docker makes a working directory that is missing, before the program starts. */
static int make_cwd(int rootfs_fd, const char *cwd, struct ct_error *err)
{
    CT_AUTO_CLOSE int made = ct_root_mkdirs(rootfs_fd, cwd, 0755, 0, 0, err);

    if (made >= 0) {
        return 0;
    }
    err->kind = CT_CANNOT_RUN; /* the program may be fine, the place to run it is not */
    return ct_while(err, "make the working directory '%.100s'", cwd);
}

int spec_build(const struct container *container, int rootfs_fd, struct spec *ret,
               struct ct_error *err)
{
    const json_t *record = container->config;
    struct exec_spec *exec = &ret->exec;

    *ret = (struct spec){0};
    exec->id = container->id;
    exec->hostname = spec_hostname(record);
    exec->domainname = text_or(json_object_get(record, "Config"), "Domainname", NULL);
    set_host_options(record, exec, &ret->pool);
    if (build_program(record, NULL, rootfs_fd, &exec->program, &ret->pool, err) < 0 ||
        make_cwd(rootfs_fd, exec->program.cwd, err) < 0 ||
        mounts_build(container, rootfs_fd, &ret->pool, &exec->mounts, &exec->n_mounts, err) < 0) {
        spec_done(ret);
        return -1;
    }
    return 0;
}

void spec_done(struct spec *spec)
{
    pool_done(&spec->pool);
    *spec = (struct spec){0};
}

int spec_build_program(const json_t *record, const json_t *exec, int rootfs_fd,
                       struct spec_program *ret, struct ct_error *err)
{
    *ret = (struct spec_program){0};
    if (build_program(record, exec, rootfs_fd, &ret->program, &ret->pool, err) < 0) {
        spec_program_done(ret);
        return -1;
    }
    return 0;
}

void spec_program_done(struct spec_program *program)
{
    pool_done(&program->pool);
    *program = (struct spec_program){0};
}
