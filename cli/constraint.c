#include "cli/constraint.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/archname.h"
#include "cli/table.h"

/* Units as they are typed; those of one quantity share a base. */
static const struct {
    const char *name, *base;
    double factor;
} units[] = {
    {"us", "s", 1e-6},      {"ms", "s", 1e-3},       {"s", "s", 1},          {"uJ", "J", 1e-6},
    {"mJ", "J", 1e-3},      {"J", "J", 1},           {"kFLOP", "FLOP", 1e3}, {"MFLOP", "FLOP", 1e6},
    {"GFLOP", "FLOP", 1e9}, {"params", "params", 1}, {"k", "params", 1e3},   {"M", "params", 1e6},
};

static int unit_find(const char *name, size_t len)
{
    for (size_t i = 0; i < N_ELEMS(units); i++) {
        if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* How many of the device's units one of `text` is; 0 if that makes no sense. */
static double unit_factor(const char *text, size_t len, const char *unit)
{
    int from = unit_find(text, len), to = unit_find(unit, strlen(unit));
    if (strlen(unit) == len && strncmp(text, unit, len) == 0) {
        return 1;
    }
    return from >= 0 && to >= 0 && strcmp(units[from].base, units[to].base) == 0
               ? units[from].factor / units[to].factor
               : 0;
}

bool constraint_parse(double *limit, int *n, const char *text, const char *unit, struct err *e)
{
    const char *end = text + strlen(text), *last = end;
    while (last > text && strchr("0123456789.,", last[-1]) == NULL) {
        last--;
    }
    double common = last < end ? unit_factor(last, (size_t)(end - last), unit) : 1;
    *n = 0;
    for (const char *at = text;; at++) {
        char *stop;
        double value = strtod(at, &stop), factor = common;
        size_t len = strcspn(stop, ",");
        if (stop == at || !isfinite(value) || value <= 0) {
            return err_set(e, ERR_USAGE, "--constraint %.80s: a number above 0 expected at '%.20s'",
                           text, at);
        }
        if (len > 0) {
            factor = unit_factor(stop, len, unit);
        }
        if (factor == 0) {
            err_set(e, ERR_USAGE, "--constraint %.80s: the device's cost is in %s, not in %.*s",
                    text, unit[0] ? unit : "a unit of its own", (int)MIN(len ? len : 20, 20),
                    len ? stop : last);
            return err_hint(e, "for instance --constraint 5%s", unit);
        }
        if (*n == CONSTRAINT_MAX) {
            return err_set(e, ERR_USAGE, "--constraint: at most %d limits", CONSTRAINT_MAX);
        }
        limit[(*n)++] = factor == 1 ? value : value * factor;
        at = stop + len;
        if (!*at) {
            return true;
        }
    }
}

const struct run_member *constraint_best(const struct run_result *result, double limit)
{
    const struct run_member *best = NULL; /* along a front the score rises with the cost */
    for (int i = 0; i < result->n_advised && result->advised[i].cost <= limit; i++) {
        best = &result->advised[i];
    }
    return best;
}

/* Regret of the answer to limit k in points, NaN where it is not known. */
static double regret_of(const struct constraint_report *r, double limit, double *optimum)
{
    const struct run_member *best = constraint_best(r->result, limit);
    struct truth_point point;
    *optimum = NAN;
    if (!r->truth || !truth_optimum(r->truth, limit, &point)) {
        return NAN;
    }
    *optimum = point.accuracy;
    return best ? point.accuracy - best->accuracy : NAN;
}

void constraint_json(const struct constraint_report *r, struct json *j)
{
    const struct search_options *so = &r->config->search_options;
    json_array(j, "best");
    for (int k = 0; k < so->n_constraints; k++) {
        double limit = so->constraints[k], optimum, regret = regret_of(r, limit, &optimum);
        const struct run_member *best = constraint_best(r->result, limit);
        json_object(j, NULL);
        json_real(j, "constraint", limit);
        json_text(j, "unit", r->cost->unit);
        json_bool(j, "met", best != NULL);
        if (best) {
            char arch[SPACE_TEXT_LEN];
            r->config->space->format(&best->arch, arch);
            archname_index_json(j, best->index);
            json_text(j, "arch", arch);
            json_real(j, "score", best->score);
            json_real(j, "cost", best->cost);
        }
        if (r->truth) {
            json_real(j, "true_accuracy", best ? best->accuracy : NAN);
            json_real(j, "optimum", optimum);
            json_real(j, "regret", regret);
        }
        json_end(j);
    }
    json_end(j);
}

/* A cell with a fixed number of decimals, or as many digits as are worth it (negative). */
static void print_real(struct table *t, double value, int decimals)
{
    if (isnan(value)) {
        table_add(t, "-");
    } else if (decimals < 0) {
        table_printf(t, "%.6g", value);
    } else {
        table_printf(t, "%.*f", decimals, value);
    }
}

void constraint_print(const struct constraint_report *r, struct arena tmp, FILE *f)
{
    const struct search_options *so = &r->config->search_options;
    const char *heads[] = {arena_printf(&tmp, "at most (%s)", r->cost->unit),
                           arena_printf(&tmp, "%s", r->cost->name),
                           "code",
                           "score",
                           "true acc. (%)",
                           "optimum (%)",
                           "regret"};
    struct table t;
    table_init(&t, &tmp, heads, r->truth ? 7 : 4);
    double sum = 0;
    int n = 0;
    for (int k = 0; k < so->n_constraints; k++) {
        const struct run_member *best = constraint_best(r->result, so->constraints[k]);
        char code[SPACE_TEXT_LEN] = "none found";
        if (best) {
            r->config->space->code(&best->arch, code);
        }
        table_printf(&t, "%.6g", so->constraints[k]);
        print_real(&t, best ? best->cost : NAN, -1);
        table_add(&t, arena_strdup(&tmp, code));
        print_real(&t, best ? best->score : NAN, -1);
        if (r->truth) {
            double optimum, regret = regret_of(r, so->constraints[k], &optimum);
            print_real(&t, best ? best->accuracy : NAN, 2);
            print_real(&t, optimum, 2);
            print_real(&t, regret, 2);
            sum += isnan(regret) ? 0 : regret;
            n += !isnan(regret);
        }
    }
    table_print(&t, f);
    if (n > 1) {
        fprintf(f, "mean regret of %d constraints: %.3f points\n", n, sum / n);
    }
}

bool constraint_met(const struct constraint_report *r, struct err *e)
{
    const struct search_options *so = &r->config->search_options;
    double largest = 0;
    for (int k = 0; k < so->n_constraints; k++) {
        largest = fmax(largest, so->constraints[k]);
    }
    if (so->n_constraints == 0 || constraint_best(r->result, largest)) {
        return true;
    }
    char code[SPACE_TEXT_LEN];
    const struct run_member *least = &r->result->front[0];
    r->config->space->code(&least->arch, code);
    err_set(e, ERR_INFEASIBLE, "nothing found costs at most %.6g %s; the least is %s with %.6g %s",
            largest, r->cost->unit, code, least->cost, r->cost->unit);
    return err_hint(e, "a larger --constraint, or more generations");
}
