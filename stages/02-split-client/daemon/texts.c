/*
 * texts.c - a list of containers as text, of which most is the text of the list before.
 *
 * Room:       daemon.   Called by: containers.c.
 *
 * The engine hands out the same summary of a container as long as nothing in it has changed. To
 * print a thousand of them takes longer than to find them, so each text is kept with its summary:
 * the same document has the same text. As it is held here, no other one gets its address.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"
#include "json.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards kept */
static json_t *kept;                                     /* {id: [summary, its text]} */

/* Borrowed as long as the lock is held. */
static const json_t *text_of(json_t *summary)
{
    const char *id = ct_json_string(summary, "Id", "");
    json_t *entry = json_object_get(kept, id);

    if (json_array_get(entry, 0) != summary) {
        CT_AUTO_FREE char *text = ct_json_text(summary);
        entry = json_pack("[O,s]", summary, text);
        ct_json_set(kept, id, entry);
    }
    return json_array_get(entry, 1);
}

static void print(const json_t *list, FILE *out)
{
    size_t i;
    json_t *summary;

    (void)fputc('[', out);
    json_array_foreach((json_t *)list, i, summary)
    {
        const json_t *text = text_of(summary);
        (void)fputs(i ? "," : "", out);
        (void)fwrite(json_string_value(text), 1, json_string_length(text), out);
    }
    (void)fputc(']', out);
}

/* Forgets what was removed: with it there is more than is. */
static void forget(size_t n)
{
    if (!kept || json_object_size(kept) > n) {
        json_decref(kept);
        kept = json_object();
    }
}

int reply_summaries(struct rest_reply *reply, json_t *list, bool complete, struct ct_error *err)
{
    size_t length = 0;
    FILE *out = open_memstream(&reply->json_text, &length);

    if (!out) {
        json_decref(list);
        return ct_fail(err, errno, "print the list of containers");
    }
    (void)pthread_mutex_lock(&lock);
    forget(complete ? json_array_size(list) : SIZE_MAX);
    print(list, out);
    (void)pthread_mutex_unlock(&lock);
    json_decref(list);
    if (fclose(out) != 0) { /* writes to it fail only here */
        return ct_fail(err, errno, "print the list of containers");
    }
    reply->status = MHD_HTTP_OK;
    return 0;
}
