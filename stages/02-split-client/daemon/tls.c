/*
 * tls.c - the front: certificates, the socket that is listened on, and a thread for each
 * connection.
 *
 * Room:       daemon.   Called by: server.c.
 * Spec:       see tls.h.
 */
#define CT_LAYER "tls"
#include "tls_internal.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#define PEM_BYTES_MAX   (1u << 20)
#define LINKS_MAX       1024
#define STACK_SIZE      (512u << 10)
#define LAST_BYTES_SECS 5 /* for what a closing server has still to send */

/* ---- certificates --------------------------------------------------------------------------- */

static int read_pem(const char *path, gnutls_datum_t *ret, struct ct_error *err)
{
    char *text = NULL;
    ssize_t length = ct_read_file_at(AT_FDCWD, path, PEM_BYTES_MAX, &text, err);

    if (length < 0) {
        return ct_while(err, "read the certificate file '%.100s'", path);
    }
    *ret = (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)length};
    return 0;
}

static int take_authority(gnutls_certificate_credentials_t credentials, const char *path,
                          struct ct_error *err)
{
    gnutls_datum_t pem = {0};

    if (read_pem(path, &pem, err) < 0) {
        return -1;
    }
    int n = gnutls_certificate_set_x509_trust_mem(credentials, &pem, GNUTLS_X509_FMT_PEM);
    free(pem.data);
    return n > 0 ? 0
                 : ct_refuse(err, CT_INVALID, "use the authority '%.100s': %s", path,
                             n == 0 ? "it holds no certificate" : gnutls_strerror(n));
}

static int take_certificate(gnutls_certificate_credentials_t credentials,
                            const struct server_tls *files, struct ct_error *err)
{
    gnutls_datum_t certificate = {0}, key = {0};
    int result = -1;

    if (read_pem(files->certificate_file, &certificate, err) == 0 &&
        read_pem(files->key_file, &key, err) == 0) {
        result = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key,
                                                     GNUTLS_X509_FMT_PEM);
        if (result < 0) {
            (void)ct_refuse(err, CT_INVALID, "use the certificate '%.80s' with the key '%.60s': %s",
                            files->certificate_file, files->key_file, gnutls_strerror(result));
        }
    }
    free(certificate.data);
    gnutls_memset(key.data, 0, key.size);
    free(key.data);
    return result < 0 ? -1 : 0;
}

static int load_certificates(const struct server_tls *files, gnutls_certificate_credentials_t *ret,
                             struct ct_error *err)
{
    gnutls_certificate_credentials_t credentials;

    if (gnutls_certificate_allocate_credentials(&credentials) < 0) {
        return ct_fail(err, ENOMEM, "load certificates");
    }
    if (take_authority(credentials, files->ca_file, err) < 0 ||
        take_certificate(credentials, files, err) < 0) {
        gnutls_certificate_free_credentials(credentials);
        return -1;
    }
    *ret = credentials;
    return 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void enter(struct tls_link *link)
{
    struct tls_front *front = link->front;

    link->next = front->links;
    link->slot = &front->links;
    if (front->links) {
        front->links->slot = &link->next;
    }
    front->links = link;
    front->n_links++;
}

static void leave(struct tls_link *link)
{
    struct tls_front *front = link->front;

    (void)pthread_mutex_lock(&front->lock);
    *link->slot = link->next;
    if (link->next) {
        link->next->slot = link->slot;
    }
    front->n_links--;
    (void)pthread_cond_signal(&front->gone);
    (void)pthread_mutex_unlock(&front->lock); /* from here on the front may be gone */
    ct_cleanup_close(&link->client_fd);
    free(link);
}

static void *run_link(void *context)
{
    tls_link_run(context);
    leave(context);
    return NULL;
}

static int start_link(struct tls_link *link)
{
    pthread_attr_t attributes;
    pthread_t thread;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int result = pthread_create(&thread, &attributes, run_link, link);
    (void)pthread_attr_destroy(&attributes);
    return result;
}

/* Who is one too many is cut off, as by the HTTP library. */
static void welcome(struct tls_front *front, int client_fd)
{
    struct tls_link *link = calloc(1, sizeof(*link));

    (void)pthread_mutex_lock(&front->lock);
    bool has_room = link && front->n_links < LINKS_MAX;
    if (has_room) {
        *link = (struct tls_link){.front = front, .client_fd = client_fd};
        enter(link);
    }
    (void)pthread_mutex_unlock(&front->lock);
    if (!has_room) {
        (void)close(client_fd);
        free(link);
    } else if (start_link(link) != 0) {
        leave(link);
    }
}

static void *accept_all(void *context)
{
    struct tls_front *front = context;
    const struct timespec pause = {.tv_nsec = 100000000};

    for (;;) {
        struct pollfd fds[2] = {{.fd = front->listen_fd, .events = POLLIN},
                                {.fd = front->quiesce_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[1].revents) {
            return NULL;
        }
        int fd = accept4(front->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            /* The HTTP library sends heads and bodies in pieces as they are to go out. */
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            welcome(front, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            (void)nanosleep(&pause, NULL); /* the connection stays, and so would poll wake us */
        }
    }
}

/* ---- open and close ------------------------------------------------------------------------- */

static void front_free(struct tls_front *front)
{
    ct_cleanup_close(&front->listen_fd);
    ct_cleanup_close(&front->quiesce_fd);
    ct_cleanup_close(&front->end_fd);
    if (front->credentials) {
        gnutls_certificate_free_credentials(front->credentials);
    }
    (void)pthread_mutex_destroy(&front->lock);
    (void)pthread_cond_destroy(&front->gone);
    free(front);
}

static int start_accepting(struct tls_front *front, struct ct_error *err)
{
    front->quiesce_fd = eventfd(0, EFD_CLOEXEC);
    front->end_fd = eventfd(0, EFD_CLOEXEC);
    int flags = fcntl(front->listen_fd, F_GETFL); /* who has gone again must not block us */
    if (front->quiesce_fd < 0 || front->end_fd < 0 || flags < 0 ||
        fcntl(front->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return ct_fail(err, errno, "make the TLS front");
    }
    int result = pthread_create(&front->thread, NULL, accept_all, front);
    return result == 0 ? 0 : ct_fail(err, result, "start a thread");
}

struct tls_front *tls_front_open(const struct server_tls *files, int listen_fd, tls_take_fn take,
                                 void *context, struct ct_error *err)
{
    struct tls_front *front = calloc(1, sizeof(*front));

    if (!front) {
        (void)close(listen_fd);
        return ct_fail_null(err, ENOMEM, "make the TLS front");
    }
    *front = (struct tls_front){.listen_fd = listen_fd,
                                .quiesce_fd = -1,
                                .end_fd = -1,
                                .take = take,
                                .context = context,
                                .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&front->gone, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (load_certificates(files, &front->credentials, err) < 0 || start_accepting(front, err) < 0) {
        front_free(front);
        return NULL;
    }
    return front;
}

void tls_front_quiesce(struct tls_front *front)
{
    if (!front) {
        return;
    }
    (void)pthread_mutex_lock(&front->lock);
    front->quiet = true;
    (void)pthread_mutex_unlock(&front->lock);
    (void)eventfd_write(front->quiesce_fd, 1);
    (void)pthread_join(front->thread, NULL);
    ct_cleanup_close(&front->listen_fd); /* who comes now is refused by the kernel */
    front->listen_fd = -1;
}

void tls_front_close(struct tls_front *front)
{
    struct timespec deadline;

    if (!front) {
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += LAST_BYTES_SECS;
    (void)pthread_mutex_lock(&front->lock);
    while (front->n_links > 0 &&
           pthread_cond_timedwait(&front->gone, &front->lock, &deadline) == 0) {
    }
    (void)eventfd_write(front->end_fd, 1);
    while (front->n_links > 0) {
        (void)pthread_cond_wait(&front->gone, &front->lock);
    }
    (void)pthread_mutex_unlock(&front->lock);
    front_free(front);
}
