#include "nas/trial.h"

#include "nn/loss.h"

static struct graph trial_graph(const struct graph *g, unsigned want)
{
    struct graph copy = *g;
    copy.keep_values = (want & TRIAL_VALUES) != 0;
    copy.want_input_grad = (want & TRIAL_INPUT_GRAD) != 0;
    return copy;
}

size_t trial_bytes(const struct machine *mc, const struct graph *g, int n, unsigned want)
{
    struct graph copy = trial_graph(g, want);
    size_t logits = arena_round((size_t)n * sizeof(float));
    return net_plan_bytes(mc, &copy, n, NET_TRAIN) + weights_scratch_bytes(g, 0, 0) + logits +
           arena_round(sizeof copy) + (size_t)(1 << 16);
}

bool trial_open(struct trial *t, const struct score_job *job, int n, unsigned want, struct err *e)
{
    ASSERT(job && job->graph && n > 0);
    *t = (struct trial){.job = job, .tmp = job->tmp};
    struct graph *copy = arena_push(&t->tmp, 1, sizeof *copy);
    *copy = trial_graph(job->graph, want);
    t->graph = copy;
    if (!net_new(&t->net, &t->tmp, job->mc, copy, n, NET_TRAIN, e)) {
        return false;
    }
    net_init_params(t->net, job->options->init, job->options->seed);
    if (job->init_path && !weights_load(t->net, job->init_path, t->tmp, e)) {
        return false;
    }
    return !job->save_init_path || weights_save(t->net, job->info, job->save_init_path, t->tmp, e);
}

const float *trial_forward(struct trial *t, const float *x, int n)
{
    return net_forward(t->net, t->job->mc, x, n, true);
}

double trial_backward(struct trial *t, const float *x, const int32_t *labels, int n)
{
    const float *logits = trial_forward(t, x, n);
    double loss = loss_cross_entropy(logits, labels, n, t->job->batch->n_classes, 0, 1,
                                     net_output_seed(t->net), NULL);
    net_backward(t->net, t->job->mc);
    return loss;
}

bool trial_is_weight(const struct trial *t, int i_param)
{
    ASSERT(i_param >= 0 && i_param < t->graph->n_params);
    return t->graph->params[i_param].spec.kind == PARAM_WEIGHT;
}

void trial_defaults(struct score_options *o)
{
    *o = (struct score_options){.init = NET_INIT_PYTORCH, .seed = 1};
}
