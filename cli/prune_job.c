#include "cli/prune_job.h"

#include "cli/manifest.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "core/csv.h"
#include "core/gemm.h"
#include "nn/model_cnn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *prune_job_path(struct prune_job *j, const char *name)
{
    return arena_printf(j->keep, "%s/%s", j->dir, name);
}

static bool prune_job_dir(struct prune_job *j, struct err *e)
{
    const char *resume = options_text(j->o, "resume"), *out = options_text(j->o, "out");
    if (resume) {
        j->dir = resume;
        j->resume = true;
        bool ok = manifest_options(&j->resumed, j->keep, resume, j->o, e);
        j->o = &j->resumed;
        return ok;
    }
    j->dir = out;
    for (int i = 1; !j->dir || (!out && file_exists(j->dir)); i++) {
        j->dir = arena_printf(j->keep, "PRUNE-%d", i);
    }
    if (file_exists(prune_job_path(j, "config.json"))) {
        err_set(e, ERR_USAGE, "%s holds a run already", j->dir);
        return err_hint(e, "--resume %s goes on with it; --out names another folder", j->dir);
    }
    return true;
}

/* One of some words, as its number. */
static bool prune_job_word(const struct options *o, const char *option, const char *const *words,
                           int n, int *which, struct err *e)
{
    const char *value = options_text(o, option);
    char known[160] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(value, words[i]) == 0) {
            *which = i;
            return true;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", words[i]);
    }
    return err_set(e, ERR_USAGE, "--%s %.60s: expected one of %s", option, value, known);
}

/* The list of --levels, or --rounds steps that each take the same share of what is left. */
static bool prune_job_levels(struct prune_job *j, struct err *e)
{
    const char *s = options_text(j->o, "levels");
    double target = options_real(j->o, "sparsity");
    if (!s) {
        j->n_levels = (int)options_int(j->o, "rounds");
        for (int i = 0; i < j->n_levels; i++) {
            j->levels[i] =
                i + 1 == j->n_levels ? target : 1 - pow(1 - target, (double)(i + 1) / j->n_levels);
        }
        return true;
    }
    double before = -1;
    for (;;) {
        char *end = NULL;
        double v = strtod(s, &end);
        if (end == s || !(v >= 0 && v <= 1) || v <= before || (*end && *end != ',') ||
            j->n_levels == PRUNE_JOB_MAX_LEVELS) {
            return err_set(e, ERR_USAGE,
                           "--levels: expected up to %d rising numbers from 0 to 1 with commas, "
                           "found \"%.40s\"",
                           PRUNE_JOB_MAX_LEVELS, s);
        }
        j->levels[j->n_levels++] = before = v;
        if (!*end) {
            return true;
        }
        s = end + 1;
    }
}

static bool prune_job_rule(struct prune_job *j, struct err *e)
{
    static const char *const structures[] = {"weights", "channels"};
    static const char *const schedules[] = {"oneshot", "iterative"};
    static const char *const scopes[] = {"global", "layer"};
    const char *names[8];
    int which = 0, structure, schedule, scope;
    for (int i = 0; i < prune_n_criteria(); i++) {
        names[i] = prune_criterion_at(i)->name;
    }
    if (!prune_job_word(j->o, "criterion", names, prune_n_criteria(), &which, e) ||
        !prune_job_word(j->o, "structure", structures, 2, &structure, e) ||
        !prune_job_word(j->o, "schedule", schedules, 2, &schedule, e) ||
        !prune_job_word(j->o, "scope", scopes, 2, &scope, e) || !prune_job_levels(j, e)) {
        return false;
    }
    j->rule = (struct prune_rule){.criterion = prune_criterion_at(which),
                                  .by_layer = scope == 1,
                                  .seed = (uint64_t)options_int(j->o, "seed")};
    j->channels = structure == 1;
    j->iterative = schedule == 1;
    j->rewind = options_given(j->o, "rewind") ? (int)options_int(j->o, "rewind") : -1;
    if (j->rewind >= 0 && j->channels) {
        return err_set(e, ERR_USAGE, "--rewind goes with --structure weights only");
    }
    if (j->rewind >= 0 && options_text(j->o, "init")) {
        return err_set(e, ERR_USAGE, "--rewind goes back to epochs of this run: not with --init");
    }
    if (j->rewind >= (int)options_int(j->o, "epochs")) {
        return err_set(e, ERR_USAGE, "--rewind %d: there are only %d epochs", j->rewind,
                       (int)options_int(j->o, "epochs"));
    }
    return true;
}

static bool prune_job_arch(struct prune_job *j, struct err *e)
{
    static const char *const models[] = {"vae", "bottleneck", "plain"};
    const struct options *o = j->o;
    int model;
    if (!prune_job_word(o, "model", models, 3, &model, e)) {
        return false;
    }
    struct model_cnn_spec spec;
    char arch[600];
    snprintf(arch, sizeof arch, "%s:%.200s:%d:%d%s%.100s", model == 2 ? "cnn" : "vae",
             options_text(o, "widths"), (int)options_int(o, "hidden"),
             (int)options_int(o, "latent"), model == 0 ? ":" : "",
             model == 0 ? options_text(o, "decoder") : "");
    if (!model_cnn_parse(&spec, arch)) {
        err_set(e, ERR_USAGE, "--widths %.100s, --decoder %.60s: no network",
                options_text(o, "widths"), options_text(o, "decoder"));
        return err_hint(e, "for example --widths 16s,32s,32s --decoder 32,16");
    }
    model_cnn_print(&spec, j->info.spec.arch);
    return true;
}

/* What --init says of itself: a network that is known here, for images as these are. */
static bool prune_job_init_info(struct weights_info *info, const struct prune_job *j,
                                const char *init, struct err *e)
{
    struct model_cnn_spec spec;
    if (!weights_info_read(info, init, NULL, e)) {
        return false;
    }
    if (!model_cnn_parse(&spec, info->spec.arch)) {
        return err_set(e, ERR_USAGE, "--init %s: %s; expected a cnn:... or vae:... network", init,
                       info->spec.arch);
    }
    struct shape a = info->spec.input, b = j->train_ds.shape;
    if (a.h != b.h || a.w != b.w || a.c != b.c || info->spec.n_classes != j->train_ds.n_classes) {
        return err_set(e, ERR_INPUT,
                       "%s: made for %d x %d x %d, %d classes; --data has %d x %d x %d, %d", init,
                       a.h, a.w, a.c, info->spec.n_classes, b.h, b.w, b.c, j->train_ds.n_classes);
    }
    return true;
}

static bool prune_job_data(struct prune_job *j, struct err *e)
{
    static const char *const recons[] = {"auto", "bce", "mse"};
    static const float zeros[FEED_MAX_CHANNELS] = {0}, ones[FEED_MAX_CHANNELS] = {1, 1, 1, 1};
    const struct options *o = j->o;
    uint64_t seed = (uint64_t)options_int(o, "seed");
    struct dataset_options train = {.limit = (size_t)options_int(o, "limit"), .seed = seed};
    struct dataset_options test = {.limit = (size_t)options_int(o, "test-limit"), .seed = seed};
    const char *spec = options_text(o, "data"), *init = options_text(o, "init");
    struct weights_info given = {0};
    int recon;
    if (!prune_job_word(o, "recon", recons, 3, &recon, e) ||
        !dataset_open(&j->train_ds, j->keep, spec, DATASET_TRAIN, &train, e) ||
        !dataset_open(&j->test_ds, j->keep, spec, DATASET_TEST, &test, e) ||
        (init && !prune_job_init_info(&given, j, init, e))) {
        return false;
    }
    bool bce = recon == 1 || (recon == 0 && j->train_ds.shape.c == 1);
    /* Shares of ink need no normalisation; distances do: the deviation is their unit. Weights that
     * are there already want what they were trained with. */
    const float *mean = bce ? zeros : j->train_ds.mean, *std = bce ? ones : j->train_ds.std;
    if (given.has_norm) {
        mean = given.mean;
        std = given.std;
    }
    struct loader_options augmented = {.shuffle = true,
                                       .crop_pad = (int)options_int(o, "crop"),
                                       .flip = options_flag(o, "flip"),
                                       .seed = seed,
                                       .mean = mean,
                                       .std = std};
    struct loader_options plain = {.mean = mean, .std = std};
    if (!loader_feed(&j->train_feed, j->keep, &j->train_ds, &augmented, e) ||
        !loader_feed(&j->test_feed, j->keep, &j->test_ds, &plain, e)) {
        return false;
    }
    j->info = (struct weights_info){.has_norm = true};
    j->info.spec.input = j->train_feed.shape;
    j->info.spec.n_classes = j->train_feed.n_classes;
    memcpy(j->info.mean, j->train_feed.mean, sizeof j->info.mean);
    memcpy(j->info.std, j->train_feed.std, sizeof j->info.std);
    snprintf(j->info.data, sizeof j->info.data, "%s", j->train_ds.name);
    j->vae = (struct vae){.mc = &j->mc,
                          .recon = bce ? VAE_BCE : VAE_MSE,
                          .beta = options_real(o, "beta"),
                          .recon_weight = options_real(o, "recon-weight"),
                          .class_weight = options_real(o, "class-weight"),
                          .warmup = options_real(o, "warmup"),
                          .n_classes = j->info.spec.n_classes};
    if (init) {
        memcpy(j->info.spec.arch, given.spec.arch, sizeof given.spec.arch);
        return true;
    }
    return prune_job_arch(j, e);
}

static bool prune_job_manifest(struct prune_job *j, struct err *e)
{
    char init_sha256[65] = "";
    const char *init = options_text(j->o, "init");
    if (init && !file_sha256(init, init_sha256, e)) {
        return false;
    }
    struct manifest m = {.tier = cpu_tier_name(j->mc.tier),
                         .blas = gemm_blas_name(),
                         .data_sha256 = j->train_ds.sha256,
                         .reference_sha256 = init_sha256,
                         .reference_arch = j->info.spec.arch,
                         .cost_sha256 = "",
                         .cost_source = "",
                         .cost_name = "",
                         .cost_unit = "",
                         .truth_sha256 = ""};
    if (j->resume) {
        return manifest_check(j->dir, &m, *j->keep, e);
    }
    return file_mkdirs(j->dir, e) && manifest_write(j->dir, j->o, &m, &j->mc, *j->keep, e);
}

bool prune_job_open(struct prune_job *j, const struct options *o, struct arena *keep, struct err *e)
{
    *j = (struct prune_job){.o = o, .keep = keep, .train_log = {.fd = -1}};
    if (o->n_args > 0) {
        return err_set(e, ERR_USAGE, "hdnas prune takes options only, but \"%.80s\" was given",
                       o->args[0]);
    }
    if (!prune_job_dir(j, e) || !prune_job_rule(j, e) ||
        !machine_init(&j->mc, options_text(j->o, "cpu"), (int)options_int(j->o, "threads"), e) ||
        !prune_job_data(j, e) || !prune_job_manifest(j, e)) {
        return false;
    }
    int64_t batch = options_int(j->o, "batch-size"), n = (int64_t)j->train_feed.n;
    int64_t epochs = options_text(j->o, "init") ? 0 : options_int(j->o, "epochs");
    int64_t each = j->rewind < 0 ? options_int(j->o, "finetune") : epochs - j->rewind;
    j->n_steps = DIV_UP(n, batch) * (epochs + j->n_levels * each);
    size_t left = keep->cap - keep->used;
    j->nets = arena_carve(keep, left / 8 * 3);
    j->tmp = arena_carve(keep, left / 8 * 3);
    return true;
}

void prune_job_deployed(const char *arch, char deployed[256])
{
    struct model_cnn_spec spec;
    bool ok = model_cnn_parse(&spec, arch);
    ASSERT(ok);
    spec.drawn = false;
    spec.n_decoder = 0;
    model_cnn_print(&spec, deployed);
}

bool prune_job_net(struct prune_job *j, struct net **net, const char *arch, enum net_mode mode,
                   struct err *e)
{
    struct graph *g;
    struct model_spec spec = j->info.spec;
    snprintf(spec.arch, sizeof spec.arch, "%s", arch);
    size_t batch = MIN((size_t)options_int(j->o, "batch-size"), j->train_feed.n);
    return model_build(&g, &j->nets, &spec, e) &&
           net_new(net, &j->nets, &j->mc, g, (int)batch, mode, e);
}

static const char train_header[] = "phase,epoch,loss,recon,kl,cross_entropy,train_accuracy,lr,"
                                   "seconds\n";

bool prune_job_open_log(struct prune_job *j, int phase, int epoch, struct err *e)
{
    const char *path = prune_job_path(j, "train.csv");
    struct arena tmp = j->nets; /* j->tmp may be training's just now */
    struct arena words = arena_carve(&tmp, (size_t)16 << 20);
    struct text text;
    text_init(&text, &words);
    text_add(&text, train_header);
    if (file_exists(path)) {
        struct csv csv;
        if (!csv_read_log(&csv, &tmp, path, e)) {
            return false;
        }
        int i_phase = csv_column(&csv, "phase"), i_epoch = csv_column(&csv, "epoch");
        for (size_t row = 0; i_phase >= 0 && i_epoch >= 0 && row < csv.n_rows; row++) {
            int p = atoi(csv_cell(&csv, row, i_phase)), at = atoi(csv_cell(&csv, row, i_epoch));
            for (int c = 0; (p < phase || (p == 0 && phase == 0 && at <= epoch)) && c < csv.n_cols;
                 c++) {
                text_printf(&text, "%s%s", csv_cell(&csv, row, c), c + 1 < csv.n_cols ? "," : "\n");
            }
        }
    }
    file_log_close(&j->train_log);
    return file_write(path, text.s, text.n, e) && file_log_open(&j->train_log, path, false, e);
}

static void prune_job_mask_gradients(void *ctx, struct net *net)
{
    const struct prune_job *j = ctx;
    if (j->mask) {
        prune_apply_gradients(j->mask, net);
    }
}

static void prune_job_mask_weights(void *ctx, struct net *net)
{
    const struct prune_job *j = ctx;
    if (j->mask) {
        prune_apply(j->mask, net);
    }
}

static double prune_job_loss(void *ctx, struct net *net, const struct train_batch *b)
{
    struct prune_job *j = ctx;
    return vae_loss(&j->vae, net, b);
}

static bool prune_job_on_step(void *ctx, const struct train_step *s)
{
    struct prune_job *j = ctx;
    char note[160];
    if (!j->progress.label) {
        progress_open(&j->progress, "prune", "steps", j->i_step, j->n_steps, j->o->quiet);
    }
    j->i_step++;
    snprintf(note, sizeof note, "%s, epoch %d, loss %.3f, train %.1f %%, test %.2f %%",
             j->phase_note, s->epoch, s->loss, 100 * s->accuracy, 100 * j->accuracy);
    progress_show(&j->progress, j->i_step, note);
    return !signals_pending();
}

static bool prune_job_on_epoch(void *ctx, const struct train_epoch *ep)
{
    struct prune_job *j = ctx;
    char line[320];
    double n = (double)MAX(j->vae.n_images, 1);
    const struct vae_parts *sums = &j->vae.sums;
    int len = snprintf(line, sizeof line, "%d,%d,%.6f,%.6f,%.6f,%.6f,%.6f,%.8g,%.2f\n", j->phase,
                       ep->epoch, ep->loss, sums->recon / n, sums->kl / n, sums->cross_entropy / n,
                       ep->train_accuracy, ep->lr, ep->seconds);
    progress_clear(&j->progress);
    if (!j->o->quiet && j->phase == 0) {
        fprintf(stderr,
                "epoch %d: loss %.3f (recon %.2f, KL %.2f, class %.4f), train %.2f %%, %.1f s\n",
                ep->epoch, ep->loss, sums->recon / n, sums->kl / n, sums->cross_entropy / n,
                100 * ep->train_accuracy, ep->seconds);
    }
    j->vae.sums = (struct vae_parts){0};
    j->vae.n_images = 0;
    bool ok = true;
    if (j->phase == 0 && !j->dense_begun) { /* without lines that the checkpoint knows nothing of */
        j->dense_begun = true;
        ok = prune_job_open_log(j, 0, ep->epoch - 1, &j->err);
    }
    if (ok && j->phase == 0 && ep->epoch == j->rewind) {
        ok = weights_save(j->net, &j->info, prune_job_path(j, "rewind.safetensors"), *j->keep,
                          &j->err);
    }
    return ok && file_log_write(&j->train_log, line, (size_t)len, &j->err);
}

bool prune_job_train(struct prune_job *j, int epochs, double lr, const char *checkpoint,
                     struct err *e)
{
    if (epochs == 0) {
        return true;
    }
    struct train_config config = {
        .epochs = epochs,
        .batch = (int)MIN((size_t)options_int(j->o, "batch-size"), j->train_feed.n),
        .optim = {.kind = OPTIM_ADAM,
                  .decay = (float)options_real(j->o, "weight-decay"),
                  .beta1 = 0.9f,
                  .beta2 = 0.999f,
                  .eps = 1e-8f},
        .schedule = {.kind = SCHEDULE_COSINE, .lr_max = lr},
        .seed = (uint64_t)options_int(j->o, "seed") ^ (uint64_t)j->phase << 56,
        .checkpoint_path = checkpoint,
        .resume = checkpoint != NULL,
    };
    struct train_objective objective = {.loss = prune_job_loss,
                                        .before_update = prune_job_mask_gradients,
                                        .after_update = prune_job_mask_weights,
                                        .ctx = j};
    struct train_job job = {.mc = &j->mc,
                            .config = &config,
                            .train = &j->train_feed,
                            .info = &j->info,
                            .net = j->net,
                            .objective = &objective,
                            .on_step = prune_job_on_step,
                            .on_epoch = prune_job_on_epoch,
                            .ctx = j};
    double beta_warmup = j->vae.warmup;
    j->vae.warmup = j->phase == 0 ? beta_warmup : 0; /* a pruned network knows its beta already */
    j->vae.sums = (struct vae_parts){0};
    j->vae.n_images = 0;
    if (train_plan_bytes(&job) > j->tmp.cap - j->tmp.used) {
        return err_set(e, ERR_FAILED, "training needs %zu MiB of memory",
                       train_plan_bytes(&job) >> 20);
    }
    bool ok = train_run(&job, j->tmp, e);
    j->vae.warmup = beta_warmup;
    progress_clear(&j->progress);
    if (j->err.code != ERR_NONE) {
        *e = j->err;
        return false;
    }
    if (!ok && e->code == ERR_INTERRUPTED) {
        return err_hint(e, "hdnas prune --resume %s", j->dir);
    }
    if (ok && job.diverged) {
        err_set(e, ERR_FAILED, "the loss is no longer a finite number: training diverged");
        return err_hint(e, "a lower --lr or --beta, or --warmup");
    }
    return ok;
}

bool prune_job_measure(struct prune_job *j, const struct net *net, const char *arch, struct err *e)
{
    size_t used = j->nets.used;
    struct net *eval;
    char deployed[256];
    int64_t n_correct = 0;
    prune_job_deployed(arch, deployed);
    bool ok = prune_job_net(j, &eval, deployed, NET_EVAL, e);
    if (ok) {
        prune_copy_params(eval, net);
        size_t batch = MIN((size_t)options_int(j->o, "batch-size"), j->train_feed.n);
        ok = train_evaluate(eval, &j->mc, &j->test_feed, (int)batch, &n_correct, NULL, j->tmp, e);
    }
    j->nets.used = used;
    j->accuracy = (double)n_correct / (double)j->test_feed.n;
    return ok;
}
