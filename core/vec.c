#include "core/vec.h"

#include "core/kernel.h"
#include "core/threads.h"

#include <math.h>

_Static_assert((int)VEC_RELU == (int)KERNEL_RELU && (int)VEC_TANH == (int)KERNEL_TANH,
               "the same order");

/* Elements one item works on: 64 KiB of float, small beside any L2, large beside the cost of an
 * item. Sums (vec_dot) are made of these chunks whatever the number of threads. */
enum { VEC_CHUNK = 16384, VEC_MAX_IN = 8 };

enum vec_what { VEC_ACT, VEC_ACT_GRAD, VEC_SUM, VEC_AXPY, VEC_SCALE, VEC_SGD, VEC_ADAM };

struct vec_job {
    const struct kernels *k;
    enum vec_what what;
    enum kernel_act act;
    bool add;
    int n_in;
    float a;
    size_t n, chunk;
    float *y, *m, *v;
    const float *x[VEC_MAX_IN];
    const struct kernel_sgd *sgd;
    const struct kernel_adam *adam;
};

static void vec_chunk(void *ctx, int i, int i_thread)
{
    const struct vec_job *j = ctx;
    (void)i_thread;
    size_t at = (size_t)i * j->chunk, n = MIN(j->chunk, j->n - at);
    const float *x[VEC_MAX_IN];
    switch (j->what) {
    case VEC_ACT:
        j->k->vec_act_f32(j->y + at, j->x[0] + at, n, j->act);
        break;
    case VEC_ACT_GRAD:
        j->k->vec_act_grad_f32(j->y + at, j->x[0] + at, j->x[1] + at, n, j->act, j->add);
        break;
    case VEC_SUM:
        for (int p = 0; p < j->n_in; p++) {
            x[p] = j->x[p] + at;
        }
        j->k->vec_sum_f32(j->y + at, x, j->n_in, n);
        break;
    case VEC_AXPY:
        j->k->vec_axpy_f32(j->y + at, j->a, j->x[0] + at, n);
        break;
    case VEC_SCALE:
        j->k->vec_scale_f32(j->y + at, j->a, j->x[0] + at, n);
        break;
    case VEC_SGD:
        j->k->vec_sgd_f32(j->y + at, j->v ? j->v + at : NULL, j->x[0] + at, n, j->sgd);
        break;
    case VEC_ADAM:
        j->k->vec_adam_f32(j->y + at, j->m + at, j->v + at, j->x[0] + at, n, j->adam);
        break;
    }
}

/* Each element is computed alone, so the cut does not show in the result: one piece for one thread.
 */
static void vec_run(const struct machine *mc, struct vec_job *j)
{
    if (j->n == 0) {
        return;
    }
    j->k = mc->k;
    j->chunk = mc->n_threads == 1 ? j->n : VEC_CHUNK;
    threads_for(mc, (int)DIV_UP(j->n, j->chunk), vec_chunk, j);
}

void vec_act_forward(const struct machine *mc, enum vec_act act, float *y, const float *x, size_t n)
{
    struct vec_job j = {.what = VEC_ACT, .act = (enum kernel_act)act, .y = y, .x = {x}, .n = n};
    vec_run(mc, &j);
}

void vec_act_backward(const struct machine *mc, enum vec_act act, float *dx, const float *x,
                      const float *dy, size_t n, bool add)
{
    struct vec_job j = {.what = VEC_ACT_GRAD,
                        .act = (enum kernel_act)act,
                        .y = dx,
                        .x = {x, dy},
                        .n = n,
                        .add = add};
    vec_run(mc, &j);
}

void vec_sum(const struct machine *mc, float *y, const float *const *x, int n_in, size_t n)
{
    ASSERT(n_in >= 1 && n_in <= VEC_MAX_IN);
    struct vec_job j = {.what = VEC_SUM, .y = y, .n_in = n_in, .n = n};
    for (int p = 0; p < n_in; p++) {
        j.x[p] = x[p];
    }
    vec_run(mc, &j);
}

void vec_axpy(const struct machine *mc, float *y, float a, const float *x, size_t n)
{
    struct vec_job j = {.what = VEC_AXPY, .y = y, .a = a, .x = {x}, .n = n};
    vec_run(mc, &j);
}

void vec_scale(const struct machine *mc, float *y, float a, const float *x, size_t n)
{
    struct vec_job j = {.what = VEC_SCALE, .y = y, .a = a, .x = {x}, .n = n};
    vec_run(mc, &j);
}

/* Sums are cheap to read and dear to order: one thread, chunk after chunk. */
double vec_dot(const struct machine *mc, const float *x, const float *y, size_t n)
{
    double sum = 0;
    for (size_t at = 0; at < n; at += VEC_CHUNK) {
        sum += mc->k->vec_dot_f32(x + at, y + at, MIN((size_t)VEC_CHUNK, n - at));
    }
    return sum;
}

void vec_sgd(const struct machine *mc, float *w, float *v, const float *grad, size_t n, float lr,
             float momentum, float decay, bool nesterov)
{
    ASSERT(v || momentum == 0);
    struct kernel_sgd sgd = {.lr = lr, .momentum = momentum, .decay = decay, .nesterov = nesterov};
    struct vec_job j = {.what = VEC_SGD, .y = w, .v = v, .x = {grad}, .n = n, .sgd = &sgd};
    vec_run(mc, &j);
}

void vec_adam(const struct machine *mc, float *w, float *m, float *v, const float *grad, size_t n,
              float lr, float beta1, float beta2, float eps, float decay, int64_t step)
{
    ASSERT(step >= 1 && m && v);
    struct kernel_adam adam = {
        .beta1 = beta1,
        .beta2 = beta2,
        .eps = eps,
        .decay = decay,
        .step_size = (float)((double)lr / (1 - pow((double)beta1, (double)step))),
        .root_correction = (float)(1 / sqrt(1 - pow((double)beta2, (double)step)))};
    struct vec_job j = {
        .what = VEC_ADAM, .y = w, .m = m, .v = v, .x = {grad}, .n = n, .adam = &adam};
    vec_run(mc, &j);
}

bool vec_all_finite(const struct machine *mc, const float *x, size_t n)
{
    for (size_t at = 0; at < n; at += VEC_CHUNK) {
        if (!mc->k->vec_finite_f32(x + at, MIN((size_t)VEC_CHUNK, n - at))) {
            return false;
        }
    }
    return true;
}
