/*
 * roofline.h: a picture of measured rows under what the machine can do: GFLOP/s against operations
 * a byte, both logarithmic, under the peak of multiply-adds and the bandwidths of caches and memory
 * that were measured in the same run [Williams2009].
 */
#ifndef CLI_ROOFLINE_H
#define CLI_ROOFLINE_H

#include "cli/timer.h"

enum { ROOFLINE_N_LEVELS = 4 };

/* The problems that measure the levels (cli/bench_stream.c). */
extern const char *const roofline_streams[ROOFLINE_N_LEVELS];

struct roofline {
    struct arena *keep;
    struct timer_row *rows; /* [n] those whose operations and traffic are known */
    int n, cap;
    int n_left_out;                    /* the others */
    double read[ROOFLINE_N_LEVELS][2]; /* GB/s by one thread, and by all of them */
    double copy[ROOFLINE_N_LEVELS][2]; /* the same, bytes read and bytes written together */
    double peak;                       /* GFLOP/s by all threads */
    bool noisy;
};

void roofline_init(struct roofline *r, struct arena *keep);

/* A point; its words are not copied. */
void roofline_add(struct roofline *r, const struct timer_row *row);

/* A ceiling: a row of roofline_streams[level]. */
void roofline_ceiling(struct roofline *r, int level, const struct timer_row *row);

/* Draw it as an SVG file of its own. */
MUST_USE bool roofline_write(const struct roofline *r, const char *path, struct arena tmp,
                             struct err *e);

#endif
