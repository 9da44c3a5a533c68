/*
 * cgroup_layout.c - which hierarchies of cgroups the machine has, and where they are mounted.
 *
 * Room:       libcontainer.   Called by: cgroups.c.
 * Man:        cgroups(7), proc(5) (mountinfo, cgroup).
 *
 * On a machine with v2 alone one statfs(2) answers that. Elsewhere /proc/self/mountinfo does, which
 * is read once for the life of the process, and only as far as needed: each running container has a
 * mount in it, and the kernel writes it line by line. The hierarchies come early.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#define USUAL_PLACE "/sys/fs/cgroup"
#define TABLE_MAX   (64u << 10) /* bytes of /proc/self/cgroup */

bool lc_has_word(const char *list, const char *word, const char *separators)
{
    size_t length = strlen(word);

    for (const char *at = list; *at; at += strspn(at, separators)) {
        size_t n = strcspn(at, separators);
        if (n == length && strncmp(at, word, length) == 0) {
            return true;
        }
        at += n;
    }
    return false;
}

/* ---- mountinfo ------------------------------------------------------------------------------ */

/* The kernel writes blanks, newlines and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* A v1 mount has its controllers among its super options, in the order of /proc/PID/cgroup. */
static char *controllers_of(char *options)
{
    static const char known[] = "cpuset,cpu,cpuacct,blkio,memory,devices,freezer,net_cls,"
                                "perf_event,net_prio,hugetlb,pids,rdma,misc,debug";
    char *list = ct_strdup("");
    char *position = NULL;

    for (char *o = strtok_r(options, ",", &position); o; o = strtok_r(NULL, ",", &position)) {
        if (lc_has_word(known, o, ",") || strncmp(o, "name=", 5) == 0) {
            char *longer = ct_printf("%s%s%s", list, *list ? "," : "", o);
            free(list);
            list = longer;
        }
    }
    return list;
}

static void hierarchy_done(struct lc_hierarchy *hierarchy)
{
    free(hierarchy->controllers);
    free(hierarchy->mount_point);
    free(hierarchy->root);
    *hierarchy = (struct lc_hierarchy){0};
}

/* A hierarchy may be mounted several times, as in the root of a container: the first mount counts,
 * but one that shows all comes before one that shows a part. */
static void add(struct lc_machine *machine, struct lc_hierarchy hierarchy)
{
    if (!hierarchy.v2 && !*hierarchy.controllers) {
        hierarchy_done(&hierarchy); /* none has neither controllers nor a name */
        return;
    }
    for (size_t i = 0; i < machine->n; i++) {
        struct lc_hierarchy *known = &machine->list[i];
        if (known->v2 != hierarchy.v2 || strcmp(known->controllers, hierarchy.controllers) != 0) {
            continue;
        }
        bool better = strcmp(known->root, "/") != 0 && strcmp(hierarchy.root, "/") == 0;
        hierarchy_done(better ? known : &hierarchy);
        if (better) {
            *known = hierarchy;
        }
        return;
    }
    if (machine->n == LC_HIERARCHIES_MAX) {
        hierarchy_done(&hierarchy);
        return;
    }
    machine->list[machine->n++] = hierarchy;
}

/* "36 35 98:0 /root /mount/point options [tags…] - cgroup source super,options" */
static void parse_line(char *line, struct lc_machine *machine)
{
    char *tail = strstr(line, " - cgroup"), *position = NULL, *field[5] = {NULL};

    if (!tail) {
        return;
    }
    *tail = '\0';
    tail += strlen(" - cgroup");
    bool v2 = tail[0] == '2';
    char *options = strrchr(tail, ' ');
    if (tail[v2] != ' ' || !options) {
        return; /* another file system whose name begins so */
    }
    for (size_t i = 0; i < 5; i++) {
        field[i] = strtok_r(i == 0 ? line : NULL, " ", &position);
    }
    if (!field[4]) {
        return;
    }
    unescape(field[3]);
    unescape(field[4]);
    add(machine,
        (struct lc_hierarchy){.v2 = v2,
                              .controllers = v2 ? ct_strdup("") : controllers_of(options + 1),
                              .root = ct_strdup(field[3]),
                              .mount_point = ct_strdup(field[4])});
}

/*
 * v1 is where a v1 hierarchy has a controller. systemd mounts one without, for itself, beside a v2
 * that has them all: that is v2, and the other hierarchy is none of ours.
 */
static void decide(struct lc_machine *machine)
{
    bool v1 = false, v2 = false;

    for (size_t i = 0; i < machine->n; i++) {
        const struct lc_hierarchy *hierarchy = &machine->list[i];
        v2 = v2 || hierarchy->v2;
        v1 = v1 || (!hierarchy->v2 && strncmp(hierarchy->controllers, "name=", 5) != 0);
    }
    machine->layout = !v2 ? LC_CGROUP_V1 : v1 ? LC_CGROUP_HYBRID : LC_CGROUP_V2;
    if (machine->layout != LC_CGROUP_V2) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < machine->n; i++) {
        if (machine->list[i].v2) {
            machine->list[kept++] = machine->list[i];
        } else {
            hierarchy_done(&machine->list[i]);
        }
    }
    machine->n = kept;
}

bool lc_machine_parse(char *mountinfo, struct lc_machine *ret)
{
    char *position = NULL;

    *ret = (struct lc_machine){0};
    for (char *line = strtok_r(mountinfo, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        parse_line(line, ret);
    }
    decide(ret);
    return ret->n > 0;
}

void lc_machine_done(struct lc_machine *machine)
{
    for (size_t i = 0; i < machine->n; i++) {
        hierarchy_done(&machine->list[i]);
    }
    machine->n = 0;
}

/* ---- once a process ------------------------------------------------------------------------- */

/* How many hierarchies there are: a line each. 0: not known. */
static size_t count_hierarchies(void)
{
    CT_AUTO_FREE char *text = NULL;
    struct ct_error ignored = {0};
    size_t n = 0;

    if (ct_read_file_at(AT_FDCWD, "/proc/self/cgroup", TABLE_MAX, &text, &ignored) < 0) {
        return 0;
    }
    for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n')) {
        n++;
    }
    return n;
}

/* No later line could say more: each hierarchy is there, and in full. */
static bool is_complete(const struct lc_machine *machine, size_t n)
{
    for (size_t i = 0; i < machine->n; i++) {
        if (strcmp(machine->list[i].root, "/") != 0) {
            return false;
        }
    }
    return n > 0 && machine->n >= n;
}

static int read_mountinfo(struct lc_machine *machine, struct ct_error *err)
{
    CT_AUTO_FILE FILE *table = fopen("/proc/self/mountinfo", "re");
    CT_AUTO_FREE char *line = NULL;
    size_t room = 0, n = count_hierarchies();

    if (!table) {
        return ct_fail(err, errno, "read the list of mounts");
    }
    lc_machine_done(machine);
    while (!is_complete(machine, n) && getline(&line, &room, table) > 0) {
        line[strcspn(line, "\n")] = '\0';
        parse_line(line, machine);
    }
    decide(machine);
    if (machine->n == 0) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "find the control groups: none are mounted");
        return ct_hint(err, "mount -t cgroup2 none " USUAL_PLACE);
    }
    return 0;
}

const struct lc_machine *lc_machine_get(bool with_roots, struct ct_error *err)
{
    static struct lc_machine machine;
    struct statfs fs;

    if (machine.n > 0 && (!with_roots || machine.list[0].root)) {
        return &machine;
    }
    if (!with_roots && statfs(USUAL_PLACE, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
        machine.layout = LC_CGROUP_V2;
        machine.list[0] = (struct lc_hierarchy){
            .v2 = true, .controllers = ct_strdup(""), .mount_point = ct_strdup(USUAL_PLACE)};
        machine.n = 1;
        return &machine;
    }
    return read_mountinfo(&machine, err) < 0 ? NULL : &machine;
}

int lc_cgroup_layout(enum lc_cgroup_layout *ret, struct ct_error *err)
{
    const struct lc_machine *machine = lc_machine_get(false, err);

    if (!machine) {
        return -1;
    }
    *ret = machine->layout;
    return 0;
}

/* ---- where a process stands ----------------------------------------------------------------- */

/* "4:memory:/a/b", or "0::/a/b" of v2. The path, lent; NULL: the line is of another hierarchy. */
static const char *path_in_line(const struct lc_hierarchy *hierarchy, const char *line)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path) {
        return NULL;
    }
    size_t length = (size_t)(path - controllers - 1);
    return length == strlen(hierarchy->controllers) &&
                   strncmp(controllers + 1, hierarchy->controllers, length) == 0
               ? path + 1
               : NULL;
}

char *lc_membership(const struct lc_hierarchy *hierarchy, const char *proc_cgroup)
{
    CT_AUTO_FREE char *copy = ct_strdup(proc_cgroup);
    const char *path = NULL;
    char *position = NULL;

    for (char *line = strtok_r(copy, "\n", &position); line && !path;
         line = strtok_r(NULL, "\n", &position)) {
        path = path_in_line(hierarchy, line);
    }
    /* "/../a" is outside of our cgroup namespace. */
    if (!path || !hierarchy->root || strncmp(path, "/..", 3) == 0) {
        return NULL;
    }
    size_t shown = strcmp(hierarchy->root, "/") == 0 ? 0 : strlen(hierarchy->root);
    if (strncmp(path, hierarchy->root, shown) != 0 || (path[shown] != '/' && path[shown] != '\0')) {
        return NULL;
    }
    path += shown;
    return ct_strdup(path + strspn(path, "/"));
}
