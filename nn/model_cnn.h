/*
 * model_cnn.h: plain convolutional classifiers with a code, and the Beta-VAE they are cut out of,
 * told by their widths, so that a network whose channels were pruned is one of them again.
 *
 *   cnn:WIDTHS:HIDDEN:CODE            images -> convolutions -> hidden -> code (mu) -> classes
 *   vae:WIDTHS:HIDDEN:CODE[:DECODER]  the same with a drawn code, and a decoder that makes images
 * of it
 *
 * WIDTHS: channels of 3x3 convolutions with batch norm and ReLU, "s" behind one = stride 2, "M" =
 * 2x2 maximum: 16s,32s,32s or 32,32,M,64,64,M. HIDDEN: units of a fully connected layer, 0 = none.
 * CODE: latent dimensions. DECODER: channels before each doubling of the image; none = no decoder.
 */
#ifndef NN_MODEL_CNN_H
#define NN_MODEL_CNN_H

#include "nn/model.h"

enum { MODEL_CNN_MAX_CONVS = 20, MODEL_CNN_MAX_DECODER = 6, MODEL_CNN_MAX_WIDTH = 4096 };

struct model_cnn_conv {
    int width, stride;
    bool pool; /* a 2x2 maximum follows */
};

struct model_cnn_spec {
    bool drawn; /* vae: mu, logvar and a draw, else the code itself */
    struct model_cnn_conv convs[MODEL_CNN_MAX_CONVS];
    int n_convs;
    int hidden, code;
    int decoder[MODEL_CNN_MAX_DECODER];
    int n_decoder;
};

/* Taps of a vae: what a loss reads beside the logits. A cnn's only tap is the first. */
enum { MODEL_CNN_TAP_MU, MODEL_CNN_TAP_LOGVAR, MODEL_CNN_TAP_IMAGE };

/* False if this is no such name. */
MUST_USE bool model_cnn_parse(struct model_cnn_spec *spec, const char *arch);

/* The name of a spec. */
void model_cnn_print(const struct model_cnn_spec *spec, char arch[256]);

/* From a code to an image, its parameters named as the vae's: for traversals. The input is code. */
MUST_USE bool model_cnn_decoder(struct graph **out, struct arena *keep,
                                const struct model_cnn_spec *spec, struct shape image,
                                struct err *e);

#endif
