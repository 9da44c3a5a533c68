/*
 * tls.c - certificates of the daemon, and the check of the client's.
 *
 * Room:       daemon.   Called by: server.c.
 * Spec:       RFC 8446; what Docker calls --tlsverify. GnuTLS does the work.
 */
#define CT_LAYER "tls"
#include "tls.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

#define PEM_BYTES_MAX (1u << 20)

struct tls {
    char *ca, *certificate, *key; /* PEM */
};

static char *read_pem(const char *path, struct ct_error *err)
{
    char *text = NULL;
    return ct_read_file_at(AT_FDCWD, path, PEM_BYTES_MAX, &text, err) < 0
               ? ct_while_null(err, "read the certificate file '%.100s'", path)
               : text;
}

struct tls *tls_load(const struct server_tls *files, struct ct_error *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (!tls) {
        return ct_fail_null(err, ENOMEM, "load certificates");
    }
    tls->ca = read_pem(files->ca_file, err);
    tls->certificate = tls->ca ? read_pem(files->certificate_file, err) : NULL;
    tls->key = tls->certificate ? read_pem(files->key_file, err) : NULL;
    if (!tls->key) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls) {
        free(tls->ca);
        free(tls->certificate);
        free(tls->key);
        free(tls);
    }
}

void tls_options(const struct tls *tls, struct MHD_OptionItem ret[static 4])
{
    size_t n = 0;
    if (tls) {
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, tls->ca};
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls->certificate};
        ret[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key};
    }
    ret[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

int tls_check_peer(struct MHD_Connection *connection, struct ct_error *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 1;

    if (!info || gnutls_certificate_verify_peers2(info->tls_session, &status) < 0) {
        (void)ct_refuse(err, CT_DENIED, "check the client: it has shown no certificate");
        return ct_hint(err, "give the client --tlscert and --tlskey");
    }
    if (status != 0) {
        return ct_refuse(err, CT_DENIED,
                         "check the client: its certificate is not of our authority");
    }
    return 0;
}
