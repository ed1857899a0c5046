#define _GNU_SOURCE
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct option_spec options_everywhere[OPTIONS_N_EVERYWHERE] = {
    {"json", OPTION_FLAG, NULL, NULL, "data on standard output as JSON", 0, 0},
    {"quiet", OPTION_FLAG, NULL, NULL, "no progress and no talk on standard error, only errors", 0,
     0},
    {"help", OPTION_FLAG, NULL, NULL, "show this help", 0, 0},
};

enum { DISTANCE_MAX_LEN = 40 }; /* longer words are cut: no option comes near it */

int options_distance(const char *a, const char *b)
{
    ASSERT(a && b);
    int len_a = (int)strnlen(a, DISTANCE_MAX_LEN), len_b = (int)strnlen(b, DISTANCE_MAX_LEN);
    int d[DISTANCE_MAX_LEN + 1]
         [DISTANCE_MAX_LEN + 1]; /* d[i][j]: from the first i of a to the first j of b */
    for (int i = 0; i <= len_a; i++) {
        for (int j = 0; j <= len_b; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = MIN(best, d[i - 2][j - 2] + 1);
            }
            d[i][j] = best;
        }
    }
    return d[len_a][len_b];
}

bool options_near(int distance, const char *typed)
{
    /* A third of the letters may be wrong: "--poplation" finds --population, "--x" finds nothing.
     */
    return distance <= MAX(1, (int)strnlen(typed, DISTANCE_MAX_LEN) / 3);
}

static int options_find(const struct option_spec *specs, int n, const char *name, size_t len)
{
    for (int i = 0; i < n; i++) {
        if (strlen(specs[i].name) == len && memcmp(specs[i].name, name, len) == 0) {
            return i;
        }
    }
    return -1;
}

static bool options_unknown(const struct options *o, const char *arg, struct err *e)
{
    const char *word = arg + strspn(arg, "-");
    char typed[DISTANCE_MAX_LEN + 1] = {0};
    memcpy(typed, word, MIN(strcspn(word, "="), (size_t)DISTANCE_MAX_LEN));
    const char *nearest = NULL;
    int best = INT_MAX;
    for (int i = 0; i < o->n_specs + OPTIONS_N_EVERYWHERE; i++) {
        const char *name =
            i < o->n_specs ? o->specs[i].name : options_everywhere[i - o->n_specs].name;
        /* The beginning of a name is as good as a near miss. */
        int distance = typed[1] && strncmp(name, typed, strlen(typed)) == 0
                           ? 0
                           : options_distance(typed, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    err_set(e, ERR_USAGE, "unknown option %.80s", arg);
    return nearest && options_near(best, typed) ? err_hint(e, "did you mean --%s?", nearest)
                                                : false;
}

/* Whether text is a number of the type; *value for the range. */
static bool options_number(enum option_type type, const char *text, double *value)
{
    char *end = NULL;
    errno = 0;
    if (type == OPTION_INT) {
        long long n = strtoll(text, &end, 10);
        *value = (double)n;
    } else {
        *value = strtod(text, &end);
    }
    return end != text && *end == 0 && errno == 0 && isfinite(*value);
}

static bool options_check(const struct option_spec *s, const char *text, struct err *e)
{
    if (s->type == OPTION_TEXT || s->type == OPTION_FLAG) {
        return true;
    }
    double value = 0;
    const char *noun = s->type == OPTION_INT ? "a whole number" : "a number";
    bool ok = options_number(s->type, text, &value);
    if (ok && (s->max <= s->min || (value >= s->min && value <= s->max))) {
        return true;
    }
    if (s->max > s->min) {
        err_set(e, ERR_USAGE, "--%s %.80s: expected %s from %.15g to %.15g", s->name, text, noun,
                s->min, s->max);
    } else {
        err_set(e, ERR_USAGE, "--%s %.80s: expected %s", s->name, text, noun);
    }
    return s->fallback ? err_hint(e, "left out, it is %s", s->fallback) : false;
}

/* One option at argv[*i]; *i moves over its value. */
static bool options_take(struct options *o, int *i, struct err *e)
{
    const char *arg = o->argv[*i], *name = arg + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    int everywhere = options_find(options_everywhere, OPTIONS_N_EVERYWHERE, name, len);
    int row = options_find(o->specs, o->n_specs, name, len);
    if (arg[1] != '-' || (row < 0 && everywhere < 0)) {
        return options_unknown(o, arg, e);
    }
    const struct option_spec *s = row < 0 ? &options_everywhere[everywhere] : &o->specs[row];
    if (s->type == OPTION_FLAG) {
        if (value) {
            return err_set(e, ERR_USAGE, "--%s takes no value, but \"%.80s\" was given", s->name,
                           value);
        }
        value = "yes";
    } else if (!value) {
        if (*i + 1 >= o->argc || strncmp(o->argv[*i + 1], "--", 2) == 0) {
            err_set(e, ERR_USAGE, "--%s needs a value", s->name);
            return err_hint(e, "--%s %s: %s", s->name, s->value, s->help);
        }
        value = o->argv[++*i];
    }
    if (!options_check(s, value, e)) {
        return false;
    }
    if (row >= 0) {
        o->values[row] = value;
    } else {
        o->json |= strcmp(s->name, "json") == 0;
        o->quiet |= strcmp(s->name, "quiet") == 0;
    }
    return true;
}

bool options_parse(struct options *o, struct arena *keep, const struct option_spec *specs,
                   int n_specs, int argc, const char *const *argv, bool *help, struct err *e)
{
    ASSERT(o && n_specs >= 0 && argc >= 0);
    *help = false;
    *o = (struct options){.specs = specs, .n_specs = n_specs, .argc = argc, .argv = argv};
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
            return true;
        }
    }
    o->values = arena_push_zero(keep, (size_t)MAX(n_specs, 1), sizeof *o->values);
    o->args = arena_push_zero(keep, (size_t)argc + 1, sizeof *o->args);
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0) {
            only_args = true;
        } else if (only_args || argv[i][0] != '-' || argv[i][1] == 0) {
            o->args[o->n_args++] = argv[i];
        } else if (!options_take(o, &i, e)) {
            return false;
        }
    }
    return true;
}

static int options_row(const struct options *o, const char *name, enum option_type type)
{
    int row = options_find(o->specs, o->n_specs, name, strlen(name));
    ASSERT(row >= 0);
    ASSERT(o->specs[row].type == type);
    return row;
}

static const char *options_value(const struct options *o, const char *name, enum option_type type)
{
    int row = options_row(o, name, type);
    return o->values[row] ? o->values[row] : o->specs[row].fallback;
}

bool options_flag(const struct options *o, const char *name)
{
    return o->values[options_row(o, name, OPTION_FLAG)] != NULL;
}

int64_t options_int(const struct options *o, const char *name)
{
    const char *text = options_value(o, name, OPTION_INT);
    ASSERT(text);
    return strtoll(text, NULL, 10);
}

double options_real(const struct options *o, const char *name)
{
    const char *text = options_value(o, name, OPTION_REAL);
    ASSERT(text);
    return strtod(text, NULL);
}

const char *options_text(const struct options *o, const char *name)
{
    return options_value(o, name, OPTION_TEXT);
}

bool options_given(const struct options *o, const char *name)
{
    int row = options_find(o->specs, o->n_specs, name, strlen(name));
    ASSERT(row >= 0);
    return o->values[row] != NULL;
}
