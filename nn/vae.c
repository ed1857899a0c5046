#include "nn/vae.h"

#include "nn/loss.h"
#include "nn/model_cnn.h"

double vae_beta(const struct vae *v, int64_t i_step, int64_t n_steps)
{
    ASSERT(n_steps > 0 && v->warmup >= 0 && v->warmup <= 1);
    double n_rising = v->warmup * (double)n_steps;
    return (double)i_step < n_rising ? v->beta * (double)i_step / n_rising : v->beta;
}

static double recon_loss(const struct vae *v, struct net *net, const struct train_batch *b)
{
    struct tensor image = net_tap(net, MODEL_CNN_TAP_IMAGE);
    float *seed = net_tap_seed(net, MODEL_CNN_TAP_IMAGE);
    size_t count = tensor_count(&image), pixels = count / (size_t)b->n;
    /* Means over all elements become sums over an image's. */
    double scale = v->recon == VAE_BCE ? (double)pixels : (double)pixels / 2;
    float weight = (float)(v->recon_weight * scale);
    return scale * (v->recon == VAE_BCE ? loss_bce(image.data, b->x, count, weight, seed)
                                        : loss_mse(image.data, b->x, count, weight, seed));
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
