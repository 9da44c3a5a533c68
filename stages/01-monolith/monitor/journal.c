/*
 * journal.c - what is under way from a pipe to the log, on a page that outlives us.
 *
 * Room:       monitor.   Called by: see journal.h.
 * Man:        tee(2), mmap(2) (MAP_SHARED).
 *
 * Each step ends with one store of `state`, so that a kill finds either the state before or the one
 * behind:
 *
 *     IDLE      nothing is under way
 *     LOGGING   the chunk is in the pipe, and perhaps in part in the log: the log is cut back to
 * `mark` TAKING    the chunk is in the log, and perhaps still in the pipe: it is compared, and
 * dropped
 *
 * The low bit of state says which of the two copies of the unfinished line is the valid one.
 */
#define CT_LAYER "journal"
#include "journal.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME  "output" /* in RUN/<id> */
#define MAGIC 0x6f757431

enum phase { IDLE = 0, LOGGING = 2, TAKING = 4 };

struct line {
    uint32_t length;
    int64_t since_ns;
    char bytes[LOG_PIECE_BYTES];
};

/* One stream. */
struct lane {
    _Atomic uint32_t state; /* phase | which line */
    uint32_t length;        /* of the chunk */
    uint64_t hash;
    struct log_mark mark;
    struct line lines[2];
};

struct page {
    uint32_t magic;
    struct lane lanes[2];
};

struct journal {
    struct page *page;
    struct log_writer *log;
    int scratch[2]; /* a pipe for tee(2) */
};

static struct lane *lane_of(const struct journal *journal, enum log_stream stream)
{
    return &journal->page->lanes[stream == LOG_STDERR];
}

/* FNV-1a: it has to tell what came next from what was there, not to resist anybody. */
static uint64_t hash_of(const unsigned char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int map_page(struct journal *journal, int run_fd, bool again, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = openat(
        run_fd, NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (again ? 0 : O_TRUNC), 0600);

    if (fd < 0 || ftruncate(fd, sizeof(*journal->page)) < 0) {
        return ct_fail(err, errno, "open the journal of the output");
    }
    void *page = mmap(NULL, sizeof(*journal->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        return ct_fail(err, errno, "map the journal of the output");
    }
    journal->page = page;
    if (journal->page->magic != 0 && journal->page->magic != MAGIC) { /* another version's */
        memset(journal->page, 0, sizeof(*journal->page));
    }
    journal->page->magic = MAGIC; /* new: all is 0, which is IDLE */
    return 0;
}

struct journal *journal_open(int run_fd, struct log_writer *log, bool again, struct ct_error *err)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (!journal) {
        return ct_fail_null(err, ENOMEM, "open the journal of the output");
    }
    *journal = (struct journal){.log = log, .scratch = {-1, -1}};
    if (map_page(journal, run_fd, again, err) < 0) {
        journal_close(journal);
        return NULL;
    }
    if (pipe2(journal->scratch, O_CLOEXEC | O_NONBLOCK) < 0) {
        (void)ct_fail(err, errno, "make a pipe");
        journal_close(journal);
        return NULL;
    }
    return journal;
}

void journal_close(struct journal *journal)
{
    if (!journal) {
        return;
    }
    if (journal->page) {
        (void)munmap(journal->page, sizeof(*journal->page));
    }
    ct_cleanup_close(&journal->scratch[0]);
    ct_cleanup_close(&journal->scratch[1]);
    free(journal);
}

void journal_remove(int run_fd)
{
    (void)unlinkat(run_fd, NAME, 0); /* not there: as it should be */
}

/* ---- a chunk -------------------------------------------------------------------------------- */

ssize_t journal_peek(struct journal *journal, int fd, void *buffer, size_t size)
{
    ssize_t n = tee(fd, journal->scratch[1], size, SPLICE_F_NONBLOCK);

    /* The copy is there: reading it does not block, and gives it whole. */
    return n > 0 ? read(journal->scratch[0], buffer, (size_t)n) : n;
}

/* The beginning of the line that is in no log, into the copy that is not the valid one. */
static void copy_line(struct line *line, const struct log_writer *log, enum log_stream stream)
{
    size_t length = 0;
    const void *bytes = log_unfinished(log, stream, &length);

    line->length = (uint32_t)length;
    line->since_ns = log_unfinished_since(log, stream);
    if (length > 0) {
        memcpy(line->bytes, bytes, length);
    }
}

static void take(int fd, void *buffer, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = read(fd, (char *)buffer + done, length - done);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            return; /* it was there a moment ago, and we are its only reader */
        }
        done += n > 0 ? (size_t)n : 0;
    }
}

int journal_pass(struct journal *journal, enum log_stream stream, int fd, void *buffer,
                 size_t length, struct ct_error *err)
{
    struct lane *lane = lane_of(journal, stream);
    uint32_t which = atomic_load(&lane->state) & 1;

    lane->length = (uint32_t)length;
    lane->hash = hash_of(buffer, length);
    lane->mark = log_mark(journal->log);
    atomic_store(&lane->state, LOGGING | which);
    int result = log_write(journal->log, stream, buffer, length, err);
    copy_line(&lane->lines[!which], journal->log, stream);
    atomic_store(&lane->state, TAKING | !which);
    take(fd, buffer, length);
    atomic_store(&lane->state, IDLE | !which);
    return result;
}

/* ---- after a kill --------------------------------------------------------------------------- */

/* Of the chunk that is in the log already. */
static void drop_chunk(struct journal *journal, const struct lane *lane, int fd)
{
    CT_AUTO_FREE unsigned char *bytes = malloc(lane->length + 1);
    ssize_t n = bytes && fd >= 0 ? journal_peek(journal, fd, bytes, lane->length) : -1;

    if (n >= 0 && (size_t)n == lane->length && hash_of(bytes, lane->length) == lane->hash) {
        take(fd, bytes, lane->length);
    }
}

int journal_recover(struct journal *journal, enum log_stream stream, int fd, struct ct_error *err)
{
    struct lane *lane = lane_of(journal, stream);
    uint32_t state = atomic_load(&lane->state), which = state & 1;
    const struct line *line = &lane->lines[which];

    if ((state & ~1U) == LOGGING && log_go_back(journal->log, lane->mark, err) < 0) {
        return -1;
    }
    if ((state & ~1U) == TAKING) {
        drop_chunk(journal, lane, fd);
    }
    atomic_store(&lane->state, IDLE | which);
    return line->length < sizeof(line->bytes)
               ? log_resume(journal->log, stream, line->bytes, line->length, line->since_ns, err)
               : 0;
}
