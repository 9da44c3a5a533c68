/*
 * tls_link.c - one connection over TLS: who is it, and then its bytes in the clear, both ways.
 *
 * Room:       daemon.   Called by: tls.c, on a thread of its own for each connection.
 * Spec:       RFC 8446, 6.1: close_notify ends one direction, and the other goes on.
 */
#define CT_LAYER "tls"
#include "tls_internal.h"

#include "rest.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANDSHAKE_SECONDS 10
#define LINGER_MS         1000
#define BLOCK_BYTES       16384 /* one record */

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* ---- who is it ------------------------------------------------------------------------------ */

/* Waits for the client's side, at most until then. False: no more time, or we end. */
static bool wait_for_client(const struct tls_link *link, short events, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = link->client_fd, .events = events},
                            {.fd = link->front->end_fd, .events = POLLIN}};
    int64_t left_ms = (until_ns - ct_monotonic_ns()) / 1000000;

    return left_ms > 0 && poll(fds, 2, (int)left_ms) > 0 && !fds[1].revents;
}

static int shake_hands(const struct tls_link *link)
{
    int64_t until_ns = ct_monotonic_ns() + (int64_t)HANDSHAKE_SECONDS * 1000000000;
    int result;

    while ((result = gnutls_handshake(link->session)) < 0) {
        short direction = gnutls_record_get_direction(link->session) ? POLLOUT : POLLIN;
        if (gnutls_error_is_fatal(result) || !wait_for_client(link, direction, until_ns)) {
            return -1;
        }
    }
    return 0;
}

/* A certificate of our authority that is meant for clients: a server's own is none. */
static int check_peer(gnutls_session_t session, struct ct_error *err)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;

    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0) {
        (void)ct_refuse(err, CT_DENIED, "check the client: it has shown no certificate");
        return ct_hint(err, "give the client --tlscert and --tlskey");
    }
    if (status & GNUTLS_CERT_EXPIRED) {
        return ct_refuse(err, CT_DENIED, "check the client: its certificate has expired");
    }
    if (status & GNUTLS_CERT_PURPOSE_MISMATCH) {
        return ct_refuse(err, CT_DENIED,
                         "check the client: its certificate is not meant for clients");
    }
    return status == 0 ? 0
                       : ct_refuse(err, CT_DENIED,
                                   "check the client: its certificate is not of our authority");
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* One direction: what was read and not yet written. */
struct lane {
    size_t begin, end;
    bool ended, told; /* there is no more to read; and the other side knows */
    char bytes[BLOCK_BYTES];
};

/* What came of a step. */
enum step { MOVED, WAITS, ENDED, BROKEN };

static enum step outcome(ssize_t n)
{
    return n > 0                                                                           ? MOVED
           : n == 0                                                                        ? ENDED
           : n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE ? WAITS
                                                                                           : BROKEN;
}

/* Of a plain socket, in GnuTLS' words. */
static ssize_t plain_result(ssize_t n)
{
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? GNUTLS_E_AGAIN : GNUTLS_E_PULL_ERROR;
}

static ssize_t read_plain(const struct tls_link *link, int fd, char *bytes, size_t n)
{
    (void)link;
    return plain_result(recv(fd, bytes, n, MSG_DONTWAIT));
}

static ssize_t write_plain(const struct tls_link *link, int fd, const char *bytes, size_t n)
{
    (void)link;
    return plain_result(send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static ssize_t read_tls(const struct tls_link *link, int fd, char *bytes, size_t n)
{
    (void)fd;
    return gnutls_record_recv(link->session, bytes, n);
}

static ssize_t write_tls(const struct tls_link *link, int fd, const char *bytes, size_t n)
{
    (void)fd;
    return gnutls_record_send(link->session, bytes, n);
}

static bool is_empty(const struct lane *lane)
{
    return lane->begin == lane->end;
}

/* A step of one direction; plain_fd is the end that is not TLS. */
static enum step move(const struct tls_link *link, int plain_fd, struct lane *lane, bool inward)
{
    enum step step = WAITS;

    if (is_empty(lane) && !lane->ended) {
        ssize_t n = (inward ? read_tls : read_plain)(link, plain_fd, lane->bytes, BLOCK_BYTES);
        step = outcome(n);
        lane->begin = 0;
        lane->end = n > 0 ? (size_t)n : 0;
        lane->ended = step == ENDED;
    }
    if (!is_empty(lane)) {
        ssize_t n = (inward ? write_plain : write_tls)(link, plain_fd, lane->bytes + lane->begin,
                                                       lane->end - lane->begin);
        step = outcome(n);
        lane->begin += n > 0 ? (size_t)n : 0;
    }
    return step;
}

/* To the program: there is no more input. Who takes no input any more may still print. */
static enum step move_in(const struct tls_link *link, int plain_fd, struct lane *lane)
{
    enum step step = move(link, plain_fd, lane, true);

    if (step == BROKEN && !is_empty(lane)) {
        lane->begin = lane->end;
        return MOVED;
    }
    if (lane->ended && is_empty(lane) && !lane->told) {
        lane->told = true;
        (void)shutdown(plain_fd, SHUT_WR);
    }
    return step;
}

/* Until something can be moved. False: it is over. */
static bool wait_for_more(const struct tls_link *link, int plain_fd, const struct lane *in,
                          const struct lane *out)
{
    short from_client = is_empty(in) && !in->ended ? POLLIN : 0;
    short to_client = is_empty(out) ? 0 : POLLOUT;
    short from_plain = is_empty(out) && !out->ended ? POLLIN : 0;
    short to_plain = is_empty(in) ? 0 : POLLOUT;
    short plain = (short)(from_plain | to_plain);
    struct pollfd fds[3] = {
        {.fd = link->client_fd, .events = (short)(from_client | to_client)},
        {.fd = plain ? plain_fd : -1, .events = plain}, /* its end would be told again and again */
        {.fd = link->front->end_fd, .events = POLLIN},
    };

    if (poll(fds, 3, -1) < 0) {
        return errno == EINTR;
    }
    bool client_is_gone = !fds[0].events && (fds[0].revents & (POLLHUP | POLLERR));
    return !fds[2].revents && !client_is_gone;
}

/* Until the plain side has ended and all of it is sent, or the client is gone. */
static bool relay(const struct tls_link *link, int plain_fd)
{
    struct lane in = {0}, out = {0};

    while (!out.ended || !is_empty(&out)) {
        enum step inward = move_in(link, plain_fd, &in);
        enum step outward = move(link, plain_fd, &out, false);
        if (inward == BROKEN || outward == BROKEN) {
            return false;
        }
        if (inward != MOVED && outward != MOVED && (!out.ended || !is_empty(&out)) &&
            !wait_for_more(link, plain_fd, &in, &out)) {
            return false;
        }
    }
    return true;
}

/* Closing while the client still sends would take back what it has not read yet. */
static void linger(const struct tls_link *link)
{
    char rest[4096];
    int64_t until_ns = ct_monotonic_ns() + (int64_t)LINGER_MS * 1000000;

    while (gnutls_bye(link->session, GNUTLS_SHUT_WR) == GNUTLS_E_AGAIN &&
           wait_for_client(link, POLLOUT, until_ns)) {
    }
    (void)shutdown(link->client_fd, SHUT_WR);
    while (wait_for_client(link, POLLIN, until_ns) &&
           recv(link->client_fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {
    }
}

/* ---- the life of a link --------------------------------------------------------------------- */

/* An answer without a question: whoever it is has a sentence instead of a closed door. */
static void refuse(int fd, const struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = rest_error_body(err);
    CT_AUTO_FREE char *text = ct_json_text(body);
    CT_AUTO_FREE char *answer =
        ct_printf("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                  strlen(text), text);

    (void)ct_write_all(fd, answer, strlen(answer)); /* fits into the socket's buffer */
    (void)shutdown(fd, SHUT_WR);
}

/* False when the server closes: nobody is there to take it. */
static bool hand_on(struct tls_front *front, int fd)
{
    (void)pthread_mutex_lock(&front->lock);
    bool taken = !front->quiet;
    if (taken) {
        front->take(front->context, fd);
    }
    (void)pthread_mutex_unlock(&front->lock);
    return taken;
}

static void serve(struct tls_link *link)
{
    struct ct_error denied = {0};
    CT_AUTO_CLOSE int near = -1, far = -1;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return;
    }
    near = ends[0];
    far = ends[1];
    if (check_peer(link->session, &denied) < 0) {
        refuse(far, &denied);
    } else if (hand_on(link->front, far)) {
        far = -1;
    } else {
        return;
    }
    if (relay(link, near)) {
        linger(link);
    }
}

void tls_link_run(struct tls_link *link)
{
    if (gnutls_init(&link->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
        return;
    }
    gnutls_transport_set_int(link->session, link->client_fd);
    gnutls_certificate_server_set_request(link->session, GNUTLS_CERT_REQUEST);
    if (gnutls_priority_set_direct(link->session, PRIORITIES, NULL) == 0 &&
        gnutls_credentials_set(link->session, GNUTLS_CRD_CERTIFICATE, link->front->credentials) ==
            0 &&
        shake_hands(link) == 0) {
        serve(link);
    }
    gnutls_deinit(link->session);
}
