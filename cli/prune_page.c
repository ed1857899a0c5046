#include "cli/prune_page.h"

#include "cli/csv_table.h"
#include "cli/plot.h"
#include "cli/prune_rounds.h"
#include "cli/report_config.h"
#include "cli/report_style.h"
#include "cli/version.h"
#include "core/csv.h"
#include "core/file.h"
#include "nn/safetensors.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t prune_page_max_bytes = (size_t)64 << 20; /* of a file of the run */

struct prune_page {
    const char *dir;
    struct text *out;
    struct arena *keep;
    struct csv rounds, train;
    double *level, *before, *after, *params; /* [rounds.n_rows] */
    double dense;                            /* accuracy before any pruning, NaN if not known */
    cJSON *config;
};

bool prune_page_is(const char *dir, struct arena tmp)
{
    return file_exists(arena_printf(&tmp, "%s/prune.csv", dir));
}

static bool prune_page_column(double **out, struct arena *keep, const struct csv *csv,
                              const char *name, struct err *e)
{
    int col;
    if (!csv_find(&col, csv, name, e)) {
        return false;
    }
    *out = arena_try(keep, csv->n_rows + 1, sizeof **out, e);
    for (size_t i = 0; *out && i < csv->n_rows; i++) {
        if (!csv_number(csv, i, col, &(*out)[i], e)) {
            return false;
        }
    }
    return *out != NULL;
}

static bool prune_page_read(struct prune_page *p, struct err *e)
{
    struct arena *keep = p->keep;
    unsigned char *bytes;
    size_t n;
    char *path = arena_printf(keep, "%s/config.json", p->dir);
    if (!file_read(keep, path, prune_page_max_bytes, &bytes, &n, e)) {
        return err_hint(e, "hdnas report wants the folder that hdnas search or prune wrote");
    }
    p->config = cJSON_ParseWithLength((const char *)bytes, n);
    if (!cJSON_IsObject(p->config)) {
        return err_set(e, ERR_INPUT, "%s: expected a JSON object", path);
    }
    return csv_read_log(&p->rounds, keep, arena_printf(keep, "%s/prune.csv", p->dir), e) &&
           csv_read_log(&p->train, keep, arena_printf(keep, "%s/train.csv", p->dir), e) &&
           prune_page_column(&p->level, keep, &p->rounds, "sparsity", e) &&
           prune_page_column(&p->before, keep, &p->rounds, "accuracy_before", e) &&
           prune_page_column(&p->after, keep, &p->rounds, "accuracy", e) &&
           prune_page_column(&p->params, keep, &p->rounds, "params", e);
}

/* The accuracy that the dense network's file tells, a share; files of old do not. */
static bool prune_page_dense(struct prune_page *p, struct arena tmp, struct err *e)
{
    const char *path = arena_printf(&tmp, "%s/" PRUNE_ROUNDS_DENSE, p->dir);
    struct safetensors st;
    p->dense = NAN;
    if (!file_exists(path)) {
        return true;
    }
    if (!safetensors_read(&st, &tmp, path, e)) {
        return false;
    }
    const char *said = safetensors_meta(&st, "accuracy");
    p->dense = said ? strtod(said, NULL) : NAN;
    return true;
}

static const char *prune_page_option(const struct prune_page *p, const char *name)
{
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(p->config, "options");
    const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(options, name));
    return s ? s : "";
}

static void prune_page_fact(struct prune_page *p, const char *name, const char *value)
{
    text_add(p->out, "<div><dt>");
    text_escape(p->out, name);
    text_add(p->out, "</dt><dd>");
    text_escape(p->out, value);
    text_add(p->out, "</dd></div>\n");
}

static void prune_page_head(struct prune_page *p)
{
    const char *model = prune_page_option(p, "model"), *init = prune_page_option(p, "init");
    text_add(p->out,
             "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
             "<meta charset=\"utf-8\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n"
             "<title>What pruning leaves: ");
    text_escape(p->out, p->dir);
    text_add(p->out, "</title>\n<style>\n");
    report_style(p->out);
    text_add(p->out,
             "figure img{max-width:100%;image-rendering:pixelated}td{overflow-wrap:anywhere}\n"
             "</style>\n</head>\n<body>\n<header>\n<h1>What pruning leaves of a "
             "network</h1>\n<p class=\"soft\">");
    text_escape(p->out, p->dir);
    text_add(p->out, " \xC2\xB7 data ");
    text_escape(p->out, prune_page_option(p, "data"));
    text_add(p->out, " \xC2\xB7 model ");
    text_escape(p->out, init[0] ? init : model);
    if (!init[0] && strcmp(model, "plain") != 0) {
        text_add(p->out, " \xC2\xB7 beta ");
        text_escape(p->out, prune_page_option(p, "beta"));
    }
    text_add(p->out, "</p>\n<dl class=\"facts\">\n");
    if (p->rounds.n_rows > 0) {
        size_t last = p->rounds.n_rows - 1;
        if (!isnan(p->dense)) {
            prune_page_fact(p, "dense accuracy", arena_printf(p->keep, "%.2f %%", 100 * p->dense));
        }
        prune_page_fact(p, "gone", arena_printf(p->keep, "%.1f %%", 100 * p->level[last]));
        prune_page_fact(p, "accuracy left", arena_printf(p->keep, "%.2f %%", 100 * p->after[last]));
        prune_page_fact(p, "before training",
                        arena_printf(p->keep, "%.2f %%", 100 * p->before[last]));
        prune_page_fact(p, "parameters left", arena_printf(p->keep, "%.0f", p->params[last]));
        prune_page_fact(p, "rounds", arena_printf(p->keep, "%zu", p->rounds.n_rows));
    }
    text_add(p->out, "</dl>\n</header>\n<main>\n");
}

/* A column in percent, behind the dense network's value where that is known. */
static double *prune_page_percent(struct prune_page *p, double dense, const double *shares)
{
    size_t n = 0;
    double *out = arena_push(p->keep, p->rounds.n_rows + 1, sizeof *out);
    if (!isnan(p->dense)) {
        out[n++] = 100 * dense;
    }
    for (size_t i = 0; i < p->rounds.n_rows; i++) {
        out[n++] = 100 * shares[i];
    }
    return out;
}

static void prune_page_curve(struct prune_page *p, struct arena tmp)
{
    int n = (int)p->rounds.n_rows + !isnan(p->dense);
    bool trained =
        strcmp(prune_page_option(p, "finetune"), "0") != 0 || prune_page_option(p, "rewind")[0];
    const double *x = prune_page_percent(p, 0, p->level);
    struct plot_series series[] = {
        {.name = trained ? "after training" : NULL,
         .kind = PLOT_LINE,
         .tone = PLOT_FRONT,
         .x = x,
         .y = prune_page_percent(p, p->dense, p->after),
         .n = n},
        {.name = "before training",
         .kind = PLOT_LINE,
         .tone = PLOT_TRUTH,
         .x = x,
         .y = prune_page_percent(p, p->dense, p->before),
         .n = n},
    };
    bool channels = strcmp(prune_page_option(p, "structure"), "channels") == 0;
    struct plot plot = {.id = "curve",
                        .title = "Accuracy against sparsity",
                        .desc = "Share of test images told rightly after each round of pruning",
                        .x_label = channels ? "channels gone, %" : "weights gone, %",
                        .y_label = "test accuracy, %",
                        .width = 900,
                        .height = 380,
                        .x_min = 1,
                        .x_max = 0,
                        .y_min = 0,
                        .y_max = 100,
                        .series = series,
                        .n_series = trained ? 2 : 1};
    text_add(p->out, "<section>\n<h2>Accuracy against sparsity</h2>\n<figure>\n");
    plot_svg(p->out, &plot, tmp);
    text_add(p->out, "</figure>\n</section>\n");
}

/* A column of train.csv over all epochs, dense training first. Nothing of a part that the loss does
 * not have: a plain classifier's reconstruction is zero throughout. */
static bool prune_page_course(struct prune_page *p, const char *id, const char *column,
                              const char *label, struct arena tmp, struct err *e)
{
    double *y, *x = arena_push(p->keep, p->train.n_rows + 1, sizeof *x);
    if (!prune_page_column(&y, p->keep, &p->train, column, e)) {
        return false;
    }
    bool any = false;
    for (size_t i = 0; i < p->train.n_rows; i++) {
        x[i] = (double)i + 1;
        any = any || y[i] != 0;
    }
    if (!any) {
        return true;
    }
    struct plot_series series = {
        .kind = PLOT_LINE, .tone = PLOT_FRONT, .x = x, .y = y, .n = (int)p->train.n_rows};
    struct plot plot = {.id = id,
                        .title = label,
                        .desc = "By epoch, all rounds one after the other",
                        .x_label = "epoch",
                        .y_label = label,
                        .width = 420,
                        .height = 260,
                        .x_min = 1,
                        .y_min = 1,
                        .x_whole = true,
                        .series = &series,
                        .n_series = 1};
    text_add(p->out, "<figure>\n");
    plot_svg(p->out, &plot, tmp);
    text_add(p->out, "</figure>\n");
    return true;
}

static bool prune_page_training(struct prune_page *p, struct arena tmp, struct err *e)
{
    if (p->train.n_rows == 0) {
        return true;
    }
    text_add(p->out, "<section>\n<h2>Training</h2>\n<p class=\"soft\">The dense network, then each "
                     "round's epochs.</p>\n<div class=\"pair\">\n");
    bool ok = prune_page_course(p, "recon", "recon", "reconstruction, nats an image", tmp, e) &&
              prune_page_course(p, "kl", "kl", "KL divergence, nats an image", tmp, e) &&
              prune_page_course(p, "ce", "cross_entropy", "cross-entropy, nats", tmp, e) &&
              prune_page_course(p, "acc", "train_accuracy", "share right while training", tmp, e);
    text_add(p->out, "</div>\n</section>\n");
    return ok;
}

/* Channels and networks only where they change from round to round: last, so that masks leave them
 * out. */
static bool prune_page_rounds(struct prune_page *p, struct err *e)
{
    static const struct csv_table_cell cells[] = {
        {"round", "round", 1, "%.0f"},
        {"sparsity", "gone, %", 100, "%.2f"},
        {"params", "parameters", 1, "%.0f"},
        {"macs", "multiply-adds", 1, "%.0f"},
        {"accuracy_before", "before training, %", 100, "%.2f"},
        {"accuracy", "after, %", 100, "%.2f"},
        {"seconds", "seconds", 1, "%.1f"},
        {"channels", "channels", 1, "%.0f"},
        {"arch", "network", 1, NULL},
    };
    int n = (int)N_ELEMS(cells);
    bool channels = strcmp(prune_page_option(p, "structure"), "channels") == 0;
    return csv_table(p->out, &p->rounds, "Rounds", cells, channels ? n : n - 2, e);
}

static bool prune_page_metrics(struct prune_page *p, struct err *e)
{
    static const struct csv_table_cell cells[] = {{"metric", "metric", 1, NULL},
                                                  {"value", "value", 1, "%.4g"}};
    const char *path = arena_printf(p->keep, "%s/metrics.csv", p->dir);
    struct csv csv;
    return !file_exists(path) ||
           (csv_read(&csv, p->keep, path, e) &&
            csv_table(p->out, &csv, "Metrics of the code", cells, (int)N_ELEMS(cells), e));
}

static void prune_page_base64(struct text *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (i + 2 < n ? bytes[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < n ? digits[v >> 6 & 63] : '=', i + 2 < n ? digits[v & 63] : '='};
        text_add_n(out, four, 4);
    }
}

static bool prune_page_picture(struct prune_page *p, const char *file, const char *heading,
                               const char *caption, struct arena tmp, struct err *e)
{
    char *path = arena_printf(&tmp, "%s/%s", p->dir, file);
    unsigned char *bytes;
    size_t n;
    if (!file_exists(path)) {
        return true;
    }
    if (!file_read(&tmp, path, prune_page_max_bytes, &bytes, &n, e)) {
        return false;
    }
    text_printf(p->out,
                "<section>\n<h2>%s</h2>\n<figure><img alt=\"%s\" src=\"data:image/png;base64,",
                heading, heading);
    prune_page_base64(p->out, bytes, n);
    text_printf(p->out, "\"/><figcaption>%s</figcaption></figure>\n</section>\n", caption);
    return true;
}

/* Rows first .. last-1 of weights.csv: one layer's bins. Pale bars: dense; blue: left. */
static void prune_page_bars(struct prune_page *p, const char *layer, const double *dense,
                            const double *pruned, const double *from, const double *to, size_t n)
{
    enum { WIDTH = 280, HEIGHT = 110 };
    double most = 1, bar = (double)WIDTH / (double)n;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fmax(dense[i], pruned[i]));
    }
    text_add(p->out,
             "<figure><svg class=\"plot\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" "
             "viewBox=\"0 0 280 130\"><title>");
    text_escape(p->out, layer);
    text_add(p->out, "</title>\n");
    const double *sides[] = {dense, pruned};
    static const char *const classes[] = {"pale", "front"};
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < n; i++) {
            double h = HEIGHT * sides[s][i] / most;
            if (h > 0) {
                text_printf(p->out,
                            "<rect class=\"mark %s\" stroke-width=\"0\" x=\"%.1f\" y=\"%.1f\" "
                            "width=\"%.1f\" height=\"%.1f\"/>",
                            classes[s], (double)i * bar, HEIGHT - h, bar, h);
            }
        }
    }
    text_printf(p->out,
                "\n<path class=\"axis\" d=\"M0 %dH%d\"/><text class=\"tick\" x=\"0\" y=\"126\">%.2g"
                "</text><text class=\"tick\" x=\"%d\" y=\"126\" text-anchor=\"middle\">0</text>"
                "<text class=\"tick\" x=\"%d\" y=\"126\" text-anchor=\"end\">%.2g</text></svg>"
                "<figcaption><code>",
                HEIGHT, WIDTH, from[0], WIDTH / 2, WIDTH, to[n - 1]);
    text_escape(p->out, layer);
    text_add(p->out, "</code></figcaption></figure>\n");
}

static bool prune_page_weights(struct prune_page *p, struct err *e)
{
    struct csv csv;
    double *from, *to, *dense, *pruned;
    char *path = arena_printf(p->keep, "%s/weights.csv", p->dir);
    if (!file_exists(path)) {
        return true;
    }
    if (!csv_read(&csv, p->keep, path, e) || !prune_page_column(&from, p->keep, &csv, "from", e) ||
        !prune_page_column(&to, p->keep, &csv, "to", e) ||
        !prune_page_column(&dense, p->keep, &csv, "dense", e) ||
        !prune_page_column(&pruned, p->keep, &csv, "pruned", e)) {
        return false;
    }
    text_add(p->out,
             "<section>\n<h2>Weights</h2>\n<p class=\"soft\">Grey: the dense network; blue: "
             "what is left at the end, where it is not zero.</p>\n<div class=\"three\">\n");
    int layer = csv_column(&csv, "layer");
    for (size_t first = 0, i = 0; layer >= 0 && i < csv.n_rows; i++) {
        bool last = i + 1 == csv.n_rows ||
                    strcmp(csv_cell(&csv, i + 1, layer), csv_cell(&csv, first, layer)) != 0;
        if (last) {
            prune_page_bars(p, csv_cell(&csv, first, layer), dense + first, pruned + first,
                            from + first, to + first, i + 1 - first);
            first = i + 1;
        }
    }
    text_add(p->out, "</div>\n</section>\n");
    return true;
}

static bool prune_page_body(struct prune_page *p, struct arena tmp, struct err *e)
{
    prune_page_head(p);
    prune_page_curve(p, tmp);
    if (!prune_page_rounds(p, e) || !prune_page_training(p, tmp, e) ||
        !prune_page_picture(p, "reconstructions.png", "Reconstructions",
                            "Test images above, what the dense network makes of them below.", tmp,
                            e) ||
        !prune_page_picture(p, "traversals.png", "Latent traversals",
                            "A row a dimension of the code, those of the largest KL divergence "
                            "first; from 2 deviations below its mean to 2 above.",
                            tmp, e) ||
        !prune_page_weights(p, e) || !prune_page_metrics(p, e)) {
        return false;
    }
    struct report_data d = {.config = p->config, .command = "prune"};
    report_config(p->out, &d, tmp);
    text_add(p->out, "</main>\n<footer>Made by hdnas ");
    text_escape(p->out, version_text());
    text_add(p->out, " from the files of the run\xE2\x80\x99s folder.</footer>\n<script>\n");
    report_style_script(p->out);
    text_add(p->out, "</script>\n</body>\n</html>\n");
    return true;
}

bool prune_page_make(const char *dir, struct arena tmp, struct err *e)
{
    struct arena words = arena_carve(&tmp, (tmp.cap - tmp.used) / 3);
    struct arena lists = arena_carve(&tmp, (tmp.cap - tmp.used) / 2);
    struct text page;
    struct prune_page p = {.dir = dir, .out = &page, .keep = &lists};
    text_init(&page, &words);
    bool ok = prune_page_read(&p, e) && prune_page_dense(&p, tmp, e) &&
              prune_page_body(&p, tmp, e) &&
              file_write(arena_printf(&lists, "%s/report.html", dir), page.s, page.n, e);
    cJSON_Delete(p.config);
    return ok;
}
