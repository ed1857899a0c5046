/*
 * The training loop on images made here: it learns, tells its course, can be stopped at any step
 * and resumed to the very same bits, refuses checkpoints of other settings, and survives a loss
 * that explodes.
 */
#define _GNU_SOURCE
#include "nn/train.h"

#include "core/rng.h"
#include "tests/scratch.h"

#include <math.h>

enum { N_IMAGES = 90, BATCH = 16, CLASSES = 3, SIDE = 8 };

/* Stripes of a class's own direction with noise; the order of an epoch is a rotation by its number.
 */
static void fill_stripes(const void *ctx, uint64_t epoch, size_t first, int n, float *x,
                         int32_t *labels)
{
    uint64_t seed = *(const uint64_t *)ctx;
    for (int i = 0; i < n; i++) {
        size_t example = (first + (size_t)i + (size_t)epoch * 7) % N_IMAGES;
        struct rng r = rng_key(seed, RNG_TEST, example);
        labels[i] = (int32_t)(example % CLASSES);
        for (int p = 0; p < SIDE * SIDE; p++) {
            int h = p / SIDE, w = p % SIDE;
            int phase = labels[i] == 0 ? h : labels[i] == 1 ? w : h + w;
            x[i * SIDE * SIDE + p] = (phase % 2 ? 1.0f : -1.0f) + (float)(rng_f64(&r) - 0.5) * 2;
        }
    }
}

static const uint64_t train_seed = 1, test_seed = 2;

static struct feed feed_of(const uint64_t *seed)
{
    return (struct feed){.ctx = (void *)seed,
                         .n = N_IMAGES,
                         .shape = {SIDE, SIDE, 1},
                         .n_classes = CLASSES,
                         .std = {1},
                         .fill = fill_stripes};
}

/* What the callbacks saw, and when they say stop. */
struct course {
    struct train_epoch epochs[16];
    int n_epochs, n_steps, stop_at_step;
    double last_lr;
};

static bool on_step(void *ctx, const struct train_step *step)
{
    struct course *c = ctx;
    c->n_steps++;
    c->last_lr = step->lr;
    assert_true(step->step >= 1 && step->step <= step->n_steps);
    assert_true(step->accuracy >= 0 && step->accuracy <= 1);
    return c->n_steps != c->stop_at_step;
}

static bool on_epoch(void *ctx, const struct train_epoch *epoch)
{
    struct course *c = ctx;
    c->epochs[c->n_epochs++] = *epoch;
    return true;
}

static struct train_config config_of(const char *checkpoint)
{
    return (struct train_config){
        .epochs = 4,
        .batch = BATCH,
        .seed = 5,
        .smoothing = 0.05f,
        .checkpoint_path = checkpoint,
        .resume = true,
        .optim = {.kind = OPTIM_SGD, .momentum = 0.9f, .nesterov = true, .decay = 5e-4f},
        .schedule = {.kind = SCHEDULE_ONE_CYCLE, .lr_max = 0.1, .warmup = 0.3}};
}

/* One run from the start or from the checkpoint; the parameters' block is returned in the arena. */
static bool run(struct scratch *s, const char *arch, const struct train_config *config,
                struct course *course, struct arena *tmp, float **params, size_t *n_params,
                struct err *e)
{
    (void)s;
    static struct machine mc;
    struct weights_info info = {.spec = {.input = {SIDE, SIDE, 1}, .n_classes = CLASSES},
                                .std = {1}};
    struct graph *g;
    struct net *net, *eval;
    struct feed train = feed_of(&train_seed), test = feed_of(&test_seed);
    snprintf(info.spec.arch, sizeof info.spec.arch, "%s", arch);
    if (!machine_init(&mc, "auto", 1, e) || !model_build(&g, tmp, &info.spec, e) ||
        !net_new(&net, tmp, &mc, g, BATCH, NET_TRAIN, e) ||
        !net_new(&eval, tmp, &mc, g, 32, NET_EVAL, e)) {
        fail_msg("%s", e->text);
    }
    net_init_params(net, NET_INIT_PYTORCH, config->seed);
    struct train_job job = {.mc = &mc,
                            .config = config,
                            .train = &train,
                            .test = &test,
                            .info = &info,
                            .net = net,
                            .eval_net = eval,
                            .eval_batch = 32,
                            .on_step = on_step,
                            .on_epoch = on_epoch,
                            .ctx = course};
    *params = net_param(net, 0);
    *n_params =
        (size_t)(net_param(net, g->n_params - 1) - *params) + g->params[g->n_params - 1].count;
    struct arena exact =
        arena_carve(tmp, train_plan_bytes(&job)); /* what it says it needs is enough */
    bool ok = train_run(&job, exact, e);
    assert_false(job.diverged);
    return ok;
}

static void it_learns_and_tells(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct train_config config = config_of(NULL);
    struct course course = {0};
    struct err e = {0};
    float *params;
    size_t n;
    assert_true(run(s, "mlp:24", &config, &course, &tmp, &params, &n, &e));
    assert_int_equal(course.n_epochs, 4);
    assert_int_equal(course.n_steps, 4 * DIV_UP(N_IMAGES, BATCH));
    assert_true(course.epochs[3].loss < course.epochs[0].loss);
    assert_true(course.epochs[3].test_accuracy > 0.9);
    assert_true(course.epochs[3].train_accuracy > 0.9);
    assert_true(course.epochs[0].is_best);
    assert_int_equal(course.epochs[3].test_correct,
                     lround(course.epochs[3].test_accuracy * N_IMAGES));
    struct train_config c = config;
    assert_true(course.last_lr == schedule_lr(&c.schedule, 23, 24));
}

/* Stopped at every step of the run, then resumed: the bits of one that was never stopped. */
static void resumed_equals_uninterrupted(void **state)
{
    struct scratch *s = *state;
    static const char *const archs[] = {"mlp:9", "nb201:301001"};
    for (int i = 0; i < 2; i++) {
        struct arena tmp = s->arena;
        struct course whole = {0};
        struct train_config config = config_of(NULL);
        struct err e = {0};
        float *expected, *params;
        size_t n;
        config.optim.kind = i == 0 ? OPTIM_ADAM : OPTIM_SGD;
        config.optim.beta1 = 0.9f;
        config.optim.beta2 = 0.99f;
        config.optim.eps = 1e-8f;
        config.schedule.lr_max = i == 0 ? 0.01 : 0.1;
        assert_true(run(s, archs[i], &config, &whole, &tmp, &expected, &n, &e));
        for (int stop = 1; stop <= 24; stop += i == 0 ? 1 : 11) {
            struct arena again = tmp;
            struct course first = {.stop_at_step = stop}, second = {0};
            char path[1024];
            snprintf(path, sizeof path, "%s", scratch_path(s, "checkpoint"));
            remove(path);
            config.checkpoint_path = path;
            assert_false(run(s, archs[i], &config, &first, &again, &params, &n, &e));
            assert_int_equal(e.code, ERR_INTERRUPTED);
            assert_true(run(s, archs[i], &config, &second, &again, &params, &n, &e));
            assert_memory_equal(params, expected, n * sizeof *params);
            assert_int_equal(first.n_epochs + second.n_epochs, 4);
            double a = second.epochs[second.n_epochs - 1].loss, b = whole.epochs[3].loss;
            assert_true(a == b);
            config.checkpoint_path = NULL;
        }
    }
}

static void other_settings_cannot_go_on(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct err e = {0};
    struct course course = {0};
    float *params;
    size_t n;
    char path[1024];
    snprintf(path, sizeof path, "%s", scratch_path(s, "settings"));
    struct train_config config = config_of(path);
    config.epochs = 1;
    assert_true(run(s, "mlp:9", &config, &course, &tmp, &params, &n, &e));
    struct train_config other = config;
    other.optim.momentum = 0.8f;
    assert_false(run(s, "mlp:9", &other, &course, &tmp, &params, &n, &e));
    scratch_expect(&e, ERR_USAGE, "other settings");
    assert_false(run(s, "mlp:8", &config, &course, &tmp, &params, &n, &e)); /* another network */
    assert_int_equal(e.code, ERR_INPUT);
    scratch_write(s, "settings", "{}", 2);
    assert_false(run(s, "mlp:9", &config, &course, &tmp, &params, &n, &e));
    assert_int_equal(e.code, ERR_INPUT);
    other.resume = false; /* starts anew, over the old file */
    assert_true(run(s, "mlp:9", &other, &course, &tmp, &params, &n, &e));
}

/* A checkpoint is a weights file too. */
static void a_checkpoint_can_be_loaded_as_weights(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct err e = {0};
    struct course course = {0};
    float *params;
    size_t n;
    char path[1024];
    snprintf(path, sizeof path, "%s", scratch_path(s, "weights"));
    struct train_config config = config_of(path);
    config.epochs = 1;
    assert_true(run(s, "nb201:301001", &config, &course, &tmp, &params, &n, &e));
    struct weights_info info;
    struct machine mc;
    struct graph *g;
    struct net *net;
    assert_true(machine_init(&mc, "auto", 1, &e));
    assert_true(weights_info_read(&info, path, NULL, &e));
    assert_string_equal(info.spec.arch, "nb201:301001");
    assert_true(model_build(&g, &tmp, &info.spec, &e));
    assert_true(net_new(&net, &tmp, &mc, g, 32, NET_EVAL, &e));
    assert_true(weights_load(net, path, tmp, &e));
    struct feed test = feed_of(&test_seed);
    int64_t n_correct;
    double loss;
    assert_true(train_evaluate(net, &mc, &test, 32, &n_correct, &loss, tmp, &e));
    assert_int_equal(n_correct, course.epochs[0].test_correct);
    assert_true(isfinite(loss) && loss > 0);
    /* The batch it is cut into changes nothing. */
    int64_t again;
    assert_true(train_evaluate(net, &mc, &test, 7, &again, NULL, tmp, &e));
    assert_int_equal(again, n_correct);
}

static void a_loss_that_explodes_is_a_result(void **state)
{
    struct scratch *s = *state;
    struct arena tmp = s->arena;
    struct err e = {0};
    struct machine mc;
    struct weights_info info = {
        .spec = {.arch = "mlp:9", .input = {SIDE, SIDE, 1}, .n_classes = CLASSES}};
    struct graph *g;
    struct net *net;
    struct feed train = feed_of(&train_seed);
    struct train_config config = config_of(NULL);
    config.schedule = (struct schedule){.kind = SCHEDULE_CONSTANT, .lr_max = 1e30};
    assert_true(machine_init(&mc, "auto", 1, &e));
    assert_true(model_build(&g, &tmp, &info.spec, &e));
    assert_true(net_new(&net, &tmp, &mc, g, BATCH, NET_TRAIN, &e));
    net_init_params(net, NET_INIT_KAIMING, 1);
    struct course course = {0};
    struct train_job job = {.mc = &mc,
                            .config = &config,
                            .train = &train,
                            .info = &info,
                            .net = net,
                            .on_step = on_step,
                            .on_epoch = on_epoch,
                            .ctx = &course};
    assert_true(train_run(&job, tmp, &e));
    assert_true(job.diverged);
    assert_true(course.n_steps < 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_learns_and_tells),
        cmocka_unit_test(resumed_equals_uninterrupted),
        cmocka_unit_test(other_settings_cannot_go_on),
        cmocka_unit_test(a_checkpoint_can_be_loaded_as_weights),
        cmocka_unit_test(a_loss_that_explodes_is_a_result),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
