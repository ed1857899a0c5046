/* Random search: architectures drawn uniformly, none twice. The baseline of every table. */
#include "nas/fresh.h"
#include "nas/members.h"
#include "nas/questions.h"

#include <string.h>

struct random_search {
    struct search_options options;
    int generation; /* the last told, -1 before */
    uint64_t n_drawn;
    struct fresh fresh;
    struct questions questions;
    struct search_member *members; /* [n_members] the last round stands for the population */
    int n_members;
    struct arena scratch;
};

static size_t random_state_bytes(const struct space *s, const struct search_options *o)
{
    (void)s, (void)o;
    return sizeof(struct random_search);
}

static void random_init(void *state, const struct space *s, const struct search_options *o,
                        struct arena *keep)
{
    struct random_search *rs = state;
    *rs = (struct random_search){.options = *o, .generation = -1};
    fresh_init(&rs->fresh, s, keep);
    questions_init(&rs->questions, o->population, keep);
    rs->members = arena_push_zero(keep, (size_t)o->population, sizeof *rs->members);
    rs->scratch = arena_carve(keep, members_scratch_bytes(o->population));
}

static void random_fill(struct random_search *rs)
{
    const struct search_options *o = &rs->options;
    struct questions *q = &rs->questions;
    questions_reset(q);
    for (int i = 0; i < o->n_first && rs->generation < 0 && q->n < o->population; i++) {
        if (fresh_add(&rs->fresh, &o->first[i])) {
            questions_add(q, &o->first[i]);
        }
    }
    while (q->n < o->population) {
        struct rng r = rng_key(o->seed, RNG_ARCH, rs->n_drawn++);
        struct arch a;
        if (!fresh_random(&rs->fresh, &a, &r)) {
            break;
        }
        questions_add(q, &a);
    }
}

static int random_ask(void *state, struct arch *out, int max)
{
    struct random_search *rs = state;
    if (!questions_open(&rs->questions)) {
        if (rs->generation + 1 >= rs->options.generations) {
            return 0;
        }
        random_fill(rs);
    }
    return questions_give(&rs->questions, out, max);
}

static void random_tell(void *state, const struct arch *archs, const struct verdict *verdicts,
                        int n)
{
    struct random_search *rs = state;
    const struct questions *q = &rs->questions;
    questions_tell(&rs->questions, archs, verdicts, n);
    if (questions_open(q)) {
        return;
    }
    for (int i = 0; i < q->n; i++) {
        rs->members[i] = (struct search_member){.arch = q->archs[i], .verdict = q->verdicts[i]};
    }
    rs->n_members = q->n;
    members_rate(rs->members, rs->n_members, rs->scratch);
    rs->generation++;
}

static int random_population(const void *state, struct search_member *out, int max)
{
    const struct random_search *rs = state;
    int n = MIN(max, rs->n_members);
    memcpy(out, rs->members, (size_t)n * sizeof *out);
    return n;
}

static int random_generation(const void *state)
{
    return ((const struct random_search *)state)->generation;
}

const struct search search_random = {
    .name = "random",
    .help = "architectures drawn uniformly, none twice",
    .state_bytes = random_state_bytes,
    .init = random_init,
    .ask = random_ask,
    .tell = random_tell,
    .population = random_population,
    .generation = random_generation,
};
