#include "data/source.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"

bool source_init(struct source *s, struct err *e)
{
    s->md = EVP_MD_CTX_new();
    if (!s->md || EVP_DigestInit_ex(s->md, EVP_sha256(), NULL) != 1) {
        source_release(s);
        return err_set(e, ERR_FAILED, "the crypto library has no SHA-256");
    }
    return true;
}

void source_release(struct source *s)
{
    EVP_MD_CTX_free(s->md);
    s->md = NULL;
}

bool source_read(struct source *s, struct arena *keep, const char *path, size_t max_bytes,
                 unsigned char **bytes, size_t *n, struct err *e)
{
    if (!file_read(keep, path, max_bytes, bytes, n, e)) {
        return false;
    }
    source_add(s, *bytes, *n);
    return true;
}

void source_add(struct source *s, const void *bytes, size_t n)
{
    ASSERT(s->md);
    EVP_DigestUpdate(s->md, bytes, n);
}

void source_sha256(struct source *s, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    ASSERT(s->md);
    EVP_DigestFinal_ex(s->md, digest, NULL);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

bool source_path(char path[SOURCE_MAX_PATH], const char *dir, const char *name, struct err *e)
{
    size_t n = strlen(dir);
    bool slash = n > 0 && dir[n - 1] != '/' && *name;
    int len = snprintf(path, SOURCE_MAX_PATH, "%s%s%s", dir, slash ? "/" : "", name);
    return (len >= 0 && len < SOURCE_MAX_PATH) ||
           err_set(e, ERR_INPUT, "the path is too long: %.100s.../%.100s", dir, name);
}
