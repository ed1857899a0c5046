/*
 * prune_channels.h: structured pruning of the networks of nn/model_cnn.h: channels of convolutions
 * and units of the hidden layer that are really gone, so that the network left is an ordinary,
 * narrower one. The code and the decoder keep their size.
 */
#ifndef NN_PRUNE_CHANNELS_H
#define NN_PRUNE_CHANNELS_H

#include "nn/model_cnn.h"
#include "nn/prune.h"

enum { PRUNE_CHANNELS_MAX_LAYERS = MODEL_CNN_MAX_CONVS + 1 };

struct prune_channels {
    struct model_cnn_spec spec; /* of the network they are chosen from */
    int n_layers;               /* convolutions, then the hidden layer if there is one */
    int width[PRUNE_CHANNELS_MAX_LAYERS];
    uint8_t *kept[PRUNE_CHANNELS_MAX_LAYERS]; /* [width] 1 or 0 */
    int n_channels, n_kept;                   /* over all layers */
};

/* Everything kept. ERR_USAGE where the graph's name is none of nn/model_cnn.h. */
MUST_USE bool prune_channels_init(struct prune_channels *c, struct arena *keep, const char *arch,
                                  struct err *e);

/* Take away n_gone channels, those of the lowest scores (rule->by_layer: the same share of each
 * layer). No layer goes below min_width; with min_width 0, ERR_INPUT where one would be empty. */
MUST_USE bool prune_channels_choose(struct prune_channels *c, struct net *net,
                                    const struct prune_rule *rule, int n_gone, int min_width,
                                    struct arena tmp, struct err *e);

/* Name of what is left. */
void prune_channels_arch(const struct prune_channels *c, char arch[256]);

/* Fill the parameters of the smaller net with those that are left of `from`, shape: of an image. */
void prune_channels_copy(const struct prune_channels *c, struct net *to, const struct net *from,
                         struct arena tmp);

#endif
