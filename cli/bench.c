#include "cli/bench.h"

#include "core/rng.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BENCH_MAX_NUMBER = 1 << 20 };

bool bench_numbers(const char *text, const char *letters, int *values, const char *form,
                   struct err *e)
{
    const char *at = text;
    while (*at) {
        const char *letter = strchr(letters, *at);
        char *end = NULL;
        long value = letter && isdigit((unsigned char)at[1]) ? strtol(at + 1, &end, 10) : -1;
        if (value < 0 || value > BENCH_MAX_NUMBER) {
            err_set(e, ERR_USAGE, "problem %.80s: cannot read \"%.20s\"", text, at);
            return err_hint(e, "expected %s", form);
        }
        values[letter - letters] = (int)value;
        at = end;
    }
    for (size_t i = 0; letters[i]; i++) {
        if (values[i] < 0) {
            err_set(e, ERR_USAGE, "problem %.80s: lacks %c", text, letters[i]);
            return err_hint(e, "expected %s", form);
        }
    }
    return true;
}

float *bench_data(struct arena *keep, size_t n, uint64_t index, struct err *e)
{
    float *data = arena_try(keep, MAX(n, (size_t)1), sizeof *data, e);
    struct rng r = rng_key(1, RNG_TEST, index);
    for (size_t i = 0; data && i < n; i++) {
        data[i] = (float)((int)(rng_u64(&r) >> 33) % 3 - 1);
    }
    return data;
}

bool bench_compare(const float *a, const float *b, size_t n, double tolerance, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (!(difference <= tolerance)) {
            return err_set(e, ERR_FAILED, "element %zu is %.9g, the reference %.9g", i,
                           (double)a[i], (double)b[i]);
        }
    }
    return true;
}
