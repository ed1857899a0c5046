#include "nas/reference.h"

#include <string.h>

#include "nas/cka.h"
#include "nn/loss.h"

/* Running statistics as they were: the reference is used in train mode, yet stays the network that
 * was loaded. */
static void reference_statistics(struct net *net, float *store, bool save)
{
    const struct graph *g = net_graph(net);
    for (int i = 0; i < g->n_params; i++) {
        if (!net_param_trained(net, i)) {
            size_t bytes = g->params[i].count * sizeof(float);
            memcpy(save ? store : net_param(net, i), save ? net_param(net, i) : store, bytes);
            store += g->params[i].count;
        }
    }
}

static size_t reference_statistics_count(const struct graph *g)
{
    size_t count = 0;
    for (int i = 0; i < g->n_params; i++) {
        count += g->params[i].count; /* an upper bound: trained ones are not stored */
    }
    return count;
}

static const float *reference_forward(struct net *net, const struct machine *mc, const float *x,
                                      int n, struct arena *tmp)
{
    float *store = arena_push(tmp, reference_statistics_count(net_graph(net)), sizeof *store);
    reference_statistics(net, store, true);
    const float *logits = net_forward(net, mc, x, n, true);
    reference_statistics(net, store, false);
    return logits;
}

bool reference_grams(struct score_batch *batch, struct arena *keep, const struct machine *mc,
                     struct net *reference, struct arena tmp, struct err *e)
{
    const struct graph *g = net_graph(reference);
    struct shape want = g->nodes[0].shape;
    if (want.h != batch->shape.h || want.w != batch->shape.w || want.c != batch->shape.c) {
        return err_set(e, ERR_INPUT, "the reference wants images %dx%dx%d, the batch has %dx%dx%d",
                       want.h, want.w, want.c, batch->shape.h, batch->shape.w, batch->shape.c);
    }
    reference_forward(reference, mc, batch->x, batch->n, &tmp);
    batch->n_taps = g->n_taps;
    for (int i = 0; i < g->n_taps; i++) {
        struct tensor tap = net_tap(reference, i);
        double *gram = arena_try(keep, (size_t)batch->n * (size_t)batch->n, sizeof *gram, e);
        if (!gram) {
            return false;
        }
        cka_gram(mc, gram, &tap, tmp);
        batch->gram[i] = gram;
    }
    return true;
}

/* Positions of the n_keep smallest losses, ascending; equal losses in order of position. */
static void reference_easiest(int *order, const float *loss, int n, int n_keep)
{
    for (int i = 0; i < n; i++) {
        int at = i < n_keep ? i : n_keep;
        while (at > 0 && loss[order[at - 1]] > loss[i]) {
            if (at < n_keep) {
                order[at] = order[at - 1];
            }
            at--;
        }
        if (at < n_keep) {
            order[at] = i;
        }
    }
}

bool reference_draw(struct reference_drawn *d, struct arena *keep, const struct feed *feed,
                    const struct reference_options *o, struct err *e)
{
    if (feed->n < (size_t)o->n_keep || o->n_keep < 2 || o->n_draw < o->n_keep) {
        err_set(e, ERR_USAGE, "a batch of %d out of %d drawn images: the data set has %zu",
                o->n_keep, o->n_draw, feed->n);
        return err_hint(e, "lower --batch-size, or use more data");
    }
    int n = (int)MIN(feed->n, (size_t)o->n_draw);
    float *x = arena_try(keep, (size_t)n * shape_count(feed->shape), sizeof *x, e);
    int32_t *labels = x ? arena_try(keep, (size_t)n, sizeof *labels, e) : NULL;
    if (!labels) {
        return false;
    }
    feed_fill(feed, 0, 0, n, x, labels);
    *d = (struct reference_drawn){
        .n = n, .shape = feed->shape, .n_classes = feed->n_classes, .x = x, .labels = labels};
    return true;
}

bool reference_batch(struct score_batch *batch, struct arena *keep, const struct machine *mc,
                     struct net *reference, const struct reference_drawn *d, int n_keep,
                     struct arena tmp, struct err *e)
{
    ASSERT(n_keep >= 2 && n_keep <= d->n);
    size_t image = shape_count(d->shape);
    float *loss = arena_push(&tmp, (size_t)d->n, sizeof *loss);
    int *order = arena_push(&tmp, (size_t)d->n, sizeof *order);
    struct arena scratch = tmp;
    const float *logits = reference_forward(reference, mc, d->x, d->n, &scratch);
    loss_cross_entropy(logits, d->labels, d->n, d->n_classes, 0, 1, NULL, loss);
    reference_easiest(order, loss, d->n, n_keep);

    float *batch_x = arena_try(keep, (size_t)n_keep * image, sizeof *batch_x, e);
    int32_t *batch_labels =
        batch_x ? arena_try(keep, (size_t)n_keep, sizeof *batch_labels, e) : NULL;
    if (!batch_labels) {
        return false;
    }
    for (int i = 0; i < n_keep; i++) {
        memcpy(batch_x + (size_t)i * image, d->x + (size_t)order[i] * image, image * sizeof *d->x);
        batch_labels[i] = d->labels[order[i]];
    }
    *batch = (struct score_batch){.n = n_keep,
                                  .shape = d->shape,
                                  .n_classes = d->n_classes,
                                  .x = batch_x,
                                  .labels = batch_labels};
    return reference_grams(batch, keep, mc, reference, tmp, e);
}
