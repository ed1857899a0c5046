/*
 * kernel.h: the contract of the inner loops. core/kernel.def and kernel_bf16.def list them; each
 * exists as name__ref (plain C, the definition) and as name__ISA for every tier of the target
 * machine. A kernel takes pointers and counts, accepts counts of zero, touches no byte outside what
 * it is given, allocates nothing, starts no thread and cannot fail.
 */
#ifndef CORE_KERNEL_H
#define CORE_KERNEL_H

#include "core/base.h"

/* Activations; the first five are those of vec.h in the same order. */
enum kernel_act {
    KERNEL_RELU,
    KERNEL_RELU6,
    KERNEL_HSWISH,
    KERNEL_SIGMOID,
    KERNEL_TANH,
    KERNEL_NO_ACT,
};

/* Constants of one SGD step: v = momentum v + (grad + decay w); w -= lr (nesterov ? g + momentum v
 * : v). */
struct kernel_sgd {
    float lr, momentum, decay;
    bool nesterov;
};

/* Constants of one Adam step; step_size and root_correction hold the bias corrections of that step.
 */
struct kernel_adam {
    float beta1, beta2, eps, decay;
    float step_size;       /* lr / (1 - beta1^t) */
    float root_correction; /* 1 / sqrt(1 - beta2^t) */
};

/* A run of the inner dimension of gemm_taps: n terms beginning at these offsets of x and w. */
struct kernel_tap {
    ptrdiff_t x, w;
    int n;
};

/* What becomes of a sum before it is stored, in this order; NULL and false are nothing. */
struct kernel_post {
    const float *scale;  /* [n_cols]: v *= scale */
    const float *shift;  /* [n_cols]: v += shift */
    const float *add;    /* laid out as y: v += add */
    enum kernel_act act; /* one of KERNEL_RELU, _RELU6, _HSWISH, _NO_ACT */
    const float *mask;   /* laid out as y: v = 0 where mask <= 0 */
    bool into;           /* y += v, else y = v */
};

/* n floats that will be needed soon: asked for in pieces while other work goes on. Never more than
 * a hint; NULL and 0 are none. */
struct kernel_ahead {
    const float *p;
    size_t n;
};

/* Further lines of n_rows: n of them, each so many floats of x and y on from the one before. */
struct kernel_lines {
    int n;
    ptrdiff_t x, y;
};

/* Further products of the same shape: n of them, each so many floats of x, w and y on. */
struct kernel_planes {
    int n;
    ptrdiff_t x, w, y;
};

/*
 * y[r * y_row + j] = post(sum over taps t and i < taps[t].n of
 *                         x[taps[t].x + r * x_row + i * x_inner] w[taps[t].w + i * w_inner + j])
 * for r < n_rows, j < n_cols; the sum is taken in this order. accumulate: y is added to its first
 * product (then post must be NULL). The same for each of `more` lines, and for each of `planes`,
 * which have no post (bf16_taps knows neither). One shape for all the dense work: rows are pixels
 * and i channels (convolution forward, backward data, 1x1), or rows are channels and i pixels
 * (backward weights), or both are what a matrix product says.
 */
struct kernel_gemm {
    const float *x, *w;
    float *y;
    const struct kernel_tap *taps;
    int n_taps;
    ptrdiff_t x_row, x_inner, w_inner, y_row;
    size_t n_rows;
    int n_cols;
    bool accumulate;
    const struct kernel_post *post;
    struct kernel_lines more;
    struct kernel_planes planes;
    struct kernel_ahead ahead[2];
};

/* One row of pixels of depthwise work. */
struct kernel_depth_row {
    const struct kernel_tap *taps;
    int n_taps;
    ptrdiff_t y; /* where its first pixel goes */
};

/*
 * Depthwise work on rows of pixels, each channel by itself. A tap is one row of the kernel: n
 * neighbouring columns, the first at taps[t].x of x and taps[t].w of w. For each row r of rows:
 *   y[r.y + p * y_pixel + i] = post(sum over t < r.n_taps, q < r.taps[t].n of
 *                   x[taps[t].x + (p * stride + q) * x_col + i] w[taps[t].w + q * w_col + i])
 * for p < n_pixels, i < c. Columns p * stride + q outside lo .. hi-1 are zeros and not read.
 */
struct kernel_depth {
    const float *x, *w;
    float *y;
    const struct kernel_depth_row *rows;
    int n_rows;
    int stride;
    int lo, hi;
    bool relu; /* x is passed through ReLU */
    ptrdiff_t x_col, w_col, y_pixel;
    size_t n_pixels;
    int c;
    const struct kernel_post *post; /* NULL: none */
    struct kernel_ahead ahead[2];
};

/*
 * The gradient of depthwise weights by output rows y0 .. y1 - 1 of one image:
 *   dw[(r * kw + q) * step + i] += sum over y, p < ow of dy[(y * ow + p) * step + i]
 *           x[((y * stride - pad + r) * w + p * stride - pad + q) * step + i]
 * for r < kh, q < kw, i < c. What is outside the h x w pixels of x is zero and not read.
 */
struct kernel_depth_weights {
    const float *x, *dy;
    float *dw;
    int h, w, ow;
    int kh, kw, stride, pad;
    int y0, y1;
    bool relu;     /* x is passed through ReLU */
    bool in_order; /* a hint: all channels of some pixels before the next pixels */
    bool next;     /* a hint: ask for what follows as it will be read, further channels and rows */
    ptrdiff_t step;
    int c;
    struct kernel_ahead ahead[2];
};

/*
 * One row of an average pool or of its gradient. For output column o < n_out, windows as below:
 *   y[o * c + j] (+)= sum over columns i of o's window, i < n_in, of
 *                     share_of(i or o) * sum over r < n_rows of row_scale[r] rows[r][i * c + j]
 * Forward (back false): o's window is o * stride - pad .. + size - 1, the factor share[number of
 * its columns inside the input]. Gradient: inputs are the outputs of the forward pass and the
 * window of o are those whose windows hold o; the factor belongs to i: share[columns of i's forward
 * window inside 0 .. n_out - 1].
 */
struct kernel_pool {
    float *y;
    const float *const *rows;
    const float *row_scale; /* [n_rows] */
    int n_rows;
    int n_in, n_out, c;
    int size, stride, pad;
    const float *share; /* [size + 1] */
    bool back, into;
};

/*
 * Tiles of Winograd's F(4x4, 3x3) beside each other, on their way in:
 *   v[e * v_step + t * c + i] = (B^T d B)[e] for i < c, t < n_tiles, d the 6 x 6 pixels
 *   rows[r][(4 t + q) * c + i], through ReLU where `relu`.
 * Columns 4 t + q outside lo .. hi - 1 are zeros and not read.
 */
struct kernel_wino_in {
    float *v;
    ptrdiff_t v_step;
    const float *rows[6];
    int n_tiles;
    int lo, hi;
    int c;
    bool relu;
};

/* Tiles of Winograd's F(4x4, 3x3) beside each other, on their way out: y[4 x 4 pixels, n] =
 * post(A^T m A) each. */
struct kernel_wino_out {
    const float *m; /* [36] of [n_tiles, n] floats, m_step apart */
    ptrdiff_t m_step;
    float *y; /* first pixel; the next is y_pixel floats on, the next row y_row */
    ptrdiff_t y_pixel, y_row;
    int n_tiles;
    int n_rows, n_cols;             /* pixels that exist: 1 .. 4, 4 n_tiles - 3 .. 4 n_tiles */
    int n;                          /* channels */
    const struct kernel_post *post; /* NULL: none; add and mask laid out as y */
};

/* A normalised feature map of n_rows rows of c channels and its gradient. */
struct kernel_norm_grad {
    const float *x, *dy;
    const float *mean;          /* [c] */
    const float *scale, *shift; /* [c]; NULL, or dy counts where x scale + shift > 0 alone: ReLU */
    size_t n_rows;
    int c;
};

/*
 * A sum of feature maps of n_rows rows of c channels, the first n_scaled of them normalised:
 *   y = relu?((x[n_scaled] + ... + x[n_scaled + n_plain - 1]) + ((x[0] scale[0] + shift) +
 *       x[1] scale[1] + ...)), from left to right.
 */
enum { KERNEL_NORM_SUM_MAX = 8 };
struct kernel_norm_sum {
    float *y;
    const float *x[KERNEL_NORM_SUM_MAX];
    const float *scale[KERNEL_NORM_SUM_MAX]; /* [c] */
    const float *shift;                      /* [c] */
    int n_scaled, n_plain;
    size_t n_rows;
    int c;
    bool relu;
};

/* The table: one function pointer a kernel. */
struct kernels {
    const char *isa;
#define KERNEL(result, name, args) result(*name) args;
#include "core/kernel.def"
#include "core/kernel_bf16.def"
#undef KERNEL
};

#endif
