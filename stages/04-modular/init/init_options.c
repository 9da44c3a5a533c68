/*
 * init_options.c - cutaway-init's command line, and what it says.
 *
 * Room:       init.   Called by: init.c.
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

static const char usage[] =
    NAME " (" VERSION ")\n"
         "Usage: " NAME " [OPTIONS] PROGRAM -- [ARGS] | --version\n"
         "\n"
         "Runs a program as process 1 of a container would: reaps orphans, passes signals on.\n"
         "\n"
         "  --version     print the version\n"
         "  -h            print this help\n"
         "  -s            become a subreaper: for a process that is not process 1\n"
         "  -p SIGNAL     get SIGNAL when the parent dies, for example SIGKILL\n"
         "  -v            say more; up to 3 times\n"
         "  -w            warn of each orphan that is reaped\n"
         "  -g            pass signals on to the program's process group\n"
         "  -e EXIT_CODE  end with 0 when the program ends with EXIT_CODE (0 to 255)\n"
         "  -l            print the license\n"
         "\n"
         "Environment: TINI_SUBREAPER is as -s, TINI_KILL_PROCESS_GROUP as -g, TINI_VERBOSITY "
         "(default 1)\n"
         "as often -v.\n";

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

static void print(const char *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
    exit(0);
}

static void refuse_usage(void)
{
    (void)!write(STDERR_FILENO, usage, sizeof(usage) - 1);
    exit(1);
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
        print(usage);
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
        refuse_usage();
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
        refuse_usage();
    }
    return argv + optind;
}
