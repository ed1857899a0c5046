#define _GNU_SOURCE
#include "cli/outcome.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/archname.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/table.h"
#include "core/file.h"

static bool outcome_price_truth(struct session *s, struct err *e)
{
    struct arena tmp; /* not a copy of keep: both are pushed to */
    if (!arena_init(&tmp, (size_t)1 << 30, e)) {
        return false;
    }
    bool ok = truth_price(&s->truth, s->keep, &s->cost, tmp, e);
    arena_release(&tmp);
    return ok;
}

/* The true front, for the page: index,cost,accuracy. */
static bool outcome_write_truth(struct session *s, struct err *e)
{
    struct text text;
    text_init(&text, s->keep);
    text_add(&text, "index,cost,accuracy\n");
    for (int i = 0; i < s->truth.n_front; i++) {
        const struct truth_point *p = &s->truth.front[i];
        text_printf(&text, "%" PRId64 ",", s->config.space->index(&p->arch));
        text_number(&text, p->cost);
        text_add(&text, ",");
        text_number(&text, p->accuracy);
        text_add(&text, "\n");
    }
    return file_write(arena_printf(s->keep, "%s/truth.csv", s->dir), text.s, text.n, e);
}

/* A set of networks by what the benchmark knows of them. */
struct judgement {
    double hypervolume, igd_plus;
};

static struct judgement outcome_judge(struct session *s, const struct run_member *members, int n)
{
    struct arena tmp = *s->keep;
    struct arch *archs = arena_push(&tmp, (size_t)n, sizeof *archs);
    for (int i = 0; i < n; i++) {
        archs[i] = members[i].arch;
    }
    return (struct judgement){truth_hypervolume(&s->truth, archs, n, tmp),
                              truth_igd_plus(&s->truth, archs, n, tmp)};
}

/* Everything that is told beside the members themselves. */
struct outcome {
    const struct run_result *result;
    const struct refine_result *refined;
    bool judged; /* the truth is known and priced */
    struct judgement front, shortlist, refined_front;
};

/* accuracy[n]: measured after training; NULL without. */
static void outcome_print_table(struct session *s, const struct run_member *members, int n,
                                const double *accuracy)
{
    const char *cost_head = arena_printf(s->keep, "%s (%s)", s->cost.name, s->cost.unit);
    const char *heads[8] = {"index", "code", "score", cost_head, "params (k)", "MACs (M)"};
    int n_heads = 6;
    if (accuracy) {
        heads[n_heads++] = "trained acc. (%)";
    }
    if (s->has_truth) {
        heads[n_heads++] = "true acc. (%)";
    }
    struct table t;
    table_init(&t, s->keep, heads, n_heads);
    for (int i = 0; i < n; i++) {
        const struct run_member *m = &members[i];
        char code[SPACE_TEXT_LEN], index[24];
        s->config.space->code(&m->arch, code);
        table_add(&t, arena_strdup(s->keep, archname_index(index, m->index)));
        table_add(&t, arena_strdup(s->keep, code));
        table_printf(&t, "%.6g", m->score);
        table_printf(&t, "%.4g", m->cost);
        table_printf(&t, "%.1f", (double)m->params / 1e3);
        table_printf(&t, "%.2f", (double)m->macs / 1e6);
        if (accuracy) {
            table_printf(&t, "%.2f", accuracy[i]);
        }
        if (s->has_truth) {
            table_printf(&t, "%.2f", m->accuracy);
        }
    }
    table_print(&t, stdout);
}

/* accuracy: measured after training; NULL without. */
static void outcome_member_json(const struct session *s, struct json *j, const char *key,
                                const struct run_member *m, const double *accuracy)
{
    char arch[SPACE_TEXT_LEN];
    s->config.space->format(&m->arch, arch);
    json_object(j, key);
    archname_index_json(j, m->index);
    json_text(j, "arch", arch);
    json_real(j, "score", m->score);
    json_real(j, "cost", m->cost);
    json_real(j, "diversity", m->diversity);
    json_int(j, "params", m->params);
    json_int(j, "macs", m->macs);
    if (accuracy) {
        json_real(j, "refined_accuracy", *accuracy);
    }
    if (s->has_truth) {
        json_real(j, "true_accuracy", m->accuracy);
    }
    json_end(j);
}

/* What there is to say of the limits, now that the truth is priced (or is not to be had). */
static struct constraint_report outcome_limits(const struct session *s,
                                               const struct run_result *result)
{
    return (struct constraint_report){&s->config, result, &s->cost,
                                      s->has_truth && s->truth.cost ? &s->truth : NULL};
}

static void outcome_print_answer(const struct session *s, const struct run_result *result)
{
    const struct run_member *m = &result->answer;
    char code[SPACE_TEXT_LEN];
    if (!result->has_answer) {
        return;
    }
    s->config.space->code(&m->arch, code);
    printf("\n%s returns %s: score %.6g, %s %.4g %s", s->config.search->name, code, m->score,
           s->cost.name, m->cost, s->cost.unit);
    if (s->has_truth) {
        printf(", true accuracy %.2f %%", m->accuracy);
    }
    printf("\n");
}

static void outcome_members_json(const struct session *s, struct json *j, const char *key,
                                 const struct run_member *members, int n, const double *accuracy)
{
    json_array(j, key);
    for (int i = 0; i < n; i++) {
        outcome_member_json(s, j, NULL, &members[i], accuracy ? &accuracy[i] : NULL);
    }
    json_end(j);
}

/* The result as one object: RUN/summary.json, and stdout with --json. */
static bool outcome_summary(struct session *s, const struct outcome *o, struct err *e)
{
    const struct run_result *result = o->result;
    struct json j;
    json_init(&j, s->keep);
    json_object(&j, NULL);
    json_text(&j, "run", s->dir);
    json_int(&j, "evals", result->status.evals);
    json_int(&j, "unique", result->status.unique);
    json_real(&j, "hypervolume", result->status.hypervolume);
    json_real(&j, "seconds", result->status.seconds);
    if (s->has_truth) {
        json_real(&j, "true_hypervolume", o->judged ? o->front.hypervolume : NAN);
        json_real(&j, "true_front_hypervolume", s->truth.hypervolume);
    }
    if (o->judged) {
        json_real(&j, "true_igd_plus", o->front.igd_plus);
        json_real(&j, "shortlist_true_hypervolume", o->shortlist.hypervolume);
        json_real(&j, "shortlist_true_igd_plus", o->shortlist.igd_plus);
    }
    if (o->judged && o->refined->epochs > 0) {
        json_real(&j, "refined_true_hypervolume", o->refined_front.hypervolume);
        json_real(&j, "refined_true_igd_plus", o->refined_front.igd_plus);
    }
    if (s->config.search_options.n_constraints > 0) {
        struct constraint_report limits = outcome_limits(s, result);
        constraint_json(&limits, &j);
    }
    if (result->has_answer) {
        outcome_member_json(s, &j, "answer", &result->answer, NULL);
    }
    outcome_members_json(s, &j, "front", result->front, result->n_front, NULL);
    outcome_members_json(s, &j, "shortlist", result->shortlist, result->n_shortlist, NULL);
    if (o->refined->epochs > 0) {
        outcome_members_json(s, &j, "refined", o->refined->front, o->refined->n_front,
                             o->refined->accuracy);
    }
    json_end(&j);
    if (s->o->json) {
        json_print(&j, stdout);
    }
    text_add(&j.text, "\n");
    return file_write(arena_printf(s->keep, "%s/summary.json", s->dir), j.text.s, j.text.n, e);
}

static void outcome_print(struct session *s, const struct outcome *o)
{
    const struct run_result *result = o->result;
    const struct refine_result *refined = o->refined;
    outcome_print_table(s, result->front, result->n_front, NULL);
    if (refined->epochs > 0) {
        printf("\nof the shortlist, trained for %d epochs on %zu images and measured on %zu "
               "others:\n",
               refined->epochs, refined->n_train, refined->n_held);
        outcome_print_table(s, refined->front, refined->n_front, refined->accuracy);
    }
    outcome_print_answer(s, result);
    if (s->config.search_options.n_constraints > 0) {
        struct constraint_report limits = outcome_limits(s, result);
        printf("\n");
        constraint_print(&limits, *s->keep, stdout);
    }
    printf("\n%d of %d evaluations scored a new network; %d on the front; %.1f s\n",
           result->status.unique, result->status.evals, result->n_front, result->status.seconds);
    if (o->judged) {
        double whole = s->truth.hypervolume;
        printf("hypervolume by true accuracy: %.4f of the true front's %.4f (%.2f %%)",
               o->front.hypervolume, whole, 100 * o->front.hypervolume / whole);
        if (result->n_shortlist > 0) {
            printf("; of the shortlist's %d networks %.4f (%.2f %%)", result->n_shortlist,
                   o->shortlist.hypervolume, 100 * o->shortlist.hypervolume / whole);
        }
        if (refined->epochs > 0) {
            printf("; of the %d that training leaves %.4f (%.2f %%)", refined->n_front,
                   o->refined_front.hypervolume, 100 * o->refined_front.hypervolume / whole);
        }
        printf("\n");
    }
    printf("%s/front.csv\n%s/front.svg\n%s/report.html\n", s->dir, s->dir, s->dir);
}

bool outcome_tell(struct session *s, const struct run_result *result,
                  const struct refine_result *refined, struct err *e)
{
    struct outcome o = {.result = result,
                        .refined = refined,
                        .judged = s->has_truth && s->cost.kind->parallel_safe};
    if (o.judged) {
        if (!outcome_price_truth(s, e) || !outcome_write_truth(s, e)) {
            return false;
        }
        o.front = outcome_judge(s, result->front, result->n_front);
        o.shortlist = outcome_judge(s, result->shortlist, result->n_shortlist);
        if (refined->epochs > 0) {
            o.refined_front = outcome_judge(s, refined->front, refined->n_front);
        }
    }
    if (!outcome_summary(s, &o, e) || !report_make(s->dir, *s->keep, e)) {
        return false;
    }
    if (!s->o->json) {
        outcome_print(s, &o);
    }
    struct constraint_report limits = outcome_limits(s, result);
    return constraint_met(&limits, e);
}
