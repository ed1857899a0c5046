#define _GNU_SOURCE
/*
 * The Beta-VAE: names that say what a network is, the KL divergence against its closed form and
 * against an integral, the whole loss's gradient against central differences of itself, the warm-up
 * of beta, and training that resumes to the same bits although it draws.
 */
#include "core/rng.h"
#include "nn/loss.h"
#include "nn/model_cnn.h"
#include "nn/vae.h"

#include "tests/scratch.h"

#include <math.h>

static struct machine machine(void)
{
    struct machine mc;
    struct err e;
    assert_true(machine_init(&mc, "auto", 1, &e));
    return mc;
}

static void names_go_there_and_back(void **state)
{
    (void)state;
    static const char *const good[] = {"cnn:16s,32s:128:16", "cnn:8:0:1",
                                       "vae:4,4,M,8s,M:32:8:16,8", "vae:16s:64:2"};
    static const char *const bad[] = {"cnn:",        "cnn:16",        "cnn:16:8",
                                      "cnn:M:8:8",   "cnn:8,M,M:8:8", "cnn:0:8:8",
                                      "cnn:8:8:0",   "cnn:8:8:8:4",   "vae:8:8:8:",
                                      "vae:8:8:8:0", "vae:8:8:8:4,",  "vae:8,:8:8",
                                      "cnn:8:-1:8",  "cnn:8x:8:8",    "cnn:99999:8:8",
                                      "mlp:8",       "cnn:8:8:8 ",    "vae:8:8:8:1,1,1,1,1,1,1"};
    char name[256];
    struct model_cnn_spec spec;
    for (size_t i = 0; i < N_ELEMS(good); i++) {
        assert_true(model_cnn_parse(&spec, good[i]));
        model_cnn_print(&spec, name);
        assert_string_equal(name, good[i]);
    }
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        if (model_cnn_parse(&spec, bad[i])) {
            fail_msg("%s was taken for a network", bad[i]);
        }
    }
}

/* KL(q | p) = integral of q log(q / p) by the trapezium rule over +-12 deviations. */
static double integrated_kl(double mu, double logvar)
{
    double sd = exp(logvar / 2), sum = 0, h = sd * 24 / 20000;
    for (int i = 0; i <= 20000; i++) {
        double x = mu - 12 * sd + i * h;
        double log_q = -0.5 * (x - mu) * (x - mu) / (sd * sd) - log(sd), log_p = -0.5 * x * x;
        sum += exp(log_q) / sqrt(2 * 3.14159265358979323846) * (log_q - log_p) * h;
    }
    return sum;
}

static void kl_is_the_integral(void **state)
{
    (void)state;
    static const float cases[][2] = {{0, 0}, {1, 0}, {0, 1}, {-2, -3}, {0.5f, 2}, {3, -6}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        double found = loss_kl(&cases[i][0], &cases[i][1], 1, 1, 1, NULL, NULL);
        double expected = integrated_kl((double)cases[i][0], (double)cases[i][1]);
        if (fabs(found - expected) > 1e-6 * fmax(1, expected)) {
            fail_msg("KL(%g, %g): %.9g, integral %.9g", (double)cases[i][0], (double)cases[i][1],
                     found, expected);
        }
    }
    /* By hand: mu = 2, sigma^2 = 1 in two dims of two images: 2 + 2 an image. */
    const float mu[] = {2, 2, 2, 2}, logvar[] = {0, 0, 0, 0};
    float dmu[4], dlogvar[4];
    assert_true(loss_kl(mu, logvar, 2, 2, 3, dmu, dlogvar) == 4);
    for (int i = 0; i < 4; i++) {
        assert_true(dmu[i] == 3.0f * 2 / 2 && dlogvar[i] == 0);
    }
}

static void kl_gradient_is_the_slope(void **state)
{
    (void)state;
    enum { N = 3, DIMS = 4 };
    float mu[N * DIMS], logvar[N * DIMS], dmu[N * DIMS], dlogvar[N * DIMS];
    struct rng r = rng_key(1, RNG_TEST, 0);
    for (int i = 0; i < N * DIMS; i++) {
        mu[i] = (float)rng_normal(&r);
        logvar[i] = (float)rng_normal(&r);
    }
    loss_kl(mu, logvar, N, DIMS, 2, dmu, dlogvar);
    for (int i = 0; i < 2 * N * DIMS; i++) {
        float *v = i < N * DIMS ? &mu[i] : &logvar[i - N * DIMS];
        float old = *v, h = 1.0f / 64;
        *v = old + h;
        double up = loss_kl(mu, logvar, N, DIMS, 1, NULL, NULL);
        *v = old - h;
        double slope = 2 * (up - loss_kl(mu, logvar, N, DIMS, 1, NULL, NULL)) / (double)(2 * h);
        *v = old;
        double found = (double)(i < N * DIMS ? dmu[i] : dlogvar[i - N * DIMS]);
        /* Third derivative exp(v) / 2 over six times h^2 = 2^-12, v < 3: below 1e-3. */
        assert_true(fabs(found - slope) < 1e-3);
    }
}

static void beta_rises_and_stays(void **state)
{
    (void)state;
    struct vae v = {.beta = 4, .warmup = 0.25};
    assert_true(vae_beta(&v, 0, 100) == 0);
    assert_true(vae_beta(&v, 10, 100) == 4 * 10 / 25.0);
    assert_true(vae_beta(&v, 25, 100) == 4 && vae_beta(&v, 99, 100) == 4);
    v.warmup = 0;
    assert_true(vae_beta(&v, 0, 100) == 4);
}

struct task {
    struct net *net;
    struct vae vae;
    float *x;
    int32_t labels[6];
};

static void task_init(struct task *t, const struct machine *mc, struct arena *keep,
                      const char *arch, struct shape image)
{
    struct model_spec spec = {.input = image, .n_classes = 3};
    struct graph *g;
    struct err e;
    struct rng r = rng_key(3, RNG_TEST, 1);
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    assert_true(model_build(&g, keep, &spec, &e));
    assert_true(net_new(&t->net, keep, mc, g, 6, NET_TRAIN, &e));
    net_init_params(t->net, NET_INIT_PYTORCH, 5);
    t->x = arena_push(keep, 6 * shape_count(image), sizeof *t->x);
    for (size_t i = 0; i < 6 * shape_count(image); i++) {
        t->x[i] = (float)rng_f64(&r);
    }
    for (int i = 0; i < 6; i++) {
        t->labels[i] = i % 3;
    }
    t->vae = (struct vae){.mc = mc,
                          .recon = image.c == 1 ? VAE_BCE : VAE_MSE,
                          .beta = 2,
                          .recon_weight = 0.5,
                          .class_weight = 7,
                          .n_classes = 3};
}

static double task_loss(struct task *t, const struct machine *mc)
{
    net_set_noise(t->net, 1, 2);
    const float *logits = net_forward(t->net, mc, t->x, 6, true);
    struct train_batch b = {t->x, logits, t->labels, 6, 0, 1};
    return vae_loss(&t->vae, t->net, &b);
}

/*
 * The gradient of the whole loss along its own direction g is |g|^2; so is the slope found by two
 * losses h apart along g / |g|. The loss is a sum of some hundreds of terms in float: its error,
 * 1e-7 of about 200, over h = 2e-3 leaves 1 % of a slope above 10.
 */
static void whole_gradient_is_the_slope(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    static const struct {
        const char *arch;
        struct shape image;
    } cases[] = {{"vae:4s,6s:16:5:6,4", {9, 9, 1}},
                 {"vae:4,M,6s:0:5:6", {8, 8, 3}},
                 {"vae:4s,6s:16:5", {9, 9, 1}},
                 {"cnn:4s,6s:16:5", {9, 9, 1}}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        struct arena keep = s->arena;
        struct task t;
        task_init(&t, &mc, &keep, cases[i].arch, cases[i].image);
        const struct graph *g = net_graph(t.net);
        task_loss(&t, &mc);
        net_backward(t.net, &mc);
        double norm = 0;
        float **grads = arena_push(&keep, (size_t)g->n_params, sizeof *grads);
        for (int p = 0; p < g->n_params; p++) {
            if (net_param_trained(t.net, p)) {
                grads[p] = arena_push(&keep, g->params[p].count, sizeof(float));
                memcpy(grads[p], net_param_grad(t.net, p), g->params[p].count * sizeof(float));
                for (size_t k = 0; k < g->params[p].count; k++) {
                    norm += (double)grads[p][k] * (double)grads[p][k];
                }
            }
        }
        norm = sqrt(norm);
        double losses[2], h = 2e-3;
        for (int side = 0; side < 2; side++) {
            double step = (side == 0 ? h : -2 * h) / norm;
            for (int p = 0; p < g->n_params; p++) {
                for (size_t k = 0; net_param_trained(t.net, p) && k < g->params[p].count; k++) {
                    net_param(t.net, p)[k] += (float)(step * (double)grads[p][k]);
                }
            }
            net_params_changed(t.net);
            losses[side] = task_loss(&t, &mc);
        }
        double slope = (losses[0] - losses[1]) / (2 * h);
        assert_true(norm > 1);
        if (fabs(slope - norm) > 0.02 * norm) {
            fail_msg("%s: gradient %.6g, slope %.6g", cases[i].arch, norm, slope);
        }
    }
}

static void parts_add_up(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct task t;
    task_init(&t, &mc, &keep, "vae:4s:8:3:4", (struct shape){8, 8, 1});
    double loss = task_loss(&t, &mc);
    double n = (double)t.vae.n_images;
    double sum =
        0.5 * t.vae.sums.recon / n + 2 * t.vae.sums.kl / n + 7 * t.vae.sums.cross_entropy / n;
    assert_true(n == 6 && fabs(sum - loss) < 1e-9 * loss);
    /* An image of 64 even pixels costs 64 log 2 nats while the decoder knows nothing. */
    assert_true(fabs(t.vae.sums.recon / n - 64 * log(2)) < 3);
}

/* The fast cross-entropy of the pixels is the plain one, far from zero too. */
static void pixels_cost_what_loss_bce_says(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct task t;
    task_init(&t, &mc, &keep, "vae:4s:8:3:4", (struct shape){8, 8, 1});
    for (int p = 0; p < net_graph(t.net)->n_params; p++) { /* logits up to about +-30 */
        const char *name = net_graph(t.net)->params[p].name;
        for (size_t k = 0;
             strncmp(name, "decoder.", 8) == 0 && k < net_graph(t.net)->params[p].count; k++) {
            net_param(t.net, p)[k] *= 12;
        }
    }
    net_params_changed(t.net);
    task_loss(&t, &mc);
    struct tensor image = net_tap(t.net, MODEL_CNN_TAP_IMAGE);
    float largest = 0;
    float *expected = arena_push(&keep, 6 * 64, sizeof *expected);
    double plain = 64 * loss_bce(image.data, t.x, 6 * 64, 0.5f * 64, expected);
    const float *found = net_tap_seed(t.net, MODEL_CNN_TAP_IMAGE);
    for (int i = 0; i < 6 * 64; i++) {
        largest = fmaxf(largest, fabsf(image.data[i]));
        assert_true(fabsf(found[i] - expected[i]) < 1e-6f);
    }
    assert_true(largest > 10);
    assert_true(fabs(t.vae.sums.recon / 6 - plain) < 64 * 4e-7 + 1e-6 * plain);
}

static void draws_follow_seed_and_step(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct task t;
    task_init(&t, &mc, &keep, "vae:4s:8:3", (struct shape){8, 8, 1});
    float logits[4][18];
    static const uint64_t keys[4][2] = {{1, 1}, {1, 2}, {2, 1}, {1, 1}};
    for (int i = 0; i < 4; i++) {
        net_set_noise(t.net, keys[i][0], keys[i][1]);
        memcpy(logits[i], net_forward(t.net, &mc, t.x, 6, true), sizeof logits[i]);
    }
    assert_memory_equal(logits[0], logits[3], sizeof logits[0]);
    assert_memory_not_equal(logits[0], logits[1], sizeof logits[0]);
    assert_memory_not_equal(logits[0], logits[2], sizeof logits[0]);
}

/* Images of noise with a bright row that tells the class. */
static void fill(const void *ctx, uint64_t epoch, size_t first, int n, float *x, int32_t *labels)
{
    (void)ctx;
    for (int i = 0; i < n; i++) {
        struct rng r = rng_key(1, RNG_TEST, epoch << 32 | (first + (size_t)i));
        labels[i] = (int32_t)((first + (size_t)i) % 3);
        for (int p = 0; p < 64; p++) {
            x[i * 64 + p] = (float)(rng_f64(&r) * 0.5 + (p / 16 == labels[i] ? 0.5 : 0));
        }
    }
}

static bool stop_in_second(void *ctx, const struct train_step *step)
{
    (void)ctx;
    return step->epoch < 2;
}

static void resumed_training_has_the_same_bits(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    const char *path = scratch_path(s, "checkpoint");
    struct feed feed = {.n = 60, .shape = {8, 8, 1}, .n_classes = 3, .fill = fill};
    struct weights_info info = {
        .spec = {.arch = "vae:4s:8:3:4", .input = {8, 8, 1}, .n_classes = 3}};
    struct net *nets[2];
    struct arena keep = s->arena;
    for (int i = 0; i < 2; i++) {
        struct graph *g;
        struct err e;
        assert_true(model_build(&g, &keep, &info.spec, &e));
        for (int part = 0; part <= i; part++) { /* the second: in two parts, each in a fresh net */
            assert_true(net_new(&nets[i], &keep, &mc, g, 16, NET_TRAIN, &e));
            net_init_params(nets[i], NET_INIT_PYTORCH, 1);
            struct vae vae = {
                .mc = &mc, .beta = 1, .recon_weight = 1, .class_weight = 5, .n_classes = 3};
            struct train_config config = {
                .epochs = 3,
                .batch = 16,
                .optim = {.kind = OPTIM_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f},
                .schedule = {.kind = SCHEDULE_COSINE, .lr_max = 0.003},
                .checkpoint_path = i == 1 ? path : NULL,
                .resume = true};
            struct train_objective objective = {.loss = vae_loss, .ctx = &vae};
            struct train_job job = {.mc = &mc,
                                    .config = &config,
                                    .train = &feed,
                                    .info = &info,
                                    .net = nets[i],
                                    .objective = &objective,
                                    .on_step = i == 1 && part == 0 ? stop_in_second : NULL};
            assert_true(train_run(&job, keep, &e) == !(i == 1 && part == 0));
            assert_int_equal(job.first_epoch, part);
        }
    }
    for (int p = 0; p < net_graph(nets[0])->n_params; p++) {
        assert_memory_equal(net_param(nets[0], p), net_param(nets[1], p),
                            net_graph(nets[0])->params[p].count * sizeof(float));
    }
}

static const struct safetensors_entry *entry(const struct safetensors *st, const char *name)
{
    const struct safetensors_entry *t = safetensors_find(st, name);
    if (!t) {
        fail_msg("%s: no tensor %s", st->path, name);
    }
    return t;
}

/*
 * tests/torch/vae.py DIR has trained in double for three steps from DIR/weights.safetensors with
 * the same draws. Ours in float: a gradient is a sum of some thousand products, so its relative
 * error is about 1e-5; parameters move by less than 0.1 and must agree within 2e-5, losses within
 * 1e-5.
 */
static void three_steps_end_as_pytorchs(void **state)
{
    struct scratch *s = *state;
    struct machine mc = machine();
    struct arena keep = s->arena;
    struct weights_info info;
    struct safetensors st;
    struct graph *g;
    struct net *net;
    struct err e;
    const char *dir = getenv("HDNAS_TEST_VAE_DIR");
    char weights[600], path[600];
    assert_non_null(dir);
    snprintf(weights, sizeof weights, "%s/weights.safetensors", dir);
    snprintf(path, sizeof path, "%s/case.safetensors", dir);
    assert_true(weights_info_read(&info, weights, NULL, &e));
    assert_true(model_build(&g, &keep, &info.spec, &e));
    assert_true(net_new(&net, &keep, &mc, g, 6, NET_TRAIN, &e));
    assert_true(weights_load(net, weights, keep, &e));
    assert_true(safetensors_read(&st, &keep, path, &e));
    struct optim_config config = {
        .kind = OPTIM_SGD, .momentum = 0.9f, .decay = 5e-4f, .decay_all = true};
    struct optim *optim = optim_new(&keep, net, &config);
    struct vae vae = {.mc = &mc, .beta = 2, .recon_weight = 0.5, .class_weight = 7, .n_classes = 3};
    const double *images = entry(&st, "images")->data, *losses = entry(&st, "losses")->data;
    const int64_t *labels64 = entry(&st, "labels")->data;
    float x[6 * 81];
    int32_t labels[6];
    for (int i = 0; i < 6 * 81; i++) {
        x[i] = (float)images[i];
    }
    for (int i = 0; i < 6; i++) {
        labels[i] = (int32_t)labels64[i];
    }
    for (int step = 0; step < 3; step++) {
        net_set_noise(net, 77, (uint64_t)step);
        const float *logits = net_forward(net, &mc, x, 6, true);
        struct train_batch b = {x, logits, labels, 6, step, 3};
        vae.sums = (struct vae_parts){0};
        double loss = vae_loss(&vae, net, &b);
        const double found[] = {loss, vae.sums.recon / 6, vae.sums.kl / 6};
        for (int i = 0; i < 3; i++) {
            double expected = losses[3 * step + i];
            if (fabs(found[i] - expected) > 1e-5 * fmax(1, fabs(expected))) {
                fail_msg("step %d, loss %d: %.9g, PyTorch %.9g", step, i, found[i], expected);
            }
        }
        net_backward(net, &mc);
        optim_step(optim, net, &mc, 0.002f);
    }
    for (int p = 0; p < g->n_params; p++) {
        char name[128];
        struct arena tmp = keep;
        snprintf(name, sizeof name, "final.%s", g->params[p].name);
        const double *expected = entry(&st, name)->data;
        float *theirs = arena_push(&tmp, g->params[p].count, sizeof *theirs);
        weights_swap_layout(net_param(net, p), theirs, &g->params[p].spec, false);
        for (size_t i = 0; i < g->params[p].count; i++) {
            if (fabs((double)theirs[i] - expected[i]) > 2e-5) {
                fail_msg("%s [%zu]: %.9g, PyTorch %.9g", name, i, (double)theirs[i], expected[i]);
            }
        }
    }
}

/* With a folder of tests/torch/vae.py: that comparison alone. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        const struct CMUnitTest live[] = {cmocka_unit_test(three_steps_end_as_pytorchs)};
        setenv("HDNAS_TEST_VAE_DIR", argv[1], 1);
        return cmocka_run_group_tests(live, scratch_setup, scratch_teardown);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_there_and_back),
        cmocka_unit_test(kl_is_the_integral),
        cmocka_unit_test(kl_gradient_is_the_slope),
        cmocka_unit_test(beta_rises_and_stays),
        cmocka_unit_test(whole_gradient_is_the_slope),
        cmocka_unit_test(parts_add_up),
        cmocka_unit_test(pixels_cost_what_loss_bce_says),
        cmocka_unit_test(draws_follow_seed_and_step),
        cmocka_unit_test(resumed_training_has_the_same_bits),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
