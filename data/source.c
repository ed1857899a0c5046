#include "data/source.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"

bool source_init(struct source *s, struct err *e)
{
    return digest_open(&s->sum, e);
}

void source_release(struct source *s)
{
    digest_drop(&s->sum);
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
    digest_add(&s->sum, bytes, n);
}

void source_sha256(struct source *s, char hex[65])
{
    digest_close(&s->sum, hex);
}

bool source_path(char path[SOURCE_MAX_PATH], const char *dir, const char *name, struct err *e)
{
    size_t n = strlen(dir);
    bool slash = n > 0 && dir[n - 1] != '/' && *name;
    int len = snprintf(path, SOURCE_MAX_PATH, "%s%s%s", dir, slash ? "/" : "", name);
    return (len >= 0 && len < SOURCE_MAX_PATH) ||
           err_set(e, ERR_INPUT, "the path is too long: %.100s.../%.100s", dir, name);
}
