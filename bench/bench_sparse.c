/*
 * Does it pay to skip weights that are zero? The hidden layer of the pruning study (512 -> 128, and
 * a larger one) for 32 images: the dense product as it is, against a product that visits only the
 * weights that are there (compressed rows, for each weight an axpy over the images by the same
 * tier's kernel). One thread; least of 30 timings. usage: bench_sparse
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/gemm.h"
#include "core/kernel.h"
#include "core/rng.h"

#include <math.h>
#include <stdio.h>

enum { IMAGES = 32, TIMINGS = 30 };

struct sparse {
    int n_rows;
    int *first;  /* [n_rows + 1] */
    int *column; /* [first[n_rows]] */
    float *value;
};

static void sparse_product(const struct machine *mc, float *y, const float *x,
                           const struct sparse *s)
{
    for (int r = 0; r < s->n_rows; r++) {
        float *row = y + r * IMAGES;
        for (int i = 0; i < IMAGES; i++) {
            row[i] = 0;
        }
        for (int k = s->first[r]; k < s->first[r + 1]; k++) {
            mc->k->vec_axpy_f32(row, s->value[k], x + s->column[k] * IMAGES, IMAGES);
        }
    }
}

static void measure(const struct machine *mc, int n_in, int n_out, double sparsity,
                    struct arena tmp)
{
    size_t count = (size_t)n_in * (size_t)n_out;
    float *w = arena_push(&tmp, count, sizeof *w),
          *x = arena_push(&tmp, (size_t)n_in * IMAGES, sizeof *x);
    float *y = arena_push(&tmp, (size_t)n_out * IMAGES, sizeof *y),
          *z = arena_push(&tmp, (size_t)n_out * IMAGES, sizeof *z);
    struct sparse s = {.n_rows = n_out,
                       .first = arena_push(&tmp, (size_t)n_out + 1, sizeof(int)),
                       .column = arena_push(&tmp, count, sizeof(int)),
                       .value = arena_push(&tmp, count, sizeof(float))};
    struct rng r = rng_key(1, RNG_TEST, 0);
    int n = 0;
    for (int k = 0; k < n_out; k++) {
        s.first[k] = n;
        for (int i = 0; i < n_in; i++) {
            float v = rng_f64(&r) < sparsity ? 0 : (float)rng_normal(&r);
            w[k * n_in + i] = v;
            if (v != 0) {
                s.column[n] = i;
                s.value[n++] = v;
            }
        }
    }
    s.first[n_out] = n;
    for (int i = 0; i < n_in * IMAGES; i++) {
        x[i] = (float)rng_normal(&r);
    }
    double best[2] = {INFINITY, INFINITY};
    for (int t = 0; t < TIMINGS; t++) {
        double start = clock_now_s();
        gemm(mc, false, false, n_out, IMAGES, n_in, 1, w, n_in, x, IMAGES, 0, y, IMAGES);
        double middle = clock_now_s();
        sparse_product(mc, z, x, &s);
        best[0] = fmin(best[0], middle - start);
        best[1] = fmin(best[1], clock_now_s() - middle);
    }
    double error = 0;
    for (int i = 0; i < n_out * IMAGES; i++) {
        error = fmax(error, fabs((double)(y[i] - z[i])));
    }
    size_t dense_bytes = count * 4, sparse_bytes = (size_t)n * 8 + (size_t)n_out * 4;
    printf("%d,%d,%g,%.2f,%.2f,%.2f,%zu,%zu,%.1e\n", n_in, n_out, sparsity, best[0] * 1e6,
           best[1] * 1e6, best[0] / best[1], dense_bytes, sparse_bytes, error);
}

int main(void)
{
    struct machine mc;
    struct arena tmp;
    struct err e;
    if (!machine_init(&mc, "auto", 1, &e) || !arena_init(&tmp, (size_t)64 << 20, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    static const double levels[] = {0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99};
    static const int sizes[][2] = {{512, 128}, {2048, 512}};
    printf("inputs,outputs,sparsity,dense_us,sparse_us,speedup,dense_bytes,sparse_bytes,error\n");
    for (size_t s = 0; s < N_ELEMS(sizes); s++) {
        for (size_t i = 0; i < N_ELEMS(levels); i++) {
            measure(&mc, sizes[s][0], sizes[s][1], levels[i], tmp);
        }
    }
    arena_release(&tmp);
    return 0;
}
