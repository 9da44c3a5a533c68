/*
 * test_lc_scheduling.c - scheduler, I/O priority, processors, memory score and personality: read as
 * the schema has them, and then what the kernel says a process has.
 */
#define CT_LAYER "test"
#include "scheduling.h"

#include "cleanup.h"
#include "in_child.h"
#include "json.h"
#include "procfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static int parse(const char *text, struct lc_scheduling *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *process = ct_json_parse(text, strlen(text), err);
    assert_non_null(process);
    return lc_scheduling_parse(process, "process", ret, err);
}

static void what_is_not_there_is_not_set(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct lc_scheduling scheduling;

    assert_int_equal(
        parse("{\"execCPUAffinity\":{\"initial\":\" \",\"final\":\"\"}}", &scheduling, &err), 0);
    assert_false(scheduling.has_scheduler || scheduling.has_io_priority ||
                 scheduling.has_initial_cpus || scheduling.has_final_cpus ||
                 scheduling.has_oom_score);
    assert_int_equal(lc_scheduling_apply_outside(&scheduling, -1, getpid(), &err), 0);
    assert_int_equal(lc_scheduling_apply_inside(&scheduling, &err), 0);
}

static void all_of_the_schema_is_read(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct lc_scheduling scheduling;

    assert_int_equal(
        parse("{\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"nice\":-3,\"flags\":["
              "\"SCHED_FLAG_RESET_ON_FORK\",\"SCHED_FLAG_RECLAIM\",\"SCHED_FLAG_DL_OVERRUN\","
              "\"SCHED_FLAG_KEEP_POLICY\",\"SCHED_FLAG_KEEP_PARAMS\",\"SCHED_FLAG_UTIL_CLAMP_MIN\","
              "\"SCHED_FLAG_UTIL_CLAMP_MAX\"],\"runtime\":1,\"deadline\":2,\"period\":3},"
              "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6},"
              "\"execCPUAffinity\":{\"initial\":\"0-2, 7 ,1023\",\"final\":\"4\"},"
              "\"oomScoreAdj\":-1000}",
              &scheduling, &err),
        0);
    assert_int_equal(scheduling.policy, SCHED_DEADLINE);
    assert_int_equal(scheduling.nice, -3);
    assert_int_equal(scheduling.flags, SCHED_FLAG_ALL);
    assert_int_equal(scheduling.runtime_ns, 1);
    assert_int_equal(scheduling.deadline_ns, 2);
    assert_int_equal(scheduling.period_ns, 3);
    assert_int_equal(scheduling.io_class, IOPRIO_CLASS_BE);
    assert_int_equal(scheduling.io_level, 6);
    assert_int_equal(CPU_COUNT(&scheduling.initial_cpus), 5);
    assert_true(CPU_ISSET(0, &scheduling.initial_cpus) && CPU_ISSET(2, &scheduling.initial_cpus) &&
                CPU_ISSET(7, &scheduling.initial_cpus) &&
                CPU_ISSET(1023, &scheduling.initial_cpus));
    assert_int_equal(CPU_COUNT(&scheduling.final_cpus), 1);
    assert_true(CPU_ISSET(4, &scheduling.final_cpus));
    assert_int_equal(scheduling.oom_score_adj, -1000);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"scheduler\":{}}", "process.scheduler.policy: it must be there"},
        {"{\"scheduler\":{\"policy\":\"SCHED_FAIR\"}}",
         "process.scheduler.policy: 'SCHED_FAIR' is none of 'SCHED_OTHER' … 'SCHED_DEADLINE'"},
        {"{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}}",
         "process.scheduler.nice: it must be a whole number from -20 to 19"},
        {"{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}}",
         "process.scheduler.priority: SCHED_FIFO and SCHED_RR need one from 1 to 99, the others "
         "have none"},
        {"{\"scheduler\":{\"policy\":\"SCHED_FIFO\"}}",
         "process.scheduler.priority: SCHED_FIFO and SCHED_RR need one from 1 to 99, the others "
         "have none"},
        {"{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"period\":1}}",
         "process.scheduler: only SCHED_DEADLINE has a runtime, a deadline and a period"},
        {"{\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":2,\"deadline\":1}}",
         "process.scheduler: SCHED_DEADLINE needs 0 < runtime <= deadline <= period"},
        {"{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"SCHED_FLAG_RECLAIM\",\"NONE\"]}}",
         "process.scheduler.flags[1]: 'NONE' is none of 'SCHED_FLAG_RESET_ON_FORK' … "
         "'SCHED_FLAG_UTIL_CLAMP_MAX'"},
        {"{\"ioPriority\":{\"priority\":1}}", "process.ioPriority.class: it must be there"},
        {"{\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}}",
         "process.ioPriority.priority: it must be a whole number from 0 to 7"},
        {"{\"oomScoreAdj\":1001}",
         "process.oomScoreAdj: it must be a whole number from -1000 to 1000"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        struct lc_scheduling scheduling;

        assert_int_equal(parse(wrong[i][0], &scheduling, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_string_equal(err.frame[0].what, wrong[i][1]);
    }
    struct ct_error err = {0};
    struct lc_scheduling scheduling;
    assert_int_equal(parse("{\"scheduler\":{\"policy\":\"SCHED_ISO\"}}", &scheduling, &err), -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
}

static void lists_of_processors_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"3-1", "1-",   "-1",   "1,",     ",1",
                                        "a",   "1 2",  "1024", "0-1024", "0-99999999999999999999",
                                        "0x1", "1,,2", "1-2-3"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct ct_error err = {0};
        struct lc_scheduling scheduling;
        CT_AUTO_JSON json_t *process = json_pack("{s:{s:s}}", "execCPUAffinity", "final", wrong[i]);

        assert_int_equal(lc_scheduling_parse(process, "process", &scheduling, &err), -1);
        assert_int_equal(err.kind, CT_INVALID);
        assert_non_null(strstr(err.frame[0].what, "process.execCPUAffinity.final: '"));
    }
}

/* What sched_getattr(2) says of this process. */
static void check_policy(uint32_t policy, int nice, uint32_t priority, uint64_t runtime)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } now = {0};

    CHILD_CHECK(syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) == 0);
    CHILD_CHECK(now.policy == policy && now.nice == nice && now.priority == priority &&
                (runtime == 0 || now.runtime == runtime)); /* others have a slice there */
}

static void apply_inside(const char *text)
{
    struct ct_error err = {0};
    struct lc_scheduling scheduling;
    json_t *process = ct_json_parse(text, strlen(text), &err);

    CHILD_CHECK(process);
    CHILD_DO(lc_scheduling_parse(process, "process", &scheduling, &err), &err);
    json_decref(process);
    CHILD_DO(lc_scheduling_apply_inside(&scheduling, &err), &err);
}

static void be_scheduled(void *context)
{
    (void)context;
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5}}");
    check_policy(SCHED_BATCH, 5, 0, 0);
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":7}}");
    check_policy(SCHED_OTHER, 7, 0, 0);
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_IDLE\"}}");
    CHILD_CHECK(sched_getscheduler(0) == SCHED_IDLE);
}

static void schedulers_for_everybody_are_set(void **state)
{
    (void)state;
    assert_int_equal(in_child(be_scheduled, NULL), 0);
}

static void be_in_real_time(void *context)
{
    (void)context;
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":2,"
                 "\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]}}");
    CHILD_CHECK(sched_getscheduler(0) == (SCHED_RR | SCHED_RESET_ON_FORK));
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":3}}");
    check_policy(SCHED_FIFO, 0, 3, 0);
    apply_inside("{\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1000000,"
                 "\"deadline\":100000000,\"period\":100000000}}");
    check_policy(SCHED_DEADLINE, 0, 0, 1000000);
}

static void real_time_schedulers_are_set_where_one_may(void **state)
{
    (void)state;
    const struct sched_param lowest = {.sched_priority = 1};
    pid_t pid = fork();
    if (pid == 0) {
        _exit(sched_setscheduler(0, SCHED_FIFO, &lowest) == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        skip(); /* no CAP_SYS_NICE, or a cgroup without real time */
    }
    assert_int_equal(in_child(be_in_real_time, NULL), 0);
}

static void ask_in_vain(void *context)
{
    (void)context;
    struct ct_error err = {0};
    const struct rlimit none = {0, 0};
    const struct lc_scheduling scheduling = {
        .has_scheduler = true, .policy = SCHED_FIFO, .priority = 1};

    CHILD_CHECK(setrlimit(RLIMIT_RTPRIO, &none) == 0 && setuid(65534) == 0);
    CHILD_CHECK(lc_scheduling_apply_inside(&scheduling, &err) == -1);
    CHILD_CHECK(err.kind == CT_DENIED && strstr(err.hint, "CAP_SYS_NICE"));
    CHILD_CHECK(strcmp(err.frame[0].what, "set the scheduler SCHED_FIFO") == 0);
}

static void a_scheduler_that_is_not_allowed_says_what_is_missing(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(ask_in_vain, NULL), 0);
}

static void have_an_io_priority(void *context)
{
    (void)context;
    apply_inside("{\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6}}");
    CHILD_CHECK(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) ==
                IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 6));
    apply_inside("{\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\"}}");
    CHILD_CHECK(IOPRIO_PRIO_CLASS(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0)) ==
                IOPRIO_CLASS_IDLE);
}

static void the_io_priority_is_set(void **state)
{
    (void)state;
    assert_int_equal(in_child(have_an_io_priority, NULL), 0);
}

static void be_on_the_last_processor(void *context)
{
    struct ct_error err = {0};
    struct lc_scheduling scheduling = {.has_final_cpus = true};
    cpu_set_t all, now;
    int last = CPU_SETSIZE - 1;
    (void)context;

    CHILD_CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
    while (last > 0 && !CPU_ISSET((size_t)last, &all)) {
        last--;
    }
    CPU_SET((size_t)last, &scheduling.final_cpus);
    CHILD_DO(lc_scheduling_apply_inside(&scheduling, &err), &err);
    CHILD_CHECK(sched_getaffinity(0, sizeof(now), &now) == 0);
    CHILD_CHECK(CPU_EQUAL(&now, &scheduling.final_cpus));
}

static void the_processors_are_set_from_inside(void **state)
{
    (void)state;
    assert_int_equal(in_child(be_on_the_last_processor, NULL), 0);
}

/* A process that does nothing until it is killed; it ends with the test, too. */
static pid_t start_idle(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void end_idle(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int score_of(int procfs, pid_t pid)
{
    struct ct_error err = {0};
    char path[48], text[16] = "";
    (void)snprintf(path, sizeof(path), "%d/oom_score_adj", (int)pid);
    CT_AUTO_CLOSE int fd = lc_procfs_openat(procfs, path, O_RDONLY, &err);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    return atoi(text);
}

static void score_and_processors_are_set_from_outside(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct lc_scheduling scheduling = {.has_oom_score = true, .oom_score_adj = 777};
    cpu_set_t now;
    CT_AUTO_CLOSE int procfs = lc_procfs_open(&err);
    pid_t pid = start_idle();

    assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
    for (size_t cpu = 0; !scheduling.has_initial_cpus; cpu++) {
        if (CPU_ISSET(cpu, &now)) {
            scheduling.has_initial_cpus = true;
            CPU_SET(cpu, &scheduling.initial_cpus);
        }
    }
    assert_int_equal(lc_scheduling_apply_outside(&scheduling, procfs, pid, &err), 0);
    assert_int_equal(sched_getaffinity(pid, sizeof(now), &now), 0);
    assert_true(CPU_EQUAL(&now, &scheduling.initial_cpus));
    assert_int_equal(score_of(procfs, pid), 777);
    end_idle(pid);
}

static void processors_that_are_not_there_are_refused(void **state)
{
    (void)state;
    struct ct_error err = {0};
    struct lc_scheduling scheduling = {.has_initial_cpus = true};
    pid_t pid = start_idle();

    CPU_SET(1023, &scheduling.initial_cpus);
    assert_int_equal(lc_scheduling_apply_outside(&scheduling, -1, pid, &err), -1);
    assert_int_equal(err.sys, EINVAL);
    assert_string_equal(err.frame[0].what, "set execCPUAffinity.initial");
    assert_string_not_equal(err.hint, "");
    end_idle(pid);
}

/* As a user, who cannot take back what was raised. */
static void lower_in_vain(void *context)
{
    struct ct_error err = {0};
    const struct lc_scheduling scheduling = {.has_oom_score = true, .oom_score_adj = -500};
    int procfs = lc_procfs_open(&err);
    (void)context;

    CHILD_CHECK(procfs >= 0 && setuid(65534) == 0);
    CHILD_CHECK(lc_scheduling_apply_outside(&scheduling, procfs, getpid(), &err) == -1);
    CHILD_CHECK(err.kind == CT_DENIED && strstr(err.hint, "CAP_SYS_RESOURCE"));
    CHILD_CHECK(strcmp(err.frame[1].what, "set oomScoreAdj to -500") == 0);
}

static void a_score_that_may_not_be_lowered_says_so(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(in_child(lower_in_vain, NULL), 0);
}

static int parse_personality(const char *text, uint32_t *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *personality = ct_json_parse(text, strlen(text), err);
    assert_non_null(personality);
    return lc_personality_parse(personality, ret, err);
}

static void a_personality_is_one_of_two_and_has_no_flags(void **state)
{
    (void)state;
    struct ct_error err = {0};
    uint32_t domain = 1;

    assert_int_equal(lc_personality_parse(NULL, &domain, &err), 0);
    assert_int_equal(domain, LC_PERSONALITY_UNCHANGED);
    assert_int_equal(parse_personality("{\"domain\":\"LINUX\",\"flags\":[]}", &domain, &err), 0);
    assert_int_equal(domain, PER_LINUX);
    assert_int_equal(parse_personality("{\"domain\":\"LINUX32\"}", &domain, &err), 0);
    assert_int_equal(domain, PER_LINUX32);
    assert_int_equal(parse_personality("{}", &domain, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_int_equal(parse_personality("{\"domain\":\"SVR4\"}", &domain, &err), -1);
    assert_int_equal(err.kind, CT_INVALID);
    assert_int_equal(parse_personality("{\"domain\":\"LINUX\",\"flags\":[\"ADDR_NO_RANDOMIZE\"]}",
                                       &domain, &err),
                     -1);
    assert_int_equal(err.kind, CT_UNSUPPORTED);
}

static void be_a_32_bit_program(void *context)
{
    struct ct_error err = {0};
    struct utsname names;
    (void)context;

    CHILD_DO(lc_personality_apply(PER_LINUX32, &err), &err);
    CHILD_CHECK(personality(0xffffffff) == PER_LINUX32);
    CHILD_DO(lc_personality_apply(LC_PERSONALITY_UNCHANGED, &err), &err);
    CHILD_CHECK(personality(0xffffffff) == PER_LINUX32);
    CHILD_CHECK(uname(&names) == 0 && strcmp(names.machine, "x86_64") != 0);
    CHILD_DO(lc_personality_apply(PER_LINUX, &err), &err);
    CHILD_CHECK(personality(0xffffffff) == PER_LINUX);
}

static void the_personality_is_set(void **state)
{
    (void)state;
    assert_int_equal(in_child(be_a_32_bit_program, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_not_set),
        cmocka_unit_test(all_of_the_schema_is_read),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(lists_of_processors_that_are_none_are_refused),
        cmocka_unit_test(schedulers_for_everybody_are_set),
        cmocka_unit_test(real_time_schedulers_are_set_where_one_may),
        cmocka_unit_test(a_scheduler_that_is_not_allowed_says_what_is_missing),
        cmocka_unit_test(the_io_priority_is_set),
        cmocka_unit_test(the_processors_are_set_from_inside),
        cmocka_unit_test(score_and_processors_are_set_from_outside),
        cmocka_unit_test(processors_that_are_not_there_are_refused),
        cmocka_unit_test(a_score_that_may_not_be_lowered_says_so),
        cmocka_unit_test(a_personality_is_one_of_two_and_has_no_flags),
        cmocka_unit_test(the_personality_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
