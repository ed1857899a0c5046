#include "cli/correlate.h"

#include "cli/plot.h"
#include "core/file.h"
#include "core/number.h"
#include "core/rng.h"
#include "nas/archmap.h"
#include "nas/indicators.h"
#include "nas/ranked.h"
#include "nas/smooth.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A score without a value is the worst. */
static double correlate_value(double score)
{
    return isnan(score) ? -DBL_MAX : score;
}

/* Mid-ranks, 1 = lowest. */
static void correlate_ranks(double *rank, const double *value, int n, struct arena tmp)
{
    double *known = arena_push(&tmp, (size_t)n, sizeof *known);
    for (int i = 0; i < n; i++) {
        known[i] = correlate_value(value[i]);
    }
    ranked_mid(rank, known, n, tmp);
    for (int i = 0; i < n; i++) {
        rank[i] += 1;
    }
}

void correlate_combine(struct correlate_column *out, struct arena *keep,
                       const struct correlate_column *const *parts, int n_parts, int n,
                       bool product)
{
    ASSERT(n_parts > 0 && n >= 0);
    out->value = arena_push_zero(keep, (size_t)n, sizeof *out->value);
    out->seconds = 0;
    double *rank = arena_push(keep, (size_t)n, sizeof *rank);
    for (int p = 0; p < n_parts; p++) {
        correlate_ranks(rank, parts[p]->value, n, *keep);
        out->seconds += parts[p]->seconds;
        for (int i = 0; i < n; i++) {
            out->value[i] += product ? log(rank[i] / n) : rank[i];
        }
    }
}

/* Isomorphic architectures are one network: they share the mean of what is said of each. */
static void share_by_class(double *value, const struct space *space, const struct arch *archs,
                           int n, struct arena tmp)
{
    double *sum = arena_push_zero(&tmp, (size_t)n, sizeof *sum);
    int *of = arena_push(&tmp, (size_t)n, sizeof *of);
    int *count = arena_push_zero(&tmp, (size_t)n, sizeof *count), n_classes = 0;
    struct archmap classes;
    archmap_init(&classes, &tmp);
    for (int i = 0; i < n; i++) {
        struct arch canonical;
        space->canonical(&archs[i], &canonical);
        if (!archmap_get(&classes, &canonical)) {
            archmap_set(&classes, &canonical, n_classes++);
        }
        of[i] = (int)*archmap_get(&classes, &canonical);
        sum[of[i]] += value[i];
        count[of[i]]++;
    }
    for (int i = 0; i < n; i++) {
        value[i] = sum[of[i]] / count[of[i]];
    }
}

bool correlate_smooth(struct correlate_column *out, struct arena *keep, const struct correlate *c,
                      int s, const char *name, struct err *e)
{
    size_t size = (size_t)c->n;
    struct arena tmp = {0};
    if (!arena_init(
            &tmp,
            smooth_bytes(c->n) + archmap_bytes(c->n) + arena_round(size * sizeof(struct arch)) +
                3 * arena_round(size * sizeof(int)) + 3 * arena_round(size * sizeof(double)),
            e)) {
        return false;
    }
    struct arch *archs = arena_push(&tmp, size, sizeof *archs);
    int *idx = arena_push(&tmp, size, sizeof *idx), n = 0;
    double *score = arena_push(&tmp, size, sizeof *score);
    double *smooth = arena_push(&tmp, size, sizeof *smooth);
    *out = c->scores[s];
    out->name = name;
    out->value = arena_push(keep, size, sizeof *out->value);
    for (int i = 0; i < c->n; i++) {
        out->value[i] = NAN;
        if (isfinite(c->scores[s].value[i]) && c->space->connected(&c->archs[i])) {
            archs[n] = c->archs[i];
            score[n] = c->scores[s].value[i];
            idx[n++] = i;
        }
    }
    smooth_scores(smooth, c->space, archs, score, n, SMOOTH_ORDER, tmp);
    share_by_class(smooth, c->space, archs, n, tmp);
    for (int i = 0; i < n; i++) {
        out->value[idx[i]] = smooth[i];
    }
    arena_release(&tmp);
    return true;
}

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The share p of sorted v[n], linear between neighbours; NaN (from a constant resample) is gone. */
static double correlate_quantile(double *v, int n, double p)
{
    int m = 0;
    for (int i = 0; i < n; i++) {
        if (!isnan(v[i])) {
            v[m++] = v[i];
        }
    }
    if (m == 0) {
        return NAN;
    }
    qsort(v, (size_t)m, sizeof *v, double_compare);
    double at = p * (m - 1);
    int i = (int)at;
    return i + 1 < m ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i];
}

/* The pairs whose truth is known; returns how many. */
static int correlate_pairs(double *x, double *y, const struct correlate *c, int i_score,
                           int i_truth)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        double truth = c->truths[i_truth].value[i];
        if (!isnan(truth)) {
            x[n] = correlate_value(c->scores[i_score].value[i]);
            y[n++] = truth;
        }
    }
    return n;
}

void correlate_measure(struct correlate_row *row, const struct correlate *c, int i_score,
                       int i_truth, int n_draws, uint64_t seed, struct arena tmp)
{
    size_t room = (size_t)c->n + 1, draws = (size_t)n_draws + 1;
    double *x = arena_push(&tmp, room, sizeof *x), *y = arena_push(&tmp, room, sizeof *y);
    double *dx = arena_push(&tmp, room, sizeof *dx), *dy = arena_push(&tmp, room, sizeof *dy);
    double *tau = arena_push(&tmp, draws, sizeof *tau), *rho = arena_push(&tmp, draws, sizeof *rho);
    int n = correlate_pairs(x, y, c, i_score, i_truth);
    *row = (struct correlate_row){
        .score = &c->scores[i_score],
        .truth = &c->truths[i_truth],
        .n = n,
        .tau = n > 1 ? indicators_kendall(x, y, n, tmp) : NAN,
        .rho = n > 1 ? indicators_spearman(x, y, n, tmp) : NAN,
    };
    for (int d = 0; d < n_draws; d++) {
        struct rng r = rng_key(seed, RNG_BOOTSTRAP, (uint64_t)d);
        for (int i = 0; i < n; i++) {
            int from = (int)rng_below(&r, (uint64_t)n);
            dx[i] = x[from];
            dy[i] = y[from];
        }
        tau[d] = n > 1 ? indicators_kendall(dx, dy, n, tmp) : NAN;
        rho[d] = n > 1 ? indicators_spearman(dx, dy, n, tmp) : NAN;
    }
    row->tau_low = correlate_quantile(tau, n_draws, 0.025);
    row->tau_high = correlate_quantile(tau, n_draws, 0.975);
    row->rho_low = correlate_quantile(rho, n_draws, 0.025);
    row->rho_high = correlate_quantile(rho, n_draws, 0.975);
}

static void correlate_cell(struct text *t, double value)
{
    char number[32];
    number_format(number, value);
    text_printf(t, ",%s", number);
}

static bool correlate_write_scores(const struct correlate *c, const char *path, struct arena tmp,
                                   struct err *e)
{
    struct text t;
    text_init(&t, &tmp);
    text_add(&t, "index,arch");
    for (int k = 0; k < c->n_truths + c->n_scores; k++) {
        const struct correlate_column *col =
            k < c->n_truths ? &c->truths[k] : &c->scores[k - c->n_truths];
        text_printf(&t, ",%s%s", k < c->n_truths ? "truth_" : "", col->name);
    }
    text_add(&t, "\n");
    for (int i = 0; i < c->n; i++) {
        char arch[SPACE_TEXT_LEN];
        c->space->format(&c->archs[i], arch);
        text_printf(&t, "%" PRId64 ",%s", c->space->index(&c->archs[i]), arch);
        for (int k = 0; k < c->n_truths; k++) {
            correlate_cell(&t, c->truths[k].value[i]);
        }
        for (int k = 0; k < c->n_scores; k++) {
            correlate_cell(&t, c->scores[k].value[i]);
        }
        text_add(&t, "\n");
    }
    return file_write(path, t.s, t.n, e);
}

static bool correlate_write_rows(const struct correlate_row *rows, int n_rows, const char *path,
                                 struct arena tmp, struct err *e)
{
    struct text t;
    text_init(&t, &tmp);
    text_add(&t, "score,truth,n,tau,tau_low,tau_high,rho,rho_low,rho_high,seconds\n");
    for (int i = 0; i < n_rows; i++) {
        const struct correlate_row *r = &rows[i];
        const double cells[] = {r->tau,     r->tau_low,  r->tau_high,      r->rho,
                                r->rho_low, r->rho_high, r->score->seconds};
        text_printf(&t, "%s,%s,%d", r->score->name, r->truth->name, r->n);
        for (size_t k = 0; k < N_ELEMS(cells); k++) {
            correlate_cell(&t, cells[k]);
        }
        text_add(&t, "\n");
    }
    return file_write(path, t.s, t.n, e);
}

/* A name as part of a file name: what is not a letter, digit, dot, dash, plus or _ becomes x. */
static char *correlate_file_name(struct arena *keep, const char *name)
{
    char *s = arena_strdup(keep, name);
    for (char *p = s; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr(".-+_", *p);
        *p = plain ? *p : 'x';
    }
    return s;
}

static bool correlate_write_plot(const struct correlate *c, const struct correlate_row *row,
                                 const char *dir, struct arena tmp, struct err *e)
{
    double *x = arena_push(&tmp, (size_t)c->n + 1, sizeof *x);
    double *y = arena_push(&tmp, (size_t)c->n + 1, sizeof *y);
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        if (isfinite(row->score->value[i]) && !isnan(row->truth->value[i])) {
            x[n] = row->score->value[i];
            y[n++] = row->truth->value[i];
        }
    }
    struct plot_series cloud = {.kind = PLOT_CLOUD, .tone = PLOT_FRONT, .x = x, .y = y, .n = n};
    struct plot p = {
        .id = "scatter",
        .title = arena_printf(&tmp, "%s and %s: tau %.3f, rho %.3f", row->score->name,
                              row->truth->name, row->tau, row->rho),
        .desc = arena_printf(&tmp, "%d architectures; Kendall tau-b %.3f (%.3f to %.3f)", row->n,
                             row->tau, row->tau_low, row->tau_high),
        .x_label = arena_printf(&tmp, "%s, higher is better", row->score->name),
        .y_label = row->truth->name,
        .width = 640,
        .height = 440,
        .x_min = 1,
        .y_min = 1,
        .series = &cloud,
        .n_series = 1,
        .alone = true,
    };
    if (n == 0) {
        return true; /* nothing to draw */
    }
    char *name =
        correlate_file_name(&tmp, arena_printf(&tmp, "%s-%s", row->score->name, row->truth->name));
    char *path = arena_printf(&tmp, "%s/%s.svg", dir, name);
    struct arena keep = arena_carve(&tmp, (tmp.cap - tmp.used) / 2);
    struct text svg;
    text_init(&svg, &keep);
    plot_svg(&svg, &p, tmp);
    return file_write(path, svg.s, svg.n, e);
}

bool correlate_write(const struct correlate *c, const struct correlate_row *rows, int n_rows,
                     const char *dir, struct arena tmp, struct err *e)
{
    char *scores = arena_printf(&tmp, "%s/scores.csv", dir);
    char *correlations = arena_printf(&tmp, "%s/correlations.csv", dir);
    if (!correlate_write_scores(c, scores, tmp, e) ||
        !correlate_write_rows(rows, n_rows, correlations, tmp, e)) {
        return false;
    }
    for (int i = 0; i < n_rows; i++) {
        if (!correlate_write_plot(c, &rows[i], dir, tmp, e)) {
            return false;
        }
    }
    return true;
}
