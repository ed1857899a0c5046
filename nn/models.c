#include "nn/models.h"

#include <string.h>

/* A new architecture is a room nn/model_*.c and a row here. */
extern const struct model model_resnet;
extern const struct model model_nb201;
extern const struct model model_fbnet;
extern const struct model model_mlp;
extern const struct model model_cnn;
static const struct model *const models[] = {&model_resnet, &model_nb201, &model_fbnet, &model_mlp,
                                             &model_cnn};

int models_count(void)
{
    return (int)N_ELEMS(models);
}

const struct model *models_at(int i)
{
    ASSERT(i >= 0 && (size_t)i < N_ELEMS(models));
    return models[i];
}

bool models_recognise(const char *const *names, int n, char arch[256])
{
    for (size_t i = 0; i < N_ELEMS(models); i++) {
        if (models[i]->recognise && models[i]->recognise(names, n, arch)) {
            return true;
        }
    }
    return false;
}

bool model_build(struct graph **out, struct arena *keep, const struct model_spec *spec,
                 struct err *e)
{
    ASSERT(out && spec);
    for (size_t i = 0; i < N_ELEMS(models); i++) {
        if (models[i]->match(spec->arch)) {
            if (spec->n_classes < 1) {
                return err_set(e, ERR_INPUT, "a classifier of %d classes cannot be built",
                               spec->n_classes);
            }
            struct graph *g = graph_new(keep, spec->input);
            *out = g;
            return models[i]->build(g, spec, e) || err_wrap(e, "building %s", spec->arch);
        }
    }
    err_set(e, ERR_USAGE, "unknown architecture '%s'", spec->arch);
    return err_hint(
        e, "known: resnet20, resnet32, resnet44, resnet56, nb201:CODE, nb201:STRING, fbnet:CODE, "
           "mlp:W1,W2,..., cnn:WIDTHS:HIDDEN:CODE, vae:WIDTHS:HIDDEN:CODE:DECODER");
}
