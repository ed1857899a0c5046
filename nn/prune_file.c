#include "nn/prune_file.h"

#include <stdio.h>
#include <string.h>

size_t prune_file_scratch_bytes(const struct graph *g)
{
    size_t masks = 0;
    for (int i = 0; i < g->n_params; i++) {
        masks += arena_round(g->params[i].count * sizeof(float));
    }
    return weights_scratch_bytes(g, g->n_params, 4 * masks);
}

/* A mask's bytes in PyTorch's layout; by way of floats, since that is what weights are turned in.
 */
static uint8_t *mask_to_file(const struct prune_layer *l, const struct param_spec *spec,
                             struct arena *keep, struct err *e)
{
    float *ours = arena_try(keep, l->count, sizeof *ours, e);
    float *theirs = ours ? arena_try(keep, l->count, sizeof *theirs, e) : NULL;
    uint8_t *bytes = theirs ? arena_try(keep, l->count, 1, e) : NULL;
    if (!bytes) {
        return NULL;
    }
    for (size_t i = 0; i < l->count; i++) {
        ours[i] = l->kept[i];
    }
    weights_swap_layout(ours, theirs, spec, false);
    for (size_t i = 0; i < l->count; i++) {
        bytes[i] = theirs[i] != 0;
    }
    return bytes;
}

bool prune_file_save(const struct prune_mask *m, struct net *net, const struct weights_info *info,
                     const char *const (*meta)[2], int n_meta, const char *path, struct arena tmp,
                     struct err *e)
{
    const struct graph *g = net_graph(net);
    struct safetensors st;
    if (!weights_collect(&st, &tmp, net, info, MAX(m->n_layers, n_meta), e)) {
        return err_wrap(e, "writing %s", path);
    }
    for (int i = 0; i < n_meta; i++) {
        snprintf(st.meta[st.n_meta][0], sizeof st.meta[0][0], "%s", meta[i][0]);
        snprintf(st.meta[st.n_meta][1], sizeof st.meta[0][1], "%s", meta[i][1]);
        st.n_meta++;
    }
    for (int i = 0; i < m->n_layers; i++) {
        const struct prune_layer *l = &m->layers[i];
        const struct param *p = &g->params[l->i_param];
        struct safetensors_entry *t = &st.entries[st.n++];
        *t = (struct safetensors_entry){.type = SAFETENSORS_U8, .bytes = l->count};
        snprintf(t->name, sizeof t->name, "%s_mask", p->name);
        t->n_dims = weights_dims(&p->spec, t->dims);
        t->data = mask_to_file(l, &p->spec, &tmp, e);
        if (!t->data) {
            return err_wrap(e, "writing %s", path);
        }
    }
    return safetensors_write(&st, path, tmp, e);
}

/* Check the tensor of a layer, and if `copy`, take it. */
static bool mask_from_file(struct prune_layer *l, const struct param *p,
                           const struct safetensors *st, bool copy, struct arena tmp, struct err *e)
{
    char name[sizeof p->name + 8];
    snprintf(name, sizeof name, "%s_mask", p->name);
    const struct safetensors_entry *t = safetensors_find(st, name),
                                   *w = safetensors_find(st, p->name);
    if (!t) {
        memset(l->kept, 1, copy ? l->count : 0);
        return true;
    }
    int64_t dims[4];
    int n_dims = weights_dims(&p->spec, dims);
    if (t->type != SAFETENSORS_U8 || t->n_dims != n_dims ||
        memcmp(t->dims, dims, (size_t)n_dims * sizeof *dims) != 0) {
        return err_set(e, ERR_INPUT, "%s: mask %s does not fit: expected u8 of %d sizes, %zu bytes",
                       st->path, name, n_dims, l->count);
    }
    const uint8_t *bytes = t->data;
    const float *weights = w && w->bytes == l->count * sizeof(float) ? w->data : NULL;
    float *theirs = arena_try(&tmp, l->count, sizeof *theirs, e);
    float *ours = theirs ? arena_try(&tmp, l->count, sizeof *ours, e) : NULL;
    if (!ours) {
        return false;
    }
    for (size_t i = 0; i < l->count; i++) {
        if (bytes[i] > 1 || (bytes[i] == 0 && weights && weights[i] != 0)) {
            return err_set(e, ERR_INPUT,
                           "%s: mask %s, element %zu: expected 0 over a weight of 0, or 1; found "
                           "%d over %g",
                           st->path, name, i, bytes[i], weights ? (double)weights[i] : 0.0);
        }
        theirs[i] = bytes[i];
    }
    weights_swap_layout(ours, theirs, &p->spec, true);
    for (size_t i = 0; copy && i < l->count; i++) {
        l->kept[i] = ours[i] != 0;
    }
    return true;
}

bool prune_file_load(struct prune_mask *m, const struct graph *g, const char *path,
                     struct arena tmp, struct err *e)
{
    struct safetensors st;
    if (!safetensors_read(&st, &tmp, path, e)) {
        return false;
    }
    for (int copy = 0; copy < 2; copy++) {
        for (int i = 0; i < m->n_layers; i++) {
            struct prune_layer *l = &m->layers[i];
            if (!mask_from_file(l, &g->params[l->i_param], &st, copy == 1, tmp, e)) {
                return false;
            }
        }
    }
    m->n_kept = 0;
    for (int i = 0; i < m->n_layers; i++) {
        for (size_t j = 0; j < m->layers[i].count; j++) {
            m->n_kept += m->layers[i].kept[j];
        }
    }
    return true;
}
