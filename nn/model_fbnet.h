/*
 * model_fbnet.h: the shape of FBNet [Wu2019] as HW-NAS-Bench [Li2021] defines it: which layers
 * there are and what each choice is, for the network itself, for counting and for block tables.
 */
#ifndef NN_MODEL_FBNET_H
#define NN_MODEL_FBNET_H

#include "nn/model.h"

enum {
    MODEL_FBNET_N_LAYERS = 22,
    MODEL_FBNET_N_STAGES = 7,
    MODEL_FBNET_N_CHOICES = 9, /* k3_e1 k3_e1_g2 k3_e3 k3_e6, the same with k5, skip */
    MODEL_FBNET_SKIP = 8,
    MODEL_FBNET_STEM = 16, /* width */
};

/* A searchable layer; h and w are of its input. */
struct model_fbnet_layer {
    int stage;
    int h, w, cin, cout, stride;
    bool last; /* of its stage */
};

/* What a choice is; kernel 0 = skip: the identity, or a strided 1x1 convolution where shapes
 * change. */
struct model_fbnet_choice {
    int kernel, expansion, groups;
};

/* Layer i of a network for such images. There are two layouts: sides of 96 and more go through five
 * halvings (ImageNet), smaller ones through three (CIFAR). */
struct model_fbnet_layer model_fbnet_layer(struct shape input, int i);

struct model_fbnet_choice model_fbnet_choice(int choice);

/* Stride of the stem; width of the last 1x1 convolution: 1984 for large images, 1504 for small. */
int model_fbnet_stem_stride(struct shape input);
int model_fbnet_head(struct shape input);

#endif
