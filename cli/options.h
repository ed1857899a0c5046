/*
 * options.h: command-line options from a table: parsing, checking and help come from the same rows.
 * --name VALUE and
 * --name=VALUE; -- ends options; -h/--help everywhere. Unknown options name the nearest known one.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "core/arena.h"

enum option_type { OPTION_FLAG, OPTION_INT, OPTION_REAL, OPTION_TEXT };

struct option_spec {
    const char *name; /* without dashes */
    enum option_type type;
    const char *value;    /* placeholder in help, "N", "DIR"; NULL for flags */
    const char *fallback; /* default as text; NULL = none */
    const char *help;
    double min, max; /* for INT and REAL when max > min */
};

struct options {
    const struct option_spec *specs;
    int n_specs;
    const char **values; /* [n_specs] as given, NULL = not given */
    const char **args;   /* positional */
    int n_args;
    bool json, quiet; /* --json, --quiet: every command has them */
    int argc;         /* as typed, for the manifest */
    const char *const *argv;
};

/* Options that every command has without listing them: --json, --quiet, --help. */
enum { OPTIONS_N_EVERYWHERE = 3 };
extern const struct option_spec options_everywhere[OPTIONS_N_EVERYWHERE];

/* Read argv[0 .. argc) (what follows the command's name) by the table. Everything is checked here,
 * so that reading a value cannot fail. *help is set, and nothing else is looked at, where -h or
 * --help stands among the options. Given twice, the last counts. ERR_USAGE names the nearest known
 * option, the range, or what a value should be. */
MUST_USE bool options_parse(struct options *o, struct arena *keep, const struct option_spec *specs,
                            int n_specs, int argc, const char *const *argv, bool *help,
                            struct err *e);

/* How many letters must change, go, come or swap places to turn a into b: for suggestions. */
int options_distance(const char *a, const char *b);

/* Whether a word this far (options_distance) from what was typed is worth suggesting. */
bool options_near(int distance, const char *typed);

/* Values of an option, its fallback when not given. A name that is not in the table is a bug. */
bool options_flag(const struct options *o, const char *name);
int64_t options_int(const struct options *o, const char *name);
double options_real(const struct options *o, const char *name);
/* NULL if not given and there is no fallback. */
const char *options_text(const struct options *o, const char *name);
bool options_given(const struct options *o, const char *name);

/* Shared rows: --seed N, --threads N, --cpu TIER, --precision WORD, --tune-file FILE, --memory MiB. Use in tables as
 * OPTIONS_COMMON; cli/compute.h makes a machine of them. */
/* clang-format off */
#define OPTIONS_COMMON \
    {"seed", OPTION_INT, "N", "1", "every random draw follows from it", 0, 9e15}, \
    {"threads", OPTION_INT, "N", "0", \
     "threads; 0 = all processors; results do not depend on it", 0, 1024}, \
    {"cpu", OPTION_TEXT, "TIER", "auto", "kernels: auto, ref, neon, avx2, avx512, avx512bf16, amx", 0, \
     0}, \
    {"precision", OPTION_TEXT, "WORD", "auto", \
     "of what convolutions multiply: fp32, bf16 (sums and weights stay fp32), auto = fp32", 0, 0}, \
    {"tune-file", OPTION_TEXT, "FILE", NULL, \
     "choose algorithms by this table of hdnas bench --tune (default: HDNAS_TUNE; none: do without)", \
     0, 0}, \
    {"memory", OPTION_INT, "MIB", "0", "most memory to use; 0 = what the machine has", 0, 1e9}
/* clang-format on */

#endif
