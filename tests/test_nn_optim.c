/*
 * Losses, optimisers and schedules: values worked out by hand or printed by PyTorch 1.13 in double
 * (quoted at each), and gradients of the losses against central differences.
 */
#include "core/rng.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "nn/optim.h"
#include "nn/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void near(double found, double expected, double bound)
{
    if (!(fabs(found - expected) <= bound)) {
        fail_msg("found %.12g, expected %.12g within %g", found, expected, bound);
    }
}

static const float logits[6] = {1.0f, 2.0f, -0.5f, 0.25f, -3.0f, 4.0f};
static const int32_t labels[2] = {1, 0};

/* torch.nn.functional.cross_entropy(tensor(logits).view(2, 3), tensor([1, 0]), label_smoothing = 0,
 * then 0.1). */
static void cross_entropy_is_pytorchs(void **state)
{
    (void)state;
    float per_image[2], d[6];
    double lse0 = log(exp(1) + exp(2) + exp(-0.5)), lse1 = log(exp(0.25) + exp(-3) + exp(4));
    double plain = ((lse0 - 2) + (lse1 - 0.25)) / 2;
    near(loss_cross_entropy(logits, labels, 2, 3, 0, 1, d, per_image), plain, 1e-12);
    near((double)per_image[0], lse0 - 2, 1e-6);
    near((double)per_image[1], lse1 - 0.25, 1e-6);
    near((double)d[0], exp(1 - lse0) / 2, 1e-7);
    near((double)d[1], (exp(2 - lse0) - 1) / 2, 1e-7);
    double mean0 = lse0 - 2.5 / 3, mean1 = lse1 - 1.25 / 3;
    double smooth = 0.9 * plain + 0.1 * (mean0 + mean1) / 2;
    near(loss_cross_entropy(logits, labels, 2, 3, 0.1f, 1, NULL, NULL), smooth, 1e-8);
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float big[3] = {1e4f, -1e4f, 0};
    const int32_t label[1] = {1};
    near(loss_cross_entropy(big, label, 1, 3, 0, 1, NULL, NULL), 2e4, 1e-9);
    const float x[2] = {1e4f, -1e4f}, t[2] = {0, 1};
    float dx[2];
    near(loss_bce(x, t, 2, 1, dx), 1e4, 1e-9);
    near((double)dx[0], 0.5, 0);
    near((double)dx[1], -0.5, 0);
}

typedef double loss_fn(const float *x, float *dx);

static double smoothed(const float *x, float *dx)
{
    return loss_cross_entropy(x, labels, 2, 3, 0.1f, 1, dx, NULL);
}

static const float targets[6] = {0, 1, 0.25f, 0.5f, 1, 0};

static double mse(const float *x, float *dx)
{
    return loss_mse(x, targets, 6, 1, dx);
}

static double bce(const float *x, float *dx)
{
    return loss_bce(x, targets, 6, 1, dx);
}

/* The losses compute in double from float inputs; the step is exact in float, its error O(h^2) =
 * 1e-6. */
static void gradients_equal_central_differences(void **state)
{
    (void)state;
    static loss_fn *const losses[] = {smoothed, mse, bce};
    const float h = 0x1p-10f;
    for (size_t i = 0; i < N_ELEMS(losses); i++) {
        float x[6], dx[6];
        memcpy(x, logits, sizeof x);
        losses[i](x, dx);
        for (int j = 0; j < 6; j++) {
            x[j] = logits[j] + h;
            double up = losses[i](x, NULL);
            x[j] = logits[j] - h;
            double down = losses[i](x, NULL);
            x[j] = logits[j];
            near((double)dx[j], (up - down) / (2 * (double)h), 2e-6);
        }
    }
}

static void weight_scales_gradients_only(void **state)
{
    (void)state;
    float a[6], b[6];
    double x = loss_cross_entropy(logits, labels, 2, 3, 0, 1, a, NULL);
    assert_true(loss_cross_entropy(logits, labels, 2, 3, 0, 4, b, NULL) == x);
    for (int i = 0; i < 6; i++) {
        assert_true(b[i] == 4 * a[i]);
    }
}

static void first_of_equal_logits_counts(void **state)
{
    (void)state;
    const float equal[6] = {1, 1, 0, 0, 2, 2};
    assert_int_equal(loss_count_correct(equal, (int32_t[]){0, 1}, 2, 3), 2);
    assert_int_equal(loss_count_correct(equal, (int32_t[]){1, 2}, 2, 3), 0);
}

struct state {
    struct machine mc;
    struct arena arena;
};

static int setup(void **state)
{
    static struct state s;
    struct err e;
    if (!machine_init(&s.mc, "auto", 1, &e) || !arena_init(&s.arena, (size_t)64 << 20, &e)) {
        return 1;
    }
    *state = &s;
    return 0;
}

/* A linear layer 1 -> 1 without ReLU: one weight, one bias. Image x, gradient seed g: dw = g x, db
 * = g. */
static struct net *tiny_net(struct state *s, struct arena *tmp)
{
    struct graph *g = graph_new(tmp, (struct shape){1, 1, 1});
    struct net *net;
    struct err e;
    assert_true(graph_finish(g, graph_linear(g, 0, 1, "l"), &e));
    assert_true(net_new(&net, tmp, &s->mc, g, 1, NET_TRAIN, &e));
    return net;
}

static void tiny_step(struct state *s, struct net *net, struct optim *o, float seed, float lr)
{
    static const float x[1] = {2};
    net_forward(net, &s->mc, x, 1, true);
    *net_output_seed(net) = seed;
    net_backward(net, &s->mc);
    optim_step(o, net, &s->mc, lr);
}

/* w = 1, gradients 2, 4: by hand, momentum .9, decay .1 (weights only). */
static void sgd_by_hand(void **state)
{
    struct state *s = *state;
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        struct arena tmp = s->arena;
        struct net *net = tiny_net(s, &tmp);
        struct optim_config config = {
            .kind = OPTIM_SGD, .momentum = 0.9f, .nesterov = nesterov, .decay = 0.1f};
        struct optim *o = optim_new(&tmp, net, &config);
        double w = 1, v = 0, b = -1, u = 0;
        net_param(net, 0)[0] = 1;
        net_param(net, 1)[0] = -1;
        for (int i = 1; i <= 5; i++) {
            double gw = 2 * i + 0.1 * w, gb = i;
            v = 0.9 * v + gw;
            u = 0.9 * u + gb;
            w -= 0.01 * (nesterov ? gw + 0.9 * v : v);
            b -= 0.01 * (nesterov ? gb + 0.9 * u : u);
            tiny_step(s, net, o, (float)i, 0.01f);
            near((double)net_param(net, 0)[0], w, 1e-6);
            near((double)net_param(net, 1)[0], b, 1e-6);
        }
        assert_int_equal(*optim_step_counter(o), 5);
        optim_reset(o);
        assert_int_equal(*optim_step_counter(o), 0);
        float before = net_param(net, 1)[0];
        tiny_step(s, net, o, 1, 0.01f);
        near((double)(net_param(net, 1)[0] - before), -0.01 * (nesterov ? 1.9 : 1), 1e-7);
    }
}

/* [Kingma2015, Alg. 1] in double beside it; the first step is lr times the sign of the gradient. */
static void adam_by_hand(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct net *net = tiny_net(s, &tmp);
    struct optim_config config = {.kind = OPTIM_ADAM,
                                  .decay = 0.01f,
                                  .decay_all = true,
                                  .beta1 = 0.9f,
                                  .beta2 = 0.999f,
                                  .eps = 1e-8f};
    struct optim *o = optim_new(&tmp, net, &config);
    double w = 0.5, m = 0, v = 0;
    net_param(net, 0)[0] = 0.5f;
    for (int i = 1; i <= 6; i++) {
        double g = 2 * (i % 2 ? 1 : -0.5) + 0.01 * w;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        w -= 0.1 * (m / (1 - pow(0.9, i))) / (sqrt(v / (1 - pow(0.999, i))) + 1e-8);
        tiny_step(s, net, o, i % 2 ? 1 : -0.5f, 0.1f);
        near((double)net_param(net, 0)[0], w, 2e-6);
        if (i == 1) {
            near(w, 0.4, 1e-6);
        }
    }
}

static void states_come_as_named_arrays(void **state)
{
    struct state *s = *state;
    struct arena tmp = s->arena;
    struct net *net = tiny_net(s, &tmp);
    struct optim_config sgd = {.kind = OPTIM_SGD},
                        adam = {.kind = OPTIM_ADAM, .beta1 = 0.9f, .beta2 = 0.9f, .eps = 1};
    assert_int_equal(optim_n_states(optim_new(&tmp, net, &sgd)), 0);
    sgd.momentum = 0.5f;
    struct optim *o = optim_new(&tmp, net, &sgd);
    assert_int_equal(optim_n_states(o), 1);
    char name[32];
    size_t count;
    tiny_step(s, net, o, 3, 0);
    const float *v = optim_state(o, 0, &count, name, sizeof name);
    assert_string_equal(name, "optim.momentum");
    assert_true(v[0] == 6 && v[count / 2] == 3);
    assert_int_equal(optim_n_states(optim_new(&tmp, net, &adam)), 2);
    size_t used = tmp.used;
    optim_new(&tmp, net, &adam);
    assert_int_equal(tmp.used - used, optim_plan_bytes(net_graph(net), &adam));
}

/* OneCycleLR(SGD, max_lr = .1, total_steps = 20) of PyTorch 1.13, steps 0, 1, 4, 5, 6, 12, 19
 * (pct_start .3). */
static void one_cycle_is_pytorchs(void **state)
{
    (void)state;
    struct schedule s = {
        .kind = SCHEDULE_ONE_CYCLE, .lr_max = 0.1, .lr_final = 0.1 / 25 / 1e4, .warmup = 0.3};
    static const struct {
        int step;
        double lr;
    } known[] = {{0, 0.004}, {1, 0.0131671842700025}, {4, 0.0908328157299975},
                 {5, 0.1},   {6, 0.0987464006235087}, {12, 0.0500002},
                 {19, 4e-07}};
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        near(schedule_lr(&s, known[i].step, 20), known[i].lr, 1e-12);
    }
}

static void other_schedules_by_hand(void **state)
{
    (void)state;
    struct schedule constant = {.kind = SCHEDULE_CONSTANT, .lr_max = 0.1};
    near(schedule_lr(&constant, 0, 10), 0.1, 0);
    near(schedule_lr(&constant, 9, 10), 0.1, 0);
    struct schedule cosine = {.kind = SCHEDULE_COSINE, .lr_max = 0.1, .lr_final = 0.02};
    near(schedule_lr(&cosine, 0, 200), 0.1, 1e-15);
    near(schedule_lr(&cosine, 50, 200), 0.02 + 0.08 * (1 + sqrt(0.5)) / 2, 1e-15);
    near(schedule_lr(&cosine, 100, 200), 0.06, 1e-15);
    struct schedule warm = {.kind = SCHEDULE_COSINE, .lr_max = 0.1, .warmup = 0.1};
    near(schedule_lr(&warm, 0, 100), 0.1 / 11, 1e-15);
    near(schedule_lr(&warm, 9, 100), 0.1 * 10 / 11, 1e-15);
    near(schedule_lr(&warm, 10, 100), 0.1, 1e-15);
    struct schedule step = {.kind = SCHEDULE_STEP,
                            .lr_max = 0.1,
                            .step_factor = 0.1,
                            .milestones = {0.5, 0.75},
                            .n_milestones = 2};
    near(schedule_lr(&step, 99, 200), 0.1, 1e-15);
    near(schedule_lr(&step, 100, 200), 0.01, 1e-15);
    near(schedule_lr(&step, 150, 200), 0.001, 1e-15);
    near(schedule_lr(&step, 500, 200), 0.001, 1e-15);
}

/* Tiny runs have no room for phases; they must still give finite, non-negative rates. */
static void short_runs_are_finite(void **state)
{
    (void)state;
    for (int kind = SCHEDULE_CONSTANT; kind <= SCHEDULE_ONE_CYCLE; kind++) {
        for (int n = 1; n < 12; n++) {
            for (int i = 0; i < n; i++) {
                struct schedule s = {
                    .kind = (enum schedule_kind)kind, .lr_max = 0.1, .warmup = 0.3};
                double lr = schedule_lr(&s, i, n);
                assert_true(lr >= 0 && lr <= 0.1 + 1e-15);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_is_pytorchs),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(weight_scales_gradients_only),
        cmocka_unit_test(first_of_equal_logits_counts),
        cmocka_unit_test(sgd_by_hand),
        cmocka_unit_test(adam_by_hand),
        cmocka_unit_test(states_come_as_named_arrays),
        cmocka_unit_test(one_cycle_is_pytorchs),
        cmocka_unit_test(other_schedules_by_hand),
        cmocka_unit_test(short_runs_are_finite),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
