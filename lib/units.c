/*
 * units.c - times, durations and sizes in Docker's notation.
 *
 * Room:       lib.   Called by: see units.h.
 */
#define CT_LAYER "units"
#include "units.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S 1000000000LL

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t ct_now_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t ct_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

char *ct_time_format_fixed(int64_t unix_ns, char buffer[static CT_TIME_TEXT])
{
    int64_t seconds = unix_ns / NS_PER_S - (unix_ns % NS_PER_S < 0);
    long fraction = (long)(unix_ns - seconds * NS_PER_S);
    time_t whole = (time_t)seconds;
    struct tm utc;

    (void)gmtime_r(&whole, &utc);
    size_t n = strftime(buffer, CT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(buffer + n, CT_TIME_TEXT - n, ".%09ldZ", fraction);
    return buffer;
}

char *ct_time_format(int64_t unix_ns, char buffer[static CT_TIME_TEXT])
{
    char *end = strchr(ct_time_format_fixed(unix_ns, buffer), 'Z');

    while (end[-1] == '0') {
        end--;
    }
    end -= end[-1] == '.';
    (void)strcpy(end, "Z");
    return buffer;
}

/* ".5" -> 500000000; text stands behind the point. Digits past the ninth are read and dropped. */
static int64_t parse_fraction(const char **text)
{
    int64_t value = 0, unit = NS_PER_S;
    while (isdigit((unsigned char)**text)) {
        unit /= 10;
        value += (**text - '0') * unit;
        (*text)++;
    }
    return value;
}

/* "+02:00", "Z" -> seconds east of UTC. */
static bool parse_zone(const char *text, int64_t *ret_seconds)
{
    unsigned hours = 0, minutes = 0;
    char sign = 0, end = 0;

    if (strcasecmp(text, "Z") == 0) {
        *ret_seconds = 0;
        return true;
    }
    if (sscanf(text, "%c%2u:%2u%c", &sign, &hours, &minutes, &end) != 3 ||
        (sign != '+' && sign != '-') || hours > 23 || minutes > 59) {
        return false;
    }
    *ret_seconds = (sign == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
    return true;
}

static bool in_range_ns(int64_t seconds)
{
    return seconds > -9000000000LL && seconds < 9000000000LL;
}

/* RFC 3339; the time may be cut to a date or to minutes, as Docker's clients allow; then it is UTC.
 */
static bool parse_rfc3339(const char *text, int64_t *ret)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm utc = {.tm_mday = 1};
        const char *rest = strptime(text, formats[i], &utc);
        int64_t fraction = 0, zone = 0;
        if (!rest) {
            continue;
        }
        if (*rest == '.') {
            rest++;
            fraction = parse_fraction(&rest);
        }
        if (*rest && !parse_zone(rest, &zone)) {
            continue;
        }
        int64_t seconds = (int64_t)timegm(&utc) - zone;
        if (seconds < -9000000000LL) { /* Go's zero time, the year 1: "never" */
            *ret = 0;
            return true;
        }
        if (!in_range_ns(seconds)) {
            return false;
        }
        *ret = seconds * NS_PER_S + fraction;
        return true;
    }
    return false;
}

int ct_time_parse(const char *text, int64_t *ret_unix_ns, struct ct_error *err)
{
    char *end = NULL;
    long long seconds = strtoll(text, &end, 10);
    const char *rest = end;
    int64_t fraction = 0, ago = 0;
    struct ct_error not_a_duration = {0};

    if (rest != text && *rest == '.') {
        rest++;
        fraction = parse_fraction(&rest);
    }
    if (rest != text && !*rest && in_range_ns(seconds)) {
        *ret_unix_ns = seconds * NS_PER_S + fraction;
        return 0;
    }
    if (parse_rfc3339(text, ret_unix_ns)) {
        return 0;
    }
    if (ct_duration_parse(text, &ago, &not_a_duration) == 0) {
        *ret_unix_ns = ct_now_ns() - ago;
        return 0;
    }
    return ct_refuse(err, CT_INVALID,
                     "invalid time '%.60s': it is not RFC 3339, seconds, or a duration", text);
}

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {{"ns", 1},       {"us", 1000},           {"µs", 1000},
                      {"ms", 1000000}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S},
                      {"s", NS_PER_S}};

static int64_t duration_unit(const char **text)
{
    for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
        size_t length = strlen(duration_units[i].name);
        if (strncmp(*text, duration_units[i].name, length) == 0) {
            *text += length;
            return duration_units[i].ns;
        }
    }
    return 0;
}

/* One "1.5h" of a duration, added to *total. False: not a duration, or too long. */
static bool add_term(const char **text, int64_t *total)
{
    int64_t whole = 0, fraction = 0, term = 0;
    const char *start = *text;

    while (isdigit((unsigned char)**text)) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, **text - '0', &whole)) {
            return false;
        }
        (*text)++;
    }
    if (**text == '.') {
        (*text)++;
        fraction = parse_fraction(text);
    }
    bool digits = *text != start && !(*text == start + 1 && *start == '.');
    int64_t unit = digits ? duration_unit(text) : 0;
    double part = (double)fraction / (double)NS_PER_S * (double)unit;
    return unit > 0 && !__builtin_mul_overflow(whole, unit, &term) &&
           !__builtin_add_overflow(*total, term, total) &&
           !__builtin_add_overflow(*total, (int64_t)part, total);
}

int ct_duration_parse(const char *text, int64_t *ret_ns, struct ct_error *err)
{
    const char *rest = text + (*text == '-' || *text == '+');
    int64_t total = 0;
    bool valid = *rest != '\0';

    if (strcmp(rest, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    while (valid && *rest) {
        valid = add_term(&rest, &total);
    }
    if (!valid) {
        (void)ct_refuse(err, CT_INVALID, "invalid duration '%.60s'", text);
        return ct_hint(err, "write it as 1h30m, 10s or 500ms");
    }
    *ret_ns = *text == '-' ? -total : total;
    return 0;
}

char *ct_duration_human(int64_t ns, char buffer[static CT_TIME_TEXT])
{
    int64_t seconds = ns / NS_PER_S;
    int64_t minutes = seconds / 60;
    int64_t hours = (minutes + 30) / 60; /* go-units rounds hours */
    const char *fixed = NULL;

    if (seconds < 1) {
        fixed = "Less than a second";
    } else if (seconds == 1) {
        fixed = "1 second";
    } else if (minutes == 1) {
        fixed = "About a minute";
    } else if (minutes >= 60 && hours == 1) {
        fixed = "About an hour";
    }
    if (fixed) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%s", fixed);
    } else if (seconds < 60) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld seconds", (long long)seconds);
    } else if (minutes < 60) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld minutes", (long long)minutes);
    } else if (hours < 48) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld hours", (long long)hours);
    } else if (hours < 24 * 7 * 2) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld days", (long long)(hours / 24));
    } else if (hours < 24 * 30 * 2) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld weeks", (long long)(hours / 24 / 7));
    } else if (hours < 24 * 365 * 2) {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld months", (long long)(hours / 24 / 30));
    } else {
        (void)snprintf(buffer, CT_TIME_TEXT, "%lld years", (long long)(hours / 24 / 365));
    }
    return buffer;
}

int ct_size_parse(const char *text, int64_t *ret_bytes, struct ct_error *err)
{
    static const char suffixes[] = "bkmgtp";
    char *end = NULL;
    bool number = isdigit((unsigned char)*text) || *text == '.';
    double value = number ? strtod(text, &end) : 0;
    const char *rest = number ? end : text;
    int power = 0;

    while (*rest == ' ') {
        rest++;
    }
    if (*rest) {
        const char *suffix = strchr(suffixes, tolower((unsigned char)*rest));
        power = suffix ? (int)(suffix - suffixes) : -1;
        rest++;
        rest += power > 0 && (*rest == 'i' || *rest == 'I');
        rest += power > 0 && (*rest == 'b' || *rest == 'B');
    }
    double bytes = ldexp(value, 10 * (power > 0 ? power : 0));
    bool hexadecimal = number && (text[1] == 'x' || text[1] == 'X');
    if (!number || hexadecimal || power < 0 || *rest || !(bytes >= 0) || bytes >= 9.2e18) {
        (void)ct_refuse(err, CT_INVALID, "invalid size: '%.60s'", text);
        return ct_hint(err, "write it as 512m, 1.5g or 1048576");
    }
    *ret_bytes = (int64_t)bytes;
    return 0;
}

static char *format_size(double value, double base, const char *const *units, int significant,
                         char buffer[static CT_TIME_TEXT])
{
    size_t i = 0;
    while (value >= base && units[i + 1]) {
        value /= base;
        i++;
    }
    (void)snprintf(buffer, CT_TIME_TEXT, "%.*g%s", significant, value, units[i]);
    return buffer;
}

char *ct_size_human(int64_t bytes, int significant, char buffer[static CT_TIME_TEXT])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", NULL};
    return format_size((double)bytes, 1000.0, units, significant, buffer);
}

char *ct_size_binary(int64_t bytes, char buffer[static CT_TIME_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", NULL};
    return format_size((double)bytes, 1024.0, units, 4, buffer);
}
