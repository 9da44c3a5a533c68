/*
 * init_options.c - cutaway-init's command line, and what it says.
 *
 * Room:       init.   Called by: init.c, manual.c.
 * Man:        getopt(3), signal(7).
 */
#include "init_options.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAME "cutaway-init"
/* dockerd and podman look for these two words before the number. */
#define VERSION "tini version " CUTAWAY_VERSION "_cutaway-init"

const char init_purpose[] =
    "Runs a program as process 1 of a container would: reaps orphans, passes signals on.";

const struct init_row init_rows[] = {
    {"--version", "", "print the version"},
    {"-h", "", "print this help"},
    {"-s", "", "become a subreaper: for a process that is not process 1"},
    {"-p", "SIGNAL", "get SIGNAL when the parent dies, for example SIGKILL"},
    {"-v", "", "say more; up to 3 times"},
    {"-w", "", "warn of each orphan that is reaped"},
    {"-g", "", "pass signals on to the program's process group"},
    {"-e", "EXIT_CODE", "end with 0 when the program ends with EXIT_CODE (0 to 255)"},
    {"-l", "", "print the license"},
    {NULL, NULL, NULL}};

const char init_environment[] = "TINI_SUBREAPER is as -s, TINI_KILL_PROCESS_GROUP as -g, "
                                "TINI_VERBOSITY (default 1) as often -v.";

static const char license[] = NAME " is licensed under the Apache License, version 2.0:\n"
                                   "http://www.apache.org/licenses/LICENSE-2.0\n";

static int verbosity = INIT_WARN;

/* ---- messages ------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void say(enum init_level level, const char *format,
                                                      va_list arguments)
{
    static const char *const words[] = {"FATAL", "WARN ", "INFO ", "DEBUG"};
    char line[512];

    if ((int)level > verbosity) {
        return;
    }
    int head = snprintf(line, sizeof(line), "[%s " NAME " (%d)] ", words[level], (int)getpid());
    (void)vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, arguments);
    size_t length = strlen(line);
    line[length++] = '\n';
    (void)!write(STDERR_FILENO, line, length); /* nobody is left to tell when this fails */
}

void init_say(enum init_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(level, format, arguments);
    va_end(arguments);
}

void init_fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(INIT_FATAL, format, arguments);
    va_end(arguments);
    exit(1);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Decimal digits alone; -1: it is something else, or more than max. */
static int number_of(const char *text, int max)
{
    int number = 0;

    if (!*text) {
        return -1;
    }
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || number > max) {
            return -1;
        }
        number = 10 * number + (*text - '0');
    }
    return number <= max ? number : -1;
}

int init_signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT},   {"ILL", SIGILL},
                   {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},     {"FPE", SIGFPE},
                   {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},
                   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM},   {"CHLD", SIGCHLD},
                   {"CONT", SIGCONT}, {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},
                   {"TTOU", SIGTTOU}, {"URG", SIGURG},       {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
                   {"PROF", SIGPROF}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH}, {"POLL", SIGPOLL},
                   {"SYS", SIGSYS}};
    int number = number_of(name, 64);

    if (number > 0) {
        return number;
    }
    name += strncasecmp(name, "SIG", 3) == 0 ? 3 : 0;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (strcasecmp(name, signals[i].name) == 0) {
            return signals[i].number;
        }
    }
    return 0;
}

bool init_is_success(const struct init_options *options, int code)
{
    return code == 0 || (options->successes[code / 64] >> (code % 64) & 1);
}

/* ---- the command line ----------------------------------------------------------------------- */

static void put(int fd, const char *text)
{
    (void)!write(fd, text, strlen(text));
}

static void print(const char *text)
{
    put(STDOUT_FILENO, text);
    exit(0);
}

/* To standard output when it was asked for, with 0; else to standard error, with 1. */
static void end_with_usage(int fd)
{
    char line[160];

    put(fd, NAME " (" VERSION ")\nUsage: " NAME " [OPTIONS] PROGRAM -- [ARGS] | --version\n\n");
    put(fd, init_purpose);
    put(fd, "\n\n");
    for (const struct init_row *row = init_rows; row->option; row++) {
        int head = snprintf(line, sizeof(line), "  %s %s", row->option, row->value);
        (void)snprintf(line + head, sizeof(line) - (size_t)head, "%*s%s\n", 16 - head, "",
                       row->help);
        put(fd, line);
    }
    put(fd, "\nEnvironment: ");
    put(fd, init_environment);
    put(fd, "\n");
    exit(fd == STDOUT_FILENO ? 0 : 1);
}

static void take_success(const char *text, struct init_options *ret)
{
    int code = number_of(text, 255);

    if (code < 0) {
        init_fatal("Not a valid option for -e: %s", text);
    }
    ret->successes[code / 64] |= (uint64_t)1 << (code % 64);
}

static void take_option(int option, struct init_options *ret)
{
    switch (option) {
    case 'h':
        end_with_usage(STDOUT_FILENO);
        break;
    case 'l':
        print(license);
        break;
    case 's':
        ret->subreaper = true;
        break;
    case 'g':
        ret->to_group = true;
        break;
    case 'w':
        ret->warn_reaped = true;
        break;
    case 'v':
        verbosity++;
        break;
    case 'p':
        ret->death_signal = init_signal_number(optarg);
        if (ret->death_signal == 0) {
            init_fatal("Not a valid option for -p: %s", optarg);
        }
        break;
    case 'e':
        take_success(optarg, ret);
        break;
    default: /* getopt has said what is wrong */
        end_with_usage(STDERR_FILENO);
    }
}

static void take_environment(struct init_options *ret)
{
    const char *wanted = getenv("TINI_VERBOSITY");

    if (wanted) {
        verbosity = number_of(wanted, INIT_DEBUG) < 0 ? INIT_WARN : number_of(wanted, INIT_DEBUG);
    }
    ret->subreaper = ret->subreaper || getenv("TINI_SUBREAPER");
    ret->to_group = ret->to_group || getenv("TINI_KILL_PROCESS_GROUP");
}

char **init_parse(int argc, char **argv, struct init_options *ret)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        print(VERSION "\n");
    }
    take_environment(ret);
    for (int option; (option = getopt(argc, argv, "+p:hvwgle:s")) != -1;) {
        take_option(option, ret);
    }
    if (optind >= argc) {
        end_with_usage(STDERR_FILENO);
    }
    return argv + optind;
}
