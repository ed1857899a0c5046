/*
 * source.h: the files a data set is read from: each read whole and counted into one SHA-256, in the
 * order of reading. For the rooms of data/.
 */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include "core/arena.h"
#include "core/digest.h"

enum { SOURCE_MAX_PATH = 4096 };

struct source {
    struct digest sum;
};

MUST_USE bool source_init(struct source *s, struct err *e);
void source_release(struct source *s);

/* file_read, and the bytes go into the sum. */
MUST_USE bool source_read(struct source *s, struct arena *keep, const char *path, size_t max_bytes,
                          unsigned char **bytes, size_t *n, struct err *e);

/* Count something that is no file of its own: a name, generated pixels. */
void source_add(struct source *s, const void *bytes, size_t n);

/* The sum so far, as 64 hex digits and a zero. Call it last. */
void source_sha256(struct source *s, char hex[65]);

/* path = dir/name; ERR_INPUT if that is too long. */
MUST_USE bool source_path(char path[SOURCE_MAX_PATH], const char *dir, const char *name,
                          struct err *e);

#endif
