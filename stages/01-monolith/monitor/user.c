/*
 * user.c - looks users and groups up in the container's files, which may be anything.
 *
 * Room:       monitor.   Called by: spec.c.
 * Man:        passwd(5), group(5). getpwnam(3) would read the host's files, or load the
 *             container's NSS libraries into us (CVE-2019-14271).
 */
#define CT_LAYER "user"
#include "user.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_MAX         2147483647L /* what Docker and runc accept */
#define FILE_MAX_BYTES (16 << 20)
#define LINE_MAX_BYTES 65536 /* a group's members stand on one line; a longer one is skipped */
#define GROUPS_MAX     1024
#define FIELDS_MAX     7

/* Decimal digits only, and in range; -1 for anything else. */
static long parse_id(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length) {
        return -1;
    }
    long id = strtol(text, NULL, 10);
    return id <= ID_MAX ? id : -1;
}

static int check_part(const char *part, const char *what, struct ct_error *err)
{
    size_t length = strlen(part);
    /* What looks like a number, a sign included, must be one that is in range. */
    const char *digits = part + (part[0] == '-' || part[0] == '+');
    bool numeric = *digits && strspn(digits, "0123456789") == strlen(digits);

    if (length > 256) {
        return ct_refuse(err, CT_INVALID, "use %s '%.32s…': it is longer than 256 bytes", what,
                         part);
    }
    for (const char *c = part; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 127) {
            return ct_refuse(err, CT_INVALID, "use %s '%s': it has spaces or control characters",
                             what, part);
        }
    }
    if (numeric && parse_id(part) < 0) {
        return ct_refuse(err, CT_INVALID, "use %s '%s': ids must be in range 0-%ld", what, part,
                         ID_MAX);
    }
    return 0;
}

/* Splits "user:group"; group is NULL when there is no ':'. Both owned. */
static int split(const char *text, char **ret_user, char **ret_group, struct ct_error *err)
{
    const char *colon = strchr(text, ':');
    CT_AUTO_FREE char *user = colon ? strndup(text, (size_t)(colon - text)) : ct_strdup(text);
    CT_AUTO_FREE char *group = colon ? ct_strdup(colon + 1) : NULL;

    if (group && strchr(group, ':')) {
        return ct_refuse(err, CT_INVALID, "use user '%.64s': more than one ':'", text);
    }
    if (!user || check_part(user, "user", err) < 0 ||
        (group && check_part(group, "group", err) < 0)) {
        return -1;
    }
    *ret_user = ct_steal(user);
    *ret_group = ct_steal(group);
    return 0;
}

int user_check(const char *text, struct ct_error *err)
{
    CT_AUTO_FREE char *user = NULL;
    CT_AUTO_FREE char *group = NULL;
    return split(text, &user, &group, err);
}

/* Returns a stream, or NULL: without err when the file is missing, which is allowed. */
static FILE *open_table(int rootfs_fd, const char *path, struct ct_error *err)
{
    struct ct_error failure = {0};
    struct stat status;
    /* Without O_NONBLOCK a FIFO of that name would hold us for ever. */
    CT_AUTO_CLOSE int fd =
        ct_root_openat(rootfs_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &failure);

    if (fd < 0) {
        if (failure.kind != CT_NOT_FOUND && failure.sys != ENOTDIR) {
            *err = failure;
        }
        return NULL;
    }
    if (fstat(fd, &status) < 0) {
        return ct_fail_null(err, errno, "look at '%s' of the container", path);
    }
    if (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX_BYTES) {
        return ct_refuse_null(
            err, CT_INVALID, "read '%s' of the container: no regular file of at most 16 MiB", path);
    }
    FILE *stream = fdopen(fd, "r");
    if (!stream) {
        return ct_fail_null(err, errno, "read '%s' of the container", path);
    }
    fd = -1; /* the stream's now */
    return stream;
}

/* Cuts a line at its colons. Returns the number of fields. */
static size_t cut(char *line, char *fields[static FIELDS_MAX])
{
    size_t n = 0;
    char *rest = line;

    while (rest && n < FIELDS_MAX) {
        fields[n++] = strsep(&rest, ":");
    }
    return n;
}

/* The next line without its newline; longer ones are skipped. NULL at the end. */
static char *next_line(FILE *table, char line[static LINE_MAX_BYTES])
{
    bool skipping = false;

    while (fgets(line, LINE_MAX_BYTES, table)) {
        char *end = strchr(line, '\n');
        if (end && !skipping) {
            *end = '\0';
            return line;
        }
        if (!end && feof(table) && !skipping) {
            return line;
        }
        skipping = !end;
    }
    return NULL;
}

/* The first entry that fits: by number when wanted is one, else by name. True when found. */
static bool find_user(FILE *table, const char *wanted, long wanted_id, struct user *ret,
                      char **ret_name)
{
    CT_AUTO_FREE char *line = malloc(LINE_MAX_BYTES);
    char *field[FIELDS_MAX];

    while (line && next_line(table, line)) {
        size_t n = cut(line, field);
        long uid = n > 3 ? parse_id(field[2]) : -1;
        long gid = n > 3 ? parse_id(field[3]) : -1;
        if (uid < 0 || gid < 0 || !*field[0]) {
            continue;
        }
        if (wanted_id >= 0 ? uid == wanted_id : strcmp(field[0], wanted) == 0) {
            ret->uid = (uid_t)uid;
            ret->gid = (gid_t)gid;
            if (n > 5 && field[5][0] == '/') {
                free(ret->home);
                ret->home = ct_strdup(field[5]);
            }
            *ret_name = ct_strdup(field[0]);
            return true;
        }
    }
    return false;
}

static int resolve_uid(int rootfs_fd, const char *wanted, struct user *ret, char **ret_name,
                       struct ct_error *err)
{
    long id = *wanted ? parse_id(wanted) : 0;
    CT_AUTO_FILE FILE *table = open_table(rootfs_fd, "/etc/passwd", err);

    if (!table && err->kind) {
        return -1;
    }
    if (table && find_user(table, wanted, id, ret, ret_name)) {
        return 0;
    }
    if (id < 0) {
        return ct_refuse(err, CT_CANNOT_RUN,
                         "unable to find user %s: no matching entries in passwd file", wanted);
    }
    ret->uid = (uid_t)id;
    return 0;
}

static bool lists_member(char *members, const char *name)
{
    char *rest = members;
    for (char *member; (member = strsep(&rest, ","));) {
        if (strcmp(member, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_group(struct user *user, gid_t gid)
{
    for (size_t i = 0; i < user->n_groups; i++) {
        if (user->groups[i] == gid) {
            return;
        }
    }
    if (user->n_groups < GROUPS_MAX) {
        user->groups[user->n_groups++] = gid;
    }
}

/* The number of a group by name or number; -1 with CT_CANNOT_RUN. */
static long find_group(int rootfs_fd, const char *wanted, struct ct_error *err)
{
    long id = parse_id(wanted);
    CT_AUTO_FREE char *line = malloc(LINE_MAX_BYTES);
    CT_AUTO_FILE FILE *table = id < 0 ? open_table(rootfs_fd, "/etc/group", err) : NULL;
    char *field[FIELDS_MAX];

    if (err->kind) {
        return -1;
    }
    while (id < 0 && table && line && next_line(table, line)) {
        if (cut(line, field) > 2 && strcmp(field[0], wanted) == 0) {
            id = parse_id(field[2]);
        }
    }
    if (id < 0) {
        (void)ct_refuse(err, CT_CANNOT_RUN,
                        "unable to find group %s: no matching entries in group file", wanted);
    }
    return id;
}

/* The groups whose member lists name the user. */
static int add_memberships(int rootfs_fd, const char *name, struct user *user, struct ct_error *err)
{
    CT_AUTO_FREE char *line = malloc(LINE_MAX_BYTES);
    CT_AUTO_FILE FILE *table = open_table(rootfs_fd, "/etc/group", err);
    char *field[FIELDS_MAX];

    while (table && line && next_line(table, line)) {
        long gid = cut(line, field) > 3 ? parse_id(field[2]) : -1;
        if (gid >= 0 && lists_member(field[3], name)) {
            add_group(user, (gid_t)gid);
        }
    }
    return err->kind ? -1 : 0;
}

static int add_wanted_groups(int rootfs_fd, const json_t *group_add, struct user *user,
                             struct ct_error *err)
{
    size_t i;
    json_t *wanted;

    json_array_foreach((json_t *)group_add, i, wanted)
    {
        const char *text = json_string_value(wanted);
        if (!text || check_part(text, "group", err) < 0) {
            return text ? -1 : ct_refuse(err, CT_INVALID, "use a group: it is not a string");
        }
        long gid = find_group(rootfs_fd, text, err);
        if (gid < 0) {
            return -1;
        }
        add_group(user, (gid_t)gid);
    }
    return 0;
}

static int resolve_groups(int rootfs_fd, const char *group, const char *name, struct user *user,
                          struct ct_error *err)
{
    long gid = group && *group ? find_group(rootfs_fd, group, err) : (long)user->gid;

    if (gid < 0) {
        return -1;
    }
    user->gid = (gid_t)gid;
    add_group(user, user->gid); /* without it a group's prohibitions are escaped: CVE-2023-25173 */
    return (!group || !*group) && name ? add_memberships(rootfs_fd, name, user, err) : 0;
}

int user_resolve(int rootfs_fd, const char *text, const json_t *group_add, struct user *ret,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *wanted = NULL;
    CT_AUTO_FREE char *group = NULL;
    CT_AUTO_FREE char *name = NULL;

    *ret = (struct user){.home = ct_strdup("/"), .groups = calloc(GROUPS_MAX, sizeof(gid_t))};
    if (!ret->groups) {
        user_done(ret);
        return ct_fail(err, ENOMEM, "look up user '%.64s'", text);
    }
    if (split(text, &wanted, &group, err) < 0 ||
        resolve_uid(rootfs_fd, wanted, ret, &name, err) < 0 ||
        resolve_groups(rootfs_fd, group, name, ret, err) < 0 ||
        add_wanted_groups(rootfs_fd, group_add, ret, err) < 0) {
        user_done(ret);
        return -1;
    }
    return 0;
}

void user_done(struct user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct user){0};
}
