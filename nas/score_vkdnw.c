/*
 * VKDNW [Tybl2025]: theta = the first number of every trained parameter, weights normal with
 * variance 2 / fan_in, 64 images of noise N(0, 1), each alone (batch norm sees one image),
 * p = softmax of its logits, J = their gradient with respect to theta;
 *
 *   F     = mean over images of J^T (diag p - p p^T) J, the Fisher information of theta
 *   l_k   = the k-th decile of F's eigenvalues, k = 1 .. 9, over their sum
 *   score = number of parameters in theta - sum l_k log l_k
 *
 * The entropy is at most log 9: the depth decides, the spread of the eigenvalues between equals.
 * The paper's code puts the Cholesky factor of diag p - p p^T the other way round; here stands the
 * paper's formula. A backward pass an image and class.
 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "nas/linalg.h"
#include "nas/scores.h"
#include "nas/trial.h"

enum { N_IMAGES = 64, N_DECILES = 9 };

static void score_vkdnw_defaults(struct score_options *o)
{
    trial_defaults(o);
    o->init = NET_INIT_KAIMING;
}

static size_t score_vkdnw_plan_bytes(const struct machine *mc, const struct graph *g,
                                     const struct score_batch *b)
{
    (void)b;
    size_t p = (size_t)g->n_params, c = shape_count(g->nodes[g->output].shape);
    return trial_bytes(mc, g, 1, 0) + arena_round(p * p * sizeof(double)) +
           2 * arena_round(p * sizeof(double)) + arena_round(c * p * sizeof(double)) +
           arena_round(c * sizeof(double)) +
           arena_round(shape_count(g->nodes[0].shape) * sizeof(float));
}

/* J[n_classes, n_theta] and p of one image. */
static void score_vkdnw_jacobian(double *jacobian, double *p, struct trial *t, const float *x,
                                 int n_classes)
{
    for (int c = 0; c < n_classes; c++) {
        const float *logits = trial_forward(t, x, 1);
        double most = -INFINITY, sum = 0;
        for (int k = 0; k < n_classes; k++) {
            most = fmax(most, (double)logits[k]);
        }
        for (int k = 0; k < n_classes; k++) {
            sum += p[k] = exp((double)logits[k] - most);
        }
        for (int k = 0; k < n_classes; k++) {
            p[k] /= sum;
        }
        float *seed = net_output_seed(t->net);
        memset(seed, 0, (size_t)n_classes * sizeof *seed);
        seed[c] = 1;
        net_backward(t->net, t->job->mc);
        for (int i = 0; i < t->graph->n_params; i++) {
            if (net_param_trained(t->net, i)) {
                *jacobian++ = (double)net_param_grad(t->net, i)[0];
            }
        }
    }
}

/* f += J^T (diag p - p p^T) J = sum_c p_c (J_c - mean)(J_c - mean)^T, mean = sum_c p_c J_c. */
static void score_vkdnw_add(double *f, double *jacobian, const double *p, int n_classes, int n)
{
    for (int i = 0; i < n; i++) {
        double mean = 0;
        for (int c = 0; c < n_classes; c++) {
            mean += p[c] * jacobian[c * n + i];
        }
        for (int c = 0; c < n_classes; c++) {
            jacobian[c * n + i] -= mean;
        }
    }
    for (int c = 0; c < n_classes; c++) {
        const double *row = jacobian + c * n;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                f[i * n + j] += p[c] / N_IMAGES * row[i] * row[j];
            }
        }
    }
}

/* Entropy of the deciles, between neighbours in proportion. */
static double score_vkdnw_entropy(const double *values, int n)
{
    double decile[N_DECILES], sum = 0, entropy = 0;
    for (int k = 0; k < N_DECILES; k++) {
        double at = (k + 1) / 10.0 * (n - 1);
        int low = (int)at, high = MIN(low + 1, n - 1);
        decile[k] = fmax(values[low] + (values[high] - values[low]) * (at - low), 0);
        sum += decile[k];
    }
    for (int k = 0; k < N_DECILES; k++) {
        double l = decile[k] / sum;
        entropy -= l > 0 ? l * log(l) : 0;
    }
    return sum > 0 ? entropy : 0;
}

static bool score_vkdnw_run(const struct score_job *job, double *value, struct err *e)
{
    struct trial t;
    if (!trial_open(&t, job, 1, 0, e)) {
        return false;
    }
    const struct graph *g = t.graph;
    int n = 0, n_classes = (int)shape_count(g->nodes[g->output].shape);
    size_t count = shape_count(g->nodes[0].shape);
    for (int i = 0; i < g->n_params; i++) {
        n += net_param_trained(t.net, i);
    }
    double *f = arena_push_zero(&t.tmp, (size_t)n * (size_t)n, sizeof *f);
    double *values = arena_push(&t.tmp, (size_t)n, sizeof *values);
    double *jacobian = arena_push(&t.tmp, (size_t)n * (size_t)n_classes, sizeof *jacobian);
    double *p = arena_push(&t.tmp, (size_t)n_classes, sizeof *p);
    float *x = arena_push(&t.tmp, count, sizeof *x);
    struct rng r = rng_key(job->options->seed, RNG_SCORE, 0);
    for (int image = 0; image < N_IMAGES; image++) {
        for (size_t k = 0; k < count; k++) {
            x[k] = (float)rng_normal(&r);
        }
        score_vkdnw_jacobian(jacobian, p, &t, x, n_classes);
        score_vkdnw_add(f, jacobian, p, n_classes, n);
    }
    linalg_eigenvalues(values, f, n);
    *value = n + score_vkdnw_entropy(values, n);
    return true;
}

const struct score score_vkdnw = {
    .name = "vkdnw",
    .help = "number of parameter tensors, then the spread of the Fisher information's eigenvalues",
    .defaults = score_vkdnw_defaults,
    .plan_bytes = score_vkdnw_plan_bytes,
    .run = score_vkdnw_run,
};
