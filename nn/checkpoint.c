#include "nn/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MORE = 4 }; /* tensors and metadata pairs beside the weights, at most */

size_t checkpoint_scratch_bytes(const struct graph *g)
{
    size_t states = 0;
    for (int i = 0; i < g->n_params; i++) {
        states += 2 * arena_round(g->params[i].count * sizeof(float));
    }
    return weights_scratch_bytes(g, MAX_MORE, states);
}

static void put_meta(struct safetensors *st, const char *key, const char *value)
{
    snprintf(st->meta[st->n_meta][0], 256, "%s", key);
    snprintf(st->meta[st->n_meta][1], 256, "%s", value);
    st->n_meta++;
}

static void put_number(struct safetensors *st, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put_meta(st, key, text);
}

bool checkpoint_save(const struct checkpoint *c, struct net *net, struct optim *o,
                     const struct weights_info *info, const char *path, struct arena tmp,
                     struct err *e)
{
    struct safetensors st;
    if (!weights_collect(&st, &tmp, net, info, MAX_MORE, e)) {
        return err_wrap(e, "writing %s", path);
    }
    put_number(&st, "epoch", c->epoch);
    put_number(&st, "best_correct", c->best_correct);
    put_number(&st, "optim_steps", *optim_step_counter(o));
    put_meta(&st, "settings", c->settings);
    ASSERT(optim_n_states(o) <= MAX_MORE);
    for (int i = 0; i < optim_n_states(o); i++) {
        struct safetensors_entry *t = &st.entries[st.n++];
        size_t count = 0;
        *t = (struct safetensors_entry){.type = SAFETENSORS_F32, .n_dims = 1};
        t->data = optim_state(o, i, &count, t->name, sizeof t->name);
        t->dims[0] = (int64_t)count;
        t->bytes = count * sizeof(float);
    }
    return safetensors_write(&st, path, tmp, e);
}

static bool read_number(const struct safetensors *st, const char *key, int64_t *value,
                        struct err *e)
{
    const char *text = safetensors_meta(st, key);
    char *end = NULL;
    *value = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end != 0) {
        return err_set(e, ERR_INPUT, "%s: %s is missing or no number: not a checkpoint", st->path,
                       key);
    }
    return true;
}

static bool read_states(const struct safetensors *st, struct optim *o, bool copy, struct err *e)
{
    for (int i = 0; i < optim_n_states(o); i++) {
        char name[64];
        size_t count = 0;
        float *state = optim_state(o, i, &count, name, sizeof name);
        const struct safetensors_entry *t = safetensors_find(st, name);
        if (!t || t->type != SAFETENSORS_F32 || t->bytes != count * sizeof(float)) {
            return err_set(e, ERR_INPUT, "%s: tensor %s is missing or not %zu floats", st->path,
                           name, count);
        }
        if (copy) {
            memcpy(state, t->data, t->bytes);
        }
    }
    return true;
}

bool checkpoint_load(struct checkpoint *c, struct net *net, struct optim *o, const char *path,
                     struct arena tmp, struct err *e)
{
    struct safetensors st;
    int64_t epoch, n_steps;
    if (!safetensors_read(&st, &tmp, path, e) || !read_number(&st, "epoch", &epoch, e) ||
        !read_number(&st, "best_correct", &c->best_correct, e) ||
        !read_number(&st, "optim_steps", &n_steps, e)) {
        return false;
    }
    const char *settings = safetensors_meta(&st, "settings");
    if (!settings || strcmp(settings, c->settings) != 0) {
        err_set(e, ERR_USAGE, "%s: was made with other settings: '%s', now '%s'", path,
                settings ? settings : "", c->settings);
        return err_hint(e, "repeat the options of the first run, or start anew in another folder");
    }
    if (epoch < 0 || epoch > INT32_MAX || n_steps < 0) {
        return err_set(e, ERR_INPUT, "%s: epoch %lld, step %lld cannot be", path, (long long)epoch,
                       (long long)n_steps);
    }
    if (!read_states(&st, o, false, e) || !weights_load(net, path, tmp, e) ||
        !read_states(&st, o, true, e)) {
        return false;
    }
    c->epoch = (int)epoch;
    *optim_step_counter(o) = n_steps;
    return true;
}
