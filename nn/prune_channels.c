#include "nn/prune_channels.h"

#include "core/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool prune_channels_init(struct prune_channels *c, struct arena *keep, const char *arch,
                         struct err *e)
{
    *c = (struct prune_channels){0};
    if (!model_cnn_parse(&c->spec, arch)) {
        err_set(e, ERR_USAGE, "channels of %s cannot be pruned", arch);
        return err_hint(e, "those of cnn:... and vae:... networks can");
    }
    for (int i = 0; i < c->spec.n_convs; i++) {
        c->width[c->n_layers++] = c->spec.convs[i].width;
    }
    if (c->spec.hidden > 0) {
        c->width[c->n_layers++] = c->spec.hidden;
    }
    for (int i = 0; i < c->n_layers; i++) {
        c->kept[i] = arena_push(keep, (size_t)c->width[i], 1);
        memset(c->kept[i], 1, (size_t)c->width[i]);
        c->n_channels += c->width[i];
    }
    c->n_kept = c->n_channels;
    return true;
}

static void layer_name(const struct prune_channels *c, int i_layer, const char *suffix, char *name,
                       size_t len)
{
    if (i_layer < c->spec.n_convs) {
        snprintf(name, len, "encoder.conv%d%s", i_layer + 1, suffix);
    } else {
        snprintf(name, len, "encoder.hidden%s", suffix);
    }
}

static int find_param(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_params; i++) {
        if (strcmp(g->params[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

struct channel {
    double score;
    int layer, i;
};

static int by_score(const void *a, const void *b)
{
    const struct channel *p = a, *q = b;
    if (p->score != q->score) {
        return p->score < q->score ? -1 : 1;
    }
    return p->layer != q->layer ? (p->layer < q->layer ? -1 : 1) : (p->i > q->i) - (p->i < q->i);
}

/* The mean score of a channel's weights: layers of different fan-in can then compete. */
static void score_layer(struct channel *out, const struct prune_channels *c, int i_layer,
                        struct net *net, const struct prune_rule *rule)
{
    char name[64];
    layer_name(c, i_layer, ".weight", name, sizeof name);
    int i_param = find_param(net_graph(net), name), width = c->width[i_layer];
    ASSERT(i_param >= 0);
    const struct prune_criterion *criterion = rule->criterion;
    const float *w = net_param_const(net, i_param);
    const float *g = criterion->needs_gradient ? net_param_grad(net, i_param) : NULL;
    size_t rows = net_graph(net)->params[i_param].count / (size_t)width;
    struct rng r = rng_key(rule->seed, RNG_PRUNE, (uint64_t)1 << 32 | (uint64_t)i_layer);
    for (int k = 0; k < width; k++) {
        double sum = 0;
        for (size_t row = 0; !criterion->is_random && row < rows; row++) {
            size_t at = row * (size_t)width + (size_t)k;
            sum += criterion->score((double)w[at], g ? (double)g[at] : 0);
        }
        double score = criterion->is_random ? rng_f64(&r) : sum / (double)rows;
        out[k] = (struct channel){criterion->finish ? criterion->finish(score) : score, i_layer, k};
    }
}

static bool take(struct prune_channels *c, struct channel *s, int n, int n_gone, int min_width,
                 struct err *e)
{
    qsort(s, (size_t)n, sizeof *s, by_score);
    int left[PRUNE_CHANNELS_MAX_LAYERS];
    memcpy(left, c->width, sizeof left);
    for (int i = 0; i < n && n_gone > 0; i++) {
        int layer = s[i].layer;
        if (left[layer] <= min_width) {
            continue;
        }
        if (left[layer] == 1) {
            char name[64];
            layer_name(c, layer, "", name, sizeof name);
            err_set(e, ERR_INPUT, "nothing would be left of layer %s (%d channels)", name,
                    c->width[layer]);
            return err_hint(e, "a lower --sparsity, --scope layer, or --min-width 1");
        }
        c->kept[layer][s[i].i] = 0;
        left[layer]--;
        c->n_kept--;
        n_gone--;
    }
    return true;
}

bool prune_channels_choose(struct prune_channels *c, struct net *net, const struct prune_rule *rule,
                           int n_gone, int min_width, struct arena tmp, struct err *e)
{
    ASSERT(n_gone >= 0 && n_gone <= c->n_channels && c->n_kept == c->n_channels);
    struct channel *s = arena_try(&tmp, (size_t)c->n_channels, sizeof *s, e);
    if (!s) {
        return false;
    }
    int n = 0;
    for (int i = 0; i < c->n_layers; i++) {
        score_layer(s + n, c, i, net, rule);
        int share = (int)rint((double)n_gone * c->width[i] / c->n_channels);
        if (rule->by_layer && !take(c, s + n, c->width[i], share, min_width, e)) {
            return false;
        }
        n += c->width[i];
    }
    return rule->by_layer || take(c, s, n, n_gone, min_width, e);
}

static int count_kept(const struct prune_channels *c, int i_layer)
{
    int n = 0;
    for (int i = 0; i < c->width[i_layer]; i++) {
        n += c->kept[i_layer][i];
    }
    return n;
}

void prune_channels_arch(const struct prune_channels *c, char arch[256])
{
    struct model_cnn_spec left = c->spec;
    for (int i = 0; i < left.n_convs; i++) {
        left.convs[i].width = count_kept(c, i);
    }
    left.hidden = left.hidden > 0 ? count_kept(c, left.n_convs) : 0;
    model_cnn_print(&left, arch);
}

/* Which of `count` places along one side of a parameter stay: a layer's channels, each `times` long
 * (flattened pixels, [c][h][w]); i_layer < 0: all. Returns how many. */
static int places(int *out, const struct prune_channels *c, int i_layer, int count)
{
    int n = 0, times = i_layer < 0 ? 1 : count / c->width[i_layer];
    for (int i = 0; i < count; i++) {
        if (i_layer < 0 || c->kept[i_layer][i / times]) {
            out[n++] = i;
        }
    }
    return n;
}

/* The layers whose channels are the inputs and the outputs of a parameter, -1 = neither. */
static void sides(const struct prune_channels *c, const char *name, int *in, int *out)
{
    int i = 0, last_conv = c->spec.n_convs - 1;
    *in = *out = -1;
    if (sscanf(name, "encoder.conv%3d.", &i) == 1) {
        *in = i - 2;
        *out = i - 1;
    } else if (sscanf(name, "encoder.bn%3d.", &i) == 1) {
        *out = i - 1;
    } else if (strncmp(name, "encoder.hidden.", 15) == 0) {
        *in = last_conv;
        *out = last_conv + 1;
    } else if (strncmp(name, "mu.", 3) == 0 || strncmp(name, "logvar.", 7) == 0) {
        *in = c->spec.hidden > 0 ? last_conv + 1 : last_conv;
    }
}

void prune_channels_copy(const struct prune_channels *c, struct net *to, const struct net *from,
                         struct arena tmp)
{
    const struct graph *a = net_graph(to), *b = net_graph(from);
    for (int i = 0; i < a->n_params; i++) {
        struct arena scratch = tmp;
        int j = find_param(b, a->params[i].name), in, out;
        ASSERT(j >= 0);
        const struct param_spec *spec = &b->params[j].spec;
        /* [area][inputs][outputs]: conv [kh kw][c][k], linear [1][c][k], vectors [1][1][c]. */
        int last = spec->n_dims - 1;
        int n_out = spec->dims[last], n_in = last > 0 ? spec->dims[last - 1] : 1;
        size_t area = b->params[j].count / (size_t)(n_in * n_out), at = 0;
        sides(c, a->params[i].name, &in, &out);
        int *cols = arena_push(&scratch, (size_t)n_out, sizeof *cols);
        int *rows = arena_push(&scratch, (size_t)n_in, sizeof *rows);
        int n_cols = places(cols, c, out, n_out),
            n_rows = places(rows, c, last > 0 ? in : -1, n_in);
        ASSERT(area * (size_t)(n_cols * n_rows) == a->params[i].count);
        float *y = net_param(to, i);
        const float *x = net_param_const(from, j);
        for (size_t s = 0; s < area; s++, x += n_in * n_out) {
            for (int r = 0; r < n_rows; r++) {
                for (int k = 0; k < n_cols; k++) {
                    y[at++] = x[rows[r] * n_out + cols[k]];
                }
            }
        }
    }
    net_params_changed(to);
}
