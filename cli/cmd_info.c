#define _GNU_SOURCE
#include "cli/cmds.h"
#include "cli/json.h"
#include "cli/term.h"
#include "cli/version.h"
#include "core/file.h"
#include "core/gemm.h"
#include "core/machine.h"
#include "data/dataset.h"
#include "nas/cost.h"
#include "nas/score.h"
#include "nas/search.h"
#include "nas/space.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One fact after another, as JSON or as aligned lines. */
struct info {
    struct json *json; /* NULL = for people */
};

enum { INFO_COLUMN = 14 };

static void info_text(const struct info *out, const char *key, const char *label, const char *value)
{
    if (out->json) {
        json_text(out->json, key, value);
    } else {
        printf("%-*s", INFO_COLUMN, label);
        term_fill(stdout, value, INFO_COLUMN, INFO_COLUMN,
                  MAX(INFO_COLUMN + 20, term_width(stdout)));
    }
}

static void info_list(const struct info *out, const char *key, const char *label,
                      const char *(*name)(int i), int n, struct arena tmp)
{
    if (out->json) {
        json_array(out->json, key);
        for (int i = 0; i < n; i++) {
            json_text(out->json, NULL, name(i));
        }
        json_end(out->json);
        return;
    }
    struct text line;
    text_init(&line, &tmp);
    for (int i = 0; i < n; i++) {
        text_printf(&line, "%s%s", i > 0 ? " " : "", name(i));
    }
    info_text(out, key, label, line.s);
}

static const char *info_command(int i)
{
    return cmds_at(i)->name;
}

static const char *info_space(int i)
{
    return space_at(i)->name;
}

static const char *info_score(int i)
{
    return score_at(i)->name;
}

static const char *info_cost(int i)
{
    return cost_kind_at(i)->name;
}

static const char *info_search(int i)
{
    return search_at(i)->name;
}

static const char *info_format(int i)
{
    return dataset_format(i)->name;
}

static void info_tables(const struct info *out, struct arena tmp)
{
    const struct {
        const char *key;
        const char *(*name)(int i);
        int n;
    } tables[] = {
        {"spaces", info_space, space_count()},      {"scores", info_score, score_count()},
        {"costs", info_cost, cost_kind_count()},    {"searches", info_search, search_count()},
        {"data", info_format, dataset_n_formats()}, {"commands", info_command, cmds_count()},
    };
    for (size_t i = 0; i < N_ELEMS(tables); i++) {
        info_list(out, tables[i].key, tables[i].key, tables[i].name, tables[i].n, tmp);
    }
}

/* Where the built-in data and reference are; null where they were not installed. */
static void info_share(const struct info *out, struct arena *keep)
{
    char *path = NULL;
    struct err missing;
    bool found = file_share_path(keep, "", &path, &missing);
    if (found) {
        path[strlen(path) - 1] = 0; /* the slash before the empty name */
    }
    if (out->json) {
        json_text(out->json, "share", found ? path : NULL);
    } else {
        info_text(out, "share", "share",
                  found ? path : "not found: no built-in data and reference (HDNAS_SHARE)");
    }
}

static int info_tiers(const char *names[CPU_N_TIERS])
{
    int n = 0;
    for (int t = 0; t < CPU_N_TIERS; t++) {
        if (cpu_has((enum cpu_tier)t)) {
            names[n++] = cpu_tier_name((enum cpu_tier)t);
        }
    }
    return n;
}

static void info_machine(const struct info *out, const struct machine *mc, struct arena tmp)
{
    char model[128];
    cpu_model_name(model, sizeof model);
    info_text(out, "cpu", "processor", model);
    const char *tiers[CPU_N_TIERS];
    int n = info_tiers(tiers);
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    if (out->json) {
        json_array(out->json, "tiers");
        for (int i = 0; i < n; i++) {
            json_text(out->json, NULL, tiers[i]);
        }
        json_end(out->json);
        json_text(out->json, "tier", cpu_tier_name(mc->tier));
        json_text(out->json, "tier_bf16", cpu_tier_name(cpu_best_bf16()));
        json_int(out->json, "processors", cpu_count());
        json_int(out->json, "threads", mc->n_threads);
        json_int(out->json, "memory_bytes", (int64_t)memory);
        return;
    }
    struct text line;
    text_init(&line, &tmp);
    for (int i = 0; i < n; i++) {
        text_printf(&line, "%s ", tiers[i]);
    }
    text_printf(&line, "(in use: %s; with --precision bf16: %s)", cpu_tier_name(mc->tier),
                cpu_tier_name(cpu_best_bf16()));
    info_text(out, NULL, "tiers", line.s);
    printf("%-*s%d of %d\n", INFO_COLUMN, "threads", mc->n_threads, cpu_count());
    printf("%-*s%.1f GiB\n", INFO_COLUMN, "memory", (double)memory / (1 << 30));
}

static bool info_run(const struct options *o, struct arena *keep, struct err *e)
{
    if (o->n_args > 0) {
        return err_set(e, ERR_USAGE, "hdnas info takes no argument, but \"%.80s\" was given",
                       o->args[0]);
    }
    struct machine mc;
    if (!machine_init(&mc, options_text(o, "cpu"), (int)options_int(o, "threads"), e)) {
        return false;
    }
    struct json json;
    json_init(&json, keep);
    struct info out = {.json = o->json ? &json : NULL};
    if (o->json) {
        json_object(&json, NULL);
    }
    info_text(&out, "version", "hdnas", version_text());
    info_text(&out, "compiler", "compiler", version_compiler());
    info_machine(&out, &mc, *keep);
    info_text(&out, "blas", "BLAS", gemm_blas_name());
    info_share(&out, keep);
    info_tables(&out, *keep);
    if (o->json) {
        json_end(&json);
        json_print(&json, stdout);
    }
    return true;
}

static const struct option_spec info_options[] = {OPTIONS_COMMON};

const struct cmd cmd_info = {
    .name = "info",
    .summary = "what this machine and this build can do",
    .usage = "hdnas info [options]",
    .about = "Prints version and compiler, processor and kernels, BLAS, and every space, score, "
             "cost, search method, "
             "data format and command known. Put its output into bug reports.",
    .examples = "hdnas info\n"
                "hdnas info --json\n"
                "hdnas info --cpu avx2      # does this processor run that tier?",
    .options = info_options,
    .n_options = (int)N_ELEMS(info_options),
    .light = true,
    .run = info_run,
};
