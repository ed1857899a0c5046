/*
 * vae.h: the loss of a Beta-VAE with a classifier on its code [Higgins2017]: reconstruction + beta
 * KL
 * + class weight x cross-entropy, over the graphs of nn/model_cnn.h. Reconstruction and KL are sums
 * over pixels and latent dimensions, means over images. Images of a cross-entropy lie in [0, 1].
 */
#ifndef NN_VAE_H
#define NN_VAE_H

#include "nn/train.h"

enum vae_recon {
    VAE_BCE, /* pixels are shares of ink: x in [0, 1] */
    VAE_MSE, /* half the squared distance: a Gaussian of deviation 1 around each value of x */
};

/* The parts of a loss, unweighted. */
struct vae_parts {
    double recon, kl, cross_entropy;
};

struct vae {
    const struct machine *mc; /* what the network runs on */
    enum vae_recon recon;
    double beta, recon_weight, class_weight;
    double warmup; /* share of the run in which beta rises from 0, linearly; 0 = none */
    int n_classes;
    struct vae_parts sums; /* out: over the images seen, for the caller to read and clear */
    int64_t n_images;
};

/* beta at a step. */
double vae_beta(const struct vae *v, int64_t i_step, int64_t n_steps);

/* The loss of a batch after its forward, as struct train_objective wants it; ctx is a struct vae.
 * The parts that the graph lacks (no draw, no decoder) are zero. */
double vae_loss(void *ctx, struct net *net, const struct train_batch *b);

#endif
