#include "nn/vae.h"

#include "core/vec.h"
#include "nn/loss.h"
#include "nn/model_cnn.h"

#include <math.h>

double vae_beta(const struct vae *v, int64_t i_step, int64_t n_steps)
{
    ASSERT(n_steps > 0 && v->warmup >= 0 && v->warmup <= 1);
    double n_rising = v->warmup * (double)n_steps;
    return (double)i_step < n_rising ? v->beta * (double)i_step / n_rising : v->beta;
}

/*
 * loss_bce (nn/loss.h) for many pixels, a third of whose time it takes: s = 1 / (1 + exp(-x)) by
 * the kernel, and of log(1 + exp(-|x|)) = -log(max(s, 1 - s)) one logarithm for 32 factors, each at
 * least 1/2. An error of 2^-23 in s is one of 2e-7 in a pixel's nats.
 */
static double bce(const struct machine *mc, const float *x, const float *target, size_t count,
                  double factor, float *dx)
{
    double sum = 0;
    vec_act_forward(mc, VEC_SIGMOID, dx, x, count);
    for (size_t first = 0; first < count; first += 32) {
        double product = 1;
        for (size_t i = first; i < MIN(first + 32, count); i++) {
            double s = (double)dx[i], v = (double)x[i], t = (double)target[i];
            product *= s > 0.5 ? s : 1 - s;
            sum += (v > 0 ? v : 0) - v * t;
            dx[i] = (float)(factor * (s - t));
        }
        sum -= log(product);
    }
    return sum;
}

static double recon_loss(const struct vae *v, struct net *net, const struct train_batch *b)
{
    struct tensor image = net_tap(net, MODEL_CNN_TAP_IMAGE);
    float *seed = net_tap_seed(net, MODEL_CNN_TAP_IMAGE);
    size_t count = tensor_count(&image), pixels = count / (size_t)b->n;
    if (v->recon == VAE_BCE) {
        return bce(v->mc, image.data, b->x, count, v->recon_weight / b->n, seed) / b->n;
    }
    double scale = (double)pixels / 2; /* a mean over all elements becomes half an image's sum */
    return scale * loss_mse(image.data, b->x, count, (float)(v->recon_weight * scale), seed);
}

double vae_loss(void *ctx, struct net *net, const struct train_batch *b)
{
    struct vae *v = ctx;
    int n_taps = net_graph(net)->n_taps;
    struct vae_parts parts = {0};
    double beta = vae_beta(v, b->i_step, b->n_steps);
    parts.cross_entropy = loss_cross_entropy(b->logits, b->labels, b->n, v->n_classes, 0,
                                             (float)v->class_weight, net_output_seed(net), NULL);
    if (n_taps > MODEL_CNN_TAP_LOGVAR) {
        struct tensor mu = net_tap(net, MODEL_CNN_TAP_MU);
        parts.kl =
            loss_kl(mu.data, net_tap(net, MODEL_CNN_TAP_LOGVAR).data, b->n, mu.c, (float)beta,
                    net_tap_seed(net, MODEL_CNN_TAP_MU), net_tap_seed(net, MODEL_CNN_TAP_LOGVAR));
    }
    if (n_taps > MODEL_CNN_TAP_IMAGE) {
        parts.recon = recon_loss(v, net, b);
    }
    v->sums.recon += parts.recon * b->n;
    v->sums.kl += parts.kl * b->n;
    v->sums.cross_entropy += parts.cross_entropy * b->n;
    v->n_images += b->n;
    return v->recon_weight * parts.recon + beta * parts.kl + v->class_weight * parts.cross_entropy;
}
