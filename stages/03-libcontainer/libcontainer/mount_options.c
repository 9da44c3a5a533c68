/*
 * mount_options.c - the words of mount(8), as mount_setattr(2) understands them.
 *
 * Room:       libcontainer.   Called by: mount_parse.c, rootfs.c; features.c lists them.
 * Spec:       config.md, "Linux mount options" (the table there).
 * Man:        mount_setattr(2), mount(8).
 *
 * One table. What is a matter of the mount itself is an attribute; what is a matter of the file
 * system ("sync", "size=64m") is handed to it, as are words that the table does not have.
 */
#define CT_LAYER "config"
#include "mounting.h"

#include <string.h>
#include <sys/mount.h>

enum kind {
    NOTHING,     /* what is so anyway */
    ATTRIBUTE,   /* of this mount */
    ATTRIBUTE_R, /* of it and all below */
    PROPAGATION,
    BIND,
    BIND_R,
    COPY_UP,
    IDMAP,
    IDMAP_R,
    REFUSED
};

#define ATIME MOUNT_ATTR__ATIME

static const struct word {
    const char *name;
    enum kind kind;
    uint64_t set, clear;
} words[] = {
    {"atime", ATTRIBUTE, MOUNT_ATTR_RELATIME, ATIME},
    {"bind", BIND, 0, 0},
    {"defaults", NOTHING, 0, 0},
    {"dev", ATTRIBUTE, 0, MOUNT_ATTR_NODEV},
    {"diratime", ATTRIBUTE, 0, MOUNT_ATTR_NODIRATIME},
    {"exec", ATTRIBUTE, 0, MOUNT_ATTR_NOEXEC},
    {"idmap", IDMAP, 0, 0},
    {"loud", NOTHING, 0, 0},
    {"move", REFUSED, 0, 0},
    {"noatime", ATTRIBUTE, MOUNT_ATTR_NOATIME, ATIME},
    {"nodev", ATTRIBUTE, MOUNT_ATTR_NODEV, 0},
    {"nodiratime", ATTRIBUTE, MOUNT_ATTR_NODIRATIME, 0},
    {"noexec", ATTRIBUTE, MOUNT_ATTR_NOEXEC, 0},
    {"norelatime", ATTRIBUTE, MOUNT_ATTR_STRICTATIME, ATIME},
    {"nostrictatime", ATTRIBUTE, MOUNT_ATTR_RELATIME, ATIME},
    {"nosuid", ATTRIBUTE, MOUNT_ATTR_NOSUID, 0},
    {"nosymfollow", ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"private", PROPAGATION, MS_PRIVATE, 0},
    {"ratime", ATTRIBUTE_R, MOUNT_ATTR_RELATIME, ATIME},
    {"rbind", BIND_R, 0, 0},
    {"rdev", ATTRIBUTE_R, 0, MOUNT_ATTR_NODEV},
    {"rdiratime", ATTRIBUTE_R, 0, MOUNT_ATTR_NODIRATIME},
    {"relatime", ATTRIBUTE, MOUNT_ATTR_RELATIME, ATIME},
    {"remount", REFUSED, 0, 0},
    {"rexec", ATTRIBUTE_R, 0, MOUNT_ATTR_NOEXEC},
    {"ridmap", IDMAP_R, 0, 0},
    {"rnoatime", ATTRIBUTE_R, MOUNT_ATTR_NOATIME, ATIME},
    {"rnodev", ATTRIBUTE_R, MOUNT_ATTR_NODEV, 0},
    {"rnodiratime", ATTRIBUTE_R, MOUNT_ATTR_NODIRATIME, 0},
    {"rnoexec", ATTRIBUTE_R, MOUNT_ATTR_NOEXEC, 0},
    {"rnorelatime", ATTRIBUTE_R, MOUNT_ATTR_STRICTATIME, ATIME},
    {"rnostrictatime", ATTRIBUTE_R, MOUNT_ATTR_RELATIME, ATIME},
    {"rnosuid", ATTRIBUTE_R, MOUNT_ATTR_NOSUID, 0},
    {"rnosymfollow", ATTRIBUTE_R, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"ro", ATTRIBUTE, MOUNT_ATTR_RDONLY, 0},
    {"rprivate", PROPAGATION, MS_PRIVATE | MS_REC, 0},
    {"rrelatime", ATTRIBUTE_R, MOUNT_ATTR_RELATIME, ATIME},
    {"rro", ATTRIBUTE_R, MOUNT_ATTR_RDONLY, 0},
    {"rrw", ATTRIBUTE_R, 0, MOUNT_ATTR_RDONLY},
    {"rshared", PROPAGATION, MS_SHARED | MS_REC, 0},
    {"rslave", PROPAGATION, MS_SLAVE | MS_REC, 0},
    {"rstrictatime", ATTRIBUTE_R, MOUNT_ATTR_STRICTATIME, ATIME},
    {"rsuid", ATTRIBUTE_R, 0, MOUNT_ATTR_NOSUID},
    {"rsymfollow", ATTRIBUTE_R, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"runbindable", PROPAGATION, MS_UNBINDABLE | MS_REC, 0},
    {"rw", ATTRIBUTE, 0, MOUNT_ATTR_RDONLY},
    {"shared", PROPAGATION, MS_SHARED, 0},
    {"silent", NOTHING, 0, 0},
    {"slave", PROPAGATION, MS_SLAVE, 0},
    {"strictatime", ATTRIBUTE, MOUNT_ATTR_STRICTATIME, ATIME},
    {"suid", ATTRIBUTE, 0, MOUNT_ATTR_NOSUID},
    {"symfollow", ATTRIBUTE, 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"tmpcopyup", COPY_UP, 0, 0},
    {"unbindable", PROPAGATION, MS_UNBINDABLE, 0},
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static const struct word *find(const char *name)
{
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(words[i].name, name) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* A later word takes back what an earlier one said: "ro", then "rw". */
static void change(uint64_t *set, uint64_t *clear, const struct word *word)
{
    *set = (*set & ~word->clear) | word->set;
    *clear = (*clear & ~word->set) | word->clear;
}

static int take(const struct word *word, const char *where, struct lc_mount_attributes *ret,
                struct ct_error *err)
{
    switch (word->kind) {
    case NOTHING:
        break;
    case ATTRIBUTE:
        change(&ret->set, &ret->clear, word);
        break;
    case ATTRIBUTE_R:
        change(&ret->set_all, &ret->clear_all, word);
        break;
    case PROPAGATION:
        ret->propagation = (long)word->set;
        break;
    case BIND_R:
        ret->recursive = true;
        ret->bind = true;
        break;
    case BIND:
        ret->bind = true;
        break;
    case COPY_UP:
        ret->copy_up = true;
        break;
    case IDMAP_R:
        ret->idmap_all = true;
        ret->idmap = true;
        break;
    case IDMAP:
        ret->idmap = true;
        break;
    case REFUSED:
        return ct_refuse(err, CT_INVALID, "%s.options: '%s' makes no sense in a new container",
                         where, word->name);
    }
    return 0;
}

int lc_mount_options_parse(const char *const *options, const char *where, struct pool *pool,
                           struct lc_mount_attributes *ret, struct ct_error *err)
{
    size_t n = 0;

    *ret = (struct lc_mount_attributes){0};
    while (options && options[n]) {
        n++;
    }
    const char **data = pool_array(pool, n + 1, sizeof(*data));
    for (size_t i = 0; i < n; i++) {
        const struct word *word = find(options[i]);
        if (!word) {
            data[ret->n_data++] = options[i];
        } else if (take(word, where, ret, err) < 0) {
            return -1;
        }
    }
    ret->data = data;
    return 0;
}

long lc_propagation_of(const char *name)
{
    const struct word *word = find(name);
    return word && word->kind == PROPAGATION ? (long)word->set : -1;
}

json_t *lc_mount_option_names(void)
{
    json_t *names = json_array();

    for (size_t i = 0; i < WORDS; i++) {
        if (words[i].kind != REFUSED) {
            (void)json_array_append_new(names, json_string(words[i].name));
        }
    }
    return names;
}
