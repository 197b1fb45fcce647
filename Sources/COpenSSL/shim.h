// The system's OpenSSL as Swift sees it: what is a macro or variadic there needs a function each.
#ifndef TRACEMILL_COPENSSL_SHIM_H
#define TRACEMILL_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "OpenSSL 3 or newer is needed"
#endif

/// A new key on the curve P-256; NULL when there is none to be had.
static inline EVP_PKEY *tracemill_ssl_new_key(void) { return EVP_EC_gen("P-256"); }

/// An extension with a value as openssl.cnf(5) writes it; NULL when that is not one.
static inline X509_EXTENSION *tracemill_ssl_extension(X509 *issuer, X509 *subject, int nid,
                                                      const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, subject, NULL, NULL, 0);
    return X509V3_EXT_conf_nid(NULL, &context, nid, value);
}

/// A server's context that shakes hands anew each time: no sessions are kept, no tickets given.
/// NULL when OpenSSL refuses a part of it. Security level 0 allows TLS 1.0.
static inline SSL_CTX *tracemill_ssl_new_context(X509 *certificate, EVP_PKEY *key, int version_min,
                                                 int version_max, int security_level) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_security_level(context, security_level);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(context, version_min) != 1 ||
        SSL_CTX_set_max_proto_version(context, version_max) != 1 ||
        (security_level == 0 && SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0") != 1) ||
        SSL_CTX_use_certificate(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, key) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

/// A file in memory alone, gone with its last descriptor, closed on exec; -1 and errno otherwise.
static inline int tracemill_memory_file(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);
}

#endif
