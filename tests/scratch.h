/* scratch.h: for tests: a folder that goes away again, files in it, an arena, and where real data
 * may lie. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include "core/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scratch {
    char dir[512];
    char path[1024]; /* the last one made by scratch_path */
    struct arena arena;
};

/* cmocka setup and teardown: *state is a struct scratch. */
static inline int scratch_setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    struct err e;
    const char *tmp = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir, "%s/hdnas-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(s->dir) || !arena_init(&s->arena, (size_t)1 << 30, &e)) {
        return -1;
    }
    *state = s;
    return 0;
}

static inline int scratch_teardown(void **state)
{
    struct scratch *s = *state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
    int code = system(command);
    arena_release(&s->arena);
    free(s);
    return code;
}

/* dir/name; overwritten by the next call. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
    return s->path;
}

static inline void scratch_mkdir(struct scratch *s, const char *name)
{
    assert_int_equal(mkdir(scratch_path(s, name), 0777), 0);
}

static inline void scratch_write(struct scratch *s, const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(scratch_path(s, name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline size_t scratch_read(struct scratch *s, const char *name, void *bytes, size_t max)
{
    FILE *f = fopen(scratch_path(s, name), "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, max, f);
    fclose(f);
    return n;
}

/* How many entries the folder holds. */
static inline int scratch_count(const struct scratch *s)
{
    char command[600];
    int n = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", s->dir);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

/* Real data: HDNAS_TEST_DATA, else ../shared/data, with name behind it; NULL where that is not
 * there. */
static inline const char *scratch_data(struct scratch *s, const char *name)
{
    const char *root = getenv("HDNAS_TEST_DATA");
    snprintf(s->path, sizeof s->path, "%s/%s", root && *root ? root : "../shared/data", name);
    return access(s->path, R_OK) == 0 ? s->path : NULL;
}

/* The error must have this code and these words in it. */
static inline void scratch_expect(const struct err *e, enum err_code code, const char *words)
{
    if (e->code != code || !strstr(e->text, words)) {
        fail_msg("expected error %d with \"%s\", found error %d: %s", (int)code, words,
                 (int)e->code, e->text);
    }
}

#endif
