#include "cli/manifest.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "cli/compute.h"
#include "cli/json.h"
#include "cli/version.h"
#include "core/file.h"

/* A configuration larger than this is not ours. */
static const size_t max_bytes = (size_t)1 << 20;

/* These may differ from start to resume: results do not depend on them. */
static const char *const free_options[] = {"threads", "memory", "resume", "out",
                                          "quiet",   "json",   "pool",
                                          "tune-file"}; /* its checksum counts */

static bool manifest_is_free(const char *name)
{
    for (size_t i = 0; i < N_ELEMS(free_options); i++) {
        if (strcmp(name, free_options[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void manifest_options_json(struct json *j, const struct options *o)
{
    json_object(j, "options");
    for (int i = 0; i < o->n_specs; i++) {
        const struct option_spec *spec = &o->specs[i];
        switch (spec->type) {
        case OPTION_FLAG:
            json_bool(j, spec->name, options_flag(o, spec->name));
            break;
        case OPTION_INT:
        case OPTION_REAL:
        case OPTION_TEXT:
            json_text(j, spec->name, o->values[i] ? o->values[i] : spec->fallback);
            break;
        }
    }
    json_end(j);
}

bool manifest_write(const char *dir, const struct options *o, const struct manifest *m,
                    const struct machine *mc, struct arena tmp, struct err *e)
{
    char *path = arena_printf(&tmp, "%s/config.json", dir);
    char model[128];
    struct json j;
    cpu_model_name(model, sizeof model);
    json_init(&j, &tmp);
    json_object(&j, NULL);
    json_text(&j, "hdnas", version_text());
    json_text(&j, "compiler", version_compiler());
    json_text(&j, "cpu", model);
    json_text(&j, "tier", m->tier);
    json_text(&j, "blas", m->blas);
    json_int(&j, "threads", mc->n_threads);
    json_array(&j, "arguments");
    for (int i = 0; i < o->argc; i++) {
        json_text(&j, NULL, o->argv[i]);
    }
    json_end(&j);
    manifest_options_json(&j, o);
    json_text(&j, "data_sha256", m->data_sha256);
    json_text(&j, "reference_sha256", m->reference_sha256);
    json_text(&j, "reference_arch", m->reference_arch);
    json_text(&j, "cost_source", m->cost_source);
    json_text(&j, "cost_name", m->cost_name);
    json_text(&j, "cost_unit", m->cost_unit);
    json_text(&j, "cost_sha256", m->cost_sha256);
    json_text(&j, "truth_sha256", m->truth_sha256);
    if (m->score_sha256 && m->score_sha256[0]) {
        json_text(&j, "score_sha256", m->score_sha256);
    }
    json_text(&j, "precision", m->precision ? m->precision : "fp32");
    json_text(&j, "tune_sha256", m->tune_sha256 ? m->tune_sha256 : "");
    json_end(&j);
    text_add(&j.text, "\n");
    return compute_keep_tune(mc, dir, tmp, e) && file_write(path, j.text.s, j.text.n, e);
}

/* The parsed file; delete with cJSON_Delete. */
static bool manifest_read(cJSON **root, const char *dir, struct arena tmp, struct err *e)
{
    char *path = arena_printf(&tmp, "%s/config.json", dir);
    unsigned char *bytes;
    size_t n;
    if (!file_read(&tmp, path, max_bytes, &bytes, &n, e)) {
        return err_hint(e, "--resume wants the folder of an earlier run");
    }
    *root = cJSON_ParseWithLength((const char *)bytes, n);
    if (!cJSON_IsObject(*root)) {
        cJSON_Delete(*root);
        return err_set(e, ERR_INPUT, "%s: not the JSON object of a run's configuration", path);
    }
    return true;
}

/* Nothing given now may contradict the run. */
static bool manifest_agree(const struct options *stored, const struct options *given,
                           const char *dir, struct err *e)
{
    for (int i = 0; i < given->n_specs; i++) {
        const char *now = given->values[i], *then = stored->values[i];
        then = then ? then : given->specs[i].fallback;
        if (now && !manifest_is_free(given->specs[i].name) && (!then || strcmp(now, then) != 0)) {
            err_set(e, ERR_USAGE, "--%s %s: the run in %s was started with %s",
                    given->specs[i].name, now, dir, then ? then : "none");
            return err_hint(e,
                            "leave the option out to go on, or start a new run in another folder");
        }
    }
    return true;
}

bool manifest_options(struct options *out, struct arena *keep, const char *dir,
                      const struct options *given, struct err *e)
{
    cJSON *root;
    if (!manifest_read(&root, dir, *keep, e)) {
        return false;
    }
    const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(root, "arguments");
    int n = cJSON_IsArray(arguments) ? cJSON_GetArraySize(arguments) : 0;
    const char **argv = arena_push(keep, (size_t)(n + given->argc), sizeof *argv);
    int argc = 0;
    const cJSON *word;
    cJSON_ArrayForEach(word, arguments)
    {
        if (cJSON_IsString(word)) {
            argv[argc++] = arena_strdup(keep, word->valuestring);
        }
    }
    cJSON_Delete(root);
    struct options stored;
    bool help;
    if (!options_parse(&stored, keep, given->specs, given->n_specs, argc, argv, &help, e)) {
        return err_wrap(e, "%s/config.json", dir);
    }
    if (!manifest_agree(&stored, given, dir, e)) {
        return false;
    }
    for (int i = 0; i < given->argc; i++) {
        argv[argc++] = given->argv[i];
    }
    return options_parse(out, keep, given->specs, given->n_specs, argc, argv, &help, e);
}

bool manifest_check(const char *dir, const struct manifest *m, struct arena tmp, struct err *e)
{
    const struct {
        const char *key, *now, *what;
        const char *silent; /* what a run without the key had; NULL: "" */
    } facts[] = {
        {"tier", m->tier, "kernels", NULL},
        {"precision", m->precision ? m->precision : "fp32", "precision", "fp32"},
        {"data_sha256", m->data_sha256, "images", NULL},
        {"reference_sha256", m->reference_sha256, "reference weights", NULL},
        {"cost_sha256", m->cost_sha256, "cost table", NULL},
        {"truth_sha256", m->truth_sha256, "accuracy table", NULL},
        {"score_sha256", m->score_sha256 ? m->score_sha256 : "", "score table", NULL},
        {"tune_sha256", m->tune_sha256 ? m->tune_sha256 : "", "tuned algorithms", NULL},
    };
    cJSON *root;
    if (!manifest_read(&root, dir, tmp, e)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < N_ELEMS(facts); i++) {
        const cJSON *then = cJSON_GetObjectItemCaseSensitive(root, facts[i].key);
        const char *silent = facts[i].silent ? facts[i].silent : "", *now = facts[i].now;
        const char *before = cJSON_IsString(then) ? then->valuestring : silent;
        if (strcmp(before, now) != 0) {
            err_set(e, ERR_INPUT, "%s was run with other %s: %.16s then, %.16s now", dir,
                    facts[i].what, before[0] ? before : "none", now[0] ? now : "none");
            ok = strcmp(facts[i].key, "tune_sha256") == 0 &&
                 err_hint(e, before[0] ? "--tune-file %s/tune.csv is the copy that the run kept"
                                       : "--tune-file none resumes %s", dir);
        }
    }
    cJSON_Delete(root);
    return ok;
}
