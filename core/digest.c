#include "core/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

bool digest_open(struct digest *d, struct err *e)
{
    ASSERT(d);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    d->state = md;
    if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {
        return true;
    }
    digest_drop(d);
    return err_set(e, ERR_FAILED, "the crypto library has no SHA-256");
}

void digest_add(struct digest *d, const void *bytes, size_t n)
{
    ASSERT(d->state && (bytes || n == 0));
    EVP_DigestUpdate(d->state, bytes, n);
}

void digest_close(struct digest *d, char hex[65])
{
    ASSERT(d->state);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    EVP_DigestFinal_ex(d->state, bytes, NULL);
    digest_drop(d);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }
}

void digest_drop(struct digest *d)
{
    EVP_MD_CTX_free(d->state);
    d->state = NULL;
}
