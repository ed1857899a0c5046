#define _GNU_SOURCE
/*
 * Pruning: counts and order by hand, layers against each other and one by one, what is gone stays
 * gone through more pruning and through training with momentum and decay, masks go to disk and back
 * and refuse what does not fit, and a network without its channels computes what the wide one does
 * with those channels silent.
 */
#include "core/rng.h"
#include "nn/loss.h"
#include "nn/prune_channels.h"
#include "nn/prune_file.h"
#include "nn/train.h"

#include "tests/scratch.h"

#include <math.h>

enum { BATCH = 8 };

static struct machine machine(void)
{
    struct machine mc;
    struct err e;
    assert_true(machine_init(&mc, "auto", 1, &e));
    return mc;
}

static struct net *make(struct arena *keep, const struct machine *mc, const char *arch)
{
    struct model_spec spec = {.input = {9, 9, 2}, .n_classes = 3};
    struct graph *g;
    struct net *net;
    struct err e;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    assert_true(model_build(&g, keep, &spec, &e));
    assert_true(net_new(&net, keep, mc, g, BATCH, NET_TRAIN, &e));
    net_init_params(net, NET_INIT_PYTORCH, 1);
    return net;
}

static const struct prune_criterion *criterion(const char *name)
{
    const struct prune_criterion *c = prune_criterion_find(name);
    assert_non_null(c);
    return c;
}

static void images(float *x, int32_t *labels)
{
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < BATCH * 9 * 9 * 2; i++) {
        x[i] = (float)rng_normal(&r);
    }
    for (int i = 0; i < BATCH; i++) {
        labels[i] = i % 3;
    }
}

/* Forward and backward of the cross-entropy; the loss. */
static double learn(struct net *net, const struct machine *mc)
{
    static float x[BATCH * 9 * 9 * 2];
    int32_t labels[BATCH];
    images(x, labels);
    const float *logits = net_forward(net, mc, x, BATCH, true);
    double loss = loss_cross_entropy(logits, labels, BATCH, 3, 0, 1, net_output_seed(net), NULL);
    net_backward(net, mc);
    return loss;
}

static void only_deployed_weights_are_prunable(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct net *net = make(&keep, &mc, "vae:4s:6:5:4");
    const struct graph *g = net_graph(net);
    char found[512] = "";
    for (int i = 0; i < g->n_params; i++) {
        if (prune_is_prunable(g, i)) {
            strcat(strcat(found, g->params[i].name), " ");
        }
    }
    assert_string_equal(found, "encoder.conv1.weight encoder.hidden.weight mu.weight head.weight ");
}

/* The weights of a layer that are gone are all below those that stay. */
static void smallest_go_first(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    for (int by_layer = 0; by_layer < 2; by_layer++) {
        struct arena keep = s->arena;
        struct net *net = make(&keep, &mc, "cnn:4s:6:5"), *dense = make(&keep, &mc, "cnn:4s:6:5");
        struct prune_mask m;
        struct err e;
        prune_mask_init(&m, &keep, net_graph(net));
        struct prune_rule rule = {.criterion = criterion("l1"), .by_layer = by_layer == 1};
        assert_true(prune_weights(&m, net, &rule, 0.3, keep, &e));
        double largest_gone = 0, smallest_kept = 1e9;
        size_t n_kept = 0;
        for (int i = 0; i < m.n_layers; i++) {
            const struct prune_layer *l = &m.layers[i];
            size_t n_gone = 0;
            largest_gone = by_layer ? 0 : largest_gone;
            smallest_kept = by_layer ? 1e9 : smallest_kept;
            for (size_t k = 0; k < l->count; k++) {
                double w = fabs((double)net_param(dense, l->i_param)[k]);
                assert_true(net_param(net, l->i_param)[k] ==
                            (l->kept[k] ? net_param(dense, l->i_param)[k] : 0));
                *(l->kept[k] ? &smallest_kept : &largest_gone) =
                    l->kept[k] ? fmin(smallest_kept, w) : fmax(largest_gone, w);
                n_gone += !l->kept[k];
            }
            n_kept += l->count - n_gone;
            if (by_layer) {
                assert_true(n_gone == (size_t)rint(0.3 * (double)l->count));
                assert_true(largest_gone <= smallest_kept);
            }
        }
        assert_true(largest_gone <= smallest_kept && n_kept == m.n_kept);
        assert_true(by_layer || m.n_weights - m.n_kept == (size_t)rint(0.3 * (double)m.n_weights));
    }
}

static void halves_round_to_even(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct net *net = make(&keep, &mc, "cnn:1:0:1"); /* 18 + 81 + 3 weights */
    struct prune_mask m;
    struct err e;
    struct prune_rule rule = {.criterion = criterion("l1"), .by_layer = true};
    prune_mask_init(&m, &keep, net_graph(net));
    assert_true(m.n_weights == 18 + 81 + 3);
    assert_true(prune_weights(&m, net, &rule, 0.5, keep, &e)); /* 9, 40.5 -> 40, 1.5 -> 2 */
    assert_true(m.n_weights - m.n_kept == 9 + 40 + 2);
}

static void more_pruning_revives_nothing(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    static const double levels[] = {0, 0.2, 0.2, 0.7, 0.95, 1};
    for (int c = 0; c < prune_n_criteria(); c++) {
        struct arena keep = s->arena;
        struct net *net = make(&keep, &mc, "cnn:4s:6:5");
        struct prune_mask m;
        struct err e;
        struct prune_rule rule = {.criterion = prune_criterion_at(c), .seed = 3};
        prune_mask_init(&m, &keep, net_graph(net));
        uint8_t *before = arena_push_zero(&keep, m.n_weights, 1);
        memset(before, 1, m.n_weights);
        for (size_t i = 0; i < N_ELEMS(levels); i++) {
            learn(net, &mc); /* gradients */
            assert_true(prune_weights(&m, net, &rule, levels[i], keep, &e));
            assert_true(m.n_weights - m.n_kept == (size_t)rint(levels[i] * (double)m.n_weights));
            size_t at = 0;
            for (int l = 0; l < m.n_layers; l++) {
                for (size_t k = 0; k < m.layers[l].count; k++, at++) {
                    assert_true(m.layers[l].kept[k] <= before[at]);
                    before[at] = m.layers[l].kept[k];
                }
            }
        }
        scratch_expect((assert_false(prune_weights(&m, net, &rule, 0.5, keep, &e)), &e), ERR_USAGE,
                       "less than");
    }
}

static void sparsity_must_be_a_share(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct net *net = make(&keep, &mc, "cnn:4s:6:5");
    struct prune_mask m;
    struct err e;
    struct prune_rule rule = {.criterion = criterion("l1")};
    static const double bad[] = {-0.1, 1.1, NAN, INFINITY};
    prune_mask_init(&m, &keep, net_graph(net));
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        assert_false(prune_weights(&m, net, &rule, bad[i], keep, &e));
        scratch_expect(&e, ERR_USAGE, "not within 0 and 1");
    }
}

static void random_is_keyed_and_gradient_is_snip(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct err e;
    struct prune_mask m[3];
    for (int i = 0; i < 3; i++) {
        struct net *net = make(&keep, &mc, "cnn:4s:6:5");
        struct prune_rule rule = {.criterion = criterion("random"), .seed = (uint64_t)(i / 2)};
        prune_mask_init(&m[i], &keep, net_graph(net));
        assert_true(prune_weights(&m[i], net, &rule, 0.5, keep, &e));
    }
    assert_memory_equal(m[0].layers[1].kept, m[1].layers[1].kept, m[0].layers[1].count);
    assert_memory_not_equal(m[0].layers[1].kept, m[2].layers[1].kept, m[0].layers[1].count);

    /* The sensitivity |w g| of a weight is what the loss changes by, to first order, without it: of
     * two networks without 5 % of the weights, the one that lost the most sensitive has moved more.
     */
    struct net *net = make(&keep, &mc, "cnn:4s:6:5");
    double loss = learn(net, &mc);
    struct prune_rule rule = {.criterion = criterion("gradient")};
    prune_mask_init(&m[0], &keep, net_graph(net));
    assert_true(prune_weights(&m[0], net, &rule, 0.05, keep, &e));
    double moved_least = fabs(learn(net, &mc) - loss);
    struct net *other = make(&keep, &mc, "cnn:4s:6:5");
    learn(other, &mc);
    prune_mask_init(&m[1], &keep, net_graph(other));
    assert_true(prune_weights(&m[1], other, &rule, 0.95, keep, &e));
    for (int i = 0; i < m[1].n_layers; i++) { /* the complement: the most sensitive 5 % go */
        for (size_t k = 0; k < m[1].layers[i].count; k++) {
            m[1].layers[i].kept[k] ^= 1;
        }
    }
    struct net *worst = make(&keep, &mc, "cnn:4s:6:5");
    prune_apply(&m[1], worst);
    double moved_most = fabs(learn(worst, &mc) - loss);
    assert_true(moved_most > 20 * moved_least);
}

static void masks_survive_training(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    static const struct optim_config optims[] = {
        {.kind = OPTIM_SGD, .momentum = 0.9f, .nesterov = true, .decay = 0.01f, .decay_all = true},
        {.kind = OPTIM_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .decay = 0.01f}};
    for (size_t i = 0; i < N_ELEMS(optims); i++) {
        struct arena keep = s->arena;
        struct net *net = make(&keep, &mc, "cnn:4s:6:5");
        struct prune_mask m;
        struct err e;
        struct prune_rule rule = {.criterion = criterion("l1")};
        struct optim *o = optim_new(&keep, net, &optims[i]);
        prune_mask_init(&m, &keep, net_graph(net));
        for (int step = 0; step < 20; step++) {
            learn(net, &mc);
            if (step == 5) { /* momentum is under way by now */
                assert_true(prune_weights(&m, net, &rule, 0.8, keep, &e));
                optim_reset(o);
            }
            prune_apply_gradients(&m, net);
            optim_step(o, net, &mc, 0.05f);
            prune_apply(&m, net);
            for (int l = 0; step > 5 && l < m.n_layers; l++) {
                for (size_t k = 0; k < m.layers[l].count; k++) {
                    assert_true(m.layers[l].kept[k] || net_param(net, m.layers[l].i_param)[k] == 0);
                }
            }
        }
    }
}

static void masks_go_to_disk_and_back(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct net *net = make(&keep, &mc, "cnn:4s:6:5"), *other = make(&keep, &mc, "cnn:4s:6:5");
    struct weights_info info = {.spec = {.arch = "cnn:4s:6:5", .input = {9, 9, 2}, .n_classes = 3}};
    struct prune_mask m, back;
    struct err e;
    struct prune_rule rule = {.criterion = criterion("l1")};
    const char *const meta[][2] = {{"round", "7"}};
    prune_mask_init(&m, &keep, net_graph(net));
    prune_mask_init(&back, &keep, net_graph(net));
    assert_true(prune_weights(&m, net, &rule, 0.6, keep, &e));
    const char *path = scratch_path(s, "pruned");
    assert_true(prune_file_save(&m, net, &info, meta, 1, path, keep, &e));
    assert_true(weights_load(other, path, keep, &e)); /* masks are passed over */
    assert_true(prune_file_load(&back, net_graph(net), path, keep, &e));
    assert_true(back.n_kept == m.n_kept);
    for (int i = 0; i < m.n_layers; i++) {
        assert_memory_equal(m.layers[i].kept, back.layers[i].kept, m.layers[i].count);
    }

    struct safetensors st;
    struct arena tmp = keep;
    assert_true(safetensors_read(&st, &tmp, path, &e));
    assert_string_equal(safetensors_meta(&st, "round"), "7");
    struct safetensors_entry *t = NULL;
    for (int i = 0; i < st.n; i++) {
        t = strcmp(st.entries[i].name, "mu.weight_mask") == 0 ? &st.entries[i] : t;
    }
    assert_non_null(t);
    uint8_t *bytes = arena_push(&tmp, t->bytes, 1);
    memcpy(bytes, t->data, t->bytes);
    t->data = bytes;
    size_t gone = 0;
    while (bytes[gone] == 1) {
        gone++;
    }
    const char *bad = scratch_path(s, "bad");
    struct prune_mask before = back;
    bytes[gone] = 2; /* neither gone nor there */
    assert_true(safetensors_write(&st, bad, tmp, &e));
    assert_false(prune_file_load(&back, net_graph(net), bad, keep, &e));
    scratch_expect(&e, ERR_INPUT, "mu.weight_mask, element");
    size_t kept = 0;
    bytes[gone] = 0;
    while (bytes[kept] == 0) {
        kept++;
    }
    bytes[kept] = 0; /* gone, but the weight is there */
    assert_true(safetensors_write(&st, bad, tmp, &e));
    assert_false(prune_file_load(&back, net_graph(net), bad, keep, &e));
    scratch_expect(&e, ERR_INPUT, "a weight of 0");
    t->dims[0] *= t->dims[1];
    t->dims[1] = 1;
    assert_true(safetensors_write(&st, bad, tmp, &e));
    assert_false(prune_file_load(&back, net_graph(net), bad, keep, &e));
    scratch_expect(&e, ERR_INPUT, "does not fit");
    assert_true(back.n_kept == before.n_kept);
}

/* Silence a channel: its convolution or unit and all that could let it speak again. */
static void silence(struct net *net, const struct prune_channels *c)
{
    const struct graph *g = net_graph(net);
    for (int p = 0; p < g->n_params; p++) {
        const struct param *param = &g->params[p];
        for (int l = 0; l < c->n_layers; l++) {
            char conv[32], bn[32];
            snprintf(conv, sizeof conv, "encoder.conv%d.", l + 1);
            snprintf(bn, sizeof bn, "encoder.bn%d.", l + 1);
            bool mine = l < c->spec.n_convs ? strncmp(param->name, conv, strlen(conv)) == 0 ||
                                                  strncmp(param->name, bn, strlen(bn)) == 0
                                            : strncmp(param->name, "encoder.hidden.", 15) == 0;
            for (size_t k = 0; mine && net_param_trained(net, p) && k < param->count; k++) {
                if (!c->kept[l][k % (size_t)c->width[l]]) {
                    net_param(net, p)[k] = 0;
                }
            }
        }
    }
    net_params_changed(net);
}

static void removed_channels_were_silent(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    static const char *const archs[] = {"cnn:6,M,8s:10:5", "cnn:7s:0:4", "vae:5s,6:8:4"};
    for (size_t a = 0; a < N_ELEMS(archs); a++) {
        for (int c = 0; c < prune_n_criteria(); c++) {
            struct arena keep = s->arena;
            struct net *net = make(&keep, &mc, archs[a]);
            struct prune_channels ch;
            struct err e;
            struct prune_rule rule = {.criterion = prune_criterion_at(c), .seed = 1};
            learn(net, &mc); /* running statistics and gradients */
            assert_true(prune_channels_init(&ch, &keep, archs[a], &e));
            int n_gone = ch.n_channels / 2;
            assert_true(prune_channels_choose(&ch, net, &rule, n_gone, 1, keep, &e));
            assert_int_equal(ch.n_channels - ch.n_kept, n_gone);
            char left[256];
            prune_channels_arch(&ch, left);
            struct net *small = make(&keep, &mc, left);
            prune_channels_copy(&ch, small, net, keep);
            silence(net, &ch);
            static float x[BATCH * 9 * 9 * 2];
            int32_t labels[BATCH];
            float wide[BATCH * 3];
            images(x, labels);
            memcpy(wide, net_forward(net, &mc, x, BATCH, false), sizeof wide);
            const float *narrow = net_forward(small, &mc, x, BATCH, false);
            for (int i = 0; i < BATCH * 3; i++) {
                /* The same sums without their zeros, in another order: some 300 terms below 1. */
                if (fabs((double)(wide[i] - narrow[i])) > 2e-5) {
                    fail_msg("%s -> %s: %g, %g", archs[a], left, (double)wide[i],
                             (double)narrow[i]);
                }
            }
        }
    }
}

static void emptied_layers_are_refused(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct net *net = make(&keep, &mc, "cnn:4s:6:5");
    struct prune_channels c;
    struct err e;
    struct prune_rule rule = {.criterion = criterion("l1")};
    assert_true(prune_channels_init(&c, &keep, "cnn:4s:6:5", &e));
    assert_false(prune_channels_choose(&c, net, &rule, 10, 0, keep, &e));
    scratch_expect(&e, ERR_INPUT, "nothing would be left of layer encoder.");
    assert_true(prune_channels_init(&c, &keep, "cnn:4s:6:5", &e));
    assert_true(prune_channels_choose(&c, net, &rule, 10, 1, keep, &e));
    assert_int_equal(c.n_kept, 2);
    assert_false(prune_channels_init(&c, &keep, "resnet20", &e));
    scratch_expect(&e, ERR_USAGE, "resnet20");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_deployed_weights_are_prunable),
        cmocka_unit_test(smallest_go_first),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(more_pruning_revives_nothing),
        cmocka_unit_test(sparsity_must_be_a_share),
        cmocka_unit_test(random_is_keyed_and_gradient_is_snip),
        cmocka_unit_test(masks_survive_training),
        cmocka_unit_test(masks_go_to_disk_and_back),
        cmocka_unit_test(removed_channels_were_silent),
        cmocka_unit_test(emptied_layers_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
