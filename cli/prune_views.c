#include "cli/prune_views.h"

#include "cli/picture.h"
#include "cli/prune_rounds.h"
#include "cli/text.h"
#include "nas/metric.h"
#include "nn/model_cnn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PRUNE_VIEWS_MAX_ROWS = 10000, /* test images whose codes are measured */
    PRUNE_VIEWS_IMAGES = 10,
    PRUNE_VIEWS_DIMS = 10, /* latent dimensions shown, those of the largest KL */
    PRUNE_VIEWS_STEPS = 9, /* of a traversal, from -2 to 2 deviations */
    PRUNE_VIEWS_BINS = 61,
};

/* The codes of the first test images. */
struct prune_codes {
    int n, d;
    float *mu, *logvar; /* [n, d]; logvar NULL where nothing is drawn */
    struct shape image;
    int n_images;
    float *x, *made; /* [n_images, h, w, c]; made NULL without a decoder */
};

static bool prune_views_encode(struct prune_codes *codes, struct prune_job *j, struct net *net,
                               struct arena *keep)
{
    const struct graph *g = net_graph(net);
    size_t batch = MIN((size_t)options_int(j->o, "batch-size"), j->train_feed.n);
    size_t pixels = shape_count(j->test_feed.shape);
    int n_taps = g->n_taps;
    *codes = (struct prune_codes){.n = (int)MIN(j->test_feed.n, (size_t)PRUNE_VIEWS_MAX_ROWS),
                                  .d = g->nodes[g->taps[MODEL_CNN_TAP_MU]].shape.c,
                                  .image = j->test_feed.shape};
    codes->n_images = MIN(PRUNE_VIEWS_IMAGES, codes->n);
    size_t count = (size_t)codes->n * (size_t)codes->d;
    codes->mu = arena_push(keep, count, sizeof(float));
    codes->logvar = n_taps > MODEL_CNN_TAP_LOGVAR ? arena_push(keep, count, sizeof(float)) : NULL;
    codes->x = arena_push(keep, (size_t)codes->n_images * pixels, sizeof(float));
    if (n_taps > MODEL_CNN_TAP_IMAGE) {
        codes->made = arena_push(keep, (size_t)codes->n_images * pixels, sizeof(float));
    }
    float *x = arena_push(keep, batch * pixels, sizeof *x);
    int32_t *labels = arena_push(keep, batch, sizeof *labels);
    for (size_t at = 0; at < (size_t)codes->n; at += batch) {
        int n = (int)MIN(batch, (size_t)codes->n - at);
        size_t to = at * (size_t)codes->d, bytes = (size_t)n * (size_t)codes->d * sizeof(float);
        feed_fill(&j->test_feed, 0, at, n, x, labels);
        net_forward(net, &j->mc, x, n, false);
        memcpy(codes->mu + to, net_tap(net, MODEL_CNN_TAP_MU).data, bytes);
        if (codes->logvar) {
            memcpy(codes->logvar + to, net_tap(net, MODEL_CNN_TAP_LOGVAR).data, bytes);
        }
        for (int i = 0; i < n && (int)at + i < codes->n_images; i++) {
            size_t image = at + (size_t)i;
            memcpy(codes->x + image * pixels, x + (size_t)i * pixels, pixels * sizeof *x);
            if (codes->made) {
                memcpy(codes->made + image * pixels,
                       net_tap(net, MODEL_CNN_TAP_IMAGE).data + (size_t)i * pixels,
                       pixels * sizeof *x);
            }
        }
    }
    return true;
}

static bool prune_views_metrics(struct prune_job *j, const struct prune_codes *codes,
                                struct arena tmp, struct err *e)
{
    const struct dataset_factors *f = &j->test_ds.factors;
    struct metric_options options = metric_defaults();
    struct metric_data data = {.n = codes->n,
                               .d = codes->d,
                               .n_factors = f->n,
                               .codes = codes->mu,
                               .logvar = codes->logvar,
                               .factors = f->n ? f->values : NULL,
                               .cards = f->cards};
    struct arena words = arena_carve(&tmp, 65536);
    struct text text;
    options.seed = (uint64_t)options_int(j->o, "seed");
    text_init(&text, &words);
    text_add(&text, "metric,value\n");
    if (codes->n < METRIC_MIN_ROWS) {
        return file_write(prune_job_path(j, "metrics.csv"), text.s, text.n, e);
    }
    if (!metric_check(&data, e)) {
        return err_wrap(e, "the codes of the test images");
    }
    for (int i = 0; i < metric_count(); i++) {
        const struct metric *m = metric_at(i);
        double values[METRIC_MAX_VALUES];
        struct err why;
        if (!metric_applies(m, &data, &why)) {
            continue;
        }
        if (m->plan_bytes(&j->mc, &data, &options) > tmp.cap - tmp.used) {
            return err_set(e, ERR_FAILED, "metric %s needs more memory than there is", m->name);
        }
        struct metric_job job = {.mc = &j->mc, .data = &data, .options = &options, .tmp = tmp};
        bool ok = metric_measure(m, &job, values, &why);
        for (int v = 0; ok && v < m->n_values; v++) { /* codes that tell nothing have none */
            text_printf(&text, "%s,%.9g\n", m->value_names[v], values[v]);
        }
    }
    return file_write(prune_job_path(j, "metrics.csv"), text.s, text.n, e);
}

/* How the network's values become shares of light: a logit is squashed, a normalised value not. */
struct prune_light {
    bool logits;
    float scale[FEED_MAX_CHANNELS], shift[FEED_MAX_CHANNELS];
};

static void prune_views_light(struct prune_light *l, const struct prune_job *j)
{
    *l = (struct prune_light){.logits = j->vae.recon == VAE_BCE};
    for (int c = 0; c < FEED_MAX_CHANNELS; c++) {
        l->scale[c] = j->test_feed.std[c];
        l->shift[c] = j->test_feed.mean[c];
    }
}

static void prune_views_squash(const struct prune_light *l, float *x, size_t count)
{
    for (size_t i = 0; l->logits && i < count; i++) {
        x[i] = (float)(1 / (1 + exp(-(double)x[i])));
    }
}

/* Test images above, what the decoder makes of their codes below. */
static bool prune_views_reconstructions(struct prune_job *j, const struct prune_codes *codes,
                                        struct arena tmp, struct err *e)
{
    struct prune_light light;
    struct picture p;
    struct shape s = codes->image;
    int times = MAX(1, 64 / s.h), side_h = s.h * times + 4, side_w = s.w * times + 4;
    size_t pixels = shape_count(s);
    prune_views_light(&light, j);
    prune_views_squash(&light, codes->made, (size_t)codes->n_images * pixels);
    picture_init(&p, &tmp, 2 * side_h, codes->n_images * side_w, s.c);
    for (int i = 0; i < codes->n_images; i++) {
        const float *x = codes->x + (size_t)i * pixels, *made = codes->made + (size_t)i * pixels;
        picture_put(&p, 2, i * side_w + 2, x, s, times, light.scale, light.shift);
        picture_put(&p, side_h + 2, i * side_w + 2, made, s, times, light.scale, light.shift);
    }
    return picture_write(&p, prune_job_path(j, "reconstructions.png"), tmp, e);
}

/* Mean and deviation of each dimension's mean, and its KL, which orders them. */
struct prune_dim {
    double mean, deviation, kl;
    int i;
};

static int prune_views_dims(struct prune_dim *dims, const struct prune_codes *codes)
{
    for (int k = 0; k < codes->d; k++) {
        double sum = 0, squares = 0, kl = 0;
        for (int i = 0; i < codes->n; i++) {
            double m = codes->mu[i * codes->d + k], v = codes->logvar[i * codes->d + k];
            sum += m;
            squares += m * m;
            kl += (m * m + exp(v) - 1 - v) / 2;
        }
        double mean = sum / codes->n;
        struct prune_dim dim = {mean, sqrt(fmax(squares / codes->n - mean * mean, 0)),
                                kl / codes->n, k};
        int at = k; /* largest KL first; of equals the first */
        for (; at > 0 && dims[at - 1].kl < dim.kl; at--) {
            dims[at] = dims[at - 1];
        }
        dims[at] = dim;
    }
    return MIN(codes->d, PRUNE_VIEWS_DIMS);
}

/* A row a dimension: the code of the first test image, that dimension from -2 to 2 deviations. */
static bool prune_views_traversals(struct prune_job *j, const struct prune_codes *codes,
                                   const struct net *from, struct arena tmp, struct err *e)
{
    struct model_cnn_spec spec;
    struct graph *g;
    struct net *net;
    struct prune_light light;
    struct picture p;
    struct shape s = codes->image;
    bool known = model_cnn_parse(&spec, j->info.spec.arch);
    ASSERT(known);
    if (!model_cnn_decoder(&g, &j->nets, &spec, s, e) ||
        !net_new(&net, &j->nets, &j->mc, g, PRUNE_VIEWS_STEPS, NET_EVAL, e)) {
        return false;
    }
    prune_copy_params(net, from);
    prune_views_light(&light, j);
    struct prune_dim *dims = arena_push(&tmp, (size_t)codes->d, sizeof *dims);
    float *z = arena_push(&tmp, (size_t)PRUNE_VIEWS_STEPS * (size_t)codes->d, sizeof *z);
    size_t pixels = shape_count(s);
    float *made = arena_push(&tmp, PRUNE_VIEWS_STEPS * pixels, sizeof *made);
    int n_dims = prune_views_dims(dims, codes), times = MAX(1, 64 / s.h);
    int side_h = s.h * times + 4, side_w = s.w * times + 4;
    picture_init(&p, &tmp, n_dims * side_h, PRUNE_VIEWS_STEPS * side_w, s.c);
    for (int row = 0; row < n_dims; row++) {
        for (int i = 0; i < PRUNE_VIEWS_STEPS; i++) {
            double t = 4.0 * i / (PRUNE_VIEWS_STEPS - 1) - 2;
            memcpy(z + i * codes->d, codes->mu, (size_t)codes->d * sizeof *z);
            z[i * codes->d + dims[row].i] = (float)(dims[row].mean + t * dims[row].deviation);
        }
        const float *out = net_forward(net, &j->mc, z, PRUNE_VIEWS_STEPS, false);
        memcpy(made, out, PRUNE_VIEWS_STEPS * pixels * sizeof *made);
        prune_views_squash(&light, made, PRUNE_VIEWS_STEPS * pixels);
        for (int i = 0; i < PRUNE_VIEWS_STEPS; i++) {
            picture_put(&p, row * side_h + 2, i * side_w + 2, made + (size_t)i * pixels, s, times,
                        light.scale, light.shift);
        }
    }
    return picture_write(&p, prune_job_path(j, "traversals.png"), tmp, e);
}

bool prune_views_code(struct prune_job *j, struct err *e)
{
    if (file_exists(prune_job_path(j, "metrics.csv"))) {
        return true;
    }
    struct arena tmp = j->tmp;
    struct prune_codes codes;
    struct net *net;
    j->nets.used = 0;
    if (!prune_rounds_read(j, &net, PRUNE_ROUNDS_DENSE, NULL, NULL, e) ||
        !prune_views_encode(&codes, j, net, &tmp)) {
        return false;
    }
    if (codes.made && (!prune_views_reconstructions(j, &codes, tmp, e) ||
                       !prune_views_traversals(j, &codes, net, tmp, e))) {
        return false;
    }
    return prune_views_metrics(j, &codes, tmp, e); /* last: it says that all is there */
}

/* Weights other than zero in bins of equal width from -limit to limit; what lies beyond is in the
 * outer ones. */
static void prune_views_count(int *bins, const struct net *net, int i_param, double limit)
{
    const float *w = net_param_const(net, i_param);
    memset(bins, 0, PRUNE_VIEWS_BINS * sizeof *bins);
    for (size_t k = 0; k < net_graph(net)->params[i_param].count; k++) {
        double at = ((double)w[k] / limit + 1) / 2 * PRUNE_VIEWS_BINS;
        bins[(int)fmin(fmax(at, 0), PRUNE_VIEWS_BINS - 1)] += w[k] != 0;
    }
}

static double prune_views_limit(const struct net *net, int i_param)
{
    const float *w = net_param_const(net, i_param);
    double sum = 0;
    size_t n = net_graph(net)->params[i_param].count;
    for (size_t k = 0; k < n; k++) {
        sum += (double)w[k] * (double)w[k];
    }
    return fmax(4 * sqrt(sum / (double)n), 1e-6);
}

bool prune_views_weights(struct prune_job *j, struct err *e)
{
    struct net *dense, *pruned;
    struct arena tmp = j->tmp;
    struct text text;
    j->nets.used = 0;
    if (!prune_rounds_read(j, &dense, PRUNE_ROUNDS_DENSE, NULL, NULL, e) ||
        !prune_rounds_read(j, &pruned, PRUNE_ROUNDS_PRUNED, NULL, NULL, e)) {
        return false;
    }
    text_init(&text, &tmp);
    text_add(&text, "layer,from,to,dense,pruned\n");
    const struct graph *g = net_graph(dense);
    for (int i = 0; i < g->n_params; i++) { /* the graphs differ in widths only */
        if (!prune_is_prunable(g, i)) {
            continue;
        }
        int before[PRUNE_VIEWS_BINS], after[PRUNE_VIEWS_BINS];
        double limit = prune_views_limit(dense, i);
        prune_views_count(before, dense, i, limit);
        prune_views_count(after, pruned, i, limit);
        for (int b = 0; b < PRUNE_VIEWS_BINS; b++) {
            double from = limit * (2.0 * b / PRUNE_VIEWS_BINS - 1),
                   width = 2 * limit / PRUNE_VIEWS_BINS;
            text_printf(&text, "%s,%.6g,%.6g,%d,%d\n", g->params[i].name, from, from + width,
                        before[b], after[b]);
        }
    }
    return file_write(prune_job_path(j, "weights.csv"), text.s, text.n, e);
}
