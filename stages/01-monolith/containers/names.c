/*
 * names.c - the names of containers: which are allowed, who has which, and two words for the rest.
 *
 * Room:       containers.   Called by: containers.c, lookup.c.
 *
 * DIR/names/<name> is a symlink whose text is the id; it points to nothing and nobody follows it.
 * symlink(2) fails when the name is there, which makes claiming atomic. A link counts only if
 * the record that it names bears the name, too: a crash may have left one that does not.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define NAME_MAX_BYTES 255 /* it is a file name */

int name_check(const char *name, struct ct_error *err)
{
    size_t length = strlen(name);

    if (length > NAME_MAX_BYTES) {
        return ct_refuse(err, CT_INVALID,
                         "invalid container name: %zu bytes, but at most %d are allowed", length,
                         NAME_MAX_BYTES);
    }
    if (length < 2 || !isalnum((unsigned char)name[0]) || !isascii(name[0]) ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") !=
            length) {
        return ct_refuse(
            err, CT_INVALID,
            "invalid container name '%.64s': only [a-zA-Z0-9][a-zA-Z0-9_.-]+ are allowed", name);
    }
    return 0;
}

/* The id that the link says; false when there is no such link, or it says nothing sensible. */
static bool read_link(const struct container_store *store, const char *name, char ret_id[static 65])
{
    char text[66];
    ssize_t length = readlinkat(store->names_fd, name, text, sizeof(text));

    if (length != 64) {
        return false;
    }
    text[64] = '\0';
    memcpy(ret_id, text, 65);
    return is_container_id(ret_id);
}

static bool bears_name(const struct container_store *store, const char *id, const char *name)
{
    struct ct_error missing = {0};
    CT_AUTO_FREE char *path = ct_printf("%s/config.json", id);
    CT_AUTO_JSON json_t *config = ct_json_load_at(store->dir_fd, path, &missing);
    const char *recorded = ct_json_string(config, "Name", "");

    /* A record that cannot be read keeps the name that points to it: better than to lose it. */
    return config ? strcmp(recorded[0] == '/' ? recorded + 1 : recorded, name) == 0
                  : missing.kind != CT_NOT_FOUND;
}

bool name_resolve(struct container_store *store, const char *name, char ret_id[static 65])
{
    return strlen(name) <= NAME_MAX_BYTES && !strchr(name, '/') && read_link(store, name, ret_id) &&
           bears_name(store, ret_id, name);
}

int name_claim(struct container_store *store, const char *name, const char *id,
               struct ct_error *err)
{
    char holder[65];

    if (symlinkat(id, store->names_fd, name) == 0) {
        return ct_sync_dir(store->names_fd, err);
    }
    if (errno != EEXIST) {
        return ct_fail(err, errno, "claim the name '%s'", name);
    }
    if (name_resolve(store, name, holder)) {
        (void)ct_refuse(err, CT_EXISTS, "name \"/%.100s\" is already in use by container \"%.12s\"",
                        name, holder);
        return ct_hint(err, "remove or rename that container, or choose another name");
    }
    /* A link of the dead: we hold the store's lock, so nobody is about to give it a record. */
    if (unlinkat(store->names_fd, name, 0) < 0 || symlinkat(id, store->names_fd, name) < 0) {
        return ct_fail(err, errno, "claim the name '%s'", name);
    }
    return ct_sync_dir(store->names_fd, err);
}

void name_release(struct container_store *store, const char *name)
{
    if (*name) {
        (void)unlinkat(store->names_fd, name, 0); /* one that stays is a link of the dead */
    }
}

/* Docker's habit: a mood and a person. The people here made the parts of which containers are. */
static const char *const moods[] = {
    "agile",    "amazing", "bold",     "brave",   "bright",  "calm",     "clever", "cool",
    "eager",    "epic",    "fervent",  "festive", "frosty",  "gentle",   "happy",  "hopeful",
    "jolly",    "keen",    "kind",     "lucid",   "magic",   "modest",   "nice",   "nifty",
    "peaceful", "quirky",  "relaxed",  "serene",  "sharp",   "silent",   "sleepy", "stoic",
    "sweet",    "tender",  "trusting", "upbeat",  "vibrant", "vigilant", "wise",   "zen",
};
static const char *const people[] = {
    "allman",   "bernstein",  "bourne",  "cerf",      "cox",      "dijkstra", "engelbart",
    "feldman",  "gosling",    "hamming", "hopper",    "joy",      "kay",      "kernighan",
    "knuth",    "lamport",    "lesk",    "liskov",    "lovelace", "mcilroy",  "moolenaar",
    "morris",   "ossanna",    "perlman", "pike",      "postel",   "ritchie",  "shannon",
    "spafford", "stallman",   "stevens", "tanenbaum", "thompson", "torvalds", "turing",
    "wall",     "weinberger", "wilkes",  "wirth",     "zemanek",
};

static unsigned random_below(unsigned limit)
{
    unsigned value = 0;
    /* Fails only before the machine's first entropy; a name needs no secrecy. */
    (void)!getrandom(&value, sizeof(value), GRND_NONBLOCK);
    return value % limit;
}

char *name_choose(struct container_store *store, const char *id, struct ct_error *err)
{
    for (int try = 0; try < 50; try++) {
        const char *mood = moods[random_below(sizeof(moods) / sizeof(moods[0]))];
        const char *person = people[random_below(sizeof(people) / sizeof(people[0]))];
        struct ct_error taken = {0};
        /* Numbers only when words alone did not do, so that they stay rare. */
        CT_AUTO_FREE char *name = try < 6 ? ct_printf("%s_%s", mood, person)
                                          : ct_printf("%s_%s%u", mood, person, random_below(1000));
        if (name_claim(store, name, id, &taken) == 0) {
            return ct_steal(name);
        }
        if (taken.kind != CT_EXISTS) {
            *err = taken;
            return NULL;
        }
    }
    return ct_refuse_null(err, CT_EXISTS, "choose a name: every one tried is taken");
}
