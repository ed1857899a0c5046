/* digest.h: SHA-256 of bytes in memory, piece by piece. core/file.h has the one of a file. */
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include "core/err.h"

struct digest {
    void *state; /* the crypto library's; NULL once closed */
};

/* ERR_FAILED where the crypto library has no SHA-256. Close or drop what was opened. */
MUST_USE bool digest_open(struct digest *d, struct err *e);

void digest_add(struct digest *d, const void *bytes, size_t n);

/* The digest of all pieces as 64 hex digits and a zero; frees the state. */
void digest_close(struct digest *d, char hex[65]);

/* Frees the state, if there is one still, without asking. */
void digest_drop(struct digest *d);

#endif
