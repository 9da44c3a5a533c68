/*
 * cgroups_internal.h - what the files behind cgroups.h share.
 *
 * Room:       libcontainer, inside cgroups.h.
 * Called by:  cgroup*.c.
 *
 *   cgroups.c            the door: which groups a container has, making and entering them
 *   cgroup_layout.c      which hierarchies the machine has
 *   cgroup_files.c       reading and writing the files of a group
 *   cgroup_tree.c        making and removing groups
 *   cgroup_settings.c    a list of values to write, and writing it
 *   cgroup_v1_settings.c, cgroup_v2_settings.c   which values those are
 *   cgroup_v1.c, cgroup_v2.c                     what else differs between the versions
 *   cgroup_devices.c     rules of devices; cgroup_filter.c: as a BPF program
 *   cgroup_inside.c      for containers that have groups of their own inside
 *   cgroup_processes.c   listing, freezing, signalling, killing
 *   cgroup_stats.c       figures; cgroup_stats_devices.c: those by device
 */
#ifndef LC_CGROUPS_INTERNAL_H
#define LC_CGROUPS_INTERNAL_H

#include "cgroups.h"

#include <stddef.h>

struct bpf_insn;

/* ---- the machine (cgroup_layout.c) ---------------------------------------------------------- */

#define LC_HIERARCHIES_MAX 24

struct lc_hierarchy {
    bool v2;
    char *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" */
    char *mount_point; /* "/sys/fs/cgroup/cpu,cpuacct" */
    char *root;        /* which part of the hierarchy is mounted there: "/" is all; NULL: unknown */
};
struct lc_machine {
    enum lc_cgroup_layout layout;
    struct lc_hierarchy list[LC_HIERARCHIES_MAX];
    size_t n;
};

/* Looked up once; lent. with_roots: the roots are asked for, too. CT_UNSUPPORTED: no cgroups. */
const struct lc_machine *lc_machine_get(bool with_roots, struct ct_error *err);

/* From the text of /proc/self/mountinfo, which is cut up. False: there is no hierarchy. */
bool lc_machine_parse(char *mountinfo, struct lc_machine *ret);
void lc_machine_done(struct lc_machine *machine);

/* Where a process stands in this hierarchy, from the text of its /proc/PID/cgroup: the path below
 * the mount point, without a '/' at its begin. Owned; NULL: it cannot be seen from here. */
char *lc_membership(const struct lc_hierarchy *hierarchy, const char *proc_cgroup);

/* Whether one of "cpu,cpuacct" is this controller. */
bool lc_has_word(const char *list, const char *word, const char *separators);

/* ---- a container's groups ------------------------------------------------------------------- */

/* The group in one hierarchy. */
struct lc_group {
    bool v2;
    char *controllers; /* as the hierarchy's */
    char *mount_point;
    char *path;   /* of the container's group below it: "docker/web" */
    int mount_fd; /* of the mount point, checked to be a cgroup file system; -1: not opened yet */
    int dir_fd;   /* of the group itself (lc_cgroup_fd()); -1: not opened yet */
    size_t made;  /* how many of the path's last components lc_group_make() made */
};

struct lc_cgroup {
    enum lc_cgroup_layout layout;
    bool rootless;
    struct lc_group *groups; /* owned */
    size_t n;
    char why_not[160]; /* v2: why a controller could not be switched on, or "" */
};

/* The group of a v1 controller or of name=systemd; of any controller on v2. NULL: none. */
struct lc_group *lc_cgroup_of(const struct lc_cgroup *cgroup, const char *controller);
/* The one in the v2 hierarchy, on v2 and hybrid. NULL: none. */
struct lc_group *lc_cgroup_unified(const struct lc_cgroup *cgroup);
/* The one in which processes are looked for. NULL: the container has no groups. */
struct lc_group *lc_cgroup_listing(const struct lc_cgroup *cgroup);
void lc_group_done(struct lc_group *group);

/* ---- files (cgroup_files.c) ----------------------------------------------------------------- */

/* The hierarchy's own descriptor. Borrowed; CT_UNSUPPORTED when something else is mounted there. */
int lc_group_mount(struct lc_group *group, struct ct_error *err);

/* Opens a file of the group at path below the mount point (group->path, or one of those above or
 * below). file "": the group itself. */
int lc_group_open(struct lc_group *group, const char *path, const char *file, int flags,
                  struct ct_error *err);
/* The whole text. Owned; NULL on failure. */
char *lc_group_read(struct lc_group *group, const char *path, const char *file,
                    struct ct_error *err);
/* One write(2). A group or process that is gone is CT_NOT_FOUND. */
int lc_group_write(struct lc_group *group, const char *path, const char *file, const char *text,
                   struct ct_error *err);

/* The number in a file of the container's group ("max": UINT64_MAX); false: there is none. */
bool lc_group_number(struct lc_group *group, const char *file, uint64_t *ret);
/* The number behind "key " at the begin of a line of text. */
bool lc_text_number(const char *text, const char *key, uint64_t *ret);

/* ---- the tree (cgroup_tree.c) --------------------------------------------------------------- */

/* Makes the group and those above it. One that is there and has processes: CT_EXISTS. */
int lc_group_make(struct lc_group *group, struct ct_error *err);
/* Removes what lc_group_make() made. Best effort. */
void lc_group_unmake(struct lc_group *group);
/* Removes the group and all below. Returns 0 (also: it was gone), or -1 with errno; EBUSY: there
 * are processes. */
int lc_group_remove(struct lc_group *group);

/* ---- settings (cgroup_settings.c) ----------------------------------------------------------- */

struct lc_setting {
    const char *field;      /* below linux.resources, for messages: "memory.limit" */
    const char *controller; /* "memory" */
    const char *file, *value;
    const char *other_file, *other_value; /* where the kernel does not have file; NULL: none */
    bool may_lack;                        /* nothing is lost where the kernel does not have file */
    bool is_written;
};
struct lc_settings {
    struct lc_setting *list;
    size_t n, room;
    struct pool pool; /* of the texts */
};

/* Adds one; its value is printed. The result is lent until the next call. */
struct lc_setting *lc_settings_add(struct lc_settings *settings, const char *field,
                                   const char *controller, const char *file, const char *format,
                                   ...) __attribute__((format(printf, 5, 6)));
/* The same for a number of which -1 is "no limit", written as none. */
struct lc_setting *lc_settings_limit(struct lc_settings *settings, const char *field,
                                     const char *controller, const char *file, int64_t value,
                                     const char *none);
/* A text that lives as long as the settings. */
const char *lc_settings_text(struct lc_settings *settings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The two that both versions have; file: the last part of the files' names. */
void lc_settings_add_hugepages(struct lc_settings *settings, const json_t *hugepages,
                               const char *file);
void lc_settings_add_rdma(struct lc_settings *settings, const json_t *rdma);
/* A number of the document as text ("limit", UINT64_MAX too). Lent as above. */
const char *lc_settings_count(struct lc_settings *settings, const json_t *object, const char *key);

int lc_settings_apply(const struct lc_cgroup *cgroup, struct lc_settings *settings,
                      struct ct_error *err);
void lc_settings_done(struct lc_settings *settings);

/* "use linux.resources.FIELD: why" (CT_UNSUPPORTED). */
int lc_settings_refuse(const char *field, const char *why, struct ct_error *err);
/* The two of memory that neither version can. */
int lc_settings_refuse_memory(const struct lc_resources *resources, struct ct_error *err);

/* ---- the versions --------------------------------------------------------------------------- */

int lc_v1_settings(const struct lc_resources *resources, struct lc_settings *ret,
                   struct ct_error *err);
/* A group of cpuset can have no process before it has processors and memory nodes. */
int lc_v1_fill_cpuset(struct lc_group *group, struct ct_error *err);
int lc_v1_freeze(struct lc_group *freezer, bool frozen, struct ct_error *err);
bool lc_v1_is_frozen(struct lc_group *freezer);

/* group: for values that depend on those that are there; NULL: the container has none. */
int lc_v2_settings(struct lc_group *group, const struct lc_resources *resources,
                   struct lc_settings *ret, struct ct_error *err);
/* Switches all controllers on along the path. What could not be is told in cgroup->why_not. */
int lc_v2_enable(struct lc_cgroup *cgroup, struct lc_group *group, struct ct_error *err);
int lc_v2_freeze(struct lc_group *group, bool frozen, struct ct_error *err);
bool lc_v2_is_frozen(struct lc_group *group);
/* Waits until no process is in it or below. CT_TIMEOUT. */
int lc_v2_wait_empty(struct lc_group *group, int timeout_ms, struct ct_error *err);

/* The weights of v2 from the values of v1. */
uint64_t lc_v2_cpu_weight(int64_t shares);
uint64_t lc_v2_io_weight(int64_t weight);

/* ---- devices (cgroup_devices.c, cgroup_filter.c) -------------------------------------------- */

int lc_devices_set(const struct lc_cgroup *cgroup, const struct lc_resources *resources,
                   struct ct_error *err);

/* What v1 can say: all is allowed or denied, but for a list. */
struct lc_device_list {
    bool allow; /* what is not in the list */
    struct lc_device_rule *rules;
    size_t n;
};
/* CT_UNSUPPORTED: rules that v1 cannot say. rules of *ret is owned. */
int lc_device_list_make(const struct lc_device_rule *rules, size_t n, struct lc_device_list *ret,
                        struct ct_error *err);

/* Assembles the filter. Owned; *ret_n instructions. */
struct bpf_insn *lc_filter_assemble(const struct lc_device_rule *rules, size_t n, size_t *ret_n);
/* Makes it the one filter of the group. is_new: it has none yet. */
int lc_filter_attach(int group_fd, const struct lc_device_rule *rules, size_t n, bool is_new,
                     struct ct_error *err);

/* ---- processes (cgroup_processes.c) --------------------------------------------------------- */

/* Of one group and all below. Owned array; a group that is gone: 0. */
ssize_t lc_group_pids(struct lc_group *group, pid_t **ret, struct ct_error *err);

/* A pause where the kernel has no event to wait for; longer each time, 16 ms at most. */
void lc_group_pause(unsigned round);

/* ---- figures (cgroup_stats.c, cgroup_stats_devices.c) --------------------------------------- */

/* Gives list to object, or frees it when it is empty. */
void lc_stats_set_list(json_t *object, const char *key, json_t *list);
/* Adds "psi" from a file such as cpu.pressure; group NULL or no such file: nothing. */
void lc_stats_add_pressure(json_t *object, struct lc_group *group, const char *file);
/* Adds "blkio", "hugetlb" and "rdma". */
void lc_stats_add_devices(json_t *stats, const struct lc_cgroup *cgroup);

#endif
