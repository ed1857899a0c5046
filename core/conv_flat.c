/*
 * conv_flat.c: 1x1 convolutions of stride 1, forward and backward data, for conv_direct. Pixels of
 * the whole batch are one row of the product over taps, read in place, or copied a few at a time
 * where they pass through ReLU.
 */
#include "core/conv_flat.h"

#include "core/conv_room.h"
#include "core/kernel.h"
#include "core/threads.h"

/* Pixels that one item does (fewer where threads had none else), and floats of them copied at once
 * under ReLU (16 KiB: a third of the smallest L1). */
enum { FLAT_PIXELS = 1024, FLAT_MIN_PIXELS = 28, FLAT_FLOATS = 4096 };
/* From far, and into so few channels that one tile of the product takes them all: a pixel is read
 * once and need not stay in L1, so calls are longer, of 256 KiB. What a call asks for then comes as
 * an even stream (96 -> 16 channels of 32768 pixels: 1.31 -> 1.06 ms). */
enum { FLAT_FAR_FLOATS = 65536, FLAT_FAR_NARROW = 64 };

struct flat_job {
    const struct conv_job *j;
    const float *w;   /* [src_c / groups, dst_c] */
    const float *src; /* [n_pixels, src_c] */
    float *copies;    /* [n_threads][flat_floats] */
    int src_c, dst_c;
    size_t n_pixels, item; /* pixels in all, pixels an item */
};

static size_t flat_floats(int src_c)
{
    size_t n = (size_t)MAX(FLAT_FLOATS, FLAT_MIN_PIXELS * src_c);
    return arena_round(n * sizeof(float)) / sizeof(float);
}

bool conv_flat_is(const struct conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->pad == 0 && s->stride == 1;
}

/* Pixels p0 .. p0 + n, read at x. n_ahead: so many follow, to be asked for; 0 where all is near. */
static void flat_pixels(const struct flat_job *f, const float *x, size_t p0, size_t n,
                        size_t n_ahead)
{
    int groups = f->j->s->groups, sg = f->src_c / groups, dg = f->dst_c / groups;
    size_t next = p0 + n, src_c = (size_t)f->src_c, dst_c = (size_t)f->dst_c;
    struct kernel_tap tap = {.n = sg};
    struct kernel_post post;
    for (int i = 0; i < groups; i++) {
        size_t at = p0 * dst_c + (size_t)(i * dg);
        struct kernel_gemm g = {.x = x + i * sg,
                                .w = f->w + i * dg,
                                .y = f->j->out + at,
                                .taps = &tap,
                                .n_taps = 1,
                                .x_row = f->src_c,
                                .x_inner = 1,
                                .w_inner = f->dst_c,
                                .y_row = f->dst_c,
                                .n_rows = n,
                                .n_cols = dg};
        if (n_ahead > 0 && i == 0) {
            g.ahead[0] = (struct kernel_ahead){f->src + next * src_c, n_ahead * src_c};
            g.ahead[1] = (struct kernel_ahead){f->j->out + next * dst_c, n_ahead * dst_c};
        }
        conv_direct_gemm_post(f->j, &g, &post, at, i * dg);
        f->j->mc->k->gemm_taps_f32(&g);
    }
}

static void flat_item(void *ctx, int item, int i_thread)
{
    const struct flat_job *f = ctx;
    size_t c = (size_t)f->src_c, n = f->n_pixels;
    size_t p = (size_t)item * f->item, end = MIN(n, p + f->item);
    size_t step = MAX((size_t)FLAT_MIN_PIXELS, FLAT_FLOATS / c);
    float *copy = f->copies + (size_t)i_thread * flat_floats(f->src_c);
    /* Narrower registers multiply more slowly: there the processor itself foresees more. */
    size_t dst_c = (size_t)f->dst_c, widest = MAX(c, dst_c);
    bool far = f->j->mc->tier >= CPU_AVX512 ? n * (c + dst_c) > CONV_FAR_FLOATS
                                            : c > 16 && widest > 64 && n * widest > CONV_FAR_FLOATS;
    if (far && !f->j->relu_in && dst_c <= MIN(c, (size_t)FLAT_FAR_NARROW)) {
        step = MAX(step, FLAT_FAR_FLOATS / (c + dst_c));
        step = DIV_UP(f->item, DIV_UP(f->item, step)); /* equal calls */
    }
    for (; p < end; p += step) {
        size_t rows = MIN(step, end - p);
        const float *x = f->src + p * c;
        if (f->j->relu_in) {
            f->j->mc->k->vec_act_f32(copy, x, rows * c, KERNEL_RELU);
            x = copy;
        }
        flat_pixels(f, x, p, rows, far || f->j->relu_in ? MIN(step, n - p - rows) : 0);
    }
}

size_t conv_flat_scratch_bytes(const struct machine *mc, const struct conv_shape *s,
                               enum conv_dir dir)
{
    int src_c = dir == CONV_BWD_DATA ? s->k : s->c;
    return arena_round((size_t)mc->n_threads * flat_floats(src_c) * sizeof(float));
}

void conv_flat_run(const struct conv_job *j, const float *w, struct arena tmp)
{
    const struct conv_shape *s = j->s;
    bool back = j->dir == CONV_BWD_DATA;
    struct flat_job f = {.j = j,
                         .w = w,
                         .src = back ? j->dy : j->x,
                         .src_c = back ? s->k : s->c,
                         .dst_c = back ? s->c : s->k,
                         .n_pixels = (size_t)s->n * (size_t)s->h * (size_t)s->w};
    size_t n_threads = (size_t)j->mc->n_threads, share = DIV_UP(f.n_pixels, n_threads);
    f.item = MIN(MAX(share, (size_t)FLAT_MIN_PIXELS), (size_t)FLAT_PIXELS);
    f.copies = arena_push(&tmp, n_threads * flat_floats(f.src_c), sizeof(float));
    threads_for(j->mc, (int)DIV_UP(f.n_pixels, f.item), flat_item, &f);
}
