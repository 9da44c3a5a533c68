/*
 * words.c - the names that containers may have, two words for those that get none, and what else a
 * user may say to mean one.
 *
 * Room:       containers.   Called by: the implementations of containers.h.
 */
#define CT_LAYER "containers"
#include "container_parts.h"

#include "cleanup.h"
#include "path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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

int name_check_new(const char *wanted, const char *now, struct ct_error *err)
{
    if (name_check(wanted, err) < 0) {
        return -1;
    }
    return strcmp(wanted, now) == 0
               ? ct_refuse(err, CT_INVALID,
                           "renaming a container with the same name as its current name")
               : 0;
}

int name_refuse_taken(const char *name, const char *holder, struct ct_error *err)
{
    (void)ct_refuse(err, CT_EXISTS, "name \"/%.100s\" is already in use by container \"%.12s\"",
                    name, holder);
    return ct_hint(err, "remove or rename that container, or choose another name");
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

bool reference_may_be_prefix(const char *reference)
{
    size_t length = strlen(reference);
    return length > 0 && length < (size_t)2 * CONTAINER_ID_BYTES &&
           strspn(reference, "0123456789abcdef") == length;
}

int reference_refuse(const char *reference, int matches, struct ct_error *err)
{
    if (matches == 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s%s", reference,
                         strlen(reference) > 64 ? "…" : "");
    }
    (void)ct_refuse(err, CT_INVALID, "multiple containers begin with '%s'", reference);
    return ct_hint(err, "give more digits of the id, or the name");
}
