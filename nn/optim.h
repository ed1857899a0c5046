/* optim.h: optimisers over a net's trained parameters. Learning rates come from nn/schedule.h. */
#ifndef NN_OPTIM_H
#define NN_OPTIM_H

#include "nn/net.h"

enum optim_kind { OPTIM_SGD, OPTIM_ADAM };

struct optim_config {
    enum optim_kind kind;
    float momentum; /* SGD */
    bool nesterov;  /* SGD */
    float decay;    /* L2, added to the gradient */
    bool decay_all; /* true: batch norm and biases are decayed too, as PyTorch does by default */
    float beta1, beta2, eps; /* Adam */
};

struct optim; /* its state: momentum or moments, in the arena */

size_t optim_plan_bytes(const struct graph *g, const struct optim_config *config);
struct optim *optim_new(struct arena *keep, const struct net *net,
                        const struct optim_config *config);

/* Forget momentum and moments; step counter back to 0. */
void optim_reset(struct optim *o);

/* One step with the gradients in the net. */
void optim_step(struct optim *o, struct net *net, const struct machine *mc, float lr);

/* State as named arrays for checkpoints: i = 0 .. optim_n_states-1. */
int optim_n_states(const struct optim *o);
float *optim_state(struct optim *o, int i, size_t *count, char *name, size_t name_len);
int64_t *optim_step_counter(struct optim *o);

#endif
